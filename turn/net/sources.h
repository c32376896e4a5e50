/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Counts connections, in total and per source address (an IPv6 host owns its /64). Shared by all
 * threads.
 */
#ifndef TURN_NET_SOURCES_H
#define TURN_NET_SOURCES_H

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net_sources;
struct net_source;

/* 0 means no limit. NULL when out of memory. */
struct net_sources *net_sources_new(uint32_t connections_per_address, uint32_t max_tcp_connections);

/* All must have been given back. NULL is legal. */
void net_sources_free(struct net_sources *s);

/* Counts one more connection; from NULL: its source is not known yet, so only the total counts it.
 * 0 and the source to give back, -E_LIMIT or -E_NOMEM. */
int net_sources_take(struct net_sources *s, const struct addr *from, struct net_source **out);

/* NULL source is legal. */
void net_sources_give(struct net_sources *s, struct net_source *source);

/* For connections that come from now on. */
void net_sources_set_limits(struct net_sources *s, uint32_t connections_per_address,
                            uint32_t max_tcp_connections);

/* True when the total is reached. */
bool net_sources_full(struct net_sources *s);

/* The number of its connections whose protocol is still unknown: the caller's own count, on its one
 * thread. */
uint32_t *net_source_undecided(struct net_source *source);

size_t net_sources_total(struct net_sources *s);

#endif

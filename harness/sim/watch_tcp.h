/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The ledger of a node's TCP allocations (RFC 6062): which Connect waits for its
 * answer, which connections there are, how many bytes they may have carried.
 */
#ifndef SIM_WATCH_TCP_H
#define SIM_WATCH_TCP_H

#include "harness/sim/ledger.h"

struct watch_tcp;

/* NULL when out of memory. */
struct watch_tcp *watch_tcp_new(struct sim *s, struct ledger *ledger);
void watch_tcp_free(struct watch_tcp *w); /* NULL is legal */

/* A Connect request was handled and not answered: it waits for its peer. */
void watch_tcp_waits(struct watch_tcp *w, struct ep client, const uint8_t *request, size_t len);
/* The node sent a message while it handled none: the late answer to a Connect, or a
 * ConnectionAttempt. False: it is neither. */
bool watch_tcp_sent(struct watch_tcp *w, struct ep client, const uint8_t *message, size_t len);
/* The answer to a ConnectionBind or, at once, to a Connect. */
void watch_tcp_reply(struct watch_tcp *w, struct ep client, const uint8_t *request,
                     size_t request_len, const uint8_t *reply, size_t reply_len);
/* The client's connection has ended. */
void watch_tcp_closed(struct watch_tcp *w, struct ep client);

/* Bytes that went into data connections of the node, and came out of them. */
enum { TCP_TO_PEER, TCP_TO_CLIENT };
void watch_tcp_put(struct watch_tcp *w, int direction, size_t n);
void watch_tcp_got(struct watch_tcp *w, int direction, size_t n);

/* Each second, with the node's own counts of connections and of their bytes. */
void watch_tcp_tick(struct watch_tcp *w, uint64_t connections, uint64_t to_peer_bytes,
                    uint64_t to_client_bytes);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A TURN client of the simulation: Binding, Allocate with the 401 dance,
 * permissions, channels, refreshes in time, retransmissions. Over UDP; over a stream
 * when UDP does not answer.
 */
#ifndef SIM_TURN_CLIENT_H
#define SIM_TURN_CLIENT_H

#include "harness/sim/sim.h"

#define TC_REQUESTS 12
#define TC_PEERS    16

enum tc_event {
	TC_MAPPED, /* the server-reflexive address is known */
	TC_READY,  /* there is an allocation */
	TC_FAILED, /* there will be none */
	TC_LOST,   /* the server knows it no more */
};

struct tc;

struct tc_user {
	/* May close the client. */
	void (*event)(void *arg, struct tc *tc, enum tc_event event);
	/* Data that are neither STUN nor ChannelData; peer: their source; relayed: through the
	 * allocation. NULL: they are dropped. */
	void (*data)(void *arg, struct tc *tc, struct ep peer, bool relayed, const uint8_t *data,
	             size_t len);
	/* A TCP allocation's connection with a peer, made or accepted, has this id; 0: it could
	 * not be made. NULL for others. */
	void (*connection)(void *arg, struct tc *tc, struct ep peer, uint32_t id);
};

struct tc_options {
	uint32_t agent, call;
	unsigned int node;
	uint32_t lifetime_s; /* 0: not asked for */
	bool even, pair;     /* EVEN-PORT, with the R bit */
	bool lax;            /* refreshes too late, now and then */
	bool no_binding;     /* only wants an allocation */
	bool tcp;            /* does not try UDP */
	bool tcp_relay;      /* a TCP allocation; with tcp */
	const uint8_t *token;
};

/* NULL when out of memory. Borrows user. */
struct tc *tc_new(struct sim *s, const struct tc_options *options, const struct tc_user *user,
                  void *arg);

/* Ends it. With a word: a Refresh of 0 first, sent until it is answered. NULL is legal. */
void tc_close(struct tc *tc, bool word);

/* Asks for new ones and refreshes old ones by itself. */
void tc_permit(struct tc *tc, struct ep peer);
void tc_bind(struct tc *tc, struct ep peer);

/* For a TCP allocation. */
void tc_connect(struct tc *tc, struct ep peer);

void tc_send(struct tc *tc, struct ep peer, const uint8_t *data, size_t len);
void tc_send_relayed(struct tc *tc, struct ep peer, const uint8_t *data, size_t len);

/* Over a stream: stops to read, or goes on. */
void tc_set_reads(struct tc *tc, bool reads);

struct ep tc_host(const struct tc *tc);
struct ep tc_mapped(const struct tc *tc);     /* port 0: not known */
struct ep tc_relayed(const struct tc *tc);    /* likewise */
const uint8_t *tc_token(const struct tc *tc); /* NULL: none */
int tc_code(const struct tc *tc);             /* why it failed */
unsigned int tc_node(const struct tc *tc);

#endif

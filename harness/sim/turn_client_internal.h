/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared by the two files of the TURN client. No other file includes it.
 */
#ifndef SIM_TURN_CLIENT_INTERNAL_H
#define SIM_TURN_CLIENT_INTERNAL_H

#include "harness/sim/stream.h"
#include "harness/sim/turn_client.h"

#define MESSAGE_MAX   320
#define CHANNEL_FIRST 0x4000

struct request {
	uint16_t method; /* 0: free */
	uint8_t tid[12];
	uint8_t tries;
	bool by_stream;
	uint64_t next_ms;
	struct ep peer;
	uint16_t number;
	uint32_t lifetime_s;
	size_t len;
	_Alignas(8) uint8_t msg[MESSAGE_MAX];
};

struct peer {
	uint32_t ip;
	uint64_t refresh_ms;
};

struct chan {
	struct ep peer;
	uint64_t refresh_ms;
	bool bound;
};

struct tc {
	struct tc *prev, *next; /* in sim->clients */
	struct sim *sim;
	struct tc_options options;
	uint8_t token[8], own_token[8];
	bool has_token;
	const struct tc_user *user;
	void *arg;
	struct env_udp *udp;
	struct sim_stream *stream;
	struct env_timer *timer;
	struct ep mapped, relayed;
	char nonce[64];
	uint32_t tids;
	uint64_t fallback_ms, keepalive_ms, refresh_ms;
	bool closing, lost, failed;
	int code;
	struct request request[TC_REQUESTS];
	struct peer peer[TC_PEERS];
	struct chan chan[TC_PEERS];
	size_t peer_n, chan_n;
};

/* turn_client.c */
struct agent *tc_agent_of(const struct tc *tc);
void tc_ask(struct tc *tc, uint16_t method, struct ep peer, uint16_t number, uint32_t lifetime_s);
void tc_compose(struct tc *tc, struct request *r);
void tc_transmit(struct tc *tc, struct request *r);
uint64_t tc_refresh_at(struct tc *tc, uint32_t lasts_s);
void tc_destroy(struct tc *tc);
void tc_tell(struct tc *tc, enum tc_event event);

/* turn_client_in.c */
env_udp_batch_fn tc_on_batch;
extern const struct sim_stream_user tc_stream_user;

#endif

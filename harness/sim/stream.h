/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A client's TCP connection to a node: messages go in whole and come out whole,
 * wherever the network cuts; after a ConnectionBind (RFC 6062), bytes.
 */
#ifndef SIM_STREAM_H
#define SIM_STREAM_H

#include "harness/sim/sim.h"

struct sim_stream;

struct sim_stream_user {
	/* All of them may close the stream. */
	void (*message)(void *arg, uint8_t *message, size_t len);
	void (*bytes)(void *arg, const uint8_t *data, size_t len); /* of a data connection */
	void (*room)(void *arg); /* of a data connection: more may be written; or NULL */
	void (*ended)(void *arg, bool broken);
};

struct sim_stream_options {
	uint32_t agent, call;
	unsigned int node;
};

/* NULL when out of memory. Borrows user. */
struct sim_stream *sim_stream_new(struct sim *s, const struct sim_stream_options *options,
                                  const struct sim_stream_user *user, void *arg);
/* NULL is legal. */
void sim_stream_close(struct sim_stream *st);
struct ep sim_stream_local(const struct sim_stream *st);

/* A whole message, ChannelData with its padding. */
void sim_stream_send(struct sim_stream *st, const uint8_t *message, size_t len);

/* Reads nothing, for so long, or does so again. */
void sim_stream_set_reads(struct sim_stream *st, bool reads);

#endif

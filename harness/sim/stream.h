/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A client's TCP connection to a node: messages go in whole and come out whole,
 * wherever the network cuts.
 */
#ifndef SIM_STREAM_H
#define SIM_STREAM_H

#include "harness/sim/sim.h"

#define SIM_STREAM_IN 4096

struct sim_stream;

struct sim_stream_user {
	/* Both may close the stream. */
	void (*message)(void *arg, uint8_t *message, size_t len);
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

/* A whole message, ChannelData with its padding. */
void sim_stream_send(struct sim_stream *st, const uint8_t *message, size_t len);

/* The client says what is behind its last message, which is no message itself. */
void sim_stream_append(struct sim_stream *st, const uint8_t *data, size_t len);

/* It has become a data connection: ends st but not the connection, whose number it returns, with
 * the data read from it, ahead_len bytes of SIM_STREAM_IN at most. */
int sim_stream_release(struct sim_stream *st, uint8_t *ahead, size_t *ahead_len);

/* Reads nothing, for so long, or does so again. */
void sim_stream_set_reads(struct sim_stream *st, bool reads);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One allocation of the gauge. It writes STUN with the tests' codec, which
 * shares no code with the server.
 */
#ifndef GAUGE_CLIENT_H
#define GAUGE_CLIENT_H

#include "harness/gauge/gauge.h"
#include "harness/load/link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_CHANNEL 0x4000

/* The payload of a datagram that has come by the channel. */
typedef void client_data_fn(void *arg, const uint8_t *data, size_t len);

struct client {
	struct link link;
	uint8_t key[16];
	char user[256], realm[768], nonce[768], password[256];
	uint32_t tid;
	struct addr relayed;
	client_data_fn *on_data;
	void *arg;
	bool closed; /* the connection is gone */
};

/* Connects. The functions below wait for an answer, and hand over data that comes meanwhile. Each
 * returns 0 or a code, and why says what was refused and how. */
int client_open(struct client *c, enum gauge_leg leg, const struct gauge_options *opt,
                client_data_fn *on_data, void *arg, struct why *why);
int client_allocate(struct client *c, struct why *why);
int client_permit(struct client *c, const struct addr *peer, struct why *why);
int client_bind(struct client *c, const struct addr *peer, struct why *why);
int client_refresh(struct client *c, uint32_t lifetime_s, struct why *why);

/* ChannelData; len is a multiple of 4. */
void client_send(struct client *c, const uint8_t *data, size_t len);

/* Takes what has come. */
void client_take(struct client *c);

/* Closes the way to the server. */
void client_close(struct client *c);

#endif

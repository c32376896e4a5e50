/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One allocation of the gauge: a talker, and words for what a server refuses.
 */
#ifndef GAUGE_CLIENT_H
#define GAUGE_CLIENT_H

#include "base/error.h"
#include "harness/gauge/gauge.h"
#include "turn/wire/talker.h"

#define GAUGE_CHANNEL 0x4000

/* The payload of a datagram that has come by the channel; of length 0: by another. */
typedef void gauge_data_fn(void *arg, const uint8_t *data, size_t len);

struct gauge_client {
	struct talker talker;
	gauge_data_fn *on_data;
	void *arg;
	bool closed; /* the connection is gone */
};

enum gauge_step { GAUGE_ALLOCATE, GAUGE_PERMIT, GAUGE_BIND, GAUGE_REFRESH, GAUGE_RELEASE };

/* Connects; borrows the options. 0 or a code, and why. talker_close() ends it. */
int gauge_client_open(struct gauge_client *c, enum gauge_leg leg, const struct gauge_options *opt,
                      gauge_data_fn *on_data, void *arg, struct why *why);

/* Waits for the answer, and hands over data that comes meanwhile. 0 or a code; why says what was
 * refused and how. peer: of GAUGE_PERMIT and GAUGE_BIND. */
int gauge_client_do(struct gauge_client *c, enum gauge_step step, const struct addr *peer,
                    struct why *why);

/* ChannelData. */
void gauge_client_send(struct gauge_client *c, const uint8_t *data, size_t len);

/* Takes what has come. */
void gauge_client_take(struct gauge_client *c);

/* Room for what comes while this program does not run: it is not the relay that loses it. */
void gauge_widen(int fd);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One TURN client that waits for each answer: what has to be there before a
 * load starts.
 */
#ifndef LOAD_CLIENT_H
#define LOAD_CLIENT_H

#include "harness/load/link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_CHANNEL 0x4000

struct wire;

struct load_client {
	struct link link; /* to the server */
	uint32_t tid;
	char nonce[192];
	struct addr relayed;
};

/* Connects to the server, which may have a handshake to follow: link_ready(). 0 or a code. */
int load_client_open(struct load_client *c, enum link_transport t, struct why *why);

/* RFC 8656 sections 7, 9 and 12. -E_DENIED: an error, why says which; -E_TIMEOUT; -E_CLOSED. */
int load_client_allocate(struct load_client *c, struct why *why);
int load_client_permit(struct load_client *c, const struct addr *peer, struct why *why);
int load_client_bind_channel(struct load_client *c, const struct addr *peer, struct why *why);

/* A request with a lifetime (Allocate, Refresh) as the client writes it now: without credentials
 * until it knows a nonce. */
void load_client_compose(struct load_client *c, struct wire *m, uint16_t method,
                         uint32_t lifetime_s);

/* Takes the nonce of a 401 or 438. False if there is none. */
bool load_client_take_nonce(struct load_client *c, const uint8_t *reply, size_t len);

/* A UDP socket of a peer on LOAD_IP, non-blocking. -1 and errno. */
int load_peer_socket(struct addr *local);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A client's way to the server, or a peer's: messages go in and come out
 * whole, whatever carries them. Nothing here waits but a connection's start.
 */
#ifndef LOAD_LINK_H
#define LOAD_LINK_H

#include "base/addr.h"
#include "base/error.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_MESSAGE_MAX 2048 /* bytes of a message that comes; there are no longer ones here */

enum link_transport { LINK_UDP, LINK_TCP, LINK_TLS, LINK_DTLS };

struct link {
	int fd; /* -1: none */
	enum link_transport transport;
	SSL *ssl;
	BIO *out; /* of a stream: what the system has not taken yet */
	bool full;
	uint8_t *in; /* of a stream: the beginning of a message */
	size_t in_len;
};

static inline bool link_is_stream(enum link_transport t)
{
	return t == LINK_TCP || t == LINK_TLS;
}

/* By its name on the command line. False for an unknown name. */
bool link_transport_parse(const char *name, enum link_transport *out);
const char *link_transport_name(enum link_transport t);

/* A UDP socket with large buffers, non-blocking. -1 and errno. */
int link_udp_socket(void);

/* Connects. Over TLS and DTLS the handshake is yet to be done: link_ready(). 0 or a code. */
int link_open(struct link *l, enum link_transport t, const struct addr *to, struct why *why);

/* Legal for one that was not opened, if its fd is -1. */
void link_close(struct link *l);

/* Goes on with the handshake. 0 when there is nothing more to do; -E_LATER: when something has
 * come; -E_IO: it failed. */
int link_ready(struct link *l);

/* Repeats what got lost of a handshake over datagrams, where it is time for it. */
void link_retry(struct link *l);

/* A whole message; over a stream its length is a multiple of four (RFC 8656 section 12.5). There it
 * waits for link_flush(), together with others. False when no more is taken at present. */
bool link_put(struct link *l, const uint8_t *m, size_t len);

/* Sends what the system takes, in as few writes as possible. False when a rest stays: flush again
 * once the socket is writable. */
bool link_flush(struct link *l);

/* A whole message, borrowed for the call; over a stream its padding is part of it. Must not close
 * the link. */
typedef void link_fn(void *arg, const uint8_t *m, size_t len);

/* Takes what has come. 0, or -E_CLOSED: the connection is at its end, or what came is no STUN. */
int link_take(struct link *l, link_fn *fn, void *arg);

/* "TLSv1.2, ECDHE-ECDSA-AES128-GCM-SHA256" as the handshake ended; "" without one. */
void link_describe(const struct link *l, char *out, size_t size);

#endif

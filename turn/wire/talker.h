/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A STUN and TURN client (RFC 8489, RFC 8656) on a real socket that waits for
 * each answer: over UDP, TCP, TLS or DTLS, one connection and one allocation.
 * It says whatever it is told to say, right or wrong. What cannot wait has a
 * driver of its own on the same codec: the loads (harness/load), and what runs
 * on virtual time (harness/sim, turn/tests/world.h).
 */
#ifndef TURN_WIRE_TALKER_H
#define TURN_WIRE_TALKER_H

#include "base/addr.h"
#include "turn/wire/wire.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum talker_transport { TALKER_UDP, TALKER_TCP, TALKER_TLS, TALKER_DTLS, TALKER_TRANSPORTS };

struct talker {
	int fd; /* -1: none */
	enum talker_transport transport;
	SSL_CTX *ctx; /* both are freed by talker_close() */
	SSL *ssl;
	const char *alpn; /* borrowed, as it goes over the wire: "\x09stun.turn"; NULL: none */
	uint8_t salt[8];  /* its transaction IDs begin with it */
	uint32_t tid;

	const char *user, *password; /* borrowed; NULL: it does not answer a challenge */
	size_t user_len;             /* of a name that may hold a NUL */
	char realm[768], nonce[768]; /* learnt from what carries them: a 401 or a 438 */

	int tries, wait_ms; /* a request over datagrams is sent so often, and waited for so long */
	/* Called before the last try: silence is about to be believed. NULL is legal. */
	void (*last_try)(void *arg);
	/* Gets each message that comes while another is waited for. NULL is legal. */
	void (*meanwhile)(void *arg, const uint8_t *m, size_t len);
	void *arg;

	struct addr relayed; /* by the last Allocate */
	struct wire in;      /* the last message received */
	bool in_part;        /* of a message over a stream that is still to come */
};

/* "UDP" */
const char *talker_transport_name(enum talker_transport t);
bool talker_is_stream(const struct talker *t);

/* Functions below return 0 or a negative code: -E_TIMEOUT for silence, -E_CLOSED when the other
 * side closes, or nobody listens; -E_IO. */

/* Connects to the server, from a local address (NULL: any) and for one try of 3 seconds; user and
 * password are the caller's to set. Whatever comes of it, talker_close() is legal. */
int talker_connect(struct talker *t, enum talker_transport transport, const struct addr *server,
                   const struct addr *from);
/* TLS's or DTLS's. Without a t->ssl of the caller's it makes one that checks no certificate. */
int talker_handshake(struct talker *t);
void talker_close(struct talker *t);

/* Bytes as they are. */
int talker_send(struct talker *t, const void *data, size_t len);
/* The next message, into t->in. No byte more is taken from a stream. */
int talker_receive(struct talker *t, int wait_ms);
/* So many bytes of a stream, as they are. */
int talker_read(struct talker *t, void *out, size_t len, int wait_ms);
/* True when the server closes the connection within wait_ms, and says nothing before. */
bool talker_is_left(struct talker *t, int wait_ms);

/* Starts a request; with USERNAME, REALM and NONCE once these are known. */
void talker_request(struct talker *t, struct wire *m, uint16_t type);
/* The key of the long-term credential (RFC 8489 section 9.2.2). */
void talker_key(const struct talker *t, uint8_t key[16]);

/* The functions below send a request and wait for its answer, which then is in t->in. They return
 * its error code, too: above 0. */

/* As it is; and with MESSAGE-INTEGRITY once the nonce is known. */
int talker_say(struct talker *t, const struct wire *m);
int talker_ask(struct talker *t, struct wire *m);

/* Whole requests, sent again with what a 401 or 438 asks for (RFC 8489 section 9.2.5). */
int talker_binding(struct talker *t, struct addr *mapped);
int talker_allocate(struct talker *t, uint8_t protocol); /* IPPROTO_UDP, IPPROTO_TCP */
int talker_refresh(struct talker *t, uint32_t lifetime_s);
int talker_permit(struct talker *t, const struct addr *peer);
int talker_bind(struct talker *t, uint16_t channel, const struct addr *peer);

/* To a peer, by a channel (0: by a Send indication). */
int talker_relay(struct talker *t, uint16_t channel, const struct addr *peer, const void *data,
                 size_t len);
/* Waits for these data of a peer, by whichever way; other messages are passed over. */
int talker_await(struct talker *t, const void *data, size_t len, int wait_ms);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A STUN and TURN client (RFC 8489, RFC 8656) on a real socket that waits for each answer: over
 * UDP, TCP, TLS or DTLS, one connection and one allocation. It sends whatever it is told to, right
 * or wrong. Clients that cannot wait have their own driver on the same codec: the loads
 * (harness/load), and those on virtual time (harness/sim, turn/tests/world.h).
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
	const char *alpn; /* borrowed, in wire format: "\x09stun.turn"; NULL: none */
	uint8_t salt[8];  /* the start of its transaction IDs */
	uint32_t tid;

	const char *user, *password; /* borrowed; NULL: leaves a challenge unanswered */
	size_t user_len;             /* of a name that may hold a NUL */
	char realm[768], nonce[768]; /* learnt from a 401 or a 438 */

	int tries, wait_ms; /* over datagrams: the number of tries, and the wait for each */
	/* Called before the last try, when only silence came so far. NULL is legal. */
	void (*last_try)(void *arg);
	/* Gets each message that arrives while the talker waits for another. NULL is legal. */
	void (*meanwhile)(void *arg, const uint8_t *m, size_t len);
	void *arg;

	struct addr relayed; /* from the last Allocate */
	struct wire in;      /* the last message received */
	bool in_part;        /* the rest of a stream's message is still to come */
};

/* "UDP" */
const char *talker_transport_name(enum talker_transport t);
bool talker_is_stream(const struct talker *t);

/* The functions below return 0 or a negative code: -E_TIMEOUT for silence, -E_CLOSED when the other
 * side closes or does not listen; -E_IO. */

/* Connects to the server, from a local address (NULL: any) with one try of 3 seconds; the caller
 * sets user and password. talker_close() is legal after any result. */
int talker_connect(struct talker *t, enum talker_transport transport, const struct addr *server,
                   const struct addr *from);
/* For TLS or DTLS. Unless the caller has set t->ssl, makes one that checks no certificate. */
int talker_handshake(struct talker *t);
void talker_close(struct talker *t);

/* Bytes as they are. */
int talker_send(struct talker *t, const void *data, size_t len);
/* Receives the next message into t->in. Takes no byte more from a stream. */
int talker_receive(struct talker *t, int wait_ms);
/* Reads len raw bytes of a stream. */
int talker_read(struct talker *t, void *out, size_t len, int wait_ms);
/* True when the server closes the connection within wait_ms without another message. */
bool talker_is_left(struct talker *t, int wait_ms);

/* Starts a request; with USERNAME, REALM and NONCE once these are known. */
void talker_request(struct talker *t, struct wire *m, uint16_t type);
/* The key of the long-term credential (RFC 8489 section 9.2.2). */
void talker_key(const struct talker *t, uint8_t key[16]);

/* The functions below send a request and wait for its answer, which is then in t->in. They also
 * return its error code: above 0. */

/* Sends it unchanged; and with MESSAGE-INTEGRITY once the nonce is known. */
int talker_say(struct talker *t, const struct wire *m);
int talker_ask(struct talker *t, struct wire *m);

/* Whole requests, sent again as a 401 or 438 demands (RFC 8489 section 9.2.5). */
int talker_binding(struct talker *t, struct addr *mapped);
int talker_allocate(struct talker *t, uint8_t protocol); /* IPPROTO_UDP, IPPROTO_TCP */
int talker_refresh(struct talker *t, uint32_t lifetime_s);
int talker_permit(struct talker *t, const struct addr *peer);
int talker_bind(struct talker *t, uint16_t channel, const struct addr *peer);

/* Sends to a peer, over a channel (0: in a Send indication). */
int talker_relay(struct talker *t, uint16_t channel, const struct addr *peer, const void *data,
                 size_t len);
/* Waits for these data from a peer, over any way; skips other messages. */
int talker_await(struct talker *t, const void *data, size_t len, int wait_ms);

#endif

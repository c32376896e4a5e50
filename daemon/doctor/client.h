/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A small STUN and TURN client (RFC 8489, RFC 8656) that waits for each answer:
 * one connection, one allocation. For the doctor alone.
 */
#ifndef DAEMON_DOCTOR_CLIENT_H
#define DAEMON_DOCTOR_CLIENT_H

#include "base/addr.h"
#include "base/error.h"
#include "daemon/conf/conf.h"
#include "store/name.h"
#include "turn/stun_msg.h"

#include <openssl/ssl.h>

enum client_transport { CLIENT_UDP, CLIENT_TCP, CLIENT_TLS, CLIENT_DTLS, CLIENT_TRANSPORTS };

#define CLIENT_MSG_MAX 2048

struct client {
	int fd;
	enum client_transport transport;
	const struct conf *conf; /* borrowed */
	SSL_CTX *ctx;
	SSL *ssl;
	const char *user, *password; /* NULL until the caller sets them; borrowed */
	char realm[REALM_MAX_LEN + 1], nonce[128];
	struct stun_key key;
	bool has_key;
	unsigned tid;
	_Alignas(8) uint8_t in[CLIENT_MSG_MAX]; /* the last message received */
	size_t in_len;
	bool in_part; /* of a message over a stream that is still to come */
};

const char *client_transport_name(enum client_transport t);

/* Connects, within wait_ms, to the server of this configuration; from (may be NULL) is the local
 * address. The certificate is not checked: that is another line of the report.
 * -E_TIMEOUT, -E_CLOSED (refused), or another; c is for client_close() either way. */
int client_open(struct client *c, enum client_transport t, const struct addr *server,
                const struct addr *from, const struct conf *conf, int wait_ms);
void client_close(struct client *c);

/* Comes back when the server of this host has caught up, or does not say that it has. What waits
 * for an answer does so before it waits for the last time: silence is the network's fault only if
 * the server had the time to speak. */
void client_await_server(const struct client *c);

/* 0, a STUN error code (above 0), -E_TIMEOUT for silence, -E_CLOSED, -E_PARSE. */
int client_binding(struct client *c, struct addr *mapped);
int client_allocate(struct client *c, struct addr *relayed);
int client_permit(struct client *c, const struct addr *peer);
int client_bind(struct client *c, uint16_t channel, const struct addr *peer);
int client_release(struct client *c);

/* Relayed: to a peer, by the channel (0: by a Send indication); and from one, by the channel or a
 * Data indication. -E_TIMEOUT. */
int client_send(struct client *c, uint16_t channel, const struct addr *peer, const char *text);
int client_receive(struct client *c, const char *want, int wait_ms);

#endif

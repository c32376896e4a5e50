/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The TURN client, on turn/wire's codec but not its talker: connections are the
 * load's own links (non-blocking, with batches), as their handshakes and set-up
 * are part of what is measured.
 */
#include "harness/load/client.h"

#include "base/stun_error.h"
#include "harness/load/load.h"
#include "turn/wire/wire.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MS 500
#define TRIES     8

int load_peer_socket(struct addr *local)
{
	socklen_t len = sizeof(local->in);
	int fd = link_udp_socket();

	addr_parse_ip(local, LOAD_IP, 0);
	if (fd >= 0 &&
	    (bind(fd, &local->sa, addr_len(local)) || getsockname(fd, &local->sa, &len))) {
		close(fd);
		return -1;
	}
	return fd;
}

int load_client_open(struct load_client *c, enum link_transport t, struct why *why)
{
	struct addr server;

	memset(c, 0, sizeof(*c));
	addr_parse_ip(&server, LOAD_IP, LOAD_PORT);
	return link_open(&c->link, t, &server, why);
}

static void sign(const struct load_client *c, struct wire *m)
{
	static _Thread_local uint8_t key[16];
	static _Thread_local bool known;

	if (!*c->nonce)
		return;
	if (!known)
		wire_key(LOAD_USER, LOAD_REALM, LOAD_PASSWORD, key);
	known = true;
	wire_add_login(m, LOAD_USER, LOAD_REALM, c->nonce);
	wire_add_integrity(m, key);
}

void load_client_compose(struct load_client *c, struct wire *m, uint16_t method,
                         uint32_t lifetime_s)
{
	wire_start(m, method, ++c->tid);
	if (method == W_ALLOCATE)
		wire_add_transport(m, IPPROTO_UDP);
	else
		wire_add_u32(m, ATTR_LIFETIME, lifetime_s);
	sign(c, m);
}

bool load_client_take_nonce(struct load_client *c, const uint8_t *reply, size_t len)
{
	return wire_get_str(reply, len, ATTR_NONCE, c->nonce, sizeof(c->nonce));
}

/* The answer to want, if it has come. */
struct answer {
	const struct wire *want;
	struct wire *m;
	bool came;
};

static void on_message(void *arg, const uint8_t *m, size_t len)
{
	struct answer *a = arg;

	if (len < 20 || memcmp(m + 8, a->want->buf + 8, 12) != 0)
		return; /* of an earlier try */
	memcpy(a->m->buf, m, len);
	a->m->len = len;
	a->came = true;
}

static int shake_hands(struct load_client *c)
{
	struct pollfd p = {.fd = c->link.fd, .events = POLLIN};
	int r = link_ready(&c->link);

	for (int i = 0; r == -E_LATER && i < TRIES;) {
		if (!poll(&p, 1, ANSWER_MS)) {
			link_retry(&c->link);
			i++;
		}
		r = link_ready(&c->link);
	}
	return r;
}

/* Sends until its answer comes, which then stands in m. 0 or the error code of STUN; -E_TIMEOUT or
 * -E_CLOSED. */
static int exchange(struct load_client *c, struct wire *m)
{
	static struct wire got;
	struct pollfd p = {.fd = c->link.fd, .events = POLLIN};
	struct answer a = {.want = m, .m = &got};
	int r = shake_hands(c);

	if (r)
		return r == -E_LATER ? -E_TIMEOUT : -E_CLOSED;
	for (int i = 0; i < TRIES; i++) {
		link_put(&c->link, m->buf, m->len);
		link_flush(&c->link);
		while (poll(&p, 1, ANSWER_MS) == 1) {
			r = link_take(&c->link, on_message, &a);
			if (r)
				return r;
			if (!a.came)
				continue;
			memcpy(m->buf, got.buf, got.len);
			m->len = got.len;
			return wire_error(m->buf, m->len);
		}
	}
	return -E_TIMEOUT;
}

static int refused(int code, const char *what, struct why *why)
{
	char text[STUN_ERROR_TEXT];

	if (code == -E_CLOSED)
		return why_set(why, code, "%s: the connection was closed", what);
	return code < 0 ? why_set(why, -E_TIMEOUT, "%s: no answer", what)
	                : why_set(why, -E_DENIED, "%s: %s", what, stun_error_text(code, text));
}

int load_client_allocate(struct load_client *c, struct why *why)
{
	static struct wire m;
	int code;

	load_client_compose(c, &m, W_ALLOCATE, 0);
	code = exchange(c, &m);
	if ((code == 401 || code == 438) && load_client_take_nonce(c, m.buf, m.len)) {
		load_client_compose(c, &m, W_ALLOCATE, 0);
		code = exchange(c, &m);
	}
	if (code)
		return refused(code, "Allocate", why);
	return wire_get_xor_addr(m.buf, m.len, ATTR_XOR_RELAYED_ADDRESS, &c->relayed)
	           ? 0
	           : why_set(why, -E_PARSE, "Allocate: no relayed address");
}

static int about_peer(struct load_client *c, uint16_t method, const char *what,
                      const struct addr *peer, struct why *why)
{
	static struct wire m;
	int code;

	wire_start(&m, method, ++c->tid);
	if (method == W_CHANNEL_BIND)
		wire_add_channel(&m, LOAD_CHANNEL);
	wire_add_xor_addr(&m, ATTR_XOR_PEER_ADDRESS, peer);
	sign(c, &m);
	code = exchange(c, &m);
	return code ? refused(code, what, why) : 0;
}

int load_client_permit(struct load_client *c, const struct addr *peer, struct why *why)
{
	return about_peer(c, W_CREATE_PERMISSION, "CreatePermission", peer, why);
}

int load_client_bind_channel(struct load_client *c, const struct addr *peer, struct why *why)
{
	return about_peer(c, W_CHANNEL_BIND, "ChannelBind", peer, why);
}

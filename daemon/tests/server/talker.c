/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A STUN/TURN client on a real socket.
 */
#include "daemon/tests/server/talker.h"

#include "daemon/tests/server/rig.h"

#include <openssl/evp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* Over UDP the server may still know a client that had the same port: none is used twice, and they
 * lie below those that the kernel deals out. */
#define FIRST_PORT 10000

enum {
	LIFETIME = 0x000d,
	XOR_PEER = 0x0012,
	DATA = 0x0013,
	REALM = 0x0014,
	NONCE = 0x0015,
	XOR_RELAYED = 0x0016,
	TRANSPORT = 0x0019,
	CHANNEL = 0x000c
};

static const uint8_t udp[4] = {17, 0, 0, 0};

void talker_open(struct talker *t, const char *server, bool stream, const char *local,
                 const char *user, const char *password)
{
	static uint16_t next_port = FIRST_PORT;
	struct addr to, from;
	bool v6;

	memset(t, 0, sizeof(*t));
	t->stream = stream;
	t->wait_ms = TALKER_WAIT_MS;
	t->user = user;
	t->user_len = user ? strlen(user) : 0;
	t->password = password;
	assert_int_equal(addr_parse(&to, server), 0);
	v6 = addr_family(&to) == AF_INET6;
	t->fd = socket(addr_family(&to), (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	assert_true(t->fd >= 0);
	assert_int_equal(addr_parse_ip(&from, local ? local : v6 ? "::" : "0.0.0.0", 0), 0);
	addr_put_port(&from, stream ? 0 : next_port++);
	assert_int_equal(bind(t->fd, &from.sa, addr_len(&from)), 0);
	assert_int_equal(connect(t->fd, &to.sa, addr_len(&to)), 0);
}

void talker_close(struct talker *t)
{
	close(t->fd);
}

bool talker_send(struct talker *t, const void *data, size_t len)
{
	return send(t->fd, data, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static bool readable(const struct talker *t, int wait_ms)
{
	struct pollfd p = {.fd = t->fd, .events = POLLIN};

	return poll(&p, 1, wait_ms) == 1;
}

static bool fill(struct talker *t, size_t want, int wait_ms)
{
	while (t->in.len < want) {
		ssize_t n;

		if (!readable(t, wait_ms))
			return false;
		n = recv(t->fd, t->in.buf + t->in.len, want - t->in.len, 0);
		if (n <= 0)
			return false;
		t->in.len += (size_t)n;
	}
	return true;
}

bool talker_receive(struct talker *t, int wait_ms)
{
	size_t body;
	ssize_t n;

	t->in.len = 0;
	if (t->stream) {
		if (!fill(t, 4, wait_ms))
			return false;
		body = (size_t)t->in.buf[2] << 8 | t->in.buf[3];
		if (t->in.buf[0] & 0x40)
			return fill(t, 4 + ((body + 3) & ~(size_t)3), wait_ms);
		return fill(t, 20 + body, wait_ms);
	}
	/* an ICMP error is the answer to something earlier */
	for (int i = 0; i < 2 && readable(t, wait_ms); i++) {
		n = recv(t->fd, t->in.buf, sizeof(t->in.buf), 0);
		if (n >= 0) {
			t->in.len = (size_t)n;
			return true;
		}
	}
	return false;
}

bool talker_is_left(struct talker *t, int wait_ms)
{
	uint8_t byte;

	return readable(t, wait_ms) && recv(t->fd, &byte, 1, 0) <= 0;
}

void talker_request(struct talker *t, struct wire *m, uint16_t type)
{
	wire_start(m, type, ++t->tid);
	wire_add(m, 0x0006, t->user, t->user_len);
	wire_add_str(m, 0x0014, t->realm);
	wire_add_str(m, 0x0015, t->nonce);
}

int talker_say(struct talker *t, const struct wire *m)
{
	if (!talker_send(t, m->buf, m->len))
		return TALKER_SILENCE;
	do {
		if (!talker_receive(t, t->wait_ms))
			return TALKER_SILENCE;
	} while (t->in.len < 20 || memcmp(t->in.buf + 8, m->buf + 8, 12));
	wire_get_str(t->in.buf, t->in.len, REALM, t->realm, sizeof(t->realm));
	wire_get_str(t->in.buf, t->in.len, NONCE, t->nonce, sizeof(t->nonce));
	return wire_error(t->in.buf, t->in.len);
}

void talker_key(const struct talker *t, uint8_t key[16])
{
	char text[2000];
	int len;

	memcpy(text, t->user, t->user_len);
	len = snprintf(text + t->user_len, sizeof(text) - t->user_len, ":%s:%s", t->realm,
	               t->password);
	EVP_Digest(text, t->user_len + (size_t)len, key, NULL, EVP_md5(), NULL);
}

int talker_ask(struct talker *t, struct wire *m)
{
	uint8_t key[16];

	talker_key(t, key);
	wire_add_integrity(m, key);
	return talker_say(t, m);
}

int talker_login(struct talker *t)
{
	struct wire m;

	wire_start(&m, W_ALLOCATE, ++t->tid);
	wire_add(&m, TRANSPORT, udp, 4);
	return talker_say(t, &m);
}

int talker_allocate(struct talker *t, struct addr *relayed)
{
	struct wire m;
	int r;

	if (!t->nonce[0] && talker_login(t) != 401)
		return TALKER_SILENCE;
	for (int i = 0; i < 2; i++) {
		talker_request(t, &m, W_ALLOCATE);
		wire_add(&m, TRANSPORT, udp, 4);
		r = talker_ask(t, &m);
		if (r != 438)
			break;
	}
	if (!r && relayed && !wire_get_xor_addr(t->in.buf, t->in.len, XOR_RELAYED, relayed))
		return TALKER_SILENCE;
	return r;
}

int talker_permit(struct talker *t, const char *peer)
{
	struct wire m;

	talker_request(t, &m, W_CREATE_PERMISSION);
	wire_add_peer(&m, peer);
	return talker_ask(t, &m);
}

int talker_bind(struct talker *t, uint16_t number, const char *peer)
{
	struct wire m;

	talker_request(t, &m, W_CHANNEL_BIND);
	wire_add_u32(&m, CHANNEL, (uint32_t)number << 16);
	wire_add_peer(&m, peer);
	return talker_ask(t, &m);
}

int talker_refresh(struct talker *t, uint32_t lifetime_s)
{
	struct wire m;

	talker_request(t, &m, W_REFRESH);
	wire_add_u32(&m, LIFETIME, lifetime_s);
	return talker_ask(t, &m);
}

void talker_enter(struct talker *t, const char *server, bool stream, const char *user,
                  const char *password)
{
	talker_open(t, server, stream, NULL, user, password);
	assert_int_equal(talker_login(t), 401);
	assert_int_equal(talker_allocate(t, NULL), 0);
}

int talker_attempt(struct talker *t)
{
	int code = talker_allocate(t, NULL);

	if (!code)
		assert_int_equal(talker_refresh(t, 0), 0);
	return code;
}

int talker_try(const char *server, const char *user, const char *password)
{
	struct talker t;
	int code;

	talker_open(&t, server, false, NULL, user, password);
	assert_int_equal(talker_login(&t), 401);
	code = talker_attempt(&t);
	talker_close(&t);
	return code;
}

void talker_send_to(struct talker *t, const char *peer, const char *text)
{
	struct wire m;

	wire_start(&m, W_SEND, ++t->tid);
	wire_add_peer(&m, peer);
	wire_add_str(&m, DATA, text);
	talker_send(t, m.buf, m.len);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Tests of the server's judges: the codec reads nothing past the end, and the talker gets through
 * challenges, losses and streams in pieces.
 */
#include "base/error.h"
#include "base/tests/test.h"
#include "turn/wire/talker.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define TRY_MS 300

static const uint8_t key[16] = {1, 2, 3};

/* ---- the codec ---- */

/* Every function that reads, over a copy as long as the message: the sanitizer sees the rest. */
static void read_all(const uint8_t *m, size_t len)
{
	uint8_t *copy = malloc(len);
	struct addr a;
	char text[64];
	size_t n;

	memcpy(copy, m, len);
	for (unsigned type = 0; type < 0x40; type++) {
		const uint8_t *v = wire_get(copy, len, (uint16_t)type, &n);

		assert_true(!v || v + n <= copy + len);
		wire_get_str(copy, len, (uint16_t)type, text, sizeof(text));
		wire_get_u32(copy, len, (uint16_t)type);
		wire_get_xor_addr(copy, len, (uint16_t)type, &a);
	}
	wire_payload(copy, len, &n);
	wire_error(copy, len);
	wire_frame_len(copy, len);
	wire_integrity_ok(copy, len, key);
	wire_integrity256_ok(copy, len, key, sizeof(key));
	wire_sound(copy, len);
	free(copy);
}

static void nothing_is_read_past_the_end(void **state)
{
	struct wire m;

	(void)state;
	wire_start(&m, W_DATA, 1);
	wire_add_peer(&m, "192.0.2.1:9");
	wire_add_str(&m, ATTR_DATA, "hello");
	wire_add_integrity(&m, key);
	wire_add_integrity256(&m, key, sizeof(key), 32);
	assert_true(wire_sound(m.buf, m.len));
	assert_true(wire_integrity_ok(m.buf, m.len, key));
	assert_true(wire_integrity256_ok(m.buf, m.len, key, sizeof(key)));
	for (size_t len = WIRE_HEADER_LEN; len < m.len; len++) {
		assert_false(wire_sound(m.buf, len));
		read_all(m.buf, len);
	}
	for (size_t i = WIRE_HEADER_LEN; i < m.len; i++) { /* and with each length made a lie */
		struct wire lie = m;

		lie.buf[i] = 0xff;
		read_all(lie.buf, lie.len);
		assert_false(wire_integrity_ok(lie.buf, lie.len, key) &&
		             wire_integrity256_ok(lie.buf, lie.len, key, sizeof(key)));
	}
	assert_string_equal(wire_attr_name(ATTR_DATA), "DATA");
	assert_null(wire_attr_name(0x7777));
}

static void a_stream_is_cut(void **state)
{
	struct wire m;
	size_t n;

	(void)state;
	for (size_t len = 0; len < 9; len++) {
		wire_channel_data(&m, 0x4001, "12345678", len, true);
		assert_int_equal(wire_frame_len(m.buf, 3), 0);
		assert_int_equal(wire_frame_len(m.buf, 4), m.len);
		assert_int_equal(m.len % 4, 0);
		assert_memory_equal(wire_payload(m.buf, m.len, &n), "12345678", len);
		assert_int_equal(n, len);
		wire_channel_data(&m, 0x4001, "12345678", len, false);
		assert_int_equal(m.len, 4 + len);
	}
	m.buf[3] = 9; /* more than there is */
	assert_null(wire_payload(m.buf, m.len, &n));
	wire_start(&m, W_BINDING, 1);
	wire_add_str(&m, ATTR_SOFTWARE, "x");
	assert_int_equal(wire_frame_len(m.buf, 4), m.len);
}

/* ---- the talker, and a server that follows a script ---- */

struct script {
	int fd;
	unsigned asked;
	bool is_signed;
	struct wire in;
};

static void answer(struct script *s, uint16_t class, int code, const char *nonce,
                   const struct addr *from)
{
	const uint8_t value[4] = {0, 0, (uint8_t)(code / 100), (uint8_t)(code % 100)};
	struct wire m;

	wire_start(&m, wire_type(s->in.buf) | class, 0);
	wire_set_tid(&m, s->in.buf + 8);
	if (code)
		wire_add(&m, ATTR_ERROR_CODE, value, sizeof(value));
	if (nonce) {
		wire_add_str(&m, ATTR_REALM, "realm");
		wire_add_str(&m, ATTR_NONCE, nonce);
	} else {
		wire_add_xor_addr(&m, ATTR_XOR_RELAYED_ADDRESS, from);
	}
	sendto(s->fd, m.buf, m.len, 0, &from->sa, addr_len(from));
}

/* Loses the first request, challenges twice, and talks of something else before it answers. */
static void *challenge(void *arg)
{
	struct script *s = arg;

	while (s->asked < 4) {
		struct addr from;
		socklen_t from_len = sizeof(from);
		uint8_t right[16];
		char nonce[64] = "";
		struct wire m;
		ssize_t n = recvfrom(s->fd, s->in.buf, sizeof(s->in.buf), 0, &from.sa, &from_len);

		if (n < 0)
			break;
		s->in.len = (size_t)n;
		s->asked++;
		if (s->asked == 2)
			answer(s, W_ERROR, 401, "first", &from);
		if (s->asked == 3)
			answer(s, W_ERROR, 438, "second", &from);
		if (s->asked < 4)
			continue;
		wire_key("alice", "realm", "secret", right);
		wire_get_str(s->in.buf, s->in.len, ATTR_NONCE, nonce, sizeof(nonce));
		s->is_signed =
		    wire_integrity_ok(s->in.buf, s->in.len, right) && !strcmp(nonce, "second");
		wire_start(&m, W_DATA, 1);
		sendto(s->fd, m.buf, m.len, 0, &from.sa, from_len);
		answer(s, W_SUCCESS, 0, NULL, &from);
	}
	return NULL;
}

static void count(void *arg, const uint8_t *m, size_t len)
{
	assert_true(len >= WIRE_HEADER_LEN && wire_type(m) == W_DATA);
	(*(unsigned *)arg)++;
}

static int listening(int type, struct addr *at)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	struct timeval limit = {.tv_sec = SOON_MS / 1000};
	socklen_t len = sizeof(*at);

	assert_int_equal(addr_parse(at, "127.0.0.1:0"), 0);
	assert_int_equal(bind(fd, &at->sa, addr_len(at)), 0);
	assert_int_equal(getsockname(fd, &at->sa, &len), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

static void challenges_and_losses(void **state)
{
	static struct script s;
	struct addr at, own = {.in6 = {0}};
	socklen_t len = sizeof(own);
	unsigned others = 0;
	pthread_t thread;
	struct talker t;

	(void)state;
	s.fd = listening(SOCK_DGRAM, &at);
	assert_int_equal(talker_connect(&t, TALKER_UDP, &at, NULL), 0);
	t.user = "alice";
	t.password = "secret";
	t.wait_ms = TRY_MS;
	t.meanwhile = count;
	t.arg = &others;
	assert_int_equal(talker_receive(&t, 0), -E_TIMEOUT);
	assert_int_equal(talker_allocate(&t, IPPROTO_UDP), -E_TIMEOUT); /* one try: it is lost */
	assert_int_equal(recv(s.fd, s.in.buf, sizeof(s.in.buf), 0), 28);
	t.tries = SOON_MS / TRY_MS;
	assert_int_equal(pthread_create(&thread, NULL, challenge, &s), 0);
	assert_int_equal(talker_allocate(&t, IPPROTO_UDP), 0);
	pthread_join(thread, NULL);
	assert_int_equal(s.asked, 4);
	assert_true(s.is_signed);
	assert_int_equal(others, 1);
	getsockname(t.fd, &own.sa, &len);
	assert_true(addr_equal(&t.relayed, &own));
	close(s.fd); /* nobody listens any more */
	assert_int_equal(talker_refresh(&t, 0), -E_CLOSED);
	talker_close(&t);
}

/* No byte behind a message is taken with it, and a message may come in pieces. */
static void a_stream_in_pieces(void **state)
{
	struct addr at;
	struct talker t;
	struct wire m;
	char rest[4];
	int listener = listening(SOCK_STREAM, &at), fd;

	(void)state;
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(talker_connect(&t, TALKER_TCP, &at, NULL), 0);
	fd = accept(listener, NULL, NULL);
	wire_start(&m, W_CONNECTION_ATTEMPT, 1);
	wire_add_u32(&m, ATTR_CONNECTION_ID, 7);
	for (size_t i = 0; i < m.len; i++) {
		assert_int_equal(talker_receive(&t, 0), -E_TIMEOUT);
		assert_int_equal(send(fd, m.buf + i, 1, 0), 1);
	}
	assert_int_equal(talker_receive(&t, SOON_MS), 0);
	assert_int_equal(wire_get_u32(t.in.buf, t.in.len, ATTR_CONNECTION_ID), 7);
	assert_int_equal(send(fd, m.buf, m.len, MSG_MORE), m.len);
	assert_int_equal(send(fd, "\x40\1\0\1x\0\0\0rest", 12, 0), 12);
	assert_int_equal(talker_await(&t, "x", 1, SOON_MS), 0);
	assert_int_equal(talker_read(&t, rest, sizeof(rest), SOON_MS), 0);
	assert_memory_equal(rest, "rest", sizeof(rest));
	close(fd);
	assert_true(talker_is_left(&t, SOON_MS));
	assert_int_equal(talker_receive(&t, SOON_MS), -E_CLOSED);
	talker_close(&t);
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_read_past_the_end),
	    cmocka_unit_test(a_stream_is_cut),
	    cmocka_unit_test(challenges_and_losses),
	    cmocka_unit_test(a_stream_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

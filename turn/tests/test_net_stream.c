/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TURN over TCP on real sockets: cuts, lengths, slow and silent clients.
 */
#include "base/env_libevent.h"
#include "base/error.h"
#include "base/tests/test.h"
#include "turn/net/io.h"
#include "turn/tests/net_world.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static struct srv s;
static struct talker c;

/* Everything that a stream may carry without an allocation, and how many replies it draws. */
static size_t compose(uint8_t *out, size_t *replies)
{
	static const uint8_t channel[] = {0x40, 1, 0, 5, 'h', 'e', 'l', 'l', 'o', 0, 0, 0};
	struct wire m;
	size_t len = 0;

	for (uint32_t i = 0; i < 3; i++) {
		wire_start(&m, W_BINDING, i);
		if (i == 1)
			wire_add(&m, ATTR_SOFTWARE, "a client", 8);
		memcpy(out + len, m.buf, m.len);
		len += m.len;
		memcpy(out + len, channel, sizeof(channel)); /* bound to nothing */
		len += sizeof(channel);
	}
	*replies = 3;
	return len;
}

static void expect_replies(size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_true(client_read(&c));
		assert_int_equal(wire_type(c.in.buf), W_BINDING | W_SUCCESS);
		assert_true(wire_sound(c.in.buf, c.in.len));
		assert_int_equal(c.in.buf[19], i);
	}
}

static void cut_anywhere(void **state)
{
	uint8_t bytes[256];
	size_t replies, len = compose(bytes, &replies);

	(void)state;
	srv_init(&s);
	srv_start(&s);
	client_open(&s, &c, 0);
	for (size_t cut = 1; cut < len; cut++) {
		client_send(&c, bytes, cut);
		srv_sync(&s);
		client_send(&c, bytes + cut, len - cut);
		expect_replies(replies);
	}
	for (size_t i = 0; i < len; i++) { /* and at every one of them */
		client_send(&c, bytes + i, 1);
		srv_sync(&s);
	}
	expect_replies(replies);
	assert_int_equal(srv_stats(&s).unbound_channel_drops, 3 * len);
	talker_close(&c);
	srv_stop(&s);
}

/* Lengths near 65,535 once wrapped in others' servers, and the stream was lost. */
static void longest_frames(void **state)
{
	static uint8_t frame[66000], in[66000];
	struct addr peer;
	int peer_fd;

	(void)state;
	srv_init(&s);
	srv_start(&s);
	client_open(&s, &c, 0);
	peer_fd = open_loopback(SOCK_DGRAM, &peer);
	for (int round = 0; round < 2; round++) {
		for (size_t body = 65500; body < 65536; body++) {
			memset(frame, 0, sizeof(frame));
			frame[0] = 0x40;
			frame[2] = (uint8_t)(body >> 8);
			frame[3] = (uint8_t)body;
			client_send(&c, frame, 4 + ((body + 3) & ~(size_t)3));
			if (body % 4)
				continue;
			memcpy(frame, "\x00\x01", 2); /* a Binding with so much behind it */
			memcpy(frame + 4, "\x21\x12\xa4\x42", 4);
			client_send(&c, frame, 20 + body);
		}
		/* nothing was buffered for a stranger; a client with an allocation is served */
		if (!round) {
			assert_true(client_binding_works(&c));
			assert_int_equal(talker_allocate(&c, IPPROTO_UDP), 0);
			assert_int_equal(talker_bind(&c, 0x4000, &peer), 0);
		}
	}
	assert_int_equal(talker_permit(&c, &peer), 0);
	memset(frame, 'x', sizeof(frame));
	for (size_t len = 65400; len <= 65507; len += 107) {
		memcpy(frame, "\x40\x00", 2);
		frame[2] = (uint8_t)(len >> 8);
		frame[3] = (uint8_t)len;
		/* those of the rounds came first: what fits a datagram was relayed, and may have
		 * left no room */
		while (recv(peer_fd, in, sizeof(in), MSG_DONTWAIT) > 0)
			;
		client_send(&c, frame, 4 + ((len + 3) & ~(size_t)3));
		for (;;) {
			ssize_t n = recv(peer_fd, in, sizeof(in), 0);

			assert_true(n > 0);
			if ((size_t)n == len && in[0] == 'x')
				break;
		}
	}
	talker_close(&c);
	close(peer_fd);
	srv_stop(&s);
}

/* Memory only for those who have something to relay: a stranger's long frame is skipped. */
static void strangers_cost_little(void **state)
{
	static uint8_t frame[65000] = {0x40, 0, 0xfd, 0xe0};
	enum { N = 50 };
	static struct talker many[N];
	size_t before;

	(void)state;
	srv_init(&s);
	srv_start(&s);
	for (int i = 0; i < N; i++) {
		client_open(&s, &many[i], 0);
		assert_true(client_binding_works(&many[i]));
	}
	before = heap_bytes();
	for (int i = 0; i < N; i++)
		client_send(&many[i], frame, 64000);
	srv_sync(&s);
	assert_in_range(heap_bytes(), 0, before + 64 * 1024);
	for (int i = 0; i < N; i++)
		talker_close(&many[i]);
	srv_stop(&s);
}

static void slow_reader(void **state)
{
	enum { PACKETS = 30000, SIZE = 1000 };
	static uint8_t data[SIZE];
	struct addr peer;
	struct wire m;
	uint8_t key[16];
	int peer_fd, small = 65536;
	size_t before, most = 0, got = 0;
	bool replied = false;
	uint64_t last = 0;

	(void)state;
	srv_init(&s);
	srv_start(&s);
	client_open(&s, &c, 0);
	setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	peer_fd = open_loopback(SOCK_DGRAM, &peer);
	assert_int_equal(talker_allocate(&c, IPPROTO_UDP), 0);
	assert_int_equal(talker_bind(&c, 0x4000, &peer), 0);
	assert_int_equal(connect(peer_fd, &c.relayed.sa, addr_len(&c.relayed)), 0);
	before = heap_bytes();
	for (uint32_t i = 0; i < PACKETS; i++) {
		size_t now;

		memcpy(data, &i, sizeof(i));
		assert_int_equal(send(peer_fd, data, SIZE, 0), SIZE);
		if (i % 64)
			continue;
		srv_sync(&s);
		now = heap_bytes();
		if (now > before && now - before > most)
			most = now - before;
	}
	srv_sync(&s);
	assert_true(srv_stats(&s).slow_client_drops > 1000);
	assert_in_range(most, SIZE, 3 * 65536);
	/* what it asks is answered first of all once it reads again */
	talker_request(&c, &m, W_REFRESH);
	wire_key("alice", REALM, "secret", key);
	wire_add_integrity(&m, key);
	client_send(&c, m.buf, m.len);
	srv_sync(&s);
	while (!replied) {
		assert_true(client_read(&c));
		if (c.in.buf[0] == 0x40) {
			uint32_t i;

			/* whole messages, in order */
			assert_int_equal(c.in.len, 4 + SIZE);
			memcpy(&i, c.in.buf + 4, sizeof(i));
			assert_true(!got || i > last);
			last = i;
			got++;
		} else {
			assert_int_equal(wire_type(c.in.buf), W_REFRESH | W_SUCCESS);
			replied = true;
		}
	}
	assert_in_range(got, 10, PACKETS - 1000);
	/* and it goes on */
	assert_int_equal(send(peer_fd, "again", 5, 0), 5);
	assert_true(client_read(&c));
	assert_memory_equal(c.in.buf + 4, "again\0\0", 8);
	talker_close(&c);
	close(peer_fd);
	srv_stop(&s);
}

static void silent_clients(void **state)
{
	static const uint8_t slow[20] = {0, 1, 0, 64, 0x21, 0x12, 0xa4, 0x42};
	struct talker quiet, drip, idle, busy;
	bool closed = false;

	(void)state;
	srv_init(&s);
	s.net_conf.first_message_timeout_ms = 2000;
	s.net_conf.idle_timeout_ms = 2000;
	srv_start(&s);
	client_open(&s, &quiet, 0);
	client_open(&s, &drip, 0);
	client_open(&s, &idle, 0);
	client_open(&s, &busy, 0);
	assert_true(client_binding_works(&idle));
	assert_int_equal(talker_allocate(&busy, IPPROTO_UDP), 0);
	assert_int_equal(srv_streams(&s), 4);
	/* a byte now and then is no sign of life */
	for (int i = 0; i < 19 && !closed; i++) {
		send(drip.fd, slow + i, 1, MSG_NOSIGNAL);
		closed = talker_is_left(&drip, 150);
	}
	assert_true(closed);
	assert_true(talker_is_left(&quiet, SOON_MS));
	assert_true(talker_is_left(&idle, SOON_MS));
	assert_int_equal(srv_stats(&s).connection_timeouts, 3);
	assert_int_equal(srv_streams(&s), 1);
	assert_true(client_binding_works(&busy)); /* its allocation keeps it */
	talker_close(&quiet);
	talker_close(&drip);
	talker_close(&idle);
	talker_close(&busy);
	assert_int_equal(srv_streams(&s), 0);
	assert_int_equal(srv_allocations(&s), 0);
	srv_stop(&s);
}

static void rubbish(void **state)
{
	static const char *const bad[] = {"\x80nonsense........",
	                                  "\x00\x01\x00\x03!\x12\xa4\x42........",
	                                  "\x00\x01\x00\x00\x01\x02\x03\x04............"};

	(void)state;
	srv_init(&s);
	srv_start(&s);
	for (size_t i = 0; i < 3; i++) {
		client_open(&s, &c, 0);
		client_send(&c, bad[i], 17);
		assert_true(talker_is_left(&c, SOON_MS));
		talker_close(&c);
	}
	/* the connection ends, the allocation with it */
	client_open(&s, &c, 0);
	assert_int_equal(talker_allocate(&c, IPPROTO_UDP), 0);
	assert_int_equal(srv_allocations(&s), 1);
	talker_close(&c);
	assert_int_equal(srv_allocations(&s), 0);
	assert_int_equal(srv_streams(&s), 0);
	srv_stop(&s);
}

static void counts_sources(void **state)
{
	struct net_sources *t = net_sources_new(2, 4);
	struct net_source *held[4], *more;
	struct addr a;

	(void)state;
	assert_int_equal(addr_parse(&a, "[2001:db8:1:2::1]:1"), 0);
	assert_int_equal(net_sources_take(t, &a, &held[0]), 0);
	assert_int_equal(addr_parse(&a, "[2001:db8:1:2:ffff::9]:2"), 0); /* the same /64 */
	assert_int_equal(net_sources_take(t, &a, &held[1]), 0);
	assert_ptr_equal(held[0], held[1]);
	assert_true(net_sources_take(t, &a, &more) < 0);
	assert_int_equal(addr_parse(&a, "[2001:db8:1:3::1]:1"), 0);
	assert_int_equal(net_sources_take(t, &a, &held[2]), 0);
	assert_int_equal(addr_parse(&a, "192.0.2.1:1"), 0);
	assert_int_equal(net_sources_take(t, &a, &held[3]), 0);
	assert_int_equal(addr_parse(&a, "192.0.2.2:1"), 0);
	assert_true(net_sources_take(t, &a, &more) < 0); /* in all */
	net_sources_give(t, held[0]);
	assert_int_equal(net_sources_take(t, &a, &held[0]), 0);
	for (int i = 0; i < 4; i++)
		net_sources_give(t, held[i]);
	assert_int_equal(net_sources_total(t), 0);
	net_sources_free(t);
}

static uint64_t cpu_ms(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
}

/* A peer that cannot be accepted now waits, and nobody spins meanwhile. */
static void no_descriptors(void **state)
{
	struct rlimit limit, none;
	struct addr peer;
	uint64_t began;
	int peer_fd;

	(void)state;
	srv_init(&s);
	srv_start(&s);
	client_open(&s, &c, 0);
	peer_fd = open_loopback(SOCK_STREAM, &peer);
	assert_int_equal(talker_allocate(&c, IPPROTO_TCP), 0);
	assert_int_equal(talker_permit(&c, &peer), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = (rlim_t)dup(0);
	close((int)none.rlim_cur);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(connect(peer_fd, &c.relayed.sa, addr_len(&c.relayed)), 0);
	began = cpu_ms();
	usleep(600000); /* how much CPU it takes in that time */
	began = cpu_ms() - began;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_in_range(began, 0, 200);
	assert_true(client_read(&c));
	assert_int_equal(wire_type(c.in.buf), W_CONNECTION_ATTEMPT);
	talker_close(&c);
	close(peer_fd);
	srv_stop(&s);
}

static bool no_memory;

static void *ask_malloc(size_t size)
{
	return no_memory ? NULL : malloc(size);
}

/* A connection whose events cannot be had is closed, and not what has the descriptor 0. */
static void no_events(void **state)
{
	struct event_base *base;
	struct env *env;
	struct net_io io;
	int pair[2];

	(void)state;
	event_set_mem_functions(ask_malloc, realloc, free);
	base = event_base_new();
	env = env_libevent_new(base, NULL);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	no_memory = true;
	assert_int_equal(net_io_attach(&io, env, pair[0], NULL, 0, NULL, NULL), -E_NOMEM);
	no_memory = false;
	assert_int_equal(io.fd, pair[0]);
	net_io_close(&io, env);
	assert_int_equal(fcntl(pair[0], F_GETFD), -1);
	assert_true(fcntl(0, F_GETFD) >= 0);
	close(pair[1]);
	env_libevent_free(env);
	event_base_free(base);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(cut_anywhere),
	    cmocka_unit_test(longest_frames),
	    cmocka_unit_test(strangers_cost_little),
	    cmocka_unit_test(slow_reader),
	    cmocka_unit_test(silent_clients),
	    cmocka_unit_test(rubbish),
	    cmocka_unit_test(counts_sources),
	    cmocka_unit_test(no_descriptors),
	    cmocka_unit_test(no_events),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

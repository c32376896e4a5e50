/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The bandwidth of TCP data connections (RFC 6062) on real sockets: they are slowed down, both
 * ways and by each limit, and lose nothing.
 */
#include "base/tests/test.h"
#include "turn/tests/net_world.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define RATE  400000u /* bytes/s */
#define BYTES 600000u
#define PART  32768u /* what a stream may pass beyond what is there */

static struct srv s;

/* A TCP allocation with one connection to a peer, all the way. */
struct data {
	struct talker control, client;
	int peer;
	size_t put[2], got[2]; /* by direction: to the peer, to the client */
};

static void data_open(struct data *d)
{
	struct addr at;
	struct wire m;
	int listener = open_loopback(SOCK_STREAM, &at);

	memset(d->put, 0, sizeof(d->put));
	memset(d->got, 0, sizeof(d->got));
	assert_int_equal(listen(listener, 1), 0);
	client_open(&s, &d->control, 0);
	assert_int_equal(talker_allocate(&d->control, IPPROTO_TCP), 0);
	talker_request(&d->control, &m, W_CONNECT);
	wire_add_xor_addr(&m, ATTR_XOR_PEER_ADDRESS, &at);
	assert_int_equal(client_ask(&d->control, &m), 0);
	d->peer = accept(listener, NULL, NULL);
	assert_true(d->peer >= 0);
	close(listener);
	client_open(&s, &d->client, 0);
	for (int code = 401; code;) {
		talker_request(&d->client, &m, W_CONNECTION_BIND);
		wire_add_u32(
		    &m, ATTR_CONNECTION_ID,
		    wire_get_u32(d->control.in.buf, d->control.in.len, ATTR_CONNECTION_ID));
		code = client_ask(&d->client, &m);
		assert_true(code == 0 || code == 401);
	}
	fcntl(d->peer, F_SETFL, O_NONBLOCK);
	fcntl(d->client.fd, F_SETFL, O_NONBLOCK);
}

static void data_close(struct data *d)
{
	close(d->peer);
	talker_close(&d->client);
	talker_close(&d->control);
}

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}

/* Puts in and takes out what can be, in one direction. */
static void pass(struct data *d, int to_client, size_t bytes)
{
	int from = to_client ? d->peer : d->client.fd, to = to_client ? d->client.fd : d->peer;
	uint8_t buf[8192];
	ssize_t n;

	while (d->put[to_client] < bytes) {
		size_t len = bytes - d->put[to_client];

		if (len > sizeof(buf))
			len = sizeof(buf);
		for (size_t i = 0; i < len; i++)
			buf[i] = byte_at(d->put[to_client] + i);
		n = send(from, buf, len, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		d->put[to_client] += (size_t)n;
	}
	while ((n = recv(to, buf, sizeof(buf), 0)) > 0)
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(buf[i], byte_at(d->got[to_client]++));
	assert_int_not_equal(n, 0);
}

/* Half of a second's worth goes at once, the rest in its time: however slow the machine is, it is
 * never sooner. */
static void takes_its_time(int64_t began_ms, size_t bytes)
{
	int64_t least_ms = (int64_t)(bytes - RATE / 2 - PART) * 1000 / RATE;

	assert_true(test_now_ms() - began_ms >= least_ms - 20);
}

static void one_way(struct data *d, int to_client)
{
	int64_t began = test_now_ms();

	while (d->got[to_client] < BYTES) {
		pass(d, to_client, BYTES);
		usleep(2000);
		assert_true(test_now_ms() - began < SOON_MS);
	}
	takes_its_time(began, BYTES);
}

static void start(uint64_t session, uint64_t user, uint64_t total)
{
	srv_init(&s);
	s.conf.session_bandwidth = session;
	s.conf.user_bandwidth = user;
	s.conf.total_bandwidth = total;
	srv_start(&s);
}

static void each_limit_slows_it_down(void **state)
{
	(void)state;
	for (int limit = 0; limit < 3; limit++) {
		struct data d;

		start(limit == 0 ? RATE : 0, limit == 1 ? RATE : 0, limit == 2 ? RATE : 0);
		data_open(&d);
		one_way(&d, 0);
		assert_int_equal(srv_stats(&s).to_peer_bytes, BYTES);
		one_way(&d, 1);
		assert_int_equal(srv_stats(&s).to_client_bytes, BYTES);
		data_close(&d);
		srv_stop(&s);
	}
}

/* Two that both want all there is. */
static void two_share_it(void **state)
{
	struct data d[2];
	int64_t began;

	(void)state;
	start(0, RATE, 0);
	data_open(&d[0]);
	data_open(&d[1]);
	began = test_now_ms();
	while (d[0].got[0] + d[1].got[0] < 2 * BYTES) {
		pass(&d[0], 0, 100 * BYTES);
		pass(&d[1], 0, 100 * BYTES);
		usleep(2000);
		assert_true(test_now_ms() - began < SOON_MS);
	}
	takes_its_time(began, 2 * BYTES);
	assert_true(d[0].got[0] > BYTES / 2 && d[1].got[0] > BYTES / 2);
	data_close(&d[0]);
	data_close(&d[1]);
	srv_stop(&s);
}

/* A stream of a user at the limit leaves room for the user's datagrams. */
static void datagrams_go_on(void **state)
{
	struct data d;
	struct talker c;
	struct addr peer;
	int fd = open_loopback(SOCK_DGRAM, &peer), heard = 0;
	uint8_t buf[64];

	(void)state;
	start(0, RATE, 0);
	data_open(&d);
	client_open(&s, &c, 0);
	assert_int_equal(talker_allocate(&c, IPPROTO_UDP), 0);
	assert_int_equal(talker_bind(&c, 0x4000, &peer), 0);
	for (int i = 0; i < 500; i++) {
		pass(&d, 0, 100 * BYTES);
		if (i % 10 == 9) {
			client_send(&c,
			            "\x40\x00\x00\x04"
			            "abcd",
			            8);
			srv_sync(&s);
			heard += recv(fd, buf, sizeof(buf), 0) == 4;
		}
		usleep(1000);
	}
	assert_int_equal(heard, 50);
	assert_int_equal(srv_stats(&s).user_bandwidth_drops, 0);
	talker_close(&c);
	data_close(&d);
	close(fd);
	srv_stop(&s);
}

/* A connection over its limit can still be closed, from either end, and by the allocation's end. */
static void it_ends_while_it_waits(void **state)
{
	struct data d;

	(void)state;
	start(1000, 0, 0);
	for (int i = 0; i < 3; i++) {
		data_open(&d);
		for (int j = 0; j < 20; j++) {
			pass(&d, 0, BYTES);
			usleep(1000);
		}
		if (i == 0)
			close(d.control.fd);
		else
			close(i == 1 ? d.peer : d.client.fd);
		if (i == 0)
			d.control.fd = dup(0);
		else if (i == 1)
			d.peer = dup(0);
		else
			d.client.fd = dup(0);
		data_close(&d);
		SOON(srv_allocations(&s) == 0);
	}
	srv_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_limit_slows_it_down),
	    cmocka_unit_test(two_share_it),
	    cmocka_unit_test(datagrams_go_on),
	    cmocka_unit_test(it_ends_while_it_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

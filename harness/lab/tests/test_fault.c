/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Faults, shared routers and link conditions, each shown by packets.
 */
#include "base/clock.h"
#include "harness/lab/tests/bench.h"
#include "harness/tests/namespaces.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#define SOON_MS    3000 /* an answer that will come comes at once, but the machine may be busy */
#define SILENCE_MS 300

static bool connects(struct bench *b, uint16_t port)
{
	struct addr to;
	struct pollfd p;
	struct why why;
	int err = -1, server, fd;
	socklen_t len = sizeof(err);

	addr_parse_ip(&to, LAB_SERVER_IP, port);
	server = lab_socket(lab_server_ns(b->lab), AF_INET, SOCK_STREAM, &why);
	fd = lab_socket(lab_client_ns(b->lab, LAB_A), AF_INET, SOCK_STREAM | SOCK_NONBLOCK, &why);
	if (bind(server, &to.sa, addr_len(&to)) != 0 || listen(server, 1) != 0)
		bench_wrong(b, "the TCP server does not come up");
	(void)!connect(fd, &to.sa, addr_len(&to));
	p = (struct pollfd){fd, POLLOUT, 0};
	if (poll(&p, 1, SOON_MS) == 1)
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	close(fd);
	close(server);
	return err == 0;
}

static void block_and_cut(struct bench *b)
{
	struct addr first, now;

	BENCH_DO(b, lab_set_nat(b->lab, LAB_A, nat_find("full-cone"), why));
	bench_serve(b, AF_INET);
	bench_open(b, 0, LAB_A);
	BENCH_CHECK(b, bench_ask(b, 0, SOON_MS, &first), "nothing passes before the fault");

	BENCH_DO(b, lab_block_udp(b->lab, LAB_A, true, why));
	BENCH_CHECK(b, !bench_ask(b, 0, SILENCE_MS, &now), "UDP passes while it is blocked");
	BENCH_CHECK(b, connects(b, 4001), "TCP does not pass while UDP is blocked");
	BENCH_DO(b, lab_block_udp(b->lab, LAB_A, false, why));
	BENCH_CHECK(b, bench_ask(b, 0, SOON_MS, &now), "UDP does not pass after the block");
	BENCH_CHECK(b, addr_equal(&first, &now), "the block cost the mapping");

	BENCH_DO(b, lab_cut_link(b->lab, LAB_A, true, why));
	BENCH_CHECK(b, !bench_ask(b, 0, SILENCE_MS, &now), "UDP passes through a cut link");
	BENCH_DO(b, lab_cut_link(b->lab, LAB_A, false, why));
	BENCH_CHECK(b, bench_ask(b, 0, SOON_MS, &now), "UDP does not pass after the cut");
	BENCH_CHECK(b, addr_equal(&first, &now), "the cut cost the mapping");
}

static void rebind(struct bench *b)
{
	static const char *const kinds[] = {"full-cone", "port-restricted", "port-restricted-remap",
	                                    "symmetric", "cgnat",           "dual-stack"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		struct addr first, again, now;

		BENCH_DO(b, lab_set_nat(b->lab, LAB_A, nat_find(kinds[i]), why));
		bench_serve(b, AF_INET);
		bench_open(b, 0, LAB_A);
		BENCH_CHECK(b, bench_ask(b, 0, SOON_MS, &first), "%s: nothing passes", kinds[i]);
		BENCH_CHECK(b, bench_ask(b, 0, SOON_MS, &again), "%s: nothing passes", kinds[i]);
		BENCH_CHECK(b, addr_equal(&first, &again), "%s: the port changes by itself",
		            kinds[i]);
		for (int turn = 0; turn < 2; turn++) {
			BENCH_DO(b, lab_rebind(b->lab, LAB_A, why));
			BENCH_CHECK(b, bench_ask(b, 0, SOON_MS, &now), "%s: dead after rebinding",
			            kinds[i]);
			BENCH_CHECK(
			    b, addr_equal_ip(&first, &now) && addr_port(&first) != addr_port(&now),
			    "%s: still at port %u after rebinding %d", kinds[i], addr_port(&now),
			    turn + 1);
			first = now;
		}
		BENCH_DO(b, lab_verify_nat(b->lab, LAB_A, why));
	}
}

/* The prober sees through the translator what the bench's plain sockets cannot. */
static void bend_nat64(struct bench *b)
{
	struct why missing;
	int err = lab_set_nat(b->lab, LAB_A, nat_find("nat64"), &missing);

	if (err != 0 && tun_missing(missing.text))
		return;
	BENCH_CHECK(b, err == 0, "%s", missing.text);
	BENCH_DO(b, lab_rebind(b->lab, LAB_A, why));
	BENCH_DO(b, lab_verify_nat(b->lab, LAB_A, why));
	BENCH_DO(b, lab_change_client_address(b->lab, LAB_A, why));
	BENCH_DO(b, lab_verify_nat(b->lab, LAB_A, why));
	BENCH_DO(b, lab_change_wan_address(b->lab, LAB_A, why));
	BENCH_DO(b, lab_verify_nat(b->lab, LAB_A, why));
	BENCH_DO(b, lab_share_nat(b->lab, nat_find("nat64"), true, why));
	BENCH_DO(b, lab_verify_nat(b->lab, LAB_B, why));
}

static void change_addresses(struct bench *b)
{
	static const struct {
		const char *kind;
		int family;
	} rows[] = {{"port-restricted", AF_INET}, {"full-cone", AF_INET},
	            {"cgnat", AF_INET},           {"public-firewall", AF_INET},
	            {"ipv6-only", AF_INET6},      {"dual-stack", AF_INET6}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *kind = rows[i].kind;
		struct addr mapped, now, local, new_local;

		BENCH_DO(b, lab_set_nat(b->lab, LAB_A, nat_find(kind), why));
		bench_serve(b, rows[i].family);
		bench_open(b, 0, LAB_A);
		local = bench_local(b, 0);
		BENCH_CHECK(b, bench_ask(b, 0, SOON_MS, &mapped), "%s: nothing passes", kind);

		BENCH_DO(b, lab_change_client_address(b->lab, LAB_A, why));
		BENCH_CHECK(b, !bench_ask(b, 0, SILENCE_MS, &now),
		            "%s: the client's old address lives on", kind);
		bench_open(b, 0, LAB_A);
		new_local = bench_local(b, 0);
		BENCH_CHECK(b, !addr_equal_ip(&local, &new_local), "%s: same client address", kind);
		BENCH_CHECK(b, bench_ask(b, 0, SOON_MS, &mapped),
		            "%s: nothing passes from the client's new address", kind);

		BENCH_DO(b, lab_change_wan_address(b->lab, LAB_A, why));
		bench_open(b, 0, LAB_A);
		BENCH_CHECK(b, bench_ask(b, 0, SOON_MS, &now),
		            "%s: nothing passes by the new WAN address", kind);
		BENCH_CHECK(b, !addr_equal_ip(&mapped, &now), "%s: same WAN address", kind);
		BENCH_DO(b, lab_verify_nat(b->lab, LAB_A, why));
	}
}

static void undo(struct bench *b)
{
	struct lab_link bad = {.loss_percent = 50, .rate_kbit = 64, .delay_ms = 300};

	BENCH_DO(b, lab_set_nat(b->lab, LAB_A, nat_find("cgnat"), why));
	BENCH_DO(b, lab_set_link(b->lab, LAB_A, &bad, why));
	BENCH_DO(b, lab_cut_link(b->lab, LAB_A, true, why));
	BENCH_DO(b, lab_change_wan_address(b->lab, LAB_A, why));
	BENCH_DO(b, lab_rebind(b->lab, LAB_A, why));
	BENCH_CHECK(b, lab_verify_nat(b->lab, LAB_A, NULL) == -E_CORRUPT,
	            "a cut link is taken for a good lab");
	BENCH_DO(b, lab_set_nat(b->lab, LAB_A, nat_find("full-cone"), why));
	BENCH_DO(b, lab_verify_nat(b->lab, LAB_A, why));
}

/* By LAN, and by each other's outside addresses. */
static void reach_each_other(struct bench *b, const char *kind, bool isolated, bool hairpin)
{
	struct addr local, mapped, b_mapped;

	BENCH_DO(b, lab_share_nat(b->lab, nat_find(kind), isolated, why));
	BENCH_DO(b, lab_verify_nat(b->lab, LAB_A, why));
	BENCH_DO(b, lab_verify_nat(b->lab, LAB_B, why));
	bench_serve(b, AF_INET);
	bench_open(b, 0, LAB_A);
	bench_open(b, 1, LAB_B);
	local = bench_local(b, 0);
	BENCH_CHECK(b, bench_ask(b, 0, SOON_MS, &mapped), "%s: client a has no way out", kind);
	BENCH_CHECK(b, bench_ask(b, 1, SOON_MS, &b_mapped), "%s: client b has no way out", kind);
	BENCH_CHECK(b, addr_equal_ip(&mapped, &b_mapped), "%s: two outside addresses", kind);
	BENCH_CHECK(b, bench_send(b, 1, &local, 0, isolated ? SILENCE_MS : SOON_MS) == !isolated,
	            "%s: client b %s client a on the LAN", kind,
	            isolated ? "reaches isolated" : "does not reach");
	BENCH_CHECK(b, bench_send(b, 1, &mapped, 0, hairpin ? SOON_MS : SILENCE_MS) == hairpin,
	            "%s: client b %s client a by its outside address", kind,
	            hairpin ? "does not reach" : "reaches");
}

static void share(struct bench *b)
{
	struct addr mapped;

	BENCH_DO(b, lab_set_nat(b->lab, LAB_B, nat_find("none"), why));
	reach_each_other(b, "port-restricted", false, false);
	reach_each_other(b, "port-restricted", true, false);
	reach_each_other(b, "hairpin", true, true);
	/* Each goes back behind its own router. */
	BENCH_DO(b, lab_set_nat(b->lab, LAB_B, nat_find("symmetric"), why));
	BENCH_DO(b, lab_set_nat(b->lab, LAB_A, nat_find("none"), why));
	BENCH_DO(b, lab_verify_nat(b->lab, LAB_A, why));
	BENCH_DO(b, lab_verify_nat(b->lab, LAB_B, why));
	bench_open(b, 1, LAB_B);
	BENCH_CHECK(b, bench_ask(b, 1, SOON_MS, &mapped), "client b does not come home");
}

/* Counts and echoes what arrives, until nothing has come for so long. */
static void echo_until_quiet(struct bench *b, int quiet_ms, int *out, int *back)
{
	struct pollfd fds[2] = {{b->server, POLLIN, 0}, {b->client[0], POLLIN, 0}};
	struct addr from;
	char pkt[64];

	while (poll(fds, 2, quiet_ms) > 0) {
		socklen_t len = sizeof(from);

		while (recvfrom(b->server, pkt, sizeof(pkt), MSG_DONTWAIT, &from.sa, &len) > 0) {
			++*out;
			(void)!sendto(b->server, pkt, sizeof(pkt), 0, &from.sa, len);
		}
		while (recv(b->client[0], pkt, sizeof(pkt), MSG_DONTWAIT) > 0)
			++*back;
	}
}

/* Sends n packets each way, waiting after each lot; how many arrived out and back. */
static void count_packets(struct bench *b, int n, int *out, int *back)
{
	char pkt[64] = "";

	*out = *back = 0;
	for (int sent = 0; sent < n; sent += 20) {
		for (int i = 0; i < 20; i++)
			(void)!sendto(b->client[0], pkt, sizeof(pkt), 0, &b->server_addr.sa,
			              addr_len(&b->server_addr));
		echo_until_quiet(b, 10, out, back);
	}
	echo_until_quiet(b, SILENCE_MS, out, back); /* what a busy machine was late with */
}

static void lose(struct bench *b)
{
	struct lab_link link = {.loss_percent = 10}, clean = {0};
	int out, back;

	BENCH_DO(b, lab_set_nat(b->lab, LAB_A, nat_find("port-restricted"), why));
	BENCH_DO(b, lab_set_link(b->lab, LAB_A, &link, why));
	bench_serve(b, AF_INET);
	bench_open(b, 0, LAB_A);
	/* 2000 drawn with 10 %: 1800, standard deviation 13; six of them hold 1 run of 10^9. */
	count_packets(b, 2000, &out, &back);
	BENCH_CHECK(b, out > 1720 && out < 1880, "10 %% loss: %d of 2000 went out", out);
	BENCH_CHECK(b, back > out * 86 / 100 && back < out * 94 / 100,
	            "10 %% loss: %d of %d came back", back, out);
	BENCH_DO(b, lab_set_link(b->lab, LAB_A, &clean, why));
	count_packets(b, 400, &out, &back);
	BENCH_CHECK(b, out == 400 && back == 400, "a clean link: %d went out, %d came back", out,
	            back);
}

struct times {
	int64_t least, most;
};

static struct times round_trips(struct bench *b, int n)
{
	struct times t = {INT64_MAX, 0};
	struct addr mapped;

	for (int i = 0; i < n; i++) {
		struct timespec a, z;
		int64_t us;

		clock_gettime(CLOCK_MONOTONIC, &a);
		if (!bench_ask(b, 0, SOON_MS, &mapped))
			bench_wrong(b, "an answer is lost");
		clock_gettime(CLOCK_MONOTONIC, &z);
		us = (z.tv_sec - a.tv_sec) * 1000000 + (z.tv_nsec - a.tv_nsec) / 1000;
		t.least = us < t.least ? us : t.least;
		t.most = us > t.most ? us : t.most;
	}
	return t;
}

/* A busy machine may be late with all of them, but not five times. */
static struct times quick_round_trips(struct bench *b, int64_t quick_us)
{
	struct times t = round_trips(b, 8);

	for (int i = 0; i < 4 && t.least >= quick_us; i++)
		t = round_trips(b, 8);
	return t;
}

static void delay_one(struct bench *b, const char *kind, int family)
{
	struct lab_link link = {.delay_ms = 40}, clean = {0};
	struct times t;

	BENCH_DO(b, lab_set_nat(b->lab, LAB_A, nat_find(kind), why));
	bench_serve(b, family);
	bench_open(b, 0, LAB_A);
	BENCH_DO(b, lab_set_link(b->lab, LAB_A, &link, why));
	/* The least tells the link; the most tells how busy the machine is. */
	t = quick_round_trips(b, 95000);
	BENCH_CHECK(b, t.least >= 80000 && t.least < 95000, "%s: 40 ms each way: RTT %lld us", kind,
	            (long long)t.least);
	link.delay_ms = 10;
	link.jitter_ms = 30;
	BENCH_DO(b, lab_set_link(b->lab, LAB_A, &link, why));
	t = round_trips(b, 20);
	/* The sum of two even draws of 0..30 ms: 20 of them lie within 12 ms once in 10^7. */
	BENCH_CHECK(b, t.least >= 20000 && t.least < 60000 && t.most - t.least > 12000,
	            "%s: 10 ms and 30 ms of jitter each way: RTT %lld to %lld us", kind,
	            (long long)t.least, (long long)t.most);
	BENCH_DO(b, lab_set_link(b->lab, LAB_A, &clean, why));
	t = quick_round_trips(b, 10000);
	BENCH_CHECK(b, t.least < 10000, "%s: a clean link: RTT %lld us", kind, (long long)t.least);
}

static void delay(struct bench *b)
{
	delay_one(b, "port-restricted", AF_INET);
	delay_one(b, "ipv6-only", AF_INET6);
}

/* How fast 30 packets of 1000 bytes arrive that were sent at once: kbit/s. */
static int64_t burst_rate(struct bench *b, int from, int to, const struct addr *addr)
{
	char pkt[972] = ""; /* and 28 of headers */
	int64_t first = 0, last = 0;
	int got = 0;

	for (int i = 0; i < 30; i++)
		(void)!sendto(from, pkt, sizeof(pkt), 0, &addr->sa, addr_len(addr));
	for (;;) {
		struct pollfd p = {to, POLLIN, 0};

		if (poll(&p, 1, 400) <= 0)
			break;
		while (recv(to, pkt, sizeof(pkt), MSG_DONTWAIT) > 0) {
			last = clock_mono_ms();
			first = first ? first : last;
			got++;
		}
	}
	if (got < 25)
		bench_wrong(b, "only %d of 30 packets arrive", got);
	return last > first ? (int64_t)(got - 1) * 8000 / (last - first) : INT64_MAX;
}

static bool near_1000(int64_t kbit)
{
	/* The bucket lets the first packets through at once. */
	return kbit > 700 && kbit < 1350;
}

static void rate(struct bench *b)
{
	struct lab_link link = {.rate_kbit = 1000}, clean = {0};
	struct addr mapped;
	int64_t up = 0, down = 0;

	BENCH_DO(b, lab_set_nat(b->lab, LAB_A, nat_find("port-restricted"), why));
	bench_serve(b, AF_INET);
	bench_open(b, 0, LAB_A);
	BENCH_CHECK(b, bench_ask(b, 0, SOON_MS, &mapped), "nothing passes");
	BENCH_DO(b, lab_set_link(b->lab, LAB_A, &link, why));
	/* A busy machine reads late now and then, but not three times. */
	for (int i = 0; i < 3 && !(near_1000(up) && near_1000(down)); i++) {
		up = burst_rate(b, b->client[0], b->server, &b->server_addr);
		down = burst_rate(b, b->server, b->client[0], &mapped);
	}
	BENCH_CHECK(b, near_1000(up) && near_1000(down), "1000 kbit/s: %lld up, %lld down",
	            (long long)up, (long long)down);
	BENCH_DO(b, lab_set_link(b->lab, LAB_A, &clean, why));
	up = 0;
	for (int i = 0; i < 3 && up <= 3000; i++)
		up = burst_rate(b, b->client[0], b->server, &b->server_addr);
	BENCH_CHECK(b, up > 3000, "a clean link: %lld kbit/s up", (long long)up);
}

static void test_udp_block_and_blackout_come_and_go(void **state)
{
	(void)state;
	bench_run(block_and_cut);
}

static void test_rebinding_gives_other_ports(void **state)
{
	(void)state;
	bench_run(rebind);
}

static void test_nat64_bends_and_stays_whole(void **state)
{
	(void)state;
	bench_run(bend_nat64);
}

static void test_addresses_change(void **state)
{
	(void)state;
	bench_run(change_addresses);
}

static void test_set_nat_undoes_faults(void **state)
{
	(void)state;
	bench_run(undo);
}

static void test_two_clients_share_a_router(void **state)
{
	(void)state;
	bench_run(share);
}

static void test_loss(void **state)
{
	(void)state;
	bench_run(lose);
}

static void test_delay_and_jitter(void **state)
{
	(void)state;
	bench_run(delay);
}

static void test_rate(void **state)
{
	(void)state;
	bench_run(rate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_udp_block_and_blackout_come_and_go),
	    cmocka_unit_test(test_rebinding_gives_other_ports),
	    cmocka_unit_test(test_nat64_bends_and_stays_whole),
	    cmocka_unit_test(test_addresses_change),
	    cmocka_unit_test(test_set_nat_undoes_faults),
	    cmocka_unit_test(test_two_clients_share_a_router),
	    cmocka_unit_test(test_loss),
	    cmocka_unit_test(test_delay_and_jitter),
	    cmocka_unit_test(test_rate),
	};
	int missing = namespaces_missing();

	if (missing)
		return missing;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

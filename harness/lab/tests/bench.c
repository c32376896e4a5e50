/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The bench: sockets in different namespaces, one process.
 */
#include "harness/lab/tests/bench.h"

#include "base/clock.h"
#include "harness/lab/contain.h"
#include "harness/lab/stun.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <poll.h>
#include <sys/random.h>
#include <unistd.h>

#define PORT      13480
#define RESEND_MS 100

struct inside {
	void (*fn)(struct bench *b);
	struct why *why;
};

void bench_wrong(struct bench *b, const char *fmt, ...)
{
	va_list ap;

	if (b->why->text[0])
		return;
	va_start(ap, fmt);
	vsnprintf(b->why->text, sizeof(b->why->text), fmt, ap);
	va_end(ap);
}

static int run_fn(void *arg)
{
	struct inside *in = arg;
	struct bench b = {.why = in->why, .server = -1, .client = {-1, -1, -1, -1}};
	struct why why;

	if (lab_new(&b.lab, &why) != 0) {
		bench_wrong(&b, "%s", why.text);
		return 0;
	}
	in->fn(&b);
	for (int i = 0; i < BENCH_CLIENTS; i++) {
		if (b.client[i] >= 0)
			close(b.client[i]);
	}
	if (b.server >= 0)
		close(b.server);
	lab_free(b.lab);
	return 0;
}

void bench_run(void (*fn)(struct bench *b))
{
	struct inside in = {.fn = fn};
	struct contain c;
	struct why why;
	int status = 0, err;

	in.why =
	    mmap(NULL, sizeof(*in.why), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(in.why != MAP_FAILED);
	if (contain_start(&c, run_fn, &in, &why) != 0)
		fail_msg("%s", why.text);
	err = contain_wait(&c, 60000, -1, &status);
	contain_kill(&c);
	if (in.why->text[0])
		fail_msg("%s", in.why->text);
	assert_int_equal(err, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	munmap(in.why, sizeof(*in.why));
}

void bench_serve(struct bench *b, int family)
{
	struct why why;

	if (b->server >= 0)
		close(b->server);
	addr_parse_ip(&b->server_addr, family == AF_INET ? LAB_SERVER_IP : LAB_SERVER_IP6, PORT);
	b->server = lab_socket(lab_server_ns(b->lab), family, SOCK_DGRAM, &why);
	if (b->server < 0 || bind(b->server, &b->server_addr.sa, addr_len(&b->server_addr)) != 0)
		bench_wrong(b, "the server does not come up");
}

void bench_open(struct bench *b, int n, enum lab_side side)
{
	struct why why;
	int fd;

	if (b->client[n] >= 0)
		close(b->client[n]);
	b->client[n] =
	    lab_socket(lab_client_ns(b->lab, side), addr_family(&b->server_addr), SOCK_DGRAM, &why);
	/* Bound to the address it has now, as a browser's is. */
	fd =
	    lab_socket(lab_client_ns(b->lab, side), addr_family(&b->server_addr), SOCK_DGRAM, &why);
	if (fd >= 0 && connect(fd, &b->server_addr.sa, addr_len(&b->server_addr)) == 0) {
		struct addr a;
		socklen_t len = sizeof(a);

		if (getsockname(fd, &a.sa, &len) == 0) {
			addr_put_port(&a, 0);
			if (bind(b->client[n], &a.sa, addr_len(&a)) != 0)
				bench_wrong(b, "client %d does not come up", n);
		}
	} else {
		bench_wrong(b, "client %d has no route to the server", n);
	}
	if (fd >= 0)
		close(fd);
}

static void serve(struct bench *b)
{
	uint8_t pkt[STUN_PACKET_MAX], tid[STUN_TID_LEN];
	struct addr from;
	socklen_t len = sizeof(from);
	unsigned change;
	ssize_t n = recvfrom(b->server, pkt, sizeof(pkt), MSG_DONTWAIT, &from.sa, &len);

	if (n < 0 || stun_parse_request(pkt, (size_t)n, tid, &change) != 0)
		return;
	n = (ssize_t)stun_binding_response(pkt, tid, &from);
	(void)!sendto(b->server, pkt, (size_t)n, 0, &from.sa, len);
}

bool bench_ask(struct bench *b, int n, int64_t patience_ms, struct addr *mapped)
{
	int64_t deadline = clock_mono_ms() + patience_ms, resend_at = 0;
	uint8_t tid[STUN_TID_LEN], got[STUN_TID_LEN], pkt[STUN_PACKET_MAX];

	if (getrandom(tid, sizeof(tid), 0) != sizeof(tid))
		return false;
	while (clock_mono_ms() < deadline) {
		struct pollfd fds[2] = {{b->server, POLLIN, 0}, {b->client[n], POLLIN, 0}};
		ssize_t len;

		if (clock_mono_ms() >= resend_at) {
			len = (ssize_t)stun_binding_request(pkt, tid, 0);
			(void)!sendto(b->client[n], pkt, (size_t)len, 0, &b->server_addr.sa,
			              addr_len(&b->server_addr));
			resend_at = clock_mono_ms() + RESEND_MS;
		}
		poll(fds, 2, clock_left_ms(resend_at < deadline ? resend_at : deadline));
		if (fds[0].revents)
			serve(b);
		if (!fds[1].revents)
			continue;
		len = recv(b->client[n], pkt, sizeof(pkt), MSG_DONTWAIT);
		if (len > 0 && stun_parse_response(pkt, (size_t)len, got, mapped) == 0 &&
		    !memcmp(tid, got, sizeof(tid)))
			return true;
	}
	return false;
}

struct addr bench_local(struct bench *b, int n)
{
	struct addr a;
	socklen_t len = sizeof(a);

	memset(&a, 0, sizeof(a));
	if (getsockname(b->client[n], &a.sa, &len) != 0)
		bench_wrong(b, "client %d has no address", n);
	return a;
}

bool bench_send(struct bench *b, int n, const struct addr *addr, int to, int64_t patience_ms)
{
	static const char word[] = "across";
	int64_t deadline = clock_mono_ms() + patience_ms;
	char got[64];

	while (clock_mono_ms() < deadline) {
		struct pollfd p = {b->client[to], POLLIN, 0};

		(void)!sendto(b->client[n], word, sizeof(word), 0, &addr->sa, addr_len(addr));
		poll(&p, 1, RESEND_MS);
		while (recv(b->client[to], got, sizeof(got), MSG_DONTWAIT) > 0) {
			if (!memcmp(got, word, sizeof(word)))
				return true;
		}
	}
	return false;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A relay that is not what it should be: stands before a good one and does one
 * thing wrong, over UDP.
 *
 * usage: harness-liar FAULT IP PORT UPSTREAM-IP UPSTREAM-PORT
 *
 *   none       passes everything
 *   loss       loses one ChannelData message in fifty that comes back
 *   delay      holds ChannelData back for 300 ms
 *   double     sends one in twenty twice
 *   corrupt    changes a byte in one of twenty
 *   deaf       passes nothing to odd relayed ports
 *   refresh    answers every Refresh with 437
 *   leak       answers a Refresh of 0 itself: the relay never hears of it
 */
#include "turn/wire/wire.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS  64
#define HELD     4096
#define PACKET   2048
#define DELAY_MS 300

enum fault { NONE, LOSS, DELAY, DOUBLE, CORRUPT, DEAF, REFRESH, LEAK, FAULTS };

static const char *const names[FAULTS] = {"none",    "loss", "delay",   "double",
                                          "corrupt", "deaf", "refresh", "leak"};

struct liar_client {
	struct addr from;
	int fd; /* to the relay */
	bool odd;
	unsigned back; /* ChannelData messages that came back */
};

struct held {
	double due_ms;
	struct liar_client *c;
	size_t len;
	uint8_t data[PACKET];
};

struct liar {
	enum fault fault;
	int fd; /* where its clients come in */
	struct addr upstream;
	struct liar_client client[CLIENTS];
	size_t client_n;
	struct held *held; /* a ring */
	size_t head, held_n;
};

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* True if the message is dealt with. */
static bool lies(struct liar *l, const struct liar_client *c, const uint8_t *m, size_t len)
{
	struct wire reply;
	size_t n;

	if (l->fault == DEAF)
		return c->odd && wire_is_channel_data(m, len);
	if ((l->fault != REFRESH && l->fault != LEAK) || len < 20 || wire_type(m) != W_REFRESH)
		return false;
	if (l->fault == REFRESH) {
		wire_start(&reply, W_REFRESH | W_ERROR, 0);
		wire_add(&reply, ATTR_ERROR_CODE, (uint8_t[]){0, 0, 4, 37}, 4);
	} else if (wire_get(m, len, ATTR_LIFETIME, &n) && !wire_get_u32(m, len, ATTR_LIFETIME)) {
		wire_start(&reply, W_REFRESH | W_SUCCESS, 0);
		wire_add_u32(&reply, ATTR_LIFETIME, 0);
	} else {
		return false;
	}
	wire_set_tid(&reply, m + 8);
	(void)!sendto(l->fd, reply.buf, reply.len, 0, &c->from.sa, addr_len(&c->from));
	return true;
}

static struct liar_client *client_of(struct liar *l, const struct addr *from)
{
	struct liar_client *c = l->client;

	for (; c < l->client + l->client_n; c++) {
		if (addr_equal(&c->from, from))
			return c;
	}
	if (l->client_n == CLIENTS)
		return NULL;
	*c = (struct liar_client){.from = *from, .fd = socket(AF_INET, SOCK_DGRAM, 0)};
	if (c->fd < 0 || connect(c->fd, &l->upstream.sa, addr_len(&l->upstream)) != 0)
		exit(1);
	l->client_n++;
	return c;
}

static void on_client(struct liar *l)
{
	uint8_t m[PACKET];
	struct addr from;
	socklen_t size = sizeof(from);
	ssize_t n;

	while ((n = recvfrom(l->fd, m, sizeof(m), MSG_DONTWAIT, &from.sa, &size)) >= 0) {
		struct liar_client *c = client_of(l, &from);

		if (c && !lies(l, c, m, (size_t)n))
			(void)!send(c->fd, m, (size_t)n, 0);
		size = sizeof(from);
	}
}

static void give(struct liar *l, const struct liar_client *c, const uint8_t *m, size_t len)
{
	(void)!sendto(l->fd, m, len, 0, &c->from.sa, addr_len(&c->from));
}

static void hold(struct liar *l, struct liar_client *c, const uint8_t *m, size_t len)
{
	struct held *h = &l->held[(l->head + l->held_n) % HELD];

	if (l->held_n == HELD)
		return;
	*h = (struct held){.due_ms = now_ms() + DELAY_MS, .c = c, .len = len};
	memcpy(h->data, m, len);
	l->held_n++;
}

static void on_relay(struct liar *l, struct liar_client *c)
{
	uint8_t m[PACKET];
	ssize_t n;

	while ((n = recv(c->fd, m, sizeof(m), MSG_DONTWAIT)) >= 0) {
		struct addr relayed;

		if (!wire_is_channel_data(m, (size_t)n)) {
			if (n >= 20 && wire_type(m) == (W_ALLOCATE | W_SUCCESS) &&
			    wire_get_xor_addr(m, (size_t)n, ATTR_XOR_RELAYED_ADDRESS, &relayed))
				c->odd = addr_port(&relayed) & 1;
			give(l, c, m, (size_t)n);
			continue;
		}
		c->back++;
		if (l->fault == LOSS && c->back % 50 == 25)
			continue;
		if (l->fault == DELAY) {
			hold(l, c, m, (size_t)n);
			continue;
		}
		if (l->fault == CORRUPT && c->back % 20 == 7)
			m[n / 2] ^= 0x10;
		if (l->fault == DOUBLE && c->back % 20 == 7)
			give(l, c, m, (size_t)n);
		give(l, c, m, (size_t)n);
	}
}

static int release_due(struct liar *l)
{
	while (l->held_n > 0) {
		struct held *h = &l->held[l->head];
		double left = h->due_ms - now_ms();

		if (left > 0)
			return (int)left + 1;
		give(l, h->c, h->data, h->len);
		l->head = (l->head + 1) % HELD;
		l->held_n--;
	}
	return -1;
}

static void serve(struct liar *l)
{
	struct pollfd p[CLIENTS + 1];

	for (;;) {
		int wait = release_due(l);
		size_t n = l->client_n;

		p[0] = (struct pollfd){.fd = l->fd, .events = POLLIN};
		for (size_t i = 0; i < n; i++)
			p[i + 1] = (struct pollfd){.fd = l->client[i].fd, .events = POLLIN};
		if (poll(p, n + 1, wait) < 0 && errno != EINTR)
			return;
		if (p[0].revents)
			on_client(l);
		for (size_t i = 0; i < n; i++) {
			if (p[i + 1].revents)
				on_relay(l, &l->client[i]);
		}
	}
}

int main(int argc, char **argv)
{
	static struct liar l;
	struct addr local;

	while (argc == 6 && l.fault < FAULTS && strcmp(argv[1], names[l.fault]) != 0)
		l.fault++;
	if (argc != 6 || l.fault == FAULTS ||
	    addr_parse_ip(&local, argv[2], (uint16_t)atoi(argv[3])) != 0 ||
	    addr_parse_ip(&l.upstream, argv[4], (uint16_t)atoi(argv[5])) != 0) {
		fprintf(stderr, "Usage: harness-liar FAULT IP PORT UPSTREAM-IP UPSTREAM-PORT\n");
		return 2;
	}
	l.held = calloc(HELD, sizeof(*l.held));
	l.fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (!l.held || l.fd < 0 || bind(l.fd, &local.sa, addr_len(&local)) != 0) {
		perror("harness-liar");
		return 1;
	}
	serve(&l);
	return 1;
}

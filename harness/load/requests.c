/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Transactions, as fast as the server answers: Binding requests, or whole lives
 * of allocations.
 */
#include "harness/load/client.h"
#include "harness/load/load.h"
#include "harness/load/tally.h"
#include "turn/tests/wire.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define STALL_MS 500

struct talk {
	struct client client;
	uint16_t method;   /* that an answer is waited for */
	uint64_t begun_ns; /* of the whole transaction */
};

static void ask(struct talk *k, uint16_t method)
{
	static struct wire m;

	k->method = method;
	if (method == W_BINDING)
		wire_start(&m, W_BINDING, ++k->client.tid);
	else
		client_compose(&k->client, &m, method, 0);
	send(k->client.fd, m.buf, m.len, MSG_DONTWAIT);
}

/* A whole life begins: for an allocation with a source port of its own, as a new client has. */
static int begin(struct talk *k, const struct load *l, struct why *why)
{
	int r = 0;

	if (l->kind == LOAD_CHURN || k->client.fd < 0) {
		client_close(&k->client);
		r = client_open(&k->client, why);
	}
	k->begun_ns = load_now_ns();
	if (!r)
		ask(k, l->kind == LOAD_CHURN ? W_ALLOCATE : W_BINDING);
	return r;
}

/* 0: it goes on; 1: it is whole; 2: it is lost; or what the server refused. */
static int on_answer(struct talk *k, const uint8_t *m, size_t len, struct why *why)
{
	int code = wire_error(m, len);

	if (len < 20 || ((size_t)m[16] << 24 | (size_t)m[17] << 16 | (size_t)m[18] << 8 | m[19]) !=
	                    k->client.tid)
		return 0; /* of an earlier try */
	if ((code == 401 || code == 438) && client_take_nonce(&k->client, m, len)) {
		ask(k, k->method);
		return 0;
	}
	if (code == 437) /* an earlier client had this port, and its good-bye was lost */
		return 2;
	if (code)
		return why_set(why, -E_DENIED, "method 0x%04x: error %d", k->method, code);
	if (k->method != W_ALLOCATE)
		return 1;
	ask(k, W_REFRESH);
	return 0;
}

static int on_readable(struct talk *k, const struct load *l, struct tally *t, struct why *why)
{
	uint8_t m[2048];
	ssize_t n = recv(k->client.fd, m, sizeof(m), MSG_DONTWAIT);
	int r = n < 0 ? 0 : on_answer(k, m, (size_t)n, why);

	if (r <= 0)
		return r;
	if (r == 1)
		tally_done(t, k->begun_ns, load_now_ns());
	else
		t->lost += t->counting;
	return begin(k, l, why);
}

static int play(struct talk *k, struct pollfd *p, const struct load *l, struct tally *t,
                struct why *why)
{
	int r = 0;

	while (!r && tally_goes_on(t, load_now_ns())) {
		for (size_t i = 0; i < l->flows; i++)
			p[i] = (struct pollfd){.fd = k[i].client.fd, .events = POLLIN};
		if (!poll(p, l->flows, STALL_MS)) { /* all are lost */
			t->lost += t->counting ? l->flows : 0;
			for (size_t i = 0; i < l->flows && !r; i++)
				r = begin(&k[i], l, why);
			continue;
		}
		for (size_t i = 0; i < l->flows && !r; i++)
			if (p[i].revents)
				r = on_readable(&k[i], l, t, why);
	}
	return r;
}

int load_requests(const struct load *l, struct server *s, double seconds, struct measure *m,
                  struct why *why)
{
	struct talk *k = calloc(l->flows, sizeof(*k));
	struct pollfd *p = calloc(l->flows, sizeof(*p));
	struct tally t = {0};
	int r = k && p ? tally_start(&t, s, seconds, why) : why_set(why, -E_NOMEM, "out of memory");

	for (size_t i = 0; k && i < l->flows; i++)
		k[i].client.fd = -1;
	for (size_t i = 0; i < l->flows && !r; i++)
		r = begin(&k[i], l, why);
	if (!r)
		r = play(k, p, l, &t, why);
	if (!r)
		r = tally_end(&t, m, why);
	free(t.sample);
	for (size_t i = 0; k && i < l->flows; i++)
		client_close(&k[i].client);
	free(k);
	free(p);
	return r;
}

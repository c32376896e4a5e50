/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Transactions, as fast as the server answers: Binding requests, or whole lives
 * of allocations.
 */
#include "harness/load/client.h"
#include "harness/load/load.h"
#include "harness/load/server.h"
#include "harness/load/tally.h"
#include "turn/wire/wire.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define STALL_MS 500

struct talk {
	struct load_client client;
	uint16_t method;   /* that an answer is waited for; 0: the handshake is */
	uint64_t begun_ns; /* of the whole transaction */
	size_t len;        /* of the answer; 0: none yet */
	uint8_t answer[LINK_MESSAGE_MAX];
};

static void ask(struct talk *k, uint16_t method)
{
	static struct wire m;

	k->method = method;
	k->len = 0;
	if (method == W_BINDING)
		wire_start(&m, W_BINDING, ++k->client.tid);
	else
		load_client_compose(&k->client, &m, method, 0);
	link_put(&k->client.link, m.buf, m.len);
	link_flush(&k->client.link);
}

/* Once the handshake is done. 0, or 2 when it failed. */
static int first_ask(struct talk *k, const struct load *l)
{
	int r = link_ready(&k->client.link);

	if (r)
		return r == -E_LATER ? 0 : 2;
	ask(k, l->kind == LOAD_CHURN ? W_ALLOCATE : W_BINDING);
	return 0;
}

/* A whole life begins: for an allocation with a connection or source port of its own, as a new
 * client has. */
static int begin(struct talk *k, const struct load *l, const struct server *s, struct why *why)
{
	int r = 0;

	k->begun_ns = load_now_ns(); /* a connection's start is part of it */
	if (l->kind == LOAD_CHURN || k->client.link.fd < 0) {
		link_close(&k->client.link);
		r = load_client_open(&k->client, s->transport, why);
	}
	k->method = 0;
	if (!r)
		first_ask(k, l); /* a failure shows again when the socket is read */
	return r;
}

/* 0: it goes on; 1: it is whole; 2: it is lost; or what the server refused. */
static int on_answer(struct talk *k, struct why *why)
{
	const uint8_t *m = k->answer;
	int code = wire_error(m, k->len);

	if ((code == 401 || code == 438) && load_client_take_nonce(&k->client, m, k->len)) {
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

static void on_message(void *arg, const uint8_t *m, size_t len)
{
	struct talk *k = arg;

	if (len < 20 || len > sizeof(k->answer) ||
	    ((uint32_t)m[16] << 24 | (uint32_t)m[17] << 16 | (uint32_t)m[18] << 8 | m[19]) !=
	        k->client.tid)
		return; /* of an earlier try */
	memcpy(k->answer, m, len);
	k->len = len;
}

static int on_readable(struct talk *k, const struct load *l, const struct server *s,
                       struct tally *t, struct why *why)
{
	int r;

	if (!k->method)
		r = first_ask(k, l);
	else if (link_take(&k->client.link, on_message, k))
		r = 2;
	else
		r = k->len ? on_answer(k, why) : 0;
	if (r <= 0)
		return r;
	if (r == 1)
		tally_done(t, k->begun_ns, load_now_ns());
	else {
		t->lost += t->counting;
		link_close(&k->client.link);
	}
	return begin(k, l, s, why);
}

/* Nothing came: all are lost. */
static int on_stall(struct talk *k, const struct load *l, const struct server *s, struct tally *t,
                    struct why *why)
{
	int r = 0;

	t->lost += t->counting ? l->flows : 0;
	for (size_t i = 0; i < l->flows && !r; i++) {
		link_close(&k[i].client.link);
		r = begin(&k[i], l, s, why);
	}
	return r;
}

static int play(struct talk *k, struct pollfd *p, const struct load *l, struct server *s,
                struct tally *t, struct why *why)
{
	int r = 0;

	while (!r && tally_goes_on(t, load_now_ns())) {
		for (size_t i = 0; i < l->flows; i++)
			p[i] = (struct pollfd){.fd = k[i].client.link.fd, .events = POLLIN};
		if (!poll(p, l->flows, STALL_MS)) {
			r = server_check(s, why);
			if (!r)
				r = on_stall(k, l, s, t, why);
			continue;
		}
		for (size_t i = 0; i < l->flows && !r; i++)
			if (p[i].revents)
				r = on_readable(&k[i], l, s, t, why);
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
		k[i].client.link.fd = -1;
	for (size_t i = 0; i < l->flows && !r; i++)
		r = begin(&k[i], l, s, why);
	if (!r)
		r = play(k, p, l, s, &t, why);
	if (!r)
		r = tally_end(&t, m, why);
	free(t.sample);
	for (size_t i = 0; k && i < l->flows; i++)
		link_close(&k[i].client.link);
	free(k);
	free(p);
	return r;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Clients of the hub that send to each other: for each message received one is sent, so that a full
 * window is always under way.
 */
#include "base/clock.h"
#include "harness/load/load.h"
#include "harness/load/server.h"
#include "harness/load/tally.h"

#include <inttypes.h>
#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW   50
#define TOGETHER 50 /* clients that join at a time */
#define JOIN_MS  60000
#define QUIET_MS 500
#define TURN_MS  100
#define OUT_MAX  1024
#define IN_MAX   65536
#define AT       "\"at\":\""

struct member {
	struct crowd *crowd;
	struct lws *wsi;
	size_t number;
	bool known; /* the hub has sent its id */
	bool signed_in;
	unsigned owed; /* messages to be sent */
	char *in;
	size_t in_len;
};

struct crowd {
	struct lws_context *context;
	struct member *member;
	size_t n, signed_in;
	size_t size;
	int err; /* of the first client that failed */
	struct why why;
	int64_t heard_ms; /* anything at all */
	struct tally tally;
};

static void fail(struct crowd *c, int code, const char *what)
{
	if (!c->err)
		c->err = why_set(&c->why, code, "%s", what);
}

static void on_message(struct member *p, const char *text)
{
	const char *at = strstr(text, AT);
	char name[32];

	if (at && strstr(text, "\"type\":\"load\"")) {
		tally_done(&p->crowd->tally, strtoull(at + sizeof(AT) - 1, NULL, 10),
		           load_now_ns());
		p->owed++; /* an answer to the other one */
		lws_callback_on_writable(p->wsi);
	} else if (strstr(text, "\"type\":\"id\"")) {
		p->known = true;
		lws_callback_on_writable(p->wsi);
	} else if (!p->signed_in && strstr(text, "\"type\":\"userlist\"")) {
		snprintf(name, sizeof(name), "\"c%zu\"", p->number);
		p->signed_in = strstr(text, name);
		p->crowd->signed_in += p->signed_in;
	}
}

/* A message longer than the buffer is a user list that no client waits for any more. */
static void on_receive(struct member *p, struct lws *wsi, const char *bytes, size_t len)
{
	bool whole = lws_is_final_fragment(wsi) && !lws_remaining_packet_payload(wsi);

	p->crowd->heard_ms = clock_mono_ms();
	if (p->in_len + len < IN_MAX)
		memcpy(p->in + p->in_len, bytes, len);
	p->in_len += len;
	if (!whole)
		return;
	if (p->in_len < IN_MAX) {
		p->in[p->in_len] = 0;
		on_message(p, p->in);
	}
	p->in_len = 0;
}

static int put(struct member *p, const char *text)
{
	unsigned char out[LWS_PRE + OUT_MAX];
	size_t len = strlen(text);

	memcpy(out + LWS_PRE, text, len);
	return lws_write(p->wsi, out + LWS_PRE, len, LWS_WRITE_TEXT) < 0 ? -1 : 0;
}

static int on_writable(struct member *p)
{
	char text[OUT_MAX];
	int len;

	if (p->known && !p->signed_in && p->in) {
		p->known = false; /* asked once */
		snprintf(text, sizeof(text), "{\"type\":\"username\",\"name\":\"c%zu\"}",
		         p->number);
		return put(p, text);
	}
	if (!p->owed)
		return 0;
	p->owed--;
	len = snprintf(text, sizeof(text),
	               "{\"type\":\"load\",\"target\":\"c%zu\"," AT "%" PRIu64 "\",\"pad\":\"",
	               p->number ^ 1, load_now_ns());
	while ((size_t)len + 3 < p->crowd->size && (size_t)len + 3 < sizeof(text))
		text[len++] = 'x';
	memcpy(text + len, "\"}", 3);
	if (p->owed)
		lws_callback_on_writable(p->wsi);
	return put(p, text);
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t len)
{
	struct member *p = user;

	(void)wsi;
	if (!p)
		return 0;
	switch ((int)reason) {
	case LWS_CALLBACK_CLIENT_RECEIVE:
		on_receive(p, wsi, in, len);
		return 0;
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		return on_writable(p);
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
	case LWS_CALLBACK_CLIENT_CLOSED:
		p->wsi = NULL;
		fail(p->crowd, -E_CLOSED, "the hub closed a client's connection, or took none");
		return 0;
	}
	return 0;
}

static const struct lws_protocols protocols[] = {
    {.name = "json", .callback = on_lws, .rx_buffer_size = 16384}, {.name = NULL}};

static int join(struct crowd *c, size_t i)
{
	struct member *p = &c->member[i];
	const struct lws_client_connect_info info = {.context = c->context,
	                                             .address = LOAD_IP,
	                                             .port = LOAD_SIGNAL,
	                                             .path = "/ws",
	                                             .host = LOAD_IP,
	                                             .origin = LOAD_IP,
	                                             .protocol = "json",
	                                             .local_protocol_name = "json",
	                                             .userdata = p,
	                                             .pwsi = &p->wsi};

	p->crowd = c;
	p->number = i;
	p->in = malloc(IN_MAX);
	if (!p->in || !lws_client_connect_via_info(&info)) {
		fail(c, -E_IO, "a client of the hub cannot connect");
		return -1;
	}
	return 0;
}

static void turn_on_time(lws_sorted_usec_list_t *s)
{
	(void)s; /* it is there to end lws_service() */
}

/* Some at a time: the list of users goes to everybody each time, and the hub merges what comes
 * close together. */
static void join_all(struct crowd *c)
{
	int64_t deadline = clock_mono_ms() + JOIN_MS;

	for (size_t i = 0; i < c->n && !c->err;) {
		for (size_t k = 0; k < TOGETHER && i < c->n && !c->err; k++)
			join(c, i++);
		while (!c->err && c->signed_in < i) {
			lws_service(c->context, 0);
			if (clock_mono_ms() > deadline)
				fail(c, -E_TIMEOUT, "the hub does not sign its clients in");
		}
	}
}

/* Until the lists of users have all come: they are the hub's work, too. */
static void settle(struct crowd *c)
{
	lws_sorted_usec_list_t wake = {0};
	int64_t deadline = clock_mono_ms() + JOIN_MS;

	while (!c->err && clock_mono_ms() - c->heard_ms < QUIET_MS) {
		lws_sul_schedule(c->context, 0, &wake, turn_on_time, TURN_MS * LWS_US_PER_MS);
		lws_service(c->context, 0);
		if (clock_mono_ms() > deadline)
			fail(c, -E_TIMEOUT, "the hub does not come to rest");
	}
	lws_sul_cancel(&wake);
}

static void send_and_answer(struct crowd *c, struct server *s, double seconds)
{
	lws_sorted_usec_list_t wake = {0};

	c->err = tally_start(&c->tally, s, seconds, &c->why);
	for (size_t i = 0; i < WINDOW && !c->err; i++) {
		struct member *p = &c->member[i % c->n];

		p->owed++;
		lws_callback_on_writable(p->wsi);
	}
	while (!c->err && tally_goes_on(&c->tally, load_now_ns())) {
		lws_sul_schedule(c->context, 0, &wake, turn_on_time, TURN_MS * LWS_US_PER_MS);
		lws_service(c->context, 0);
	}
	lws_sul_cancel(&wake);
}

int load_signal(const struct load *l, struct server *s, double seconds, struct measure *m,
                struct why *why)
{
	const struct lws_context_creation_info info = {.port = CONTEXT_PORT_NO_LISTEN,
	                                               .protocols = protocols,
	                                               .fd_limit_per_thread =
	                                                   (unsigned)l->flows + 16};
	struct crowd c = {.n = l->flows, .size = l->size};
	int r;

	lws_set_log_level(0, NULL);
	c.member = calloc(c.n, sizeof(*c.member));
	c.context = c.member ? lws_create_context(&info) : NULL;
	if (!c.context)
		fail(&c, -E_NOMEM, "out of memory");
	else
		join_all(&c);
	settle(&c);
	if (!c.err)
		send_and_answer(&c, s, seconds);
	r = c.err ? why_set(why, c.err, "%s", c.why.text) : tally_end(&c.tally, m, why);
	if (c.context)
		lws_context_destroy(c.context); /* its last words go to the members */
	for (size_t i = 0; i < c.n && c.member; i++)
		free(c.member[i].in);
	free(c.tally.sample);
	free(c.member);
	return r;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A hub whose connections are arrays of frames.
 */
#include "signal/tests/hub_house.h"

#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int on_send(void *ctx, void *conn, enum hub_frame frame, struct hub_text *text)
{
	struct hub_client *c = conn;
	struct house *h = ctx;

	h->sent_first |= !*h->links;
	if (c->send_rc)
		return c->send_rc;
	if (c->busy && frame == HUB_FRAME_PASSED)
		return -E_LATER;
	assert_true(c->n < FRAMES_MAX);
	assert_int_equal(strlen(text->data), text->len);
	c->frame[c->n++] = strdup(text->data);
	return 0;
}

static void on_close(void *ctx, void *conn, enum hub_close code, const char *reason)
{
	struct hub_client *c = conn;

	(void)ctx;
	assert_non_null(reason);
	assert_int_equal(c->close_code, 0); /* once only */
	c->close_code = code;
}

static int64_t on_now(void *ctx)
{
	return ((struct house *)ctx)->now_ms;
}

void answer(struct house *h)
{
	json_t *servers = json_pack("[{s:[s]}]", "urls", "stun:203.0.113.1:3478");

	hub_ice_answer(h->hub, h->ice_member, servers, 600, true);
	json_decref(servers);
}

static int on_ice(void *ctx, void *conn, const struct hub_ice_request *r)
{
	struct house *h = ctx;

	(void)conn;
	h->ice_member = r->member_id;
	snprintf(h->ice_name, sizeof(h->ice_name), "%s", r->name);
	snprintf(h->ice_token, sizeof(h->ice_token), "%s", r->api_token ? r->api_token : "(none)");
	if (!h->ice_rc && !h->ice_later)
		answer(h);
	return h->ice_rc;
}

static void on_link(void *ctx, const struct hub_link_news *news)
{
	struct house *h = ctx;
	size_t at = strlen(h->links), room = sizeof(h->links) - at;
	unsigned long long a = news->member, b = news->other;

	switch (news->what) {
	case HUB_LINK_SIGNALED:
		assert_true(news->len && news->text[0] == '{' && news->text[news->len - 1] == '}');
		snprintf(h->links + at, room, "%llu>%llu ", a, b);
		return;
	case HUB_LINK_ENDED:
		snprintf(h->links + at, room, "%llu|%llu ", a, b);
		return;
	case HUB_LINK_MOVED:
		snprintf(h->links + at, room, "%llu=%llu ", a, b);
		return;
	case HUB_LINK_GONE:
		snprintf(h->links + at, room, "%llux ", a);
		return;
	}
}

static int on_identify(void *ctx, const char *ticket, struct hub_identity *out, const char **why)
{
	(void)ctx;
	if (!strcmp(ticket, "stale")) {
		*why = "The ticket has expired.";
		return -E_STALE;
	}
	memset(out, 0, sizeof(*out));
	if (sscanf(ticket, "%255[^/]/%64[^/]/%64[^/]/%u", out->sub, out->name, out->room,
	           &out->may) != 4)
		return -E_DENIED;
	out->any_room = !strcmp(out->room, "*");
	return 0;
}

static void note_call(struct house *h, const char *what, const struct hub_event *e)
{
	size_t len = strlen(h->calls), room = sizeof(h->calls) - len;

	if (e->what == HUB_EVENT_ENDED)
		snprintf(h->calls + len, room, "%s %s %s %s %lld %d; ", what, e->name, e->target,
		         *e->reason ? e->reason : "-", (long long)e->seconds, e->code);
	else
		snprintf(h->calls + len, room, "%s %s %s; ", what, e->name, e->target);
}

static void on_event(void *ctx, const struct hub_event *e)
{
	static const char *const names[] = {
#define X(name, text) text,
	    HUB_EVENT_TABLE(X)
#undef X
	};
	struct house *h = ctx;
	size_t len = strlen(h->events);

	if (e->what == HUB_EVENT_BEGUN || e->what == HUB_EVENT_ANSWERED ||
	    e->what == HUB_EVENT_ENDED)
		note_call(h, names[e->what], e);
	if (e->what == HUB_EVENT_NAMED || e->what == HUB_EVENT_LEFT ||
	    e->what == HUB_EVENT_ROOM_OPENED || e->what == HUB_EVENT_ROOM_CLOSED ||
	    e->what == HUB_EVENT_KICKED)
		snprintf(h->events + len, sizeof(h->events) - len, "%s %s %s%s%s; ", names[e->what],
		         e->room, e->name, e->from ? " was " : "", e->from ? e->from : "");
}

static const struct hub_ops ops = {.send = on_send,
                                   .close = on_close,
                                   .ice_servers = on_ice,
                                   .identify = on_identify,
                                   .event = on_event,
                                   .link = on_link,
                                   .now_ms = on_now};

void forget_frames(struct hub_client *c)
{
	for (unsigned i = 0; i < c->n; i++)
		free(c->frame[i]);
	c->n = c->seen = 0;
}

void expect(struct hub_client *c, const char *text)
{
	if (c->seen == c->n)
		fail_msg("nothing came, expected %s", text);
	assert_string_equal(c->frame[c->seen++], text);
}

void expect_nothing(struct hub_client *c)
{
	if (c->seen < c->n)
		fail_msg("unexpected: %s", c->frame[c->seen]);
}

void expect_error(struct hub_client *c, const char *code)
{
	json_t *e;

	if (c->seen == c->n)
		fail_msg("nothing came, expected error %s", code);
	e = json_loads(c->frame[c->seen++], 0, NULL);
	assert_string_equal(json_string_value(json_object_get(e, "type")), "error");
	assert_string_equal(json_string_value(json_object_get(e, "code")), code);
	assert_true(json_string_length(json_object_get(e, "message")) > 0);
	json_decref(e);
}

void say(struct hub_client *c, const char *text)
{
	hub_text(c->member, text, strlen(text));
}

void join(struct house *h, struct hub_client *c)
{
	assert_int_equal(hub_join(h->hub, c, &(struct hub_visit){0}, &c->member), 0);
}

void join_from(struct house *h, struct hub_client *c, unsigned host, const char *room,
               const char *ticket)
{
	struct hub_visit visit = {.room = room, .ticket = ticket};
	char text[32];

	if (host) {
		snprintf(text, sizeof(text), "192.0.2.%u", host);
		assert_int_equal(addr_parse_ip(&visit.client, text, 1), 0);
	}
	assert_int_equal(hub_join(h->hub, c, &visit, &c->member), 0);
	forget_frames(c);
}

void sign_in(struct hub_client *c, const char *members)
{
	char text[512];

	snprintf(text, sizeof(text), "{\"type\":\"username\",%s}", members);
	say(c, text);
}

void leave(struct hub_client *c)
{
	hub_leave(c->member, HUB_CLOSE_ABNORMAL);
	c->member = NULL;
}

static void on_later(void *ctx, int64_t ms)
{
	struct house *h = ctx;

	h->later_at_ms = h->now_ms + ms;
}

int setup_asking(void **state, const struct hub_conf *conf, const struct hub_ops *more)
{
	struct house *h = calloc(1, sizeof(*h));
	struct hub_ops all = ops;

	all.identify = more->identify;
	all.admit = more->admit;
	all.later = more->later;
	h->hub = hub_new(conf, &all, h);
	assert_non_null(h->hub);
	*state = h;
	return 0;
}

int setup_with(void **state, const struct hub_conf *conf)
{
	return setup_asking(state, conf, &ops);
}

int setup_later(void **state)
{
	const struct hub_ops more = {.identify = on_identify, .later = on_later};
	struct hub_conf conf;

	hub_conf_default(&conf);
	return setup_asking(state, &conf, &more);
}

int setup(void **state)
{
	struct hub_conf conf;

	hub_conf_default(&conf);
	conf.first_id = 1795326215785;
	return setup_with(state, &conf);
}

int teardown(void **state)
{
	struct house *h = *state;

	hub_free(h->hub);
	forget_frames(&h->a);
	forget_frames(&h->b);
	forget_frames(&h->c);
	forget_frames(&h->d);
	free(h);
	return 0;
}

/* alice, bob and carol are signed in; all they were told is forgotten. */
struct house *three(void **state)
{
	struct house *h = *state;

	join(h, &h->a);
	say(&h->a, "{\"name\":\"alice\",\"date\":1,\"id\":1795326215785,\"type\":\"username\"}");
	join(h, &h->b);
	say(&h->b, "{\"name\":\"bob\",\"date\":1,\"id\":1795326215786,\"type\":\"username\"}");
	join(h, &h->c);
	say(&h->c, "{\"name\":\"carol\",\"date\":1,\"id\":1795326215787,\"type\":\"username\"}");
	forget_frames(&h->a);
	forget_frames(&h->b);
	forget_frames(&h->c);
	return h;
}

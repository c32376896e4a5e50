/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Clients that connect and sign in as MDN's do (id, then username, then a list), and count who is
 * there.
 */
#include "harness/load/crowd.h"

#include "base/clock.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define EVENTS       512
#define SPARE_FDS    64
#define PER_NETWORK  32
#define ID           "\"type\":\"id\""
#define USERLIST     "\"type\":\"userlist\""
#define PRESENCE     "\"type\":\"presence\""
#define NAME         "{\"type\":\"username\",\"name\":\"%s\"%s}"
#define ASK_PRESENCE "{\"type\":\"presence\"}"

const char *crowd_find(const char *text, size_t len, const char *key)
{
	const char *at = memmem(text, len, key, strlen(key));

	return at ? at + strlen(key) : NULL;
}

void crowd_name(const struct crowd *c, size_t i, char name[CROWD_NAME_MAX])
{
	snprintf(name, CROWD_NAME_MAX, "%c%05u", c->mark, c->first + (unsigned)i);
}

uint32_t crowd_friend(size_t i)
{
	return CROWD_FRIENDS + (uint32_t)(i / PER_NETWORK << 8) + (uint32_t)(i % PER_NETWORK) + 1;
}

/* ---- who is there ---- */

static void know(struct crowd_client *p, uint32_t present)
{
	struct crowd *c = p->crowd;

	c->told++;
	c->full -= p->present >= c->expect;
	p->present = present;
	c->full += present >= c->expect;
}

static void on_list(struct ws *w, uint32_t names)
{
	struct crowd_client *p = w->owner;

	p->crowd->heard_ms = clock_mono_ms();
	know(p, names);
}

/* The names of a list that are really different ones. */
static uint32_t different(const char *text, size_t len)
{
	json_t *list = json_loadb(text, len, 0, NULL), *seen = json_object(), *name;
	const char *is;
	uint32_t n = 0;
	size_t i;

	json_array_foreach (json_object_get(list, "users"), i, name) {
		is = json_string_value(name);
		n += is && *is == WS_MARK && !json_object_get(seen, is);
		json_object_set_new(seen, is ? is : "", json_true());
	}
	json_decref(seen);
	json_decref(list);
	return n;
}

/* Of an array of a message: no array lies within it. */
static uint32_t marks_in(const char *text, size_t len, const char *key)
{
	const char *at = crowd_find(text, len, key);
	const char *end = at ? memchr(at, ']', len - (size_t)(at - text)) : NULL;

	return end ? ws_count_marks(at, (size_t)(end - at)) : 0;
}

static uint64_t number_of(const char *text, size_t len, const char *key)
{
	const char *at = crowd_find(text, len, key), *end = text + len;
	uint64_t n = 0;

	for (; at && at < end && *at >= '0' && *at <= '9'; at++)
		n = n * 10 + (uint64_t)(*at - '0');
	return n;
}

static void on_presence(struct crowd_client *p, const char *text, size_t len)
{
	uint64_t version = number_of(text, len, "\"version\":");

	p->crowd->differences = true;
	if (crowd_find(text, len, "\"users\":[")) {
		know(p, marks_in(text, len, "\"users\":["));
	} else if (number_of(text, len, "\"from\":") == p->version) {
		know(p, p->present + marks_in(text, len, "\"joined\":[") -
		            marks_in(text, len, "\"left\":["));
	} else { /* it has missed one */
		ws_send(&p->ws, ASK_PRESENCE, sizeof(ASK_PRESENCE) - 1);
		return;
	}
	p->version = version;
}

/* ---- signing in ---- */

static void on_opened(struct ws *w)
{
	struct crowd *c = ((struct crowd_client *)w->owner)->crowd;

	c->open++;
	if (!*c->tls)
		ws_describe(w, c->tls, sizeof(c->tls));
}

static void sign_in(struct crowd_client *p)
{
	char name[CROWD_NAME_MAX], text[128];
	int len;

	crowd_name(p->crowd, p->ws.number, name);
	len = snprintf(text, sizeof(text), NAME, name,
	               p->crowd->manner == CROWD_DELTA ? ",\"presence\":\"delta\"" : "");
	p->asked = !ws_send(&p->ws, text, (size_t)len);
}

static void on_text(struct ws *w, const char *text, size_t len)
{
	struct crowd_client *p = w->owner;
	struct crowd *c = p->crowd;

	c->heard_ms = clock_mono_ms();
	if (!p->asked && c->manner != CROWD_ANONYMOUS && crowd_find(text, len, ID))
		sign_in(p);
	else if (c->manner == CROWD_DELTA && crowd_find(text, len, PRESENCE))
		on_presence(p, text, len);
	else if (c->witness && crowd_find(text, len, USERLIST))
		know(p, different(text, len));
	else if (c->text)
		c->text(p, text, len);
}

static void on_closed(struct ws *w)
{
	struct crowd_client *p = w->owner;
	struct crowd *c = p->crowd;

	if (!c->closed++)
		c->closed_code = w->closed;
	c->open -= w->closed != WS_CLOSE_REFUSED;
	c->full -= p->present >= c->expect;
	p->present = 0;
	if (c->gone)
		c->gone(p);
}

static const struct ws_ops counting = {on_opened, on_text, on_list, on_closed};
static const struct ws_ops reading = {on_opened, on_text, NULL, on_closed};

/* ---- all of them ---- */

int crowd_init(struct crowd *c, size_t n, enum ws_wire wire, uint16_t port, struct why *why)
{
	struct rlimit files;

	*c = (struct crowd){
	    .n = n, .expect = n, .mark = WS_MARK, .port = port, .path = "/ws", .epoll = -1};
	if (!getrlimit(RLIMIT_NOFILE, &files) && files.rlim_cur < n + SPARE_FDS)
		return why_set(why, -E_LIMIT,
		               "%zu clients need %zu file descriptors, and a process may have %ju "
		               "(ulimit -Hn)",
		               n, n + SPARE_FDS, (uintmax_t)files.rlim_cur);
	c->client = calloc(n, sizeof(*c->client));
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	c->ctx = ws_context(wire);
	if (!c->client || c->epoll < 0 || (wire != WS_PLAIN && !c->ctx))
		return why_set(why, -E_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		c->client[i] = (struct crowd_client){
		    .ws = {.fd = -1, .number = (uint32_t)i, .owner = &c->client[i]}, .crowd = c};
	return 0;
}

void crowd_free(struct crowd *c)
{
	for (size_t i = 0; c->client && i < c->n; i++)
		ws_close(&c->client[i].ws, WS_CLOSE_NORMAL);
	if (c->epoll >= 0)
		close(c->epoll);
	SSL_CTX_free(c->ctx);
	free(c->client);
	c->client = NULL;
	c->ctx = NULL;
	c->epoll = -1;
}

int crowd_connect(struct crowd *c, size_t i, uint32_t from, struct why *why)
{
	struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
	                        .data.ptr = &c->client[i]};
	struct crowd_client *p = &c->client[i];
	int r;

	p->ws.ops = c->manner == CROWD_PLAYER || (c->witness && !i) ? &reading : &counting;
	p->asked = false;
	p->present = 0;
	p->version = 0;
	r = ws_connect(&p->ws, c->ctx, from, c->port, c->path);
	if (!r && epoll_ctl(c->epoll, EPOLL_CTL_ADD, p->ws.fd, &e)) {
		r = error_from_errno(errno);
		ws_close(&p->ws, 0);
	}
	return r ? why_set(why, r, "a client of the hub cannot connect: %s", error_text(r)) : 0;
}

void crowd_run(struct crowd *c, int wait_ms)
{
	struct epoll_event event[EVENTS];
	int n = epoll_wait(c->epoll, event, EVENTS, wait_ms);

	for (int i = 0; i < n; i++)
		ws_event(&((struct crowd_client *)event[i].data.ptr)->ws);
}

static int wait_full(struct crowd *c, size_t n, int64_t deadline, struct why *why)
{
	while (c->full < n && !c->closed && clock_mono_ms() < deadline)
		crowd_run(c, 100);
	if (c->closed)
		return why_set(why, -E_CLOSED,
		               "the server closed %zu of %zu clients, or took none (code %u)",
		               c->closed, c->n, c->closed_code);
	if (c->full < n)
		return why_set(why, -E_TIMEOUT, "of %zu clients, only %zu know of %zu", n, c->full,
		               c->expect);
	return 0;
}

int crowd_gather(struct crowd *c, size_t together, int64_t quiet_ms, struct why *why)
{
	int64_t deadline = clock_mono_ms() + c->patience_ms;
	int r = 0;

	for (size_t i = 0; i < c->n && !r;) {
		for (size_t k = 0; k < together && i < c->n && !r; k++, i++)
			r = crowd_connect(c, i, crowd_friend(i), why);
		while (!r && c->open + c->closed < i && clock_mono_ms() < deadline)
			crowd_run(c, 100);
	}
	if (!r)
		r = wait_full(c, c->n, deadline, why);
	while (!r && clock_mono_ms() - c->heard_ms < quiet_ms && clock_mono_ms() < deadline)
		crowd_run(c, 50);
	return r;
}

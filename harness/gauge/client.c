/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests that wait for their answers (RFC 8656), and ChannelData.
 */
#include "harness/gauge/client.h"

#include "harness/clock.h"
#include "turn/wire/wire.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define RESEND_MS 500
#define TRIES     10
#define UDP       (17u << 24)

/* What an answer is waited for, and where it goes. */
struct awaited {
	struct client *c;
	const struct wire *request; /* NULL: none */
	struct wire *answer;
	bool came;
};

static void on_message(void *arg, const uint8_t *m, size_t len)
{
	struct awaited *a = arg;
	struct client *c = a->c;
	size_t told = len >= 4 ? (size_t)m[2] << 8 | m[3] : 0;

	if (len >= 4 && m[0] >= 64) {
		/* A channel that is none of ours is a message that something has changed. */
		bool ours = ((unsigned)m[0] << 8 | m[1]) == CLIENT_CHANNEL && told + 4 <= len;

		c->on_data(c->arg, m + 4, ours ? told : 0);
	} else if (a->request && len >= 20 && len <= sizeof(a->answer->buf) &&
	           memcmp(m + 8, a->request->buf + 8, 12) == 0) {
		memcpy(a->answer->buf, m, len);
		a->answer->len = len;
		a->came = true;
	}
}

static void take(struct client *c, struct awaited *a)
{
	if (!c->closed && link_take(&c->link, on_message, a) != 0)
		c->closed = true;
}

void client_take(struct client *c)
{
	struct awaited none = {.c = c};

	take(c, &none);
}

/* Sends until an answer comes, which then stands in *answer. 0, the error code that it holds, or
 * a negative code. Over a stream nothing is sent twice. */
static int exchange(struct client *c, const struct wire *request, struct wire *answer)
{
	struct awaited a = {.c = c, .request = request, .answer = answer};
	struct pollfd p = {.fd = c->link.fd, .events = POLLIN};

	for (int i = 0; i < TRIES && !c->closed; i++) {
		int64_t resend_at = clock_mono_ms() + RESEND_MS;
		int64_t left;

		if (i == 0 || !link_is_stream(c->link.transport))
			link_put(&c->link, request->buf, request->len);
		link_flush(&c->link);
		while (!c->closed && (left = resend_at - clock_mono_ms()) > 0) {
			if (poll(&p, 1, (int)left) == 1)
				take(c, &a);
			if (a.came)
				return wire_error(answer->buf, answer->len);
		}
	}
	return c->closed ? -E_CLOSED : -E_TIMEOUT;
}

static void sign(struct client *c, struct wire *m)
{
	if (!c->nonce[0])
		return;
	wire_add_login(m, c->user, c->realm, c->nonce);
	wire_add_integrity(m, c->key);
}

/* Takes what a 401 or 438 asks for. */
static bool take_challenge(struct client *c, const struct wire *m)
{
	if (!wire_get_str(m->buf, m->len, ATTR_NONCE, c->nonce, sizeof(c->nonce)))
		return false;
	if (wire_get_str(m->buf, m->len, ATTR_REALM, c->realm, sizeof(c->realm)))
		wire_key(c->user, c->realm, c->password, c->key);
	return c->realm[0] != '\0';
}

/* What a request is about. */
struct request {
	const char *name;
	uint16_t method;
	bool lifetime;
	uint32_t lifetime_s;
	const struct addr *peer; /* NULL: none */
};

static void compose(struct client *c, const struct request *q, struct wire *m)
{

	wire_start(m, q->method, ++c->tid);
	if (q->method == W_ALLOCATE)
		wire_add_u32(m, ATTR_REQUESTED_TRANSPORT, UDP);
	if (q->method == W_CHANNEL_BIND)
		wire_add_u32(m, ATTR_CHANNEL_NUMBER, (uint32_t)CLIENT_CHANNEL << 16);
	if (q->lifetime)
		wire_add_u32(m, ATTR_LIFETIME, q->lifetime_s);
	if (q->peer)
		wire_add_xor_addr(m, ATTR_XOR_PEER_ADDRESS, q->peer);
	sign(c, m);
}

static int ask(struct client *c, const struct request *q, struct wire *answer, struct why *why)
{
	static struct wire m; /* the gauge's thread alone comes here */
	int code = 0;

	/* Not only the first answer may be a challenge: a nonce may have become stale. */
	for (int i = 0; i < 3; i++) {
		compose(c, q, &m);
		code = exchange(c, &m, answer);
		if ((code != 401 && code != 438) || !take_challenge(c, answer))
			break;
	}
	if (code == -E_CLOSED)
		return why_set(why, code, "%s: the server closed the connection", q->name);
	if (code < 0)
		return why_set(why, code, "%s: no answer within %d s", q->name,
		               TRIES * RESEND_MS / 1000);
	return code == 0 ? 0 : why_set(why, -E_DENIED, "%s: error %d", q->name, code);
}

int client_open(struct client *c, enum gauge_leg leg, const struct gauge_options *opt,
                client_data_fn *on_data, void *arg, struct why *why)
{
	struct addr server;

	*c = (struct client){.link = {.fd = -1}, .on_data = on_data, .arg = arg};
	snprintf(c->user, sizeof(c->user), "%s", opt->user);
	snprintf(c->password, sizeof(c->password), "%s", opt->password);
	addr_parse_ip(&server, opt->ip, (uint16_t)opt->port[leg]);
	return link_open(&c->link, leg == GAUGE_TCP ? LINK_TCP : LINK_UDP, &server, why);
}

int client_allocate(struct client *c, struct why *why)
{
	const struct request q = {.name = "Allocate", .method = W_ALLOCATE};
	static struct wire answer;
	int err = ask(c, &q, &answer, why);

	if (err != 0)
		return err;
	return wire_get_xor_addr(answer.buf, answer.len, ATTR_XOR_RELAYED_ADDRESS, &c->relayed)
	           ? 0
	           : why_set(why, -E_PARSE, "Allocate: an answer without a relayed address");
}

int client_permit(struct client *c, const struct addr *peer, struct why *why)
{
	const struct request q = {
	    .name = "CreatePermission", .method = W_CREATE_PERMISSION, .peer = peer};
	static struct wire answer;

	return ask(c, &q, &answer, why);
}

int client_bind(struct client *c, const struct addr *peer, struct why *why)
{
	const struct request q = {.name = "ChannelBind", .method = W_CHANNEL_BIND, .peer = peer};
	static struct wire answer;

	return ask(c, &q, &answer, why);
}

int client_refresh(struct client *c, uint32_t lifetime_s, struct why *why)
{
	const struct request q = {
	    .name = "Refresh", .method = W_REFRESH, .lifetime = true, .lifetime_s = lifetime_s};
	static struct wire answer;

	return ask(c, &q, &answer, why);
}

void client_send(struct client *c, const uint8_t *data, size_t len)
{
	uint8_t m[LINK_MESSAGE_MAX] = {CLIENT_CHANNEL >> 8, CLIENT_CHANNEL & 0xff,
	                               (uint8_t)(len >> 8), (uint8_t)len};

	if (c->closed || len + 4 > sizeof(m))
		return;
	memcpy(m + 4, data, len);
	link_put(&c->link, m, len + 4);
	link_flush(&c->link);
}

void client_close(struct client *c)
{
	link_close(&c->link);
}

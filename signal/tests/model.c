/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The model's hub: its ops, and connections as queues, of which a part is on its way.
 */
#include "signal/tests/model.h"

#include "base/error.h"
#include "base/tests/test.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

unsigned model_dice(struct model *m, unsigned sides)
{
	m->chance ^= m->chance << 13; /* xorshift64 */
	m->chance ^= m->chance >> 7;
	m->chance ^= m->chance << 17;
	return (unsigned)(m->chance >> 33) % sides;
}

const char *model_invariant_name(enum model_invariant i)
{
	static const char *const names[] = {
#define X(name, text, what) text,
	    MODEL_INVARIANT_TABLE(X)
#undef X
	};

	return names[i];
}

void model_check(struct model *m, enum model_invariant i, bool ok, const char *fmt, ...)
{
	va_list args;

	if (ok || m->verdict.broken)
		return;
	m->verdict.broken = true;
	m->verdict.invariant = i;
	va_start(args, fmt);
	vsnprintf(m->verdict.text, sizeof(m->verdict.text), fmt, args);
	va_end(args);
}

void model_trace(const struct model *m, const struct person *p, const char *what, const char *text)
{
	if (m->trace)
		fprintf(stderr, "%u %s/%s#%u %s %.300s\n", m->verdict.step, p->room, p->told,
		        p->index, what, text);
}

bool model_breaks(struct model *m, enum model_break broken)
{
	return m->broken == broken && ++m->opportunities > 10 && m->opportunities % 4 == 0;
}

/* ---- the ops ---- */

static void add(struct conn *c, enum hub_frame kind, struct hub_text *text)
{
	assert_true(c->n < QUEUE_MAX);
	c->queue[c->n++] = (struct frame){hub_text_ref(text), kind};
}

static void take(struct conn *c, unsigned at)
{
	hub_text_unref(c->queue[at].text);
	c->n--;
	memmove(&c->queue[at], &c->queue[at + 1], (c->n - at) * sizeof(c->queue[0]));
	if (at < c->flown)
		c->flown--;
}

static struct conn *somebody_else(struct model *m, const struct conn *c, bool same_room, bool named)
{
	for (struct conn *o = m->conn; o < m->conn + CONNS; o++) {
		if (o != c && o->person && o->current && !o->close_code && o->named == named &&
		    !o->person->counts && /* else it is seen by the numbers */
		    (!c->person || !strcmp(o->person->room, c->person->room) == same_room) &&
		    o->n < QUEUE_MAX / 2)
			return o;
	}
	return NULL;
}

/* A new text with another one in place of a part of it. */
static struct hub_text *rewritten(const struct hub_text *text, const char *part, const char *by)
{
	const char *at = strstr(text->data, part);
	char *copy = NULL;
	struct hub_text *new;
	int len;

	len =
	    asprintf(&copy, "%.*s%s%s", (int)(at - text->data), text->data, by, at + strlen(part));
	new = hub_text_new(copy, (size_t)len);
	free(copy);
	return new;
}

static bool has(const struct hub_text *text, const char *part)
{
	return strstr(text->data, part) != NULL;
}

/* The faults that are between the hub and a queue. Returns whether c still gets the frame. */
static bool spoil(struct model *m, struct conn *c, enum hub_frame kind, struct hub_text *text)
{
	struct hub_text *other = NULL;
	bool error = has(text, "\"type\":\"error\"") && !text->seq;
	bool passed = kind == HUB_FRAME_PASSED && has(text, "\"n\":");
	struct conn *o;

	if (passed && (o = somebody_else(m, c, false, true)) && model_breaks(m, BREAK_CROSSED))
		add(o, kind, text);
	if (passed && has(text, "\"target\":\"") && (o = somebody_else(m, c, true, true)) &&
	    model_breaks(m, BREAK_MISROUTED))
		add(o, kind, text);
	if (kind == HUB_FRAME_USERLIST && (o = somebody_else(m, c, true, false)) &&
	    model_breaks(m, BREAK_PEEKED))
		add(o, kind, text);
	if (passed && !text->seq && model_breaks(m, BREAK_TWICE))
		add(c, kind, text);
	if (error && model_breaks(m, BREAK_ERROR_TWICE))
		add(c, kind, text);
	if (has(text, "\"type\":\"ack\"") && model_breaks(m, BREAK_ACK_TWICE))
		add(c, kind, text);
	if (passed && has(text, "\"name\":\"") && model_breaks(m, BREAK_UNSTAMPED))
		other = rewritten(text, "\"name\":\"", "\"name\":\"x");
	if (has(text, "\"type\":\"hang-up\"") && !has(text, "\"n\":") && !text->seq &&
	    model_breaks(m, BREAK_HANG_UP_LOST))
		return false;
	if (has(text, "\"type\":\"rejectusername\"") && !c->person->must_return &&
	    model_breaks(m, BREAK_OTHER_NAME))
		other = rewritten(text, "\"name\":\"", "\"name\":\"x");
	if (has(text, "\"joined\":[\"") && model_breaks(m, BREAK_JOINED_LOST))
		other = rewritten(text, "\"joined\":[\"", "\"joined\":[\"x");
	if (has(text, "\"joined\":[{\"name\":\"") && model_breaks(m, BREAK_JOINED_LOST))
		other = rewritten(text, "\"joined\":[{\"name\":\"", "\"joined\":[{\"name\":\"x");
	if (has(text, "\"seq\":") && model_breaks(m, BREAK_NUMBER_SKIPPED))
		other = rewritten(text, "\"seq\":", "\"seq\":1");
	if (other)
		add(c, kind, other);
	hub_text_unref(other);
	return !other && !(passed && !text->seq && model_breaks(m, BREAK_LOST)) &&
	       !(error && model_breaks(m, BREAK_ERROR_LOST)) &&
	       !(has(text, "\"type\":\"ack\"") && model_breaks(m, BREAK_ACK_LOST)) &&
	       !(kind == HUB_FRAME_USERLIST && model_breaks(m, BREAK_LIST_LOST));
}

static void swap_last(struct model *m, struct conn *c)
{
	struct frame *a = &c->queue[c->n - 2], *b = &c->queue[c->n - 1], tmp;

	if (c->n - c->flown < 2 || a->kind != HUB_FRAME_PASSED || b->kind != HUB_FRAME_PASSED ||
	    a->text->seq || !a->text->from || a->text->from != b->text->from ||
	    !model_breaks(m, BREAK_SWAPPED))
		return;
	tmp = *a;
	*a = *b;
	*b = tmp;
}

static int on_send(void *ctx, void *conn, enum hub_frame kind, struct hub_text *text)
{
	struct model *m = ctx;
	struct conn *c = conn;
	unsigned passed = 0;

	assert_int_equal(strlen(text->data), text->len);
	assert_int_equal(c->close_code, 0); /* nothing after a close */
	m->verdict.frames++;
	for (unsigned i = c->flown; i < c->n; i++)
		passed += c->queue[i].kind == HUB_FRAME_PASSED;
	if (kind == HUB_FRAME_PASSED && passed >= PASSED_MAX) {
		model_trace(m, c->person, "has no room for", text->data);
		return -E_LATER;
	}
	if (c->n - c->flown >= SERVER_MAX || c->n >= QUEUE_MAX - 8)
		return -E_LIMIT;
	for (unsigned i = c->flown; kind == HUB_FRAME_USERLIST && i < c->n; i++) {
		if (c->queue[i].kind == HUB_FRAME_USERLIST) {
			take(c, i);
			break;
		}
	}
	person_is_told(m, c, text->data);
	if (c->current && text->seq > c->person->sent)
		c->person->sent = (unsigned)text->seq;
	if (spoil(m, c, kind, text))
		add(c, kind, text);
	if (c->n >= 2)
		swap_last(m, c);
	return 0;
}

static void on_close(void *ctx, void *conn, enum hub_close code, const char *reason)
{
	struct conn *c = conn;

	(void)ctx;
	assert_non_null(reason);
	assert_int_equal(c->close_code, 0); /* once only */
	c->close_code = code;
}

static int64_t on_now(void *ctx)
{
	return ((struct model *)ctx)->now_ms;
}

static void on_later(void *ctx, int64_t ms)
{
	struct model *m = ctx;

	assert_true(ms >= 0);
	m->list_ms = m->now_ms + ms;
}

/* A ticket is "SUB:NAME:ROOM". */
static int on_identify(void *ctx, const char *ticket, struct hub_identity *out, const char **why)
{
	(void)ctx;
	(void)why;
	memset(out, 0, sizeof(*out));
	if (sscanf(ticket, "%15[^:]:%64[^:]:%64s", out->sub, out->name, out->room) != 3)
		return -E_DENIED;
	out->may = HUB_MAY_CALL | HUB_MAY_CHAT | HUB_MAY_LIST | HUB_MAY_OPEN;
	out->exp_s = INT64_MAX / 2;
	return 0;
}

static void on_event(void *ctx, const struct hub_event *e)
{
	struct model *m = ctx;

	calls_event(m, e);
	person_event(m, e);
}

static const struct hub_ops ops = {
    .send = on_send,
    .close = on_close,
    .now_ms = on_now,
    .later = on_later,
    .identify = on_identify,
    .event = on_event,
};

/* ---- connections ---- */

struct conn *model_connect(struct model *m, struct person *p)
{
	struct hub_visit visit = {.room = p->room};
	struct conn *c = m->conn;
	uint8_t ip[4] = {192, 0, (uint8_t)p->index, 1};

	while (c < m->conn + CONNS && c->person)
		c++;
	assert_true(c < m->conn + CONNS);
	addr_from_bytes(&visit.client, ip, 4, 1000);
	*c = (struct conn){.person = p, .current = true};
	assert_int_equal(hub_join(m->hub, c, &visit, &c->member), 0);
	c->id = hub_member_id(c->member);
	c->origin = p->away ? p->origin : 0;
	p->conn = c;
	return c;
}

void model_fly(struct conn *c, unsigned n)
{
	c->flown = n < c->n - c->flown ? c->flown + n : c->n;
}

void model_read(struct model *m, struct conn *c, unsigned n)
{
	char *text;

	while (n-- && c->flown && c->person) {
		text = strdup(c->queue[0].text->data);
		take(c, 0);
		person_hears(m, c, text);
		free(text);
	}
}

void model_leave(struct model *m, struct conn *c, unsigned code)
{
	struct person *p = c->person;

	/* What was on its way is lost. What was not is still in the hub's hands. */
	while (c->flown)
		take(c, 0);
	for (unsigned i = 0; i < c->n; i++) {
		model_trace(m, p, "did not get", c->queue[i].text->data);
		hub_unsent(c->member, c->queue[i].text);
	}
	while (c->n)
		take(c, 0);
	if (p->conn == c)
		p->conn = NULL;
	hub_leave(c->member, code);
	c->person = NULL;
	m->tick_ms = m->now_ms; /* the binding asks when the next one is due */
}

static void call_hub(struct model *m)
{
	int64_t next;

	if (m->list_ms >= 0 && m->list_ms <= m->now_ms) {
		m->list_ms = -1;
		hub_list_due(m->hub);
	}
	if (m->tick_ms >= 0 && m->tick_ms <= m->now_ms) {
		next = hub_tick(m->hub);
		m->tick_ms = next < 0 ? -1 : m->now_ms + (next ? next : 1);
	}
	for (struct person *p = m->person; p < m->person + PEOPLE; p++) {
		if (p->away && p->away_until <= m->now_ms)
			person_expires(m, p);
	}
}

void model_pass(struct model *m, int64_t ms)
{
	int64_t until = m->now_ms + ms, next;

	call_hub(m);
	while (m->now_ms < until) {
		next = until;
		if (m->list_ms >= 0 && m->list_ms < next)
			next = m->list_ms;
		if (m->tick_ms >= 0 && m->tick_ms < next)
			next = m->tick_ms;
		m->now_ms = next > m->now_ms ? next : m->now_ms + 1;
		call_hub(m);
	}
}

static void new_hub(struct model *m)
{
	m->hub = hub_new(&m->conf, &ops, m);
	assert_non_null(m->hub);
	m->list_ms = m->tick_ms = -1;
}

void model_restart(struct model *m)
{
	json_t *saved = hub_save(m->hub);
	char *text = json_dumps(saved, 0); /* through a file, as it were */

	json_decref(saved);
	saved = json_loads(text, 0, NULL);
	assert_non_null(saved);
	free(text);
	for (struct person *p = m->person; p < m->person + PEOPLE; p++)
		person_loses_hub(m, p);
	for (struct conn *c = m->conn; c < m->conn + CONNS; c++) {
		c->flown = c->n;
		while (c->n)
			take(c, 0);
		c->person = NULL;
	}
	hub_free(m->hub);
	new_hub(m);
	assert_int_equal(hub_load(m->hub, saved), 0);
	json_decref(saved);
	m->tick_ms = m->now_ms;
	calls_restart(m);
	ledger_restart(m);
	m->verdict.restarts++;
}

/* ---- a run ---- */

static void begin(struct model *m, const struct model_plan *plan)
{
	m->chance = plan->seed * 2654435761u + 88172645463325252u;
	m->broken = plan->broken;
	m->trace = plan->trace;
	m->restarts = plan->seed % 2;
	m->now_ms = 1000;
	m->note = calloc(NOTES_MAX, sizeof(*m->note));
	assert_non_null(m->note);
	hub_conf_default(&m->conf);
	m->conf.signal_rate = m->conf.rate_burst = 100000;
	new_hub(m);
	for (unsigned i = 0; i < PEOPLE; i++) {
		m->person[i].index = i;
		person_born(m, &m->person[i]);
	}
}

static void end(struct model *m)
{
	for (struct conn *c = m->conn; c < m->conn + CONNS; c++) {
		c->flown = c->n;
		while (c->person && c->n)
			take(c, 0);
	}
	hub_free(m->hub);
	for (unsigned i = 0; i < PEOPLE; i++) {
		for (unsigned k = 0; k < m->person[i].user_n; k++)
			free(m->person[i].users[k]);
		free(m->person[i].users);
	}
	free(m->note);
}

void model_run(const struct model_plan *plan, struct verdict *verdict)
{
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	begin(m, plan);
	model_play(m, plan->steps);
	end(m);
	*verdict = m->verdict;
	free(m);
}

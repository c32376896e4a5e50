/* SPDX-License-Identifier: BSD-3-Clause
 *
 * "calls" and "explain": what workers and the hub know of a session,
 * a user or a call, as one timeline with a verdict.
 */
#include "base/clock.h"
#include "base/username.h"
#include "daemon/admin/ask.h"
#include "daemon/admin/verb.h"
#include "daemon/observe/verdict.h"
#include "turn/stun_msg.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RECORDS_MAX  8 /* of a worker */
#define SESSIONS_MAX 8 /* in the answer, the latest */
#define CALLS_MAX    8
#define CALLS_SHOWN  100

struct question {
	char id[TURN_SESSION_ID_STRLEN];
	char user[2][TURN_NAME_MAX + 1];
	unsigned user_n; /* 0: by id */
};

struct answer {
	size_t n;
	struct turn_record record[RECORDS_MAX];
};

/* The latest of them; a client that was refused and then served is one record. */
static void take_record(void *ctx, const struct turn_record *r)
{
	struct answer *a = ctx;
	size_t oldest = 0;

	if (a->n < RECORDS_MAX) {
		a->record[a->n++] = *r;
		return;
	}
	for (size_t i = 1; i < RECORDS_MAX; i++)
		if (a->record[i].begun_ms < a->record[oldest].begun_ms)
			oldest = i;
	if (r->begun_ms > a->record[oldest].begun_ms)
		a->record[oldest] = *r;
}

static void find(struct turn *t, const void *question, void *answer)
{
	const struct question *q = question;
	struct turn_record_query by = {.id = q->id};

	if (!q->user_n)
		turn_find_records(t, &by, take_record, answer);
	for (unsigned i = 0; i < q->user_n; i++) {
		by = (struct turn_record_query){.user = q->user[i]};
		turn_find_records(t, &by, take_record, answer);
	}
}

/* The answer's content: sessions and calls, newest first. */
struct story {
	const struct turn_record *session[SESSIONS_MAX];
	size_t session_n;
	const struct explain_call *call[CALLS_MAX];
	size_t call_n;
	json_t *events;
	uint64_t now_ms;
	int64_t now_unix_ms;
};

static const char *method_text(unsigned method)
{
	switch (method) {
	case STUN_ALLOCATE:
		return "Allocate";
	case STUN_REFRESH:
		return "Refresh";
	case STUN_CREATE_PERMISSION:
		return "CreatePermission";
	case STUN_CHANNEL_BIND:
		return "ChannelBind";
	case STUN_CONNECT:
		return "Connect";
	default:
		return "a request";
	}
}

static const char *const faults[] = {
    [TURN_FAULT_NONE] = "",
    [TURN_FAULT_NO_CREDENTIAL] = ", no credential",
    [TURN_FAULT_REALM] = ", realm not served",
    [TURN_FAULT_USER] = ", user unknown, disabled or revoked",
    [TURN_FAULT_PASSWORD] = ", wrong password",
    [TURN_FAULT_EXPIRED] = ", credential expired",
    [TURN_FAULT_TOKEN] = ", access token of no key of ours",
};

static void describe_turn(const struct turn_record *r, const struct turn_event *e, char *text,
                          size_t size)
{
	char a[ADDR_STRLEN] = "";

	if (addr_family(&e->addr) != AF_UNSPEC)
		addr_format(&e->addr, a);
	switch ((enum turn_event_what)e->what) {
	case TURN_EVENT_REFUSED:
		snprintf(text, size, "%s refused: %u%s", method_text(e->method), e->code,
		         faults[e->fault]);
		return;
	case TURN_EVENT_ALLOCATED:
		snprintf(text, size, "allocated %s", a);
		return;
	case TURN_EVENT_REFRESHED:
		snprintf(text, size, "refreshed");
		return;
	case TURN_EVENT_PERMITTED:
		snprintf(text, size, "permission for %s", a);
		return;
	case TURN_EVENT_BOUND:
		snprintf(text, size, "channel 0x%x for %s", e->code, a);
		return;
	case TURN_EVENT_PEER_DENIED:
		snprintf(text, size, "peer %s refused: %u", a, e->code);
		return;
	case TURN_EVENT_PEER_LOCKED:
		snprintf(text, size,
		         "peer %s refused: %u, relay_lock: the other end has not signaled that "
		         "address",
		         a, e->code);
		return;
	case TURN_EVENT_TO_PEER:
		snprintf(text, size, "first data to a peer, %s", a);
		return;
	case TURN_EVENT_TO_CLIENT:
		snprintf(text, size, "first data from a peer, %s", a);
		return;
	case TURN_EVENT_STRANGER:
		snprintf(text, size, "data from %s dropped: no permission", a);
		return;
	case TURN_EVENT_UNPERMITTED:
		snprintf(text, size, "data to %s dropped: no permission", a);
		return;
	case TURN_EVENT_MOVED:
		snprintf(text, size, "client moved to %s", a);
		return;
	case TURN_EVENT_CLOSED:
		snprintf(text, size, "closed: %s", r->close_reason ? r->close_reason : "?");
		return;
	}
}

static void describe_signal(const struct explain_call *c, const struct explain_event *e, char *text,
                            size_t size)
{
	static const char *const texts[] = {
	    [HUB_EVENT_NAMED] = "took this name",
	    [HUB_EVENT_ICE] = "asked for ICE servers",
	    [HUB_EVENT_OFFER] = "sent an offer",
	    [HUB_EVENT_ANSWER] = "sent an answer",
	    [HUB_EVENT_CANDIDATE] = "sent a candidate",
	    [HUB_EVENT_HANG_UP] = "hung up",
	    [HUB_EVENT_UNREACHED] = "did not reach the other",
	    [HUB_EVENT_LEFT] = "lost its signaling connection or left",
	    [HUB_EVENT_BEGUN] = "began the call",
	    [HUB_EVENT_ANSWERED] = "answered the call",
	    [HUB_EVENT_ROOM_OPENED] = "opened the room",
	    [HUB_EVENT_ROOM_CLOSED] = "left the room empty",
	    [HUB_EVENT_KICKED] = "was sent away by the operator",
	};

	if (e->what == HUB_EVENT_ENDED)
		snprintf(text, size, "%s%s%s%s", c->ended_by < 0 ? "the call" : c->name[e->from],
		         c->ended_by < 0 ? " ended" : " ended the call", *c->reason ? ": " : "",
		         c->reason);
	else
		snprintf(text, size, "%s %s", c->name[e->from], texts[e->what]);
}

/* The workers' clock as the time of day. */
static json_t *time_of(const struct story *s, uint64_t at_ms)
{
	return json_time_ms(s->now_unix_ms - (int64_t)(s->now_ms - at_ms));
}

static void add(struct story *s, uint64_t at_ms, uint64_t last_ms, unsigned count,
                const char *source, const char *of, const char *what, const char *text)
{
	json_array_append_new(s->events,
	                      json_pack("{so ss ss ss so si so}", "at", time_of(s, at_ms), "source",
	                                source, "of", of, "event", what, "text",
	                                json_shown(text, strlen(text)), "count", (int)count,
	                                "last_at", count > 1 ? time_of(s, last_ms) : json_null()));
}

static void add_session(struct story *s, const struct turn_record *r)
{
	char text[160];

	for (size_t i = 0; i < r->event_n; i++) {
		describe_turn(r, &r->event[i], text, sizeof(text));
		add(s, r->event[i].at_ms, r->event[i].last_ms, r->event[i].count, "turn",
		    *r->id ? r->id : "(refused)",
		    turn_event_text((enum turn_event_what)r->event[i].what), text);
	}
}

static void add_call(struct story *s, const struct explain_call *c)
{
	static const char *const names[] = {
#define X(name, text) [name] = text,
	    HUB_EVENT_TABLE(X)
#undef X
	};
	char text[160];

	for (size_t i = 0; i < c->event_n; i++) {
		describe_signal(c, &c->event[i], text, sizeof(text));
		add(s, c->event[i].at_ms, c->event[i].last_ms, c->event[i].count, "signaling",
		    c->id, names[c->event[i].what], text);
	}
}

/* RFC 3339 sorts as it reads. */
static int by_time(const void *a, const void *b)
{
	return strcmp(json_string_value(json_object_get(*(json_t *const *)a, "at")),
	              json_string_value(json_object_get(*(json_t *const *)b, "at")));
}

/* In place; the array is our own. */
static json_t *sorted(json_t *events)
{
	size_t n = json_array_size(events);
	json_t **v = calloc(n + 1, sizeof(json_t *)), *out = json_array();

	for (size_t i = 0; v && i < n; i++)
		v[i] = json_array_get(events, i);
	if (v)
		qsort(v, n, sizeof(json_t *), by_time);
	for (size_t i = 0; v && i < n; i++)
		json_array_append(out, v[i]);
	free(v);
	json_decref(events);
	return out;
}

static int newest_first(const void *a, const void *b)
{
	const struct turn_record *x = *(const struct turn_record *const *)a;
	const struct turn_record *y = *(const struct turn_record *const *)b;

	return x->begun_ms > y->begun_ms ? -1 : x->begun_ms < y->begun_ms;
}

static json_t *session_json(const struct story *s, const struct turn_record *r)
{
	char client[ADDR_STRLEN];

	return json_pack(
	    "{ss? so ss ss so sb ss? sI sI}", "id", *r->id ? r->id : NULL, "user",
	    json_shown(r->username, r->username_len), "transport", turn_protocol_text(r->protocol),
	    "client", addr_format(&r->client, client), "begun_at", time_of(s, r->begun_ms), "live",
	    *r->id && !r->ended_ms, "close_reason", r->close_reason, "to_peer_bytes",
	    (json_int_t)r->to_peer_bytes, "to_client_bytes", (json_int_t)r->to_client_bytes);
}

static json_t *call_json(const struct story *s, const struct explain_call *c)
{
	json_t *by = c->ended_by_id ? json_integer((json_int_t)c->ended_by_id) : json_null();

	return json_pack("{ss ss ss ss ss? ss? so so sb sb si si si}", "id", c->id, "room", c->room,
	                 "from", c->name[0], "to", c->name[1], "reason",
	                 *c->reason ? c->reason : NULL, "ended_by",
	                 c->ended_by >= 0 ? c->name[c->ended_by] : NULL, "ended_by_connection", by,
	                 "begun_at", time_of(s, c->begun_ms), "live", !c->ended_ms, "answered",
	                 c->answered, "answers", (int)explain_count(c, HUB_EVENT_ANSWER, -1),
	                 "candidates_from", (int)explain_count(c, HUB_EVENT_CANDIDATE, 0),
	                 "candidates_to", (int)explain_count(c, HUB_EVENT_CANDIDATE, 1));
}

static void set_now(struct story *s)
{
	s->now_ms = (uint64_t)clock_mono_ms();
	s->now_unix_ms = clock_unix_ms();
}

static bool is_of(const struct explain_call *c, const char *name)
{
	return !strcmp(c->name[0], name) || !strcmp(c->name[1], name);
}

/* Finds the calls of the requested users. */
static void find_calls(struct story *s, const struct explain *x, const char *name)
{
	const struct explain_call *c;

	for (size_t i = 0; s->call_n < CALLS_MAX && (c = explain_nth(x, i)); i++)
		if (is_of(c, name))
			s->call[s->call_n++] = c;
}

/* Did they have anything to do with each other? Clients allocate a little before they call. */
static bool overlap(const struct turn_record *r, const struct explain_call *c)
{
	const uint64_t slack = 60000;

	return (!c->ended_ms || r->begun_ms < c->ended_ms + slack) &&
	       (!r->ended_ms || c->begun_ms < r->ended_ms + slack);
}

static void verdict_of(const struct story *s, char text[VERDICT_STRLEN])
{
	const struct turn_record *r = s->session_n ? s->session[0] : NULL;
	const struct explain_call *call = s->call_n ? s->call[0] : NULL;

	/* Chooses the end of the call that was in trouble. */
	for (size_t i = 1; call && i < s->session_n; i++)
		if (!s->session[i]->to_client_bytes && r->to_client_bytes)
			r = s->session[i];
	verdict(r, r && call && !overlap(r, call) ? NULL : call, text);
}

static int tell(struct admin_task *t, struct story *s, bool complete, struct why *why)
{
	json_t *sessions = json_array(), *calls = json_array();
	char text[VERDICT_STRLEN];

	s->events = json_array();
	for (size_t i = 0; i < s->session_n; i++) {
		json_array_append_new(sessions, session_json(s, s->session[i]));
		add_session(s, s->session[i]);
	}
	for (size_t i = 0; i < s->call_n; i++) {
		json_array_append_new(calls, call_json(s, s->call[i]));
		add_call(s, s->call[i]);
	}
	verdict_of(s, text);
	return task_done(t,
	                 json_pack("{so so so ss sb}", "sessions", sessions, "calls", calls,
	                           "events", sorted(s->events), "verdict", text, "complete",
	                           complete),
	                 why);
}

/* The name behind the expiry, as the hub knows it. */
static void name_of(const struct turn_record *r, char name[HUB_NAME_MAX + 1])
{
	struct username u;

	if (username_parse(r->username, r->username_len, &u))
		u = (struct username){.name = r->username, .name_len = r->username_len};
	snprintf(name, HUB_NAME_MAX + 1, "%.*s", (int)u.name_len, u.name);
}

static int parse(const struct admin_task *t, struct question *q, struct story *s, struct why *why)
{
	const char *session = task_text(t, "session"), *user = task_text(t, "user");
	const char *call = task_text(t, "call");
	const struct explain *x = t->admin->explain;

	if (!x)
		return why_set(why, -E_UNSUPPORTED, "nothing is remembered: explain_sessions is 0");
	if (user) {
		snprintf(q->user[q->user_n++], sizeof(q->user[0]), "%s", user);
		find_calls(s, x, user);
	} else if (call) {
		s->call[0] = explain_call(x, call);
		if (!s->call[0])
			return why_set(why, -E_NOTFOUND,
			               "no call %.32s is remembered: see turnpike calls", call);
		s->call_n = 1;
		for (int i = 0; i < 2; i++)
			snprintf(q->user[q->user_n++], sizeof(q->user[0]), "%s",
			         s->call[0]->name[i]);
	} else {
		snprintf(q->id, sizeof(q->id), "%s", session);
	}
	return 0;
}

static void collect(struct admin_task *t, struct ask *ask, struct story *s)
{
	const struct turn_record *all[SESSIONS_MAX * 256];
	char name[HUB_NAME_MAX + 1];
	size_t n = 0;

	for (size_t i = 0; i < t->admin->worker_n; i++) {
		struct answer *a = ask_answer(ask, i);

		for (size_t k = 0; a && k < a->n && n < sizeof(all) / sizeof(*all); k++)
			if (!task_text(t, "call") || overlap(&a->record[k], s->call[0]))
				all[n++] = &a->record[k];
	}
	qsort(all, n, sizeof(all[0]), newest_first);
	for (size_t i = 0; i < n && i < SESSIONS_MAX; i++)
		s->session[s->session_n++] = all[i];
	if (!task_text(t, "session") || !s->session_n)
		return;
	name_of(s->session[0], name);
	find_calls(s, t->admin->explain, name);
	for (size_t i = 0, kept = 0, had = s->call_n; i < had; i++) {
		if (overlap(s->session[0], s->call[i]))
			s->call[kept++] = s->call[i];
		s->call_n = kept;
	}
}

static int explain_it(struct admin_task *t, struct why *why)
{
	struct question q = {.user_n = 0};
	struct story s = {.session_n = 0};
	size_t answered;
	struct ask *ask;
	int r = parse(t, &q, &s, why);

	if (r)
		return r;
	ask = ask_new(t->admin->worker_n, &q, sizeof(q), sizeof(struct answer));
	if (!ask)
		return why_set(why, -E_NOMEM, "out of memory");
	answered = ask_workers(ask, t->admin->workers, t->admin->worker_n, find);
	set_now(&s);
	collect(t, ask, &s);
	if (!s.session_n && !s.call_n)
		r = why_set(why, -E_NOTFOUND,
		            "nothing is remembered of it: it never was, it is older than the last "
		            "%lld sessions (explain_sessions), or the server has restarted since",
		            (long long)t->admin->live->conf.explain_sessions);
	else
		r = tell(t, &s, answered == t->admin->worker_n, why);
	ask_free(ask);
	return r;
}

static int list(struct admin_task *t, struct why *why)
{
	struct story s = {.session_n = 0};
	const struct explain_call *c;
	json_t *calls = json_array();

	set_now(&s);
	for (size_t i = 0; i < CALLS_SHOWN && (c = explain_nth(t->admin->explain, i)); i++)
		json_array_append_new(calls, call_json(&s, c));
	return task_done(t, json_pack("{so sn}", "calls", calls, "next"), why);
}

static const struct verb_member call_members[] = {
    MEMBER("id", VERB_TEXT, "The call's ID, as in c1f"),
    MEMBER("room", VERB_TEXT, "The room"),
    MEMBER("from", VERB_TEXT, "The name that sent the offer"),
    MEMBER("to", VERB_TEXT, "The name that it went to"),
    MEMBER_OR_NULL("reason", VERB_TEXT, "Why it ended: declined, gone, ...; null if nobody said"),
    MEMBER_OR_NULL("ended_by", VERB_TEXT, "The name that ended it; null: the server, or unknown"),
    MEMBER_OR_NULL("ended_by_connection", VERB_INTEGER,
                   "The device of that name that did: its connection, as in people"),
    MEMBER("begun_at", VERB_TIME, "When the offer came"),
    MEMBER("live", VERB_BOOLEAN, "Whether it goes on"),
    MEMBER("answered", VERB_BOOLEAN, "Whether it was answered"),
    MEMBER("answers", VERB_INTEGER, "Answers that were sent"),
    MEMBER("candidates_from", VERB_INTEGER, "Candidates of the one that offered"),
    MEMBER("candidates_to", VERB_INTEGER, "Candidates of the other"),
    {0},
};

static const struct verb_member record_members[] = {
    MEMBER_OR_NULL("id", VERB_TEXT, "The session's ID; null where it was refused"),
    MEMBER("user", VERB_TEXT, "The username"),
    MEMBER("transport", VERB_TEXT, "udp, tcp, tls or dtls"),
    MEMBER("client", VERB_TEXT, "The client's address and port"),
    MEMBER("begun_at", VERB_TIME, "When it came"),
    MEMBER("live", VERB_BOOLEAN, "Whether it goes on"),
    MEMBER_OR_NULL("close_reason", VERB_TEXT, "Why it ended"),
    MEMBER("to_peer_bytes", VERB_INTEGER, "Bytes to peers"),
    MEMBER("to_client_bytes", VERB_INTEGER, "Bytes to the client"),
    {0},
};

static const struct verb_member event_members[] = {
    MEMBER("at", VERB_TIME, "When"),
    MEMBER("source", VERB_TEXT, "turn or signaling"),
    MEMBER("of", VERB_TEXT, "The session or the call"),
    MEMBER("event", VERB_TEXT, "What, for programs"),
    MEMBER("text", VERB_TEXT, "What, for people"),
    MEMBER("count", VERB_INTEGER, "How often in a row"),
    MEMBER_OR_NULL("last_at", VERB_TIME, "When it was the last time, if there were several"),
    {0},
};

const struct verb calls_verbs[] = {
    {VERB("calls", VERB_READS, VERB_NEEDS_SERVER, list,
          "List the last calls that were signaled here, the newest first"),
     .answer = MEMBERS({"calls", VERB_ROWS, false, "The newest first", call_members}, MEMBER_NEXT),
     .text = {.list = "calls",
              .line = "{id,-8}  {begun_at:c}  {room,-8}  {from} -> {to}  {?answered:answered|not "
                      "answered}, "
                      "{candidates_from} and {candidates_to} candidates{?live:, goes on}"
                      "{?ended_by:, ended by {ended_by}}{?reason:, {reason}}",
              .none = "no calls"}},
    {VERB("explain", VERB_READS, VERB_NEEDS_SERVER, explain_it,
          "Tell what happened to a session, to a user's last ones, or in a call: signaling and "
          "TURN in one timeline, and a verdict in plain words"),
     .args = {ARG("session", VERB_TEXT, ARG_ONE_OF | ARG_WORD, "A session, by its ID"),
              ARG_AS("user", VERB_TEXT, ARG_ONE_OF, "NAME", "The last sessions of a user"),
              ARG_AS("call", VERB_TEXT, ARG_ONE_OF, "ID", "A call, by its ID")},
     .answer =
         MEMBERS({"sessions", VERB_ROWS, false, "The newest first", record_members},
                 {"calls", VERB_ROWS, false, "The newest first", call_members},
                 {"events", VERB_ROWS, false, "What happened, the latest last", event_members},
                 MEMBER("verdict", VERB_TEXT, "What it comes to, in plain words"),
                 MEMBER("complete", VERB_BOOLEAN, "False: a relay worker did not answer in time")),
     .text =
         {.list = "events",
          .line =
              "{at:c}  {source,-9}  {of,-10}  {text}{?last_at: ({count} times, last {last_at:c})}",
          .print = "\n{verdict}",
          .example = "{\"user\":\"eve\"}"}},
    {0},
};

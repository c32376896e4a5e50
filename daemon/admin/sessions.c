/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Verbs on live allocations, asked of the workers.
 */
#include "daemon/admin/verb.h"

#include "daemon/admin/ask.h"
#include "store/name.h"
#include "turn/sessions.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NEXT_STRLEN 64

struct row {
	struct turn_session s;
	char username[TURN_NAME_MAX];
	char realm[REALM_MAX_LEN + 1];
};

struct question {
	struct turn_session_query query;
	char user[TURN_NAME_MAX + 1];
	bool of_user;
	size_t max;
};

struct answer {
	size_t n;
	size_t max;
	bool more;
	struct row row[];
};

static bool take_row(void *ctx, const struct turn_session *s)
{
	struct answer *a = ctx;
	struct row *r;

	if (a->n == a->max) {
		a->more = true;
		return false;
	}
	r = &a->row[a->n++];
	r->s = *s;
	memcpy(r->username, s->username, s->username_len);
	snprintf(r->realm, sizeof(r->realm), "%s", s->realm);
	return true;
}

static void list_on(struct turn *t, const void *question, void *answer)
{
	const struct question *q = question;
	struct turn_session_query query = q->query;
	struct answer *a = answer;

	a->max = q->max;
	query.user = q->of_user ? q->user : NULL;
	turn_list_sessions(t, &query, take_row, a);
}

/* The newest first; as is_before() of turn/sessions.c has it. */
static int compare(const void *a, const void *b)
{
	const struct turn_session *x = &(*(struct row *const *)a)->s,
	                          *y = &(*(struct row *const *)b)->s;
	unsigned xw = 0, yw = 0;
	uint64_t xn = 0, yn = 0;

	if (x->created_ms != y->created_ms)
		return x->created_ms > y->created_ms ? -1 : 1;
	turn_session_id_parse(x->id, &xw, &xn);
	turn_session_id_parse(y->id, &yw, &yn);
	if (xw != yw)
		return xw < yw ? -1 : 1;
	return xn > yn ? -1 : xn < yn;
}

static json_t *describe(const struct row *r)
{
	const struct turn_session *s = &r->s;
	char client[ADDR_STRLEN], relayed[ADDR_STRLEN];
	json_t *addrs = json_array();

	for (int i = 0; i < 2; i++)
		if (addr_family(&s->relayed[i]) != AF_UNSPEC)
			json_array_append_new(addrs,
			                      json_string(addr_format(&s->relayed[i], relayed)));
	return json_pack(
	    "{ss so ss ss ss so so sI sI so si si si sI sI sI sI sI}", "id", s->id, "user",
	    json_shown(r->username, s->username_len), "realm", r->realm, "transport",
	    turn_protocol_text(s->protocol), "client", addr_format(&s->client, client), "relayed",
	    addrs, "secret", s->key_source ? json_integer((json_int_t)s->key_source) : json_null(),
	    "age_s", (json_int_t)(s->age_ms / 1000), "expires_in_s",
	    (json_int_t)(s->expires_in_ms / 1000), "credential_expires_at",
	    json_time(s->credential_expires_at_s), "peers", (int)s->peers, "channels",
	    (int)s->channels, "connections", (int)s->connections, "to_peer_packets",
	    (json_int_t)s->to_peer_packets, "to_peer_bytes", (json_int_t)s->to_peer_bytes,
	    "to_client_packets", (json_int_t)s->to_client_packets, "to_client_bytes",
	    (json_int_t)s->to_client_bytes, "bandwidth_drops", (json_int_t)s->bandwidth_drops);
}

/* "123456.t0-1f": when the last of the page was born, and which it was. */
static int parse_after(const char *after, struct turn_session_query *q, struct why *why)
{
	char id[TURN_SESSION_ID_STRLEN], again[NEXT_STRLEN] = "";

	if (sscanf(after, "%" SCNu64 ".%19s", &q->before_ms, id) == 2)
		snprintf(again, sizeof(again), "%" PRIu64 ".%s", q->before_ms, id);
	/* sscanf() also takes blanks, signs and what follows. */
	if (strcmp(again, after) != 0 ||
	    turn_session_id_parse(id, &q->before_worker, &q->before_number))
		return why_set(why, -E_PARSE,
		               "sessions: after is what the page before gave as its next");
	return 0;
}

/* Makes one page of the workers' answers. next: "" on the last one. */
static json_t *page(struct admin_task *t, struct ask *ask, size_t limit, char next[NEXT_STRLEN])
{
	size_t n = 0, worker_n = t->admin->worker_n;
	struct row **rows = calloc(worker_n * limit + 1, sizeof(struct row *));
	json_t *result = rows ? json_array() : NULL;
	bool more = false;

	for (size_t i = 0; rows && i < worker_n; i++) {
		struct answer *a = ask_answer(ask, i);

		more |= a && a->more;
		for (size_t k = 0; a && k < a->n; k++)
			rows[n++] = &a->row[k];
	}
	if (rows)
		qsort(rows, n, sizeof(struct row *), compare);
	more |= n > limit;
	for (size_t i = 0; i < n && i < limit; i++)
		json_array_append_new(result, describe(rows[i]));
	*next = 0;
	if (n && more) {
		const struct row *last = rows[(n < limit ? n : limit) - 1];

		snprintf(next, NEXT_STRLEN, "%" PRIu64 ".%s", last->s.created_ms, last->s.id);
	}
	free(rows);
	return result;
}

/* NULL: no memory. */
static json_t *ask_for(struct admin_task *t, struct question *q, char next[NEXT_STRLEN],
                       bool *complete)
{
	struct ask *ask = ask_new(t->admin->worker_n, q, sizeof(*q),
	                          sizeof(struct answer) + q->max * sizeof(struct row));
	json_t *result;

	if (!ask)
		return NULL;
	*complete =
	    ask_workers(ask, t->admin->workers, t->admin->worker_n, list_on) == t->admin->worker_n;
	result = page(t, ask, q->max, next);
	ask_free(ask);
	return result;
}

static int list(struct admin_task *t, struct why *why)
{
	struct question q = {
	    .query = {.before_ms = UINT64_MAX, .key_source = task_number(t, "secret", 0)}};
	int64_t limit = task_number(t, "limit", VERB_PAGE_DEFAULT);
	const char *after = task_text(t, "after"), *user = task_text(t, "user");
	bool complete = false;
	char next[NEXT_STRLEN];
	json_t *found;

	if (limit < 1 || limit > VERB_PAGE_MAX)
		return why_set(why, -E_PARSE, "sessions: limit is from 1 to %d", VERB_PAGE_MAX);
	if (after && parse_after(after, &q.query, why))
		return -E_PARSE;
	if (user) {
		q.of_user = true;
		snprintf(q.user, sizeof(q.user), "%s", user);
	}
	q.max = (size_t)limit;
	found = ask_for(t, &q, next, &complete);
	return task_done(t,
	                 json_pack("{so ss? sb}", "sessions", found, "next", *next ? next : NULL,
	                           "complete", complete),
	                 why);
}

json_t *sessions_of_secret(struct admin_task *t, int64_t id)
{
	struct question q = {.query = {.before_ms = UINT64_MAX, .key_source = id},
	                     .max = VERB_PAGE_DEFAULT};
	bool complete;
	char next[NEXT_STRLEN];

	return ask_for(t, &q, next, &complete);
}

struct secrets {
	size_t n;
	int64_t id[];
};

static void count_on(struct turn *t, const void *question, void *answer)
{
	const struct secrets *q = question;
	uint64_t *counts = answer;

	for (size_t i = 0; i < q->n; i++)
		counts[i] = turn_count_sessions(t, q->id[i]);
}

bool sessions_count(struct admin_task *t, const int64_t *ids, size_t n, uint64_t *counts)
{
	size_t size = sizeof(struct secrets) + n * sizeof(*ids), answered;
	struct secrets *q = malloc(size);
	struct ask *ask;

	if (!q)
		return false;
	q->n = n;
	memcpy(q->id, ids, n * sizeof(*ids));
	ask = ask_new(t->admin->worker_n, q, size, (n + 1) * sizeof(*counts));
	free(q);
	if (!ask)
		return false;
	answered = ask_workers(ask, t->admin->workers, t->admin->worker_n, count_on);
	for (size_t i = 0; i < t->admin->worker_n; i++) {
		const uint64_t *part = ask_answer(ask, i);

		for (size_t k = 0; part && k < n; k++)
			counts[k] += part[k];
	}
	ask_free(ask);
	return answered == t->admin->worker_n;
}

static void close_one(struct turn *t, const void *question, void *answer)
{
	*(bool *)answer = !turn_close_session(t, question);
}

static int session_close(struct admin_task *t, struct why *why)
{
	const char *id = task_text(t, "id");
	unsigned worker;
	uint64_t number;
	struct ask *ask;
	bool closed = false;
	size_t answered;

	if (turn_session_id_parse(id, &worker, &number))
		return why_set(why, -E_INVAL, "\"%.64s\" is not a session: its ID is as in t0-1f",
		               id);
	ask = ask_new(t->admin->worker_n, id, strlen(id) + 1, sizeof(bool));
	if (!ask)
		return why_set(why, -E_NOMEM, "out of memory");
	/* A session that has moved lives on another worker than the one of its name. */
	answered = ask_workers(ask, t->admin->workers, t->admin->worker_n, close_one);
	for (size_t i = 0; i < t->admin->worker_n; i++)
		closed |= ask_answer(ask, i) && *(bool *)ask_answer(ask, i);
	ask_free(ask);
	if (!closed && answered < t->admin->worker_n)
		return why_set(why, -E_TIMEOUT, "a relay worker has not answered: try again");
	if (!closed)
		return why_set(why, -E_NOTFOUND, "no session %s lives: see the list of sessions",
		               id);
	task_audit(t, "session close", id);
	return task_done(t, json_pack("{ss}", "closed", id), why);
}

const struct verb_member session_members[] = {
    MEMBER("id", VERB_TEXT, "The session's ID, as in t0-1f"),
    MEMBER("user", VERB_TEXT, "The username; what cannot be shown is shown by its number"),
    MEMBER("realm", VERB_TEXT, "Its realm"),
    MEMBER("transport", VERB_TEXT, "udp, tcp, tls or dtls"),
    MEMBER("client", VERB_TEXT, "The client's address and port, as the server sees them"),
    MEMBER("relayed", VERB_TEXTS, "The relayed transport addresses"),
    MEMBER_OR_NULL("secret", VERB_INTEGER,
                   "The shared secret that it was opened with; null for a static user"),
    MEMBER("age_s", VERB_INTEGER, "Seconds since it was opened"),
    MEMBER("expires_in_s", VERB_INTEGER, "Seconds until it ends unless it is refreshed"),
    MEMBER_OR_NULL("credential_expires_at", VERB_TIME, "When the credential ends"),
    MEMBER("peers", VERB_INTEGER, "Permissions"),
    MEMBER("channels", VERB_INTEGER, "Channels"),
    MEMBER("connections", VERB_INTEGER, "TCP connections to peers"),
    MEMBER("to_peer_packets", VERB_INTEGER, "Packets to peers"),
    MEMBER("to_peer_bytes", VERB_INTEGER, "Bytes to peers"),
    MEMBER("to_client_packets", VERB_INTEGER, "Packets to the client"),
    MEMBER("to_client_bytes", VERB_INTEGER, "Bytes to the client"),
    MEMBER("bandwidth_drops", VERB_INTEGER, "Packets dropped by a bandwidth limit"),
    {0},
};

const struct verb sessions_verbs[] = {
    {VERB("sessions", VERB_READS, VERB_NEEDS_SERVER, list,
          "List the live allocations of all workers, the newest first; of a user, or opened with a "
          "shared secret"),
     .args = {ARGS_PAGE, ARG_AS("user", VERB_TEXT, 0, "NAME", "Of this user alone"),
              ARG_AS("secret", VERB_INTEGER, 0, "ID", "Opened with this shared secret alone")},
     .answer =
         MEMBERS({"sessions", VERB_ROWS, false, "The newest first", session_members}, MEMBER_NEXT,
                 MEMBER("complete", VERB_BOOLEAN, "False: a relay worker did not answer in time")),
     .text =
         {.say = "{?complete:|turnpike: a relay worker has not answered: its sessions are missing}",
          .list = "sessions",
          .head = SESSION_HEAD,
          .line = SESSION_LINE,
          .none = "no sessions",
          .example = "{\"limit\":20}"}},
    {VERB("session close", VERB_ACTS, VERB_NEEDS_SERVER, session_close, "End an allocation"),
     .args = {ARG_AS("id", VERB_TEXT, ARG_REQUIRED | ARG_WORD, "ID", "The session's ID")},
     .answer = MEMBERS(MEMBER("closed", VERB_TEXT, "The session's ID")),
     .text = {.say = "session {closed} closed", .example = "{\"id\":\"t0-1f\"}"}},
    {0},
};

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Verbs on live allocations, asked of the workers.
 */
#include "daemon/admin/admin_internal.h"

#include "daemon/admin/ask.h"
#include "store/name.h"
#include "turn/sessions.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     500

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

static void list(struct turn *t, const void *question, void *answer)
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
	    "{ss so ss ss ss so sI sI sI sI si si si sI sI sI sI sI}", "id", s->id, "user",
	    admin_string(r->username, s->username_len), "realm", r->realm, "transport",
	    turn_protocol_text(s->protocol), "client", addr_format(&s->client, client), "relayed",
	    addrs, "secret", (json_int_t)s->origin, "age_s", (json_int_t)(s->age_ms / 1000),
	    "expires_in_s", (json_int_t)(s->expires_in_ms / 1000), "credential_expires_at",
	    (json_int_t)s->credential_expires_at_s, "peers", (int)s->peers, "channels",
	    (int)s->channels, "connections", (int)s->connections, "to_peer_packets",
	    (json_int_t)s->to_peer_packets, "to_peer_bytes", (json_int_t)s->to_peer_bytes,
	    "to_client_packets", (json_int_t)s->to_client_packets, "to_client_bytes",
	    (json_int_t)s->to_client_bytes, "bandwidth_drops", (json_int_t)s->bandwidth_drops);
}

/* "123456.t0-1f": when the last of the page was born, and which it was. */
static int parse_after(const char *after, struct turn_session_query *q, struct why *why)
{
	char id[TURN_SESSION_ID_STRLEN];

	if (sscanf(after, "%" SCNu64 ".%19s", &q->before_ms, id) != 2 ||
	    turn_session_id_parse(id, &q->before_worker, &q->before_number))
		return why_set(why, -E_INVAL,
		               "sessions: after is what the page before gave as its next");
	return 0;
}

static int page(struct admin_task *t, struct ask *ask, size_t answered, size_t limit,
                struct why *why)
{
	size_t n = 0, worker_n = t->admin->worker_n;
	struct row **rows = calloc(worker_n * limit, sizeof(struct row *));
	json_t *result = json_array();
	char next[64] = "";
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
	if (n && more) {
		const struct row *last = rows[(n < limit ? n : limit) - 1];

		snprintf(next, sizeof(next), "%" PRIu64 ".%s", last->s.created_ms, last->s.id);
	}
	free(rows);
	return admin_done(t,
	                  json_pack("{so ss* sb}", "sessions", result, "next", *next ? next : NULL,
	                            "complete", answered == worker_n),
	                  why);
}

int admin_sessions(struct admin_task *t, struct why *why)
{
	struct question q = {
	    .query = {.before_ms = UINT64_MAX, .origin = admin_number(t, "secret", 0)}};
	int64_t limit = admin_number(t, "limit", LIMIT_DEFAULT);
	const char *after = admin_text(t, "after"), *user = admin_text(t, "user");
	struct ask *ask;
	int r = 0;

	if (limit < 1 || limit > LIMIT_MAX)
		return why_set(why, -E_INVAL, "sessions: limit is from 1 to %d", LIMIT_MAX);
	if (after)
		r = parse_after(after, &q.query, why);
	if (r)
		return r;
	if (user) {
		q.of_user = true;
		snprintf(q.user, sizeof(q.user), "%s", user);
	}
	q.max = (size_t)limit;
	ask = ask_new(t->admin->worker_n, &q, sizeof(q),
	              sizeof(struct answer) + (size_t)limit * sizeof(struct row));
	if (!ask)
		return why_set(why, -E_NOMEM, "out of memory");
	r = page(t, ask, ask_workers(ask, t->admin->workers, t->admin->worker_n, list),
	         (size_t)limit, why);
	ask_free(ask);
	return r;
}

struct secrets {
	size_t n;
	int64_t id[];
};

static void count(struct turn *t, const void *question, void *answer)
{
	const struct secrets *q = question;
	uint64_t *counts = answer;

	for (size_t i = 0; i < q->n; i++)
		counts[i] = turn_count_sessions(t, q->id[i]);
}

bool admin_count_by_secret(struct admin_task *t, const int64_t *ids, size_t n, uint64_t *counts)
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
	answered = ask_workers(ask, t->admin->workers, t->admin->worker_n, count);
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

int admin_session_close(struct admin_task *t, struct why *why)
{
	const char *id = admin_text(t, "id");
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
	admin_audit(t, "session close", id);
	return admin_done(t, json_pack("{ss}", "closed", id), why);
}

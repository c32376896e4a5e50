/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Live allocations as an operator sees them.
 */
#include "turn/sessions.h"

#include "base/error.h"
#include "base/username.h"
#include "turn/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *turn_protocol_text(enum turn_protocol protocol)
{
	static const char *const texts[] = {
#define X(name, text) [name] = text,
	    TURN_PROTOCOL_TABLE(X)
#undef X
	};

	return texts[protocol];
}

int turn_session_id_parse(const char *id, unsigned *worker, uint64_t *number)
{
	unsigned long long n;
	unsigned w;
	int end = 0;

	if (strlen(id) >= TURN_SESSION_ID_STRLEN ||
	    sscanf(id, "t%4u-%16llx%n", &w, &n, &end) != 2 || id[end])
		return -E_PARSE;
	*worker = w;
	*number = n;
	return 0;
}

bool turn_username_is(const char *username, size_t len, const char *user)
{
	size_t user_len = strlen(user);
	struct username u;

	if (len == user_len && !memcmp(username, user, len))
		return true;
	return !username_parse(username, len, &u) && u.name_len == user_len &&
	       !memcmp(u.name, user, user_len);
}

static bool is_before(const struct turn_alloc *a, const struct turn_session_query *q)
{
	unsigned worker = 0;
	uint64_t number = 0;

	if (a->created_ms != q->before_ms)
		return a->created_ms < q->before_ms;
	turn_session_id_parse(a->id, &worker, &number);
	return worker == q->before_worker ? number < q->before_number : worker > q->before_worker;
}

static void describe(const struct turn_alloc *a, struct turn_session *s)
{
	const struct turn *t = a->turn;

	memset(s, 0, sizeof(*s));
	memcpy(s->id, a->id, sizeof(s->id));
	s->realm = t->conf.realm[a->realm];
	s->username = a->username;
	s->username_len = a->username_len;
	s->third_party = a->third_party;
	s->key_source = a->third_party ? 0 : a->key_source;
	s->protocol = a->path.side ? a->path.side->protocol : TURN_UDP;
	s->client = a->path.client;
	for (int i = 0; i < 2; i++)
		if (a->half[i].expires_ms)
			s->relayed[i] = a->half[i].relayed;
	s->created_ms = a->created_ms;
	s->age_ms = t->now_ms - a->created_ms;
	s->expires_in_ms = a->due_ms > t->now_ms ? a->due_ms - t->now_ms : 0;
	s->credential_expires_at_s = a->third_party ? 0 : a->credential_expires_at_s;
	for (size_t i = 0; i < a->perm_n; i++)
		s->peers += a->perms[i].until_ms > t->now_ms;
	for (size_t i = 0; i < a->chan_n; i++)
		s->channels += a->chans[i].until_ms > t->now_ms;
	s->connections = a->conn_n;
	s->to_peer_packets = a->to_peer_packets;
	s->to_peer_bytes = a->to_peer_bytes;
	s->to_client_packets = a->to_client_packets;
	s->to_client_bytes = a->to_client_bytes;
	s->bandwidth_drops = a->bandwidth_drops;
}

/* The table keeps the order in which they came. */
static struct turn_alloc *newest(const struct turn *t)
{
	return t->allocs ? ELMT_FROM_HH(t->allocs->hh.tbl, t->allocs->hh.tbl->tail) : NULL;
}

void turn_list_sessions(struct turn *t, const struct turn_session_query *query, turn_session_fn *fn,
                        void *ctx)
{
	struct turn_session s;

	t->now_ms = env_now_ms(t->env);
	for (struct turn_alloc *a = newest(t); a; a = a->hh.prev) {
		if (!is_before(a, query))
			continue;
		if (query->user && !turn_username_is(a->username, a->username_len, query->user))
			continue;
		if (query->key_source && (a->third_party || a->key_source != query->key_source))
			continue;
		describe(a, &s);
		if (!fn(ctx, &s))
			return;
	}
}

size_t turn_count_sessions(const struct turn *t, int64_t key_source)
{
	size_t n = 0;

	for (const struct turn_alloc *a = t->allocs; a; a = a->hh.next)
		n += !a->third_party && a->key_source == key_source;
	return n;
}

int turn_close_session(struct turn *t, const char *id)
{
	t->now_ms = env_now_ms(t->env);
	for (struct turn_alloc *a = newest(t); a; a = a->hh.prev) {
		if (strcmp(a->id, id) != 0)
			continue;
		turn_alloc_close(a, TURN_CLOSE_OPERATOR);
		return 0;
	}
	return -E_NOTFOUND;
}

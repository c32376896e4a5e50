/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Verbs on the store.
 */
#include "daemon/admin/admin_internal.h"

#include "daemon/grant.h"
#include "store/audit.h"
#include "store/name.h"
#include "store/revoke.h"
#include "store/usage.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define USERS_DEFAULT 100
#define USERS_MAX     1000
#define AUDIT_DEFAULT 50
#define AUDIT_MAX     1000
#define USAGE_DAYS    31
#define USAGE_ROWS    5000

struct rows {
	json_t *array;
	const char *after; /* users: those behind this one */
	int64_t max;
	bool more;
};

static int add(struct rows *rows, json_t *row)
{
	return json_array_append_new(rows->array, row) ? -E_NOMEM : 0;
}

/* {name: rows}, once the walk went well. */
static int list_done(struct admin_task *t, struct rows *rows, int r, const char *name,
                     struct why *why)
{
	if (r && !why->text[0])
		why_set(why, r, "%s", error_text(r));
	if (r) {
		json_decref(rows->array);
		return r;
	}
	return admin_done(t, json_pack("{so sb}", name, rows->array, "more", rows->more), why);
}

/* ---- users ---- */

static int each_user(void *ctx, const struct store_user *u)
{
	struct rows *rows = ctx;
	char key[REALM_MAX_LEN + NAME_MAX_LEN + 2];

	/* A tab is in neither, and sorts before all that is: the keys' order is that of the rows.
	 */
	snprintf(key, sizeof(key), "%s\t%s", u->realm, u->name);
	if (rows->after && strcmp(key, rows->after) <= 0)
		return 0;
	if ((int64_t)json_array_size(rows->array) == rows->max) {
		rows->more = true;
		return 0;
	}
	return add(rows, json_pack("{ss ss sI sb ss}", "name", u->name, "realm", u->realm,
	                           "created_at", (json_int_t)u->created_at_s, "disabled",
	                           u->disabled_at_s != 0, "place", key));
}

int admin_users(struct admin_task *t, struct why *why)
{
	struct rows rows = {.after = admin_text(t, "after"),
	                    .max = admin_number(t, "limit", USERS_DEFAULT)};

	if (rows.max < 1 || rows.max > USERS_MAX)
		return why_set(why, -E_INVAL, "users: limit is from 1 to %d", USERS_MAX);
	rows.array = json_array();
	return list_done(t, &rows, store_user_list(t->store, each_user, &rows, why), "users", why);
}

static const char *realm(const struct admin_task *t)
{
	const char *given = admin_text(t, "realm");

	return given ? given : t->admin->live->conf.realm.v[0];
}

/* A user of a realm that is not served could never sign in. */
static int check_served(const struct admin_task *t, struct why *why)
{
	const struct conf *conf = &t->admin->live->conf;

	for (size_t i = 0; i < conf->realm.n; i++)
		if (!strcmp(conf->realm.v[i], realm(t)))
			return 0;
	return why_set(why, -E_INVAL, "there is no realm \"%.64s\": see the option realm",
	               realm(t));
}

int admin_user_add(struct admin_task *t, struct why *why)
{
	const char *given = admin_text(t, "password"), *name = admin_text(t, "name");
	char made[STORE_PASSWORD_STRLEN] = "";
	int r = check_served(t, why);

	if (!r && !given && store_make_password(made))
		r = why_set(why, -E_IO, "the system gives no random numbers");
	if (!r)
		r = store_user_add(t->store, realm(t), name, given ? given : made, why);
	if (!r)
		r = admin_done(t,
		               json_pack("{ss ss ss*}", "name", name, "realm", realm(t), "password",
		                         given ? NULL : made),
		               why);
	explicit_bzero(made, sizeof(made));
	return r;
}

static int named(struct admin_task *t, struct why *why)
{
	return admin_done(t, json_pack("{ss ss}", "name", admin_text(t, "name"), "realm", realm(t)),
	                  why);
}

int admin_user_del(struct admin_task *t, struct why *why)
{
	int r = store_user_del(t->store, realm(t), admin_text(t, "name"), why);

	return r ? r : named(t, why);
}

static int enable(struct admin_task *t, bool enabled, struct why *why)
{
	int r = store_user_enable(t->store, realm(t), admin_text(t, "name"), enabled, why);

	return r ? r : named(t, why);
}

int admin_user_enable(struct admin_task *t, struct why *why)
{
	return enable(t, true, why);
}

int admin_user_disable(struct admin_task *t, struct why *why)
{
	return enable(t, false, why);
}

/* ---- secrets ---- */

static int each_secret(void *ctx, const struct store_secret *s)
{
	return add(ctx, json_pack("{sI sI sI sb sb}", "id", (json_int_t)s->id, "created_at",
	                          (json_int_t)s->created_at_s, "retired_at",
	                          (json_int_t)s->retired_at_s, "live", s->live, "ended", s->ended));
}

/* A worker that does not answer in time has none to show. */
static int count_allocations(struct admin_task *t, json_t *secrets, struct why *why)
{
	size_t i, n = json_array_size(secrets);
	int64_t *ids = calloc(n + 1, sizeof(*ids));
	uint64_t *counts = calloc(n + 1, sizeof(*counts));
	json_t *secret;
	int r = ids && counts ? 0 : why_set(why, -E_NOMEM, "out of memory");

	if (!r) {
		json_array_foreach (secrets, i, secret)
			ids[i] = json_integer_value(json_object_get(secret, "id"));
		admin_count_by_secret(t, ids, n, counts);
		json_array_foreach (secrets, i, secret)
			json_object_set_new(secret, "allocations",
			                    json_integer((json_int_t)counts[i]));
	}
	free(ids);
	free(counts);
	return r;
}

int admin_secrets(struct admin_task *t, struct why *why)
{
	struct rows rows = {.array = json_array()};
	int r = store_secret_list(t->store, each_secret, &rows, why);

	if (!r)
		r = count_allocations(t, rows.array, why);
	return list_done(t, &rows, r, "secrets", why);
}

int admin_secret_add(struct admin_task *t, struct why *why)
{
	const char *given = admin_text(t, "value");
	char made[SECRET_MAX_LEN + 1];
	int64_t id;
	int r = store_secret_add(t->store, given, made, &id, why);

	if (!r)
		r = admin_done(
		    t, json_pack("{sI ss*}", "id", (json_int_t)id, "value", given ? NULL : made),
		    why);
	explicit_bzero(made, sizeof(made));
	return r;
}

int admin_secret_retire(struct admin_task *t, struct why *why)
{
	int64_t id = admin_number(t, "id", 0);
	bool now = admin_flag(t, "now"), complete;
	uint64_t living = 0;
	int r;

	if (now && json_object_get(t->args, "after_s"))
		return why_set(why, -E_INVAL,
		               "secret retire: now or after_s: one excludes the other");
	complete = admin_count_by_secret(t, &id, 1, &living);
	r = now ? store_secret_end(t->store, id, why)
	        : store_secret_retire(t->store, id, admin_number(t, "after_s", 0), why);
	return r ? r
	         : admin_done(t,
	                      json_pack("{sI sI sb sb}", "id", (json_int_t)id, "allocations",
	                                (json_int_t)living, "ended", now, "complete", complete),
	                      why);
}

/* ---- tokens ---- */

static int each_token(void *ctx, const struct store_token *k)
{
	char scopes[STORE_SCOPES_STRLEN];

	return add(ctx,
	           json_pack("{sI ss ss sI sI sI}", "id", (json_int_t)k->id, "label", k->label,
	                     "scopes", store_scopes_text(k->scopes, scopes), "created_at",
	                     (json_int_t)k->created_at_s, "expires_at", (json_int_t)k->expires_at_s,
	                     "last_used_at", (json_int_t)k->last_used_at_s));
}

int admin_tokens(struct admin_task *t, struct why *why)
{
	struct rows rows = {.array = json_array()};

	return list_done(t, &rows, store_token_list(t->store, each_token, &rows, why), "tokens",
	                 why);
}

int admin_token_add(struct admin_task *t, struct why *why)
{
	const char *label = admin_text(t, "label"), *given = admin_text(t, "scopes");
	int64_t expires = admin_number(t, "expires_in_s", 0), id;
	unsigned scopes = STORE_SCOPES_DEFAULT;
	char token[STORE_TOKEN_STRLEN], text[STORE_SCOPES_STRLEN];
	int r = 0;

	if (expires < 0 || expires > STORE_AFTER_MAX_S)
		return why_set(why, -E_INVAL, "token add: expires_in_s is from 0 (never) to %d",
		               STORE_AFTER_MAX_S);
	if (given)
		r = store_scopes_parse(given, &scopes, why);
	if (!r)
		r = store_token_add(t->store, label ? label : "", scopes,
		                    expires ? store_now_s(t->store) + expires : 0, token, &id, why);
	if (r)
		return r;
	r = admin_done(t,
	               json_pack("{sI ss ss}", "id", (json_int_t)id, "token", token, "scopes",
	                         store_scopes_text(scopes, text)),
	               why);
	explicit_bzero(token, sizeof(token));
	return r;
}

int admin_token_del(struct admin_task *t, struct why *why)
{
	int64_t id = admin_number(t, "id", 0);
	int r = store_token_del(t->store, id, why);

	return r ? r : admin_done(t, json_pack("{sI}", "id", (json_int_t)id), why);
}

/* ---- revocations ---- */

static int check_whom(const struct admin_task *t, struct why *why)
{
	if (!admin_text(t, "user") == !admin_text(t, "credential"))
		return why_set(why, -E_INVAL, "name either a user or a credential");
	return 0;
}

int admin_revoke(struct admin_task *t, struct why *why)
{
	const char *user = admin_text(t, "user"), *credential = admin_text(t, "credential");
	struct store *s = t->store;
	unsigned disabled = 0;
	int r = check_whom(t, why);

	if (!r && user)
		r = store_revoke_user(s, user, t->admin->live->conf.max_credential_ttl, &disabled,
		                      why);
	else if (!r)
		r = store_revoke_credential(s, credential, why);
	if (r)
		return r;
	t->admin->grant->revoked++;
	return admin_done(t,
	                  json_pack("{ss* ss* si}", "user", user, "credential", credential,
	                            "disabled", (int)disabled),
	                  why);
}

int admin_unrevoke(struct admin_task *t, struct why *why)
{
	const char *user = admin_text(t, "user"), *credential = admin_text(t, "credential");
	int r = check_whom(t, why);

	if (!r)
		r = user ? store_unrevoke_user(t->store, user, why)
		         : store_unrevoke_credential(t->store, credential, why);
	return r ? r
	         : admin_done(t, json_pack("{ss* ss*}", "user", user, "credential", credential),
	                      why);
}

static int each_revocation(void *ctx, const struct store_revocation *r)
{
	return add(ctx, json_pack("{ss ss sI sI}", "what",
	                          r->what == STORE_REVOKED_USER ? "user" : "credential", "name",
	                          r->name, "revoked_at", (json_int_t)r->revoked_at_s, "until",
	                          (json_int_t)r->until_s));
}

int admin_revocations(struct admin_task *t, struct why *why)
{
	struct rows rows = {.array = json_array()};

	return list_done(t, &rows, store_revocation_list(t->store, each_revocation, &rows, why),
	                 "revocations", why);
}

/* ---- usage and audit ---- */

static int each_usage(void *ctx, const struct store_usage *u)
{
	struct rows *rows = ctx;
	char day[USAGE_DAY_STRLEN];
	json_t *row;

	if (json_array_size(rows->array) == USAGE_ROWS) {
		rows->more = true;
		return 0;
	}
	row = json_pack("{ss ss}", "day", store_day_text(u->day, day), "user", u->user);
#define X(name)                                                                                    \
	if (row)                                                                                   \
		json_object_set_new(row, #name, json_integer((json_int_t)u->n.name));
	USAGE_TABLE(X)
#undef X
	return add(rows, row);
}

int admin_usage(struct admin_task *t, struct why *why)
{
	const char *from = admin_text(t, "from"), *to = admin_text(t, "to");
	int64_t last = time(NULL) / 86400, first;
	struct rows rows = {.array = NULL};
	int r = to ? store_day_parse(to, &last, why) : 0;

	first = last - USAGE_DAYS;
	if (!r && from)
		r = store_day_parse(from, &first, why);
	if (!r && first > last)
		r = why_set(why, -E_INVAL, "usage: from is later than to");
	if (r)
		return r;
	rows.array = json_array();
	return list_done(
	    t, &rows,
	    store_usage_list(t->store, admin_text(t, "user"), first, last, each_usage, &rows, why),
	    "usage", why);
}

static int each_audit(void *ctx, const struct store_audit *a)
{
	return add(ctx,
	           json_pack("{sI sI ss ss ss}", "id", (json_int_t)a->id, "at", (json_int_t)a->at_s,
	                     "actor", a->actor, "act", a->act, "object", a->object));
}

int admin_audit_list(struct admin_task *t, struct why *why)
{
	int64_t last = admin_number(t, "last", AUDIT_DEFAULT);
	struct rows rows = {.array = NULL};

	if (last < 1 || last > AUDIT_MAX)
		return why_set(why, -E_INVAL, "audit: last is from 1 to %d", AUDIT_MAX);
	rows.array = json_array();
	return list_done(t, &rows, store_audit_list(t->store, last, each_audit, &rows, why),
	                 "audit", why);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The store's content at one instant. Users are sorted by realm and name as bytes, as SQLite's
 * BINARY collation delivers them, and found by bisection.
 */
#include "store/snapshot.h"

#include "store/credential.h"
#include "store/internal.h"

#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct snapshot_text {
	size_t off, len; /* into text; NUL-terminated there */
};

struct snapshot_user {
	struct store_keys keys;
	struct snapshot_text realm, name;
	bool enabled;
};

struct snapshot_token {
	uint8_t hash[STORE_HASH_LEN];
	int64_t id, expires_at_s;
	unsigned scopes;
	struct snapshot_text label;
};

/* Sorted by their bytes, as SQLite's BINARY collation delivers them. */
struct snapshot_revocation {
	struct snapshot_text name;
	int64_t until_s;
};

struct snapshot_revocations {
	struct snapshot_revocation *v;
	size_t n, cap;
};

struct store_snapshot {
	atomic_uint refs;
	struct snapshot_user *users;
	size_t user_n, user_cap;
	size_t *by_hash; /* indices of users, sorted by userhash */
	struct snapshot_secret {
		int64_t id;
		struct snapshot_text value;
	} * secrets;
	size_t secret_n, secret_cap;
	struct snapshot_ticket_key {
		int64_t id;
		bool signs;
		struct snapshot_text kid, alg, jwk;
	} * ticket_keys;
	size_t ticket_key_n, ticket_key_cap;
	int64_t *dead_ticket_keys; /* by number */
	size_t dead_ticket_key_n, dead_ticket_key_cap;
	int64_t *ended; /* secrets, by number */
	size_t ended_n, ended_cap;
	struct snapshot_token *tokens;
	size_t token_n, token_cap;
	struct snapshot_revocations credentials, revoked_users, reissued;
	int64_t now_s, next_end_s;
	char *text;
	size_t text_len, text_cap;
};

/* Makes room for need more elements; 0 or -E_NOMEM. */
static int grow(void *array, size_t size, size_t n, size_t *cap, size_t need)
{
	void **p = array;
	size_t want = *cap ? *cap : 16;
	void *mem;

	if (n + need <= *cap)
		return 0;
	while (want < n + need)
		want *= 2;
	mem = reallocarray(*p, want, size);
	if (!mem)
		return -E_NOMEM;
	*p = mem;
	*cap = want;
	return 0;
}

static int add_text(struct store_snapshot *snap, sqlite3_stmt *stmt, int column,
                    struct snapshot_text *out)
{
	const void *text = sqlite3_column_text(stmt, column);
	size_t n = (size_t)sqlite3_column_bytes(stmt, column);

	if (!text || grow(&snap->text, 1, snap->text_len, &snap->text_cap, n + 1))
		return -E_NOMEM;
	memcpy(snap->text + snap->text_len, text, n);
	snap->text[snap->text_len + n] = 0;
	out->off = snap->text_len;
	out->len = n;
	snap->text_len += n + 1;
	return 0;
}

/* The snapshot is good until then. */
static void note_end(struct store_snapshot *snap, int64_t when_s)
{
	if (when_s > snap->now_s && when_s < snap->next_end_s)
		snap->next_end_s = when_s;
}

static int get_blob(sqlite3_stmt *stmt, int column, void *out, size_t len)
{
	if ((size_t)sqlite3_column_bytes(stmt, column) != len)
		return -E_CORRUPT;
	memcpy(out, sqlite3_column_blob(stmt, column), len);
	return 0;
}

static int add_user(struct store_snapshot *snap, sqlite3_stmt *stmt)
{
	struct snapshot_user *u;
	int err = grow(&snap->users, sizeof(*u), snap->user_n, &snap->user_cap, 1);

	if (err)
		return err;
	u = &snap->users[snap->user_n];
	u->enabled = sqlite3_column_type(stmt, 5) == SQLITE_NULL;
	if ((err = add_text(snap, stmt, 0, &u->realm)) ||
	    (err = add_text(snap, stmt, 1, &u->name)) ||
	    (err = get_blob(stmt, 2, u->keys.md5, sizeof(u->keys.md5))) ||
	    (err = get_blob(stmt, 3, u->keys.sha256, sizeof(u->keys.sha256))) ||
	    (err = get_blob(stmt, 4, u->keys.userhash, sizeof(u->keys.userhash))))
		return err;
	snap->user_n++;
	return 0;
}

static int add_secret(struct store_snapshot *snap, sqlite3_stmt *stmt)
{
	int err =
	    grow(&snap->secrets, sizeof(*snap->secrets), snap->secret_n, &snap->secret_cap, 1);

	if (!err)
		err = add_text(snap, stmt, 0, &snap->secrets[snap->secret_n].value);
	if (!err)
		snap->secrets[snap->secret_n++].id = sqlite3_column_int64(stmt, 2);
	note_end(snap, sqlite3_column_int64(stmt, 1));
	return err;
}

static int add_ticket_key(struct store_snapshot *snap, sqlite3_stmt *stmt)
{
	struct snapshot_ticket_key *k;
	int err =
	    grow(&snap->ticket_keys, sizeof(*k), snap->ticket_key_n, &snap->ticket_key_cap, 1);

	if (err)
		return err;
	k = &snap->ticket_keys[snap->ticket_key_n];
	k->id = sqlite3_column_int64(stmt, 0);
	k->signs = sqlite3_column_int(stmt, 1);
	if ((err = add_text(snap, stmt, 2, &k->kid)) || (err = add_text(snap, stmt, 3, &k->alg)) ||
	    (err = add_text(snap, stmt, 4, &k->jwk)))
		return err;
	snap->ticket_key_n++;
	note_end(snap, sqlite3_column_int64(stmt, 5));
	return 0;
}

static int add_dead_ticket_key(struct store_snapshot *snap, sqlite3_stmt *stmt)
{
	int err = grow(&snap->dead_ticket_keys, sizeof(*snap->dead_ticket_keys),
	               snap->dead_ticket_key_n, &snap->dead_ticket_key_cap, 1);

	if (!err)
		snap->dead_ticket_keys[snap->dead_ticket_key_n++] = sqlite3_column_int64(stmt, 0);
	return err;
}

static int add_ended(struct store_snapshot *snap, sqlite3_stmt *stmt)
{
	int err = grow(&snap->ended, sizeof(*snap->ended), snap->ended_n, &snap->ended_cap, 1);

	if (!err)
		snap->ended[snap->ended_n++] = sqlite3_column_int64(stmt, 0);
	return err;
}

static int add_token(struct store_snapshot *snap, sqlite3_stmt *stmt)
{
	int err = grow(&snap->tokens, sizeof(*snap->tokens), snap->token_n, &snap->token_cap, 1);
	struct snapshot_token *t;

	if (err)
		return err;
	t = &snap->tokens[snap->token_n];
	t->id = sqlite3_column_int64(stmt, 1);
	t->scopes = (unsigned)sqlite3_column_int(stmt, 2);
	t->expires_at_s = sqlite3_column_int64(stmt, 3);
	if ((err = get_blob(stmt, 0, t->hash, sizeof(t->hash))) ||
	    (err = add_text(snap, stmt, 4, &t->label)))
		return err;
	snap->token_n++;
	note_end(snap, t->expires_at_s);
	return 0;
}

static int add_revocation(struct store_snapshot *snap, struct snapshot_revocations *to,
                          sqlite3_stmt *stmt)
{
	int err = grow(&to->v, sizeof(*to->v), to->n, &to->cap, 1);

	if (!err)
		err = add_text(snap, stmt, 0, &to->v[to->n].name);
	if (err)
		return err;
	to->v[to->n++].until_s = sqlite3_column_int64(stmt, 1);
	note_end(snap, sqlite3_column_int64(stmt, 1));
	return 0;
}

static int add_revoked_credential(struct store_snapshot *snap, sqlite3_stmt *stmt)
{
	return add_revocation(snap, &snap->credentials, stmt);
}

static int add_revoked_user(struct store_snapshot *snap, sqlite3_stmt *stmt)
{
	return add_revocation(snap, &snap->revoked_users, stmt);
}

static int add_reissued(struct store_snapshot *snap, sqlite3_stmt *stmt)
{
	return add_revocation(snap, &snap->reissued, stmt);
}

static int read_rows(struct store *s, const char *sql, struct store_snapshot *snap,
                     int (*add)(struct store_snapshot *, sqlite3_stmt *), struct why *why)
{
	sqlite3_stmt *stmt;
	int rc = SQLITE_DONE, err = store_prepare(s, sql, &stmt, why);

	if (err)
		return err;
	if (sqlite3_bind_parameter_count(stmt))
		sqlite3_bind_int64(stmt, 1, snap->now_s);
	while (!err && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		err = add(snap, stmt);
		if (err)
			why_set(why, err, "loading %s: %s", s->path, error_text(err));
	}
	if (!err && rc != SQLITE_DONE)
		err = store_fail(s, "loading the store", why);
	sqlite3_finalize(stmt);
	return err;
}

static int compare_hashes(const void *a, const void *b, void *users)
{
	const struct snapshot_user *u = users;

	return memcmp(u[*(const size_t *)a].keys.userhash, u[*(const size_t *)b].keys.userhash,
	              sizeof(u->keys.userhash));
}

static int sort_hashes(struct store_snapshot *snap)
{
	if (!snap->user_n)
		return 0;
	snap->by_hash = reallocarray(NULL, snap->user_n, sizeof(*snap->by_hash));
	if (!snap->by_hash)
		return -E_NOMEM;
	for (size_t i = 0; i < snap->user_n; i++)
		snap->by_hash[i] = i;
	qsort_r(snap->by_hash, snap->user_n, sizeof(*snap->by_hash), compare_hashes, snap->users);
	return 0;
}

/* ?1 is now. */
static const struct {
	const char *sql;
	int (*add)(struct store_snapshot *snap, sqlite3_stmt *stmt);
} readings[] = {
    {"SELECT realm, name, key_md5, key_sha256, userhash, disabled_at FROM turn_user "
     "ORDER BY realm, name",
     add_user},
    {"SELECT value, coalesce(retired_at, 0), id FROM shared_secret "
     "WHERE NOT dead AND (retired_at IS NULL OR retired_at > ?1) "
     "ORDER BY retired_at IS NOT NULL, retired_at DESC, id DESC",
     add_secret},
    {"SELECT id FROM shared_secret WHERE ended ORDER BY id", add_ended},
    {"SELECT id, signs, kid, alg, jwk, coalesce(retired_at, 0) FROM ticket_key "
     "WHERE NOT dead AND (retired_at IS NULL OR retired_at > ?1) "
     "ORDER BY retired_at IS NOT NULL, retired_at DESC, id DESC",
     add_ticket_key},
    {"SELECT id FROM ticket_key WHERE dead ORDER BY id", add_dead_ticket_key},
    {"SELECT hash, id, scopes, coalesce(expires_at, 0), label FROM api_token "
     "WHERE expires_at IS NULL OR expires_at > ?1",
     add_token},
    {"SELECT name, until FROM revocation WHERE what = 0 AND until > ?1 ORDER BY name",
     add_revoked_credential},
    {"SELECT name, until FROM revocation WHERE what = 1 AND until > ?1 ORDER BY name",
     add_revoked_user},
    {"SELECT username, until FROM reissued WHERE until > ?1 ORDER BY username", add_reissued},
};

int store_snapshot_load(struct store *s, struct store_snapshot **out, struct why *why)
{
	struct store_snapshot *snap = calloc(1, sizeof(*snap));
	int64_t data = 0, own = 0, generation = 0;
	int err;

	if (!snap)
		return why_set(why, -E_NOMEM, "loading %s: out of memory", s->path);
	atomic_init(&snap->refs, 1);
	snap->now_s = store_now_s(s);
	snap->next_end_s = INT64_MAX;
	err = store_exec(s, "BEGIN", why);
	if (err)
		goto out;
	for (size_t i = 0; !err && i < sizeof(readings) / sizeof(*readings); i++)
		err = read_rows(s, readings[i].sql, snap, readings[i].add, why);
	if (!err)
		err = store_generation(s, &generation, why);
	if (!err)
		err = store_get_int(s, "PRAGMA data_version", &data, why);
	if (err) {
		store_exec(s, "ROLLBACK", NULL);
		goto out;
	}
	own = sqlite3_total_changes64(s->db);
	err = store_exec(s, "COMMIT", why);
	if (!err && sort_hashes(snap))
		err = why_set(why, -E_NOMEM, "loading %s: out of memory", s->path);
out:
	if (err) {
		store_snapshot_unref(snap);
		return err;
	}
	s->loaded = true;
	s->seen_data = data;
	s->seen_own = own;
	s->seen_generation = generation;
	s->loaded_at_s = snap->now_s;
	s->next_end_s = snap->next_end_s;
	*out = snap;
	return 0;
}

struct store_snapshot *store_snapshot_ref(struct store_snapshot *snap)
{
	atomic_fetch_add_explicit(&snap->refs, 1, memory_order_relaxed);
	return snap;
}

void store_snapshot_unref(struct store_snapshot *snap)
{
	if (!snap || atomic_fetch_sub_explicit(&snap->refs, 1, memory_order_acq_rel) != 1)
		return;
	OPENSSL_cleanse(snap->users, snap->user_n * sizeof(*snap->users));
	OPENSSL_cleanse(snap->text, snap->text_len);
	free(snap->users);
	free(snap->by_hash);
	free(snap->secrets);
	free(snap->ticket_keys);
	free(snap->dead_ticket_keys);
	free(snap->ended);
	free(snap->tokens);
	free(snap->credentials.v);
	free(snap->revoked_users.v);
	free(snap->reissued.v);
	free(snap->text);
	free(snap);
}

static int compare_bytes(const void *a, size_t a_len, const void *b, size_t b_len)
{
	int diff = memcmp(a, b, a_len < b_len ? a_len : b_len);

	if (diff)
		return diff;
	return a_len < b_len ? -1 : a_len > b_len;
}

const struct store_keys *store_snapshot_user(const struct store_snapshot *snap, const char *realm,
                                             const void *name, size_t len)
{
	size_t realm_len = strlen(realm), low = 0, high = snap->user_n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct snapshot_user *u = &snap->users[mid];
		int diff = compare_bytes(realm, realm_len, snap->text + u->realm.off, u->realm.len);

		if (!diff)
			diff = compare_bytes(name, len, snap->text + u->name.off, u->name.len);
		if (!diff)
			return u->enabled ? &u->keys : NULL;
		if (diff < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

/* "a" with realm "b:c" hashes as "a:b" with realm "c" does, so equal hashes may stand in a row. */
const struct store_keys *store_snapshot_user_by_hash(const struct store_snapshot *snap,
                                                     const char *realm, const uint8_t hash[32],
                                                     const char **name, size_t *len)
{
	size_t low = 0, high = snap->user_n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (memcmp(snap->users[snap->by_hash[mid]].keys.userhash, hash, 32) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < snap->user_n; low++) {
		const struct snapshot_user *u = &snap->users[snap->by_hash[low]];

		if (memcmp(u->keys.userhash, hash, 32) != 0)
			break;
		if (!u->enabled || strcmp(snap->text + u->realm.off, realm) != 0)
			continue;
		*name = snap->text + u->name.off;
		*len = u->name.len;
		return &u->keys;
	}
	return NULL;
}

size_t store_snapshot_secret_n(const struct store_snapshot *snap)
{
	return snap->secret_n;
}

const char *store_snapshot_secret(const struct store_snapshot *snap, size_t i, size_t *len)
{
	*len = snap->secrets[i].value.len;
	return snap->text + snap->secrets[i].value.off;
}

int64_t store_snapshot_secret_id(const struct store_snapshot *snap, size_t i)
{
	return snap->secrets[i].id;
}

size_t store_snapshot_ticket_key_n(const struct store_snapshot *snap)
{
	return snap->ticket_key_n;
}

void store_snapshot_ticket_key(const struct store_snapshot *snap, size_t i,
                               struct store_snapshot_ticket_key *out)
{
	const struct snapshot_ticket_key *k = &snap->ticket_keys[i];

	*out = (struct store_snapshot_ticket_key){.id = k->id,
	                                          .signs = k->signs,
	                                          .kid = snap->text + k->kid.off,
	                                          .alg = snap->text + k->alg.off,
	                                          .jwk = snap->text + k->jwk.off};
}

static int compare_ids(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

bool store_snapshot_ticket_key_dead(const struct store_snapshot *snap, int64_t id)
{
	return snap->dead_ticket_key_n && bsearch(&id, snap->dead_ticket_keys,
	                                          snap->dead_ticket_key_n, sizeof(id), compare_ids);
}

bool store_snapshot_secret_ended(const struct store_snapshot *snap, int64_t id)
{
	return snap->ended_n && bsearch(&id, snap->ended, snap->ended_n, sizeof(id), compare_ids);
}

bool store_snapshot_newly_ended(const struct store_snapshot *now,
                                const struct store_snapshot *before)
{
	for (size_t i = 0; i < now->ended_n; i++)
		if (!store_snapshot_secret_ended(before, now->ended[i]))
			return true;
	return false;
}

bool store_snapshot_token(const struct store_snapshot *snap, const char *token, size_t len,
                          int64_t now_s, struct store_snapshot_token *out)
{
	const struct snapshot_token *found = NULL;
	uint8_t hash[STORE_HASH_LEN];

	if (token_hash(token, len, hash))
		return false;
	for (size_t i = 0; i < snap->token_n; i++)
		if (!CRYPTO_memcmp(snap->tokens[i].hash, hash, sizeof(hash)))
			found = &snap->tokens[i];
	if (!found || (found->expires_at_s && found->expires_at_s <= now_s))
		return false;
	*out = (struct store_snapshot_token){.id = found->id,
	                                     .expires_at_s = found->expires_at_s,
	                                     .scopes = found->scopes,
	                                     .label = snap->text + found->label.off};
	return true;
}

static const struct snapshot_revocation *find_revocation(const struct store_snapshot *snap,
                                                         const struct snapshot_revocations *in,
                                                         const char *name, size_t len)
{
	size_t low = 0, high = in->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct snapshot_text *text = &in->v[mid].name;
		int diff = compare_bytes(name, len, snap->text + text->off, text->len);

		if (!diff)
			return &in->v[mid];
		if (diff < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

bool store_snapshot_revoked(const struct store_snapshot *snap, const char *username, size_t len)
{
	const struct snapshot_revocation *all;
	struct username u;

	if (!snap->credentials.n && !snap->revoked_users.n)
		return false;
	if (find_revocation(snap, &snap->credentials, username, len))
		return true;
	if (username_parse(username, len, &u) || !u.name_len)
		return false;
	all = find_revocation(snap, &snap->revoked_users, u.name, u.name_len);
	return all && u.expires_at_s <= all->until_s &&
	       !find_revocation(snap, &snap->reissued, username, len);
}

bool store_snapshot_credential_revoked(const struct store_snapshot *snap, const char *username)
{
	return find_revocation(snap, &snap->credentials, username, strlen(username));
}

void store_snapshot_newly_revoked(const struct store_snapshot *now,
                                  const struct store_snapshot *before,
                                  void (*each)(void *ctx, const char *username), void *ctx)
{
	for (size_t i = 0; i < now->credentials.n; i++) {
		const char *username = now->text + now->credentials.v[i].name.off;

		if (!store_snapshot_credential_revoked(before, username))
			each(ctx, username);
	}
}

int64_t store_snapshot_user_revoked(const struct store_snapshot *snap, const char *name)
{
	const struct snapshot_revocation *r =
	    find_revocation(snap, &snap->revoked_users, name, strlen(name));

	return r ? r->until_s : 0;
}

size_t store_snapshot_user_n(const struct store_snapshot *snap)
{
	return snap->user_n;
}

size_t store_snapshot_token_n(const struct store_snapshot *snap)
{
	return snap->token_n;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the store held at one instant. Users are sorted by realm and name as
 * bytes, as SQLite's BINARY collation delivers them, and found by bisection.
 */
#include "store/snapshot.h"

#include "store/internal.h"

#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct snapshot_user {
	struct store_keys keys;
	size_t realm_off, name_off; /* into text; NUL-terminated there */
	size_t realm_len, name_len;
};

struct snapshot_secret {
	size_t off, len;
};

struct store_snapshot {
	atomic_uint refs;
	struct snapshot_user *users;
	size_t user_n, user_cap;
	size_t *by_hash; /* indices of users, sorted by userhash */
	struct snapshot_secret *secrets;
	size_t secret_n, secret_cap;
	uint8_t (*tokens)[STORE_HASH_LEN];
	size_t token_n, token_cap;
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

static int add_text(struct store_snapshot *snap, sqlite3_stmt *stmt, int column, size_t *off,
                    size_t *len)
{
	const void *text = sqlite3_column_text(stmt, column);
	size_t n = (size_t)sqlite3_column_bytes(stmt, column);

	if (!text || grow(&snap->text, 1, snap->text_len, &snap->text_cap, n + 1))
		return -E_NOMEM;
	memcpy(snap->text + snap->text_len, text, n);
	snap->text[snap->text_len + n] = 0;
	*off = snap->text_len;
	*len = n;
	snap->text_len += n + 1;
	return 0;
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
	if ((err = add_text(snap, stmt, 0, &u->realm_off, &u->realm_len)) ||
	    (err = add_text(snap, stmt, 1, &u->name_off, &u->name_len)) ||
	    (err = get_blob(stmt, 2, u->keys.md5, sizeof(u->keys.md5))) ||
	    (err = get_blob(stmt, 3, u->keys.sha256, sizeof(u->keys.sha256))) ||
	    (err = get_blob(stmt, 4, u->keys.userhash, sizeof(u->keys.userhash))))
		return err;
	snap->user_n++;
	return 0;
}

static int add_secret(struct store_snapshot *snap, sqlite3_stmt *stmt)
{
	struct snapshot_secret *secret;
	int err = grow(&snap->secrets, sizeof(*secret), snap->secret_n, &snap->secret_cap, 1);

	if (err)
		return err;
	secret = &snap->secrets[snap->secret_n];
	err = add_text(snap, stmt, 0, &secret->off, &secret->len);
	if (!err)
		snap->secret_n++;
	return err;
}

static int add_token(struct store_snapshot *snap, sqlite3_stmt *stmt)
{
	int err = grow(&snap->tokens, STORE_HASH_LEN, snap->token_n, &snap->token_cap, 1);

	if (!err)
		err = get_blob(stmt, 0, snap->tokens[snap->token_n], STORE_HASH_LEN);
	if (!err)
		snap->token_n++;
	return err;
}

static int read_rows(struct store *s, const char *sql, struct store_snapshot *snap,
                     int (*add)(struct store_snapshot *, sqlite3_stmt *), struct why *why)
{
	sqlite3_stmt *stmt;
	int rc = SQLITE_DONE, err = store_prepare(s, sql, &stmt, why);

	if (err)
		return err;
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

int store_snapshot_load(struct store *s, struct store_snapshot **out, struct why *why)
{
	struct store_snapshot *snap = calloc(1, sizeof(*snap));
	int64_t data = 0, own = 0;
	int err;

	if (!snap)
		return why_set(why, -E_NOMEM, "loading %s: out of memory", s->path);
	atomic_init(&snap->refs, 1);
	err = store_exec(s, "BEGIN", why);
	if (err)
		goto out;
	if ((err = read_rows(s,
	                     "SELECT realm, name, key_md5, key_sha256, userhash FROM turn_user "
	                     "ORDER BY realm, name",
	                     snap, add_user, why)) ||
	    (err = read_rows(s,
	                     "SELECT value FROM shared_secret WHERE retired_at IS NULL "
	                     "ORDER BY id DESC",
	                     snap, add_secret, why)) ||
	    (err = read_rows(s, "SELECT hash FROM api_token", snap, add_token, why)) ||
	    (err = store_get_int(s, "PRAGMA data_version", &data, why))) {
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
	free(snap->tokens);
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
		int diff = compare_bytes(realm, realm_len, snap->text + u->realm_off, u->realm_len);

		if (!diff)
			diff = compare_bytes(name, len, snap->text + u->name_off, u->name_len);
		if (!diff)
			return &u->keys;
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
		if (strcmp(snap->text + u->realm_off, realm) != 0)
			continue;
		*name = snap->text + u->name_off;
		*len = u->name_len;
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
	*len = snap->secrets[i].len;
	return snap->text + snap->secrets[i].off;
}

bool store_snapshot_token_ok(const struct store_snapshot *snap, const char *token, size_t len)
{
	uint8_t hash[STORE_HASH_LEN];
	bool found = false;

	if (token_hash(token, len, hash))
		return false;
	for (size_t i = 0; i < snap->token_n; i++)
		found |= !CRYPTO_memcmp(snap->tokens[i], hash, sizeof(hash));
	return found;
}

size_t store_snapshot_user_n(const struct store_snapshot *snap)
{
	return snap->user_n;
}

size_t store_snapshot_token_n(const struct store_snapshot *snap)
{
	return snap->token_n;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Revocations.
 */
#include "store/revoke.h"

#include "store/credential.h"
#include "store/internal.h"
#include "store/name.h"

#include <inttypes.h>
#include <string.h>

/* Clocks differ: a revocation outlives what it refuses by so long. */
#define SKEW_S 86400

static int put(struct store *s, enum store_revoked what, const char *name, int64_t until_s,
               struct why *why)
{
	sqlite3_stmt *stmt;
	int err = store_prepare(s,
	                        "INSERT INTO revocation (what, name, revoked_at, until) "
	                        "VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE "
	                        "SET revoked_at = ?3, until = max(until, ?4)",
	                        &stmt, why);

	if (err)
		return err;
	sqlite3_bind_int(stmt, 1, what);
	sqlite3_bind_text(stmt, 2, name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 3, store_now_s(s));
	sqlite3_bind_int64(stmt, 4, until_s);
	return store_run(s, stmt, "revoking", why);
}

/* For statements with the name as ?1 and maybe the time as ?2. */
static int run_named(struct store *s, const char *sql, const char *name, struct why *why)
{
	sqlite3_stmt *stmt;
	int err = store_prepare(s, sql, &stmt, why);

	if (err)
		return err;
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	if (sqlite3_bind_parameter_count(stmt) > 1)
		sqlite3_bind_int64(stmt, 2, store_now_s(s));
	return store_run(s, stmt, "revoking", why);
}

static int parse(const char *username, int64_t *expires_at_s, struct why *why)
{
	struct username u;
	int err = utf8_check(username, 1, USERNAME_EXTRA + NAME_MAX_LEN, "the username", why);

	if (!err && username_parse(username, strlen(username), &u))
		err = why_set(why, -E_INVAL,
		              "\"%.64s\" is not a time-limited username (EXPIRY:NAME): to revoke "
		              "all credentials of a user, use revoke --user NAME",
		              username);
	if (!err)
		*expires_at_s = u.expires_at_s;
	return err;
}

int store_revoke_credential(struct store *s, const char *username, struct why *why)
{
	int64_t expires_at_s;
	int err = parse(username, &expires_at_s, why);

	if (err)
		return err;
	if (expires_at_s < store_now_s(s) - SKEW_S)
		return why_set(why, -E_STALE,
		               "\"%.64s\" has already expired, so there is nothing to revoke; to "
		               "end a call that still runs, use revoke --user",
		               username);
	err = store_act_begin(s, why);
	if (err)
		return err;
	err = put(s, STORE_REVOKED_CREDENTIAL, username,
	          expires_at_s > INT64_MAX - SKEW_S ? INT64_MAX : expires_at_s + SKEW_S, why);
	if (!err)
		err = run_named(s, "DELETE FROM reissued WHERE username = ?1", username, why);
	return store_act_end(s, err, why, "revoke credential", "%s", username);
}

/* The name, as it stands behind the colon, or behind the mark of a lock (base/username.h). */
#define BEHIND "substr(username, instr(username, ':') + 1"
#define OF_USER                                                                                    \
	"instr(username, ':') > 0 AND (" BEHIND ") = ?1 OR (" BEHIND ", 5) = 'lock=' AND " BEHIND  \
	" + 22) = ?1))"

int store_revoke_user(struct store *s, const char *name, int64_t horizon_s, unsigned *disabled,
                      struct why *why)
{
	unsigned n = 0;
	int err = utf8_check(name, 1, NAME_MAX_LEN, "the user name", why);

	if (!err && (horizon_s < 0 || horizon_s > STORE_AFTER_MAX_S))
		err = why_set(why, -E_INVAL, "the horizon is 0 to %" PRId64 " seconds",
		              (int64_t)STORE_AFTER_MAX_S);
	if (err || (err = store_act_begin(s, why)))
		return err;
	err = put(s, STORE_REVOKED_USER, name, store_now_s(s) + horizon_s, why);
	if (!err)
		err = run_named(s, "DELETE FROM reissued WHERE " OF_USER, name, why);
	if (!err)
		err = run_named(s,
		                "UPDATE turn_user SET disabled_at = ?2 "
		                "WHERE name = ?1 AND disabled_at IS NULL",
		                name, why);
	if (!err)
		n = (unsigned)sqlite3_changes(s->db);
	err = store_act_end(s, err, why, "revoke user", "%s", name);
	if (!err && disabled)
		*disabled = n;
	return err;
}

static int lift(struct store *s, enum store_revoked what, const char *name, struct why *why)
{
	sqlite3_stmt *stmt;
	int err = store_act_begin(s, why);

	if (err)
		return err;
	err = store_prepare(s, "DELETE FROM revocation WHERE what = ?1 AND name = ?2", &stmt, why);
	if (!err) {
		sqlite3_bind_int(stmt, 1, what);
		sqlite3_bind_text(stmt, 2, name, -1, SQLITE_STATIC);
		err = store_run(s, stmt, "lifting a revocation", why);
	}
	if (!err && !sqlite3_changes(s->db))
		err = why_set(why, -E_NOTFOUND,
		              "\"%.128s\" is not revoked: see turnpike revocations", name);
	return store_act_end(s, err, why,
	                     what == STORE_REVOKED_USER ? "unrevoke user" : "unrevoke credential",
	                     "%s", name);
}

int store_unrevoke_credential(struct store *s, const char *username, struct why *why)
{
	int64_t expires_at_s;
	int err = parse(username, &expires_at_s, why);

	return err ? err : lift(s, STORE_REVOKED_CREDENTIAL, username, why);
}

int store_unrevoke_user(struct store *s, const char *name, struct why *why)
{
	int err = utf8_check(name, 1, NAME_MAX_LEN, "the user name", why);

	return err ? err : lift(s, STORE_REVOKED_USER, name, why);
}

int store_reissue(struct store *s, const char *username, struct why *why)
{
	sqlite3_stmt *stmt;
	int64_t expires_at_s;
	int err = parse(username, &expires_at_s, why);

	if (err)
		return err;
	err = store_exec(s, "BEGIN IMMEDIATE", why);
	if (err)
		return err;
	err = store_prepare(s,
	                    "INSERT INTO reissued (username, until) VALUES (?1, ?2) "
	                    "ON CONFLICT DO NOTHING",
	                    &stmt, why);
	if (!err) {
		sqlite3_bind_text(stmt, 1, username, -1, SQLITE_STATIC);
		sqlite3_bind_int64(stmt, 2, expires_at_s + SKEW_S);
		err = store_run(s, stmt, "noting a credential", why);
	}
	if (!err)
		err = store_exec(s, "UPDATE store_state SET generation = generation + 1; COMMIT",
		                 why);
	if (err && !sqlite3_get_autocommit(s->db))
		store_exec(s, "ROLLBACK", NULL);
	return err;
}

int store_revocation_list(struct store *s, int (*each)(void *ctx, const struct store_revocation *r),
                          void *ctx, struct why *why)
{
	sqlite3_stmt *stmt;
	int rc = SQLITE_DONE;
	int err = store_prepare(s,
	                        "SELECT what, name, revoked_at, until FROM revocation "
	                        "WHERE until > ?1 ORDER BY what DESC, name",
	                        &stmt, why);

	if (err)
		return err;
	sqlite3_bind_int64(stmt, 1, store_now_s(s));
	while (!err && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const struct store_revocation r = {
		    .what =
		        sqlite3_column_int(stmt, 0) ? STORE_REVOKED_USER : STORE_REVOKED_CREDENTIAL,
		    .name = (const char *)sqlite3_column_text(stmt, 1),
		    .revoked_at_s = sqlite3_column_int64(stmt, 2),
		    .until_s = sqlite3_column_int64(stmt, 3),
		};

		if (!r.name)
			err = why_set(why, -E_NOMEM, "listing revocations: out of memory");
		else
			err = each(ctx, &r);
	}
	if (!err && rc != SQLITE_DONE)
		err = store_fail(s, "listing revocations", why);
	sqlite3_finalize(stmt);
	return err;
}

/* Deletes only what snapshots leave out already, so their content stays. */
int store_revocations_prune(struct store *s, struct why *why)
{
	sqlite3_stmt *stmt;
	int err = store_prepare(s, "DELETE FROM revocation WHERE until <= ?1", &stmt, why);

	if (err)
		return err;
	sqlite3_bind_int64(stmt, 1, store_now_s(s));
	err = store_run(s, stmt, "forgetting revocations", why);
	if (!err)
		err = store_prepare(s, "DELETE FROM reissued WHERE until <= ?1", &stmt, why);
	if (err)
		return err;
	sqlite3_bind_int64(stmt, 1, store_now_s(s));
	return store_run(s, stmt, "forgetting revocations", why);
}

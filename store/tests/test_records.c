/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The store's records besides users, secrets and tokens themselves: their states and ends,
 * accounts, revocations, usage and the audit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/account.h"
#include "store/audit.h"
#include "store/revoke.h"
#include "store/snapshot.h"
#include "store/tests/fixture.h"
#include "store/usage.h"

#include <string.h>
#include <time.h>

static int64_t now_s;

static int64_t test_now(void *ctx)
{
	(void)ctx;
	return now_s;
}

static int setup(void **state)
{
	static const struct store_options options = {.now_s = test_now};
	struct fixture *f = fixture_new();

	now_s = 1795326215;
	assert_int_equal(store_open(f->dir, &options, &f->store, &f->why), 0);
	store_set_actor(f->store, "tester");
	*state = f;
	return 0;
}

#define OK(call)          assert_int_equal(call, 0)
#define FAILS(call, code) assert_int_equal(call, -(code))

static struct store_snapshot *load(struct fixture *f)
{
	struct store_snapshot *snap;

	OK(store_snapshot_load(f->store, &snap, &f->why));
	return snap;
}

static bool changed(struct fixture *f)
{
	bool is = false;

	OK(store_changed(f->store, &is, &f->why));
	return is;
}

static bool revoked(struct fixture *f, const char *username)
{
	struct store_snapshot *snap = load(f);
	bool is = store_snapshot_revoked(snap, username, strlen(username));

	store_snapshot_unref(snap);
	return is;
}

static bool has_user(struct fixture *f, const char *name)
{
	struct store_snapshot *snap = load(f);
	bool has = store_snapshot_user(snap, "r", name, strlen(name));

	store_snapshot_unref(snap);
	return has;
}

static void test_disabled_user(void **state)
{
	struct fixture *f = *state;

	OK(store_user_add(f->store, "r", "alice", "pw", &f->why));
	assert_true(has_user(f, "alice"));
	assert_false(changed(f));
	OK(store_user_enable(f->store, "r", "alice", false, &f->why));
	assert_true(changed(f));
	assert_false(has_user(f, "alice"));
	OK(store_user_enable(f->store, "r", "alice", false, &f->why));
	OK(store_user_enable(f->store, "r", "alice", true, &f->why));
	assert_true(has_user(f, "alice"));
	FAILS(store_user_enable(f->store, "r", "bob", false, &f->why), E_NOTFOUND);
	FAILS(store_user_enable(f->store, "other", "alice", false, &f->why), E_NOTFOUND);
}

/* Secrets overlap: the one that is going to retire verifies until then, and issues no more. */
static void test_secret_retires_later(void **state)
{
	struct fixture *f = *state;
	struct store_snapshot *snap;
	size_t len;

	OK(store_secret_add(f->store, "first", NULL, NULL, &f->why));
	OK(store_secret_add(f->store, "second", NULL, NULL, &f->why));
	OK(store_secret_retire(f->store, 2, 100, &f->why));
	snap = load(f);
	assert_int_equal(store_snapshot_secret_n(snap), 2);
	assert_string_equal(store_snapshot_secret(snap, 0, &len), "first");
	assert_string_equal(store_snapshot_secret(snap, 1, &len), "second");
	store_snapshot_unref(snap);
	assert_false(changed(f));
	now_s += 99;
	assert_false(changed(f));
	now_s += 1; /* the time has come, though nobody wrote anything */
	assert_true(changed(f));
	snap = load(f);
	assert_int_equal(store_snapshot_secret_n(snap), 1);
	assert_string_equal(store_snapshot_secret(snap, 0, &len), "first");
	store_snapshot_unref(snap);
	assert_false(changed(f));
	FAILS(store_secret_retire(f->store, 2, 0, &f->why), E_NOTFOUND);
	FAILS(store_secret_retire(f->store, 1, -1, &f->why), E_INVAL);
	OK(store_secret_retire(f->store, 1, 1000, &f->why));
	OK(store_secret_retire(f->store, 1, 0, &f->why)); /* now, after all */
	snap = load(f);
	assert_int_equal(store_snapshot_secret_n(snap), 0);
	store_snapshot_unref(snap);
}

static void test_secrets_have_a_limit(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < STORE_SECRETS_MAX; i++)
		OK(store_secret_add(f->store, NULL, NULL, NULL, &f->why));
	FAILS(store_secret_add(f->store, NULL, NULL, NULL, &f->why), E_LIMIT);
	OK(store_secret_retire(f->store, 1, 0, &f->why));
	OK(store_secret_add(f->store, NULL, NULL, NULL, &f->why));
}

static int list_token(void *ctx, const struct store_token *t)
{
	struct fixture *f = ctx;
	char scopes[STORE_SCOPES_STRLEN];

	sprintf(f->text + strlen(f->text), "%lld %s %lld %lld;", (long long)t->id,
	        store_scopes_text(t->scopes, scopes), (long long)t->expires_at_s,
	        (long long)t->last_used_at_s);
	return 0;
}

static void test_tokens(void **state)
{
	struct fixture *f = *state;
	char admin[STORE_TOKEN_STRLEN], brief[STORE_TOKEN_STRLEN];
	struct store_snapshot_token t;
	struct store_snapshot *snap;
	unsigned scopes = 0;

	OK(store_scopes_parse("admin,issue", &scopes, &f->why));
	assert_int_equal(scopes, STORE_SCOPE_ADMIN | STORE_SCOPE_ISSUE);
	FAILS(store_scopes_parse("", &scopes, &f->why), E_INVAL);
	FAILS(store_scopes_parse("issue,", &scopes, &f->why), E_INVAL);
	FAILS(store_scopes_parse("root", &scopes, &f->why), E_INVAL);
	OK(store_token_add(f->store, "boss", STORE_SCOPE_ADMIN, 0, admin, NULL, &f->why));
	OK(store_token_add(f->store, "", STORE_SCOPE_ISSUE, now_s + 50, brief, NULL, &f->why));
	FAILS(store_token_add(f->store, "", 0, 0, brief, NULL, &f->why), E_INVAL);
	FAILS(store_token_add(f->store, "", STORE_SCOPES + 1, 0, brief, NULL, &f->why), E_INVAL);
	FAILS(store_token_add(f->store, "", STORE_SCOPE_ISSUE, now_s, brief, NULL, &f->why),
	      E_INVAL);
	snap = load(f);
	assert_true(store_snapshot_token(snap, admin, strlen(admin), now_s, &t));
	assert_int_equal(t.scopes, STORE_SCOPE_ADMIN);
	assert_string_equal(t.label, "boss");
	assert_true(store_snapshot_token(snap, brief, strlen(brief), now_s + 49, &t));
	assert_int_equal(t.scopes, STORE_SCOPE_ISSUE);
	/* by the clock, even if nobody loads another snapshot */
	assert_false(store_snapshot_token(snap, brief, strlen(brief), now_s + 50, &t));
	store_snapshot_unref(snap);
	OK(store_token_used(f->store, 1, now_s, &f->why));
	assert_false(changed(f)); /* a use changes no snapshot */
	OK(store_token_used(f->store, 1, now_s + STORE_LAST_USED_S - 1, &f->why));
	OK(store_token_list(f->store, list_token, f, &f->why));
	assert_string_equal(f->text, "1 admin 0 1795326215;2 issue 1795326265 0;");
	now_s += 50;
	assert_true(changed(f));
}

static int list_account(void *ctx, const struct store_account *a)
{
	struct fixture *f = ctx;

	sprintf(f->text + strlen(f->text), "%s %s %lld %lld;", a->name, store_role_text(a->role),
	        (long long)a->created_at_s, (long long)a->password_at_s);
	return 0;
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void test_accounts(void **state)
{
	struct fixture *f = *state;
	enum store_role role = STORE_ROLE_USER;
	double wrong_s, unknown_s;
	int64_t at_s;

	OK(store_account_add(f->store, "ann", "correct horse", STORE_ROLE_ADMIN, &f->why));
	FAILS(store_account_add(f->store, "ann", "correct horse", STORE_ROLE_USER, &f->why),
	      E_EXISTS);
	FAILS(store_account_add(f->store, "bob", "short", STORE_ROLE_USER, &f->why), E_INVAL);
	assert_string_equal(f->why.text, "the password is too short: it needs at least 8 bytes");
	FAILS(store_account_add(f->store, "", "correct horse", STORE_ROLE_USER, &f->why), E_INVAL);
	OK(store_account_check(f->store, "ann", "correct horse", &role, &f->why));
	assert_int_equal(role, STORE_ROLE_ADMIN);
	wrong_s = seconds();
	FAILS(store_account_check(f->store, "ann", "correct horsf", NULL, &f->why), E_DENIED);
	wrong_s = seconds() - wrong_s;
	unknown_s = seconds();
	FAILS(store_account_check(f->store, "eve", "correct horse", NULL, &f->why), E_DENIED);
	unknown_s = seconds() - unknown_s;
	/* One cannot tell by the time which accounts there are. */
	assert_true(unknown_s > wrong_s / 3 && wrong_s > unknown_s / 3);
	now_s += 5;
	OK(store_account_set_password(f->store, "ann", "battery staple", &f->why));
	FAILS(store_account_check(f->store, "ann", "correct horse", NULL, &f->why), E_DENIED);
	OK(store_account_check(f->store, "ann", "battery staple", NULL, &f->why));
	OK(store_account_get(f->store, "ann", &role, &at_s, &f->why));
	assert_int_equal(at_s, now_s);
	OK(store_account_list(f->store, list_account, f, &f->why));
	assert_string_equal(f->text, "ann admin 1795326215 1795326220;");
	/* Within one second, too, the one before is another. */
	OK(store_account_set_password(f->store, "ann", "battery stable", &f->why));
	OK(store_account_get(f->store, "ann", &role, &at_s, &f->why));
	assert_int_equal(at_s, now_s + 1);
	FAILS(store_account_set_password(f->store, "eve", "battery staple", &f->why), E_NOTFOUND);
	FAILS(store_account_get(f->store, "eve", &role, &at_s, &f->why), E_NOTFOUND);
	OK(store_account_del(f->store, "ann", false, &f->why));
	FAILS(store_account_del(f->store, "ann", false, &f->why), E_NOTFOUND);
	FAILS(store_account_check(f->store, "ann", "battery stable", NULL, &f->why), E_DENIED);
}

static void test_last_admin(void **state)
{
	struct fixture *f = *state;

	OK(store_account_add(f->store, "ann", "correct horse", STORE_ROLE_ADMIN, &f->why));
	OK(store_account_add(f->store, "bob", "correct horse", STORE_ROLE_USER, &f->why));
	FAILS(store_account_del(f->store, "ann", true, &f->why), E_LIMIT);
	OK(store_account_del(f->store, "bob", true, &f->why));
	FAILS(store_account_del(f->store, "bob", true, &f->why), E_NOTFOUND);
	OK(store_account_add(f->store, "eve", "correct horse", STORE_ROLE_ADMIN, &f->why));
	OK(store_account_del(f->store, "ann", true, &f->why));
	FAILS(store_account_del(f->store, "eve", true, &f->why), E_LIMIT);
	OK(store_account_list(f->store, list_account, f, &f->why));
	assert_memory_equal(f->text, "eve admin ", 10);
	OK(store_account_del(f->store, "eve", false, &f->why));
}

static void test_revoke_credential(void **state)
{
	struct fixture *f = *state;

	OK(store_revoke_credential(f->store, "1795330000:bob", &f->why));
	OK(store_revoke_credential(f->store, "1795330000:bob", &f->why));
	assert_true(revoked(f, "1795330000:bob"));
	assert_false(revoked(f, "1795330001:bob"));
	assert_false(revoked(f, "1795330000:bo"));
	assert_false(revoked(f, "1795330000:bobb"));
	OK(store_revoke_credential(f->store, "1795330000", &f->why));
	assert_true(revoked(f, "1795330000"));
	FAILS(store_revoke_credential(f->store, "bob", &f->why), E_INVAL);
	assert_non_null(strstr(f->why.text, "--user"));
	FAILS(store_revoke_credential(f->store, "1000:bob", &f->why), E_STALE);
	OK(store_unrevoke_credential(f->store, "1795330000:bob", &f->why));
	assert_false(revoked(f, "1795330000:bob"));
	FAILS(store_unrevoke_credential(f->store, "1795330000:bob", &f->why), E_NOTFOUND);
	/* It is kept until the credential has expired, and then forgotten. */
	now_s = 1795330001;
	OK(store_revocations_prune(f->store, &f->why));
	assert_true(revoked(f, "1795330000"));
	now_s += 2 * 86400;
	OK(store_revocations_prune(f->store, &f->why));
	assert_false(revoked(f, "1795330000"));
}

static int list_revocation(void *ctx, const struct store_revocation *r)
{
	struct fixture *f = ctx;

	sprintf(f->text + strlen(f->text), "%s %s;",
	        r->what == STORE_REVOKED_USER ? "user" : "credential", r->name);
	return 0;
}

/* Revokes bob, who has a password in two realms. */
static void revoke_bob(struct fixture *f)
{
	unsigned disabled = 99;

	OK(store_user_add(f->store, "r", "bob", "pw", &f->why));
	OK(store_user_add(f->store, "q", "bob", "pw", &f->why));
	OK(store_user_add(f->store, "r", "eve", "pw", &f->why));
	OK(store_revoke_user(f->store, "bob", 3600, &disabled, &f->why));
	assert_int_equal(disabled, 2);
}

static void a_revoked_user_is_disabled_in_every_realm(void **state)
{
	struct fixture *f = *state;
	struct store_snapshot *snap;

	revoke_bob(f);
	assert_false(has_user(f, "bob"));
	assert_true(has_user(f, "eve"));
	snap = load(f);
	assert_true(store_snapshot_user_revoked(snap, "bob"));
	assert_false(store_snapshot_user_revoked(snap, "eve"));
	store_snapshot_unref(snap);
}

static void what_a_revoked_user_was_issued_opens_no_more(void **state)
{
	struct fixture *f = *state;

	revoke_bob(f);
	assert_true(revoked(f, "1795326300:bob"));
	assert_true(revoked(f, "1795329815:bob"));
	assert_false(revoked(f, "1795329816:bob")); /* past the horizon */
	assert_false(revoked(f, "1795326300:bobby"));
	assert_false(revoked(f, "1795326300:xbob"));
	assert_true(revoked(f, "1795326300:lock=000000000000002a:bob")); /* locked to a call */
	assert_false(revoked(f, "1795326300:lock=000000000000002a:bobby"));
	assert_false(revoked(f, "1795326300"));
}

static void what_a_revoked_user_is_issued_again_opens(void **state)
{
	struct fixture *f = *state;
	unsigned disabled = 99;

	revoke_bob(f);
	OK(store_reissue(f->store, "1795326400:bob", &f->why));
	assert_false(revoked(f, "1795326400:bob"));
	assert_true(revoked(f, "1795326300:bob"));
	OK(store_reissue(f->store, "1795326400:lock=000000000000002a:bob", &f->why));
	OK(store_reissue(f->store, "1795326400:lock=000000000000002a:bobby", &f->why));
	assert_false(revoked(f, "1795326400:lock=000000000000002a:bob"));
	assert_true(revoked(f, "1795326400:lock=000000000000002b:bob"));
	/* until the user is revoked again */
	OK(store_revoke_user(f->store, "bob", 3600, &disabled, &f->why));
	assert_int_equal(disabled, 0);
	assert_true(revoked(f, "1795326400:bob"));
	assert_true(revoked(f, "1795326400:lock=000000000000002a:bob"));
	/* One of those can be revoked by itself, too. */
	OK(store_reissue(f->store, "1795326500:bob", &f->why));
	OK(store_revoke_credential(f->store, "1795326500:bob", &f->why));
	assert_true(revoked(f, "1795326500:bob"));
	OK(store_revocation_list(f->store, list_revocation, f, &f->why));
	assert_string_equal(f->text, "user bob;credential 1795326500:bob;");
}

static void to_unrevoke_a_user_enables_no_password(void **state)
{
	struct fixture *f = *state;

	revoke_bob(f);
	OK(store_unrevoke_user(f->store, "bob", &f->why));
	assert_false(revoked(f, "1795326300:bob"));
	assert_false(has_user(f, "bob"));
	OK(store_user_enable(f->store, "r", "bob", true, &f->why));
	assert_true(has_user(f, "bob"));
	FAILS(store_revoke_user(f->store, "", 3600, NULL, &f->why), E_INVAL);
	FAILS(store_unrevoke_user(f->store, "nobody", &f->why), E_NOTFOUND);
}

static int list_usage(void *ctx, const struct store_usage *u)
{
	struct fixture *f = ctx;
	char day[USAGE_DAY_STRLEN];

	sprintf(f->text + strlen(f->text), "%s %s %lld/%lld/%lld %lld %lld %lld;",
	        store_day_text(u->day, day), u->user, (long long)u->n.allocations,
	        (long long)u->n.sessions, (long long)u->n.idle_allocations,
	        (long long)u->n.relayed_s, (long long)u->n.to_peer_bytes,
	        (long long)u->n.to_client_bytes);
	return 0;
}

static void test_usage(void **state)
{
	struct fixture *f = *state;
	struct store_usage rows[] = {
	    {.day = 20000, .user = "alice", .n = {.allocations = 2, .sessions = 1, .relayed_s = 9}},
	    {.day = 20000, .user = "bob", .n = {.to_peer_bytes = 5, .to_client_bytes = 7}},
	    {.day = 20001, .user = "alice", .n = {.allocations = 1, .idle_allocations = 1}},
	};
	struct store_usage late = {.day = 20000, .user = "carol", .n = {.allocations = 1}};
	int64_t day = 0;

	store_snapshot_unref(load(f));
	OK(store_usage_add(f->store, rows, 3, 0, &f->why));
	OK(store_usage_add(f->store, rows, 3, 0, &f->why));
	assert_false(changed(f)); /* usage changes no snapshot */
	OK(store_usage_list(f->store, NULL, 0, 30000, list_usage, f, &f->why));
	assert_string_equal(f->text, "2024-10-04 alice 4/2/0 18 0 0;2024-10-04 bob 0/0/0 0 10 14;"
	                             "2024-10-05 alice 2/0/2 0 0 0;");
	/* Past the limit of a day the rest is summed up; those who have a row go on with it. */
	OK(store_usage_add(f->store, &late, 1, 2, &f->why));
	late.user = "dave";
	OK(store_usage_add(f->store, &late, 1, 2, &f->why));
	OK(store_usage_add(f->store, rows, 1, 2, &f->why));
	*f->text = 0;
	OK(store_usage_list(f->store, NULL, 20000, 20000, list_usage, f, &f->why));
	assert_string_equal(f->text,
	                    "2024-10-04 (others) 2/0/0 0 0 0;2024-10-04 alice 6/3/0 27 0 0;"
	                    "2024-10-04 bob 0/0/0 0 10 14;");
	*f->text = 0;
	OK(store_usage_list(f->store, "alice", 20001, 20009, list_usage, f, &f->why));
	assert_string_equal(f->text, "2024-10-05 alice 2/0/2 0 0 0;");
	OK(store_usage_prune(f->store, 20001, &f->why));
	*f->text = 0;
	OK(store_usage_list(f->store, NULL, 0, 30000, list_usage, f, &f->why));
	assert_string_equal(f->text, "2024-10-05 alice 2/0/2 0 0 0;");
	OK(store_day_parse("2024-10-05", &day, &f->why));
	assert_int_equal(day, 20001);
	FAILS(store_day_parse("2023-02-29", &day, &f->why), E_INVAL);
	FAILS(store_day_parse("2024-10-5", &day, &f->why), E_INVAL);
	FAILS(store_day_parse("yesterday", &day, &f->why), E_INVAL);
}

static int list_audit(void *ctx, const struct store_audit *a)
{
	struct fixture *f = ctx;

	sprintf(f->text + strlen(f->text), "%lld|%s|%s|%s;", (long long)a->at_s, a->actor, a->act,
	        a->object);
	return 0;
}

static void test_audit(void **state)
{
	struct fixture *f = *state;
	char long_actor[400];

	OK(store_user_add(f->store, "r", "alice", "pw", &f->why));
	FAILS(store_user_add(f->store, "r", "alice", "pw", &f->why), E_EXISTS);
	FAILS(store_user_del(f->store, "r", "bob", &f->why), E_NOTFOUND);
	now_s++;
	store_set_actor(f->store, "token 3 a\nb\xff");
	OK(store_secret_add(f->store, "hush-hush", NULL, NULL, &f->why));
	OK(store_audit_list(f->store, 0, list_audit, f, &f->why));
	/* only what was done, in one line each, without a secret */
	assert_string_equal(f->text, "1795326215|tester|user add|alice@r;"
	                             "1795326216|token 3 a⟨U+000A⟩b⟨0xFF⟩|secret add|secret 1;");
	memset(long_actor, 'x', sizeof(long_actor) - 1);
	long_actor[sizeof(long_actor) - 1] = 0;
	memcpy(long_actor + STORE_ACTOR_MAX - 1, "\xc3\xa9", 2); /* the cut goes through it */
	store_set_actor(f->store, long_actor);
	OK(store_audit_add(f->store, "drain", "\x01", &f->why));
	*f->text = 0;
	OK(store_audit_list(f->store, 1, list_audit, f, &f->why));
	assert_non_null(strstr(f->text, "x|drain|⟨U+0001⟩;"));
	for (int i = 0; i < 20; i++)
		OK(store_audit_add(f->store, "reload", "", &f->why));
	OK(store_audit_prune(f->store, 20, 0, &f->why));
	*f->text = 0;
	OK(store_audit_list(f->store, 0, list_audit, f, &f->why));
	assert_null(strstr(f->text, "drain"));
	assert_non_null(strstr(f->text, "reload"));
	now_s += 100;
	OK(store_audit_prune(f->store, 0, 99, &f->why));
	*f->text = 0;
	OK(store_audit_list(f->store, 0, list_audit, f, &f->why));
	assert_string_equal(f->text, "");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_disabled_user),
	    T(test_secret_retires_later),
	    T(test_secrets_have_a_limit),
	    T(test_tokens),
	    T(test_accounts),
	    T(test_last_admin),
	    T(test_revoke_credential),
	    T(a_revoked_user_is_disabled_in_every_realm),
	    T(what_a_revoked_user_was_issued_opens_no_more),
	    T(what_a_revoked_user_is_issued_again_opens),
	    T(to_unrevoke_a_user_enables_no_password),
	    T(test_usage),
	    T(test_audit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

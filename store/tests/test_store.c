/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The store's data: users, secrets, tokens and snapshots on a real file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/account.h"
#include "store/name.h"
#include "store/snapshot.h"
#include "store/store.h"
#include "store/tests/fixture.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int64_t test_now(void *ctx)
{
	return *(int64_t *)ctx;
}

static int64_t now_s = 1795326215;

static int setup(void **state)
{
	static const struct store_options options = {.now_s = test_now, .now_ctx = &now_s};
	struct fixture *f = fixture_new();

	assert_int_equal(store_open(f->data, &options, &f->store, &f->why), 0);
	*state = f;
	return 0;
}

struct list {
	char text[4096];
};

static int list_user(void *ctx, const struct store_user *user)
{
	struct list *list = ctx;

	sprintf(list->text + strlen(list->text), "%s/%s@%lld;", user->realm, user->name,
	        (long long)user->created_at_s);
	return 0;
}

static int list_secret(void *ctx, const struct store_secret *secret)
{
	struct list *list = ctx;

	sprintf(list->text + strlen(list->text), "%lld@%lld-%lld;", (long long)secret->id,
	        (long long)secret->created_at_s, (long long)secret->retired_at_s);
	return 0;
}

static int list_token(void *ctx, const struct store_token *token)
{
	struct list *list = ctx;

	sprintf(list->text + strlen(list->text), "%lld %s@%lld;", (long long)token->id,
	        token->label, (long long)token->created_at_s);
	return 0;
}

static int stop_at_once(void *ctx, const struct store_user *user)
{
	(void)user;
	++*(int *)ctx;
	return -E_LIMIT;
}

static void test_modes(void **state)
{
	struct fixture *f = *state;
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char path[128];
	struct stat st;

	assert_int_equal(stat(f->data, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(store_user_add(f->store, "r", "alice", "pw", &f->why), 0);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s%s", store_path(f->store), suffixes[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
}

static void test_users(void **state)
{
	struct fixture *f = *state;
	struct list list = {{0}};
	int calls = 0;

	assert_int_equal(store_user_add(f->store, "turnpike", "bob", "pw", &f->why), 0);
	assert_int_equal(store_user_add(f->store, "turnpike", "alice", "pw", &f->why), 0);
	assert_int_equal(store_user_add(f->store, "other", "alice", "pw2", &f->why), 0);
	assert_int_equal(store_user_add(f->store, "turnpike", "alice", "new", &f->why), -E_EXISTS);
	assert_non_null(strstr(f->why.text, "alice"));
	assert_int_equal(store_user_list(f->store, "", "", list_user, &list, &f->why), 0);
	assert_string_equal(list.text, "other/alice@1795326215;turnpike/alice@1795326215;"
	                               "turnpike/bob@1795326215;");
	assert_int_equal(store_user_list(f->store, "", "", stop_at_once, &calls, &f->why),
	                 -E_LIMIT);
	assert_int_equal(calls, 1);
	assert_int_equal(store_user_del(f->store, "turnpike", "alice", &f->why), 0);
	assert_int_equal(store_user_del(f->store, "turnpike", "alice", &f->why), -E_NOTFOUND);
	list.text[0] = 0;
	store_user_list(f->store, "", "", list_user, &list, NULL);
	assert_string_equal(list.text, "other/alice@1795326215;turnpike/bob@1795326215;");
}

static void test_keys(void **state)
{
	struct fixture *f = *state;
	struct store_snapshot *snap;
	const struct store_keys *keys;
	unsigned char want[32];

	/* The example of RFC 8489 section 9.2.2: MD5("user:realm:pass"). */
	static const unsigned char md5[] = {0x84, 0x93, 0xfb, 0xc5, 0x3b, 0xa5, 0x82, 0xfb,
	                                    0x4c, 0x04, 0x4c, 0x45, 0x6b, 0xdc, 0x40, 0xeb};

	assert_int_equal(store_user_add(f->store, "realm", "user", "pass", &f->why), 0);
	assert_int_equal(store_snapshot_load(f->store, &snap, &f->why), 0);
	keys = store_snapshot_user(snap, "realm", "user", 4);
	assert_non_null(keys);
	assert_memory_equal(keys->md5, md5, 16);
	EVP_Digest("user:realm:pass", 15, want, NULL, EVP_sha256(), NULL);
	assert_memory_equal(keys->sha256, want, 32);
	EVP_Digest("user:realm", 10, want, NULL, EVP_sha256(), NULL);
	assert_memory_equal(keys->userhash, want, 32);
	store_snapshot_unref(snap);
}

static void test_userhashes(void **state)
{
	struct fixture *f = *state;
	struct store_snapshot *snap;
	const char *name;
	unsigned char hash[32];
	char text[64];
	size_t len;

	assert_int_equal(store_snapshot_load(f->store, &snap, &f->why), 0);
	assert_null(store_snapshot_user_by_hash(snap, "realm", hash, &name, &len));
	store_snapshot_unref(snap);
	for (int i = 0; i < 40; i++) {
		snprintf(text, sizeof(text), "user%d", i);
		assert_int_equal(store_user_add(f->store, "realm", text, "pw", &f->why), 0);
	}
	/* SHA-256("a:b:c") is both "a" in "b:c" and "a:b" in "c" */
	assert_int_equal(store_user_add(f->store, "b:c", "a", "pw", &f->why), 0);
	assert_int_equal(store_user_add(f->store, "c", "a:b", "pw", &f->why), 0);
	assert_int_equal(store_snapshot_load(f->store, &snap, &f->why), 0);
	for (int i = 0; i < 41; i++) {
		int n = snprintf(text, sizeof(text), "user%d:realm", i);
		const struct store_keys *keys;

		EVP_Digest(text, (size_t)n, hash, NULL, EVP_sha256(), NULL);
		keys = store_snapshot_user_by_hash(snap, "realm", hash, &name, &len);
		assert_true(!keys == (i == 40));
		if (keys)
			assert_ptr_equal(keys, store_snapshot_user(snap, "realm", name, len));
		assert_null(store_snapshot_user_by_hash(snap, "other", hash, &name, &len));
	}
	EVP_Digest("a:b:c", 5, hash, NULL, EVP_sha256(), NULL);
	assert_non_null(store_snapshot_user_by_hash(snap, "c", hash, &name, &len));
	assert_memory_equal(name, "a:b", len);
	assert_non_null(store_snapshot_user_by_hash(snap, "b:c", hash, &name, &len));
	assert_int_equal(len, 1);
	store_snapshot_unref(snap);
}

/* Says -E_INVAL, and more than that. */
static void refuses_user(struct fixture *f, const char *realm, const char *name, const char *pw)
{
	f->why.text[0] = 0;
	assert_int_equal(store_user_add(f->store, realm, name, pw, &f->why), -E_INVAL);
	assert_true(strlen(f->why.text) > 10);
}

static int add_token(struct fixture *f, const char *label, char *token)
{
	return store_token_add(f->store, label, STORE_SCOPES_DEFAULT, 0, token, NULL, &f->why);
}

static void nobody_is_stored(struct fixture *f)
{
	struct list list = {{0}};

	store_user_list(f->store, "", "", list_user, &list, NULL);
	assert_string_equal(list.text, "");
}

/* A bare number is an expiry; control characters and bad UTF-8 are no text. */
static void refuses_names_that_are_no_names(void **state)
{
	struct fixture *f = *state;
	static const char *const bad[] = {
	    "",
	    "1795326215",
	    "1795326215:alice",
	    "7:",
	    "0",
	    "a\nb",
	    "a\x7f",
	    "a\x1b[31m",
	    "\xc2\x85",
	    "\xff",
	    "\xc0\xaf",
	    "\xed\xa0\x80",
	    "\xf4\x90\x80\x80",
	    "\xe2\x82",
	    "ab\x80",
	    "\xf5\x80\x80\x80",
	    "\xe0\x80\xaf",
	};
	char name[NAME_MAX_LEN + 2];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		refuses_user(f, "r", bad[i], "pw");
		assert_int_equal(store_user_del(f->store, "r", bad[i], &f->why), -E_INVAL);
	}
	memset(name, 'n', sizeof(name));
	name[NAME_MAX_LEN + 1] = 0;
	refuses_user(f, "r", name, "pw");
	nobody_is_stored(f);
}

/* Beside "alice" nobody sees a difference, or the text around them turns. */
static void refuses_names_that_look_like_others(void **state)
{
	struct fixture *f = *state;
	static const char *const unseen[] = {
	    "al\xc2\xadice",
	    "al\xd8\x9cice",
	    "al\xe2\x80\x8bice",
	    "al\xe2\x80\x8dice",
	    "\xe2\x80\xae"
	    "alice",
	    "\xe2\x81\xa6"
	    "alice",
	    "alice\xe3\x85\xa4",
	    "alice\xef\xb8\x8f",
	    "alice\xf3\xa0\x81\xa1",
	    "al\xc2\xa0ice",
	    "alice\xe2\xa0\x80",
	};
	char token[STORE_TOKEN_STRLEN] = "untouched";

	for (size_t i = 0; i < sizeof(unseen) / sizeof(*unseen); i++) {
		refuses_user(f, "r", unseen[i], "pw");
		refuses_user(f, unseen[i], "a", "pw");
		assert_int_equal(store_account_add(f->store, unseen[i], "long enough a password",
		                                   STORE_ROLE_USER, &f->why),
		                 -E_INVAL);
		assert_int_equal(add_token(f, unseen[i], token), -E_INVAL);
		/* One that is there from before can be taken away. */
		assert_int_equal(store_user_del(f->store, "r", unseen[i], &f->why), -E_NOTFOUND);
	}
	assert_string_equal(token, "untouched");
	nobody_is_stored(f);
}

static void refuses_bad_passwords_and_realms(void **state)
{
	struct fixture *f = *state;

	refuses_user(f, "r", "a", "");
	refuses_user(f, "r", "a", "p\xff");
	refuses_user(f, "r", "a", "p\nq");
	refuses_user(f, "", "a", "pw");
	refuses_user(f, "a\"b", "a", "pw");
	refuses_user(f, "\xff", "a", "pw");
	nobody_is_stored(f);
}

static void refuses_bad_secrets_and_labels(void **state)
{
	struct fixture *f = *state;
	char token[STORE_TOKEN_STRLEN] = "untouched";

	assert_int_equal(store_secret_add(f->store, "", NULL, NULL, &f->why), -E_INVAL);
	assert_int_equal(store_secret_add(f->store, "\xff", NULL, NULL, &f->why), -E_INVAL);
	assert_int_equal(add_token(f, "\xff", token), -E_INVAL);
	assert_int_equal(add_token(f, "a\rb", token), -E_INVAL);
	assert_string_equal(token, "untouched");
}

static const char *const odd[] = {
    "Robert'); DROP TABLE turn_user;--",
    "a\"b",
    "%n%s%s%s",
    "';",
    "a:b",
    "12a",
    "x:1",
    "\xc3\xa9",
    "\xf0\x9f\x98\x80",
    "a b",
    "%",
    "_",
    "NULL",
    "-- x",
    "\\",
};
#define ODD_N (sizeof(odd) / sizeof(*odd))

static struct store_snapshot *load(struct fixture *f)
{
	struct store_snapshot *snap;

	assert_int_equal(store_snapshot_load(f->store, &snap, &f->why), 0);
	return snap;
}

static void any_printable_name_is_a_name(void **state)
{
	struct fixture *f = *state;
	struct store_snapshot *snap;

	for (size_t i = 0; i < ODD_N; i++)
		assert_int_equal(store_user_add(f->store, "r'%n", odd[i], odd[i], &f->why), 0);
	snap = load(f);
	assert_int_equal(store_snapshot_user_n(snap), ODD_N);
	for (size_t i = 0; i < ODD_N; i++) {
		assert_non_null(store_snapshot_user(snap, "r'%n", odd[i], strlen(odd[i])));
		assert_null(store_snapshot_user(snap, "r", odd[i], strlen(odd[i])));
		assert_int_equal(store_user_del(f->store, "r'%n", odd[i], &f->why), 0);
	}
	store_snapshot_unref(snap);
}

static void a_name_of_the_longest_length_is_one(void **state)
{
	struct fixture *f = *state;
	char name[NAME_MAX_LEN + 1];
	struct store_snapshot *snap;

	memset(name, 'n', sizeof(name));
	name[NAME_MAX_LEN] = 0;
	assert_int_equal(store_user_add(f->store, "r", name, name, &f->why), 0);
	snap = load(f);
	assert_non_null(store_snapshot_user(snap, "r", name, NAME_MAX_LEN));
	assert_null(store_snapshot_user(snap, "r", name, NAME_MAX_LEN - 1));
	store_snapshot_unref(snap);
}

static void any_printable_text_is_a_secret_or_a_label(void **state)
{
	struct fixture *f = *state;
	char token[STORE_TOKEN_STRLEN];
	struct store_snapshot *snap;
	size_t len;

	for (size_t i = 0; i < STORE_SECRETS_MAX; i++)
		assert_int_equal(store_secret_add(f->store, odd[i], NULL, NULL, &f->why), 0);
	for (size_t i = 0; i < ODD_N; i++)
		assert_int_equal(add_token(f, odd[i], token), 0);
	snap = load(f);
	assert_int_equal(store_snapshot_secret_n(snap), STORE_SECRETS_MAX);
	assert_int_equal(store_snapshot_token_n(snap), ODD_N);
	for (size_t i = 0; i < STORE_SECRETS_MAX; i++) {
		assert_string_equal(store_snapshot_secret(snap, STORE_SECRETS_MAX - 1 - i, &len),
		                    odd[i]);
		assert_int_equal(len, strlen(odd[i]));
	}
	store_snapshot_unref(snap);
}

static void test_made_passwords_differ(void **state)
{
	char a[STORE_PASSWORD_STRLEN], b[STORE_PASSWORD_STRLEN];

	(void)state;
	assert_int_equal(store_make_password(a), 0);
	assert_int_equal(store_make_password(b), 0);
	assert_int_equal(strlen(a), STORE_PASSWORD_STRLEN - 1);
	assert_int_equal(strspn(a, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	                           "0123456789-_"),
	                 STORE_PASSWORD_STRLEN - 1);
	assert_string_not_equal(a, b);
}

static size_t live_secrets(struct fixture *f)
{
	struct store_snapshot *snap = load(f);
	size_t n = store_snapshot_secret_n(snap);

	store_snapshot_unref(snap);
	return n;
}

/* Adds "north" as secret 1 and one that the store makes as secret 2. */
static void add_two_secrets(struct fixture *f, char made[SECRET_MAX_LEN + 1])
{
	int64_t id = 0;

	assert_int_equal(store_secret_add(f->store, "north", NULL, &id, &f->why), 0);
	assert_int_equal(id, 1);
	assert_int_equal(store_secret_add(f->store, NULL, made, &id, &f->why), 0);
	assert_int_equal(id, 2);
}

static void two_secrets_verify_and_the_newer_issues(void **state)
{
	struct fixture *f = *state;
	char made[SECRET_MAX_LEN + 1];
	struct store_snapshot *snap;
	size_t len;

	add_two_secrets(f, made);
	assert_int_equal(strlen(made), STORE_SECRET_STRLEN - 1);
	snap = load(f);
	assert_int_equal(store_snapshot_secret_n(snap), 2);
	assert_string_equal(store_snapshot_secret(snap, 0, &len), made);
	assert_string_equal(store_snapshot_secret(snap, 1, &len), "north");
	store_snapshot_unref(snap);
}

static void a_secret_is_retired_once(void **state)
{
	struct fixture *f = *state;
	char made[SECRET_MAX_LEN + 1];
	struct list list = {{0}};

	add_two_secrets(f, made);
	now_s += 10;
	assert_int_equal(store_secret_retire(f->store, 1, 0, &f->why), 0);
	now_s -= 10;
	assert_int_equal(store_secret_retire(f->store, 1, 0, &f->why), -E_NOTFOUND);
	assert_int_equal(store_secret_retire(f->store, 99, 0, &f->why), -E_NOTFOUND);
	assert_int_equal(store_secret_list(f->store, list_secret, &list, &f->why), 0);
	assert_string_equal(list.text, "1@1795326215-1795326225;2@1795326215-0;");
	assert_int_equal(live_secrets(f), 1);
}

/* And the error does not tell it. */
static void a_secret_is_added_once(void **state)
{
	struct fixture *f = *state;
	char made[SECRET_MAX_LEN + 1];
	int64_t id;

	add_two_secrets(f, made);
	assert_int_equal(store_secret_add(f->store, "north", NULL, &id, &f->why), -E_EXISTS);
	assert_null(strstr(f->why.text, "north"));
	assert_int_equal(store_secret_retire(f->store, 1, 0, &f->why), 0);
	assert_int_equal(store_secret_add(f->store, "north", NULL, &id, &f->why), -E_EXISTS);
	assert_non_null(strstr(f->why.text, "retired"));
}

static void a_token_opens_letter_for_letter(void **state)
{
	struct fixture *f = *state;
	char a[STORE_TOKEN_STRLEN], b[STORE_TOKEN_STRLEN];
	struct store_snapshot_token found;
	struct store_snapshot *snap;

	assert_int_equal(add_token(f, "app", a), 0);
	assert_int_equal(add_token(f, "", b), 0);
	assert_memory_equal(a, "tp_", 3);
	assert_int_equal(strlen(a), STORE_TOKEN_STRLEN - 1);
	snap = load(f);
	assert_true(store_snapshot_token(snap, a, strlen(a), now_s, &found));
	assert_true(store_snapshot_token(snap, b, strlen(b), now_s, &found));
	assert_false(store_snapshot_token(snap, a, strlen(a) - 1, now_s, &found));
	assert_false(store_snapshot_token(snap, "", 0, now_s, &found));
	a[10] ^= 1;
	assert_false(store_snapshot_token(snap, a, strlen(a), now_s, &found));
	store_snapshot_unref(snap);
}

static void the_number_of_a_token_is_never_given_twice(void **state)
{
	struct fixture *f = *state;
	char token[STORE_TOKEN_STRLEN];
	struct list list = {{0}};

	assert_int_equal(add_token(f, "app", token), 0);
	assert_int_equal(add_token(f, "", token), 0);
	assert_int_equal(store_token_list(f->store, list_token, &list, &f->why), 0);
	assert_string_equal(list.text, "1 app@1795326215;2 @1795326215;");
	assert_int_equal(store_token_del(f->store, 1, &f->why), 0);
	assert_int_equal(store_token_del(f->store, 1, &f->why), -E_NOTFOUND);
	assert_int_equal(store_token_del(f->store, 2, &f->why), 0);
	assert_int_equal(add_token(f, "", token), 0);
	list.text[0] = 0;
	assert_int_equal(store_token_list(f->store, list_token, &list, &f->why), 0);
	assert_string_equal(list.text, "3 @1795326215;");
}

static void it_is_remembered_that_there_was_a_token(void **state)
{
	struct fixture *f = *state;
	char token[STORE_TOKEN_STRLEN];
	bool ever = true;

	assert_int_equal(store_token_ever_made(f->store, &ever, &f->why), 0);
	assert_false(ever);
	assert_int_equal(add_token(f, "app", token), 0);
	assert_int_equal(store_token_del(f->store, 1, &f->why), 0);
	assert_int_equal(store_token_ever_made(f->store, &ever, &f->why), 0);
	assert_true(ever);
}

/* Neither passwords nor tokens are in the files. */
static void test_no_plain_text(void **state)
{
	struct fixture *f = *state;
	char token[STORE_TOKEN_STRLEN], path[128], *bytes = calloc(1, 4 << 20);
	static const char *const suffixes[] = {"", "-wal"};

	assert_int_equal(store_user_add(f->store, "r", "alice", "correcthorse", &f->why), 0);
	assert_int_equal(
	    store_token_add(f->store, "", STORE_SCOPES_DEFAULT, 0, token, NULL, &f->why), 0);
	for (size_t i = 0; i < 2; i++) {
		FILE *file;
		size_t n;

		snprintf(path, sizeof(path), "%s%s", store_path(f->store), suffixes[i]);
		file = fopen(path, "r");
		assert_non_null(file);
		n = fread(bytes, 1, 4 << 20, file);
		fclose(file);
		assert_null(memmem(bytes, n, "correcthorse", 12));
		assert_null(memmem(bytes, n, token, strlen(token)));
		if (i)
			assert_non_null(memmem(bytes, n, "alice", 5));
	}
	free(bytes);
}

static bool changed(struct fixture *f)
{
	bool is = false;

	assert_int_equal(store_changed(f->store, &is, &f->why), 0);
	return is;
}

/* Asking does not: a failed load is tried again. */
static void a_load_takes_a_change_in(void **state)
{
	struct fixture *f = *state;

	assert_true(changed(f)); /* nothing was loaded yet */
	assert_int_equal(store_user_add(f->store, "r", "alice", "pw", &f->why), 0);
	assert_true(changed(f));
	store_snapshot_unref(load(f));
	assert_false(changed(f));
	assert_int_equal(store_user_del(f->store, "r", "alice", &f->why), 0);
	assert_true(changed(f)); /* by this handle itself */
}

static void a_change_by_another_handle_is_seen(void **state)
{
	struct fixture *f = *state;
	struct store_snapshot *snap;
	struct store *other;

	store_snapshot_unref(load(f));
	assert_int_equal(store_open(f->data, NULL, &other, &f->why), 0);
	assert_false(changed(f)); /* opening writes nothing */
	assert_int_equal(store_user_add(other, "r", "alice", "pw", &f->why), 0);
	assert_true(changed(f));
	assert_true(changed(f));
	snap = load(f);
	assert_non_null(store_snapshot_user(snap, "r", "alice", 5));
	store_snapshot_unref(snap);
	assert_false(changed(f));
	store_close(other);
}

static void test_snapshot_lookup(void **state)
{
	struct fixture *f = *state;
	struct store_snapshot *snap;
	char name[16];

	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "u%d", i);
		assert_int_equal(store_user_add(f->store, i % 2 ? "odd" : "even", name, name, NULL),
		                 0);
	}
	assert_int_equal(store_user_add(f->store, "a", "bc", "pw", NULL), 0);
	assert_int_equal(store_user_add(f->store, "ab", "c", "pw", NULL), 0);
	assert_int_equal(store_snapshot_load(f->store, &snap, &f->why), 0);
	for (int i = 0; i < 200; i++) {
		int len = snprintf(name, sizeof(name), "u%d", i);

		assert_non_null(
		    store_snapshot_user(snap, i % 2 ? "odd" : "even", name, (size_t)len));
		assert_null(store_snapshot_user(snap, i % 2 ? "even" : "odd", name, (size_t)len));
	}
	assert_null(store_snapshot_user(snap, "odd", "u1\0", 3));
	assert_null(store_snapshot_user(snap, "odd", "", 0));
	assert_null(store_snapshot_user(snap, "", "u1", 2));
	assert_null(store_snapshot_user(snap, "abc", "", 0));
	assert_ptr_not_equal(store_snapshot_user(snap, "a", "bc", 2),
	                     store_snapshot_user(snap, "ab", "c", 1));
	assert_null(store_snapshot_user(snap, "even", "\xff\xff", 2));
	/* Later changes are not in it. */
	assert_int_equal(store_user_del(f->store, "odd", "u1", NULL), 0);
	assert_non_null(store_snapshot_user(snap, "odd", "u1", 2));
	store_snapshot_unref(snap);
}

static void *read_and_unref(void *arg)
{
	struct store_snapshot *snap = arg;

	for (int i = 0; i < 20000; i++)
		if (!store_snapshot_user(snap, "r", "alice", 5) ||
		    store_snapshot_user(snap, "r", "bob", 3))
			abort();
	store_snapshot_unref(snap);
	return NULL;
}

static void test_snapshot_threads(void **state)
{
	struct fixture *f = *state;
	struct store_snapshot *snap;
	pthread_t threads[4];

	assert_int_equal(store_user_add(f->store, "r", "alice", "pw", NULL), 0);
	assert_int_equal(store_snapshot_load(f->store, &snap, &f->why), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, read_and_unref, store_snapshot_ref(snap)), 0);
	store_snapshot_unref(snap);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	store_snapshot_unref(NULL);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_modes),
	    T(test_users),
	    T(test_keys),
	    T(test_userhashes),
	    T(refuses_names_that_are_no_names),
	    T(refuses_names_that_look_like_others),
	    T(refuses_bad_passwords_and_realms),
	    T(refuses_bad_secrets_and_labels),
	    T(any_printable_name_is_a_name),
	    T(a_name_of_the_longest_length_is_one),
	    T(any_printable_text_is_a_secret_or_a_label),
	    cmocka_unit_test(test_made_passwords_differ),
	    T(two_secrets_verify_and_the_newer_issues),
	    T(a_secret_is_retired_once),
	    T(a_secret_is_added_once),
	    T(a_token_opens_letter_for_letter),
	    T(the_number_of_a_token_is_never_given_twice),
	    T(it_is_remembered_that_there_was_a_token),
	    T(test_no_plain_text),
	    T(a_load_takes_a_change_in),
	    T(a_change_by_another_handle_is_seen),
	    T(test_snapshot_lookup),
	    T(test_snapshot_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The first start: certificate, secret and token, made once and then left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "daemon/cert/cert.h"
#include "daemon/cert/setup.h"
#include "store/snapshot.h"
#include "store/tests/tmpdir.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct fixture {
	char dir[64], data[80];
	struct setup_cert paths;
	struct conf conf;
	struct store *store;
	struct why why;
	char token[STORE_TOKEN_STRLEN];
	bool made;
};

static void load_conf(struct fixture *f, const char *a, const char *b)
{
	char *argv[] = {"turnpike", "--data", f->data, (char *)a, (char *)b, NULL};
	int argc = a ? 5 : 3;

	argv[argc] = NULL;
	conf_free(&f->conf);
	if (conf_check(&argc, argv, NULL, &f->conf, NULL, NULL, &f->why))
		fail_msg("%s", f->why.text);
	setup_cert_paths(&f->conf, &f->paths);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	tmpdir_make(f->dir);
	snprintf(f->data, sizeof(f->data), "%s/data", f->dir);
	load_conf(f, NULL, NULL);
	assert_int_equal(store_open(f->data, NULL, &f->store, &f->why), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	store_close(f->store);
	conf_free(&f->conf);
	tmpdir_remove(f->dir);
	free(f);
	return 0;
}

static int start(struct fixture *f)
{
	memset(f->token, 0, sizeof(f->token));
	f->made = false;
	f->why.text[0] = 0;
	return setup_first_start(&f->conf, f->store, f->token, &f->made, &f->why);
}

static X509 *read_cert(const char *path)
{
	FILE *file = fopen(path, "r");
	X509 *cert;

	assert_non_null(file);
	cert = PEM_read_X509(file, NULL, NULL, NULL);
	fclose(file);
	assert_non_null(cert);
	return cert;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

/* A certificate for these names that was made just now. */
static X509 *make_cert(struct fixture *f, int64_t now_s)
{
	static const char *const names[] = {"turn.example.org", "192.0.2.7", "2001:db8::7"};

	assert_int_equal(cert_make(f->paths.cert, f->paths.key, names, 3, now_s, &f->why), 0);
	return read_cert(f->paths.cert);
}

static void a_made_certificate_is_for_its_names(void **state)
{
	X509 *cert = make_cert(*state, (int64_t)time(NULL));

	assert_int_equal(X509_check_host(cert, "turn.example.org", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(cert, "example.org", 0, 0, NULL), 0);
	assert_int_equal(X509_check_ip_asc(cert, "192.0.2.7", 0), 1);
	assert_int_equal(X509_check_ip_asc(cert, "2001:db8::7", 0), 1);
	assert_int_equal(X509_check_ip_asc(cert, "192.0.2.8", 0), 0);
	X509_free(cert);
}

static void a_made_certificate_is_sound_and_its_key_private(void **state)
{
	struct fixture *f = *state;
	int64_t now_s = (int64_t)time(NULL), expires_at_s = 0;
	X509 *cert = make_cert(f, now_s);
	EVP_PKEY *key = X509_get0_pubkey(cert);
	char group[32];

	assert_int_equal(mode_of(f->paths.key), 0600);
	assert_int_equal(mode_of(f->paths.cert), 0644);
	assert_int_equal(cert_check(f->paths.cert, f->paths.key, &expires_at_s, &f->why), 0);
	assert_int_equal(expires_at_s, now_s + (int64_t)CERT_DAYS * 86400);
	assert_int_equal(X509_verify(cert, key), 1);
	assert_int_equal(EVP_PKEY_get_group_name(key, group, sizeof(group), NULL), 1);
	assert_string_equal(group, "prime256v1");
	assert_int_equal(X509_cmp_time(X509_get0_notBefore(cert), NULL), -1);
	assert_false(X509_get_extension_flags(cert) & EXFLAG_CA);
	X509_free(cert);
}

static void test_bad_certificates(void **state)
{
	static const char *const names[] = {"localhost"}, *const bad[] = {"a,DNS:evil.org"};
	struct fixture *f = *state;
	char other[128];

	assert_int_equal(cert_make(f->paths.cert, f->paths.key, bad, 1, 0, &f->why), -E_INVAL);
	assert_int_equal(cert_make(f->paths.cert, f->paths.key, NULL, 0, 0, &f->why), -E_INVAL);
	assert_int_equal(cert_make("/nonexistent/c", "/nonexistent/k", names, 1, 0, &f->why),
	                 -E_NOTFOUND);
	assert_int_equal(cert_check(f->paths.cert, f->paths.key, NULL, &f->why), -E_NOTFOUND);
	assert_int_equal(mkfifo(f->paths.cert, 0600), 0); /* it must not wait for a writer */
	assert_int_equal(cert_check(f->paths.cert, f->paths.key, NULL, &f->why), -E_INVAL);
	assert_int_equal(unlink(f->paths.cert), 0);
	snprintf(other, sizeof(other), "%s/other.pem", f->dir);
	assert_int_equal(cert_make(other, f->paths.key, names, 1, 0, &f->why), 0);
	assert_int_equal(cert_make(f->paths.cert, f->paths.key, names, 1, 0, &f->why), 0);
	assert_int_equal(cert_check(other, f->paths.key, NULL, &f->why), -E_INVAL);
	assert_non_null(strstr(f->why.text, "other.pem"));
	assert_int_equal(cert_check(f->paths.key, f->paths.cert, NULL, &f->why), -E_PARSE);
	tmpdir_write(f->paths.key,
	             "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
	assert_int_equal(cert_check(f->paths.cert, f->paths.key, NULL, &f->why), -E_PARSE);
	assert_non_null(strstr(f->why.text, f->paths.key));
}

static bool token_opens(struct fixture *f, const char *token)
{
	struct store_snapshot_token found;
	struct store_snapshot *snap;
	bool opens;

	assert_int_equal(store_snapshot_load(f->store, &snap, &f->why), 0);
	opens = store_snapshot_token(snap, token, strlen(token), time(NULL), &found);
	store_snapshot_unref(snap);
	return opens;
}

static void holds(struct fixture *f, size_t secrets, size_t tokens)
{
	struct store_snapshot *snap;

	assert_int_equal(store_snapshot_load(f->store, &snap, &f->why), 0);
	assert_int_equal(store_snapshot_secret_n(snap), secrets);
	assert_int_equal(store_snapshot_token_n(snap), tokens);
	store_snapshot_unref(snap);
}

static void the_first_start_makes_a_secret_a_token_and_a_certificate(void **state)
{
	struct fixture *f = *state;
	X509 *cert;

	assert_int_equal(start(f), 0);
	assert_true(f->made);
	assert_true(token_opens(f, f->token));
	holds(f, 1, 1);
	assert_int_equal(mode_of(f->data), 0700);
	assert_int_equal(mode_of(f->paths.key), 0600);
	cert = read_cert(f->paths.cert);
	assert_int_equal(X509_check_host(cert, "localhost", 0, 0, NULL), 1);
	assert_int_equal(X509_check_ip_asc(cert, "127.0.0.1", 0), 1);
	X509_free(cert);
}

static void the_second_start_makes_nothing(void **state)
{
	struct fixture *f = *state;
	X509 *first, *second;

	assert_int_equal(start(f), 0);
	first = read_cert(f->paths.cert);
	assert_int_equal(start(f), 0);
	assert_false(f->made);
	assert_string_equal(f->token, "");
	holds(f, 1, 1);
	second = read_cert(f->paths.cert);
	assert_int_equal(X509_cmp(first, second), 0);
	X509_free(first);
	X509_free(second);
}

/* A secret is needed, though. */
static void a_deleted_token_is_not_made_again(void **state)
{
	struct fixture *f = *state;
	char token[STORE_TOKEN_STRLEN];

	assert_int_equal(start(f), 0);
	strcpy(token, f->token);
	assert_int_equal(store_token_del(f->store, 1, &f->why), 0);
	assert_int_equal(store_secret_retire(f->store, 1, 0, &f->why), 0);
	assert_int_equal(start(f), 0);
	assert_false(f->made);
	assert_false(token_opens(f, token));
	holds(f, 1, 0);
}

static void test_certificate_is_renewed(void **state)
{
	static const char *const names[] = {"localhost"};
	struct fixture *f = *state;
	int64_t now_s = (int64_t)time(NULL), expires_at_s;

	assert_int_equal(cert_make(f->paths.cert, f->paths.key, names, 1,
	                           now_s - (CERT_DAYS - 29) * 86400LL, &f->why),
	                 0);
	assert_int_equal(start(f), 0);
	assert_int_equal(cert_check(f->paths.cert, f->paths.key, &expires_at_s, &f->why), 0);
	assert_true(expires_at_s > now_s + 800 * 86400LL);
	/* A start that died between key and certificate is completed. */
	assert_int_equal(unlink(f->paths.cert), 0);
	assert_int_equal(start(f), 0);
	assert_int_equal(cert_check(f->paths.cert, f->paths.key, &expires_at_s, &f->why), 0);
	/* But what cannot be read is not overwritten. */
	tmpdir_write(f->paths.cert, "mine");
	assert_int_equal(start(f), -E_PARSE);
	assert_non_null(strstr(f->why.text, "cert.pem"));
}

static void test_given_certificate(void **state)
{
	static const char *const names[] = {"localhost"};
	struct fixture *f = *state;
	char cert[128], key[128];

	snprintf(cert, sizeof(cert), "--tls-cert=%s/c.pem", f->dir);
	snprintf(key, sizeof(key), "--tls-key=%s/k.pem", f->dir);
	load_conf(f, cert, key);
	assert_int_equal(start(f), -E_NOTFOUND);
	assert_int_equal(cert_make(strchr(cert, '=') + 1, strchr(key, '=') + 1, names, 1,
	                           (int64_t)time(NULL), &f->why),
	                 0);
	assert_int_equal(start(f), 0);
	assert_int_equal(chmod(strchr(key, '=') + 1, 0644), 0);
	assert_int_equal(start(f), -E_DENIED);
	assert_non_null(strstr(f->why.text, "chmod o-r"));
	assert_int_equal(chmod(strchr(key, '=') + 1, 0640), 0);
	assert_int_equal(start(f), 0);
	snprintf(cert, sizeof(cert), "%s/cert.pem", f->data);
	assert_int_equal(access(cert, F_OK), -1);
}

static void test_shared_secret(void **state)
{
	struct fixture *f = *state;
	char path[96], arg[128];
	struct store_snapshot *snap;
	size_t len;

	snprintf(path, sizeof(path), "%s/turnpike.conf", f->dir);
	snprintf(arg, sizeof(arg), "--config=%s", path);
	tmpdir_write(path, "shared_secret = north\n");
	load_conf(f, arg, "--workers=1");
	assert_int_equal(start(f), 0);
	assert_int_equal(start(f), 0);
	assert_int_equal(store_snapshot_load(f->store, &snap, &f->why), 0);
	assert_int_equal(store_snapshot_secret_n(snap), 1);
	assert_string_equal(store_snapshot_secret(snap, 0, &len), "north");
	store_snapshot_unref(snap);
	/* Retiring it is not undone by the next start. */
	assert_int_equal(store_secret_retire(f->store, 1, 0, &f->why), 0);
	assert_int_equal(start(f), -E_DENIED);
	assert_non_null(strstr(f->why.text, "shared_secret"));
	assert_null(strstr(f->why.text, "north"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(a_made_certificate_is_for_its_names),
	    T(a_made_certificate_is_sound_and_its_key_private),
	    T(test_bad_certificates),
	    T(the_first_start_makes_a_secret_a_token_and_a_certificate),
	    T(the_second_start_makes_nothing),
	    T(a_deleted_token_is_not_made_again),
	    T(test_certificate_is_renewed),
	    T(test_given_certificate),
	    T(test_shared_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

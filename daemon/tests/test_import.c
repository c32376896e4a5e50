/* SPDX-License-Identifier: BSD-3-Clause
 *
 * coturn's configuration read: every directive of the packaged program is
 * known, and becomes what it should.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "daemon/import/import.h"
#include "store/tests/tmpdir.h"

#include <ctype.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[64], path[96];

static int make_dir(void **state)
{
	(void)state;
	tmpdir_make(dir);
	snprintf(path, sizeof(path), "%s/turnserver.conf", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	tmpdir_remove(dir);
	return 0;
}

/* Reads the text as a turnserver.conf; what was said about it is for free(). */
static char *import(struct import *im, const char *text, bool users)
{
	FILE *report;
	struct why why;
	char *said;
	size_t len;

	tmpdir_write(path, text);
	report = open_memstream(&said, &len);
	import_init(im, report);
	im->keeps_users = users;
	if (import_file(im, path, &why))
		fail_msg("%s: %s", text, why.text);
	import_finish(im);
	fclose(report);
	return said;
}

static void expect_known(const char *line)
{
	struct import im;
	char *said = import(&im, line, true);

	if (strstr(said, "no such directive") || !(im.taken + im.same + im.left))
		fail_msg("%s: %s", line, said);
	import_free(&im);
	free(said);
}

/* The examples of Debian's /etc/turnserver.conf, one by one. */
static void test_packaged_file(void **state)
{
	FILE *f = fopen("/etc/turnserver.conf", "r");
	char line[1024];
	unsigned n = 0;

	(void)state;
	if (!f) /* of the package coturn; only root and its group may read it */
		skip();
	while (fgets(line, sizeof(line), f)) {
		const char *at = line + (line[0] == '#');

		/* prose begins with a blank, and "secret key" is a line of it that does not */
		if (!islower((unsigned char)*at) || strstr(at, " ") != NULL)
			if (strncmp(at, "psql-", 5) && strncmp(at, "mysql-", 6) &&
			    strncmp(at, "redis-", 6) && strncmp(at, "Verbose", 7))
				continue;
		expect_known(at);
		n++;
	}
	fclose(f);
	assert_in_range(n, 100, 200);
}

/* Every long option that the program itself lists. */
static void test_programs_options(void **state)
{
	FILE *f = popen("turnserver --help 2>&1", "r");
	char line[1024], directive[128];
	unsigned n = 0;

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		const char *at = strstr(line, "--");
		size_t len, lead = strspn(line, " \t");

		/* " -p, --listening-port" or " --cert"; the rest is prose */
		if (!at || at - line > (long)lead + 4 || line[0] != ' ')
			continue;
		at += 2;
		len =
		    strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
		snprintf(directive, sizeof(directive), "%.*s", (int)len, at);
		if (!strcmp(directive, "version") || !strcmp(directive, "help"))
			continue;
		/* the help runs "--alt-listening-port<port>" together */
		expect_known(directive);
		n++;
	}
	assert_int_equal(pclose(f) < 0, 0);
	assert_in_range(n, 90, 200);
}

static void expect(const char *text, enum conf_option_index at, const char *value, const char *says)
{
	struct import im;
	char *said = import(&im, text, false);

	if (!im.value[at] != !value || (value && strcmp(im.value[at], value) != 0))
		fail_msg("%s: %s = %s, not %s", text, conf_options[at].name,
		         im.value[at] ? im.value[at] : "(default)", value ? value : "(default)");
	if (says && !strstr(said, says))
		fail_msg("%s: \"%s\" is not said, but: %s", text, says, said);
	import_free(&im);
	free(said);
}

static void test_what_becomes_of_it(void **state)
{
	(void)state;
	expect("", OPTION_listen, "0.0.0.0:3478,0.0.0.0:5349,[::]:3478,[::]:5349", "");
	expect("listening-port=1234\nlistening-ip=10.0.0.1\n", OPTION_listen,
	       "10.0.0.1:1234,10.0.0.1:5349", ":1: listening-port=1234: taken");
	expect("no-tls\nno-dtls\nlistening-ip=::1\n", OPTION_listen, "[::1]:3478",
	       ":1: no-tls: NOT TAKEN");
	expect("listening-ip=10.0.0.1\nlistening-ip=10.0.0.2\nalt-listening-port=3479\n"
	       "tls-listening-port=3478\n",
	       OPTION_listen, "10.0.0.1:3478,10.0.0.1:3479,10.0.0.2:3478,10.0.0.2:3479", NULL);
	expect("aux-server=10.0.0.1:99\nlistening-ip=10.0.0.1\n", OPTION_listen,
	       "10.0.0.1:3478,10.0.0.1:5349,10.0.0.1:99", NULL);
	expect("external-ip=1.2.3.4/10.0.0.1\nexternal-ip=1.2.3.5/10.0.0.2\n", OPTION_external_ip,
	       "10.0.0.1=1.2.3.4,10.0.0.2=1.2.3.5", NULL);
	expect("external-ip=turn.example.org\n", OPTION_external_ip, NULL, "NOT TAKEN");
	expect("min-port=50000\nmax-port 50999\n", OPTION_relay_ports, "50000-50999", NULL);
	expect("relay-threads=0\n", OPTION_workers, "1", NULL);
	expect("realm=\"example.org\"\n", OPTION_realm, "example.org", NULL);
	expect("static-auth-secret=north\n", OPTION_shared_secret, "north",
	       "static-auth-secret=********: taken");
	expect("static-auth-secret=north\nstatic-auth-secret=south\n", OPTION_shared_secret,
	       "north", ":2: static-auth-secret=********: NOT TAKEN");
	expect("user=alice:wonderland\n", OPTION_realm, "turnpike", "user=********: NOT TAKEN");
	expect("static-auth-secret=\n", OPTION_shared_secret, NULL,
	       "NOT TAKEN: the secret is empty");
	expect("stale-nonce\n", OPTION_nonce_lifetime, "600", NULL);
	expect("stale-nonce=0\n", OPTION_nonce_lifetime, "86400", NULL);
	expect("stale-nonce=7\n", OPTION_nonce_lifetime, NULL, "60 to 86400");
	expect("max-bps=64000\n", OPTION_session_bandwidth, "64000", NULL);
	expect("max-allocate-lifetime=300\n", OPTION_default_lifetime, "300", NULL);
	expect("mobility\n", OPTION_mobility, "yes", NULL);
	expect("mobility=0\n", OPTION_mobility, NULL, "switched off");
	expect("alternate-server=5.6.7.8\n", OPTION_alternate_server, "5.6.7.8:3478", NULL);
	expect("no-auth\n", OPTION_guests, NULL, "open relay");
	expect("allow-loopback-peers\n", OPTION_relay_allow, NULL, "relay_allow_unsafe");
	expect("denied-peer-ip=83.166.64.0-83.166.95.255\nallowed-peer-ip=83.166.68.45\n",
	       OPTION_relay_allow, "83.166.68.45/32", NULL);
	expect("denied-peer-ip=10.0.0.0-10.0.0.3\nallowed-peer-ip=10.0.0.1\n", OPTION_relay_deny,
	       "10.0.0.0/32,10.0.0.2/31", NULL);
	expect("denied-peer-ip=nobody\n", OPTION_relay_deny, NULL, "NOT TAKEN");
	expect("listening-prot=1\n", OPTION_workers, NULL, "listening-prot=********: NOT TAKEN");
	expect("channel-lifetime=60\n", OPTION_workers, NULL, "RFC 8656 sets it to 600");
	expect("\x1b[31m=1\n", OPTION_workers, NULL, "?[31m=");
}

static bool in(const char *list, const char *ip)
{
	char text[4096], *save;
	struct prefix p;
	struct addr a;

	snprintf(text, sizeof(text), "%s", list);
	assert_int_equal(addr_parse_ip(&a, ip, 0), 0);
	for (char *w = strtok_r(text, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		assert_int_equal(prefix_parse(&p, w), 0);
		if (prefix_has(&p, &a))
			return true;
	}
	return false;
}

/* Every address of a /24, denied by hand and by the prefixes that are made. */
static void test_ranges(void **state)
{
	static char *denied[] = {"10.0.0.3-10.0.0.200", "10.0.0.250-10.0.0.255"};
	static char *allowed[] = {"10.0.0.7", "10.0.0.9-10.0.0.31", "10.0.0.128/26", "10.0.0.255",
	                          "::-::5"};
	static char *all[] = {"0.0.0.0/0", "::/0"};
	const struct import_texts d = {denied, 2}, a = {allowed, 5}, none = {NULL, 0}, e = {all, 2};
	size_t n;
	char *text = import_subtract(&d, &a, &n), ip[32];

	(void)state;
	for (int i = 0; i < 256; i++) {
		bool want = ((i >= 3 && i <= 200) || i >= 250) && i != 7 && !(i >= 9 && i <= 31) &&
		            !(i >= 128 && i <= 191) && i != 255;

		snprintf(ip, sizeof(ip), "10.0.0.%d", i);
		if (in(text, ip) != want)
			fail_msg("%s in %s", ip, text);
	}
	free(text);
	text = import_subtract(&e, &none, &n);
	assert_string_equal(text, "0.0.0.0/0,::/0");
	assert_int_equal(n, 2);
	free(text);
	text = import_subtract(&d, &e, &n);
	assert_int_equal(n, 0);
	free(text);
	assert_int_equal(import_range_check("10.0.0.2-10.0.0.1"), -E_PARSE);
	assert_int_equal(import_range_check("10.0.0.2-::1"), -E_PARSE);
	assert_int_equal(import_range_check(""), -E_PARSE);
}

/* With a database for the users: what is said to be taken is what will be there. */
static void test_users(void **state)
{
	struct import im;
	char *said = import(&im,
	                    "user = frank :  pw\r\n\tuser=carol:one\nuser=carol:two\nuser=:x\n"
	                    "user=erin:\nuser=123:pw\nuser=dave:0xZZ\n"
	                    "user=eve:0xbc807ee29df3c9ffa736523fb2c4e8ee\nuse-auth-secret=no\n",
	                    true);

	(void)state;
	assert_int_equal(im.user_n, 3);
	assert_int_equal(im.taken, 3);
	assert_int_equal(im.left, 5);
	assert_string_equal(im.users[0].name, "frank ");
	assert_string_equal(im.users[0].password, "pw");
	assert_string_equal(im.users[1].password, "one");
	assert_string_equal(im.users[2].name, "eve");
	assert_non_null(strstr(said, ":3: user=********: NOT TAKEN: there is one of that name"));
	import_free(&im);
	free(said);

	/* coturn lets in the one kind or the other: who was kept out stays out */
	said = import(&im, "user=test:test\nstatic-auth-secret=north\n", true);
	assert_int_equal(im.user_n, 0);
	assert_non_null(strstr(said, ":1: user=********: NOT TAKEN: with use-auth-secret"));
	import_free(&im);
	free(said);
}

static void run(const char *db, const char *sql)
{
	sqlite3 *handle;

	assert_int_equal(sqlite3_open(db, &handle), SQLITE_OK);
	assert_int_equal(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(handle);
}

/* Rows that coturn does not heed, or heeds for one realm only, open nothing. */
static void test_rows_that_are_not_in_force(void **state)
{
	char db[96], *said;
	struct import im;
	struct why why;
	size_t len;

	(void)state;
	snprintf(db, sizeof(db), "%s/turndb", dir);
	run(db,
	    "CREATE TABLE turn_secret (realm TEXT, value TEXT);"
	    "CREATE TABLE allowed_peer_ip (realm TEXT, ip_range TEXT);"
	    "CREATE TABLE oauth_key (kid TEXT, ikm_key TEXT, realm TEXT);"
	    "INSERT INTO turn_secret VALUES ('a.org', 'old');"
	    "INSERT INTO allowed_peer_ip VALUES ('a.org', '10.0.0.1'), ('b.org', '10.0.0.2');"
	    "INSERT INTO oauth_key VALUES ('k', 'MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=', "
	    "'');");
	free(import(&im, "realm=a.org\nlt-cred-mech\n", true));
	im.report = open_memstream(&said, &len);
	assert_int_equal(import_db(&im, db, &why), 0);
	import_finish(&im);
	fclose(im.report);
	assert_null(im.value[OPTION_shared_secret]);
	assert_int_equal(im.secrets.n, 0);
	assert_null(im.value[OPTION_oauth_key]);
	assert_string_equal(im.value[OPTION_relay_allow], "10.0.0.1/32");
	assert_non_null(strstr(said, "secret ******** of realm a.org: NOT TAKEN"));
	assert_non_null(strstr(said, "10.0.0.2 of realm b.org: NOT TAKEN"));
	assert_non_null(strstr(said, "oauth_key k: NOT TAKEN: oauth is not set"));
	import_free(&im);
	free(said);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_packaged_file),
	    cmocka_unit_test(test_programs_options),
	    cmocka_unit_test(test_what_becomes_of_it),
	    cmocka_unit_test(test_ranges),
	    cmocka_unit_test(test_users),
	    cmocka_unit_test(test_rows_that_are_not_in_force),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}

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
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], path[96];

static int setup(void **state)
{
	(void)state;
	tmpdir_make(dir);
	snprintf(path, sizeof(path), "%s/turnserver.conf", dir);
	return 0;
}

static int teardown(void **state)
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
	if (import_finish(im, false, &why))
		fail_msg("%s: %s", text, why.text);
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
			if (strncmp(at, "psql-", 5) != 0 && strncmp(at, "mysql-", 6) != 0 &&
			    strncmp(at, "redis-", 6) != 0 && strncmp(at, "Verbose", 7) != 0)
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
	expect("# nothing", OPTION_listen, "0.0.0.0:3478,0.0.0.0:5349,[::]:3478,[::]:5349", "");
	expect("listening-port=1234\nlistening-ip=10.0.0.1\n", OPTION_listen,
	       "10.0.0.1:1234,10.0.0.1:5349", ":1: listening-port=1234: taken");
	expect("no-tls\nno-dtls\nlistening-ip=::1\n", OPTION_listen, "[::1]:3478",
	       ":1: no-tls: NOT TAKEN");
	expect("listening-ip=10.0.0.1\nlistening-ip=10.0.0.2\nalt-listening-port=3500\n"
	       "tls-listening-port=3478\nalt-tls-listening-port=3500\n",
	       OPTION_listen, "10.0.0.1:3478,10.0.0.1:3500,10.0.0.2:3478,10.0.0.2:3500", NULL);
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
	expect("mobility=0\n", OPTION_mobility, NULL, "is off");
	expect("alternate-server=5.6.7.8\n", OPTION_alternate_server, "5.6.7.8:3478", NULL);
	expect("no-auth\n", OPTION_guests, NULL, "open relay");
	expect("allow-loopback-peers\n", OPTION_relay_allow, NULL, "relay_allow_unsafe");
	expect("denied-peer-ip=83.166.64.0-83.166.95.255\nallowed-peer-ip=83.166.68.45\n",
	       OPTION_relay_allow, "83.166.68.45/32", NULL);
	expect("denied-peer-ip=10.0.0.0-10.0.0.3\nallowed-peer-ip=10.0.0.1\n", OPTION_relay_deny,
	       "10.0.0.0/32,10.0.0.2/31", NULL);
	expect("denied-peer-ip=nobody\n", OPTION_relay_deny, NULL, "NOT TAKEN");
	expect("listening-prot=1\nno-cli\n", OPTION_workers, NULL,
	       "listening-prot=********: NOT TAKEN");
	expect("channel-lifetime=60\n", OPTION_workers, NULL, "RFC 8656 sets it to 600");
	expect("\x1b[31m=1\nno-cli\n", OPTION_workers, NULL, ":1: ********=********: NOT TAKEN");
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
}

static void expect_range(const char *text, enum import_form form, const char *clean)
{
	char got[IMPORT_RANGE_LEN] = "";

	if (import_range_read(text, got) != form || (clean && strcmp(got, clean) != 0))
		fail_msg("%s: %s", text, got);
}

/* coturn's own error message is the word: what it does not understand it skips. */
static void test_forms_of_ranges(void **state)
{
	(void)state;
	expect_range("10.0.0.1", IMPORT_RANGE, "10.0.0.1-10.0.0.1");
	expect_range(" 10.0.0.1 - 10.0.0.9 ", IMPORT_RANGE, "10.0.0.1-10.0.0.9");
	expect_range("10.1-10.2", IMPORT_RANGE, "10.0.0.1-10.0.0.2");
	expect_range("fc00::-fdff::1", IMPORT_RANGE, "fc00::-fdff::1");
	expect_range("10.0.0.0-10.255.255.255 # ours", IMPORT_MEANT, "10.0.0.0-10.255.255.255");
	expect_range("10.0.0.1\t; me", IMPORT_MEANT, "10.0.0.1-10.0.0.1");
	expect_range("10.0.0.0/8", IMPORT_MEANT, "10.0.0.0/8");
	expect_range("10.0.0.0/33", IMPORT_NO_RANGE, NULL);
	expect_range("10.0.0.2-10.0.0.1", IMPORT_NO_RANGE, NULL);
	expect_range("10.0.0.2-::1", IMPORT_NO_RANGE, NULL);
	expect_range("10.0.0.2-", IMPORT_NO_RANGE, NULL);
	expect_range("", IMPORT_NO_RANGE, NULL);
	expect_range("nobody", IMPORT_NO_RANGE, NULL);
	expect("denied-peer-ip=10.0.0.0-10.255.255.255 # rfc\n", OPTION_relay_deny, "10.0.0.0/8",
	       "coturn does not accept it and denies nothing");
	expect("allowed-peer-ip=10.0.0.0/8\n", OPTION_relay_allow, NULL, "NOT TAKEN");
	expect("allowed-peer-ip=127.0.0.1\nallowed-peer-ip=10.0.0.1\n", OPTION_relay_allow,
	       "10.0.0.1/32", "127.0.0.1/32 would open");
}

/* More than our list holds must not end as less. */
static void test_too_many_denied(void **state)
{
	char text[64 * 1024] = "";
	struct import im;
	struct why why;
	size_t len = 0;
	FILE *null = fopen("/dev/null", "w");

	(void)state;
	for (int i = 0; i < 300; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		                        "denied-peer-ip=8.%d.%d.1\n", i / 200, i % 200);
	tmpdir_write(path, text);
	import_init(&im, null);
	assert_int_equal(import_file(&im, path, &why), 0);
	assert_int_equal(import_finish(&im, false, &why), -E_LIMIT);
	assert_non_null(strstr(why.text, "300 prefixes"));
	import_free(&im);
	fclose(null);
}

/* ---- as coturn reads ---- */

static void test_numbers(void **state)
{
	(void)state;
	expect("user-quota=12 # remark\n", OPTION_user_quota, "12",
	       "taken: user_quota = 12, as coturn reads it");
	expect("user-quota=12;\n", OPTION_user_quota, "12", NULL);
	expect("user-quota = \t 12\r\n", OPTION_user_quota, "12",
	       "user-quota=12: taken: user_quota\n");
	expect("user-quota +12x", OPTION_user_quota, "12", NULL);
	expect("user-quota=0x10\n", OPTION_user_quota, "0", NULL);
	expect("user-quota=\"7\"\n", OPTION_user_quota, "7", NULL);
	expect("user-quota=3\nuser-quota=4\n", OPTION_user_quota, "4", NULL);
	expect("user-quota=-1\n", OPTION_user_quota, "0", NULL);
	expect("total-quota=100 # all\n", OPTION_total_quota, "100", NULL);
	expect("total-quota=-1\n", OPTION_total_quota, NULL, "NOT TAKEN");
	expect("max-bps=64000k\n", OPTION_session_bandwidth, "64000", NULL);
	expect("max-bps=-1\n", OPTION_session_bandwidth, "0", NULL);
	expect("bps-capacity= 5000000 \n", OPTION_total_bandwidth, "5000000", NULL);
	expect("listening-port=3479 # the other\nlistening-ip=10.0.0.1\n", OPTION_listen,
	       "10.0.0.1:3479,10.0.0.1:5349", NULL);
	expect("listening-port=70000\nlistening-ip=10.0.0.1\n", OPTION_listen,
	       "10.0.0.1:3478,10.0.0.1:5349",
	       "NOT TAKEN: the value is not a port: coturn uses 4464");
	expect("listening-port=0\n", OPTION_workers, NULL, "NOT TAKEN: the port is 0");
	expect("stale-nonce=600 # s\n", OPTION_nonce_lifetime, "600", NULL);
	expect("max-allocate-lifetime\n", OPTION_max_lifetime, "3600", NULL);
	expect("relay-threads=-3\n", OPTION_workers, "1", NULL);
	expect("relay-threads=999\n", OPTION_workers, "128", NULL);
	expect("relay-threads=2\ncpus=4\n", OPTION_workers, "2", NULL);
	expect("cpus=4\n", OPTION_workers, "4", NULL);
}

static void test_lines(void **state)
{
	char text[4096];

	(void)state;
	expect("\t  realm \t a.org  ", OPTION_realm, "a.org", NULL);
	expect("realm==\t=a.org\r\n", OPTION_realm, "a.org", NULL);
	expect("realm=a.org\nrealm=b.org\n", OPTION_realm, "b.org", NULL);
	expect("realm=a.org # ours\n", OPTION_realm, "a.org # ours", "are part of it");
	expect("realm=\"a b\"\n", OPTION_realm, "a b", NULL);
	expect("realm=a,b\n", OPTION_realm, "turnpike", "cannot have a comma");
	expect("\xef\xbb\xbfrealm=a.org\n", OPTION_realm, "a.org", "a byte order mark precedes");
	expect("\xef\xbb\xbf# remark\nrealm=a.org\n", OPTION_realm, "a.org", NULL);
	expect("\xef\xbb\xbf"
	       "allowed-peer-ip=10.0.0.1\n",
	       OPTION_relay_allow, NULL, "NOT TAKEN");
	expect("--realm=a.org\n", OPTION_realm, "a.org", "hyphens precede it");
	expect(" # realm=b.org\nrealm=a.org # x", OPTION_realm, "a.org # x", NULL);
	/* coturn's buffer: the 1024th byte begins another line */
	snprintf(text, sizeof(text), "# %*s%s", 1021, "", "realm=a.org\nuser-quota=5\n");
	expect(text, OPTION_realm, "a.org", ":1: realm=a.org: taken");
	expect(text, OPTION_user_quota, "5", ":2: user-quota=5: taken");
}

static void test_flags(void **state)
{
	(void)state;
	expect("mobility=off\n", OPTION_mobility, NULL, "is off");
	expect("mobility=none\n", OPTION_mobility, NULL, "is off");
	expect("mobility=On\n", OPTION_mobility, "yes", NULL);
	expect("mobility = 9\n", OPTION_mobility, "yes", NULL);
	expect("mobility=maybe\n", OPTION_mobility, NULL, "NOT TAKEN: coturn does not start");
	expect("mobility # roaming\n", OPTION_mobility, "yes",
	       "coturn does not start with a remark");
	/* some are on whatever they are set to */
	expect("no-rfc5780=0\n", OPTION_nat_discovery, "no", "whatever its value");
	expect("use-auth-secret=no\nuser=bob:builder\n", OPTION_workers, NULL,
	       ":2: user=********: NOT TAKEN: with use-auth-secret");
	expect("dtls=no\n", OPTION_max_dtls_sessions, "0", NULL);
	expect("rfc5766-channel-numbers\n", OPTION_legacy_channels, "yes", NULL);
	expect("log-min-level=warning\n", OPTION_log_level, "warn", NULL);
}

static void test_addresses(void **state)
{
	(void)state;
	expect("listening-ip=0.0.0.0\n", OPTION_listen, "0.0.0.0:3478,0.0.0.0:5349", NULL);
	expect("listening-ip=\n", OPTION_listen, "0.0.0.0:3478,0.0.0.0:5349", NULL);
	expect("listening-ip=0.0.0.0\nlistening-ip=::\nno-rfc5780\n", OPTION_listen,
	       "0.0.0.0:3478,0.0.0.0:5349,[::]:3478,[::]:5349", NULL);
	/* one that is part of another is not listened on twice */
	expect(
	    "listening-ip=10.0.0.1\nlistening-ip=0.0.0.0\nno-rfc5780\naux-server=10.0.0.1:3478\n",
	    OPTION_listen, "0.0.0.0:3478,0.0.0.0:5349", NULL);
	expect("listening-ip=10.0.0.1\nlistening-ip=10.0.0.1\n", OPTION_listen,
	       "10.0.0.1:3478,10.0.0.1:5349", "an earlier line has it");
	expect("listening-ip=eth0\nlistening-ip=10.0.0.1 # lan\nlistening-ip=[10.0.0.9]\n",
	       OPTION_listen, "0.0.0.0:3478,0.0.0.0:5349,[::]:3478,[::]:5349", "NOT TAKEN");
	/* alternative ports, given or not, where coturn opens them */
	expect("listening-ip=10.0.0.1\nlistening-ip=10.0.0.2\nno-tls\nno-dtls\n", OPTION_listen,
	       "10.0.0.1:3478,10.0.0.1:3479,10.0.0.2:3478,10.0.0.2:3479", NULL);
	expect(
	    "listening-ip=10.0.0.1\nlistening-ip=10.0.0.2\nno-tls\nno-dtls\nexternal-ip=1.2.3.4\n",
	    OPTION_listen, "10.0.0.1:3478,10.0.0.2:3478", NULL);
	expect("listening-ip=10.0.0.1\nalt-listening-port=3500\n", OPTION_listen,
	       "10.0.0.1:3478,10.0.0.1:5349", NULL);
	expect("relay-ip=0.0.0.0\nrelay-ip=10.0.0.1\nrelay-ip=10.0.0.1\n", OPTION_relay_address,
	       "10.0.0.1", "an earlier line has it");
	expect("external-ip=1.2.3.4\nexternal-ip=1.2.3.5\n", OPTION_external_ip, "1.2.3.4",
	       ":2: external-ip=1.2.3.5: NOT TAKEN");
	expect("external-ip=1.2.3.4/10.0.0.1\nexternal-ip=1.2.3.5/10.0.0.1\n", OPTION_external_ip,
	       "10.0.0.1=1.2.3.4", "for the same private address");
	expect("external-ip=2001:db8::1\nlistening-ip=10.0.0.1\n", OPTION_external_ip, NULL,
	       "no relay address of its family");
	expect("min-port=1024\nmax-port=65535\n", OPTION_relay_ports, "5350-65535",
	       "without the ports of listen");
	expect("alternate-server=10.0.0.1\nlistening-ip=10.0.0.1\n", OPTION_alternate_server, NULL,
	       "is this server itself");
}

static void test_certificates(void **state)
{
	(void)state;
	expect("cert=/nonexistent/c.pem\npkey=/nonexistent/k.pem\n", OPTION_tls_cert,
	       "/nonexistent/c.pem", NULL);
	expect("cert=/nonexistent/c.pem\n", OPTION_tls_cert, NULL, "NOT TAKEN: there is no pkey");
}

/* What later versions have and the packaged one lacks; and what it has and does not list. */
static void test_other_versions(void **state)
{
	static const char *const names[] = {
	    "rfc5780",
	    "stun-backward-compatibility",
	    "tlsv1",
	    "tlsv1_1",
	    "cli",
	    "software-attribute",
	    "raw-public-keys",
	    "respond-http-unsupported",
	    "prometheus",
	    "prometheus-port",
	    "prometheus-address",
	    "prometheus-path",
	    "prometheus-username-labels",
	    "prometheus-tls",
	    "prometheus-cert",
	    "prometheus-key",
	    "sock-buf-size",
	    "log-min-level",
	    "tcp-alternate-server",
	    "udp-alternate-server",
	    "drain-min-allocations",
	    "dtls",
	    "rfc5766-channel-numbers",
	    "rfc3489-compatibility",
	    "drop-invalid-packets",
	    "drop-invalid-packets-log",
	    "udp-recvmmsg",
	    "udp-recvmmsg-log",
	    "udp-sendmmsg-log",
	    "udp-gso",
	    "include-reason-string",
	    "multiplex-peer",
	    "multiplex-peer-port",
	    "multiplex-peer-max-peers",
	    "cpus",
	    "unauthorized-ratelimit",
	    "unauthorized-ratelimit-rps",
	    "stateless-nonce",
	    "stateless-nonce-secret",
	    "mongo-userdb",
	    "sql-userdb",
	    "secret-ts-exp-time",
	    "no-sslv2",
	    "no-sslv3",
	    "prod",
	    "dh2066",
	    "no-loopback-peers",
	    "version",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		expect_known(names[i]);
	expect("no-tlsv1\n", OPTION_workers, NULL,
	       "not needed: TLS 1.2 is the oldest; removed in "
	       "coturn 4.7");
	expect("no-cli\n", OPTION_workers, NULL, "removed in coturn 4.18");
	/* what was said of these and was not so */
	expect("fingerprint\n", OPTION_workers, NULL, "if the request has one");
	expect("no-stun-backward-compatibility\n", OPTION_workers, NULL,
	       "NOT TAKEN: Binding requests of RFC 3489 are answered");
	expect("web-admin\n", OPTION_workers, NULL, "the status page is at /admin/");
	expect("psql-userdb=\"host=db password=x\"\n", OPTION_workers, NULL,
	       "psql-userdb=********: NOT TAKEN: only coturn's SQLite database can be read");
}

static void expect_refused(const char *from, const char *says)
{
	struct import im;
	struct why why;
	FILE *null = fopen("/dev/null", "w");

	import_init(&im, null);
	if (!import_file(&im, from, &why))
		fail_msg("%s is taken", from);
	if (!strstr(why.text, says))
		fail_msg("%s: %s", from, why.text);
	import_free(&im);
	fclose(null);
}

static void test_no_file(void **state)
{
	(void)state;
	expect_refused("/nonexistent/turnserver.conf", "No such file");
	expect_refused(dir, "Is a directory");
	expect_refused("/dev/null", "is empty");
	tmpdir_write(path, " \n\t\r\n");
	expect_refused(path, "is empty");
	tmpdir_write(path, "server {\n listen 80;\n}\n");
	expect_refused(path, "is not a turnserver.conf");
	expect("# all defaults\n", OPTION_realm, "turnpike", "");
}

/* What is printed is read as what was taken. */
static void test_print(void **state)
{
	char printed[96], *argv[] = {"turnpike", "--config", printed, NULL}, *said;
	struct import im;
	struct conf conf;
	struct why why;
	int argc = 3;
	FILE *out;

	(void)state;
	said = import(&im, "realm=a.org # b\nstatic-auth-secret=a\"b #\"\nuser-quota=1\n", true);
	assert_int_equal(im.secrets.n, 1); /* the file cannot hold it, the database can */
	assert_string_equal(im.secrets.v[0], "a\"b #\"");
	import_free(&im);
	free(said);
	said = import(&im, "realm=a.org # b\nstatic-auth-secret=a\"b#\nuser-quota=1\n", false);
	snprintf(printed, sizeof(printed), "%s/turnpike.conf", dir);
	tmpdir_write(printed, "");
	chmod(printed, 0600);
	out = fopen(printed, "w");
	import_print(out, &im, path, "/data");
	fclose(out);
	if (conf_check(&argc, argv, NULL, &conf, NULL, NULL, &why))
		fail_msg("%s", why.text);
	assert_string_equal(conf.realm.v[0], "a.org # b");
	assert_string_equal(conf.shared_secret, "a\"b#");
	assert_string_equal(conf.data, "/data");
	assert_int_equal(conf.user_quota, 1);
	conf_free(&conf);
	import_free(&im);
	free(said);
}

/* With a database for the users: what is said to be taken is what will be there. */
static void test_users(void **state)
{
	struct import im;
	char *said = import(&im,
	                    "user = frank :  pw\r\n\tuser=carol:one\nuser=carol:two\nuser=:x\n"
	                    "user=erin:\nuser=123:pw\nuser=dave:0xZZ\nrealm=a.org\n"
	                    "user=eve:0xbc807ee29df3c9ffa736523fb2c4e8ee\nlt-cred-mech=no\n",
	                    true);

	(void)state;
	assert_int_equal(im.user_n, 3);
	assert_int_equal(im.taken, 5); /* the realm and, twice, carol with them */
	assert_int_equal(im.left, 4);
	assert_string_equal(im.users[0].name, "frank ");
	assert_string_equal(im.users[0].password, "pw");
	assert_string_equal(im.users[1].password, "two"); /* the last counts, as with coturn */
	assert_string_equal(im.users[2].name, "eve");
	assert_non_null(strstr(said, ":3: user=********: taken: it replaces an earlier user"));
	import_free(&im);
	free(said);

	/* coturn lets in one kind or the other: a user that was kept out stays out */
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

/* Rows that coturn ignores, or uses for one realm only, open nothing. */
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
	    "CREATE TABLE admin_user (name TEXT, realm TEXT, password TEXT);"
	    "INSERT INTO admin_user VALUES ('a\xc2\x9b' || 'b\xe2\x80\xae', '', 'x');"
	    "CREATE TABLE turn_realm_option (realm TEXT, opt TEXT, value TEXT);"
	    "INSERT INTO turn_realm_option VALUES ('a.org', 'user-quota', '7'), "
	    "('a.org', 'total-quota', '70'), ('b.org', 'max-bps', '8');"
	    "INSERT INTO turn_secret VALUES ('a.org', 'old');"
	    "INSERT INTO allowed_peer_ip VALUES ('a.org', '10.0.0.1'), ('b.org', '10.0.0.2');"
	    "INSERT INTO oauth_key VALUES ('k', 'MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=', "
	    "'');");
	free(import(&im, "realm=a.org\nlt-cred-mech\n", true));
	im.report = open_memstream(&said, &len);
	assert_int_equal(import_db(&im, db, &why), 0);
	assert_int_equal(import_finish(&im, false, &why), 0);
	fclose(im.report);
	assert_null(im.value[OPTION_shared_secret]);
	assert_int_equal(im.secrets.n, 0);
	assert_null(im.value[OPTION_oauth_key]);
	assert_string_equal(im.value[OPTION_relay_allow], "10.0.0.1/32");
	assert_non_null(strstr(said, "secret ******** of realm a.org: NOT TAKEN"));
	/* limits of the one realm are ours; those of another would be everybody's */
	assert_string_equal(im.value[OPTION_user_quota], "7");
	assert_string_equal(im.value[OPTION_total_quota], "70");
	assert_null(im.value[OPTION_session_bandwidth]);
	assert_non_null(strstr(said, "max-bps of realm b.org: NOT TAKEN"));
	assert_non_null(strstr(said, "10.0.0.2 of realm b.org: NOT TAKEN"));
	/* what steers a terminal is shown */
	assert_non_null(strstr(said, "admin user a\u27e8U+009B\u27e9b\u27e8U+202E\u27e9: NOT"));
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
	    cmocka_unit_test(test_forms_of_ranges),
	    cmocka_unit_test(test_too_many_denied),
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_flags),
	    cmocka_unit_test(test_addresses),
	    cmocka_unit_test(test_certificates),
	    cmocka_unit_test(test_other_versions),
	    cmocka_unit_test(test_no_file),
	    cmocka_unit_test(test_print),
	    cmocka_unit_test(test_users),
	    cmocka_unit_test(test_rows_that_are_not_in_force),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

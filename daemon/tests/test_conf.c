/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The configuration: every source, their order, and what each mistake says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/host.h"
#include "daemon/conf/conf.h"
#include "daemon/conf/conf_internal.h"
#include "daemon/conf/hook.h"
#include "store/tests/tmpdir.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARGS_MAX 32

/* One run of the loader: words and variables are separated by spaces. */
struct run {
	char *argv[ARGS_MAX + 1], *envp[ARGS_MAX + 1], args[1024], env[1024];
	int argc;
	struct conf conf;
	struct why why;
};

static char dir[64], file_path[96];

static int split(char *text, char **words)
{
	char *save;
	int n = 0;

	for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save))
		words[n++] = w;
	words[n] = NULL;
	return n;
}

/* file may be NULL: then there is none. */
static int load(struct run *r, const char *args, const char *env, const char *file)
{
	memset(r, 0, sizeof(*r));
	snprintf(r->args, sizeof(r->args), "turnpike %s %s%s", args, file ? "--config=" : "",
	         file ? file_path : "");
	snprintf(r->env, sizeof(r->env), "%s", env);
	if (file)
		tmpdir_write(file_path, file);
	r->argc = split(r->args, r->argv);
	split(r->env, r->envp);
	return conf_check(&r->argc, r->argv, r->envp, &r->conf, NULL, NULL, &r->why);
}

static int setup(void **state)
{
	(void)state;
	tmpdir_make(dir);
	snprintf(file_path, sizeof(file_path), "%s/turnpike.conf", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tmpdir_remove(dir);
	return 0;
}

static void by_default_every_address_serves_on_the_usual_ports(void **state)
{
	char text[ADDR_STRLEN];
	struct run r;

	(void)state;
	assert_int_equal(load(&r, "", "HOME=/", NULL), 0);
	assert_int_equal(r.conf.listen.n, 8);
	assert_string_equal(addr_format(&r.conf.listen.v[0], text), "0.0.0.0:3478");
	assert_string_equal(addr_format(&r.conf.listen.v[7], text), "[::]:8080");
	assert_int_equal(r.conf.relay_ports.min, 49152);
	assert_int_equal(r.conf.relay_ports.max, 65535);
	assert_int_equal(r.conf.relay_address.n, 0);
	assert_int_equal(r.conf.relay_allow.n, 0);
	conf_free(&r.conf);
}

static void the_default_lifetimes_and_quotas(void **state)
{
	struct run r;

	(void)state;
	assert_int_equal(load(&r, "", "HOME=/", NULL), 0);
	assert_int_equal(r.conf.max_lifetime, 3600);
	assert_int_equal(r.conf.default_lifetime, 600);
	assert_int_equal(r.conf.nonce_lifetime, 3600);
	assert_int_equal(r.conf.user_quota, 128);
	assert_int_equal(r.conf.total_quota, 0);
	assert_int_equal(r.conf.credential_ttl, 86400);
	conf_free(&r.conf);
}

static void by_default_nothing_is_named_and_nothing_is_lenient(void **state)
{
	struct run r;

	(void)state;
	assert_int_equal(load(&r, "", "HOME=/", NULL), 0);
	assert_string_equal(r.conf.data, "./data");
	assert_string_equal(r.conf.realm.v[0], "turnpike");
	assert_int_equal(r.conf.workers, 0);
	assert_false(r.conf.legacy_channels);
	assert_int_equal(r.conf.guests, GUESTS_LOCAL);
	assert_int_equal(r.conf.log_level, LOG_LEVEL_INFO);
	assert_string_equal(r.conf.public_host, "");
	assert_string_equal(r.conf.tls_cert, "");
	assert_string_equal(r.conf.shared_secret, "");
	conf_free(&r.conf);
	conf_free(NULL);
}

static void webhooks_go_over_tls_or_stay_at_home(void **state)
{
	static const char *const urls[] = {
	    "https://a.example/x?y=z", "http://localhost:9/x",       "http://127.0.0.1",
	    "http://[::1]:8080/",      "http://backend:3000/hook",   "http://10.1.2.3/",
	    "http://[fd00::1]/",       "http://app.internal/x",      "https://8.8.8.8:8443/",
	    "http://192.168.1.1/",     "http://host.docker.internal"};
	struct why why = {{0}};
	struct run r;

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++)
		if (hook_url_check(urls[i], &why))
			fail_msg("%s", why.text);
	assert_int_equal(load(&r, "", "HOME=/", NULL), 0);
	assert_int_equal(r.conf.webhook_url.n, 0);
	assert_int_equal(r.conf.webhook_events.n, HOOK_RELAY_USED + 1); /* all */
	conf_free(&r.conf);
}

static void test_precedence(void **state)
{
	static const char file[] = "realm = from-file\nworkers = 2\nlisten = 127.0.0.1:1\n"
	                           "guests = no\n";
	struct run r;

	(void)state;
	assert_int_equal(load(&r, "--realm from-args --listen 127.0.0.1:5 --listen=[::1]:6",
	                      "TURNPIKE_REALM=from-env TURNPIKE_WORKERS=3 "
	                      "TURNPIKE_LISTEN=127.0.0.1:2,127.0.0.1:3",
	                      file),
	                 0);
	assert_string_equal(r.conf.realm.v[0], "from-args");
	assert_int_equal(r.conf.workers, 3);
	assert_int_equal(r.conf.guests, GUESTS_NO);
	/* A list is replaced as a whole. */
	assert_int_equal(r.conf.listen.n, 2);
	assert_int_equal(addr_port(&r.conf.listen.v[0]), 5);
	assert_int_equal(addr_port(&r.conf.listen.v[1]), 6);
	conf_free(&r.conf);

	/* An empty variable is as good as none. */
	assert_int_equal(load(&r, "", "TURNPIKE_REALM= TURNPIKE_WORKERS=", file), 0);
	assert_string_equal(r.conf.realm.v[0], "from-file");
	assert_int_equal(r.conf.workers, 2);
	conf_free(&r.conf);
}

static void addresses_and_networks_are_read(void **state)
{
	char text[ADDR_STRLEN];
	struct run r;

	(void)state;
	assert_int_equal(
	    load(&r,
	         "--listen 127.0.0.1:0 --relay-address 127.0.0.2,::1 --relay-allow 10.0.0.0/8 "
	         "--relay-allow 2001:db8::/32,192.0.2.7 --relay-deny 8.8.8.8 "
	         "--external-ip 10.0.0.1=192.0.2.1 --external-ip [2001:db8::1]",
	         "", NULL),
	    0);
	assert_int_equal(r.conf.relay_address.n, 2);
	assert_string_equal(addr_format_ip(&r.conf.relay_address.v[1], text), "::1");
	assert_int_equal(r.conf.relay_allow.n, 3);
	assert_int_equal(r.conf.relay_allow.v[1].bits, 32);
	assert_int_equal(r.conf.relay_allow.v[2].bits, 32);
	assert_int_equal(r.conf.relay_allow.v[2].family, AF_INET);
	assert_int_equal(r.conf.external_ip.n, 2);
	assert_string_equal(addr_format_ip(&r.conf.external_ip.v[0].local, text), "10.0.0.1");
	assert_string_equal(addr_format_ip(&r.conf.external_ip.v[0].external, text), "192.0.2.1");
	assert_int_equal(addr_family(&r.conf.external_ip.v[1].local), AF_UNSPEC);
	conf_free(&r.conf);
}

static void ranges_switches_and_words_are_read(void **state)
{
	struct run r;

	(void)state;
	assert_int_equal(load(&r,
	                      "--relay-ports 1-65535 --listen 127.0.0.1:0 --legacy-channels "
	                      "--strict-expiry=no --log-level debug --public-host turn.example.org",
	                      "", NULL),
	                 0);
	assert_int_equal(r.conf.relay_ports.min, 1);
	assert_true(r.conf.legacy_channels);
	assert_false(r.conf.strict_expiry);
	assert_int_equal(r.conf.log_level, LOG_LEVEL_DEBUG);
	assert_string_equal(r.conf.public_host, "turn.example.org");
	conf_free(&r.conf);
}

static void test_rest_of_argv(void **state)
{
	struct run r;

	(void)state;
	assert_int_equal(load(&r,
	                      "--realm r user add --json --data /tmp alice --legacy-channels "
	                      "--foo=1 -- --realm x",
	                      "", NULL),
	                 0);
	assert_int_equal(r.argc, 9);
	assert_string_equal(r.argv[1], "user");
	assert_string_equal(r.argv[2], "add");
	assert_string_equal(r.argv[3], "--json");
	assert_string_equal(r.argv[4], "alice");
	assert_string_equal(r.argv[5], "--foo=1");
	assert_string_equal(r.argv[6], "--");
	assert_string_equal(r.argv[8], "x");
	assert_null(r.argv[9]);
	assert_true(r.conf.legacy_channels);
	conf_free(&r.conf);
}

static void test_file_syntax(void **state)
{
	struct run r;

	(void)state;
	assert_int_equal(load(&r, "", "",
	                      "# a comment\n"
	                      "\n"
	                      "  realm=a#b  # trailing\n"
	                      "listen = 127.0.0.1:1 , 127.0.0.1:2\t# two\n"
	                      "listen = 127.0.0.1:3\n"
	                      "public_host = \"example.org\" # quoted\n"
	                      "relay_allow =\n"
	                      "shared_secret = \" # kept \"\r\n"
	                      "workers = 4"),
	                 0);
	assert_string_equal(r.conf.realm.v[0], "a#b");
	assert_int_equal(r.conf.listen.n, 3);
	assert_string_equal(r.conf.public_host, "example.org");
	assert_int_equal(r.conf.relay_allow.n, 0);
	assert_string_equal(r.conf.shared_secret, " # kept ");
	assert_int_equal(r.conf.workers, 4);
	conf_free(&r.conf);
}

static void test_secret_sources(void **state)
{
	char path[96], env[256];
	struct run r;

	(void)state;
	snprintf(path, sizeof(path), "%s/secret", dir);
	tmpdir_write(path, "north and south\n");
	snprintf(env, sizeof(env), "TURNPIKE_SHARED_SECRET_FILE=%s", path);
	assert_int_equal(load(&r, "", env, "shared_secret = weaker\n"), 0);
	assert_string_equal(r.conf.shared_secret, "north and south");
	conf_free(&r.conf);

	strcat(env, " TURNPIKE_SHARED_SECRET=x");
	assert_int_equal(load(&r, "", env, NULL), -E_PARSE);
	assert_non_null(strstr(r.why.text, "both set"));

	snprintf(env, sizeof(env), "TURNPIKE_SHARED_SECRET_FILE=%s/none", dir);
	assert_int_equal(load(&r, "", env, NULL), -E_PARSE);
	assert_non_null(strstr(r.why.text, "TURNPIKE_SHARED_SECRET_FILE"));

	assert_int_equal(load(&r, "--shared-secret hush", "", NULL), -E_INVAL);
	assert_null(strstr(r.why.text, "hush"));
	assert_int_equal(load(&r, "", "TURNPIKE_REALM_FILE=/x", NULL), -E_PARSE);
	assert_non_null(strstr(r.why.text, "TURNPIKE_REALM"));
}

/* A secret that every login here can read is none. */
static void test_readable_secrets(void **state)
{
	char path[96], env[256];
	struct run r;

	(void)state;
	snprintf(path, sizeof(path), "%s/open", dir);
	tmpdir_write(path, "north\n");
	assert_int_equal(chmod(path, 0644), 0);
	snprintf(env, sizeof(env), "TURNPIKE_SHARED_SECRET_FILE=%s", path);
	assert_int_equal(load(&r, "", env, NULL), -E_PARSE);
	assert_non_null(strstr(r.why.text, "TURNPIKE_SHARED_SECRET_FILE"));
	assert_non_null(strstr(r.why.text, "chmod o-r"));
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(load(&r, "", env, NULL), 0);
	conf_free(&r.conf);

	tmpdir_write(path, "workers = 1\nshared_secret = north\n");
	assert_int_equal(chmod(path, 0644), 0);
	snprintf(env, sizeof(env), "TURNPIKE_CONFIG=%s", path);
	assert_int_equal(load(&r, "", env, NULL), -E_PARSE);
	assert_non_null(strstr(r.why.text, ":2"));
	assert_non_null(strstr(r.why.text, "chmod o-r"));
	/* nothing to hide */
	tmpdir_write(path, "workers = 1\n");
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(load(&r, "", env, NULL), 0);
	conf_free(&r.conf);
}

/* The output of `turnpike config` can be read back, and gives the same; secrets apart. */
static void test_values_round_trip(void **state)
{
	static const char *const args =
	    "--relay-ports 1-65535 --listen 127.0.0.1:0,[::1]:0 --relay-address 127.0.0.2,::1 "
	    "--relay-allow 10.0.0.0/8,2001:db8::/32,192.0.2.7 --external-ip 10.0.0.1=192.0.2.1 "
	    "--legacy-channels --log-level debug --public-host turn.example.org --guests no "
	    "--external-ip 2001:db8::1 --realm a,b --data /x#y";
	struct conf_source *sources;
	char *text = NULL, *again = NULL;
	struct run r;
	size_t len;
	FILE *f;

	(void)state;
	assert_int_equal(load(&r, args, "TURNPIKE_WORKERS=3", NULL), 0);
	conf_free(&r.conf);
	snprintf(r.args, sizeof(r.args), "turnpike %s", args);
	r.argc = split(r.args, r.argv);
	assert_int_equal(conf_read(&r.argc, r.argv, r.envp, &r.conf, &sources, NULL, NULL, &r.why),
	                 0);
	f = open_memstream(&text, &len);
	conf_print_values(f, &r.conf, sources);
	fclose(f);
	conf_free(&r.conf);
	assert_non_null(strstr(text, "\nworkers = 3  # TURNPIKE_WORKERS\n"));
	assert_non_null(strstr(text, "\nrealm = a,b  # --realm\n"));
	assert_non_null(strstr(text, "\ndata = \"/x#y\"  # --data\n"));
	assert_non_null(strstr(text, "\nmax_lifetime = 3600  # default\n"));
	free(sources);

	tmpdir_write(file_path, text);
	snprintf(r.args, sizeof(r.args), "turnpike --config %s", file_path);
	r.argc = split(r.args, r.argv);
	if (conf_read(&r.argc, r.argv, NULL, &r.conf, &sources, NULL, NULL, &r.why))
		fail_msg("%s", r.why.text);
	f = open_memstream(&again, &len);
	conf_print_values(f, &r.conf, sources);
	fclose(f);
	for (char *a = text, *b = again; *a || *b;) { /* but for where it came from */
		size_t n = strcspn(a, "\n"), m = strcspn(b, "\n");
		char *end_a = strstr(a, "  # "), *end_b = strstr(b, "  # ");

		if (*a != '#' && n)
			assert_true(end_a - a == end_b - b && !memcmp(a, b, (size_t)(end_a - a)));
		a += n + (a[n] != 0);
		b += m + (b[m] != 0);
	}
	conf_free(&r.conf);
	free(sources);
	free(text);
	free(again);
}

static void test_mistakes(void **state)
{
	/* Each message names the place (two: and the fix, or what is wrong). */
	static const struct {
		const char *args, *env, *file;
		int err;
		const char *place, *says;
	} cases[] = {
	    {"--workers many", "", NULL, -E_INVAL, "--workers", "many"},
	    {"--workers 257", "", NULL, -E_INVAL, "--workers", "0 to 256"},
	    {"--workers -1", "", NULL, -E_INVAL, "--workers", "0 to 256"},
	    {"--workers 99999999999999999999", "", NULL, -E_INVAL, "--workers", "0 to 256"},
	    {"--workers", "", NULL, -E_INVAL, "--workers", "missing"},
	    {"--workers --realm x", "", NULL, -E_INVAL, "--workers", "missing"},
	    {"--workers=", "", NULL, -E_INVAL, "--workers", "not a number"},
	    {"--relay-ports 9-5", "", NULL, -E_INVAL, "--relay-ports", "write 5-9"},
	    {"--relay-ports 5", "", NULL, -E_INVAL, "--relay-ports", "MIN-MAX"},
	    {"--relay-ports 0-5", "", NULL, -E_INVAL, "--relay-ports", "1 to 65535"},
	    {"--relay-ports 5-65536", "", NULL, -E_INVAL, "--relay-ports", "65535"},
	    {"--relay-ports 5-6-7", "", NULL, -E_INVAL, "--relay-ports", "MIN-MAX"},
	    {"--listen localhost:3478", "", NULL, -E_INVAL, "--listen", "0.0.0.0:3478"},
	    {"--listen 127.0.0.1", "", NULL, -E_INVAL, "--listen", "127.0.0.1"},
	    {"--listen 127.0.0.1:1,,127.0.0.1:2", "", NULL, -E_INVAL, "--listen", "comma"},
	    {"--listen 127.0.0.1:1,", "", NULL, -E_INVAL, "--listen", "comma"},
	    {"--listen 127.0.0.1:70000", "", NULL, -E_INVAL, "--listen", "70000"},
	    {"--relay-allow 10.0.0.0/33", "", NULL, -E_INVAL, "--relay-allow", "10.0.0.0/8"},
	    {"--relay-address 0.0.0.0", "", NULL, -E_INVAL, "--relay-address", "every address"},
	    {"--relay-address 1.2.3.4:5", "", NULL, -E_INVAL, "--relay-address", "port"},
	    {"--external-ip 10.0.0.1=::1", "", NULL, -E_INVAL, "--external-ip", "family"},
	    {"--external-ip 10.0.0.1=", "", NULL, -E_INVAL, "--external-ip", "not an IP"},
	    {"--legacy-channels=perhaps", "", NULL, -E_INVAL, "--legacy-channels", "yes nor no"},
	    {"--guests some", "", NULL, -E_INVAL, "--guests", "local, yes, public or no"},
	    {"--log-level loud", "", NULL, -E_INVAL, "--log-level", "debug"},
	    {"--public-host https://x", "", NULL, -E_INVAL, "--public-host", "scheme"},
	    {"--public-host x:1", "", NULL, -E_INVAL, "--public-host", "x:1"},
	    {"--realm \xff", "", NULL, -E_INVAL, "--realm", "UTF-8"},
	    {"--realm a\"b", "", NULL, -E_INVAL, "--realm", "quotes"},
	    {"--realm=", "", NULL, -E_INVAL, "--realm", "empty"},
	    {"--realm a,b,a", "", NULL, -E_PARSE, "--realm", "twice"},
	    {"--oauth-key a:b", "", NULL, -E_INVAL, "--oauth-key", "list of processes"},
	    {"--oauth-server a", "", NULL, -E_PARSE, "--oauth-server", "oauth_key"},
	    {"--alternate-server 0.0.0.0:1", "", NULL, -E_PARSE, "--alternate-server", "reach"},
	    {"", "TURNPIKE_OAUTH_KEY=kid:AAAA", NULL, -E_PARSE, "TURNPIKE_OAUTH_KEY", "16 or 32"},
	    {"", "TURNPIKE_OAUTH_KEY=AAAA", NULL, -E_PARSE, "TURNPIKE_OAUTH_KEY", "KID:BASE64"},
	    {"", "", "oauth_key = kid:MDEyMzQ1Njc4OTAxMjM0NQ==\n", -E_PARSE, "oauth_key",
	     "oauth_server"},
	    {"--webhook-url https://a.example/x", "", NULL, -E_PARSE, "--webhook-url",
	     "webhook_secret"},
	    {"--join-url https://a.example/x", "", NULL, -E_PARSE, "--join-url", "webhook_secret"},
	    {"--join-url http://a.example/x", "", NULL, -E_INVAL, "--join-url", "in the clear"},
	    {"--webhook-url a.example", "", NULL, -E_INVAL, "--webhook-url", "https://HOST"},
	    {"--webhook-url ftp://a.example", "", NULL, -E_INVAL, "--webhook-url", "https://HOST"},
	    {"--webhook-url https://", "", NULL, -E_INVAL, "--webhook-url", "https://HOST"},
	    {"--webhook-url http://a.example/", "", NULL, -E_INVAL, "--webhook-url",
	     "in the clear"},
	    {"--webhook-url http://8.8.8.8/", "", NULL, -E_INVAL, "--webhook-url", "in the clear"},
	    {"--webhook-url http://[2001:db8::1]/", "", NULL, -E_INVAL, "--webhook-url",
	     "in the clear"},
	    {"--webhook-url https://u:p@a.example/", "", NULL, -E_INVAL, "--webhook-url",
	     "user name"},
	    {"--webhook-url https://a.example/#x", "", NULL, -E_INVAL, "--webhook-url", "fragment"},
	    {"--webhook-url https://a.example/\xc3\xa4", "", NULL, -E_INVAL, "--webhook-url",
	     "percent-encode"},
	    {"--webhook-events joined,jumped", "", NULL, -E_INVAL, "--webhook-events",
	     "room-opened"},
	    {"--webhook-secret x", "", NULL, -E_INVAL, "--webhook-secret", "list of processes"},
	    {"", "TURNPIKE_WEBHOOK_SECRET=whsec_AAAA", NULL, -E_PARSE, "TURNPIKE_WEBHOOK_SECRET",
	     "openssl rand"},
	    {"", "",
	     "webhook_secret = whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n"
	     "webhook_url = https://a.example/,https://a.example/\n",
	     -E_PARSE, "webhook_url", "twice"},
	    {"--config /nonexistent/x", "", NULL, -E_PARSE, "/nonexistent/x", "--config"},
	    {"", "TURNPIKE_WORKER=2", NULL, -E_PARSE, "TURNPIKE_WORKER", "workers"},
	    {"", "TURNPIKE_ZZZZZZZZ=2", NULL, -E_PARSE, "TURNPIKE_ZZZZZZZZ", "--help"},
	    {"", "TURNPIKE_WORKERS=x", NULL, -E_PARSE, "TURNPIKE_WORKERS", "not a number"},
	    {"", "TURNPIKE_CONFIG=/nonexistent/y", NULL, -E_PARSE, "/nonexistent/y", "cannot"},
	    {"", "", "workers = 1\nrelay_port = 1-2\n", -E_PARSE, ":2", "relay_ports"},
	    {"", "", "relay-ports = 1-2\n", -E_PARSE, ":1", "relay_ports"},
	    {"", "", "workers 3\n", -E_PARSE, ":1", "key = value"},
	    {"", "", "[server]\n", -E_PARSE, ":1", "key = value"},
	    {"", "", "workers = 1\n\nworkers = 1\n", -E_PARSE, ":3", ":1"},
	    {"", "", "realm = \"open\n", -E_PARSE, ":1", "quotes"},
	    {"", "", "realm = \"a\" b\n", -E_PARSE, ":1", "quotes"},
	    {"", "", "realm = a\x1b[31mb\n", -E_PARSE, ":1", "control"},
	    {"", "", "\x1b%n%s = 1\n", -E_PARSE, ":1", "?%n%s"},
	    {"", "", "tls_cert = /x.pem\n", -E_PARSE, ":1", "tls_key"},
	    {"", "", "tls_key = /x.pem\n", -E_PARSE, ":1", "tls_cert"},
	    {"", "", "listen =\n", -E_PARSE, ":1", "at least one"},
	    {"--relay-ports 3000-4000", "", NULL, -E_PARSE, "--relay-ports", "0.0.0.0:3478"},
	    {"--default-lifetime 7200", "", NULL, -E_PARSE, "--default-lifetime", "max_lifetime"},
	    {"--max-credential-ttl 60", "", NULL, -E_PARSE, "credential_ttl",
	     "--max-credential-ttl"},
	    {"--relay-allow 10.1.0.0/8 --relay-deny 10.0.0.0/8", "", NULL, -E_PARSE,
	     "--relay-allow", "same range"},
	    {"--listen 127.0.0.1:1,127.0.0.1:1", "", NULL, -E_PARSE, "--listen", "twice"},
	    {"", "", "listen = 10.0.0.1:443 proxy\n", -E_PARSE, ":1: listen", "proxy_from"},
	    {"", "", "listen = 10.0.0.1:443 tls\n", -E_PARSE, ":1: listen", "the word proxy"},
	    {"", "", "listen = 10.0.0.1:443proxy\n", -E_PARSE, ":1: listen", "the word proxy"},
	    {"--trusted-proxy 0.0.0.0/0", "", NULL, -E_PARSE, "--trusted-proxy", "everybody"},
	    {"--trusted-proxy 10.0.0.1:80", "", NULL, -E_INVAL, "--trusted-proxy", "prefix"},
	    {"--external-ip 1.1.1.1 --external-ip 1.1.1.2", "", NULL, -E_PARSE, "--external-ip",
	     "LOCAL=IP"},
	    {"--external-ip 127.0.0.1", "", NULL, -E_PARSE, "--external-ip", "no client can reach"},
	    {"--external-ip 2001:db8::1 --listen 127.0.0.1:1", "", NULL, -E_PARSE, "--external-ip",
	     "no IPv6"},
	    {"--external-ip 8.8.8.8 --relay-address ::1", "", NULL, -E_PARSE, "--external-ip",
	     "relay_address has no IPv4"},
	    {"--alternate-domain x.example", "", NULL, -E_PARSE, "--alternate-domain",
	     "alternate_server"},
	    {"--listen 8.8.8.8:3478 --alternate-server 8.8.8.8:3478", "", NULL, -E_PARSE,
	     "--alternate-server", "itself"},
	    {"--listen 127.0.0.1:1 --relay-ports 50000-50009 --total-quota 11", "", NULL, -E_PARSE,
	     "--total-quota", "10 ports"},
	    {"--relay-address 127.0.0.1,127.0.0.2 --relay-ports 50000-50009 --total-quota 21", "",
	     NULL, -E_PARSE, "--total-quota", "20 ports"},
	    {"--realm-quota 9 --total-quota 8", "", NULL, -E_PARSE, "--realm-quota",
	     "total_quota 8"},
	    {"--user-quota 9 --total-quota 8", "", NULL, -E_PARSE, "--user-quota", "total_quota 8"},
	    {"--connections-per-address 9 --max-tcp-connections 8", "", NULL, -E_PARSE,
	     "--connections-per-address", "lower it"},
	    {"--session-bandwidth 9000 --user-bandwidth 8000", "", NULL, -E_PARSE,
	     "--session-bandwidth", "user_bandwidth 8000"},
	    {"--user-bandwidth 9000000 --total-bandwidth 8000000", "", NULL, -E_PARSE,
	     "--user-bandwidth", "total_bandwidth 8000000"},
	    {"--username-anonymity --guests yes --listen 127.0.0.1:1", "", NULL, -E_PARSE,
	     "--username-anonymity", "guests = no"},
	    {"--username-anonymity", "TURNPIKE_SHARED_SECRET=x", NULL, -E_PARSE,
	     "--username-anonymity", "TURNPIKE_SHARED_SECRET"},
	    {"--strict-expiry --credential-ttl 60", "", NULL, -E_PARSE, "--strict-expiry",
	     "default_lifetime"},
	    {"--guests yes", "", NULL, -E_PARSE, "--guests", "guests = public"},
	    {"--guests yes --listen 10.0.0.1:1 --external-ip 8.8.8.8", "", NULL, -E_PARSE,
	     "--guests", "Internet"},
	    {"", "", "relay_allow = 10.0.0.0/8, 127.0.0.0/8\n", -E_PARSE, ":1: relay_allow",
	     "value 2 opens 127.0.0.0/8"},
	    {"--relay-allow 0.0.0.0/0", "", NULL, -E_PARSE, "--relay-allow", "relay_allow_unsafe"},
	    {"--relay-allow 169.254.169.254", "", NULL, -E_PARSE, "--relay-allow", "metadata"},
	    {"--relay-allow fc00::/7", "", NULL, -E_PARSE, "--relay-allow", "fd00:ec2::254"},
	    {"--relay-allow ::1 --listen 8.8.8.8:1 --relay-allow-unsafe ::/64", "", NULL, -E_PARSE,
	     "--relay-allow", "not in relay_allow"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct run r;
		int err = load(&r, cases[i].args, cases[i].env, cases[i].file);

		if (err != cases[i].err || !strstr(r.why.text, cases[i].place) ||
		    !strstr(r.why.text, cases[i].says))
			fail_msg("case %zu (%s|%s|%s): %d, \"%s\"", i, cases[i].args, cases[i].env,
			         cases[i].file ? cases[i].file : "", err, r.why.text);
		assert_null(strchr(r.why.text, '\x1b'));
		assert_null(r.conf.realm.v);
	}
}

static void test_no_contradiction(void **state)
{
	static const char *const good[] = {
	    /* A listener in the default range: an ephemeral port. */
	    "--listen 127.0.0.1:50000",
	    /* It listens on one address and relays on another. */
	    "--listen 127.0.0.1:50000 --relay-ports 50000-50010 --relay-address 127.0.0.2",
	    "--listen 127.0.0.1:0 --listen 127.0.0.1:0",
	    "--external-ip 1.1.1.1 --external-ip 2001:db8::1 --external-ip 10.0.0.1=1.1.1.3",
	    "--relay-allow 10.0.0.0/8 --relay-deny 10.1.0.0/16", "--tls-cert a --tls-key b",
	    "--relay-allow 127.0.0.0/8 --listen 127.0.0.1:1",
	    "--relay-allow 127.0.0.0/8 --listen 192.168.1.1:1 --external-ip 10.0.0.1",
	    "--relay-allow 127.0.0.0/8 --relay-allow-unsafe 127.0.0.0/8",
	    "--relay-allow 10.0.0.0/8,192.168.0.0/16", "--guests public",
	    "--guests yes --listen [::1]:1", "--redirect=no", "--alternate-server 8.8.8.8:3478",
	    "--alternate-server 8.8.8.8:3478 --listen 8.8.8.8:3478 --redirect=no",
	    "--total-quota 10 --relay-ports 50000-50009 --listen 127.0.0.1:1",
	    "--total-quota 100",         /* below the default of user_quota */
	    "--total-bandwidth 1000000", /* below the default of user_bandwidth */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct run r;

		if (load(&r, good[i], "", NULL))
			fail_msg("%s: %s", good[i], r.why.text);
		conf_free(&r.conf);
	}
}

static void test_kubernetes_variables(void **state)
{
	struct run r;

	(void)state;
	assert_int_equal(load(&r, "",
	                      "TURNPIKE_PORT=tcp://10.0.0.1:3478 TURNPIKE_SERVICE_HOST=10.0.0.1 "
	                      "TURNPIKE_PORT_3478_UDP_ADDR=10.0.0.1 TURNPIKES=1",
	                      NULL),
	                 0);
	conf_free(&r.conf);
}

static void count_problem(void *ctx, const char *text)
{
	assert_true(strlen(text) > 0);
	++*(int *)ctx;
}

static void test_every_problem_is_told(void **state)
{
	char *argv[] = {"turnpike", "--workers", "x", "--config", file_path, NULL};
	char *envp[] = {"TURNPIKE_REALM=\"", NULL};
	struct conf conf;
	int argc = 5, n = 0;

	(void)state;
	tmpdir_write(file_path, "nonsense\nguests = x\nmax_lifetime = 1\n");
	assert_int_equal(conf_check(&argc, argv, envp, &conf, count_problem, &n, NULL), -E_PARSE);
	assert_int_equal(n, 5);
}

static void test_hostile_files(void **state)
{
	struct run r;
	FILE *f;

	(void)state;
	f = fopen(file_path, "w");
	for (int i = 0; i < 100000; i++)
		fputc('x', f);
	fclose(f);
	snprintf(r.args, sizeof(r.args), "turnpike --config %s", file_path);
	r.argc = split(r.args, r.argv);
	assert_int_equal(conf_check(&r.argc, r.argv, NULL, &r.conf, NULL, NULL, &r.why), -E_PARSE);
	assert_non_null(strstr(r.why.text, "too long"));

	f = fopen(file_path, "w");
	fwrite("realm = a\0b\nworkers = 1\n", 1, 24, f);
	fclose(f);
	snprintf(r.args, sizeof(r.args), "turnpike --config %s", file_path);
	r.argc = split(r.args, r.argv);
	assert_int_equal(conf_check(&r.argc, r.argv, NULL, &r.conf, NULL, NULL, &r.why), -E_PARSE);
	assert_non_null(strstr(r.why.text, "not text"));
}

/* The printed example can be read back: uncommented, it is the default configuration. */
static void test_example_round_trip(void **state)
{
	char *text = NULL, *bare;
	size_t len, n = 0;
	struct run r, d;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	conf_print_example(f);
	fclose(f);
	bare = malloc(len + 1);
	for (char *p = text; *p; p++)
		if (!(*p == '#' && (p == text || p[-1] == '\n') && p[1] != ' '))
			bare[n++] = *p;
	bare[n] = 0;
	if (load(&r, "", "", bare))
		fail_msg("%s", r.why.text);
	assert_int_equal(load(&d, "", "", NULL), 0);
	assert_int_equal(r.conf.listen.n, d.conf.listen.n);
	assert_string_equal(r.conf.realm.v[0], d.conf.realm.v[0]);
	assert_int_equal(r.conf.max_credential_ttl, d.conf.max_credential_ttl);
	assert_int_equal(r.conf.relay_ports.min, d.conf.relay_ports.min);
	conf_free(&r.conf);
	conf_free(&d.conf);
	free(bare);
	free(text);
}

static void test_help_names_every_option(void **state)
{
	static const char *const names[] = {
#define CONF(n, ...) #n,
#include "daemon/conf/options.def"
#undef CONF
	};
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	conf_print_help(f);
	fclose(f);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char flag[80] = "--";

		strcat(flag, names[i]);
		for (char *p = flag; *p; p++)
			if (*p == '_')
				*p = '-';
		assert_true(strstr(text, flag) || strstr(text, names[i]));
	}
	assert_true(conf_option_find("relay_deny")->reload);
	assert_false(conf_option_find("listen")->reload);
	assert_null(conf_option_find("nonsense"));
	free(text);
}

static void test_hosts(void **state)
{
	static const char *const good[] = {
	    "localhost",   "turn.example.org", "a-b.c", "example.org.", "192.0.2.1",
	    "2001:db8::1", "my_host",          "x1",    "1a.b",         "::",
	};
	static const char *const bad[] = {
	    "",
	    "[::1]",
	    "a b",
	    "a/b",
	    "-a",
	    "a-",
	    "a..b",
	    ".a",
	    "a:1",
	    "256.1.1.1",
	    "1.2.3",
	    "fe80::1%eth0",
	    "\xc3\xa9.org",
	    "a\n",
	    "a?b",
	    "a@b",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.org",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		if (!host_valid(good[i]))
			fail_msg("%s refused", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (host_valid(bad[i]))
			fail_msg("%s accepted", bad[i]);
}

/* What bind(2) refuses whatever the host has is refused here, so that a check does not pass what
 * the start will not take. */
static void addresses_that_no_host_has(void **state)
{
	static const char *const bad[] = {
	    "listen = [::ffff:192.0.2.1]:3478",
	    "listen = 224.0.0.1:3478",
	    "listen = 255.255.255.255:3478",
	    "listen = 0.1.2.3:3478",
	    "listen = [ff02::1]:3478",
	    "listen = [fe80::1]:3478",
	    "relay_address = ::ffff:192.0.2.1",
	    "relay_address = 239.1.2.3",
	    "relay_address = fe80::1",
	    "listen = 0.0.0.0:3478, 192.0.2.1:3478",
	    "listen = [2001:db8::1]:3478, [::]:3478",
	    "listen = 0.0.0.0:3478 proxy, 127.0.0.1:3478",
	};
	static const char *const good[] = {
	    "listen = 0.0.0.0:3478, [2001:db8::1]:3478",
	    "listen = 0.0.0.0:3478, 192.0.2.1:3479",
	    "listen = 0.0.0.0:0, 192.0.2.1:0",
	    "listen = 169.254.1.1:3478",
	};
	struct run l;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (!load(&l, "", "", bad[i]))
			fail_msg("taken: %s", bad[i]);
		conf_free(&l.conf);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		if (load(&l, "", "", good[i]))
			fail_msg("%s", l.why.text);
		conf_free(&l.conf);
	}
}

/* RFC 8489 section 14.9: fewer than 128 characters, of however many bytes. Names of cloud hosts are
 * long, and static keys are bound to them. */
static void realms_of_every_length(void **state)
{
	char args[16 + 4 * 128], *at;
	struct run r;

	(void)state;
	at = args + sprintf(args, "--realm ");
	for (int i = 0; i < 127; i++)
		at += sprintf(at, "\xf0\xa0\x80\x80");
	assert_int_equal(load(&r, args, "", NULL), 0);
	assert_int_equal(strlen(r.conf.realm.v[0]), 4 * 127);
	conf_free(&r.conf);
	sprintf(at, "x");
	assert_int_equal(load(&r, args, "", NULL), -E_INVAL);
	assert_non_null(strstr(r.why.text, "128 characters"));
	conf_free(&r.conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_that_no_host_has),
	    cmocka_unit_test(realms_of_every_length),
	    cmocka_unit_test(by_default_every_address_serves_on_the_usual_ports),
	    cmocka_unit_test(the_default_lifetimes_and_quotas),
	    cmocka_unit_test(by_default_nothing_is_named_and_nothing_is_lenient),
	    cmocka_unit_test(webhooks_go_over_tls_or_stay_at_home),
	    cmocka_unit_test(webhooks_go_over_tls_or_stay_at_home),
	    cmocka_unit_test(test_precedence),
	    cmocka_unit_test(addresses_and_networks_are_read),
	    cmocka_unit_test(ranges_switches_and_words_are_read),
	    cmocka_unit_test(test_rest_of_argv),
	    cmocka_unit_test(test_file_syntax),
	    cmocka_unit_test(test_secret_sources),
	    cmocka_unit_test(test_readable_secrets),
	    cmocka_unit_test(test_values_round_trip),
	    cmocka_unit_test(test_mistakes),
	    cmocka_unit_test(test_no_contradiction),
	    cmocka_unit_test(test_kubernetes_variables),
	    cmocka_unit_test(test_every_problem_is_told),
	    cmocka_unit_test(test_hostile_files),
	    cmocka_unit_test(test_example_round_trip),
	    cmocka_unit_test(test_help_names_every_option),
	    cmocka_unit_test(test_hosts),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

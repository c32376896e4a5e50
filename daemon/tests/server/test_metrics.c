/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A running server's metrics for Prometheus: the right form, the right numbers, and no more series
 * for more users.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/exposition.h"
#include "daemon/tests/server/rig.h"
#include "daemon/tests/server/talker.h"
#include "store/credential.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SERVER4 RIG_SERVER4 ":3478"
#define SECRET  "a-secret-that-the-issuer-has-too"
#define OPTIONS "--workers 2 --relay-ports 50000-50999 --listen " SERVER4 " --listen 127.0.0.1:8080"
#define CLIENTS 24 /* each a user of its own, from a port of its own */

static struct rig_server server;

/* The path of the file, with more in it. */
static const char *configure(const char *more)
{
	return rig_file("metrics.conf", "shared_secret = " SECRET "\nlog_level = info\n%s", more);
}

static int setup(void **state)
{
	char options[512];

	*state = &server;
	snprintf(options, sizeof(options), "--config %s %s", configure(""), OPTIONS);
	rig_server_start(&server, "metrics", options);
	return 0;
}

static void form(void **state)
{
	json_t *m = exposition_of(&server), *family;
	const char *name;

	(void)state;
	json_object_foreach (m, name, family)
		assert_non_null(json_object_get(family, "type"));
	assert_true(json_object_size(m) > 60);
	json_decref(m);
}

/* What the reader is for: each of these is taken by somebody, and by us not. */
static void reader_is_strict(void **state)
{
	static const char *const bad[] = {
	    "",
	    "# HELP turnpike_a A sentence.\n# TYPE turnpike_a gauge\n",
	    "# HELP turnpike_a A sentence.\n# TYPE turnpike_a gauge\nturnpike_a 1",
	    "# TYPE turnpike_a gauge\nturnpike_a 1\n",
	    "# HELP turnpike_a A sentence.\nturnpike_a 1\n",
	    "# HELP turnpike_a A sentence.\n# TYPE turnpike_a counter\nturnpike_a 1\n",
	    "# HELP turnpike_a_total A sentence.\n# TYPE turnpike_a_total gauge\nturnpike_a_total "
	    "1\n",
	    "# HELP turnpike_a_ms A sentence.\n# TYPE turnpike_a_ms gauge\nturnpike_a_ms 1\n",
	    "# HELP other_a A sentence.\n# TYPE other_a gauge\nother_a 1\n",
	    "# HELP turnpike_a A sentence.\n# TYPE turnpike_a gauge\nturnpike_a 1\nturnpike_a 2\n",
	    "# HELP turnpike_a A sentence.\n# TYPE turnpike_a gauge\nturnpike_b 1\n",
	    "# HELP turnpike_a A sentence.\n# TYPE turnpike_a gauge\nturnpike_a{x=\"1\",x=\"2\"} "
	    "1\n",
	    "# HELP turnpike_a A sentence.\n# TYPE turnpike_a gauge\nturnpike_a{x=\"1} 1\n",
	    "# HELP turnpike_a A sentence.\n# TYPE turnpike_a gauge\nturnpike_a{x=\"1\"} 1\n"
	    "turnpike_a 1\n",
	    "# HELP turnpike_a A sentence.\n# TYPE turnpike_a gauge\nturnpike_a one\n",
	    "# HELP turnpike_a A sentence.\n# TYPE turnpike_a gauge\nturnpike_a 1\n"
	    "# HELP turnpike_a A sentence.\n# TYPE turnpike_a gauge\nturnpike_a 1\n",
	};
	char why[EXPOSITION_TEXT];
	json_t *good =
	    exposition_read("# HELP turnpike_a A sentence.\n# TYPE turnpike_a gauge\n"
	                    "turnpike_a{x=\"1\",y=\"a\\\"b\"} 1\nturnpike_a{x=\"2\",y=\"\"} 2.5\n",
	                    why);

	(void)state;
	assert_non_null(good);
	assert_int_equal(exposition_series(good), 2);
	json_decref(good);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		*why = 0;
		assert_null(exposition_read(bad[i], why));
		assert_true(*why);
	}
}

struct turn_client {
	struct talker t;
	struct credential c;
	char name[32];
};

static void come(struct turn_client *c, int i)
{
	snprintf(c->name, sizeof(c->name), "user%d", i);
	assert_int_equal(credential_make(SECRET, strlen(SECRET), c->name, time(NULL) + 600, &c->c),
	                 0);
	talker_enter(&c->t, SERVER4, i % 4 == 3, c->c.username, c->c.password);
	assert_int_equal(talker_permit_to(&c->t, RIG_PEER4 ":9"), 0);
	talker_send_to(&c->t, RIG_PEER4 ":9", "hello");
}

static double grown(const json_t *before, const json_t *after, const char *series)
{
	return exposition_value(after, series) - exposition_value(before, series);
}

/* Scrapes anew; the workers report now and then. */
static bool has_grown(const json_t *before, json_t **now, const char *series, double n)
{
	json_decref(*now);
	*now = exposition_of(&server);
	return grown(before, *now, series) == n;
}

static void counts_and_stays_as_small(void **state)
{
	static struct turn_client clients[CLIENTS];
	json_t *before = exposition_of(&server), *full = NULL, *after = NULL;
	struct talker wrong;

	(void)state;
	for (int i = 0; i < CLIENTS; i++)
		come(&clients[i], i);
	talker_open(&wrong, SERVER4, false, NULL, clients[0].c.username, "no such password");
	assert_int_equal(talker_login(&wrong), 401);
	assert_int_equal(talker_allocate(&wrong, IPPROTO_UDP), 401);
	talker_close(&wrong);
	SOON(has_grown(before, &full, "turnpike_turn_replies_401_total", CLIENTS + 2));
	SOON(has_grown(before, &full, "turnpike_turn_to_peer_packets_total", CLIENTS));
	assert_int_equal(grown(before, full, "turnpike_turn_allocations"), CLIENTS);
	assert_int_equal(
	    grown(before, full, "turnpike_turn_allocations_made_total{transport=\"udp\"}"),
	    CLIENTS - CLIENTS / 4);
	assert_int_equal(
	    grown(before, full, "turnpike_turn_allocations_made_total{transport=\"tcp\"}"),
	    CLIENTS / 4);
	assert_int_equal(
	    grown(before, full, "turnpike_turn_authentication_failures_total{reason=\"password\"}"),
	    1);
	assert_int_equal(grown(before, full, "turnpike_turn_replies_401_total"), CLIENTS + 2);
	assert_int_equal(grown(before, full, "turnpike_turn_to_peer_packets_total"), CLIENTS);
	assert_int_equal(
	    grown(before, full, "turnpike_relay_ports_in_use{address=\"" RIG_SERVER4 "\"}"),
	    CLIENTS);
	assert_int_equal(
	    exposition_value(full, "turnpike_relay_ports_max{address=\"" RIG_SERVER4 "\"}"), 1000);
	/* a relay socket each, and a connection for each of those over TCP */
	assert_true(grown(before, full, "process_open_fds") >= CLIENTS + CLIENTS / 4);
	for (int i = 0; i < CLIENTS; i++) {
		assert_int_equal(talker_refresh(&clients[i].t, 0), 0);
		talker_close(&clients[i].t);
	}
	SOON(has_grown(before, &after, "turnpike_turn_allocations", 0));
	SOON(has_grown(before, &after, "turnpike_turn_allocations_closed_total{reason=\"deleted\"}",
	               CLIENTS));
	assert_int_equal(exposition_sum(after, "turnpike_relay_ports_in_use"), 0);
	assert_int_equal(exposition_series(full), exposition_series(before));
	assert_int_equal(exposition_series(after), exposition_series(before));
	json_decref(before);
	json_decref(full);
	json_decref(after);
}

static void process_and_certificate(void **state)
{
	json_t *m = exposition_of(&server);
	double now = (double)time(NULL), rss = exposition_value(m, "process_resident_memory_bytes");
	double threads = exposition_sum(m, "turnpike_thread_cpu_seconds_total");

	(void)state;
	assert_true(exposition_value(m, "process_start_time_seconds") > now - 600);
	assert_true(exposition_value(m, "process_start_time_seconds") <= now);
	/* curl's look and rig_server_rss_kib()'s are not of the same moment */
	assert_true(rss > (double)rig_server_rss_kib(&server) * 1024 / 2 &&
	            rss < (double)rig_server_rss_kib(&server) * 1024 * 2);
	assert_true(exposition_value(m, "process_open_fds") > 8);
	assert_true(exposition_value(m, "process_open_fds") <
	            exposition_value(m, "process_max_fds"));
	assert_true(threads > 0 && threads <= exposition_value(m, "process_cpu_seconds_total"));
	/* it is self-made, for 825 days */
	assert_true(exposition_value(m, "turnpike_certificate_expiry_timestamp_seconds") >
	            now + 800 * 86400.0);
	assert_true(exposition_value(m, "turnpike_certificate_expiry_timestamp_seconds") <
	            now + 826 * 86400.0);
	json_decref(m);
}

static double certificate_ends(void)
{
	json_t *m = exposition_of(&server);
	double ends = exposition_value(m, "turnpike_certificate_expiry_timestamp_seconds");

	json_decref(m);
	return ends;
}

/* The one in use counts, not the one in the file. */
static void renewed_certificate(void **state)
{
	double now = (double)time(NULL), ends = 0;
	char command[512], from[128], to[128];

	(void)state;
	snprintf(
	    command, sizeof(command),
	    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 10 "
	    "-subj /CN=renewed -keyout %s/key.new -out %s/cert.new",
	    server.data, server.data);
	free(rig_run(command, NULL));
	for (int i = 0; i < 2; i++) {
		snprintf(from, sizeof(from), "%s/%s.new", server.data, i ? "cert" : "key");
		snprintf(to, sizeof(to), "%s/%s.pem", server.data, i ? "cert" : "key");
		assert_int_equal(rename(from, to), 0);
	}
	SOON((ends = certificate_ends()) > 0 && ends < now + 11 * 86400.0);
	assert_true(ends > now + 9 * 86400.0);
}

static void reloads(void **state)
{
	static const char at[] = "turnpike_config_last_reload_success_timestamp_seconds";
	json_t *before = exposition_of(&server), *bad, *good;
	char *said;

	(void)state;
	assert_int_equal(exposition_value(before, "turnpike_config_last_reload_successful"), 1);
	rig_sleep_ms(1100); /* the time of a reload is in seconds */
	configure("no_such_option = 1\n");
	assert_int_equal(rig_try_verb(&server, "reload", NULL, &said), 1);
	free(said);
	bad = exposition_of(&server);
	assert_int_equal(exposition_value(bad, "turnpike_config_last_reload_successful"), 0);
	assert_int_equal(grown(before, bad, at), 0);
	configure("user_quota = 7\n");
	free(rig_verb(&server, "reload", NULL));
	good = exposition_of(&server);
	assert_int_equal(exposition_value(good, "turnpike_config_last_reload_successful"), 1);
	assert_true(grown(bad, good, at) >= 1);
	json_decref(before);
	json_decref(bad);
	json_decref(good);
}

static void store_and_draining(void **state)
{
	json_t *before = exposition_of(&server), *after;

	(void)state;
	free(rig_verb(&server, "user add alice --password-stdin", "wonderland\n"));
	free(rig_verb(&server, "drain", NULL));
	after = exposition_of(&server);
	assert_int_equal(grown(before, after, "turnpike_users"), 1);
	assert_int_equal(exposition_value(after, "turnpike_store_up"), 1);
	assert_int_equal(exposition_value(before, "turnpike_draining"), 0);
	assert_int_equal(exposition_value(after, "turnpike_draining"), 1);
	json_decref(before);
	json_decref(after);
	free(rig_verb(&server, "drain cancel", NULL));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reader_is_strict),          cmocka_unit_test(form),
	    cmocka_unit_test(counts_and_stays_as_small), cmocka_unit_test(process_and_certificate),
	    cmocka_unit_test(renewed_certificate),       cmocka_unit_test(reloads),
	    cmocka_unit_test(store_and_draining),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, rig_server_end);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Replays of captured requests, on real sockets; and the cost of the nonces that stop them for
 * foreign clients: 438 once, or never.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/exposition.h"
#include "daemon/tests/server/rig.h"
#include "daemon/tests/server/talker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVER4   RIG_SERVER4 ":3478"
#define SECOND4   RIG_SERVER4 ":3479"
#define ECHO_PORT 3480
#define THIEVES   5
#define CLIENT_MS 60000
#define TICK_MS   1500 /* much more than the workers take to report */
#define UCLIENT   "turnutils_uclient -u alice -w wonderland -n 5 "
#define TO_PEER4  "-e " RIG_PEER4 " -r 3480 "

static struct rig_server server;
static struct rig_program echo;
static char token[RIG_TOKEN_MAX];

static int setup(void **state)
{
	(void)state;
	rig_server_start(&server, "captured",
	                 "--workers 2 --realm turn.example.org --user-quota 0 --mobility "
	                 "--legacy-channels --relay-ports 50000-50999 --listen " SERVER4
	                 " --listen " SECOND4 " --listen 127.0.0.1:8080");
	free(rig_verb(&server, "user add alice --password-stdin", "wonderland\n"));
	rig_server_settle(&server);
	rig_token_add(&server, token, "captured --scope metrics");
	rig_echo_start(&echo, ECHO_PORT);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_signal_and_wait(&echo, 9, CLIENT_MS);
	rig_server_stop(&server);
	return 0;
}

/* A metric. */
static double count_of(const char *series)
{
	char why[EXPOSITION_TEXT] = "", command[512], *text;
	json_t *families;
	double n;

	rig_sleep_ms(TICK_MS);
	snprintf(command, sizeof(command),
	         "curl -sf --noproxy * --max-time 10 -H @%s http://127.0.0.1:8080/metrics",
	         rig_file("bearer", "Authorization: Bearer %s\n", token));
	text = rig_run(command, NULL);
	families = exposition_read(text, why);
	if (!families)
		rig_fail(text, text, "%s", why);
	free(text);
	n = exposition_value(families, series);
	json_decref(families);
	return n;
}

/* ---- replay ---- */

struct capture {
	struct wire allocate, permit, refresh, end;
};

static struct capture got;

static void ask(struct talker *t, struct wire *m, struct wire *out)
{
	assert_int_equal(talker_ask(t, m), 0);
	*out = *m;
}

static void allocate(struct talker *t)
{
	struct wire m;

	talker_request(t, &m, W_ALLOCATE);
	wire_add_transport(&m, IPPROTO_UDP);
	ask(t, &m, &got.allocate);
}

static void refresh(struct talker *t, uint32_t lifetime_s, struct wire *out)
{
	struct wire m;

	talker_request(t, &m, W_REFRESH);
	wire_add_u32(&m, ATTR_LIFETIME, lifetime_s);
	ask(t, &m, out);
}

static void session(struct talker *t, bool stream)
{
	struct wire m;

	talker_open(t, SERVER4, stream, NULL, "alice", "wonderland");
	assert_int_equal(talker_login(t), 401);
	allocate(t);
	talker_request(t, &m, W_CREATE_PERMISSION);
	wire_add_peer(&m, RIG_PEER4 ":3480");
	ask(t, &m, &got.permit);
	refresh(t, 3600, &got.refresh);
}

/* Nothing of it is good for another sender. */
static void refused(const char *to, bool stream, const char *local)
{
	const struct wire *all[] = {&got.allocate, &got.permit, &got.refresh};

	for (int i = 0; i < THIEVES; i++) {
		struct talker thief;

		talker_open(&thief, to, stream, local, "", "");
		for (size_t k = 0; k < 3; k++)
			assert_int_equal(talker_say(&thief, all[k]), 438);
		talker_close(&thief);
	}
}

static void replayed_elsewhere(void **state)
{
	(void)state;
	for (int stream = 0; stream < 2; stream++) {
		struct talker t;

		session(&t, stream);
		refused(SERVER4, false, NULL);
		refused(SERVER4, true, NULL);
		refused(SECOND4, false, NULL);
		refused(SERVER4, false, "77.7.0.66");
		rig_wait_allocations(&server, 1);
		/* and the owner does not notice */
		assert_int_equal(talker_refresh(&t, 600), 0);
		assert_int_equal(talker_refresh(&t, 0), 0);
		talker_close(&t);
		rig_wait_allocations(&server, 0);
	}
}

/* The same socket: as good as a forged sender, or a NAT's port that somebody else has now. */
static void replayed_after_the_end(void **state)
{
	struct talker t;

	(void)state;
	session(&t, false);
	refresh(&t, 0, &got.end);
	assert_int_equal(talker_say(&t, &got.end), 0); /* a retransmission */
	assert_int_equal(talker_say(&t, &got.allocate), 438);
	assert_int_equal(talker_say(&t, &got.permit), 437);
	rig_wait_allocations(&server, 0);
	/* nor does it end what the client makes next */
	struct capture before = got;
	allocate(&t);
	assert_int_equal(talker_say(&t, &before.end), 438);
	assert_int_equal(talker_say(&t, &before.refresh), 438);
	rig_wait_allocations(&server, 1);
	assert_int_equal(talker_refresh(&t, 0), 0);
	talker_close(&t);
}

/* ---- foreign clients ---- */

/* The data connections of TCP relays come with the nonce of their control connection. */
static const char *const keep_their_port[] = {
    UCLIENT TO_PEER4 RIG_SERVER4,
    UCLIENT "-m 4 -G " TO_PEER4 RIG_SERVER4,
    UCLIENT "-t " TO_PEER4 RIG_SERVER4,
    UCLIENT "-t -S -p 3478 " TO_PEER4 RIG_SERVER4,
    UCLIENT "-S -p 3478 " TO_PEER4 RIG_SERVER4,
    UCLIENT "-T " RIG_SERVER4,
#ifdef NICE_CLIENT
    NICE_CLIENT " udp " RIG_SERVER4 " 3478 alice wonderland 77.7.0.21",
    NICE_CLIENT " tcp " RIG_SERVER4 " 3478 alice wonderland 77.7.0.22",
#endif
};

#define KEEP (sizeof(keep_their_port) / sizeof(*keep_their_port))

static void succeeds(struct rig_program *p, const char *command)
{
	int status = rig_wait(p, CLIENT_MS);
	char *text = rig_output(p);

	if (status)
		rig_fail(text, text, "%s: status %d", command, status);
	free(text);
}

static void foreign_clients_hear_none(void **state)
{
	double before = count_of("turnpike_turn_replies_438_total");
	struct rig_program p[KEEP];

	(void)state;
	for (size_t i = 0; i < KEEP; i++)
		rig_start(&p[i], keep_their_port[i], NULL);
	for (size_t i = 0; i < KEEP; i++)
		succeeds(&p[i], keep_their_port[i]);
	assert_int_equal(count_of("turnpike_turn_replies_438_total") - before, 0);
}

/* It makes three allocations and moves each to a new port, and sends every such Refresh twice, as
 * if the first were lost: 438 to both, and the next one is good. */
static void a_mobile_client_hears_one_a_move(void **state)
{
	static const char command[] = UCLIENT "-L 77.7.0.31 -M " TO_PEER4 RIG_SERVER4;
	double before = count_of("turnpike_turn_replies_438_total");
	struct rig_program p;

	(void)state;
	rig_start(&p, command, NULL);
	succeeds(&p, command);
	assert_in_range(count_of("turnpike_turn_replies_438_total") - before, 1, 6);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(replayed_elsewhere),
	    cmocka_unit_test(replayed_after_the_end),
	    cmocka_unit_test(foreign_clients_hear_none),
	    cmocka_unit_test(a_mobile_client_hears_one_a_move),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, teardown);
}

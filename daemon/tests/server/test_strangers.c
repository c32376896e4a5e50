/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Floods under one's own address or under forged ones, and whether the neighbours notice; and the
 * answer to a client's first request, on real sockets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/rig.h"
#include "daemon/tests/server/spoof.h"
#include "daemon/tests/server/talker.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVER4    RIG_SERVER4 ":3478"
#define SERVER6    "[" RIG_SERVER6 "]:3478"
#define REALM      "turn.example.org"
#define NETWORK    0x3d070700u /* 61.7.7.0/24 */
#define FLOODER    5
#define NEIGHBOUR  200
#define NEIGHBOUR4 "61.7.7.200"
#define PER_MS     4
#define WARM_UP_MS 1000
#define TRIES      7 /* RFC 8489 section 6.2.1 */
#define WAIT_MS    500

static struct rig_server server;

static int setup(void **state)
{
	*state = &server;
	rig_server_start(&server, "strangers",
	                 "--workers 1 --realm " REALM " --relay-ports 50000-50999 --listen " SERVER4
	                 " --listen " SERVER6);
	free(rig_verb(&server, "user add alice --password-stdin", "wonderland\n"));
	rig_server_settle(&server);
	return 0;
}

/* RFC 8489 section 9.2.4, to the smallest request that a browser sends, and to a smaller one. */
static void the_first_401_is_whole(void **state)
{
	static const uint8_t algorithms[] = {0, 2, 0, 0, 0, 1, 0, 0};
	static const char *const at[] = {SERVER4, SERVER6};

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct talker t;
		struct wire m;
		size_t n;
		const uint8_t *list;

		talker_open(&t, at[i % 2], false, NULL, "alice", "wonderland");
		wire_start(&m, W_ALLOCATE, ++t.tid);
		if (i / 2)
			wire_add_transport(&m, IPPROTO_UDP);
		assert_int_equal(m.len, i / 2 ? 28 : 20);
		assert_int_equal(talker_say(&t, &m), 401);
		assert_string_equal(t.realm, REALM);
		assert_memory_equal(t.nonce, "obMatJos2AAAB", 13);
		list = wire_get(t.in.buf, t.in.len, ATTR_PASSWORD_ALGORITHMS, &n);
		assert_non_null(list);
		assert_int_equal(n, sizeof(algorithms));
		assert_memory_equal(list, algorithms, n);
		/* a nonce without features, as older servers gave it, is stale */
		memmove(t.nonce, t.nonce + 13, strlen(t.nonce + 13) + 1);
		talker_request(&t, &m, W_ALLOCATE);
		wire_add_transport(&m, IPPROTO_UDP);
		assert_int_equal(talker_ask(&t, &m), 438);
		assert_int_equal(talker_allocate(&t, IPPROTO_UDP), 0);
		assert_int_equal(talker_refresh(&t, 0), 0);
		talker_close(&t);
	}
}

/* Bare requests in the names of the /24, about 4,000 a second, until it is killed. */
static void flood(uint16_t method, bool all, bool neighbour)
{
	int raw = spoof_open();
	struct wire m;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	wire_start(&m, method, 1);
	for (uint32_t i = 0;; i++) {
		uint32_t host = all ? 1 + i % 254 : FLOODER;

		if (host != NEIGHBOUR || neighbour)
			spoof_send(raw, RIG_SERVER4, 3478, NETWORK | host,
			           (uint16_t)(1024 + i % 60000), &m);
		if (i % PER_MS == 0)
			rig_sleep_ms(1);
	}
}

static pid_t flood_start(uint16_t method, bool all, bool neighbour)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		flood(method, all, neighbour);
	rig_sleep_ms(WARM_UP_MS); /* until what may be used at once is used up */
	return pid;
}

static void flood_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* As a client does, who sends again what is not answered; how often it had to. */
static int come(bool stream, uint16_t method)
{
	struct talker t;
	struct wire m;
	int code = TALKER_SILENCE, tries = 0;

	talker_open(&t, SERVER4, stream, NEIGHBOUR4, "alice", "wonderland");
	t.wait_ms = stream ? SOON_MS : WAIT_MS;
	wire_start(&m, method, ++t.tid);
	while (code < 0 && tries < TRIES) {
		tries++;
		code = talker_say(&t, &m);
	}
	assert_int_equal(code, method == W_ALLOCATE ? 401 : 0);
	t.wait_ms = SOON_MS;
	if (method == W_ALLOCATE) { /* with the nonce nothing is in its way any more */
		assert_int_equal(talker_allocate(&t, IPPROTO_UDP), 0);
		assert_int_equal(talker_permit_to(&t, RIG_PEER4 ":9"), 0);
		assert_int_equal(talker_refresh(&t, 0), 0);
	}
	talker_close(&t);
	return tries;
}

static void neighbours_come_in(uint16_t method, bool all)
{
	pid_t pid = flood_start(method, all, false);

	for (int i = 0; i < 5; i++) {
		assert_int_equal(come(true, method), 1);
		come(false, method);
	}
	flood_stop(pid);
}

static void a_flood_of_one(void **state)
{
	(void)state;
	neighbours_come_in(W_ALLOCATE, false);
	neighbours_come_in(W_BINDING, false);
}

static void a_flood_in_all_their_names(void **state)
{
	(void)state;
	neighbours_come_in(W_ALLOCATE, true);
	neighbours_come_in(W_BINDING, true);
}

/* Also under the client's own address: over UDP its requests look like the forged ones, but it
 * takes no longer than a client's patience; over TCP it does not notice. */
static void a_flood_in_his_name(void **state)
{
	pid_t pid = flood_start(W_ALLOCATE, true, true);

	(void)state;
	assert_int_equal(come(true, W_ALLOCATE), 1);
	come(false, W_ALLOCATE);
	flood_stop(pid);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_first_401_is_whole),
	    cmocka_unit_test(a_flood_of_one),
	    cmocka_unit_test(a_flood_in_all_their_names),
	    cmocka_unit_test(a_flood_in_his_name),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, rig_server_end);
}

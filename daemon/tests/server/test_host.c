/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A host that changes: addresses that are not ready, come, go and come back
 * while the server runs, and a host without IPv6.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/rig.h"
#include "daemon/tests/server/talker.h"

#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Nobody's so far, and none of a special purpose. */
#define COMES4  "77.7.0.50"
#define ROUTED4 "77.8.1"
#define COMES6  "2a0a:7777::50"
#define CARD6   "2a0a:8888::1"
#define LATE6   "2a0a:9999::1"
#define ALICE   "alice", "a password of alice"
#define LONG_MS 20000

static struct rig_server server;
static char self[256];

static void ip(const char *words)
{
	char command[128];

	snprintf(command, sizeof(command), "ip %s", words);
	free(rig_run(command, NULL));
}

static void start_server(const char *name, const char *options)
{
	char all[512];

	rig_server_prepare(&server, name);
	free(rig_verb(&server, "user add alice --password-stdin", "a password of alice\n"));
	snprintf(all, sizeof(all), "--workers 2 --relay-ports 50000-50099 %s", options);
	rig_server_start(&server, name, all);
}

static bool logged(const char *text)
{
	char *all = rig_output(&server.program);
	bool found = strstr(all, text);

	free(all);
	return found;
}

/* Whether a Binding request is answered there. */
static bool answers(const char *at)
{
	struct talker t;
	struct wire m;
	int code;

	talker_open(&t, at, false, NULL, NULL, NULL);
	t.wait_ms = TALKER_SILENCE_MS;
	wire_start(&m, W_BINDING, ++t.tid);
	code = talker_say(&t, &m);
	talker_close(&t);
	return code == 0;
}

/* The relay's addresses for clients that came in there. */
static void relayed_at(const char *server_at, const char *want)
{
	char text[ADDR_STRLEN];
	struct talker t;

	talker_open(&t, server_at, false, NULL, ALICE);
	assert_int_equal(talker_login(&t), 401);
	assert_int_equal(talker_allocate(&t, IPPROTO_UDP), 0);
	assert_string_equal(addr_format_ip(&t.relayed, text), want);
	assert_int_equal(talker_refresh(&t, 0), 0);
	talker_close(&t);
}

/* A card without a cable: its address stays tentative until there is one. */
static void starts_beside_a_tentative_address(void **state)
{
	(void)state;
	ip("link add card type veth peer name cable");
	ip("link set card up");
	ip("addr add " CARD6 "/64 dev card");
	start_server("tentative", "--listen 0.0.0.0:3478,[::]:3478");
	assert_true(answers(RIG_SERVER4 ":3478"));
	assert_true(answers("[" RIG_SERVER6 "]:3478"));
	assert_false(logged("address=[" CARD6 "]:3478"));
	ip("link set cable up");
	SOON(logged("event=listening address=[" CARD6 "]:3478"));
	SOON(answers("[" CARD6 "]:3478"));
	rig_server_stop(&server);
	ip("link del card");
}

/* A program that listens on an address that the host does not have yet: to the server a stranger.
 */
static int open_program(void)
{
	struct timeval wait = {.tv_usec = 300000};
	struct addr a;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(addr_parse_ip(&a, COMES4, 9), 0);
	assert_int_equal(bind(fd, &a.sa, addr_len(&a)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	return fd;
}

/* Whether it hears what the client sends, by an indication and on its channel. */
static bool hears(int program, struct talker *t)
{
	static const uint8_t data[8] = {0x40, 0x01, 0, 4, 'd', 'a', 't', 'a'};
	char got[16];
	bool by_channel, by_indication;

	talker_send(t, data, sizeof(data));
	by_channel = recv(program, got, sizeof(got), 0) == 4;
	talker_send_to(t, COMES4 ":9", "sent");
	by_indication = recv(program, got, sizeof(got), 0) == 4;
	assert_int_equal(by_channel, by_indication);
	return by_channel;
}

/* RFC 6062's Connect to it, which waits for nobody: the code. */
static int connect_to(struct talker *t)
{
	struct wire m;

	talker_request(t, &m, W_CONNECT);
	wire_add_peer(&m, COMES4 ":9");
	return talker_ask(t, &m);
}

static void allocate_tcp(struct talker *t)
{
	struct wire m;

	talker_open(t, RIG_SERVER4 ":3478", true, NULL, ALICE);
	assert_int_equal(talker_login(t), 401);
	talker_request(t, &m, W_ALLOCATE);
	wire_add_transport(&m, IPPROTO_TCP);
	assert_int_equal(talker_ask(t, &m), 0);
}

/* A peer until the host has the address; then it is one of ours, which no permission and no channel
 * leads to, and it is served. */
static void what_comes_is_no_peer(void **state)
{
	struct talker early, tcp;
	int program = open_program();

	(void)state;
	start_server("comes", "--listen 0.0.0.0:3478,[::]:3478");
	talker_open(&early, RIG_SERVER4 ":3478", false, NULL, ALICE);
	assert_int_equal(talker_login(&early), 401);
	assert_int_equal(talker_allocate(&early, IPPROTO_UDP), 0);
	assert_int_equal(talker_bind_to(&early, 0x4001, COMES4 ":9"), 0);
	allocate_tcp(&tcp);
	assert_int_equal(connect_to(&tcp), 447); /* nobody listens there */
	assert_true(hears(program, &early));
	ip("addr add " COMES4 "/32 dev lo");
	SOON(!hears(program, &early));
	/* A permission has no port, and there may be relays of ours; but this is none. */
	assert_int_equal(talker_bind_to(&early, 0x4002, COMES4 ":9"), 403);
	assert_int_equal(connect_to(&tcp), 403);
	assert_int_equal(talker_permit_to(&early, COMES4 ":9"), 0);
	assert_false(hears(program, &early));
	SOON(answers(COMES4 ":3478"));
	relayed_at(COMES4 ":3478", COMES4);
	free(rig_verb(&server, "reload", NULL)); /* which means the same host */
	rig_server_settle(&server);
	assert_int_equal(talker_bind_to(&early, 0x4002, COMES4 ":9"), 403);
	assert_false(hears(program, &early));
	close(program);
	talker_close(&early);
	talker_close(&tcp);
}

/* Continues with the server of the test before. */
static void what_goes_ends_with_a_reason(void **state)
{
	struct talker stays, goes;

	(void)state;
	talker_enter(&stays, RIG_SERVER4 ":3478", false, ALICE);
	talker_enter(&goes, COMES4 ":3478", false, ALICE);
	/* For a moment only: nothing ends. */
	ip("addr del " COMES4 "/32 dev lo");
	SOON(logged("event=address-away address=" COMES4 ":3478"));
	ip("addr add " COMES4 "/32 dev lo");
	SOON(talker_refresh(&goes, 600) == 0);
	assert_false(logged("reason=address-gone"));
	/* For good. */
	ip("addr del " COMES4 "/32 dev lo");
	SOON(logged("event=address-gone address=" COMES4 ":3478"));
	SOON(logged("event=closed reason=address-gone"));
	SOON(!answers(COMES4 ":3478"));
	assert_int_equal(talker_refresh(&stays, 600), 0);
	/* A stranger again. */
	SOON(talker_bind_to(&stays, 0x4001, COMES4 ":9") == 0);
	talker_close(&stays);
	talker_close(&goes);
	rig_server_stop(&server);
}

/* The kernel takes whole ranges for this host that no interface has an address of, where it is told
 * to: clouds' agents do so for the addresses of their balancers. */
static void what_is_routed_here_is_no_peer(void **state)
{
	struct talker t;

	(void)state;
	start_server("routed", "--listen 0.0.0.0:3478,[::]:3478");
	talker_enter(&t, RIG_SERVER4 ":3478", false, ALICE);
	assert_int_equal(talker_bind_to(&t, 0x4001, ROUTED4 ".7:9"), 0);
	ip("route add local " ROUTED4 ".0/24 dev lo");
	SOON(talker_bind_to(&t, 0x4002, ROUTED4 ".8:9") == 403);
	assert_int_equal(talker_bind_to(&t, 0x4001, ROUTED4 ".7:9"), 403);
	ip("route del local " ROUTED4 ".0/24 dev lo");
	SOON(talker_bind_to(&t, 0x4003, ROUTED4 ".9:9") == 0);
	talker_close(&t);
	rig_server_stop(&server);
	/* At the start it is so at once. */
	ip("route add local " ROUTED4 ".0/24 dev lo");
	start_server("routed2", "--listen 0.0.0.0:3478,[::]:3478");
	talker_enter(&t, RIG_SERVER4 ":3478", false, ALICE);
	assert_int_equal(talker_bind_to(&t, 0x4001, ROUTED4 ".7:9"), 403);
	talker_close(&t);
	rig_server_stop(&server);
	ip("route del local " ROUTED4 ".0/24 dev lo");
}

/* Addresses in listen and relay_address may come later than the server. */
static void waits_for_named_addresses(void **state)
{
	(void)state;
	start_server("named", "--listen " RIG_SERVER4 ":3478,[" LATE6 "]:3478");
	assert_true(logged("event=address-not-here option=listen address=" LATE6));
	assert_true(answers(RIG_SERVER4 ":3478"));
	ip("addr add " LATE6 "/128 dev lo nodad");
	SOON(answers("[" LATE6 "]:3478"));
	rig_server_stop(&server);
	ip("addr del " LATE6 "/128 dev lo");
}

static void relays_where_it_came_to(void **state)
{
	(void)state;
	start_server("relays", "--listen " RIG_SERVER4 ":3478 --relay-address " COMES4);
	assert_true(logged("event=address-not-here option=relay_address address=" COMES4));
	ip("addr add " COMES4 "/32 dev lo");
	SOON(logged("event=relay-address local=" COMES4));
	relayed_at(RIG_SERVER4 ":3478", COMES4);
	rig_server_stop(&server);
	ip("addr del " COMES4 "/32 dev lo");
}

/* As with ipv6.disable=1: there is no such family of sockets. */
static void starts_without_ipv6(void **state)
{
	struct rig_program p;
	char command[512];

	(void)state;
	rig_server_prepare(&server, "four");
	snprintf(command, sizeof(command),
	         "%s --without-ipv6 %s serve --data %s --drain-timeout 0 --workers 1 --listen "
	         "0.0.0.0:3478,[::]:3478",
	         self, getenv("TURNPIKE_BIN") ? getenv("TURNPIKE_BIN") : TURNPIKE_PROGRAM,
	         server.data);
	rig_start(&p, command, NULL);
	if (!rig_wait_output(&p, "event=ready", LONG_MS)) {
		char *all = rig_output(&p);

		rig_signal_and_wait(&p, SIGKILL, LONG_MS);
		rig_fail(all, all, "no start without IPv6");
	}
	assert_true(rig_wait_output(&p, "event=family-not-here address=[::]:3478", LONG_MS));
	assert_true(answers(RIG_SERVER4 ":3478"));
	assert_int_equal(rig_signal_and_wait(&p, SIGTERM, LONG_MS), 0);
}

/* Runs the command where there is no IPv6. */
static int without_ipv6(char **argv)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);

	if (!f ||
	    seccomp_rule_add(f, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
	                     SCMP_A0(SCMP_CMP_EQ, AF_INET6)) ||
	    seccomp_load(f))
		return 126;
	execv(argv[0], argv);
	return 127;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(starts_beside_a_tentative_address),
	    cmocka_unit_test(what_comes_is_no_peer),
	    cmocka_unit_test(what_goes_ends_with_a_reason),
	    cmocka_unit_test(what_is_routed_here_is_no_peer),
	    cmocka_unit_test(waits_for_named_addresses),
	    cmocka_unit_test(relays_where_it_came_to),
	    cmocka_unit_test(starts_without_ipv6),
	};

	if (argc > 2 && !strcmp(argv[1], "--without-ipv6"))
		return without_ipv6(argv + 2);
	rig_enter(argv);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The process as an operator and a service manager see it: what it tells
 * them, and when it falls silent; its limits; the sandbox on every thread.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/rig.h"
#include "daemon/tests/server/talker.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVER4     RIG_SERVER4 ":3478"
#define OPTIONS     "--workers 2 --relay-ports 50000-50099 --listen " SERVER4
#define WATCHDOG_MS 900
#define LONG_MS     20000

static int manager; /* its socket */

static int open_manager(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	static int number;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/notify%d", rig_dir(), ++number);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	setenv("NOTIFY_SOCKET", a.sun_path, 1);
	return fd;
}

/* The next message within the time, or an empty one. */
static const char *hear(int wait_ms)
{
	static char text[512];
	struct pollfd p = {.fd = manager, .events = POLLIN};
	ssize_t n = poll(&p, 1, wait_ms) == 1 ? recv(manager, text, sizeof(text) - 1, 0) : 0;

	text[n > 0 ? n : 0] = 0;
	return text;
}

static bool hear_until(const char *want, int wait_ms)
{
	unsigned long long end = rig_now_ms() + (unsigned)wait_ms;

	while (rig_now_ms() < end)
		if (strstr(hear((int)(end - rig_now_ms())), want))
			return true;
	return false;
}

/* The thread of that name. */
static pid_t thread_of(pid_t pid, const char *name)
{
	char path[300], comm[32];
	struct dirent *e;
	pid_t found = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	assert_non_null(d);
	while (!found && (e = readdir(d))) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/task/%s/comm", (int)pid, e->d_name);
		f = fopen(path, "r");
		if (f && fgets(comm, sizeof(comm), f) && !strncmp(comm, name, strlen(name)))
			found = atoi(e->d_name);
		if (f)
			fclose(f);
	}
	closedir(d);
	return found;
}

static void talks_to_the_manager(void **state)
{
	struct rig_server s = {.data = ""};
	char usec[32];
	pid_t relay;
	struct talker t;

	(void)state;
	manager = open_manager();
	snprintf(usec, sizeof(usec), "%d", WATCHDOG_MS * 1000);
	setenv("WATCHDOG_USEC", usec, 1);
	rig_server_start(&s, "managed", OPTIONS);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");

	/* ready means that it serves */
	assert_true(hear_until("READY=1", LONG_MS));
	talker_open(&t, SERVER4, false, NULL, "nobody", "nothing");
	assert_int_equal(talker_login(&t), 401);
	talker_close(&t);
	assert_true(hear_until("WATCHDOG=1", LONG_MS));
	assert_true(hear_until("WATCHDOG=1", LONG_MS));

	/* one thread stands still: no more food, though all the others run */
	relay = thread_of(s.program.pid, "relay-1");
	assert_true(relay > 0);
	assert_int_equal(ptrace(PTRACE_SEIZE, relay, NULL, NULL), 0);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, relay, NULL, NULL), 0);
	assert_int_equal(waitpid(relay, NULL, __WALL), relay);
	assert_true(rig_wait_output(&s.program, "event=worker-silent worker=1", LONG_MS));
	while (*hear(0))
		;
	assert_false(hear_until("WATCHDOG=1", 2 * WATCHDOG_MS));
	assert_int_equal(ptrace(PTRACE_DETACH, relay, NULL, NULL), 0);
	assert_true(hear_until("WATCHDOG=1", LONG_MS));

	/* Type=notify-reload wants the time, too */
	kill(s.program.pid, SIGHUP);
	assert_true(hear_until("RELOADING=1\nMONOTONIC_USEC=", LONG_MS));
	assert_true(hear_until("READY=1", LONG_MS));
	rig_server_stop(&s);
	assert_true(hear_until("STOPPING=1", 1000));
	close(manager);
}

static void refuses_a_wrong_manager(void **state)
{
	struct rig_program p;
	char command[256], *said;

	(void)state;
	setenv("NOTIFY_SOCKET", "/nowhere/notify", 1);
	snprintf(command, sizeof(command), "%s serve --data %s/none " OPTIONS, TURNPIKE_PROGRAM,
	         rig_dir());
	rig_start(&p, command, NULL);
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(rig_wait(&p, LONG_MS), 1);
	said = rig_output(&p);
	assert_non_null(strstr(said, "NOTIFY_SOCKET=/nowhere/notify cannot be reached"));
	free(said);
}

static int open_websocket(void)
{
	static const char hello[] = "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
	                            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
	                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	                            "Sec-WebSocket-Protocol: json\r\n\r\n";
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char said[1024] = "";
	struct addr to;

	assert_int_equal(addr_parse(&to, SERVER4), 0);
	assert_int_equal(connect(fd, &to.sa, addr_len(&to)), 0);
	assert_int_equal(send(fd, hello, strlen(hello), MSG_NOSIGNAL), strlen(hello));
	assert_true(recv(fd, said, sizeof(said) - 1, 0) > 0);
	assert_non_null(strstr(said, " 101 "));
	return fd;
}

/* A close frame with the code, after whatever else was said. */
static bool is_closed_with(int fd, unsigned code)
{
	const uint8_t want[] = {0x88, 0x02, (uint8_t)(code >> 8), (uint8_t)code};
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint8_t all[8192];
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(all) && poll(&p, 1, LONG_MS) == 1 &&
	       (n = recv(fd, all + len, sizeof(all) - len, 0)) > 0)
		len += (size_t)n;
	for (size_t i = 0; i + 3 < len; i++)
		if (all[i] == want[0] && (all[i + 1] & 0x7f) >= 2 && all[i + 2] == want[2] &&
		    all[i + 3] == want[3])
			return true;
	return false;
}

/* Running sessions go on, new clients are told where to go, and all get told about the end. */
static void tells_clients_that_it_stops(void **state)
{
	struct rig_server s = {.data = ""};
	/* ALTERNATE-SERVER, not XORed: IPv4, port 3478, 8.8.4.4 */
	static const uint8_t alternate[8] = {0, 1, 3478 >> 8, 3478 & 0xff, 8, 8, 4, 4};
	struct talker here, late;
	const uint8_t *where;
	size_t len = 0;
	int web;

	(void)state;
	manager = open_manager();
	rig_server_start(&s, "stops",
	                 OPTIONS
	                 " --alternate-server 8.8.4.4:3478 --redirect=no --drain-timeout 600");
	unsetenv("NOTIFY_SOCKET");
	free(rig_verb(&s, "user add dora --password-stdin", "explorer\n"));
	web = open_websocket();
	talker_open(&here, SERVER4, false, NULL, "dora", "explorer");
	talker_login(&here);
	SOON(talker_allocate(&here, IPPROTO_UDP) == 0);
	rig_wait_allocations(&s, 1);
	kill(s.program.pid, SIGTERM);
	assert_true(
	    hear_until("STOPPING=1\nSTATUS=Draining\nEXTEND_TIMEOUT_USEC=610000000", LONG_MS));
	talker_open(&late, SERVER4, false, NULL, "dora", "explorer");
	talker_login(&late);
	SOON(talker_attempt(&late) == 300); /* once its worker knows */
	where = wire_get(late.in.buf, late.in.len, ATTR_ALTERNATE_SERVER, &len);
	assert_int_equal(len, 8);
	assert_memory_equal(where, alternate, 8);
	assert_int_equal(talker_refresh(&here, 600), 0);
	assert_int_equal(talker_refresh(&here, 0), 0);
	assert_true(is_closed_with(web, 1001));
	assert_int_equal(rig_wait(&s.program, LONG_MS), 0);
	talker_close(&late);
	talker_close(&here);
	close(web);
	close(manager);
}

/* The value of a line of every thread's status. */
static void assert_status(pid_t pid, const char *name, const char *value)
{
	char path[300], line[256], want[64];
	unsigned threads = 0;
	struct dirent *e;
	DIR *d;

	snprintf(want, sizeof(want), "%s:\t%s\n", name, value);
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	assert_non_null(d);
	while ((e = readdir(d))) {
		FILE *f;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/status", (int)pid, e->d_name);
		f = fopen(path, "r");
		assert_non_null(f);
		while (fgets(line, sizeof(line), f)) {
			if (strncmp(line, name, strlen(name)) != 0 || line[strlen(name)] != ':')
				continue;
			assert_string_equal(line, want);
			threads++;
		}
		fclose(f);
	}
	closedir(d);
	assert_true(threads >= 3);
}

static void confines_every_thread(void **state)
{
	struct rig_server s = {.data = ""};
	char *said;

	(void)state;
	rig_server_start(&s, "confined", OPTIONS);
	assert_status(s.program.pid, "Seccomp", "2");
	assert_status(s.program.pid, "NoNewPrivs", "1");
	rig_server_stop(&s);
	rig_server_start(&s, "free", OPTIONS " --sandbox=no");
	assert_status(s.program.pid, "Seccomp", "0");
	said = rig_output(&s.program);
	assert_non_null(strstr(said, "event=sandbox hint=\"sandbox = no"));
	free(said);
	rig_server_stop(&s);
}

static void says_what_it_lacks(void **state)
{
	struct rig_program p;
	char command[512], *said;

	(void)state;
	snprintf(command, sizeof(command),
	         "prlimit --nofile=500:500 %s serve --data %s/few --max-tcp-connections 300 "
	         "--connections-per-address 300 " OPTIONS " --relay-ports 50000-50499",
	         TURNPIKE_PROGRAM, rig_dir());
	rig_start(&p, command, NULL);
	assert_true(rig_wait_output(&p, "event=ready", LONG_MS));
	assert_int_equal(rig_signal_and_wait(&p, SIGTERM, LONG_MS), 0);
	said = rig_output(&p);
	/* 500 relays, 300 connections, 1 address by 2 workers and TCP, 2 * 8, 128 spare */
	if (!strstr(said, "event=limits descriptors=500 needed=1547 relays=500 connections=300") ||
	    !strstr(said, "LimitNOFILE=1547"))
		rig_fail(said, said, "no warning of the limit");
	free(said);
}

static void explains_low_ports(void **state)
{
	struct rig_program p;
	char command[512], *said;

	(void)state;
	snprintf(command, sizeof(command),
	         "setpriv --inh-caps=-all --bounding-set=-all %s serve --data %s/low "
	         "--listen " RIG_SERVER4 ":443",
	         TURNPIKE_PROGRAM, rig_dir());
	rig_start(&p, command, NULL);
	assert_int_equal(rig_wait(&p, LONG_MS), 1);
	said = rig_output(&p);
	if (!strstr(said, "this user may not bind port 443") ||
	    !strstr(said, "AmbientCapabilities=CAP_NET_BIND_SERVICE") || !strstr(said, "setcap") ||
	    !strstr(said, "ip_unprivileged_port_start=443"))
		rig_fail(said, said, "no fix for port 443");
	free(said);
}

static void refuses_a_wrong_user(void **state)
{
	static const struct {
		const char *options, *said;
	} cases[] = {
	    {"--run-as no-such-user-here", "there is no user no-such-user-here: make it"},
	    {"--run-as root", "run_as: this must not be root"},
	    {"--run-as nobody --run-as-group no-such-group", "there is no group no-such-group"},
	    {"--run-as nobody --relay-ports 900-999",
	     "relay_ports: nobody may not bind ports below"},
	    {"--run-as-group nogroup", "a group without a user: set run_as, too"},
	    /* the lab's root is one of a user namespace */
	    {"--run-as nobody", "as in a user namespace): start as nobody"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct rig_program p;
		char command[512], *said;

		snprintf(command, sizeof(command),
		         "%s serve --data %s/user --listen " SERVER4 " %s", TURNPIKE_PROGRAM,
		         rig_dir(), cases[i].options);
		rig_start(&p, command, NULL);
		assert_int_not_equal(rig_wait(&p, LONG_MS), 0);
		said = rig_output(&p);
		if (!strstr(said, cases[i].said))
			rig_fail(said, said, "%s: not \"%s\"", cases[i].options, cases[i].said);
		free(said);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(talks_to_the_manager),  cmocka_unit_test(refuses_a_wrong_manager),
	    cmocka_unit_test(confines_every_thread), cmocka_unit_test(tells_clients_that_it_stops),
	    cmocka_unit_test(says_what_it_lacks),    cmocka_unit_test(explains_low_ports),
	    cmocka_unit_test(refuses_a_wrong_user),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * `turnpike doctor` on a good server, and on ones that are broken in one way
 * each: it must name that way, and the fix.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/addr.h"
#include "daemon/cert/cert.h"
#include "daemon/tests/server/rig.h"

#include <dirent.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SERVER4 RIG_SERVER4 ":3478"
#define COMMON  "--workers 1 --relay-ports 50000-50099 --sandbox=yes --max-tcp-connections 500 "
#define OPTIONS COMMON "--listen " SERVER4
#define LONG_MS 60000
#define BUSY_MS 5000
#define CLIENTS 16

static struct rig_server server; /* a good one, for all that break nothing of it */

static int setup(void **state)
{
	*state = &server;
	rig_server_start(&server, "good", OPTIONS);
	return 0;
}

static char *run(const char *data, const char *options, int *status)
{
	struct rig_program p;
	char command[1024];

	snprintf(command, sizeof(command), "%s doctor --data %s %s", TURNPIKE_PROGRAM, data,
	         options);
	rig_start(&p, command, NULL);
	*status = rig_wait(&p, LONG_MS);
	return rig_output(&p);
}

/* A line that begins with the level and the check, and says text; the line below is the fix. */
static bool says(const char *said, const char *level, const char *check, const char *text,
                 const char *fix)
{
	char head[64];

	snprintf(head, sizeof(head), "%-4s  %-11s  ", level, check);
	for (const char *line = said; line && *line; line = strchr(line, '\n') + 1) {
		const char *end = strchr(line, '\n'), *at = strstr(line, text), *next;

		if (!end)
			return false;
		if (strncmp(line, head, strlen(head)) != 0 || !at || at > end)
			continue;
		next = end + 1;
		at = strstr(next, fix);
		if (!*fix || (at && at < next + strcspn(next, "\n")))
			return true;
	}
	return false;
}

static void expect(const char *data, const char *options, const char *level, const char *check,
                   const char *text, const char *fix)
{
	int status;
	char *said = run(data, options, &status);

	if (status != !strcmp(level, "fail") && strcmp(level, "warn") != 0)
		rig_fail(said, said, "exit status %d", status);
	if (!says(said, level, check, text, fix))
		rig_fail(said, said, "no \"%s %s ... %s\" with \"%s\"", level, check, text, fix);
	free(said);
}

static void is_content(void **state)
{
	static const char *const good[][2] = {
	    {"config", "it is valid"},
	    {"server", "(turnpike) serves"},
	    {"database", "is sound"},
	    {"certificate", "is valid for 82"},
	    {"descriptors", " are in use"},
	    {"ports", "all 1 addresses of listen are the server's"},
	    {"ports", "no other process uses relay_ports 50000-50099"},
	    {"answers", SERVER4 " answers over UDP, TCP, TLS, DTLS"},
	    {"relay", "UDP " SERVER4 ": allocated, and an echo came through"},
	    {"relay", "TCP " SERVER4 ": allocated, and an echo came through"},
	    {"relay", "TLS " SERVER4 ": allocated, and an echo came through"},
	    {"relay", "DTLS " SERVER4 ": allocated, and an echo came through"},
	};
	int status;
	char *said = run(server.data, OPTIONS, &status);

	(void)state;
	if (status)
		rig_fail(said, said, "exit status %d", status);
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		if (!says(said, "ok", good[i][0], good[i][1], ""))
			rig_fail(said, said, "no \"ok %s %s\"", good[i][0], good[i][1]);
	free(said);
}

static void speaks_json(void **state)
{
	int status;
	char *said = run(server.data, OPTIONS " --json", &status);
	json_t *root = json_loads(said, 0, NULL), *one;
	size_t i, n = 0;

	(void)state;
	if (!root)
		rig_fail(said, said, "no JSON");
	assert_true(json_is_true(json_object_get(root, "ok")));
	json_array_foreach (json_object_get(root, "findings"), i, one) {
		const char *level = json_string_value(json_object_get(one, "level"));

		assert_non_null(level);
		assert_non_null(json_object_get(one, "text"));
		assert_true(!strcmp(level, "ok") || json_object_get(one, "fix"));
		n++;
	}
	assert_true(n > 10);
	json_decref(root);
	free(said);
}

static void works_on_loopback(void **state)
{
	struct rig_server s = {.data = ""};
	const char *options = COMMON "--listen 127.0.0.1:3490 --relay-allow 127.0.0.0/8";

	(void)state;
	rig_server_start(&s, "loopback", options);
	expect(s.data, options, "ok", "relay", "DTLS 127.0.0.1:3490: allocated", "");
	rig_server_stop(&s);
}

/* Connections from the proxy's address begin with its header, the doctor's too. */
static void works_beside_a_proxy(void **state)
{
	struct rig_server s = {.data = ""};
	const char *options =
	    COMMON "--listen 127.0.0.1:3495 --relay-allow 127.0.0.0/8 --proxy-from 127.0.0.1/32";

	(void)state;
	rig_server_start(&s, "proxy", options);
	expect(s.data, options, "ok", "answers", "127.0.0.1:3495 answers over UDP, TCP, TLS, DTLS",
	       "");
	expect(s.data, options, "ok", "relay", "TLS 127.0.0.1:3495: allocated", "");
	rig_server_stop(&s);
}

static void sees_a_server_down(void **state)
{
	struct rig_server s = {.data = ""};
	struct rig_program other;

	(void)state;
	rig_server_start(&s, "down", COMMON "--listen " RIG_SERVER4 ":3491");
	rig_server_stop(&s);
	expect(s.data, COMMON "--listen " RIG_SERVER4 ":3491", "fail", "server",
	       "no server runs on", "turnpike serve");
	/* and somebody else on its port */
	rig_start(&other, "turnutils_peer -L " RIG_SERVER4 " -p 3492", NULL);
	rig_wait_port(RIG_SERVER4, 3492);
	expect(s.data, COMMON "--listen " RIG_SERVER4 ":3492", "fail", "ports",
	       "UDP " RIG_SERVER4 ":3492 is used by process",
	       "stop that process, or choose another");
	rig_signal_and_wait(&other, SIGKILL, 1000);
}

static void sees_a_server_that_hangs(void **state)
{
	char *said;

	(void)state;
	assert_int_equal(kill(server.program.pid, SIGSTOP), 0);
	expect(server.data, OPTIONS, "fail", "server", "does not answer: it hangs",
	       "systemctl restart");
	assert_int_equal(rig_try_verb(&server, "sessions", NULL, &said), 1);
	assert_non_null(strstr(said, "has not answered for"));
	free(said);
	assert_int_equal(kill(server.program.pid, SIGCONT), 0);
}

/* One that has no time, and longer than answers are waited for. That is no firewall's fault. */
static void is_patient_with_a_busy_server(void **state)
{
	struct rig_program p;
	char command[1024], *said;
	int status;

	(void)state;
	snprintf(command, sizeof(command), "%s doctor --data %s " OPTIONS, TURNPIKE_PROGRAM,
	         server.data);
	rig_start(&p, command, NULL);
	assert_true(rig_wait_output(&p, "(turnpike) serves", LONG_MS));
	assert_int_equal(kill(server.program.pid, SIGSTOP), 0);
	rig_sleep_ms(BUSY_MS); /* as long as it has no time */
	assert_int_equal(kill(server.program.pid, SIGCONT), 0);
	status = rig_wait(&p, LONG_MS);
	said = rig_output(&p);
	if (status || !says(said, "ok", "answers", SERVER4 " answers over UDP, TCP, TLS, DTLS", ""))
		rig_fail(said, said, "exit status %d", status);
	free(said);
}

static void write_to(const char *path, const char *text)
{
	char command[128];

	snprintf(command, sizeof(command), "tee %s", path);
	free(rig_run(command, text));
}

/* Ports that are reserved for others do not help; all of them do. */
static void sees_ports_of_the_hosts_own_clients(void **state)
{
	static const char reserved[] = "/proc/sys/net/ipv4/ip_local_reserved_ports",
	                  range[] = "/proc/sys/net/ipv4/ip_local_port_range";
	char *said;
	int status;

	(void)state;
	write_to(range, "32768 60999\n"); /* the lab keeps its clients off the relays */
	write_to(reserved, "8080,50000-50050\n");
	expect(server.data, OPTIONS, "warn", "kernel", "overlap the ports that this host gives",
	       "ip_local_reserved_ports=50000-50099");
	write_to(reserved, "8080,49000-50099\n");
	said = run(server.data, OPTIONS, &status);
	assert_null(strstr(said, "overlap the ports"));
	free(said);
	write_to(reserved, "\n");
	write_to(range, "20000 49999\n");
}

static void sees_a_firewall(void **state)
{
	(void)state;
	free(rig_run("nft -f -", "table inet doctor {\n chain in {\n type filter hook input "
	                         "priority 0;\n udp dport 3478 drop\n }\n}\n"));
	expect(server.data, OPTIONS, "fail", "answers",
	       "UDP " SERVER4 ": no answer to a STUN Binding request", "firewall");
	free(rig_run("nft -f -", "delete table inet doctor\n"));
	/* the relay's ports alone */
	free(rig_run("nft -f -", "table inet doctor {\n chain in {\n type filter hook input "
	                         "priority 0;\n udp dport 50000-50099 drop\n }\n}\n"));
	expect(server.data, OPTIONS, "fail", "relay", "UDP " SERVER4 ": echo: no answer",
	       "open UDP relay_ports");
	free(rig_run("nft -f -", "delete table inet doctor\n"));
}

static void make_cert(const char *name, const char *days)
{
	char command[512];

	snprintf(
	    command, sizeof(command),
	    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "
	    "%s/%s.key -out %s/%s.crt -subj /CN=%s -days %s",
	    rig_dir(), name, rig_dir(), name, name, days);
	free(rig_run(command, NULL));
}

static void make_expired(const char *name)
{
	char cert[128], key[128];
	struct why why;

	snprintf(cert, sizeof(cert), "%s/%s.crt", rig_dir(), name);
	snprintf(key, sizeof(key), "%s/%s.key", rig_dir(), name);
	assert_int_equal(
	    cert_make(cert, key, &name, 1, (int64_t)time(NULL) - (CERT_DAYS + 10) * 86400LL, &why),
	    0);
}

static void make_leaf(const char *name, const char *issuer)
{
	char command[640];

	snprintf(
	    command, sizeof(command),
	    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "
	    "%s/%s.key -out %s/%s.crt -subj /CN=%s -days 60 -CA %s/%s.crt -CAkey %s/%s.key",
	    rig_dir(), name, rig_dir(), name, name, rig_dir(), issuer, rig_dir(), issuer);
	free(rig_run(command, NULL));
}

static const char *with_cert(const char *cert, const char *key, const char *more)
{
	static char options[1024];

	snprintf(options, sizeof(options), OPTIONS " --tls-cert %s/%s.crt --tls-key %s/%s.key %s",
	         rig_dir(), cert, rig_dir(), key, more);
	return options;
}

static void sees_bad_certificates(void **state)
{
	(void)state;
	make_cert("a.example", "60");
	make_cert("b.example", "5");
	make_expired("old.example");
	expect(server.data, with_cert("old.example", "old.example", ""), "fail", "certificate",
	       "old.example.crt expired", "renew it");
	expect(server.data, with_cert("a.example", "b.example", ""), "fail", "certificate", "key",
	       "name the key that the certificate was made with");
	make_leaf("leaf.example", "a.example");
	expect(server.data, with_cert("leaf.example", "leaf.example", ""), "fail", "certificate",
	       "has no chain", "fullchain.pem");
	expect(server.data, with_cert("b.example", "b.example", ""), "warn", "certificate",
	       "ends in", "renew it");
	expect(server.data, with_cert("a.example", "a.example", "--public-host turn.other"), "fail",
	       "certificate", "it is not for turn.other", "get one for that name");
}

static void sees_a_wrong_external_ip(void **state)
{
	/* another server plays the one outside */
	struct rig_server s = {.data = ""}, outside = {.data = ""};
	const char *options = COMMON "--listen " RIG_SERVER4 ":3493 --external-ip 9.9.9.9";
	char more[512];

	(void)state;
	rig_server_start(&outside, "outside", COMMON "--listen " RIG_SERVER4B ":3494");
	rig_server_start(&s, "external", options);
	snprintf(more, sizeof(more), "%s --stun " RIG_SERVER4B ":3494", options);
	expect(s.data, more, "fail", "address",
	       "clients are told 9.9.9.9, but " RIG_SERVER4B ":3494 sees " RIG_SERVER4,
	       "set external_ip = " RIG_SERVER4);
	/* the address is nobody's: not the server's fault, but said */
	expect(s.data, options, "warn", "relay", "UDP 9.9.9.9:3493: Allocate", "hairpinning");
	rig_server_stop(&s);
	rig_server_stop(&outside);
}

static int open_files(pid_t pid)
{
	char path[64];
	int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

/* Clients at the door, who take whatever descriptor becomes free. */
static void wait_at(const char *server4, int *fds, size_t n)
{
	struct addr to;

	assert_int_equal(addr_parse(&to, server4), 0);
	for (size_t i = 0; i < n; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(fds[i], &to.sa, addr_len(&to)), 0);
	}
}

static void sees_no_descriptors(void **state)
{
	struct rig_server s = {.data = ""};
	const char *options = COMMON "--listen " RIG_SERVER4 ":3495";
	int clients[CLIENTS], n;
	char command[128];

	(void)state;
	rig_server_start(&s, "full", options);
	n = open_files(s.program.pid);
	snprintf(command, sizeof(command), "prlimit --pid %d --nofile=%d:%d", (int)s.program.pid, n,
	         n);
	free(rig_run(command, NULL));
	expect(s.data, options, "fail", "descriptors", "are in use: the server refuses new clients",
	       "LimitNOFILE=");
	/* and a user who asks why still gets an answer, every time */
	wait_at(RIG_SERVER4 ":3495", clients, CLIENTS);
	for (int i = 0; i < 4; i++) {
		free(rig_verb(&s, "status", NULL));
		rig_sleep_ms(300); /* who waits is let in by then, if there is room */
	}
	for (size_t i = 0; i < CLIENTS; i++)
		close(clients[i]);
	rig_signal_and_wait(&s.program, SIGKILL, 1000); /* it has no room to end well */
}

/* The tests' root may do anything, so this uses another user. */
static void sees_disk_rights(void **state)
{
	char command[1024];
	struct rig_program p;
	char *said;

	(void)state;
	snprintf(command, sizeof(command), "chmod 500 %s", server.data);
	free(rig_run(command, NULL));
	snprintf(command, sizeof(command),
	         "setpriv --inh-caps=-all --bounding-set=-all %s doctor --data %s " OPTIONS,
	         TURNPIKE_PROGRAM, server.data);
	rig_start(&p, command, NULL);
	assert_int_equal(rig_wait(&p, LONG_MS), 1);
	said = rig_output(&p);
	if (!says(said, "fail", "data", "may not write to it", "chown -R it to that user"))
		rig_fail(said, said, "no word about the rights");
	free(said);
	snprintf(command, sizeof(command), "chmod 755 %s", server.data);
	free(rig_run(command, NULL));
	expect(server.data, OPTIONS, "warn", "data", "(mode 755)", "chmod 700");
	snprintf(command, sizeof(command), "chmod 700 %s", server.data);
	free(rig_run(command, NULL));
}

static void sees_a_taken_relay_range(void **state)
{
	struct rig_program peer;

	(void)state;
	rig_start(&peer, "turnutils_peer -L " RIG_SERVER4 " -p 51000", NULL);
	rig_wait_port(RIG_SERVER4, 51000);
	expect(server.data, OPTIONS " --relay-ports 51000-51000", "fail", "ports",
	       "1 of the 1 relay_ports are used by other processes, such as process",
	       "choose other relay_ports");
	rig_signal_and_wait(&peer, SIGKILL, 1000);
}

static void sees_a_wrong_configuration(void **state)
{
	int status;
	char *said = run(server.data, OPTIONS " --tls-cert /nowhere", &status);

	(void)state;
	assert_int_equal(status, 1);
	if (!strstr(said, "a certificate without a key: set tls_key, too"))
		rig_fail(said, said, "the problem is not named");
	free(said);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(is_content),
	    cmocka_unit_test(speaks_json),
	    cmocka_unit_test(works_on_loopback),
	    cmocka_unit_test(works_beside_a_proxy),
	    cmocka_unit_test(sees_a_server_down),
	    cmocka_unit_test(sees_a_server_that_hangs),
	    cmocka_unit_test(is_patient_with_a_busy_server),
	    cmocka_unit_test(sees_ports_of_the_hosts_own_clients),
	    cmocka_unit_test(sees_a_firewall),
	    cmocka_unit_test(sees_bad_certificates),
	    cmocka_unit_test(sees_a_wrong_external_ip),
	    cmocka_unit_test(sees_no_descriptors),
	    cmocka_unit_test(sees_disk_rights),
	    cmocka_unit_test(sees_a_taken_relay_range),
	    cmocka_unit_test(sees_a_wrong_configuration),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, rig_server_end);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Certificates renewed under a running server, in all the ways in which that is
 * done: new handshakes show the new one, sessions under way live on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/rig.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SERVER4 RIG_SERVER4 ":3478"

static struct rig_server server;
static struct rig_program echo;

__attribute__((format(printf, 1, 2))) static char *sh(const char *format, ...)
{
	char text[2048], command[200];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	snprintf(command, sizeof(command), "sh %s",
	         rig_file("script", "set -eu\ncd %s\n%s\n", rig_dir(), text));
	return rig_run(command, NULL);
}

/* CA/fullchain.pem and privkey.pem in the folder, for the name. */
static void issue(const char *folder, const char *name)
{
	free(sh("mkdir -p %s\n"
	        "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
	        "-keyout %s/privkey.pem -out %s/csr -subj /CN=%s 2>/dev/null\n"
	        "printf 'subjectAltName=DNS:%s' > %s/ext\n"
	        "openssl x509 -req -in %s/csr -CA ca/inter.pem -CAkey ca/inter.key -CAcreateserial "
	        "-days 2 -extfile %s/ext -out %s/cert.pem 2>/dev/null\n"
	        "cat %s/cert.pem ca/inter.pem > %s/fullchain.pem\n"
	        "chmod 640 %s/privkey.pem\n",
	        folder, folder, folder, name, name, folder, folder, folder, folder, folder, folder,
	        folder));
}

static int setup_ca(void **state)
{
	(void)state;
	free(sh("mkdir -p ca\n"
	        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
	        "-keyout ca/root.key -out ca/root.pem -days 2 -subj /CN=root 2>/dev/null\n"
	        "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
	        "-keyout ca/inter.key -out ca/inter.csr -subj /CN=inter 2>/dev/null\n"
	        "printf 'basicConstraints=critical,CA:TRUE' > ca/ext\n"
	        "openssl x509 -req -in ca/inter.csr -CA ca/root.pem -CAkey ca/root.key "
	        "-CAcreateserial -days 2 -extfile ca/ext -out ca/inter.pem 2>/dev/null\n"));
	issue("one", "one.example");
	issue("two", "two.example");
	issue("three", "three.example");
	rig_echo_start(&echo, 3480);
	return 0;
}

/* The certificate on TURN's TLS, on https and on DTLS: the name, verified up to the root, chain
 * included. (The server looks every second, and loads files that were the same twice.) */
static bool all_show(const char *name)
{
	char *said = sh("ask() { openssl s_client -nameopt RFC2253 -connect " SERVER4
	                " \"$@\" -CAfile ca/root.pem "
	                "</dev/null 2>&1 | tr '\\n' ';'; echo; }\n"
	                "ask -alpn stun.turn > a1 & ask -alpn http/1.1 > a2 & ask -dtls1_2 > a3 &\n"
	                "wait\n"
	                "cat a1 a2 a3 | grep 'Verify return code: 0 (ok)' | grep 'CN=inter;' | "
	                "grep -c 'CN=%s;' || true",
	                name);
	bool good = !strcmp(said, "3\n");

	free(said);
	return good;
}

static unsigned int count(const char *text)
{
	char *log = rig_output(&server.program);
	unsigned int n = 0;

	for (char *at = log; (at = strstr(at, text)); at++)
		n++;
	free(log);
	return n;
}

static void start_on(const char *name, const char *folder)
{
	char options[512];

	snprintf(options, sizeof(options),
	         "--workers 2 --relay-ports 50000-54999 --listen " SERVER4
	         " --tls-cert %s/%s/fullchain.pem --tls-key %s/%s/privkey.pem",
	         rig_dir(), folder, rig_dir(), folder);
	rig_server_start(&server, name, options);
	free(rig_verb(&server, "user add alice --password-stdin", "wonderland\n"));
	rig_server_settle(&server);
}

/* Sessions over TLS, DTLS and wss that live through what happens meanwhile. */
struct witnesses {
	struct rig_program tls, dtls, web;
};

#define UCLIENT                                                                                    \
	"turnutils_uclient -u alice -w wonderland -s -S -p 3478 -e " RIG_PEER4 " -r 3480 -n 600 "  \
	"-c "

static void begin(struct witnesses *s)
{
	/* a WebSocket: hello, and seven seconds later a ping with "hi" */
	static const char web[] =
	    "(printf 'GET /ws HTTP/1.1\\r\\nHost: x\\r\\nUpgrade: websocket\\r\\n"
	    "Connection: Upgrade\\r\\nSec-WebSocket-Version: 13\\r\\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n"
	    "Sec-WebSocket-Protocol: json\\r\\n\\r\\n'\n"
	    "sleep 7\nprintf '\\211\\202\\0\\0\\0\\0hi'\nsleep 1) | "
	    "openssl s_client -quiet -alpn http/1.1 -connect " SERVER4 "\n";
	char command[200];

	snprintf(command, sizeof(command), "sh %s", rig_file("web", "%s", web));
	rig_start(&s->web, command, NULL);
	rig_start(&s->tls, UCLIENT "-t " RIG_SERVER4, NULL);
	rig_start(&s->dtls, UCLIENT RIG_SERVER4, NULL);
	rig_sleep_ms(500);
}

static void expect_whole(struct rig_program *uclient, const char *what)
{
	int status = rig_wait(uclient, 30000);
	char *said = rig_output(uclient);

	if (status || !strstr(said, "Total lost packets 0 (0.000000%)"))
		rig_fail(said, said, "the session over %s has not lived through it", what);
	free(said);
}

static void expect_lived(struct witnesses *s)
{
	char *said;

	expect_whole(&s->tls, "TLS");
	expect_whole(&s->dtls, "DTLS");
	rig_wait(&s->web, 15000);
	said = rig_output(&s->web);
	if (!strstr(said, "HTTP/1.1 101") || !strstr(said, "\x8a\x02hi"))
		rig_fail(said, said, "the WebSocket has not lived through it");
	free(said);
}

/* certbot: live/ holds links into archive/, which are put onto the next version one by one. */
static void links_are_swapped(void **state)
{
	struct witnesses witnesses;

	(void)state;
	free(sh("mkdir -p live\nln -sfn ../one/fullchain.pem live/fullchain.pem\n"
	        "ln -sfn ../one/privkey.pem live/privkey.pem"));
	start_on("links", "live");
	assert_true(all_show("one.example"));
	begin(&witnesses);
	free(sh("ln -sfn ../two/fullchain.pem live/fullchain.pem"));
	SOON(count("event=certificate-kept")); /* a pair that does not match */
	assert_true(all_show("one.example"));
	free(sh("ln -sfn ../two/privkey.pem live/privkey.pem"));
	SOON(all_show("two.example"));
	assert_int_equal(count("event=certificate-kept"), 1);
	assert_int_equal(count("event=certificate-reloaded"), 1);
	expect_lived(&witnesses);
	rig_server_stop(&server);
}

/* Kubernetes: the folder itself is a link. */
static void folder_is_swapped(void **state)
{
	(void)state;
	free(sh("ln -sfn one data"));
	start_on("folder", "data");
	assert_true(all_show("one.example"));
	free(sh("ln -s two data.new\nmv -T data.new data"));
	SOON(all_show("two.example"));
	assert_int_equal(count("event=certificate-kept"), 0);
	rig_server_stop(&server);
}

/* acme.sh: written into the same file, and here by a slow hand. */
static void file_is_written(void **state)
{
	(void)state;
	free(sh("mkdir -p same\ncp one/*.pem same/"));
	start_on("written", "same");
	assert_true(all_show("one.example"));
	/* the first half of the leaf */
	free(sh("cat two/privkey.pem > same/privkey.pem\n"
	        "head -c 300 two/fullchain.pem > same/fullchain.pem"));
	SOON(count("event=certificate-kept"));
	assert_true(all_show("one.example"));
	/* the leaf, and the first half of what signs it */
	free(sh("head -c 900 two/fullchain.pem > same/fullchain.pem"));
	rig_sleep_ms(2500); /* it looks at the files, and changes nothing */
	assert_true(all_show("one.example"));
	free(sh("cat two/fullchain.pem > same/fullchain.pem"));
	SOON(all_show("two.example"));
	/* a signal looks at once */
	free(sh("cat three/privkey.pem > same/privkey.pem\n"
	        "cat three/fullchain.pem > same/fullchain.pem"));
	free(rig_verb(&server, "reload", NULL));
	rig_server_settle(&server);
	assert_true(all_show("three.example"));
	/* gone, and back */
	free(sh("rm same/fullchain.pem"));
	rig_sleep_ms(2500); /* it looks at the files, and changes nothing */
	assert_true(all_show("three.example"));
	free(sh("cp one/*.pem same/"));
	SOON(all_show("one.example"));
	rig_server_stop(&server);
}

/* docs/examples/install-cert.sh, as certbot calls it. */
static void hook_installs(void **state)
{
	struct witnesses witnesses;
	struct stat st;
	char path[160];

	(void)state;
	free(sh("RENEWED_LINEAGE=$PWD/one CERT_DIR=$PWD/etc/tls CERT_GROUP=root sh " HOOK));
	snprintf(path, sizeof(path), "%s/etc/tls/privkey.pem", rig_dir());
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	/* the server is not root: it gets through the folders above, too */
	snprintf(path, sizeof(path), "%s/etc", rig_dir());
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0755);
	start_on("hook", "etc/tls");
	assert_true(all_show("one.example"));
	begin(&witnesses);
	free(sh("RENEWED_LINEAGE=$PWD/two CERT_DIR=$PWD/etc/tls CERT_GROUP=root sh " HOOK));
	SOON(all_show("two.example"));
	/* with the program at hand, and the data directory: at once */
	free(sh("PATH=%s:$PATH\nCERT_DATA=%s CERT_DIR=$PWD/etc/tls CERT_GROUP=root "
	        "sh " HOOK " three/fullchain.pem three/privkey.pem",
	        PROGRAM_DIR, server.data));
	rig_server_settle(&server);
	assert_true(all_show("three.example"));
	expect_lived(&witnesses);
	rig_server_stop(&server);
}

static int teardown(void **state)
{
	(void)state;
	if (server.program.pid)
		rig_signal_and_wait(&server.program, SIGKILL, 2000);
	return 0;
}

int main(int argc, char **argv)
{
#define T(test) cmocka_unit_test_teardown(test, teardown)
	const struct CMUnitTest tests[] = {
	    T(links_are_swapped),
	    T(folder_is_swapped),
	    T(file_is_written),
	    T(hook_installs),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup_ca, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Who is local, with a real browser: by a link, once, and by nothing else. A stranger's page whose
 * name was made to lead to this machine (DNS rebinding), or that is simply open beside ours, reads
 * neither credentials nor the people who are there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/rig.h"
#include "harness/browser/tests/page.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OURS  "http://localhost:8080"
#define OTHER "http://other.example:9000" /* another site's, on the same machine */
#define NAMES                                                                                      \
	"MAP rebound.example 127.0.0.1, MAP a!b.evil.example 127.0.0.1, MAP other.example "        \
	"127.0.0.1"

/* What comes of it: a status, or what a WebSocket is told. */
#define STATUS(how) "fetch(" how ").then(r => r.status)"
#define WS(url)                                                                                    \
	"new Promise(done => { const s = new WebSocket('" url                                      \
	"'); s.onmessage = () => done('in');"                                                      \
	" s.onerror = () => done('refused'); })"

static struct rig_server server;
static struct rig_program nginx;

static int setup(void **state)
{
	char command[256];
	const char *path;

	(void)state;
	rig_server_start(&server, "local", "--workers 1 --listen 127.0.0.1:8080");
	rig_file("index.html", "<!DOCTYPE html><title>Another site</title>");
	path =
	    rig_file("nginx.conf",
	             "daemon off; master_process off; user root; pid %s/nginx.pid;\n"
	             "error_log stderr; events { }\nhttp { access_log off; root %s;\n"
	             "client_body_temp_path %s; proxy_temp_path %s; fastcgi_temp_path %s;\n"
	             "uwsgi_temp_path %s; scgi_temp_path %s; types { text/html html; }\n"
	             "server { listen 127.0.0.1:9000; } }\n",
	             rig_dir(), rig_dir(), rig_dir(), rig_dir(), rig_dir(), rig_dir(), rig_dir());
	snprintf(command, sizeof(command), "/usr/sbin/nginx -c %s -e stderr", path);
	rig_start(&nginx, command, NULL);
	return page_start_with_names(NAMES);
}

static int teardown(void **state)
{
	(void)state;
	page_stop();
	rig_signal_and_wait(&nginx, SIGTERM, 5000);
	rig_server_stop(&server);
	return 0;
}

static void without_a_link(void **state)
{
	(void)state;
	page_open(OURS "/");
	page_is(STATUS("'/turn'"), "401");
	page_is(STATUS("'/api/v1/ice-servers', {method: 'POST'}"), "401");
	page_is(STATUS("'/metrics'"), "401");
	page_is(WS("ws://localhost:8080/ws"), "\"in\"");
}

static void by_a_link(void **state)
{
	char link[RIG_LINK_MAX];

	(void)state;
	rig_link(&server, link);
	page_open(link);
	page_is("location.href", "\"" OURS "/\"");
	page_is("document.cookie", "\"\""); /* no script sees it */
	page_is(STATUS("'/turn'"), "200");
	page_is(STATUS("'/metrics'"), "200");
	page_is("fetch('/api/v1/ice-servers', {method: 'POST'}).then(r => r.json())"
	        ".then(b => b.iceServers.length > 0)",
	        "true");
	page_is("new Promise(done => { const s = new WebSocket('ws://localhost:8080/ws');"
	        " s.onmessage = e => { const m = JSON.parse(e.data);"
	        "  if (m.type === 'id') s.send('{\"type\":\"username\",\"name\":\"ada\"}');"
	        "  if (m.type === 'userlist') s.send('{\"type\":\"ice-servers\"}');"
	        "  if (m.type === 'ice-servers' || m.type === 'error') done(m.type); }; })",
	        "\"ice-servers\"");
	page_is(STATUS("'/link/' + 'x'.repeat(32)"), "403");
	page_open(OURS "/");
	page_is(STATUS("'/turn'"), "200");
	/* used up: another browser (which this one is, for another host) gets nothing by it */
	memcpy(link, "http://127.0.0.1:8080", 21); /* as long as OURS */
	page_open(link);
	page_is("document.body.innerText.includes('link-used')", "true");
	page_is(STATUS("'/turn'"), "401");
}

/* A user who takes such a name looks like a user. */
static void the_operator_speaks(void **state)
{
	const char *line = "[...document.querySelectorAll('#chat p')].find(p => "
	                   "p.textContent.includes('%s'))";
	char found[256], js[512];

	(void)state;
	page_open(OURS "/");
	page_type("#name", "From the operator:");
	page_click("#join");
	page_wait("document.body.dataset.view === 'home'");
	page_type("#chat-input", "mine");
	page_click("#chat-send");
	free(rig_verb(&server, "send --room default theirs", NULL));
	snprintf(found, sizeof(found), line, "theirs");
	page_wait(found);
	snprintf(js, sizeof(js), "%s.querySelector('.who').textContent", found);
	page_is(js, "\"From the operator:\"");
	snprintf(js, sizeof(js), "%s.className", found);
	page_is(js, "\"operator\"");
	snprintf(found, sizeof(found), line, "mine");
	page_wait(found);
	snprintf(js, sizeof(js), "%s.className", found);
	page_is(js, "\"own\"");
}

/* Its name leads to us now: to the browser, its page and we are of one origin. */
static void rebound(void **state)
{
	(void)state;
	page_open("http://rebound.example:8080/");
	page_is(STATUS("'/turn'"), "401");
	page_is(STATUS("'/metrics'"), "401");
	page_is(STATUS("'/api/v1/ice-servers', {method: 'POST'}"), "403");
	page_is(WS("ws://rebound.example:8080/ws"), "\"refused\"");
	/* if it is the operator's own name, the page says what to do */
	page_type("#name", "ada");
	page_click("#join");
	page_wait("/public_host/.test(document.querySelector('#notice-text').textContent)");
	page_open("http://a!b.evil.example:8080/");
	page_is("document.body.innerText.includes('Host header')", "true");
	page_is(STATUS("'/turn'"), "400");
}

static void another_site(void **state)
{
	(void)state;
	page_open(OTHER "/index.html");
	page_is(WS("ws://localhost:8080/ws"), "\"refused\"");
	page_is(WS("ws://127.0.0.1:8080/ws"), "\"refused\"");
	page_is("fetch('" OURS "/turn', {credentials: 'include'}).catch(() => 'refused')",
	        "\"refused\"");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_a_link),      cmocka_unit_test(by_a_link),
	    cmocka_unit_test(the_operator_speaks), cmocka_unit_test(rebound),
	    cmocka_unit_test(another_site),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, teardown);
}

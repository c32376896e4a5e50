/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The page itself for who is faster than its script. And the self-test page on
 * the server's own host, where the peer policy refuses
 * what elsewhere a firewall would: the page must not blame one. (Everything
 * else that it finds is played behind real NATs: harness/scenarios/checks.def. Here
 * the browser has no network but the loopback, and calls over the relay come off by
 * chance: the verdict is not looked at.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/rig.h"
#include "harness/browser/tests/page.h"

#include <stdlib.h>
#include <string.h>

#define SERVER4 RIG_SERVER4 ":3478"
#define PARTS   25 /* of the time that the page may take */

/* A user types a name and clicks when the page is there but its script is not: modules run behind
 * the parser. Each loading is counted. */
#define EARLY                                                                                      \
	"document.addEventListener('readystatechange', () => {"                                    \
	" if (location.pathname !== '/' || document.readyState !== 'interactive') return;"         \
	" sessionStorage.loads = Number(sessionStorage.loads ?? 0) + 1;"                           \
	" document.querySelector('#name').value = 'eve';"                                          \
	" document.querySelector('#join').click();"                                                \
	"});"

static struct rig_server server;

static int setup(void **state)
{
	(void)state;
	rig_server_start(&server, "check",
	                 "--workers 2 --relay-ports 50000-54999 --guests public --listen " SERVER4);
	return page_start(BROWSER_CHROMIUM, EARLY);
}

static int teardown(void **state)
{
	(void)state;
	page_stop();
	rig_server_stop(&server);
	return 0;
}

static void on_the_servers_own_host(void **state)
{
	char *row;

	(void)state;
	page_open("https://" SERVER4 "/check");
	/* it takes longer than a step of a page does */
	for (int i = 0; i < PARTS; i++) {
		page_is("new Promise((done) => setTimeout(() => done(0), 2000))", "0");
		row = page_text("window.checkResult.state");
		if (!strcmp(row, "done"))
			i = PARTS;
		free(row);
	}
	page_is("window.checkResult.state", "\"done\"");
	page_is("window.checkResult.rows.find((r) => r.id === 'outside').level", "\"none\"");
	row = page_text("document.querySelector('li[data-row=outside]').textContent");
	if (!strstr(row, "the server's own host (" RIG_SERVER4 ")"))
		rig_fail(row, row, "the row of the relay ports does not say why");
	free(row);
	page_is_calm();
}

/* Nothing is lost: the key, the rest of the address, the name. */
static void joins_before_the_script(void **state)
{
	(void)state;
	page_open("https://" SERVER4 "/?relay=1#key=tp_early");
	page_click("#join");
	page_wait("document.querySelector('#link-state').dataset.state === 'signed-in'");
	page_is("document.querySelector('#own-name').textContent", "\"eve\"");
	page_is("sessionStorage.loads", "\"1\"");
	page_is("localStorage.getItem('turnpike.key')", "\"tp_early\"");
	page_is("location.search + location.hash", "\"?relay=1\"");
	page_is_calm();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(on_the_servers_own_host),
	    cmocka_unit_test(joins_before_the_script), /* and leaves a wrong key behind */
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, teardown);
}

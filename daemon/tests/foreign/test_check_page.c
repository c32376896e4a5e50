/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The self-test page on the server's own host, where the peer policy refuses
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

#include "daemon/tests/foreign/lab.h"
#include "daemon/tests/foreign/page.h"

#include <stdlib.h>
#include <string.h>

#define SERVER4 LAB_SERVER4 ":3478"
#define PARTS   25 /* of the time that the page may take */

static struct lab_server server;

static int start(void **state)
{
	(void)state;
	lab_server_start(&server, "check",
	                 "--workers 2 --relay-ports 50000-54999 --guests public --listen " SERVER4);
	return page_start();
}

static int stop(void **state)
{
	(void)state;
	page_stop();
	lab_server_stop(&server);
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
	if (!strstr(row, "the server's own host (" LAB_SERVER4 ")"))
		lab_fail(row, row, "the row of the relay ports does not say why");
	free(row);
	page_is_calm();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(on_the_servers_own_host)};

	(void)argc;
	lab_enter(argv);
	return cmocka_run_group_tests(tests, start, stop);
}

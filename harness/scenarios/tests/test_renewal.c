/* SPDX-License-Identifier: BSD-3-Clause
 *
 * When the page asks for new credentials: its module in a real browser, on a
 * clock of our own.
 */
#include "harness/browser/tests/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static json_t *lives;

/* A file's text, to be freed. */
static char *text_of(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;
	ssize_t len = f ? getdelim(&text, &size, '\0', f) : -1;

	if (f)
		fclose(f);
	if (len <= 0)
		fail_msg("%s cannot be read", path);
	return text;
}

static int setup(void **state)
{
	char *play = text_of(TESTS_DIR "/renewal.js"), *js = NULL, *args;
	char *base = text_of(PAGE_DIR "/base.js"), *ice = text_of(PAGE_DIR "/ice.js");
	json_t *modules = json_pack("[ss]", base, ice);

	(void)state;
	args = json_dumps(modules, JSON_COMPACT);
	if (asprintf(&js, "%s(...%s)", play, args) < 0 || page_start(BROWSER_CHROMIUM, NULL) != 0)
		return -1;
	page_open("data:text/html,<title>test</title>");
	lives = page_value(js);
	json_decref(modules);
	free(play);
	free(base);
	free(ice);
	free(args);
	free(js);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	json_decref(lives);
	return page_stop();
}

static void tells(const char *life, const char *told)
{
	const char *text = json_string_value(json_object_get(lives, life));

	assert_non_null(text);
	assert_string_equal(text, told);
}

/* 67.5 % of 1000 s, and of 1000 s after that. */
static void test_in_good_time(void **state)
{
	(void)state;
	tells("renewed", "ask@0 change@0 ask@675 change@675 renewed@675 ask@1350 change@1350 "
	                 "renewed@1350 left:0@1400");
	/* setTimeout() takes no more than 2^31 - 1 ms, and would else run at once. */
	tells("year", "ask@0 change@0 ask@2147483.6 change@2147483.6 renewed@2147483.6 "
	              "left:0@2147484");
}

static void test_while_the_hub_is_away(void **state)
{
	(void)state;
	tells("hubAway", "ask@0 change@0 ask@675 failed@675 ask@676 failed@676 ask@678 failed@678 "
	                 "has:1@680 ask@682 change@682 renewed@682 left:0@1000");
	/* With longer and longer pauses, up to a minute, and never for good. */
	tells("away", "ask@0 change@0 ask@675 failed@675 ask@676 failed@676 ask@678 failed@678 "
	              "ask@682 failed@682 ask@690 failed@690 ask@705 failed@705 ask@735 failed@735 "
	              "ask@795 failed@795 ask@855 failed@855 left:0@900");
}

static void test_before_a_restart(void **state)
{
	(void)state;
	tells("freshen",
	      "ask@0 change@0 young@299 ask@301 change@301 ask@310 change@310 left:0@310");
	tells("refused", "ask@0 failed@0 waits@1 ask@3 failed@3 ask@6 change@6 left:0@6");
	/* A restart waits 3 s, and a server that does not answer is not asked twice within 10. */
	tells("hangs", "ask@0 failed@3 goes-on@3 failed@8 goes-on@8 ask@13 change@13 left:0@13");
}

static void test_after_the_end(void **state)
{
	(void)state;
	tells("closed", "ask@0 left:0@0");
}

static void test_without_a_ttl(void **state)
{
	(void)state;
	tells("fixed", "has:1@100000 left:0@100000");
	tells("bare", "ask@0 change@0 has:1@5000 left:0@5000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_in_good_time),     cmocka_unit_test(test_while_the_hub_is_away),
	    cmocka_unit_test(test_before_a_restart), cmocka_unit_test(test_after_the_end),
	    cmocka_unit_test(test_without_a_ttl),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

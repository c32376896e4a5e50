/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The driver on a real browser: a person's gestures, and every way to die.
 */
#include "harness/browser/browser.h"

#include "harness/clock.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/lab/proc.h"
#include "harness/tests/processes.h"

#include <cmocka.h>

#define PAGE(body) "data:text/html,<!doctype html><body>" body "</body>"
#define STEP_MS    5000

struct scene {
	struct browser *browser;
	char folder[64];
	int console_fd;
};

static void open_page(struct scene *s, const char *url)
{
	struct why why;

	if (browser_open(s->browser, url, 10000, &why) != 0)
		fail_msg("%s", why.text);
}

static void eval_is(struct scene *s, const char *js, const char *want)
{
	json_t *value = NULL;
	struct why why;
	char *got;

	if (browser_eval(s->browser, js, STEP_MS, &value, &why) != 0)
		fail_msg("%s", why.text);
	got = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	assert_string_equal(got, want);
	free(got);
	json_decref(value);
}

static int set_up(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct browser_options opt = {.name = "test", .netns_fd = -1, .stderr_fd = -1};
	char program[PATH_MAX];
	struct why why = {""};

	if (!s)
		return -1;
	snprintf(s->folder, sizeof(s->folder), "/tmp/turnpike-browser-XXXXXX");
	s->console_fd = memfd_create("console", MFD_CLOEXEC);
	if (!mkdtemp(s->folder) || browser_find(NULL, program, &why) != 0)
		goto fail;
	opt.program = program;
	opt.folder = s->folder;
	opt.console_fd = s->console_fd;
	opt.script = "window.injected = 7";
	if (browser_start(&s->browser, &opt, &why) != 0)
		goto fail;
	*state = s;
	return 0;
fail:
	fprintf(stderr, "%s\n", why.text);
	return -1;
}

static int tear_down(void **state)
{
	struct scene *s = *state;
	const char *const argv[] = {"rm", "-rf", s->folder, NULL};
	int err;

	browser_stop(s->browser);
	err = proc_run(argv, -1, NULL, 10000, NULL);
	close(s->console_fd);
	free(s);
	return err;
}

static void test_script_runs_before_the_page(void **state)
{
	struct scene *s = *state;

	open_page(s, PAGE("<script>window.seen = window.injected</script>"));
	eval_is(s, "seen", "7");
	eval_is(s, "new Promise(done => setTimeout(() => done({a: [1]}), 20))", "{\"a\":[1]}");
}

static void test_throwing_script(void **state)
{
	struct scene *s = *state;
	struct why why;

	open_page(s, PAGE(""));
	assert_int_equal(browser_eval(s->browser, "no_such_thing()", STEP_MS, NULL, &why),
	                 -E_INVAL);
	assert_non_null(strstr(why.text, "no_such_thing is not defined"));
}

static void test_click_and_type(void **state)
{
	struct scene *s = *state;
	struct why why;

	/* The button lies far below the window and comes late, as a real one may. */
	open_page(s, PAGE("<input id=name value=old><div style='height:3000px'></div>"
	                  "<script>setTimeout(() => { const b = document.createElement('button');"
	                  "b.id = 'go'; b.textContent = 'Go'; b.onclick = e => {"
	                  "window.trusted = e.isTrusted; }; document.body.append(b) }, 300)"
	                  "</script>"));
	if (browser_type(s->browser, "#name", "Zo\xc3\xab \"q\"", STEP_MS, &why) != 0)
		fail_msg("%s", why.text);
	eval_is(s, "document.querySelector('#name').value", "\"Zo\xc3\xab \\\"q\\\"\"");
	if (browser_click(s->browser, "#go", STEP_MS, &why) != 0)
		fail_msg("%s", why.text);
	eval_is(s, "window.trusted", "true");
}

static void test_what_a_person_cannot_click(void **state)
{
	static const struct {
		const char *selector, *says;
	} rows[] = {
	    {"#missing", "there is no such element"},
	    {"#hidden", "it is hidden"},
	    {"#off", "it is disabled"},
	    {"#under", "it is covered by <div id=cover>"},
	};
	struct scene *s = *state;
	struct why why;

	open_page(s, PAGE("<button id=hidden style='display:none'>h</button>"
	                  "<button id=off disabled>o</button>"
	                  "<div style='position:relative'><button id=under>u</button>"
	                  "<div id=cover style='position:absolute;inset:0'></div></div>"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(browser_click(s->browser, rows[i].selector, 100, &why),
		                 -E_TIMEOUT);
		if (!strstr(why.text, rows[i].says))
			fail_msg("%s", why.text);
	}
}

static void test_wait_for(void **state)
{
	struct scene *s = *state;
	struct why why;

	open_page(s, PAGE("<script>setTimeout(() => { window.ready = 'yes' }, 200)</script>"));
	assert_int_equal(browser_wait_for(s->browser, "window.ready", STEP_MS, &why), 0);
	assert_int_equal(browser_wait_for(s->browser, "window.never", 100, &why), -E_TIMEOUT);
	assert_non_null(strstr(why.text, "window.never"));
}

static void test_console_and_exceptions_are_kept(void **state)
{
	struct scene *s = *state;
	struct why why;
	char log[4096];
	ssize_t n;

	open_page(s, PAGE("<script>console.warn('mind', {gap: 1}, 2);"
	                  "setTimeout(() => { throw new Error('dropped') })</script>"));
	assert_int_equal(browser_wait_for(s->browser, "window.never", 200, &why), -E_TIMEOUT);
	assert_non_null(strstr(browser_last_exception(s->browser), "dropped"));
	n = pread(s->console_fd, log, sizeof(log) - 1, 0);
	log[n > 0 ? n : 0] = '\0';
	assert_non_null(strstr(log, "warning: mind Object 2"));
	assert_non_null(strstr(log, "exception: Uncaught Error: dropped"));
}

static void test_screenshot_is_a_png(void **state)
{
	static const unsigned char png[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
	static const unsigned char end[8] = {'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82};
	struct scene *s = *state;
	unsigned char bytes[8];
	struct why why;
	struct stat st;
	int fd = memfd_create("png", MFD_CLOEXEC);

	open_page(s, PAGE("<h1>hello</h1>"));
	if (browser_screenshot(s->browser, fd, &why) != 0)
		fail_msg("%s", why.text);
	assert_int_equal(pread(fd, bytes, 8, 0), 8);
	assert_memory_equal(bytes, png, 8);
	fstat(fd, &st);
	assert_int_equal(pread(fd, bytes, 8, st.st_size - 8), 8);
	assert_memory_equal(bytes, end, 8);
	close(fd);
}

static void test_unreachable_page(void **state)
{
	struct scene *s = *state;
	struct why why;

	assert_int_equal(browser_open(s->browser, "http://127.0.0.1:1/", 10000, &why), -E_IO);
	assert_non_null(strstr(why.text, "cannot open http://127.0.0.1:1/"));
}

static void kill_all(const char *part, const char *no)
{
	struct processes ps;

	processes_below(getpid(), &ps);
	assert_non_null(processes_find(&ps, part, no));
	for (size_t i = 0; i < ps.n; i++) {
		if (strstr(ps.at[i].command, part) && (!no || !strstr(ps.at[i].command, no)))
			kill(ps.at[i].pid, SIGKILL);
	}
}

static void test_crashed_page_is_told(void **state)
{
	struct scene *s = *state;
	int64_t start = clock_mono_ms();
	struct why why;

	open_page(s, PAGE("<h1>hello</h1>"));
	kill_all("--type=renderer", NULL);
	assert_int_equal(browser_eval(s->browser, "new Promise(() => {})", 60000, NULL, &why),
	                 -E_CLOSED);
	assert_string_equal(why.text, "browser test: the page's process crashed");
	assert_true(clock_mono_ms() - start < 10000); /* it was not waited out */
}

static void test_dead_browser_is_told(void **state)
{
	struct scene *s = *state;
	struct why why;

	open_page(s, PAGE("<h1>hello</h1>"));
	kill_all("--remote-debugging-pipe", "--type=");
	assert_int_equal(browser_eval(s->browser, "1", STEP_MS, NULL, &why), -E_CLOSED);
	assert_string_equal(why.text, "browser test was killed by signal 9 (Killed)");
}

static void test_wrong_program_is_named(void **state)
{
	char path[PATH_MAX];
	struct why why;

	(void)state;
	assert_int_equal(browser_find("/no/such/browser", path, &why), -E_NOTFOUND);
	assert_string_equal(why.text, "there is no browser at /no/such/browser");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_script_runs_before_the_page),
	    cmocka_unit_test(test_throwing_script),
	    cmocka_unit_test(test_click_and_type),
	    cmocka_unit_test(test_what_a_person_cannot_click),
	    cmocka_unit_test(test_wait_for),
	    cmocka_unit_test(test_console_and_exceptions_are_kept),
	    cmocka_unit_test(test_screenshot_is_a_png),
	    cmocka_unit_test(test_unreachable_page),
	    cmocka_unit_test(test_wrong_program_is_named),
	};
	const struct CMUnitTest deaths[] = {
	    cmocka_unit_test_setup_teardown(test_crashed_page_is_told, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_dead_browser_is_told, set_up, tear_down),
	};
	int failed;

	signal(SIGPIPE, SIG_IGN);
	failed = cmocka_run_group_tests_name("gestures", tests, set_up, tear_down);

	return cmocka_run_group_tests_name("deaths", deaths, NULL, NULL) + failed;
}

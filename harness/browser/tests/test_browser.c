/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The drivers on real browsers: a person's gestures, and every way to die.
 * Runs for each product that is installed.
 */
#include "harness/browser/browser.h"

#include "harness/clock.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/browser/tests/http_echo.h"
#include "harness/lab/proc.h"
#include "harness/tests/processes.h"

#include <cmocka.h>

#define PAGE(body) "data:text/html,<!doctype html><body>" body "</body>"
#define STEP_MS    5000

/* Which product the tests run with now, and what is said of it in them. */
struct product {
	enum browser_product product;
	char program[PATH_MAX];
	const char *page_process[2]; /* in its command line, and not in it */
	const char *main_process[2];
	const char *console_says, *exception_says;
	bool permission; /* is told to the page */
};

static struct product *now;

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
	struct why why = {""};

	if (!s)
		return -1;
	snprintf(s->folder, sizeof(s->folder), "/tmp/turnpike-browser-XXXXXX");
	s->console_fd = memfd_create("console", MFD_CLOEXEC);
	if (!mkdtemp(s->folder))
		goto fail;
	opt.product = now->product;
	opt.program = now->program;
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
	assert_non_null(strstr(log, now->console_says));
	assert_non_null(strstr(log, now->exception_says));
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

	assert_int_equal(browser_open(s->browser, "http://127.0.0.2:8099/", 10000, &why), -E_IO);
	assert_non_null(strstr(why.text, "cannot open http://127.0.0.2:8099/"));
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

static void test_page_that_is_left_is_told(void **state)
{
	struct scene *s = *state;
	struct why why;

	open_page(
	    s, PAGE("<script>setTimeout(() => { location.href = 'about:blank' }, 300)</script>"));
	assert_int_equal(browser_eval(s->browser, "new Promise(() => {})", 10000, NULL, &why),
	                 -E_INVAL);
	open_page(s, PAGE(""));
}

static void test_crashed_page_is_told(void **state)
{
	struct scene *s = *state;
	int64_t start = clock_mono_ms();
	struct why why;

	open_page(s, PAGE("<h1>hello</h1>"));
	kill_all(now->page_process[0], now->page_process[1]);
	if (browser_eval(s->browser, "new Promise(() => {})", 60000, NULL, &why) != -E_CLOSED)
		fail_msg("%s", why.text);
	assert_string_equal(why.text, "browser test: the page's process crashed");
	assert_true(clock_mono_ms() - start < 10000); /* it was not waited out */
}

static void test_dead_browser_is_told(void **state)
{
	struct scene *s = *state;
	struct why why;

	open_page(s, PAGE("<h1>hello</h1>"));
	kill_all(now->main_process[0], now->main_process[1]);
	assert_int_equal(browser_eval(s->browser, "1", STEP_MS, NULL, &why), -E_CLOSED);
	assert_string_equal(why.text, "browser test was killed by signal 9 (Killed)");
}

static void open_echo(struct scene *s, const struct http_echo *e)
{
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", e->port);
	open_page(s, url);
}

static void test_fresh_page_knows_nothing_of_the_old(void **state)
{
	static const char held[] = "[document.cookie, localStorage.held || '',"
	                           " /cookie: seen/i.test(document.body.textContent)]";
	struct scene *s = *state;
	struct http_echo echo;
	struct why why;

	assert_int_equal(http_echo_start(&echo), 0);
	for (int round = 0; round < 2; round++) {
		open_echo(s, &echo);
		eval_is(s, "[localStorage.held = 'yes', window.injected]", "[\"yes\",7]");
		open_echo(s, &echo);
		eval_is(s, held, "[\"seen=yes\",\"yes\",true]");
		if (browser_fresh(s->browser, NULL, STEP_MS, &why) != 0)
			fail_msg("%s", why.text);
		eval_is(s, "location.href", "\"about:blank\"");
		open_echo(s, &echo);
		eval_is(s, held, "[\"seen=yes\",\"\",false]");
	}
	eval_is(s, "[innerWidth > 900, innerHeight > 500, window.injected]", "[true,true,7]");
	if (now->permission)
		eval_is(s, "navigator.permissions.query({name: 'camera'}).then(p => p.state)",
		        "\"granted\"");
	http_echo_stop(&echo);
}

/* Gathers over TCP, so long that a tunnel is asked for; the proxy gives none. */
#define GATHER                                                                                     \
	"(async () => { const pc = new RTCPeerConnection({iceTransportPolicy: 'relay',"            \
	" iceServers: [{urls: 'turn:192.0.2.1:3478?transport=tcp', username: 'u',"                 \
	" credential: 'c'}]}); pc.createDataChannel('d'); await pc.setLocalDescription();"         \
	" await new Promise(done => setTimeout(done, 1000)); pc.close(); })()"

static void test_fresh_page_may_have_a_proxy(void **state)
{
	struct scene *s = *state;
	struct http_echo echo;
	char proxy[64];
	struct why why;

	assert_int_equal(http_echo_start(&echo), 0);
	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", echo.port);
	if (browser_fresh(s->browser, proxy, STEP_MS, &why) != 0)
		fail_msg("%s", why.text);
	open_page(s, "http://127.0.0.2:8099/behind");
	eval_is(s, "document.body.textContent.split(' HTTP')[0]",
	        "\"GET http://127.0.0.2:8099/behind\"");
	eval_is(s, GATHER, "null");
	assert_true(*echo.tunnels > 0);
	/* Only so long as it is asked for. */
	assert_int_equal(browser_fresh(s->browser, NULL, STEP_MS, &why), 0);
	assert_int_equal(browser_open(s->browser, "http://127.0.0.2:8099/", 10000, &why), -E_IO);
	http_echo_stop(&echo);
}

static void test_wrong_program_is_named(void **state)
{
	char path[PATH_MAX];
	struct why why;

	(void)state;
	assert_int_equal(browser_find(now->product, "/no/such/browser", path, &why), -E_NOTFOUND);
	assert_string_equal(why.text, "there is no browser at /no/such/browser");
}

static void test_missing_program_is_named(void **state)
{
	struct product empty = {.product = BROWSER_FIREFOX};
	char *path = strdup(getenv("PATH"));
	struct why why;

	(void)state;
	setenv("PATH", "/no/such/folder", 1);
	assert_int_equal(browser_find(empty.product, NULL, empty.program, &why), -E_NOTFOUND);
	assert_string_equal(why.text, "Firefox is not installed: install the Debian package "
	                              "firefox-esr, or give the path to its program");
	setenv("PATH", path, 1);
	free(path);
}

static int run_for(struct product *p)
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
	    cmocka_unit_test(test_page_that_is_left_is_told),
	    cmocka_unit_test(test_fresh_page_knows_nothing_of_the_old),
	    cmocka_unit_test(test_fresh_page_may_have_a_proxy),
	    cmocka_unit_test(test_wrong_program_is_named),
	    cmocka_unit_test(test_missing_program_is_named),
	};
	const struct CMUnitTest deaths[] = {
	    cmocka_unit_test_setup_teardown(test_crashed_page_is_told, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_dead_browser_is_told, set_up, tear_down),
	};
	struct why why;
	int failed;

	if (browser_find(p->product, NULL, p->program, &why) != 0) {
		fprintf(stderr, "left out: %s\n", why.text);
		return 0;
	}
	now = p;
	fprintf(stderr, "%s\n", p->program);
	failed = cmocka_run_group_tests_name("gestures", tests, set_up, tear_down);
	return cmocka_run_group_tests_name("deaths", deaths, NULL, NULL) + failed;
}

int main(void)
{
	struct product products[] = {
	    {.product = BROWSER_CHROMIUM,
	     .page_process = {"--type=renderer", NULL},
	     .main_process = {"--remote-debugging-pipe", "--type="},
	     .console_says = "warning: mind Object 2",
	     .exception_says = "exception: Uncaught Error: dropped",
	     .permission = true},
	    {.product = BROWSER_FIREFOX,
	     .page_process = {"-isForBrowser", NULL},
	     .main_process = {"--remote-debugging-port", "-contentproc"},
	     .console_says = "warning: mind Object(1) 2",
	     .exception_says = "exception: Error: dropped"},
	};
	int failed = 0, ran = 0;

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(products) / sizeof(*products); i++) {
		failed += run_for(&products[i]);
		ran += products[i].program[0] != '\0';
	}
	if (ran == 0)
		fprintf(stderr, "no browser is installed\n");
	return ran ? failed : 1;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The drivers on real browsers: a person's gestures, and every way to die.
 * Runs for each product that is installed.
 */
#include "harness/browser/tests/page.h"

#include "base/clock.h"

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
#include "harness/tests/processes.h"

#include <cmocka.h>

#define PAGE(body) "data:text/html,<!doctype html><body>" body "</body>"

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

static int setup(void **state)
{
	(void)state;
	return page_start(now->product, "window.injected = 7");
}

static int teardown(void **state)
{
	(void)state;
	return page_stop();
}

static void test_script_runs_before_the_page(void **state)
{
	(void)state;
	page_open(PAGE("<script>window.seen = window.injected</script>"));
	page_is("seen", "7");
	page_is("new Promise(done => setTimeout(() => done({a: [1]}), 20))", "{\"a\":[1]}");
}

static void test_throwing_script(void **state)
{
	struct why why;

	(void)state;
	page_open(PAGE(""));
	assert_int_equal(browser_eval(page_browser(), "no_such_thing()", PAGE_STEP_MS, NULL, &why),
	                 -E_INVAL);
	assert_non_null(strstr(why.text, "no_such_thing is not defined"));
}

static void test_click_and_type(void **state)
{
	(void)state;
	/* The button lies far below the window and comes late, as a real one may. */
	page_open(PAGE("<input id=name value=old><div style='height:3000px'></div>"
	               "<script>setTimeout(() => { const b = document.createElement('button');"
	               "b.id = 'go'; b.textContent = 'Go'; b.onclick = e => {"
	               "window.trusted = e.isTrusted; }; document.body.append(b) }, 300)"
	               "</script>"));
	page_type("#name", "Zo\xc3\xab \"q\"");
	page_is("document.querySelector('#name').value", "\"Zo\xc3\xab \\\"q\\\"\"");
	page_click("#go");
	page_is("window.trusted", "true");
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
	struct why why;

	(void)state;
	page_open(PAGE("<button id=hidden style='display:none'>h</button>"
	               "<button id=off disabled>o</button>"
	               "<div style='position:relative'><button id=under>u</button>"
	               "<div id=cover style='position:absolute;inset:0'></div></div>"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(browser_click(page_browser(), rows[i].selector, 100, &why),
		                 -E_TIMEOUT);
		if (!strstr(why.text, rows[i].says))
			fail_msg("%s", why.text);
	}
}

static void test_wait_for(void **state)
{
	struct why why;

	(void)state;
	page_open(PAGE("<script>setTimeout(() => { window.ready = 'yes' }, 200)</script>"));
	page_wait("window.ready");
	assert_int_equal(browser_wait_for(page_browser(), "window.never", 100, &why), -E_TIMEOUT);
	assert_non_null(strstr(why.text, "window.never"));
}

static void test_console_and_exceptions_are_kept(void **state)
{
	char *log;

	(void)state;
	page_open(PAGE("<script>console.warn('mind', {gap: 1}, 2);"
	               "setTimeout(() => { throw new Error('dropped') })</script>"));
	page_wait("thrown.length");
	assert_non_null(strstr(browser_last_exception(page_browser()), "dropped"));
	log = page_console();
	assert_non_null(strstr(log, now->console_says));
	assert_non_null(strstr(log, now->exception_says));
	free(log);
}

/* Every form of exception is kept. */
static void test_every_exception_is_kept(void **state)
{
	static const char *const scripts[] = {
	    "throw 'a string, mislaid'", "throw {name: 'mislaid'}", "mislaid()",
	    "Promise.reject(new Error('mislaid'))", "eval('mislaid(')"};

	(void)state;
	for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++) {
		char url[256];

		snprintf(url, sizeof(url), PAGE("<script>setTimeout(() => { %s })</script>"),
		         scripts[i]);
		page_open(url);
		page_wait("thrown.length");
		page_wait("new Promise(done => setTimeout(() => done(true), 50))");
		if (!browser_last_exception(page_browser())[0])
			fail_msg("nothing is told of: %s", scripts[i]);
	}
	/* Of the page's own text, which no parser takes. */
	page_open(PAGE("<script>mislaid(</script>"));
	page_wait("new Promise(done => setTimeout(() => done(true), 50))");
	assert_non_null(strstr(browser_last_exception(page_browser()), "SyntaxError"));
}

/* Firefox logs advice on WebRTC in the words of an error. */
static void test_advice_of_the_browser_is_no_exception(void **state)
{
	(void)state;
	page_open(PAGE("<script>const urls = [1, 2, 3, 4, 5].map(n => `stun:192.0.2.1:300${n}`);"
	               "new RTCPeerConnection({iceServers: urls.map(u => ({urls: u}))});"
	               "new RTCPeerConnection({iceServers: [{urls}]});"
	               "try { new RTCPeerConnection({iceServers: [{urls: 'stun:192.0.2.1:1'}]}) }"
	               "catch {}</script><img src='no:such'>"));
	page_wait("new Promise(done => setTimeout(() => done(true), 100))");
	assert_string_equal(browser_last_exception(page_browser()), "");
	page_is("thrown", "[]");
}

static void test_screenshot_is_a_png(void **state)
{
	static const unsigned char png[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
	static const unsigned char end[8] = {'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82};
	unsigned char bytes[8];
	struct why why;
	struct stat st;
	int fd = memfd_create("png", MFD_CLOEXEC);

	(void)state;
	page_open(PAGE("<h1>hello</h1>"));
	if (browser_screenshot(page_browser(), fd, &why) != 0)
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
	struct why why;

	(void)state;
	assert_int_equal(browser_open(page_browser(), "http://127.0.0.2:8099/", 10000, &why),
	                 -E_IO);
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
	struct why why;

	(void)state;
	page_open(
	    PAGE("<script>setTimeout(() => { location.href = 'about:blank' }, 300)</script>"));
	assert_int_equal(browser_eval(page_browser(), "new Promise(() => {})", 10000, NULL, &why),
	                 -E_INVAL);
	page_open(PAGE(""));
}

static void test_crashed_page_is_told(void **state)
{
	int64_t start = clock_mono_ms();
	struct why why;

	(void)state;
	page_open(PAGE("<h1>hello</h1>"));
	kill_all(now->page_process[0], now->page_process[1]);
	if (browser_eval(page_browser(), "new Promise(() => {})", 60000, NULL, &why) != -E_CLOSED)
		fail_msg("%s", why.text);
	assert_string_equal(why.text, "browser test: the page's process crashed");
	assert_true(clock_mono_ms() - start < 60000); /* it was not waited out */
}

static void test_dead_browser_is_told(void **state)
{
	struct why why;

	(void)state;
	page_open(PAGE("<h1>hello</h1>"));
	kill_all(now->main_process[0], now->main_process[1]);
	assert_int_equal(browser_eval(page_browser(), "1", PAGE_STEP_MS, NULL, &why), -E_CLOSED);
	assert_string_equal(why.text, "browser test was killed by signal 9 (Killed)");
}

static void open_echo(const struct http_echo *e)
{
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", e->port);
	page_open(url);
}

static void test_fresh_page_knows_nothing_of_the_old(void **state)
{
	static const char held[] = "[document.cookie, localStorage.held || '',"
	                           " /cookie: seen/i.test(document.body.textContent)]";
	struct http_echo echo;
	struct why why;

	(void)state;
	assert_int_equal(http_echo_start(&echo), 0);
	for (int round = 0; round < 2; round++) {
		open_echo(&echo);
		page_is("[localStorage.held = 'yes', window.injected]", "[\"yes\",7]");
		open_echo(&echo);
		page_is(held, "[\"seen=yes\",\"yes\",true]");
		if (browser_fresh(page_browser(), NULL, PAGE_STEP_MS, &why) != 0)
			fail_msg("%s", why.text);
		page_is("location.href", "\"about:blank\"");
		open_echo(&echo);
		page_is(held, "[\"seen=yes\",\"\",false]");
	}
	page_is("[innerWidth > 900, innerHeight > 500, window.injected]", "[true,true,7]");
	if (now->permission)
		page_is("navigator.permissions.query({name: 'camera'}).then(p => p.state)",
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
	struct http_echo echo;
	char proxy[64];
	struct why why;

	(void)state;
	assert_int_equal(http_echo_start(&echo), 0);
	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", echo.port);
	if (browser_fresh(page_browser(), proxy, PAGE_STEP_MS, &why) != 0)
		fail_msg("%s", why.text);
	page_open("http://127.0.0.2:8099/behind");
	page_is("document.body.textContent.split(' HTTP')[0]",
	        "\"GET http://127.0.0.2:8099/behind\"");
	page_is(GATHER, "null");
	assert_true(*echo.tunnels > 0);
	/* Only so long as it is asked for. */
	assert_int_equal(browser_fresh(page_browser(), NULL, PAGE_STEP_MS, &why), 0);
	assert_int_equal(browser_open(page_browser(), "http://127.0.0.2:8099/", 10000, &why),
	                 -E_IO);
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
	    cmocka_unit_test(test_every_exception_is_kept),
	    cmocka_unit_test(test_advice_of_the_browser_is_no_exception),
	    cmocka_unit_test(test_screenshot_is_a_png),
	    cmocka_unit_test(test_unreachable_page),
	    cmocka_unit_test(test_page_that_is_left_is_told),
	    cmocka_unit_test(test_fresh_page_knows_nothing_of_the_old),
	    cmocka_unit_test(test_fresh_page_may_have_a_proxy),
	    cmocka_unit_test(test_wrong_program_is_named),
	    cmocka_unit_test(test_missing_program_is_named),
	};
	const struct CMUnitTest deaths[] = {
	    cmocka_unit_test_setup_teardown(test_crashed_page_is_told, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_dead_browser_is_told, setup, teardown),
	};
	struct why why;
	int failed;

	if (browser_find(p->product, NULL, p->program, &why) != 0) {
		fprintf(stderr, "left out: %s\n", why.text);
		return 0;
	}
	now = p;
	fprintf(stderr, "%s\n", p->program);
	failed = cmocka_run_group_tests_name("gestures", tests, setup, teardown);
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

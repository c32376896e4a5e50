/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Chromium, driven over the CDP pipe (its descriptors 3 and 4): no port, so
 * nothing of the control traffic shows up in the lab.
 */
#include "base/clock.h"
#include "harness/browser/cdp.h"
#include "harness/browser/driver.h"
#include "harness/lab/pressure.h"
#include "harness/lab/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 30000
#define CALL_MS  10000
#define STOP_MS  2000

#define WINDOW_WIDTH  1024
#define WINDOW_HEIGHT 768
#define TEXT_(x)      #x
#define TEXT(x)       TEXT_(x)

/* A tab in a profile of its own; the first one, of the browser's birth, is in the profile on disk
 * and has no context. */
struct chromium_page {
	char target[64];
	char context[64];
	char session[64]; /* "" before it is attached: the browser itself is spoken to */
};

struct chromium {
	pid_t pid;
	struct cdp *cdp;
	struct chromium_page page;
	char *script; /* for every page */
	bool page_crashed;
	char loaded[64]; /* the loader of the document that was loaded last */
};

static const char *const programs[] = {"/usr/lib/chromium/chromium-headless-shell",
                                       "chromium-headless-shell", "chromium", "chromium-browser",
                                       NULL};

static const char *const flags[] = {
    "--headless",
    "--no-sandbox", /* its sandbox wants namespaces of its own; the lab is one already */
    "--remote-debugging-pipe",
    "--in-process-gpu",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    "--no-first-run",
    "--use-fake-device-for-media-stream=fps=10",
    "--use-fake-ui-for-media-stream",
    "--ignore-certificate-errors",
    /* Host candidates as addresses: mDNS names cannot be resolved in the lab. */
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--window-size=" TEXT(WINDOW_WIDTH) "," TEXT(WINDOW_HEIGHT),
};

/* A full Chromium calls home at its start; in a lab, nothing outside it has an answer. The rules
 * hold for addresses, too: of servers, and of a proxy on the LAN. WebRTC asks for names with a dot
 * at their end. */
static const char lab_resolver[] = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 203.0.113.*, "
                                   "EXCLUDE 192.168.*, EXCLUDE 2001:db8:*, EXCLUDE *.test, "
                                   "EXCLUDE *.test.";

#define FLAGS_N (sizeof(flags) / sizeof(*flags))

static struct chromium *impl(struct browser *b)
{
	return b->impl;
}

/* An event's text: the arguments of console.log(), one after the other. */
static void on_console(struct browser *b, const json_t *params)
{
	const char *type = json_string_value(json_object_get(params, "type"));
	char text[1024] = "";
	size_t i, used = 0;
	json_t *arg;

	json_array_foreach (json_object_get(params, "args"), i, arg) {
		json_t *value = json_object_get(arg, "value");
		const char *said = json_string_value(json_object_get(arg, "description"));
		char *dump = NULL;

		if (json_is_string(value))
			said = json_string_value(value);
		else if (!said)
			said = dump = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
		snprintf(text + used, sizeof(text) - used, "%s%s", i ? " " : "",
		         said ? said : "undefined");
		used += strlen(text + used);
		free(dump);
	}
	browser_log(b, type ? type : "log", "%s", text);
}

static void on_exception(struct browser *b, const json_t *params)
{
	const json_t *details = json_object_get(params, "exceptionDetails");
	const char *text = json_string_value(json_object_get(details, "text"));
	const char *more = json_string_value(
	    json_object_get(json_object_get(details, "exception"), "description"));

	snprintf(b->last_exception, sizeof(b->last_exception), "%s %.200s",
	         text ? text : "exception", more ? more : "");
	browser_log(b, "exception", "%s %s", text ? text : "", more ? more : "");
}

static void on_event(void *arg, const char *method, const json_t *params)
{
	struct browser *b = arg;

	if (!strcmp(method, "Runtime.consoleAPICalled")) {
		on_console(b, params);
	} else if (!strcmp(method, "Runtime.exceptionThrown")) {
		on_exception(b, params);
	} else if (!strcmp(method, "Log.entryAdded")) {
		const json_t *entry = json_object_get(params, "entry");
		const char *text = json_string_value(json_object_get(entry, "text"));
		const char *url = json_string_value(json_object_get(entry, "url"));

		browser_log(b, "log", "%s %s", text ? text : "", url ? url : "");
	} else if (!strcmp(method, "Page.lifecycleEvent")) {
		const char *name = json_string_value(json_object_get(params, "name"));
		const char *loader = json_string_value(json_object_get(params, "loaderId"));

		if (name && loader && !strcmp(name, "load"))
			snprintf(impl(b)->loaded, sizeof(impl(b)->loaded), "%s", loader);
	} else if (!strcmp(method, "Inspector.targetCrashed") ||
	           !strcmp(method, "Target.targetCrashed")) {
		impl(b)->page_crashed = true;
		cdp_give_up(impl(b)->cdp);
		browser_log(b, "crash", "the page's process died");
	}
}

/* Puts the browser's death in place of a call's own words, if that is what happened. */
static int explain(struct browser *b, int err, struct why *why)
{
	struct chromium *c = impl(b);
	char how[96];
	int status;

	if (err == 0)
		return 0;
	if (c->page_crashed)
		return why_set(why, -E_CLOSED, "browser %s: the page's process crashed", b->name);
	if (err == -E_CLOSED && c->pid > 0 && proc_wait(c->pid, 1000, &status) == 0) {
		c->pid = -1;
		return why_set(why, -E_CLOSED, "browser %s %s", b->name,
		               proc_status_text(status, how, sizeof(how)));
	}
	return err;
}

static int call(struct browser *b, const char *method, json_t *params, int64_t limit_ms,
                json_t **result, struct why *why)
{
	struct chromium *c = impl(b);

	return explain(b,
	               cdp_call(c->cdp, c->page.session[0] ? c->page.session : NULL, method, params,
	                        limit_ms, result, why),
	               why);
}

static int spawn(struct browser *b, const struct browser_options *opt, struct why *why)
{
	struct proc_opt po = PROC_OPT_DEFAULT;
	const char *argv[FLAGS_N + 5];
	int to[2] = {-1, -1}, from[2] = {-1, -1};
	char profile[PATH_MAX], names[512];
	size_t n = 0;
	int err;

	snprintf(profile, sizeof(profile), "--user-data-dir=%s", opt->folder);
	argv[n++] = opt->program;
	for (size_t i = 0; i < FLAGS_N; i++)
		argv[n++] = flags[i];
	snprintf(names, sizeof(names), "--host-resolver-rules=%s", opt->names ? opt->names : "");
	if (opt->names)
		argv[n++] = names;
	else if (opt->netns_fd >= 0)
		argv[n++] = lab_resolver;
	argv[n++] = profile;
	argv[n++] = "about:blank";
	argv[n] = NULL;
	if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) {
		err = why_set(why, error_from_errno(errno), "pipe: %s", strerror(errno));
		goto out;
	}
	po.netns_fd = opt->netns_fd;
	po.fd[1] = po.fd[2] = opt->stderr_fd;
	po.fd[3] = to[0];
	po.fd[4] = from[1];
	err = proc_spawn(argv, &po, &impl(b)->pid, why);
	if (err != 0)
		goto out;
	err = cdp_new(&impl(b)->cdp, from[0], to[1], on_event, b);
	if (err == 0)
		from[0] = to[1] = -1;
out:
	for (int i = 0; i < 2; i++) {
		if (to[i] >= 0)
			close(to[i]);
		if (from[i] >= 0)
			close(from[i]);
	}
	return err;
}

/* The page that a browser opens by itself; at its birth there may be none for a moment. */
static int find_page(struct browser *b, char *id, size_t size, struct why *why)
{
	struct patience patience = patience_begin(START_MS);

	for (id[0] = '\0'; !id[0];) {
		json_t *result = NULL, *target;
		int err = call(b, "Target.getTargets", NULL, START_MS, &result, why);
		size_t i;

		if (err != 0)
			return err;
		json_array_foreach (json_object_get(result, "targetInfos"), i, target) {
			const char *type = json_string_value(json_object_get(target, "type"));
			const char *text = json_string_value(json_object_get(target, "targetId"));

			if (!id[0] && type && text && !strcmp(type, "page"))
				snprintf(id, size, "%s", text);
		}
		json_decref(result);
		if (!id[0] && clock_mono_ms() >= patience_deadline(&patience))
			return why_set(why, -E_TIMEOUT, "browser %s opened no page", b->name);
		if (!id[0])
			cdp_pump(impl(b)->cdp, 20);
	}
	return 0;
}

/* A string of a call's answer. */
static int call_for(struct browser *b, const char *method, json_t *params, int64_t limit_ms,
                    const char *key, char *text, size_t size, struct why *why)
{
	json_t *result = NULL;
	int err = call(b, method, params, limit_ms, &result, why);

	return err ? err : browser_take_text(b, method, result, key, text, size, why);
}

/* Attaches to the page's target and makes it what every page here is. */
static int prepare(struct browser *b, int64_t limit_ms, struct why *why)
{
	static const char *const domains[] = {"Page.enable", "Runtime.enable", "Log.enable",
	                                      "Inspector.enable"};
	struct chromium_page *p = &impl(b)->page;
	const char *context = p->context[0] ? p->context : NULL;
	int err;

	/* Without this permission there are no host candidates over TCP. */
	err = call(b, "Browser.grantPermissions",
	           json_pack("{s:[s, s], s:s*}", "permissions", "audioCapture", "videoCapture",
	                     "browserContextId", context),
	           limit_ms, NULL, why);
	if (err == 0)
		err = call_for(b, "Target.attachToTarget",
		               json_pack("{s:s, s:b}", "targetId", p->target, "flatten", 1),
		               limit_ms, "sessionId", p->session, sizeof(p->session), why);
	for (size_t i = 0; i < sizeof(domains) / sizeof(*domains) && err == 0; i++)
		err = call(b, domains[i], NULL, limit_ms, NULL, why);
	if (err == 0)
		err = call(b, "Page.setLifecycleEventsEnabled", json_pack("{s:b}", "enabled", 1),
		           limit_ms, NULL, why);
	if (err == 0 && impl(b)->script)
		err = call(b, "Page.addScriptToEvaluateOnNewDocument",
		           json_pack("{s:s}", "source", impl(b)->script), limit_ms, NULL, why);
	return err;
}

static int chromium_start(struct browser *b, const struct browser_options *opt, struct why *why)
{
	struct chromium_page *p;
	int err;

	b->impl = calloc(1, sizeof(struct chromium));
	if (!b->impl)
		return why_set(why, -E_NOMEM, "out of memory");
	p = &impl(b)->page;
	if (opt->script && !(impl(b)->script = strdup(opt->script)))
		return why_set(why, -E_NOMEM, "out of memory");
	err = spawn(b, opt, why);
	if (err == 0)
		err = find_page(b, p->target, sizeof(p->target), why);
	if (err == 0)
		err = prepare(b, START_MS, why);
	return err;
}

/* Closes a page and, if it has one of its own, its profile. */
static int discard(struct browser *b, const struct chromium_page *p, int64_t limit_ms,
                   struct why *why)
{
	const char *method = p->context[0] ? "Target.disposeBrowserContext" : "Target.closeTarget";
	json_t *params = p->context[0] ? json_pack("{s:s}", "browserContextId", p->context)
	                               : json_pack("{s:s}", "targetId", p->target);

	return explain(b, cdp_call(impl(b)->cdp, NULL, method, params, limit_ms, NULL, why), why);
}

static int chromium_fresh(struct browser *b, const char *proxy, int64_t limit_ms, struct why *why)
{
	struct chromium_page *p = &impl(b)->page, old = *p;
	int64_t deadline = clock_mono_ms() + limit_ms;
	int err;

	*p = (struct chromium_page){.target = ""};
	/* Without the bypass list, what runs on this very machine would be reached directly. */
	err = call_for(b, "Target.createBrowserContext",
	               json_pack("{s:b, s:s*, s:s*}", "disposeOnDetach", 0, "proxyServer", proxy,
	                         "proxyBypassList", proxy ? "<-loopback>" : NULL),
	               limit_ms, "browserContextId", p->context, sizeof(p->context), why);
	if (err == 0)
		err = call_for(
		    b, "Target.createTarget",
		    json_pack("{s:s, s:s, s:i, s:i}", "url", "about:blank", "browserContextId",
		              p->context, "width", WINDOW_WIDTH, "height", WINDOW_HEIGHT),
		    clock_left_ms(deadline), "targetId", p->target, sizeof(p->target), why);
	if (err == 0)
		err = prepare(b, clock_left_ms(deadline), why);
	if (err == 0)
		return discard(b, &old, clock_left_ms(deadline), why);
	if (p->context[0])
		discard(b, p, CALL_MS, NULL);
	*p = old;
	return err;
}

static void chromium_stop(struct browser *b)
{
	struct chromium *c = impl(b);

	if (!c)
		return;
	if (c->cdp)
		cdp_call(c->cdp, NULL, "Browser.close", NULL, STOP_MS, NULL, NULL);
	proc_stop(c->pid, STOP_MS);
	cdp_free(c->cdp);
	free(c->script);
	free(c);
}

static int chromium_open(struct browser *b, const char *url, int64_t limit_ms, struct why *why)
{
	int64_t deadline = clock_mono_ms() + limit_ms;
	struct chromium *c = impl(b);
	const char *text, *loader;
	json_t *result = NULL;
	int err;

	err = call(b, "Page.navigate", json_pack("{s:s}", "url", url), limit_ms, &result, why);
	text = json_string_value(json_object_get(result, "errorText"));
	if (err == 0 && text)
		err = why_set(why, -E_IO, "cannot open %s: %s", url, text);
	/* Another fragment of the same document has no loader. What is still told of the page
	 * before, as of a new one's about:blank, has another. */
	loader = json_string_value(json_object_get(result, "loaderId"));
	while (err == 0 && loader && strcmp(c->loaded, loader) != 0) {
		if (clock_mono_ms() >= deadline)
			err = why_set(why, -E_TIMEOUT, "%s did not finish loading in %lld ms", url,
			              (long long)limit_ms);
		else
			err = explain(b, cdp_pump(c->cdp, 10), why);
	}
	json_decref(result);
	return err;
}

static int chromium_eval(struct browser *b, const char *js, int64_t limit_ms, json_t **value,
                         struct why *why)
{
	json_t *result = NULL;
	const json_t *thrown;
	int err;

	err = call(
	    b, "Runtime.evaluate",
	    json_pack("{s:s, s:b, s:b}", "expression", js, "awaitPromise", 1, "returnByValue", 1),
	    limit_ms, &result, why);
	if (err != 0)
		return err;
	thrown = json_object_get(result, "exceptionDetails");
	if (thrown) {
		const char *text = json_string_value(
		    json_object_get(json_object_get(thrown, "exception"), "description"));

		err = why_set(why, -E_INVAL, "JavaScript threw %s in: %.120s",
		              text ? text : "something", js);
	} else if (value) {
		json_t *v = json_object_get(json_object_get(result, "result"), "value");

		*value = v ? json_incref(v) : json_null();
	}
	json_decref(result);
	return err;
}

static int mouse(struct browser *b, const char *type, double x, double y, int count,
                 struct why *why)
{
	return call(b, "Input.dispatchMouseEvent",
	            json_pack("{s:s, s:f, s:f, s:s, s:i}", "type", type, "x", x, "y", y, "button",
	                      count ? "left" : "none", "clickCount", count),
	            CALL_MS, NULL, why);
}

static int chromium_click_at(struct browser *b, double x, double y, struct why *why)
{
	int err = mouse(b, "mouseMoved", x, y, 0, why);

	if (err == 0)
		err = mouse(b, "mousePressed", x, y, 1, why);
	if (err == 0)
		err = mouse(b, "mouseReleased", x, y, 1, why);
	return err;
}

static int chromium_insert_text(struct browser *b, const char *text, struct why *why)
{
	return call(b, "Input.insertText", json_pack("{s:s}", "text", text), CALL_MS, NULL, why);
}

static int chromium_screenshot(struct browser *b, int fd, struct why *why)
{
	json_t *result = NULL;
	int err = call(b, "Page.captureScreenshot", json_pack("{s:s}", "format", "png"), CALL_MS,
	               &result, why);

	if (err == 0)
		err = browser_write_base64(fd, json_string_value(json_object_get(result, "data")),
		                           why);
	json_decref(result);
	return err;
}

static int chromium_pump(struct browser *b, int64_t wait_ms, struct why *why)
{
	return explain(b, cdp_pump(impl(b)->cdp, wait_ms), why);
}

const struct browser_driver chromium_driver = {
    .product = "Chromium",
    .package = "chromium-headless-shell",
    .programs = programs,
    .start = chromium_start,
    .stop = chromium_stop,
    .fresh = chromium_fresh,
    .open = chromium_open,
    .eval = chromium_eval,
    .click_at = chromium_click_at,
    .insert_text = chromium_insert_text,
    .screenshot = chromium_screenshot,
    .pump = chromium_pump,
};

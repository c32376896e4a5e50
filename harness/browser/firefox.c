/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Firefox, driven over WebDriver BiDi. Its WebSocket listens on the loopback of
 * the browser's own network namespace, where nothing else of the lab passes.
 */
#include "base/clock.h"
#include "harness/browser/bidi.h"
#include "harness/browser/driver.h"
#include "harness/lab/pressure.h"
#include "harness/lab/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START_MS 60000 /* the first start on a machine reads 300 MB from its disk */
#define CALL_MS  10000
#define STOP_MS  3000
#define PROBE_MS 500

/* A tab in a container of its own: cookies, storage, cache and connections are kept apart. */
struct firefox_page {
	char context[64];
	char user_context[64]; /* "" for the browser's first tab */
	char realm[64];        /* where the page's scripts run now */
};

struct firefox {
	pid_t pid;
	bool proxied;
	struct bidi *bidi;
	struct firefox_page page;
	bool evaluating;
	bool crashed; /* the page's process died: Firefox shows a page of its own instead */
};

static const char *const programs[] = {"firefox-esr", "firefox", NULL};

static const char prefs[] =
    "user_pref('remote.active-protocols', 1);\n" /* BiDi */
    /* Camera and microphone without a question; host candidates as addresses. */
    "user_pref('media.navigator.streams.fake', true);\n"
    "user_pref('media.navigator.permission.disabled', true);\n"
    "user_pref('media.peerconnection.ice.obfuscate_host_addresses', false);\n"
    "user_pref('media.autoplay.default', 0);\n"
    "user_pref('media.autoplay.blocking_policy', 0);\n"
    /* Without a sound card no AudioContext runs, but for this stand-in of Firefox's own tests. */
    "user_pref('media.cubeb.force_mock_context', true);\n"
    /* Also what runs on this very machine is reached through a proxy, if there is one. */
    "user_pref('network.proxy.allow_hijacking_localhost', true);\n"
    /* Quiet: a lab has no servers for these, and elsewhere the requests are unwanted. */
    "user_pref('network.trr.mode', 5);\n"
    "user_pref('network.captive-portal-service.enabled', false);\n"
    "user_pref('network.connectivity-service.enabled', false);\n"
    "user_pref('network.http.speculative-parallel-limit', 0);\n"
    "user_pref('services.settings.server', 'data:,');\n"
    "user_pref('app.normandy.enabled', false);\n"
    "user_pref('app.update.disabledForTesting', true);\n"
    "user_pref('datareporting.policy.dataSubmissionEnabled', false);\n"
    "user_pref('toolkit.telemetry.server', 'data:,');\n"
    "user_pref('browser.safebrowsing.malware.enabled', false);\n"
    "user_pref('browser.safebrowsing.phishing.enabled', false);\n"
    "user_pref('browser.region.network.url', '');\n"
    "user_pref('extensions.update.enabled', false);\n"
    "user_pref('media.gmp-manager.updateEnabled', false);\n"
    "user_pref('browser.shell.checkDefaultBrowser', false);\n"
    /* No page and no process but those that are asked for. */
    "user_pref('browser.startup.page', 0);\n"
    "user_pref('browser.startup.homepage', 'about:blank');\n"
    "user_pref('browser.newtabpage.enabled', false);\n"
    "user_pref('dom.ipc.processPrelaunch.enabled', false);\n";

static struct firefox *impl(struct browser *b)
{
	return b->impl;
}

static void on_log(struct browser *b, const json_t *params)
{
	const char *text = json_string_value(json_object_get(params, "text"));
	const char *type = json_string_value(json_object_get(params, "type"));
	const char *level = json_string_value(json_object_get(params, "level"));
	const char *kind = json_string_value(json_object_get(params, "method"));

	if (!type || !level)
		return;
	if (!text)
		text = "";
	if (!kind || !strcmp(kind, "warn"))
		kind = !strcmp(level, "warn") ? "warning" : level;
	browser_log(b, kind, "%s", text);
}

/* Uncaught exceptions, as reported by watch_js. The log cannot be used: Firefox gives advice in the
 * words of an error ("WebRTC: Using five or more STUN/TURN servers slows down discovery"). */
static void on_exception(struct browser *b, const json_t *params)
{
	const char *text =
	    json_string_value(json_object_get(json_object_get(params, "data"), "value"));

	snprintf(b->last_exception, sizeof(b->last_exception), "%.250s", text ? text : "exception");
	browser_log(b, "exception", "%s", text ? text : "");
}

static void on_event(void *arg, const char *method, const json_t *params)
{
	struct browser *b = arg;
	struct firefox *f = impl(b);
	const char *realm = json_string_value(json_object_get(params, "realm"));
	const char *context = json_string_value(json_object_get(params, "context"));
	const char *url = json_string_value(json_object_get(params, "url"));

	if (!strcmp(method, "log.entryAdded")) {
		on_log(b, params);
	} else if (!strcmp(method, "script.message")) {
		on_exception(b, params);
	} else if (!strcmp(method, "script.realmCreated")) {
		if (realm && context && !strcmp(context, f->page.context) &&
		    !json_object_get(params, "sandbox"))
			snprintf(f->page.realm, sizeof(f->page.realm), "%s", realm);
	} else if (!strcmp(method, "script.realmDestroyed")) {
		/* Firefox does not answer what was being evaluated there. */
		if (f->evaluating && realm && !strcmp(realm, f->page.realm))
			bidi_interrupt(f->bidi);
	} else if (!strcmp(method, "browsingContext.navigationCommitted")) {
		if (context && !strcmp(context, f->page.context) && url &&
		    !strncmp(url, "about:tabcrashed", 16)) {
			f->crashed = true;
			bidi_interrupt(f->bidi);
			browser_log(b, "crash", "the page's process died");
		}
	}
}

/* The document that a call was for is gone: "Actor '…' destroyed before query '…' was resolved". */
static const char left_words[] = "destroyed before query";

/* Puts the browser's death in place of a call's own words, if that is what happened. */
static int explain(struct browser *b, int err, const struct why *said, struct why *why)
{
	struct firefox *f = impl(b);
	char how[96];
	int status;

	if (f->crashed)
		return why_set(why, -E_CLOSED, "browser %s: the page's process crashed", b->name);
	if (err == 0)
		return 0;
	if (err == -E_INVAL && strstr(said->text, left_words))
		err = -E_STALE;
	if (err == -E_CLOSED && f->pid > 0 && proc_wait(f->pid, 1000, &status) == 0) {
		f->pid = -1;
		return why_set(why, -E_CLOSED, "browser %s %s", b->name,
		               proc_status_text(status, how, sizeof(how)));
	}
	return why_set(why, err, "%s", said->text);
}

static int call(struct browser *b, const char *method, json_t *params, int64_t limit_ms,
                json_t **result, struct why *why)
{
	struct why said = {""};
	json_t *got = NULL;
	int err = bidi_call(impl(b)->bidi, method, params, limit_ms, &got, &said);

	err = explain(b, err, &said, why);
	if (err == 0 && result)
		*result = json_incref(got);
	json_decref(got);
	return err;
}

/* ---- start and end ---- */

static int write_prefs(const char *folder, struct why *why)
{
	char path[PATH_MAX];
	int fd, err = 0;

	snprintf(path, sizeof(path), "%s/user.js", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, prefs, sizeof(prefs) - 1) != (ssize_t)sizeof(prefs) - 1)
		err = why_set(why, -E_IO, "cannot write %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return err;
}

static int spawn(struct browser *b, const struct browser_options *opt, struct why *why)
{
	char home[PATH_MAX + 8];
	const char *const argv[] = {"env",
	                            home,
	                            "MOZ_CRASHREPORTER_DISABLE=1",
	                            opt->program,
	                            "--headless",
	                            "--no-remote",
	                            "--profile",
	                            opt->folder,
	                            "--remote-allow-system-access", /* for set_proxy() */
	                            "--remote-debugging-port",
	                            "0",
	                            NULL};
	struct proc_opt po = PROC_OPT_DEFAULT;

	/* Else it would leave folders in the user's own. */
	snprintf(home, sizeof(home), "HOME=%s", opt->folder);
	po.netns_fd = opt->netns_fd;
	po.fd[1] = po.fd[2] = opt->stderr_fd;
	return proc_spawn(argv, &po, &impl(b)->pid, why);
}

/* Firefox writes where it listens into its profile. */
static int await_port(struct browser *b, const char *folder, uint16_t *port, struct why *why)
{
	struct patience patience = patience_begin(START_MS);
	char path[PATH_MAX];
	int status;

	snprintf(path, sizeof(path), "%s/WebDriverBiDiServer.json", folder);
	for (;;) {
		json_t *file = json_load_file(path, 0, NULL);
		json_int_t n = json_integer_value(json_object_get(file, "ws_port"));

		json_decref(file);
		if (n > 0 && n <= UINT16_MAX) {
			*port = (uint16_t)n;
			return 0;
		}
		if (!proc_running(impl(b)->pid, &status)) {
			char how[96];

			impl(b)->pid = -1;
			return why_set(why, -E_CLOSED, "browser %s %s at its start", b->name,
			               proc_status_text(status, how, sizeof(how)));
		}
		if (clock_mono_ms() >= patience_deadline(&patience))
			return why_set(why, -E_TIMEOUT,
			               "browser %s did not listen for WebDriver BiDi within %d s",
			               b->name, START_MS / 1000);
		clock_sleep_ms(20);
	}
}

static int new_session(struct browser *b, struct why *why)
{
	int err;

	err = call(
	    b, "session.new",
	    json_pack("{s:{s:{s:b}}}", "capabilities", "alwaysMatch", "acceptInsecureCerts", 1),
	    START_MS, NULL, why);
	if (err == 0)
		err = call(b, "session.subscribe",
		           json_pack("{s:[s, s, s, s, s]}", "events", "log.entryAdded",
		                     "browsingContext.navigationCommitted", "script.realmCreated",
		                     "script.realmDestroyed", "script.message"),
		           CALL_MS, NULL, why);
	return err;
}

/* Runs in every new page's own realm, before the page's scripts. */
static const char watch_js[] =
    "tell => {"
    "  addEventListener('error', e => e instanceof ErrorEvent && tell(String(e.message)));"
    "  addEventListener('unhandledrejection', e => tell(String(e.reason)));"
    "}";

static int watch_exceptions(struct browser *b, struct why *why)
{
	return call(b, "script.addPreloadScript",
	            json_pack("{s:s, s:[{s:s, s:{s:s}}]}", "functionDeclaration", watch_js,
	                      "arguments", "type", "channel", "value", "channel", "exception"),
	            CALL_MS, NULL, why);
}

/* The script becomes the body of a function that runs there likewise. */
static int add_script(struct browser *b, const char *script, struct why *why)
{
	char *function = NULL;
	int err;

	if (asprintf(&function, "() => {%s\n}", script) < 0)
		return why_set(why, -E_NOMEM, "out of memory");
	err = call(b, "script.addPreloadScript",
	           json_pack("{s:s}", "functionDeclaration", function), CALL_MS, NULL, why);
	free(function);
	return err;
}

static int find_page(struct browser *b, struct why *why)
{
	json_t *result = NULL;
	const char *context = NULL;
	int err = call(b, "browsingContext.getTree", NULL, CALL_MS, &result, why);

	if (err != 0)
		return err;
	json_unpack(result, "{s:[{s:s}]}", "contexts", "context", &context);
	if (context)
		snprintf(impl(b)->page.context, sizeof(impl(b)->page.context), "%s", context);
	else
		err = why_set(why, -E_NOTFOUND, "browser %s opened no page", b->name);
	json_decref(result);
	return err;
}

static int firefox_fresh(struct browser *b, const char *proxy, int64_t limit_ms, struct why *why);

static int firefox_start(struct browser *b, const struct browser_options *opt, struct why *why)
{
	uint16_t port;
	int err;

	b->impl = calloc(1, sizeof(struct firefox));
	if (!b->impl)
		return why_set(why, -E_NOMEM, "out of memory");
	err = write_prefs(opt->folder, why);
	if (err == 0)
		err = spawn(b, opt, why);
	if (err == 0)
		err = await_port(b, opt->folder, &port, why);
	if (err == 0)
		err = bidi_connect(&impl(b)->bidi, opt->netns_fd, port, on_event, b, START_MS, why);
	if (err == 0)
		err = new_session(b, why);
	if (err == 0)
		err = watch_exceptions(b, why);
	if (err == 0 && opt->script)
		err = add_script(b, opt->script, why);
	if (err == 0)
		err = find_page(b, why);
	/* The first tab is too privileged for some pages. */
	if (err == 0)
		err = firefox_fresh(b, NULL, START_MS, why);
	return err;
}

static void firefox_stop(struct browser *b)
{
	struct firefox *f = impl(b);
	int status;

	if (!f)
		return;
	/* Waits for its content processes, so that none of them writes into the profile later. */
	if (f->bidi && f->pid > 0 &&
	    bidi_call(f->bidi, "browser.close", NULL, STOP_MS, NULL, NULL) == 0)
		proc_wait(f->pid, STOP_MS, &status);
	proc_stop(f->pid, 0);
	bidi_free(f->bidi);
	free(f);
}

/* ---- pages ---- */

/* A string of a call's answer. */
static int call_for(struct browser *b, const char *method, json_t *params, int64_t limit_ms,
                    const char *key, char *text, size_t size, struct why *why)
{
	json_t *result = NULL;
	int err = call(b, method, params, limit_ms, &result, why);

	return err ? err : browser_take_text(b, method, result, key, text, size, why);
}

static int discard(struct browser *b, const struct firefox_page *p, int64_t limit_ms,
                   struct why *why)
{
	int err = 0;

	if (p->context[0])
		err = call(b, "browsingContext.close", json_pack("{s:s}", "context", p->context),
		           limit_ms, NULL, why);
	if (err == 0 && p->user_context[0])
		err = call(b, "browser.removeUserContext",
		           json_pack("{s:s}", "userContext", p->user_context), limit_ms, NULL, why);
	return err;
}

/* Runs js with the rights of the browser's own window. */
static int eval_in_chrome(struct browser *b, const char *js, int64_t limit_ms, struct why *why)
{
	char window[64] = "";
	json_t *result = NULL;
	const char *id = NULL;
	int err;

	err = call(b, "browsingContext.getTree",
	           json_pack("{s:s, s:i}", "moz:scope", "chrome", "maxDepth", 0), limit_ms, &result,
	           why);
	if (err == 0 && json_unpack(result, "{s:[{s:s}]}", "contexts", "context", &id) == 0)
		snprintf(window, sizeof(window), "%s", id);
	json_decref(result);
	if (err == 0)
		err = call(b, "script.evaluate",
		           json_pack("{s:s, s:{s:s}, s:b}", "expression", js, "target", "context",
		                     window, "awaitPromise", 0),
		           limit_ms, NULL, why);
	return err;
}

/* For the whole browser, which has one page: the proxy that BiDi knows for a user context is not
 * that of its WebRTC (Firefox 153). */
static int set_proxy(struct browser *b, const char *proxy, int64_t limit_ms, struct why *why)
{
	static const char js[] =
	    "for (const kind of ['http', 'ssl']) {"
	    " Services.prefs.setStringPref('network.proxy.' + kind, '%.*s');"
	    " Services.prefs.setIntPref('network.proxy.' + kind + '_port', %d);"
	    "} Services.prefs.setIntPref('network.proxy.type', %d)";
	const char *host = proxy && !strncmp(proxy, "http://", 7) ? proxy + 7 : "";
	const char *colon = strrchr(host, ':');
	struct why said;
	char text[512];
	int err;

	if (!proxy && !impl(b)->proxied)
		return 0;
	if (proxy && (!colon || strcspn(host, "'\\") < strlen(host)))
		return why_set(why, -E_INVAL, "%s is not http://HOST:PORT", proxy);
	snprintf(text, sizeof(text), js, colon ? (int)(colon - host) : 0, host,
	         colon ? atoi(colon + 1) : 0, proxy ? 1 : 0);
	err = eval_in_chrome(b, text, limit_ms, &said);
	if (err == -E_INVAL)
		return why_set(why, -E_UNSUPPORTED,
		               "this Firefox lets no proxy be set while it runs (%s): use Chromium",
		               said.text);
	if (err != 0)
		return why_set(why, err, "%s", said.text);
	impl(b)->proxied = proxy != NULL;
	return 0;
}

static int firefox_fresh(struct browser *b, const char *proxy, int64_t limit_ms, struct why *why)
{
	struct firefox_page *p = &impl(b)->page, old = *p;
	int64_t deadline = clock_mono_ms() + limit_ms;
	int err;

	impl(b)->crashed = false;
	err = set_proxy(b, proxy, limit_ms, why);
	if (err != 0)
		return err;
	*p = (struct firefox_page){.context = ""};
	err = call_for(b, "browser.createUserContext", json_pack("{s:b}", "acceptInsecureCerts", 1),
	               limit_ms, "userContext", p->user_context, sizeof(p->user_context), why);
	if (err == 0)
		err = call_for(
		    b, "browsingContext.create",
		    json_pack("{s:s, s:s}", "type", "tab", "userContext", p->user_context),
		    clock_left_ms(deadline), "context", p->context, sizeof(p->context), why);
	if (err == 0)
		return discard(b, &old, clock_left_ms(deadline), why);
	discard(b, p, CALL_MS, NULL);
	*p = old;
	return err;
}

static int firefox_open(struct browser *b, const char *url, int64_t limit_ms, struct why *why)
{
	struct why said = {""};
	const char *words;
	int err;

	err = call(b, "browsingContext.navigate",
	           json_pack("{s:s, s:s, s:s}", "context", impl(b)->page.context, "url", url,
	                     "wait", "complete"),
	           limit_ms, NULL, &said);
	words = strrchr(said.text, ' ');
	if (err == -E_TIMEOUT)
		return why_set(why, err, "%s did not finish loading in %lld ms", url,
		               (long long)limit_ms);
	/* "browsingContext.navigate: unknown error: Error: NS_ERROR_CONNECTION_REFUSED" */
	if (err == -E_INVAL)
		return why_set(why, -E_IO, "cannot open %s: %s", url,
		               words && !strncmp(words, " NS_", 4) ? words + 1 : said.text);
	return err == 0 ? 0 : why_set(why, err, "%s", said.text);
}

static int firefox_pump(struct browser *b, int64_t wait_ms, struct why *why)
{
	struct why said = {""};
	int err = bidi_pump(impl(b)->bidi, wait_ms);

	why_set(&said, err, "browser %s: %s", b->name, error_text(err));
	return explain(b, err, &said, why);
}

static int evaluate(struct browser *b, const char *js, int64_t limit_ms, json_t **result,
                    struct why *why)
{
	return call(b, "script.evaluate",
	            json_pack("{s:s, s:{s:s}, s:b, s:s}", "expression", js, "target", "context",
	                      impl(b)->page.context, "awaitPromise", 1, "resultOwnership", "none"),
	            limit_ms, result, why);
}

/* The document in which js ran is gone: was the page left, or did its process die? While Firefox
 * puts others in its place, an empty one may answer, and some calls get no answer. */
static int explain_stale(struct browser *b, const char *js, struct why *why)
{
	int64_t deadline = clock_mono_ms() + CALL_MS;
	char realm[64];
	int err;

	do {
		snprintf(realm, sizeof(realm), "%s", impl(b)->page.realm);
		err = evaluate(b, "0", PROBE_MS, NULL, why);
		if (err == 0)
			err = firefox_pump(b, PROBE_MS, why);
		if (err == 0 && strcmp(realm, impl(b)->page.realm) != 0)
			err = -E_STALE;
	} while ((err == -E_TIMEOUT || err == -E_STALE) && clock_mono_ms() < deadline);
	if (err == 0)
		err = why_set(why, -E_INVAL, "the page was left during: %.120s", js);
	return err;
}

static int firefox_eval(struct browser *b, const char *js, int64_t limit_ms, json_t **value,
                        struct why *why)
{
	json_t *result = NULL;
	const json_t *thrown;
	int err;

	impl(b)->evaluating = true;
	err = evaluate(b, js, limit_ms, &result, why);
	impl(b)->evaluating = false;
	if (err == -E_STALE)
		return explain_stale(b, js, why);
	if (err != 0)
		return err;
	thrown = json_object_get(result, "exceptionDetails");
	if (thrown) {
		const char *text = json_string_value(json_object_get(thrown, "text"));

		err = why_set(why, -E_INVAL, "JavaScript threw %s in: %.120s",
		              text ? text : "something", js);
	} else if (value) {
		json_t *v = bidi_value(json_object_get(result, "result"));

		if (v)
			*value = v;
		else
			err = why_set(why, -E_NOMEM, "out of memory");
	}
	json_decref(result);
	return err;
}

/* ---- a person's hands and eyes ---- */

static int act(struct browser *b, json_t *source, struct why *why)
{
	return call(b, "input.performActions",
	            json_pack("{s:s, s:[o]}", "context", impl(b)->page.context, "actions", source),
	            CALL_MS, NULL, why);
}

static int firefox_click_at(struct browser *b, double x, double y, struct why *why)
{
	return act(b,
	           json_pack("{s:s, s:s, s:[{s:s, s:i, s:i}, {s:s, s:i}, {s:s, s:i}]}", "type",
	                     "pointer", "id", "mouse", "actions", "type", "pointerMove", "x",
	                     (int)x, "y", (int)y, "type", "pointerDown", "button", 0, "type",
	                     "pointerUp", "button", 0),
	           why);
}

/* A key for each code point of the UTF-8 text. */
static int firefox_insert_text(struct browser *b, const char *text, struct why *why)
{
	json_t *actions = json_array();

	while (*text) {
		size_t len = 1;

		while (((unsigned char)text[len] & 0xc0) == 0x80)
			len++;
		json_array_append_new(actions, json_pack("{s:s, s:s%}", "type", "keyDown", "value",
		                                         text, (size_t)len));
		json_array_append_new(
		    actions, json_pack("{s:s, s:s%}", "type", "keyUp", "value", text, (size_t)len));
		text += len;
	}
	return act(
	    b, json_pack("{s:s, s:s, s:o}", "type", "key", "id", "keyboard", "actions", actions),
	    why);
}

static int firefox_screenshot(struct browser *b, int fd, struct why *why)
{
	json_t *result = NULL;
	int err = call(b, "browsingContext.captureScreenshot",
	               json_pack("{s:s}", "context", impl(b)->page.context), CALL_MS, &result, why);

	if (err == 0)
		err = browser_write_base64(fd, json_string_value(json_object_get(result, "data")),
		                           why);
	json_decref(result);
	return err;
}

const struct browser_driver firefox_driver = {
    .product = "Firefox",
    .package = "firefox-esr",
    .programs = programs,
    .start = firefox_start,
    .stop = firefox_stop,
    .fresh = firefox_fresh,
    .open = firefox_open,
    .eval = firefox_eval,
    .click_at = firefox_click_at,
    .insert_text = firefox_insert_text,
    .screenshot = firefox_screenshot,
    .pump = firefox_pump,
};

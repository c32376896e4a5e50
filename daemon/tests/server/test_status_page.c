/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The status page in a real browser, against a running server with real clients: it shows the
 * truth, and clicks take effect.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/rig.h"
#include "daemon/tests/server/talker.h"
#include "harness/browser/tests/page.h"
#include "store/internal.h"
#include "store/snapshot.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVER4   RIG_SERVER4 ":3478"
#define PAGE      "https://" SERVER4 "/admin/"
#define ECHO_PORT 7007
#define ECHO      RIG_PEER4 ":7007"
#define MANY      55 /* more than a page of sessions */
/* 64 bytes: markup, and a character that turns what follows it around. */
#define HOSTILE                                                                                    \
	"<img/src=x/onerror=window.pwned=1>\xe2\x80\xae"                                           \
	"moc.elgoog@ecila__________4"
#define SHOWN "<img/src=x/onerror=window.pwned=1>⟨U+202E⟩moc.elgoog@ecila__________4"

_Static_assert(sizeof(HOSTILE) == 65, "64 bytes");

static struct rig_server server;
static struct rig_program echo;
static char options[224];

/* Adds a user as an older program could, without the rule for printable names. */
static void add_hostile(void)
{
	struct store_keys keys;
	struct store *s;

	wire_key(HOSTILE, "turnpike", "hostile", keys.md5);
	wire_key256(HOSTILE, "turnpike", "hostile", keys.sha256);
	wire_userhash(HOSTILE, "turnpike", keys.userhash);
	assert_int_equal(store_open(server.data, NULL, &s, NULL), 0);
	assert_int_equal(user_insert(s, "turnpike", HOSTILE, &keys, "user add", NULL), 0);
	store_close(s);
}

static int setup(void **state)
{
	*state = &server;
	rig_server_prepare(&server, "page");
	snprintf(options, sizeof(options),
	         "--workers 2 --relay-ports 50000-54999 --listen " SERVER4 " --config %s",
	         rig_file("turnpike.conf", "log_level = info\n"));
	free(rig_verb(&server, "account add ops --admin --password-stdin", "horse-battery\n"));
	free(rig_verb(&server, "account add guest --password-stdin", "only-looking\n"));
	free(rig_verb(&server, "user add alice --password-stdin", "wonderland\n"));
	free(rig_verb(&server, "user add bob --password-stdin", "builder\n"));
	add_hostile();
	rig_server_start(&server, "page", options);
	rig_echo_start(&echo, ECHO_PORT);
	return page_start(BROWSER_CHROMIUM, NULL);
}

static int teardown(void **state)
{
	page_stop();
	rig_signal_and_wait(&echo, SIGTERM, 2000);
	return rig_server_end(state);
}

/* ---- gestures and looks ---- */

#define TEXT(selector) "(document.querySelector('" selector "')?.textContent ?? '')"
#define ROWS           "document.querySelectorAll('#view tbody tr').length"
#define VIEW           "document.body.dataset.view"

static void go(const char *hash)
{
	char js[128];

	snprintf(js, sizeof(js), "location.hash = '%s', 0", hash);
	page_is(js, "0");
}

static void sign_in(const char *name, const char *password)
{
	page_wait(VIEW " == 'sign-in'");
	page_type("#name", name);
	page_type("#password", password);
	page_click("#sign-in-button");
}

/* The same at the end of every test: nothing was thrown, nothing was tried that the policy
 * forbids, nobody's name became markup. */
static void is_sound(void)
{
	page_is("typeof window.pwned", "\"undefined\"");
	page_is("document.querySelectorAll('#view img, #view script').length", "0");
	page_is_calm();
}

/* ---- clients ---- */

static void leave(struct talker *t)
{
	talker_refresh(t, 0);
	talker_close(t);
}

static int http_status(const char *path)
{
	char command[256], *said;
	int status;

	snprintf(command, sizeof(command),
	         "curl -s --noproxy * --max-time 10 -o /dev/null -w %%{http_code} http://" SERVER4
	         "%s",
	         path);
	said = rig_run(command, NULL);
	status = atoi(said);
	free(said);
	return status;
}

/* ---- the tests, one after the other in one browser ---- */

static void signs_in(void **state)
{
	(void)state;
	/* Over plain HTTP a person is told, and shown the way. */
	page_open("http://" SERVER4 "/admin");
	page_is("location.pathname", "\"/admin/\"");
	page_wait(VIEW " == 'sign-in'");
	page_is("document.getElementById('insecure').hidden", "false");
	page_is("document.getElementById('secure-link').href", "\"" PAGE "\"");
	page_open(PAGE);
	page_wait(VIEW " == 'sign-in'");
	page_is("document.getElementById('insecure').hidden", "true");
	page_is(TEXT("#sign-in") ".includes('turnpike account add NAME --admin')", "true");
	sign_in("ops", "wrong");
	page_wait(TEXT("#sign-in-error") " == 'The name or the password is wrong.'");
	page_is("document.activeElement.id", "\"password\"");
	sign_in("ops", "horse-battery");
	page_wait(VIEW " == 'overview'");
	page_is(TEXT("#who"), "\"ops · admin\"");
	page_is("document.getElementById('password').value", "\"\"");
	page_is("document.cookie", "\"\""); /* HttpOnly */
	page_wait("/^\\d+\\.\\d+/.test(" TEXT("#tile-version") ")");
	/* Nobody frames it, and no cache keeps what it was told. */
	page_is(
	    "fetch('/admin/').then(r => r.headers.get('content-security-policy').includes(\"frame-"
	    "ancestors 'none'\"))",
	    "true");
	page_is("fetch('/api/v1/admin/status').then(r => r.headers.get('cache-control'))",
	        "\"no-store\"");
	/* A view outlives a reload, and so does the login. */
	go("#users");
	page_wait(ROWS " == 3");
	page_open("about:blank");
	page_open(PAGE "#users");
	page_wait(ROWS " == 3");
	is_sound();
	/* Were there a mistake in the script, the browser would not let text become markup. */
	page_is(
	    "(() => { try { document.body.innerHTML = '<b>'; } catch (e) { return e.name; } })()",
	    "\"TypeError\"");
	page_is("blocked.splice(0).length", "1");
}

static void shows_sessions(void **state)
{
	struct talker idle, hostile;

	(void)state;
	talker_enter(&idle, SERVER4, false, "alice", "wonderland");
	rig_sleep_ms(20); /* so that one is newer */
	talker_enter(&hostile, SERVER4, false, HOSTILE, "hostile");
	assert_int_equal(talker_permit_to(&hostile, ECHO), 0);
	talker_send_to(&hostile, ECHO, "hello");
	assert_int_equal(talker_receive(&hostile, TALKER_WAIT_MS), 0);
	go("#sessions");
	/* The newest first; a hostile name is a text, and hides nothing. */
	page_wait(ROWS " == 2 && document.querySelector('tbody tr td:nth-child(2)').textContent == "
	               "'" SHOWN "'");
	page_wait(TEXT("tbody tr:nth-child(1) .pill") " == 'used'");
	page_is(TEXT("tbody tr:nth-child(2) .pill"), "\"idle\"");
	page_is(TEXT("tbody tr:nth-child(2) td:nth-child(2)"), "\"alice\"");
	page_is(TEXT("tbody tr:nth-child(2) td:nth-child(4)"), "\"udp\"");
	page_is(TEXT("tbody tr:nth-child(2) td:nth-child(5)") ".startsWith('" RIG_SERVER4 ":')",
	        "true");
	page_is(TEXT("tbody tr:nth-child(1) td:nth-child(7)"), "\"5 B\"");
	page_is(TEXT("tbody tr:nth-child(2) td:nth-child(3)") ".startsWith('" RIG_SERVER4 ":10')",
	        "true");
	/* A refresh keeps the reader's place. */
	page_is("(window.row = document.querySelector('tbody tr:nth-child(2)'), "
	        "window.age = row.cells[5].textContent, row.querySelector('button').focus())",
	        "null");
	page_wait("row.cells[5].textContent != age");
	page_is("document.activeElement == row.querySelector('button') && row.isConnected", "true");
	/* One user's. */
	page_type("[role=search] input", "alice");
	page_click("[role=search] button");
	page_wait(ROWS " == 1 && " TEXT("tbody tr td:nth-child(2)") " == 'alice'");
	page_is("location.hash", "\"#sessions?user=alice\"");
	page_is("document.activeElement.name", "\"user\"");
	/* What happened to it. */
	page_click("tbody tr td:first-child a");
	page_wait(VIEW " == 'story' && " TEXT("[data-table=events]") ".includes('allocated')");
	page_is(TEXT("#verdict") ".length > 10", "true");
	is_sound();
	leave(&idle);
	leave(&hostile);
}

static void pages(void **state)
{
	static struct talker t[MANY];

	(void)state;
	for (size_t i = 0; i < MANY; i++)
		talker_enter(&t[i], SERVER4, false, "bob", "builder");
	go("#sessions?user=bob");
	page_wait(ROWS " == 50");
	page_is("window.last = document.querySelector('tbody tr:last-child').dataset.key, 0", "0");
	page_click(".pages a[href*=after]");
	page_wait("location.hash.includes('after') && " ROWS " == 5");
	page_is("[...document.querySelectorAll('tbody tr')].some(r => r.dataset.key == last)",
	        "false");
	page_is("history.back(), 0", "0");
	page_wait(ROWS " == 50");
	is_sound();
	for (size_t i = 0; i < MANY; i++)
		leave(&t[i]);
}

static void closes(void **state)
{
	struct talker one, other;

	(void)state;
	talker_enter(&one, SERVER4, false, "alice", "wonderland");
	talker_enter(&other, SERVER4, false, "bob", "builder");
	go("#sessions?user=alice");
	page_wait(ROWS " == 1");
	page_click("tbody [data-act=close]");
	page_is(TEXT("#ask-text") ".includes('alice')", "true");
	page_click("#ask-no");
	page_is("document.getElementById('ask').open", "false");
	assert_int_equal(talker_refresh(&one, 600), 0);
	page_click("tbody [data-act=close]");
	page_click("#ask-yes");
	page_wait(ROWS " == 0 && " TEXT("#notice-text") ".includes('was closed')");
	assert_int_equal(talker_refresh(&one, 600), 437);
	assert_int_equal(talker_refresh(&other, 600), 0);
	is_sound();
	talker_close(&one);
	leave(&other);
}

/* The line's last point, from the top. */
#define LINE   "document.querySelector('[data-column=to_peer_bytes_per_s]').getAttribute('d')"
#define LAST_Y "Number(" LINE ".split(' ').at(-1).split('h')[0])"

static void draws(void **state)
{
	struct talker t;

	(void)state;
	talker_enter(&t, SERVER4, false, "alice", "wonderland");
	assert_int_equal(talker_permit_to(&t, ECHO), 0);
	go("#overview");
	page_wait(LINE " && " LINE ".split('L').length > 3");
	page_is("window.before = " LINE ", window.floor = " LAST_Y ", 0", "0");
	for (int i = 0; i < 40; i++) { /* 2 s */
		talker_send_to(&t, ECHO, "a datagram of some length, to be relayed and come back");
		rig_sleep_ms(50);
	}
	page_wait(LINE " != before && " LINE ".split(/[ L]/).some((y, i) => i % 2 && Number(y) < "
	               "floor - 20)");
	page_is(TEXT("#tile-allocations"), "\"1\"");
	page_is("/bit\\/s$/.test(" TEXT(".grid text") ")", "true");
	page_is("document.querySelectorAll('.plot')[0].querySelectorAll('.grid text').length > 8",
	        "true");
	/* Under the pointer, and by the keys. */
	page_is(
	    "(() => { const p = document.querySelector('.plot'), r = p.getBoundingClientRect();"
	    "p.dispatchEvent(new PointerEvent('pointermove', {clientX: r.right - 13, clientY: "
	    "r.top + 50})); return /^\\d\\d:\\d\\d:\\d\\d$/.test(" TEXT(".chart .when") "); })()",
	    "true");
	page_is("document.querySelector('.hair').getAttribute('visibility')", "\"visible\"");
	page_is(
	    "(() => { const p = document.querySelector('.plot'); p.focus(); const was = "
	    "p.getAttribute('aria-valuenow'); p.dispatchEvent(new KeyboardEvent('keydown', {key: "
	    "'ArrowLeft'})); return was - p.getAttribute('aria-valuenow'); })()",
	    "1");
	/* No minute has gone by yet, or hardly one: nothing to draw is no mistake. */
	page_click("[data-range=day]");
	page_wait(
	    "document.querySelector('[data-range=day]').getAttribute('aria-pressed') == 'true' "
	    "&& document.querySelectorAll('.plot .grid text').length > 8");
	page_is("location.hash", "\"#overview?range=day\"");
	is_sound();
	leave(&t);
}

/* A page in the background leaves the server alone. */
static void rests_unseen(void **state)
{
	(void)state;
	page_is("(() => { const real = window.fetch; window.asked = 0;"
	        "window.fetch = (...args) => { asked++; return real(...args); }; return 0; })()",
	        "0");
	page_wait("asked > 1");
	page_is(
	    "(() => { Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
	    "document.dispatchEvent(new Event('visibilitychange')); return 0; })()",
	    "0");
	rig_sleep_ms(300); /* what is under way */
	page_is("window.asked = 0", "0");
	rig_sleep_ms(1500); /* nothing may be asked */
	page_is("asked", "0");
	page_is("(() => { delete document.hidden; document.dispatchEvent(new "
	        "Event('visibilitychange'));"
	        "return asked; })()",
	        "1");
	is_sound();
}

/* A secret that is shown once is gone with the dialog. */
static char *take_once(void)
{
	char *value;

	page_wait("document.getElementById('once').open");
	value = page_text("document.getElementById('once-value').value");
	page_click("#once-done");
	page_wait("document.getElementById('once-value').value == ''");
	return value;
}

static void manages_users(void **state)
{
	struct talker t;
	char *password;

	(void)state;
	go("#users");
	page_wait(ROWS " == 3");
	page_type("#user-form [name=name]", "carol");
	page_click("#user-form button");
	password = take_once();
	page_wait("document.querySelector('[data-key$=\"carol\"]')");
	assert_int_equal(strlen(password), 32);
	assert_int_equal(talker_try(SERVER4, "carol", password), 0);
	/* Once more: refused, and said so. */
	page_type("#user-form [name=name]", "carol");
	page_click("#user-form button");
	page_wait("!document.getElementById('notice').hidden");
	page_is("document.getElementById('once').open", "false");
	page_click("[data-key$=\"carol\"] [data-act=disable]");
	page_click("#ask-yes");
	page_wait(TEXT("[data-key$=\"carol\"] .pill") " == 'disabled'");
	assert_int_equal(talker_try(SERVER4, "carol", password), 401);
	page_click("[data-key$=\"carol\"] [data-act=disable]"); /* "Enable" now: nothing to ask */
	page_wait(TEXT("[data-key$=\"carol\"] .pill") " == 'enabled'");
	assert_int_equal(talker_try(SERVER4, "carol", password), 0);
	/* Revoked: the call ends, and it can be undone. */
	talker_enter(&t, SERVER4, false, "carol", password);
	page_click("[data-key$=\"carol\"] [data-act=revoke]");
	page_click("#ask-yes");
	page_wait(TEXT("[data-key$=\"carol\"] .pill") " == 'disabled'");
	assert_int_equal(talker_refresh(&t, 600) != 0, 1);
	talker_close(&t);
	go("#access");
	page_wait("document.querySelector('[data-table=revocations] tbody tr')");
	page_is(TEXT("[data-table=revocations] bdi"), "\"carol\"");
	page_click("[data-table=revocations] [data-act=undo]");
	page_click("#ask-yes");
	page_wait("!document.querySelector('[data-table=revocations] tbody tr')");
	go("#users");
	page_click("[data-key$=\"carol\"] [data-act=delete]");
	page_click("#ask-yes");
	page_wait(ROWS " == 3");
	assert_int_equal(talker_try(SERVER4, "carol", password), 401);
	free(password);
	is_sound();
}

static void manages_access(void **state)
{
	char *value, *tokens;

	(void)state;
	go("#access");
	page_wait("document.querySelectorAll('[data-table=secrets] tbody tr').length == 1");
	page_click("#secret-form button");
	value = take_once();
	assert_true(strlen(value) >= 20);
	free(value);
	page_wait("document.querySelectorAll('[data-table=secrets] tbody tr').length == 2");
	page_click("[data-table=secrets] [data-key='2'] [data-act=retire]");
	page_is("document.querySelector('#ask [name=after]').value = '3600'", "\"3600\"");
	page_click("#ask-yes");
	page_wait(TEXT("[data-table=secrets] [data-key=\"2\"]") ".includes('live until')");
	page_click("[data-table=secrets] [data-key='2'] [data-act=retire]");
	page_click("#ask-yes");
	page_wait(TEXT("[data-table=secrets] [data-key=\"2\"]") ".includes('retired')");
	page_is(
	    "document.querySelector('[data-table=secrets] [data-key=\"2\"] [data-act=end]').hidden",
	    "true");
	page_click("[data-table=secrets] [data-key='1'] [data-act=retire]");
	page_is("document.querySelector('#ask [name=after]').value = 'now'", "\"now\"");
	page_click("#ask-yes");
	page_wait(TEXT("[data-table=secrets] [data-key=\"1\"]") ".includes('ended')");
	page_type("#token-form [name=label]", "<b>grafana</b>");
	page_click("#token-form button");
	value = take_once();
	assert_memory_equal(value, "tp_", 3);
	free(value);
	page_wait(TEXT("[data-table=tokens]") ".includes('<b>grafana</b>')");
	tokens = rig_verb(&server, "token list", NULL);
	if (!strstr(tokens, "<b>grafana</b>"))
		rig_fail(tokens, tokens, "no such token");
	free(tokens);
	page_click("[data-table=tokens] tbody tr:last-child [data-act=delete]");
	page_click("#ask-yes");
	page_wait("!" TEXT("[data-table=tokens]") ".includes('grafana')");
	page_type("#revoke-form [name=name]", "nobody-of-that-name");
	page_click("#revoke-form button");
	page_click("#ask-yes");
	page_wait(TEXT("[data-table=revocations]") ".includes('nobody-of-that-name')");
	is_sound();
}

static void operates(void **state)
{
	(void)state;
	assert_int_equal(http_status("/readyz"), 200);
	page_click("#nav [href=\"#server\"]");
	page_wait(TEXT("#drain-state") ".startsWith('Serving')");
	page_is("document.activeElement.hash", "\"#server\""); /* for who goes by keys */
	page_is("document.querySelector('#nav [aria-current]').hash", "\"#server\"");
	page_click("#drain-button");
	page_click("#ask-yes");
	page_wait(TEXT("#drain-state") ".startsWith('Draining')");
	page_is("document.getElementById('draining').hidden", "false");
	assert_int_equal(http_status("/readyz"), 503);
	assert_int_equal(talker_try(SERVER4, "alice", "wonderland"), 508);
	page_click("#drain-button");
	page_wait(TEXT("#drain-state") ".startsWith('Serving')");
	assert_int_equal(http_status("/readyz"), 200);
	/* The page reports a fault in the configuration. */
	rig_file("turnpike.conf", "no_such_option = 7\n");
	page_click("#reload-button");
	page_wait(TEXT("#reload-said") ".includes('no_such_option')");
	page_is("document.getElementById('reload-said').className", "\"bad\"");
	rig_file("turnpike.conf", "log_level = info\nuser_quota = 77\n");
	page_click("#reload-button");
	page_wait("document.getElementById('reload-said').className == 'good'");
	page_wait(TEXT("[data-table=config] [data-key=user_quota]") ".includes('77')");
	page_is("document.querySelector('#level-form select').value", "\"info\"");
	page_is("document.querySelector('#level-form select').value = 'warn'", "\"warn\"");
	page_click("#level-form button");
	page_wait(TEXT("#notice-text") " == 'The log level is warn now.'");
	page_is("document.querySelector('#level-form select').value = 'info'", "\"info\"");
	page_click("#level-form button");
	page_wait(TEXT("#notice-text") " == 'The log level is info now.'");
	/* And all of it was written down. */
	page_wait(TEXT("[data-table=audit]") ".includes('drain cancel')");
	page_is(TEXT("[data-table=audit] tbody tr td:nth-child(2)"), "\"account ops\"");
	is_sound();
}

#define ACCOUNT(name) "[data-table=accounts] [data-key=" name "] "

static void manages_accounts(void **state)
{
	char *first, *second;

	(void)state;
	go("#server");
	page_wait("document.querySelectorAll('[data-table=accounts] tbody tr').length == 2");
	page_type("#account-form [name=name]", "carol");
	page_click("#account-form button");
	first = take_once();
	assert_int_equal(strlen(first), 32);
	page_wait(TEXT(ACCOUNT("carol") "td:nth-child(2)") " == 'user'");
	page_type("#account-form [name=name]", "carol");
	page_click("#account-form button");
	page_wait(TEXT("#notice-text") ".includes('exists already')");
	/* A new password, shown once; one's own is changed elsewhere. */
	page_is("document.querySelector('" ACCOUNT("ops") "[data-act=password]')", "null");
	page_click(ACCOUNT("carol") "[data-act=password]");
	page_is(TEXT("#ask-title") ".includes('carol')", "true");
	page_click("#ask-yes");
	second = take_once();
	assert_int_equal(strlen(second), 32);
	assert_string_not_equal(first, second);
	/* The last admin stays, and stays signed in. */
	page_click(ACCOUNT("ops") "[data-act=delete]");
	page_is(TEXT("#ask-text") ".includes('your own')", "true");
	page_click("#ask-yes");
	page_wait(TEXT("#notice-text") ".includes('the last account of role admin')");
	page_wait(TEXT("[data-table=audit]") ".includes('account password')");
	page_click("#sign-out");
	sign_in("carol", second);
	page_wait(TEXT("#who") " == 'carol · user'");
	page_click("#sign-out");
	sign_in("ops", "horse-battery");
	page_wait(TEXT("#who") " == 'ops · admin'");
	go("#server");
	page_click(ACCOUNT("carol") "[data-act=delete]");
	page_click("#ask-no");
	page_click(ACCOUNT("carol") "[data-act=delete]");
	page_click("#ask-yes");
	page_wait("!document.querySelector('" ACCOUNT("carol") "')");
	page_is(TEXT("[data-table=accounts] tbody") ".includes('ops')", "true");
	free(first);
	free(second);
	is_sound();
}

static void shows_usage(void **state)
{
	struct talker t;

	(void)state;
	talker_enter(&t, SERVER4, false, "alice", "wonderland");
	leave(&t);
	go("#usage?user=alice");
	page_wait("document.querySelector('[data-table=usage] [data-key$=\" alice\"]')");
	page_is(TEXT("[data-table=usage] [data-key$=\" alice\"] td:nth-child(6)") " != '0 s'",
	        "true");
	go("#calls");
	page_wait(VIEW " == 'calls' && document.querySelector('#view .hint:not([hidden])')");
	is_sound();
}

#define POST(verb)                                                                                 \
	"fetch('/api/v1/admin/" verb "', {method: 'POST', headers: {'Content-Type': "              \
	"'application/json'}, body: '{}'}).then(r => r.status)"

static void only_looks(void **state)
{
	static const char *const views[] = {"overview", "sessions", "users", "access", "usage"};
	struct talker t;
	char js[64];

	(void)state;
	talker_enter(&t, SERVER4, false, "alice", "wonderland");
	page_click("#sign-out");
	page_wait(VIEW " == 'sign-in'");
	page_is("fetch('/api/v1/admin/whoami').then(r => r.status)", "401");
	page_is("document.getElementById('view').childElementCount", "0");
	sign_in("guest", "only-looking");
	page_wait("document.getElementById('who').textContent == 'guest · user'");
	page_is("document.querySelector('#nav [href=\"#server\"]')", "null");
	for (size_t i = 0; i < sizeof(views) / sizeof(*views); i++) {
		snprintf(js, sizeof(js), "location.hash = '#%s', 0", views[i]);
		page_is(js, "0");
		snprintf(js, sizeof(js), VIEW " == '%s'", views[i]);
		page_wait(js);
		if (i)
			page_wait(
			    "document.querySelector('#view tbody tr, #view .hint:not([hidden])')");
		page_is("document.querySelectorAll('#view [data-act], #view .primary, #view "
		        ".danger').length",
		        "0");
	}
	go("#server");
	page_wait(TEXT("#view") " == 'Only admins can see this.'");
	page_is(POST("drain"), "403");
	page_is(POST("reload"), "403");
	page_is("fetch('/api/v1/admin/audit').then(r => r.status)", "403");
	is_sound();
	leave(&t);
}

static void session_ends(void **state)
{
	(void)state;
	go("#overview");
	page_wait(TEXT("#tile-uptime"));
	free(rig_verb(&server, "account del guest", NULL));
	page_wait(VIEW " == 'sign-in'");
	page_is(TEXT("#sign-in-why"), "\"Your session has ended. Sign in again.\"");
	page_is("document.getElementById('view').childElementCount", "0");
	/* And back to where one was. */
	sign_in("ops", "horse-battery");
	page_wait(VIEW " == 'overview'");
	is_sound();
}

static void type_passwords(const char *current, const char *next, const char *again)
{
	page_click("#own-password");
	page_type("#ask [name=current]", current);
	page_type("#ask [name=next]", next);
	page_type("#ask [name=again]", again);
	page_click("#ask-yes");
}

static void changes_ones_password(void **state)
{
	(void)state;
	type_passwords("horse-battery", "battery-staple", "battery-stable");
	page_wait(TEXT("#notice-text") ".includes('passwords differ')");
	type_passwords("horse-buttery", "battery-staple", "battery-staple");
	page_wait(TEXT("#notice-text") ".includes('current password is wrong')");
	page_is(VIEW, "\"overview\"");
	type_passwords("horse-battery", "short", "short");
	page_wait(TEXT("#notice-text") ".includes('at least 8')");
	/* However long that takes, nobody is thrown out in between. */
	page_is("(() => { window.out = false; new MutationObserver(() => { out ||= " VIEW
	        " == 'sign-in'; }).observe(document.body, {attributes: true}); const real = "
	        "window.fetch; window.fetch = async (url, options) => { if (url.includes('claim')) "
	        "{ window.fetch = real; await new Promise((done) => setTimeout(done, 2500)); } "
	        "return real(url, options); }; return 0; })()",
	        "0");
	type_passwords("horse-battery", "battery-staple", "battery-staple");
	page_wait(TEXT("#notice-text") " == 'Your password was changed.'");
	page_is("out", "false");
	page_is("document.querySelectorAll('input[type=password]').length", "1"); /* to sign in */
	page_wait(TEXT("#tile-uptime"));
	page_is(TEXT("#who"), "\"ops · admin\"");
	page_click("#sign-out");
	sign_in("ops", "battery-staple");
	page_wait(VIEW " == 'overview'");
	is_sound();
}

static void server_goes_away(void **state)
{
	(void)state;
	go("#overview");
	page_wait(TEXT("#tile-uptime"));
	rig_server_stop(&server);
	page_wait("!document.getElementById('away').hidden && "
	          "/does not answer.*Next try in \\d+ s/.test(" TEXT("#away-text") ")");
	page_is(VIEW, "\"overview\""); /* what was known last stays */
	rig_server_start(&server, "page", options);
	/* Also where it came back by itself meanwhile, and the button is gone. */
	page_is("(document.getElementById('away-now').click(), true)", "true");
	/* It has forgotten all logins. */
	page_wait(VIEW " == 'sign-in'");
	page_is("document.getElementById('away').hidden", "true");
	is_sound();
}

static void guessing_is_slow(void **state)
{
	(void)state;
	page_is(
	    "Promise.all([...Array(12)].map(() => fetch('/api/v1/admin/login', {method: 'POST', "
	    "headers: {'Content-Type': 'application/json'}, body: JSON.stringify({name: 'x', "
	    "password: 'wrong'})}))).then(all => all.some(r => r.status == 429))",
	    "true");
	sign_in("ops", "horse-battery");
	page_wait("/Too many tries.* in \\d+ s/.test(" TEXT("#sign-in-error") ")");
	page_is("document.getElementById('sign-in-button').disabled", "true");
	is_sound();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(signs_in),
	    cmocka_unit_test(shows_sessions),
	    cmocka_unit_test(pages),
	    cmocka_unit_test(closes),
	    cmocka_unit_test(draws),
	    cmocka_unit_test(rests_unseen),
	    cmocka_unit_test(manages_users),
	    cmocka_unit_test(manages_access),
	    cmocka_unit_test(operates),
	    cmocka_unit_test(manages_accounts),
	    cmocka_unit_test(shows_usage),
	    cmocka_unit_test(only_looks),
	    cmocka_unit_test(session_ends),
	    cmocka_unit_test(changes_ones_password),
	    cmocka_unit_test(server_goes_away),
	    cmocka_unit_test(guessing_is_slow),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, teardown);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The page script's view of media, in a real browser and without a network.
 */
#include "harness/browser/tests/page.h"
#include "harness/scenarios/inject.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* As long as a scenario watches. The connection is a stub: only the stream is looked at here. */
#define WATCH                                                                                      \
	"(async stop_after => {"                                                                   \
	"  const stream = await navigator.mediaDevices.getUserMedia({audio: true, video: true});"  \
	"  const video = document.querySelector('#received_video');"                               \
	"  video.srcObject = stream;"                                                              \
	"  await video.play();"                                                                    \
	"  const channel = Object.assign(new EventTarget(), {readyState: 'connecting'});"          \
	"  harness.connections.push({errors: [], channel, pc: {connectionState: 'connected',"      \
	"    signalingState: 'stable', getStats: async () => new Map()}});"                        \
	"  if (stop_after)"                                                                        \
	"    setTimeout(() => stream.getTracks().forEach(t => t.stop()), stop_after);"             \
	"  return harness.observe(2500);"                                                          \
	"})"

/* A call of the page with itself: what is read while it runs, after it, and since after it. */
#define CALL_ITSELF                                                                                \
	"(async () => {"                                                                           \
	"  const a = new RTCPeerConnection(), b = new RTCPeerConnection();"                        \
	"  a.onicecandidate = e => e.candidate && b.addIceCandidate(e.candidate);"                 \
	"  b.onicecandidate = e => e.candidate && a.addIceCandidate(e.candidate);"                 \
	"  const stream = await navigator.mediaDevices.getUserMedia({audio: true, video: true});"  \
	"  stream.getTracks().forEach(t => a.addTrack(t, stream));"                                \
	"  await a.setLocalDescription();"                                                         \
	"  await b.setRemoteDescription(a.localDescription);"                                      \
	"  await b.setLocalDescription();"                                                         \
	"  await a.setRemoteDescription(b.localDescription);"                                      \
	"  while (b.connectionState !== 'connected' || a.connectionState !== 'connected')"         \
	"    await new Promise(done => setTimeout(done, 50));"                                     \
	"  await new Promise(done => setTimeout(done, 2400));"                                     \
	"  const during = await harness.evidence();"                                               \
	"  a.close();"                                                                             \
	"  b.close();"                                                                             \
	"  await new Promise(done => setTimeout(done, 700));"                                      \
	"  return {during, after: await harness.evidence(),"                                       \
	"    since: await harness.evidence(Date.now() + 1)};"                                      \
	"})()"

static enum browser_product product; /* that the tests run with now */

static int setup(void **state)
{
	char path[96], url[128], *script = NULL;
	FILE *f;
	int err;

	(void)state;
	if (asprintf(&script, "%s({peer: 90, hz: 600, fps: 10})", inject_js) < 0)
		return -1;
	err = page_start(product, script);
	free(script);
	if (err)
		return -1;
	/* A file is a secure context, where there are media devices. */
	snprintf(path, sizeof(path), "%s/page.html", page_folder());
	snprintf(url, sizeof(url), "file://%s", path);
	f = fopen(path, "we");
	if (!f || fputs("<!doctype html><video id=received_video muted></video>", f) < 0 ||
	    fclose(f) != 0)
		return -1;
	page_open(url);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return page_stop();
}

static json_t *watch(int stop_after_ms)
{
	char js[2048];

	snprintf(js, sizeof(js), WATCH "(%d)", stop_after_ms);
	return page_value(js);
}

static double number(const json_t *view, const char *part, const char *key)
{
	return json_number_value(json_object_get(json_object_get(view, part), key));
}

/* A call is watched once media has begun. The stub below tells of frames and sound as asked. */
static void test_media_that_has_begun(void **state)
{
	(void)state;
	page_is("harness.flows()", "false");
	page_is("(() => { window.told = {type: 'inbound-rtp', kind: 'video', framesDecoded: 1};"
	        "window.heard = {type: 'inbound-rtp', kind: 'audio', totalAudioEnergy: 0.1};"
	        "harness.connections.push({errors: [], pc: {connectionState: 'connected',"
	        "getStats: async () => new Map([['v', told], ['a', heard]])}});"
	        "return harness.flows(); })()",
	        "false");
	page_is("(told.framesDecoded = 9, harness.flows())", "true");
	page_is("(heard.totalAudioEnergy = 0, harness.flows())", "false");
}

static void test_lasting_media(void **state)
{
	json_t *view = watch(0);

	(void)state;
	assert_true(number(view, "picture", "peer") == 90);
	assert_true(number(view, "picture", "distinct") >= 2);
	assert_true(number(view, "tone", "hz") > 575 && number(view, "tone", "hz") < 625);
	assert_true(number(view, "tone", "db") > -70);
	json_decref(view);
}

static void test_media_that_stops_while_watched(void **state)
{
	json_t *view = watch(700);

	(void)state;
	assert_true(number(view, "picture", "distinct") < 2);
	assert_true(number(view, "tone", "db") < -70);
	json_decref(view);
}

/* How many events there are of a kind with such a text. */
static size_t count_events(const json_t *evidence, const char *kind, const char *text)
{
	json_t *event;
	size_t i, n = 0;

	json_array_foreach (json_object_get(evidence, "events"), i, event) {
		const char *k = json_string_value(json_object_get(event, "kind"));
		const char *t = json_string_value(json_object_get(event, "text"));

		assert_true(json_is_integer(json_object_get(event, "t")));
		n += !strcmp(k, kind) && !strncmp(t, text, strlen(text));
	}
	return n;
}

static json_t *get(const json_t *evidence, const char *part, const char *key)
{
	return json_object_get(json_object_get(evidence, part), key);
}

static double field(const json_t *evidence, const json_t *row, const char *name)
{
	json_t *fields = get(evidence, "series", "fields"), *f;
	size_t i;

	json_array_foreach (fields, i, f) {
		if (!strcmp(json_string_value(f), name))
			return json_number_value(json_array_get(row, i));
	}
	fail_msg("no field %s", name);
	return 0;
}

/* Times rise, and so do bytes and frames: the newer connection receives. */
static void check_series(const json_t *evidence)
{
	json_t *rows = get(evidence, "series", "rows");
	size_t n = json_array_size(rows);
	const json_t *last = json_array_get(rows, n - 1), *before = json_array_get(rows, n - 3);

	assert_true(n >= 4 && n <= 10);
	assert_true(field(evidence, last, "t") - field(evidence, before, "t") > 700);
	assert_true(field(evidence, last, "in") > field(evidence, before, "in"));
	assert_true(field(evidence, last, "frames") > field(evidence, before, "frames"));
	assert_true(field(evidence, last, "received") > field(evidence, before, "received"));
}

static void test_evidence_of_a_call(void **state)
{
	json_t *all = page_value(CALL_ITSELF), *during, *after, *pair, *local;

	(void)state;
	during = json_object_get(all, "during");
	after = json_object_get(all, "after");
	assert_int_equal(count_events(during, "pc", "made"), 2);
	assert_int_equal(count_events(during, "media", ""), 1);
	assert_int_equal(count_events(during, "connection", "connected"), 2);
	assert_int_equal(count_events(during, "signaling", "have-remote-offer"), 1);
	assert_int_equal(count_events(during, "track", "video from the other end"), 1);
	assert_true(count_events(during, "chosen pair", "host ") >= 1);
	assert_true(count_events(during, "local candidate", "host udp") >= 2);
	assert_int_equal(count_events(during, "connection", "closed"), 0);
	assert_int_equal(count_events(after, "connection", "closed"), 2);
	check_series(during);

	local = json_array_get(get(during, "candidates", "local"), 0);
	assert_string_equal(json_string_value(json_object_get(local, "type")), "host");
	assert_true(json_integer_value(json_object_get(local, "port")) > 0);
	assert_true(json_array_size(get(during, "candidates", "remote")) >= 2);
	/* The chosen pair outlives its connection. */
	pair = json_array_get(json_object_get(after, "pairs"), 0);
	assert_true(json_is_true(json_object_get(pair, "selected")));
	assert_string_equal(json_string_value(get(pair, "local", "type")), "host");

	assert_int_equal(json_array_size(json_object_get(json_object_get(all, "since"), "events")),
	                 0);
	json_decref(all);
}

static void test_diary_is_bounded(void **state)
{
	json_t *evidence, *events;

	(void)state;
	evidence = page_value("(async () => { for (let i = 0; i < 5000; i++)"
	                      "  harness.note('test', `${i}${'x'.repeat(1000)}`);"
	                      " return harness.evidence(); })()");
	events = json_object_get(evidence, "events");
	assert_int_equal(json_array_size(events), 401);
	assert_int_equal(count_events(evidence, "test", "0x"), 1);
	assert_int_equal(count_events(evidence, "test", "4999x"), 1);
	assert_int_equal(count_events(evidence, "diary", "4"), 1);
	assert_true(
	    strlen(json_string_value(json_object_get(json_array_get(events, 400), "text"))) == 300);
	json_decref(evidence);
}

/* The configuration that a page's connection gets in the end, as JSON text. */
#define CONFIGURE                                                                                  \
	"(wanted => {"                                                                             \
	"  harness.setIce(wanted);"                                                                \
	"  const pc = new RTCPeerConnection({bundlePolicy: 'max-bundle', iceServers: ["            \
	"    {urls: 'stun:a.test'}, {urls: ['turn:a.test', 'turn:a.test?transport=tcp'],"          \
	"    username: 'u', credential: 'c'}]});"                                                  \
	"  const c = pc.getConfiguration();"                                                       \
	"  pc.close();"                                                                            \
	"  return [c.bundlePolicy, c.iceTransportPolicy, harness.given.length,"                    \
	"    c.iceServers.flatMap(s => s.urls).join(' ')].join('; ');"                             \
	"})"

static void expect_configuration(const char *wanted, const char *text)
{
	char js[2048], *got;

	snprintf(js, sizeof(js), CONFIGURE "(%s)", wanted);
	got = page_text(js);
	assert_string_equal(got, text);
	free(got);
}

static void test_ice_servers_of_the_page_and_of_the_harness(void **state)
{
	(void)state;
	expect_configuration(
	    "{}", "max-bundle; all; 3; stun:a.test turn:a.test turn:a.test?transport=tcp");
	expect_configuration("{only: 'turn:a.test?transport=tcp', policy: 'relay'}",
	                     "max-bundle; relay; 3; turn:a.test?transport=tcp");
	expect_configuration("{servers: [{urls: 'turn:b.test', username: 'u', credential: 'c'}]}",
	                     "max-bundle; all; 3; turn:b.test");
	expect_configuration("{only: 'turn:not-given.test'}", "max-bundle; all; 3; ");
}

/* A counter that stands still for 1.5 s; sound that never does. */
static void test_pulse_sees_a_gap(void **state)
{
	json_t *pulse;
	const char *js =
	    "(async () => {"
	    "  let frames = 0, packets = 0;"
	    "  const wait = ms => new Promise(done => setTimeout(done, ms));"
	    "  let running = true;"
	    "  setInterval(() => { frames += running; packets++; }, 50);"
	    "  harness.connections.push({errors: [], pc: {connectionState: 'connected',"
	    "    getStats: async () => new Map(["
	    "      ['v', {type: 'inbound-rtp', kind: 'video', framesDecoded: frames}],"
	    "      ['a', {type: 'inbound-rtp', kind: 'audio', packetsReceived: packets,"
	    "             packetsLost: Math.floor(packets / 4)}]])}});"
	    "  harness.startPulse();"
	    "  await wait(600); running = false; await wait(1500); running = true; await wait(600);"
	    "  return harness.pulse();"
	    "})()";

	(void)state;
	pulse = page_value(js);
	assert_true(number(pulse, "picture", "longestMs") >= 1400);
	assert_true(number(pulse, "picture", "silentMs") < 600);
	assert_true(number(pulse, "picture", "gaps") == 1);
	assert_true(number(pulse, "picture", "resumedAt") > 0);
	assert_true(number(pulse, "sound", "gaps") == 0);
	assert_true(number(pulse, "sound", "longestMs") < 1000);
	assert_true(json_number_value(json_object_get(pulse, "lossPercent")) > 10 &&
	            json_number_value(json_object_get(pulse, "lossPercent")) < 30);
	json_decref(pulse);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_media_that_has_begun, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_lasting_media, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_ice_servers_of_the_page_and_of_the_harness, setup,
	                                    teardown),
	    cmocka_unit_test_setup_teardown(test_media_that_stops_while_watched, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_evidence_of_a_call, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_diary_is_bounded, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_pulse_sees_a_gap, setup, teardown),
	};

	char program[PATH_MAX];
	int failed = 0, ran = 0;
	struct why why;

	signal(SIGPIPE, SIG_IGN);
	for (product = 0; product < BROWSER_PRODUCTS; product++) {
		if (browser_find(product, NULL, program, &why) != 0) {
			fprintf(stderr, "left out: %s\n", why.text);
			continue;
		}
		fprintf(stderr, "%s\n", program);
		failed += cmocka_run_group_tests(tests, NULL, NULL);
		ran++;
	}
	return ran ? failed : 1;
}

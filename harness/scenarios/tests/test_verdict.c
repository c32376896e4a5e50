/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The verdict over calls: a good one passes, and each thing that can be wrong
 * is told in its own sentence.
 */
#include "harness/scenarios/verdict.h"

#include "harness/scenarios/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct end_mark marks[2] = {{"alice", 0x5a, 600}, {"bob", 0xa3, 1000}};
static const struct call_expect relayed = {.path = PATH_RELAY, .relay_protocol = {"udp", "udp"}};
static const struct call_expect direct = {.path = PATH_DIRECT};

/* As harness.observe() tells of a good end. */
static const char good_json[] =
    "{'connections':1,'state':'connected','signaling':'stable','connectedAt':1700000000300,'errors'"
    ":[],"
    "'pair':{'local':{'type':'host','protocol':'udp','relayProtocol':'','address':'203.0.113.31'},"
    "'remote':{'type':'host','protocol':'udp','relayProtocol':'','address':''},'rttMs':1.5},"
    "'gathered':{'host':2,'srflx':1,'relay':1},'windowMs':2500,'framesBefore':20,"
    "'framesAfter':45,'audioEnergy':0.2,"
    "'picture':{'reads':24,'coded':22,'peer':163,'distinct':20,'bright':255,'delayMs':90},"
    "'tone':{'hz':1000.5,'db':-20},'echoMs':4.5,'paintFps':9.8}";

static struct end_view view[2];
static struct result result;

static int setup(void **state)
{
	char text[sizeof(good_json)];
	json_t *json;

	(void)state;
	memcpy(text, good_json, sizeof(text));
	for (char *p = text; *p; p++) {
		if (*p == '\'')
			*p = '"';
	}
	json = json_loads(text, 0, NULL);
	if (!json || end_view_parse(json, &view[0]) != 0)
		return -1;
	json_decref(json);
	view[1] = view[0];
	view[1].picture_end = 0x5a;
	view[1].tone_hz = 598;
	view[1].connected_at_ms += 14;
	result_init(&result, "test", "test");
	return 0;
}

static bool judge(const struct call_expect *expect)
{
	return verdict_judge(expect, marks, view, 1700000000100.0, &result);
}

/* It says what was expected and what happened, the likeliest cause, and what to look at. */
static void is_a_whole_sentence(const char *text)
{
	const char *should = strstr(text, " should "), *cause = strstr(text, "; most likely: ");
	const char *look = strstr(text, ". Look at: ");

	if (!should || !strstr(text, ", but ") || !cause || !look || cause < should ||
	    look < cause || text[strlen(text) - 1] != '.')
		fail_msg("not a whole sentence: %s", text);
	assert_true(strlen(text) + 1 < RESULT_TEXT); /* nor was its end cut off */
}

static void expect_one_failure(const char *part)
{
	if (result.failure_n != 1)
		fail_msg("%zu failures; first: %s", result.failure_n, result.failure[0]);
	if (!strstr(result.failure[0], part))
		fail_msg("not about \"%s\": %s", part, result.failure[0]);
	is_a_whole_sentence(result.failure[0]);
}

static void make_relayed(void)
{
	strcpy(view[0].local.type, "relay");
	strcpy(view[0].local.relay_protocol, "udp");
	strcpy(view[0].remote.type, "prflx");
	strcpy(view[1].local.type, "prflx");
	strcpy(view[1].remote.type, "relay");
}

static void test_good_call_passes(void **state)
{
	(void)state;
	assert_true(judge(&direct));
	assert_int_equal(result.failure_n, 0);
	assert_int_equal(result.state, RESULT_PASSED);
	assert_string_equal(result.path, "direct, host/host and host/host");
	assert_true(result_find(&result, "connected")->value == 214);
	assert_true(result_find(&result, "frame_rate_a")->value == 10);
}

/* One relay leg is normal: the pair with it has the higher priority. */
static void test_one_relay_leg_is_a_relay(void **state)
{
	(void)state;
	make_relayed();
	judge(&relayed);
	assert_int_equal(result.failure_n, 0);
	assert_string_equal(result.path, "relay udp, relay/prflx and prflx/relay");
}

static void test_two_relay_legs_where_they_are_asked_for(void **state)
{
	static const struct call_expect both = {
	    .path = PATH_RELAY, .relay_protocol = {"udp", "udp"}, .both_legs = true};

	(void)state;
	make_relayed();
	judge(&both);
	expect_one_failure("b should send from a relay candidate, but sends from prflx");
	setup(NULL);
	make_relayed();
	strcpy(view[1].local.type, "relay");
	strcpy(view[1].local.relay_protocol, "udp");
	judge(&both);
	assert_int_equal(result.failure_n, 0);
}

static void test_remote_relay_hidden_as_prflx_is_a_relay(void **state)
{
	(void)state;
	make_relayed();
	strcpy(view[1].remote.type, "prflx");
	assert_int_equal(verdict_path(view), PATH_RELAY);
	judge(&relayed);
	assert_int_equal(result.failure_n, 0);
}

static void test_wrong_path(void **state)
{
	(void)state;
	judge(&relayed);
	expect_one_failure("the call should be relayed, but it is direct");
	setup(NULL);
	make_relayed();
	judge(&direct);
	expect_one_failure("the call should be direct, but it is relayed");
}

static void test_no_way_is_proven_by_failure(void **state)
{
	static const struct call_expect none = {.path = PATH_NONE};

	(void)state;
	strcpy(view[0].state, "failed");
	strcpy(view[1].state, "connecting");
	assert_false(judge(&none));
	assert_int_equal(result.failure_n, 0);
	assert_string_equal(result.path, "none, as expected");

	setup(NULL);
	judge(&none);
	expect_one_failure("The server's URIs should allow no connection");

	setup(NULL);
	strcpy(view[0].state, "none");
	view[0].connections = 0;
	judge(&none);
	expect_one_failure("alice should try to connect");
}

static void test_ends_that_contradict(void **state)
{
	(void)state;
	make_relayed();
	strcpy(view[1].remote.type, "host");
	judge(&relayed);
	expect_one_failure("bob should see a relay (or prflx) one, but sees host");
}

static void test_packets_from_another_address_than_the_relayed(void **state)
{
	(void)state;
	make_relayed();
	strcpy(view[0].local.address, "198.51.100.77");
	strcpy(view[1].remote.address, "203.0.113.10");
	judge(&relayed);
	expect_one_failure("bob should get packets from alice's relayed address 198.51.100.77, but "
	                   "gets them from 203.0.113.10");
	assert_false(result.raced);

	setup(NULL);
	make_relayed();
	strcpy(view[0].local.address, "198.51.100.77");
	strcpy(view[1].remote.type, "prflx");
	strcpy(view[1].remote.address, ""); /* hidden */
	judge(&relayed);
	assert_int_equal(result.failure_n, 0);
}

static void test_wrong_relay_protocol(void **state)
{
	(void)state;
	make_relayed();
	strcpy(view[0].local.relay_protocol, "tls");
	judge(&relayed);
	expect_one_failure("alice should reach its relay over udp, but reaches it over tls");
}

static void test_causes_of_no_connection(void **state)
{
	(void)state;
	strcpy(view[1].state, "failed");
	assert_false(judge(&relayed));
	expect_one_failure(
	    "but its connectionState is \"failed\" after it gathered 2 host, 1 srflx "
	    "and 1 relay candidates; most likely: it has a relay");

	setup(NULL);
	strcpy(view[1].state, "new");
	view[1].gathered_relay = 0;
	judge(&relayed);
	expect_one_failure("gathered no relay candidate");

	setup(NULL);
	strcpy(view[1].state, "failed");
	strcpy(view[1].error, "401 Unauthorized (turn:203.0.113.10)");
	judge(&relayed);
	expect_one_failure(
	    "and saw the error 401 Unauthorized (turn:203.0.113.10); most likely: the "
	    "TURN server refuses the credentials. Look at: username and credential");

	/* That one transport is blocked is no cause where another gave a relay. */
	setup(NULL);
	strcpy(view[1].state, "failed");
	strcpy(view[1].error, "701 timed out (turn:203.0.113.10)");
	judge(&relayed);
	expect_one_failure("most likely: it has a relay candidate");
	setup(NULL);
	strcpy(view[1].state, "failed");
	strcpy(view[1].error, "701 timed out (turn:203.0.113.10)");
	view[1].gathered_relay = 0;
	judge(&relayed);
	expect_one_failure("most likely: the server does not answer. Look at: whether it listens");

	setup(NULL);
	strcpy(view[1].state, "failed");
	strcpy(view[1].error, "499 of its own (turn:203.0.113.10)");
	judge(&direct);
	expect_one_failure("most likely: the browser reports an ICE server error. Look at: the "
	                   "server's log");

	setup(NULL);
	strcpy(view[1].state, "connecting");
	strcpy(view[1].signaling, "have-local-offer");
	judge(&direct);
	expect_one_failure("it got no answer to its offer");

	setup(NULL);
	view[1].connections = 0;
	strcpy(view[1].state, "none");
	judge(&direct);
	expect_one_failure("made no RTCPeerConnection");

	setup(NULL);
	strcpy(view[1].state, "connecting");
	view[1].gathered_host = view[1].gathered_srflx = view[1].gathered_relay = 0;
	judge(&direct);
	expect_one_failure("gathered no candidates at all");

	/* "connected" without a pair is not connected either. */
	setup(NULL);
	view[1].has_pair = false;
	judge(&direct);
	assert_int_equal(result.failure_n, 1);
}

/* 701 says least of all errors. */
static void test_worst_error_is_told(void **state)
{
	json_t *json = json_loads(
	    "{\"state\":\"failed\",\"errors\":[\"701 a\",\"486 b\",\"401 c\"]}", 0, NULL);
	struct end_view v;

	(void)state;
	assert_int_equal(end_view_parse(json, &v), 0);
	assert_string_equal(v.error, "486 b");
	json_decref(json);
}

static void test_path_names_both_legs(void **state)
{
	(void)state;
	make_relayed();
	strcpy(view[0].local.relay_protocol, "tcp");
	strcpy(view[1].local.type, "relay");
	strcpy(view[1].local.relay_protocol, "tls");
	judge(&(struct call_expect){.path = PATH_RELAY});
	assert_string_equal(result.path, "relay tcp/tls, relay/prflx and relay/relay");
	assert_string_equal(result_path_word(&result), "tls");
}

static void test_video_faults(void **state)
{
	(void)state;
	view[0].frames_before = view[0].frames_after = 0;
	judge(&direct);
	expect_one_failure("alice should decode bob's video, but decoded no frame");

	setup(NULL);
	view[0].frames_before = 44;
	judge(&direct);
	expect_one_failure("rose by 1 in 2.5 s (to 45)");

	setup(NULL);
	view[0].picture_reads = 0;
	judge(&direct);
	expect_one_failure("there is no picture");

	setup(NULL);
	view[0].picture_coded = 0;
	view[0].picture_bright = 16;
	judge(&direct);
	expect_one_failure("but sees black");

	setup(NULL);
	view[0].picture_coded = 0;
	judge(&direct);
	expect_one_failure("but sees something else");

	setup(NULL);
	view[0].picture_end = 0x5a;
	judge(&direct);
	expect_one_failure("alice should see bob, but sees itself");

	setup(NULL);
	view[0].picture_end = 7;
	judge(&direct);
	expect_one_failure("but sees code 7");

	setup(NULL);
	view[0].picture_distinct = 1;
	judge(&direct);
	expect_one_failure("should move, but stood still");
}

static void test_audio_faults(void **state)
{
	(void)state;
	view[1].tone_db = -200;
	judge(&direct);
	expect_one_failure("bob should hear alice's tone of 600 Hz, but hears nothing");

	setup(NULL);
	view[1].audio_energy = 0;
	judge(&direct);
	expect_one_failure("hears nothing");

	setup(NULL);
	view[1].tone_hz = 1000;
	judge(&direct);
	expect_one_failure("the page plays back the local stream");

	setup(NULL);
	view[1].tone_hz = 50;
	judge(&direct);
	expect_one_failure("but hears 50 Hz; most likely: the other end sent another source");
}

static void test_views_that_are_no_views(void **state)
{
	static const char *const texts[] = {"null", "[]", "\"x\"", "{}", "{\"state\":1}"};
	struct end_view v;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		json_t *json = json_loads(texts[i], JSON_DECODE_ANY, NULL);

		assert_int_equal(end_view_parse(json, &v), -E_PARSE);
		json_decref(json);
	}
	json_t *json = json_loads("{\"state\":\"none\",\"errors\":[1]}", 0, NULL);

	assert_int_equal(end_view_parse(json, &v), 0);
	assert_int_equal(v.picture_end, -1);
	assert_string_equal(v.error, "");
	assert_false(v.has_pair);
	json_decref(json);
}

/* ICE may settle for a relay, or for TCP to it, milliseconds before the better way is there. */
static void test_worse_path_may_be_a_lost_race(void **state)
{
	(void)state;
	make_relayed();
	judge(&direct);
	assert_int_equal(result.state, RESULT_FAILED);
	assert_true(result.raced);

	setup(NULL);
	make_relayed();
	strcpy(view[0].local.relay_protocol, "tcp");
	judge(&relayed);
	assert_int_equal(result.state, RESULT_FAILED);
	assert_true(result.raced);

	/* Likewise where both ends are bound to their relays: the other one was ready first. */
	setup(NULL);
	make_relayed();
	strcpy(view[1].local.type, "relay");
	strcpy(view[1].local.relay_protocol, "tcp");
	judge(&(const struct call_expect){
	    .path = PATH_RELAY, .relay_protocol = {"udp", "udp"}, .both_legs = true});
	expect_one_failure("bob should reach its relay over udp, but reaches it over tcp");
	assert_true(result.raced);

	/* Better than theory allows is no bad luck, and neither is anything else that is wrong. */
	setup(NULL);
	judge(&relayed);
	assert_int_equal(result.state, RESULT_FAILED);
	assert_false(result.raced);

	setup(NULL);
	make_relayed();
	view[0].echo_ms = -1;
	judge(&direct);
	assert_false(result.raced);

	setup(NULL);
	judge(&direct);
	assert_false(result.raced);
}

static void test_data_channel_without_echo(void **state)
{
	(void)state;
	view[1].echo_ms = -1;
	judge(&direct);
	expect_one_failure("bob should get its data channel message back from alice");
}

/* The failure stays to be read, but nobody is blamed for it. */
static void test_busy_machine_is_no_failure(void **state)
{
	(void)state;
	view[0].paint_fps = 2;
	judge(&direct);
	assert_int_equal(result.failure_n, 0); /* a good call is a good call */

	setup(NULL);
	view[0].paint_fps = 2;
	view[1].echo_ms = -1;
	judge(&direct);
	assert_int_equal(result.state, RESULT_INCONCLUSIVE);
	assert_int_equal(result.failure_n, 2);
	assert_non_null(strstr(result.failure[0], "too busy to judge"));

	setup(NULL);
	view[0].paint_fps = 9;
	view[1].echo_ms = -1;
	judge(&direct);
	assert_int_equal(result.state, RESULT_FAILED);
}

/* The page was given nothing: that is the one cause, whatever came of it. */
static void test_empty_ice_servers_have_one_cause(void **state)
{
	static const char cause[] =
	    "most likely: the page got no ICE servers: its iceServers are empty";

	(void)state;
	view[1].servers = 0;
	judge(&direct); /* which comes up all the same */
	expect_one_failure(cause);

	setup(NULL);
	view[1].servers = 0;
	judge(&relayed); /* and is direct */
	expect_one_failure(cause);

	setup(NULL);
	make_relayed();
	view[1].servers = 0;
	judge(&direct);
	expect_one_failure(cause);
	assert_false(result.raced);

	for (int relay = 0; relay < 2; relay++) {
		setup(NULL);
		view[1].servers = 0;
		strcpy(view[1].state, "failed");
		view[1].gathered_srflx = view[1].gathered_relay = 0;
		judge(relay ? &relayed : &direct);
		expect_one_failure(cause);
	}
}

static void test_names_that_do_not_resolve(void **state)
{
	static const char error[] =
	    "701 TURN host lookup received error. (turn:turn.example.org:3478?transport=udp)";
	static const char cause[] = "most likely: the name of the ICE server does not resolve";
	json_t *json =
	    json_pack("{s:s,s:[s,s]}", "state", "failed", "errors", "701 timed out", error);
	struct end_view v;

	(void)state;
	assert_int_equal(end_view_parse(json, &v), 0);
	assert_string_equal(v.error, error);
	json_decref(json);

	strcpy(view[1].state, "failed");
	strcpy(view[1].error, error);
	view[1].gathered_srflx = view[1].gathered_relay = 0;
	judge(&relayed);
	expect_one_failure(cause);

	setup(NULL);
	strcpy(view[1].state, "failed");
	strcpy(view[1].error, error);
	view[1].gathered_srflx = view[1].gathered_relay = 0;
	judge(&direct);
	expect_one_failure(cause);

	/* Firefox says no more than that. */
	setup(NULL);
	strcpy(view[1].state, "failed");
	strcpy(view[1].error, "701  (turn:turn.example.org:3478?transport=udp)");
	view[1].gathered_relay = 0;
	judge(&relayed);
	expect_one_failure("most likely: the server does not answer, or its name does not resolve");

	/* One of two names is enough. */
	setup(NULL);
	strcpy(view[1].state, "failed");
	strcpy(view[1].error, error);
	judge(&relayed);
	expect_one_failure("most likely: it has a relay candidate");
}

/* UDP where none should be is no fault of a listener. */
static void test_a_leak_is_no_silent_listener(void **state)
{
	static const struct call_expect by_tcp = {.path = PATH_RELAY, .relay_protocol = {"tcp"}};

	(void)state;
	make_relayed();
	judge(&by_tcp);
	expect_one_failure(
	    "alice should reach its relay over tcp, but reaches it over udp; most likely: "
	    "the NAT leaks");
	setup(NULL);
	make_relayed();
	strcpy(view[0].local.relay_protocol, "tls");
	judge(&by_tcp);
	expect_one_failure("the better transport's listener does not answer");
}

static void test_black_frames_are_frames(void **state)
{
	(void)state;
	view[0].picture_coded = 0;
	view[0].picture_bright = 16;
	judge(&direct);
	expect_one_failure("the decoded frames are black");
}

/* A page that has a core and does not paint uses it for something else. */
static void test_a_page_that_hogs_its_thread(void **state)
{
	(void)state;
	view[0].paint_fps = 2;
	view[0].page_cpu = 0.17;
	view[1].echo_ms = -1;
	judge(&direct);
	assert_int_equal(result.state, RESULT_FAILED);
	assert_int_equal(result.failure_n, 2);
	assert_non_null(strstr(result.failure[0], "alice's page should paint its own picture"));
	assert_non_null(strstr(result.failure[0], "a script of the page blocks its thread"));
	is_a_whole_sentence(result.failure[0]);

	setup(NULL);
	view[0].paint_fps = 2;
	view[0].page_cpu = 0.07;
	view[1].echo_ms = -1;
	judge(&direct);
	assert_int_equal(result.state, RESULT_INCONCLUSIVE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_good_call_passes, setup),
	    cmocka_unit_test_setup(test_one_relay_leg_is_a_relay, setup),
	    cmocka_unit_test_setup(test_two_relay_legs_where_they_are_asked_for, setup),
	    cmocka_unit_test_setup(test_remote_relay_hidden_as_prflx_is_a_relay, setup),
	    cmocka_unit_test_setup(test_wrong_path, setup),
	    cmocka_unit_test_setup(test_no_way_is_proven_by_failure, setup),
	    cmocka_unit_test_setup(test_ends_that_contradict, setup),
	    cmocka_unit_test_setup(test_packets_from_another_address_than_the_relayed, setup),
	    cmocka_unit_test_setup(test_wrong_relay_protocol, setup),
	    cmocka_unit_test_setup(test_causes_of_no_connection, setup),
	    cmocka_unit_test_setup(test_worst_error_is_told, setup),
	    cmocka_unit_test_setup(test_path_names_both_legs, setup),
	    cmocka_unit_test_setup(test_video_faults, setup),
	    cmocka_unit_test_setup(test_audio_faults, setup),
	    cmocka_unit_test_setup(test_views_that_are_no_views, setup),
	    cmocka_unit_test(test_views_that_are_no_views),
	    cmocka_unit_test_setup(test_worse_path_may_be_a_lost_race, setup),
	    cmocka_unit_test_setup(test_data_channel_without_echo, setup),
	    cmocka_unit_test_setup(test_busy_machine_is_no_failure, setup),
	    cmocka_unit_test_setup(test_empty_ice_servers_have_one_cause, setup),
	    cmocka_unit_test_setup(test_names_that_do_not_resolve, setup),
	    cmocka_unit_test_setup(test_a_leak_is_no_silent_listener, setup),
	    cmocka_unit_test_setup(test_black_frames_are_frames, setup),
	    cmocka_unit_test_setup(test_a_page_that_hogs_its_thread, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

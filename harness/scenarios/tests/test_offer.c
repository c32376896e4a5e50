/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Offers: URIs and iceServers are read as browsers read them, bad ones are
 * named; and theory draws from an offer what it allows, no more.
 */
#include "harness/scenarios/plan.h"
#include "harness/scenarios/theory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static struct offer_entry e;
static struct offer offer;
static struct why why;

static void test_uris(void **state)
{
	(void)state;
	assert_int_equal(offer_parse_uri("turn:203.0.113.13", &e, &why), 0);
	assert_true(e.turn && e.port == 3478 && e.transport == OFFER_UDP && e.family == AF_INET);
	assert_int_equal(offer_parse_uri("turns:turn.example.org", &e, &why), 0);
	assert_true(e.turn && e.port == 5349 && e.transport == OFFER_TLS && e.family == 0);
	assert_int_equal(offer_parse_uri("turn:[2001:db8::13]:443?transport=tcp", &e, &why), 0);
	assert_true(e.port == 443 && e.transport == OFFER_TCP && e.family == AF_INET6);
	assert_string_equal(e.host, "2001:db8::13");
	assert_int_equal(offer_parse_uri("stun:a.example:7", &e, &why), 0);
	assert_true(!e.turn && e.port == 7 && e.transport == OFFER_UDP);
}

static void test_bad_uris_are_named(void **state)
{
	static const char *const bad[][2] = {
	    {"http://example.org", "no URI of an ICE server"},
	    {"turn:", "no host in it"},
	    {"turn::3478", "no host in it"},
	    {"turn:[2001:db8::13", "a [ without its ]"},
	    {"turn:[2001:db8::13]3478", "its port should be"},
	    {"turn:a:0", "its port should be"},
	    {"turn:a:70000", "its port should be"},
	    {"turn:a:34x", "its port should be"},
	    {"turn:a?transport=sctp", "may stand transport=udp"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(offer_parse_uri(bad[i][0], &e, &why), -E_PARSE);
		if (!strstr(why.text, bad[i][1]))
			fail_msg("%s: %s", bad[i][0], why.text);
	}
	assert_int_equal(offer_parse_uri("turns:a?transport=udp", &e, &why), -E_UNSUPPORTED);
}

static void read_offer(const char *text)
{
	if (offer_parse_text(text, &offer, NULL, &why) != 0)
		fail_msg("%s: %s", text, why.text);
}

static void test_ice_servers(void **state)
{
	json_t *servers = NULL;

	(void)state;
	read_offer("{\"iceServers\": [{\"urls\": \"stun:a\"}, {\"urls\": [\"turn:a\", "
	           "\"turns:a?transport=udp\", \"turns:a:443\"], \"username\": \"u\", "
	           "\"credential\": \"c\"}]}");
	assert_int_equal(offer.n, 3); /* without DTLS */
	assert_string_equal(offer.entry[2].uri, "turns:a:443");
	assert_int_equal(offer_parse_text("[{\"urls\": \"stun:a\"}]", &offer, &servers, &why), 0);
	assert_int_equal(json_array_size(servers), 1);
	json_decref(servers);
}

static void test_bad_ice_servers_are_named(void **state)
{
	static const char *const bad[][2] = {
	    {"nope", "it is not JSON: line 1"},
	    {"{}", "it should be {\"iceServers\": [...]}"},
	    {"[]", "at least one server"},
	    {"[{}]", "has no \"urls\""},
	    {"[{\"urls\": []}]", "has no \"urls\""},
	    {"[{\"urls\": [1]}]", "should hold strings"},
	    {"[{\"urls\": \"turn:a\"}]", "turn:a has no \"username\" and \"credential\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(offer_parse_text(bad[i][0], &offer, NULL, &why), -E_PARSE);
		if (!strstr(why.text, bad[i][1]))
			fail_msg("%s: %s", bad[i][0], why.text);
	}
}

/* What theory expects of a pair with the offer; returns its words. */
static const char *expected(const char *a, const char *b, bool relay_only)
{
	static char text[96];
	struct call_expect x;

	assert_int_equal(
	    theory_expect_offer(nat_find(a), nat_find(b), PLACE_APART, &offer, relay_only, &x), 0);
	return theory_text(&x, text, sizeof(text));
}

#define CREDENTIALS "\"username\": \"u\", \"credential\": \"c\"}]"

static void test_theory_of_udp_alone(void **state)
{
	(void)state;
	read_offer("[{\"urls\": \"turn:203.0.113.13\", " CREDENTIALS);
	assert_string_equal(expected("symmetric", "symmetric", false),
	                    "relayed, a over udp, b over udp");
	assert_string_equal(expected("port-restricted", "port-restricted", false), "direct");
	assert_string_equal(expected("udp-blocked", "port-restricted", false),
	                    "no connection possible");
	assert_string_equal(expected("none", "none", true), "relayed, a over udp, b over udp");
	assert_string_equal(expected("none", "udp-blocked", true), "no connection possible");
}

static void test_theory_without_udp(void **state)
{
	(void)state;
	read_offer("[{\"urls\": [\"turns:a:5349\", \"turn:a?transport=tcp\"], " CREDENTIALS);
	/* Nobody tells them how others see them. */
	assert_string_equal(expected("port-restricted", "full-cone", false),
	                    "relayed, a over tcp, b over tcp");
	assert_string_equal(expected("none", "full-cone", false), "direct");
	assert_string_equal(expected("udp-blocked", "symmetric", false),
	                    "relayed, a over tcp, b over tcp");
	read_offer("[{\"urls\": \"turns:a:5349\", " CREDENTIALS);
	assert_string_equal(expected("udp-blocked", "symmetric", false),
	                    "relayed, a over tls, b over tls");
}

/* NAT64 translates what DNS64 has made of names. The relayed address is a literal, too. */
static void test_theory_of_literals_behind_nat64(void **state)
{
	(void)state;
	read_offer("[{\"urls\": [\"stun:203.0.113.13\", \"turn:203.0.113.13\"], " CREDENTIALS);
	assert_string_equal(expected("nat64", "port-restricted", false), "no connection possible");
	assert_string_equal(expected("port-restricted", "nat64", false), "no connection possible");
	assert_string_equal(expected("ipv6-only", "port-restricted", false),
	                    "no connection possible");
	assert_string_equal(expected("nat64", "ipv6-only", false), "direct");
	read_offer("[{\"urls\": [\"stun:a\", \"turn:a\"], " CREDENTIALS);
	assert_string_equal(expected("nat64", "port-restricted", false),
	                    "relayed, a over udp, b over udp");
}

static void test_theory_of_stun_alone(void **state)
{
	(void)state;
	read_offer("[{\"urls\": \"stun:a\"}]");
	assert_string_equal(expected("port-restricted", "full-cone", false), "direct");
	assert_string_equal(expected("symmetric", "symmetric", false), "no connection possible");
}

/* What Turnpike offers is what the table of before expected of it. */
static void test_coturn_offers_what_turnpike_does(void **state)
{
	struct target coturn;
	json_t *servers;

	(void)state;
	target_coturn(&coturn, "/usr/bin/turnserver");
	for (size_t a = 0; a < nat_kinds_n; a++) {
		for (size_t b = 0; b < nat_kinds_n; b++) {
			struct call_expect own, other;

			theory_expect_offer(&nat_kinds[a], &nat_kinds[b], PLACE_APART,
			                    &target_turnpike.offer, false, &own);
			theory_expect_offer(&nat_kinds[a], &nat_kinds[b], PLACE_APART,
			                    &coturn.offer, false, &other);
			assert_memory_equal(&own, &other, sizeof(own));
		}
	}
	servers = target_servers(&coturn, LAB_SERVER_IP);
	assert_int_equal(offer_parse(servers, &offer, NULL, &why), 0);
	assert_string_equal(offer.entry[0].host, LAB_TURN_IP);
	json_decref(servers);
	servers = target_servers(&coturn, "[2001:db8::10]");
	assert_int_equal(offer_parse(servers, &offer, NULL, &why), 0);
	assert_string_equal(offer.entry[0].host, LAB_TURN_IP6);
	json_decref(servers);
	assert_null(target_servers(&target_turnpike, LAB_SERVER_IP));
}

/* Whoever is the target: what the table expects of a scenario is what theory says of its place. */
static void test_scenarios_expect_of_coturn_what_they_expect_of_turnpike(void **state)
{
	struct target coturn;
	struct plan_options opt = {
	    .only = {"call-*"}, .only_n = 1, .target = {&coturn}, .target_n = 1};
	char want[96], got[96];
	struct plan plan;

	(void)state;
	target_coturn(&coturn, "/usr/bin/turnserver");
	assert_int_equal(plan_make(&plan, &opt, &why), 0);
	assert_true(plan.n > 15);
	for (size_t i = 0; i < plan.n; i++) {
		const struct cell *c = &plan.cell[i];

		theory_text(&c->scenario->expect, want, sizeof(want));
		if (strcmp(theory_text(&c->expect, got, sizeof(got)), want) != 0)
			fail_msg("%s: %s instead of %s", c->name, got, want);
		assert_int_equal(c->expect.both_legs, c->scenario->expect.both_legs);
	}
	plan_free(&plan);
}

/* A cell that is held to one way takes the target's own, and is not for a target without. */
static void test_cell_of_one_way_takes_the_targets_own(void **state)
{
	struct target coturn, bare;
	struct plan_options opt = {
	    .only = {"call-turns"}, .only_n = 1, .target = {&target_turnpike, &coturn, &bare}};
	struct plan plan;

	(void)state;
	target_coturn(&coturn, "/usr/bin/turnserver");
	read_offer("[{\"urls\": [\"turn:a\", \"turns:203.0.113.13:443\"], " CREDENTIALS);
	target_command(&bare, "true", NULL, &offer);
	opt.target_n = 3;
	assert_int_equal(plan_make(&plan, &opt, &why), 0);
	assert_int_equal(plan.n, 2);
	assert_string_equal(plan.cell[0].only->uri, "turns:" LAB_SERVER_NAME ":443?transport=tcp");
	assert_string_equal(plan.cell[1].only->uri, "turns:" LAB_TURN_NAME ":443?transport=tcp");
	assert_string_equal(plan.cell[1].expect.relay_protocol[0], "tls");
	plan_free(&plan);
}

static void test_plan_plays_every_cell_against_each_target(void **state)
{
	struct target coturn;
	struct plan_options opt = {.only = {"call-udp-blocked", "none+none"},
	                           .only_n = 2,
	                           .target = {&target_turnpike, &coturn},
	                           .target_n = 2};
	struct plan plan;

	(void)state;
	target_coturn(&coturn, "/usr/bin/turnserver");
	assert_int_equal(plan_make(&plan, &opt, &why), 0);
	assert_int_equal(plan.n, 4);
	assert_string_equal(plan.cell[0].name, "call-udp-blocked");
	assert_ptr_equal(plan.cell[0].target, &target_turnpike);
	assert_string_equal(plan.cell[2].name, "call-udp-blocked@coturn");
	assert_string_equal(plan.cell[3].name, "none+none@coturn");
	assert_ptr_equal(plan.cell[3].target, &coturn);
	assert_string_equal(plan.cell[2].expect.relay_protocol[0], "tcp");
	plan_free(&plan);
	opt.only[0] = "*@coturn";
	opt.only_n = 1;
	assert_int_equal(plan_make(&plan, &opt, &why), 0);
	for (size_t i = 0; i < plan.n; i++)
		assert_ptr_equal(plan.cell[i].target, &coturn);
	plan_free(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_uris),
	    cmocka_unit_test(test_bad_uris_are_named),
	    cmocka_unit_test(test_ice_servers),
	    cmocka_unit_test(test_bad_ice_servers_are_named),
	    cmocka_unit_test(test_theory_of_udp_alone),
	    cmocka_unit_test(test_theory_without_udp),
	    cmocka_unit_test(test_theory_of_literals_behind_nat64),
	    cmocka_unit_test(test_theory_of_stun_alone),
	    cmocka_unit_test(test_coturn_offers_what_turnpike_does),
	    cmocka_unit_test(test_scenarios_expect_of_coturn_what_they_expect_of_turnpike),
	    cmocka_unit_test(test_cell_of_one_way_takes_the_targets_own),
	    cmocka_unit_test(test_plan_plays_every_cell_against_each_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

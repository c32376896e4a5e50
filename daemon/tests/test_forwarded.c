/* SPDX-License-Identifier: BSD-3-Clause
 *
 * For whom a proxy asks, and whom it is believed to name; guests' links and cookies.
 */
#include "base/error.h"
#include "base/tests/test.h"
#include "daemon/issue/guest_link.h"
#include "daemon/listen/forwarded.h"
#include "daemon/listen/http_head.h"
#include "daemon/web/web.h"

#include <stdio.h>
#include <stdlib.h>

#define PEER "10.0.0.1"

static struct prefix ranges[3];
static const struct conf_prefixes trusted = {.v = ranges, .n = 3};

static int setup(void **state)
{
	(void)state;
	assert_int_equal(prefix_parse(&ranges[0], "10.0.0.0/24"), 0);
	assert_int_equal(prefix_parse(&ranges[1], "2001:db8:1::/48"), 0);
	assert_int_equal(prefix_parse(&ranges[2], "127.0.0.1"), 0);
	return 0;
}

/* The same verdict wherever it is cut, and none before the head is whole. */
static struct forwarded parse(const char *peer, const char *headers)
{
	char head[4096];
	int len = snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: h\r\n%s\r\nbody", headers);
	struct forwarded f = {.named = false};
	struct addr from;
	size_t need;

	assert_int_equal(addr_parse_ip(&from, peer, 0), 0);
	for (int n = 0; n <= len; n++) {
		int r =
		    forwarded_parse((const uint8_t *)head, (size_t)n, &from, &trusted, &f, &need);

		assert_int_equal(r, n < len - 4 ? -E_LATER : 0);
		if (r)
			assert_int_equal(need, n + 1);
	}
	return f;
}

static void names(void **state)
{
	static const struct {
		const char *headers, *client; /* NULL: nobody is named */
	} cases[] = {
	    {"", NULL},
	    {"X-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7"},
	    {"x-forwarded-for:192.0.2.7\r\n", "192.0.2.7"},
	    {"X-Forwarded-For:  192.0.2.7 \t\r\n", "192.0.2.7"},
	    {"X-Forwarded-For: 192.0.2.7:4711\r\n", "192.0.2.7"},
	    {"X-Forwarded-For: 2001:db8::7\r\n", "2001:db8::7"},
	    {"X-Forwarded-For: [2001:db8::7]:4711\r\n", "2001:db8::7"},
	    {"X-Forwarded-For: \"[2001:db8::7]\"\r\n", "2001:db8::7"},
	    {"X-Forwarded-For: ::ffff:192.0.2.7\r\n", "192.0.2.7"},
	    /* from the right, as long as the hop is ours */
	    {"X-Forwarded-For: 203.0.113.1, 192.0.2.7\r\n", "192.0.2.7"},
	    {"X-Forwarded-For: 203.0.113.1, 192.0.2.7, 10.0.0.9\r\n", "192.0.2.7"},
	    {"X-Forwarded-For: 192.0.2.7,10.0.0.9 ,\t2001:db8:1::5\r\n", "192.0.2.7"},
	    {"X-Forwarded-For: 10.0.0.8, 10.0.0.9\r\n", "10.0.0.8"},
	    {"X-Forwarded-For: 127.0.0.1, 192.0.2.7\r\n", "192.0.2.7"},
	    /* each line is one; the last stands right */
	    {"X-Forwarded-For: 203.0.113.1\r\nX-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7"},
	    {"X-Forwarded-For: 203.0.113.1\r\nA: b\r\nx-FORWARDED-for: 192.0.2.7\r\n", "192.0.2.7"},
	    {"X-Forwarded-For: 203.0.113.1,\r\n 192.0.2.7\r\n", "192.0.2.7"},
	    /* what is no address ends the way: who has said so is the last that is known */
	    {"X-Forwarded-For: unknown\r\n", NULL},
	    {"X-Forwarded-For: 203.0.113.1, unknown\r\n", NULL},
	    {"X-Forwarded-For: 203.0.113.1, \r\n", NULL},
	    {"X-Forwarded-For: 203.0.113.1, garbage, 10.0.0.9\r\n", "10.0.0.9"},
	    {"X-Forwarded-For: 999.1.1.1\r\n", NULL},
	    {"X-Forwarded-For : 203.0.113.1\r\n", NULL},
	    {"X-Forwarded-Forged: 203.0.113.1\r\n", NULL},
	    /* RFC 7239 */
	    {"Forwarded: for=192.0.2.7\r\n", "192.0.2.7"},
	    {"Forwarded: For=\"[2001:db8::7]:4711\"\r\n", "2001:db8::7"},
	    {"Forwarded: proto=http;for=192.0.2.7;by=203.0.113.43\r\n", "192.0.2.7"},
	    {"Forwarded: for=203.0.113.1, for=192.0.2.7;host=\"a,b;c\", for=10.0.0.9\r\n",
	     "192.0.2.7"},
	    {"Forwarded: for=203.0.113.1\r\nForwarded: for=192.0.2.7\r\n", "192.0.2.7"},
	    {"Forwarded: for=_hidden\r\n", NULL},
	    {"Forwarded: for=\"192.0.2.7:_http-1.x\"\r\n", "192.0.2.7"},
	    {"Forwarded: for=\"[2001:db8::7]:_SEVKISEK\"\r\n", "2001:db8::7"},
	    {"Forwarded: for=\"192.0.2.7:_\"\r\n", NULL},
	    {"Forwarded: for=\"192.0.2.7:_a b\"\r\n", NULL},
	    {"X-Forwarded-For: :80\r\n", NULL},
	    {"X-Forwarded-For: *:80\r\n", NULL},
	    {"X-Forwarded-For: 0.0.0.0\r\n", NULL},
	    {"X-Forwarded-For: [::]:80\r\n", NULL},
	    {"X-Forwarded-For: ::ffff:0.0.0.0\r\n", NULL},
	    {"Forwarded: for=203.0.113.1, by=10.0.0.9\r\n", NULL},
	    {"Forwarded: for=\"192.0.2.7\\\"\r\n", NULL},
	    {"Forwarded: xfor=203.0.113.1\r\n", NULL},
	    /* a quote left open does not swallow what the proxy added */
	    {"Forwarded: for=203.0.113.1;x=\"\r\nForwarded: for=192.0.2.7\r\n", "192.0.2.7"},
	    {"Forwarded: for=203.0.113.1;x=\", for=\"192.0.2.7\"\r\n", "192.0.2.7"},
	    {"X-Forwarded-For: \"203.0.113.1, 192.0.2.7\r\n", "192.0.2.7"},
	    /* both */
	    {"X-Forwarded-For: 192.0.2.7\r\nForwarded: for=192.0.2.7\r\n", "192.0.2.7"},
	    {"X-Forwarded-For: 192.0.2.7\r\nForwarded: for=203.0.113.1\r\n", NULL},
	    {"X-Forwarded-For: unknown\r\nForwarded: for=203.0.113.1\r\n", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct forwarded f = parse(PEER, cases[i].headers);
		char text[ADDR_STRLEN];

		addr_format_ip(&f.client, text);
		if (f.named != (cases[i].client != NULL) ||
		    strcmp(text, cases[i].client ? cases[i].client : PEER) != 0)
			fail_msg("%sis %s", cases[i].headers, text);
		/* of a stranger nothing is believed */
		f = parse("192.0.2.99", cases[i].headers);
		assert_false(f.named);
		assert_string_equal(addr_format_ip(&f.client, text), "192.0.2.99");
	}
}

static void schemes(void **state)
{
	static const struct {
		const char *headers;
		bool https;
	} cases[] = {{"", false},
	             {"X-Forwarded-Proto: https\r\n", true},
	             {"X-Forwarded-Proto: HTTPS\r\n", true},
	             {"X-Forwarded-Proto: wss\r\n", true},
	             {"X-Forwarded-Proto: http\r\n", false},
	             {"X-Forwarded-Proto: https, http\r\n", false},
	             {"X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n", false},
	             {"Forwarded: for=192.0.2.7;proto=https\r\n", true},
	             {"Forwarded: for=192.0.2.7;proto=https, for=192.0.2.8\r\n", false},
	             {"Forwarded: proto=https\r\nX-Forwarded-Proto: http\r\n", false}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (parse(PEER, cases[i].headers).https != cases[i].https)
			fail_msg("%s", cases[i].headers);
}

static void long_heads(void **state)
{
	static uint8_t head[HTTP_HEAD_MAX + 16];
	struct forwarded f;
	struct addr from;
	size_t need;

	(void)state;
	assert_int_equal(addr_parse_ip(&from, PEER, 0), 0);
	memset(head, 'a', sizeof(head));
	assert_int_equal(forwarded_parse(head, HTTP_HEAD_MAX - 1, &from, &trusted, &f, &need),
	                 -E_LATER);
	assert_int_equal(forwarded_parse(head, HTTP_HEAD_MAX, &from, &trusted, &f, &need),
	                 -E_LIMIT);
	/* commas and nothing else */
	memset(head, ',', sizeof(head));
	memcpy(head, "GET / HTTP/1.1\r\nX-Forwarded-For:", 32);
	memcpy(head + sizeof(head) - 4, "\r\n\r\n", 4);
	assert_int_equal(forwarded_parse(head, sizeof(head), &from, &trusted, &f, &need), 0);
	assert_false(f.named);
}

/* ---- links ---- */

static void a_link_opens_once(void **state)
{
	char token[GUEST_LINK_STRLEN], other[GUEST_LINK_STRLEN];
	char secret[CALLER_GUEST_STRLEN], second[CALLER_GUEST_STRLEN];
	struct guest_links *g = guest_links_new();

	(void)state;
	assert_int_equal(guest_link_use(g, 1000, "", secret), -E_DENIED);
	guest_link_make(g, 1000, token);
	guest_link_make(g, 1000, other);
	assert_string_not_equal(token, other);
	assert_int_equal(strlen(token), GUEST_LINK_STRLEN - 1);
	assert_int_equal(guest_link_use(g, 1000, token, secret), 0);
	assert_int_equal(strlen(secret), CALLER_GUEST_STRLEN - 1);
	assert_int_equal(guest_link_use(g, 1000, token, second), -E_DENIED);
	guest_links_free(g);
}

static void a_browser_holds_what_the_link_gave(void **state)
{
	char token[GUEST_LINK_STRLEN], other[GUEST_LINK_STRLEN], secret[CALLER_GUEST_STRLEN];
	struct guest_links *g = guest_links_new();

	(void)state;
	assert_false(guest_link_holds(g, 1000, ""));
	guest_link_make(g, 1000, token);
	guest_link_make(g, 1000, other);
	assert_int_equal(guest_link_use(g, 1000, token, secret), 0);
	assert_true(guest_link_holds(g, 1000, secret));
	assert_false(guest_link_holds(g, 1000, token));
	assert_false(guest_link_holds(g, 1000, other));
	secret[0] = secret[0] == 'a' ? 'b' : 'a';
	assert_false(guest_link_holds(g, 1000, secret));
	guest_links_free(g);
}

static void links_and_guests_expire(void **state)
{
	char token[GUEST_LINK_STRLEN], secret[CALLER_GUEST_STRLEN];
	struct guest_links *g = guest_links_new();
	int64_t now = 1000;

	(void)state;
	guest_link_make(g, now, token);
	now += GUEST_LINK_S;
	assert_int_equal(guest_link_use(g, now, token, secret), -E_DENIED);
	guest_link_make(g, now, token);
	now += GUEST_LINK_S - 1;
	assert_int_equal(guest_link_use(g, now, token, secret), 0);
	assert_true(guest_link_holds(g, now + GUEST_LIFE_S - 1, secret));
	assert_false(guest_link_holds(g, now + GUEST_LIFE_S, secret));
	guest_links_free(g);
}

/* No more than there is room for; the longest-unseen one goes. */
static void many(void **state)
{
	char token[GUEST_LINK_STRLEN], first[GUEST_LINK_STRLEN];
	char secret[CALLER_GUEST_STRLEN], kept[CALLER_GUEST_STRLEN];
	struct guest_links *g = guest_links_new();

	(void)state;
	guest_link_make(g, 1, first);
	for (int i = 0; i < GUEST_LINKS; i++)
		guest_link_make(g, 2 + i, token);
	assert_int_equal(guest_link_use(g, 100, first, secret), -E_DENIED);
	assert_int_equal(guest_link_use(g, 100, token, kept), 0);
	for (int i = 0; i < GUEST_BROWSERS; i++) {
		assert_true(guest_link_holds(g, 101 + i, kept));
		guest_link_make(g, 101 + i, token);
		assert_int_equal(guest_link_use(g, 101 + i, token, secret), 0);
	}
	assert_true(guest_link_holds(g, 500, kept)); /* it was seen all the time */
	assert_true(guest_link_holds(g, 500, secret));
	guest_links_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names),
	    cmocka_unit_test(schemes),
	    cmocka_unit_test(long_heads),
	    cmocka_unit_test(a_link_opens_once),
	    cmocka_unit_test(a_browser_holds_what_the_link_gave),
	    cmocka_unit_test(links_and_guests_expire),
	    cmocka_unit_test(many),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

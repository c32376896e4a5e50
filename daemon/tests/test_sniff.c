/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What first bytes tell, wherever they are cut.
 */
#include "base/error.h"
#include "base/tests/test.h"
#include "daemon/listen/http_head.h"
#include "daemon/listen/sniff.h"

#include <stdio.h>
#include <stdlib.h>

/* The same verdict at whatever pace the bytes come, and none before they are there. */
static enum sniff verdict(const uint8_t *data, size_t len)
{
	size_t need = 1, have = 0, steps = 0;
	enum sniff s = SNIFF_MORE;

	while (s == SNIFF_MORE) {
		/* exact copies, so that a read too far is seen */
		uint8_t *copy;

		assert_in_range(need, have + 1, len); /* it never asks for what does not come */
		have = need;
		copy = malloc(have);
		memcpy(copy, data, have);
		s = sniff(copy, have, &need);
		free(copy);
		assert_true(++steps <= len);
	}
	for (size_t i = have; i <= len; i++)
		assert_int_equal(sniff(data, i, &need), s);
	return s;
}

static void first_bytes(void **state)
{
	size_t need;

	(void)state;
	assert_int_equal(verdict((const uint8_t *)"PUT / HTTP/1.1", 14), SNIFF_HTTP);
	assert_int_equal(verdict((const uint8_t *)"PROPFIND /", 10), SNIFF_HTTP);
	assert_int_equal(verdict((const uint8_t *)"PROXY TCP4 ", 11), SNIFF_NONE);
	assert_int_equal(sniff(NULL, 0, &need), SNIFF_MORE);
	assert_int_equal(need, 1);
	for (int i = 0; i < 256; i++) {
		uint8_t b = (uint8_t)i;
		enum sniff s = sniff(&b, 1, &need);

		if (i < 4)
			assert_int_equal(s, SNIFF_TURN);
		else if (i == 0x16)
			assert_int_equal(s, SNIFF_TLS);
		else if (i == 'P')
			assert_int_equal(s, SNIFF_MORE);
		else if (i >= 'A' && i <= 'Z')
			assert_int_equal(s, SNIFF_HTTP);
		else
			assert_int_equal(s, SNIFF_NONE);
	}
}

static int proxy(const void *data, size_t len, struct proxy_header *h)
{
	size_t need;
	int r = -E_LATER;

	for (size_t i = 1; i <= len && r == -E_LATER; i++) {
		uint8_t *exact = malloc(i);

		memcpy(exact, data, i);
		r = proxy_header_parse(exact, i, h, &need);
		free(exact);
		if (r == -E_LATER)
			assert_true(need > i);
	}
	return r;
}

static int proxy_text(const char *line, struct proxy_header *h)
{
	return proxy(line, strlen(line), h);
}

static bool is_addr(const struct addr *a, const char *text)
{
	char buf[ADDR_STRLEN];

	return !strcmp(addr_format(a, buf), text);
}

static void proxy_v1_names_source_and_destination(void **state)
{
	struct proxy_header h;

	(void)state;
	assert_int_equal(proxy_text("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\nGET", &h), 0);
	assert_int_equal(h.len, 45);
	assert_false(h.unknown);
	assert_true(is_addr(&h.source, "192.0.2.1:56324"));
	assert_true(is_addr(&h.destination, "198.51.100.1:443"));
	assert_int_equal(proxy_text("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n", &h), 0);
	assert_true(is_addr(&h.source, "[2001:db8::1]:1"));
	/* of a socket for both families: an IPv4 address, and not one /64 with all others */
	assert_int_equal(
	    proxy_text("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.1 7 443\r\n", &h), 0);
	assert_true(is_addr(&h.source, "192.0.2.1:7"));
	assert_true(is_addr(&h.destination, "198.51.100.1:443"));
}

static void proxy_v1_may_not_know(void **state)
{
	struct proxy_header h;

	(void)state;
	assert_int_equal(proxy_text("PROXY UNKNOWN\r\n", &h), 0);
	assert_true(h.unknown);
	assert_int_equal(proxy_text("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", &h), 0);
	assert_true(h.unknown);
}

static void proxy_v1_with_a_mistake_is_refused(void **state)
{
	static const char *const bad[] = {
	    "PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n",
	    "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 5\r\n",
	    "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\n",
	    "PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n",
	    "PROXY TCP4 192.0.2.1 198.51.100.1 -1 443\r\n",
	    "PROXY TCP4 192.0.2.1 198.51.100.1 056 443\r\n",
	    "PROXY TCP4 2001:db8::1 2001:db8::2 56324 443\r\n",
	    "PROXY TCP6 192.0.2.1 198.51.100.1 56324 443\r\n",
	    "PROXY TCP4 localhost 198.51.100.1 56324 443\r\n",
	    "PROXY UDP4 192.0.2.1 198.51.100.1 56324 443\r\n",
	    "PROXY \r\n",
	    "PROXY TCP4 192.0.2.1 198.51.100.1 56324 44444444444444444444444444444444444444444444"
	    "44444444444444444444444444444\r\n",
	};
	struct proxy_header h;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(proxy_text(bad[i], &h), -E_PARSE);
}

static void what_begins_otherwise_has_no_proxy_header(void **state)
{
	struct proxy_header h;

	(void)state;
	assert_int_equal(proxy_text("POST / HTTP/1.1\r\n", &h), -E_NOTFOUND);
	assert_int_equal(proxy_text("\x16\x03\x01", &h), -E_NOTFOUND);
	assert_int_equal(proxy("\r\n\r\nx\r\nQUIT\n\x21", 13, &h), -E_NOTFOUND);
}

/* A header of version 2 with room behind it: from 192.0.2.1:56324 to 198.51.100.1:443. */
struct v2 {
	uint8_t m[100];
};

static struct v2 v2(void)
{
	return (struct v2){"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\1\xdc\x04\1"
	                   "\xbb"};
}

static struct v2 v2_of_ipv6(const char *source)
{
	struct v2 h = v2();

	h.m[13] = 0x21;
	h.m[15] = 36;
	memset(h.m + 16, 0, 32);
	memcpy(h.m + 16, source, 16);
	memcpy(h.m + 48, "\0\1\0\2", 4);
	return h;
}

static void proxy_v2_names_source_and_destination(void **state)
{
	struct proxy_header h;
	struct v2 v = v2();

	(void)state;
	assert_int_equal(proxy(v.m, 28, &h), 0);
	assert_int_equal(h.len, 28);
	assert_true(is_addr(&h.source, "192.0.2.1:56324"));
	assert_true(is_addr(&h.destination, "198.51.100.1:443"));
	v = v2_of_ipv6("\x20\1\0\0\0\0\0\0\0\0\0\0\0\0\0");
	assert_int_equal(proxy(v.m, 52, &h), 0);
	assert_true(is_addr(&h.source, "[2001::]:1"));
	v = v2_of_ipv6("\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1");
	assert_int_equal(proxy(v.m, 52, &h), 0);
	assert_true(is_addr(&h.source, "192.0.2.1:1"));
}

static void proxy_v2_may_have_tlvs(void **state)
{
	struct proxy_header h;
	struct v2 v = v2();

	(void)state;
	v.m[15] = 20;
	assert_int_equal(proxy(v.m, 36, &h), 0);
	assert_int_equal(h.len, 36);
}

static void proxy_v2_may_not_know(void **state)
{
	struct proxy_header h;
	struct v2 v = v2();

	(void)state;
	v.m[12] = 0x20; /* LOCAL */
	assert_int_equal(proxy(v.m, 28, &h), 0);
	assert_true(h.unknown);
	v = v2();
	v.m[13] = 0x31; /* a Unix socket */
	assert_int_equal(proxy(v.m, 28, &h), 0);
	assert_true(h.unknown);
}

static void proxy_v2_with_a_mistake_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t is;
	} bad[] = {
	    {15, 11},   /* too short for IPv4 */
	    {13, 0x21}, /* too short for IPv6 */
	    {12, 0x11}, /* version 1 in the clothes of 2 */
	    {12, 0x22}, /* a command there is not */
	    {14, 0xff}, /* too long to wait for */
	};
	struct proxy_header h;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct v2 v = v2();

		v.m[bad[i].at] = bad[i].is;
		assert_int_equal(proxy(v.m, 52, &h), -E_PARSE);
	}
}

/* What a head comes to: 0, or the status it is answered with; the same wherever it is cut. */
static int head(const char *text)
{
	struct http_fault fault = {0};
	size_t need, len = strlen(text);
	int r = -E_LATER;

	for (size_t i = 1; i <= len && r == -E_LATER; i++) {
		uint8_t *exact = malloc(i);

		memcpy(exact, text, i);
		r = http_head_check(exact, i, &fault, &need);
		assert_true(r != -E_LATER || need == i + 1);
		free(exact);
	}
	if (r == -E_LATER)
		return -1;
	assert_true(!r || (fault.code && fault.message));
	return r ? fault.status : 0;
}

static void good_heads(void **state)
{
	(void)state;
	assert_int_equal(head("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
	assert_int_equal(head("GET / HTTP/1.0\r\n\r\n"), 0);
	assert_int_equal(head("GET / HTTP/1.1\nHost: h\n\n"), 0);
	assert_int_equal(head("GET /turn?a=%25&b HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
	assert_int_equal(head("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
	assert_int_equal(head("GET /\xc3\xa9?{|} HTTP/1.1\r\nHost:h\r\nX:\r\n\r\n"), 0);
	assert_int_equal(head("POST / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, "
	                      "HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\n\r\n"),
	                 0);
	assert_int_equal(head("GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: WebSocket\r\n\r\n"), 0);
	assert_int_equal(head("GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: \r\n\r\n"), 0);
	assert_int_equal(head("GET / HTTP/1.1\r\nHost: h\r\n"), -1); /* it is not all there */
}

static void bad_heads(void **state)
{
	static const struct {
		const char *text;
		int status;
	} t[] = {
	    {"GET / HTTP/1.1\r\n\r\n", 400},
	    {"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", 400},
	    {"GET /\r\n\r\n", 400},
	    {"GET\r\n\r\n", 400},
	    {"GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	    {"GET / HTTP/1.1 \r\nHost: h\r\n\r\n", 400},
	    {"GET / HTCPCP/1.0\r\nHost: h\r\n\r\n", 400},
	    {"G(T / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	    {"GET x HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	    {"GET http://h/turn HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	    {"GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	    {"GET /turn?username=%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	    {"GET /turn?username=%0 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	    {"GET /turn?username=% HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	    {"GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	    {"GET /ws/a%0aOrigin:%20http://h%0aX: HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	    {"GET /ws?x=%0D%0A HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	    {"GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n", 400},
	    {"GET / HTTP/1.1\r\nHost: h\r\nblank : x\r\n\r\n", 400},
	    {"GET / HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n", 400},
	    {"GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n folded\r\n\r\n", 400},
	    {"GET / HTTP/1.1\r\nHost: h\r\nA: b\rc\r\n\r\n", 400},
	    {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
	    {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: x\r\n\r\n",
	     400},
	    {"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: foo\r\n\r\n", 426},
	    {"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: TLS/1.2\r\n\r\n", 426},
	    {"BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 501},
	    {"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", 501},
	    {"Get / HTTP/1.1\r\nHost: h\r\n\r\n", 501},
	    {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
	    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++)
		if (head(t[i].text) != t[i].status)
			fail_msg("%s: %d instead of %d", t[i].text, head(t[i].text), t[i].status);
}

static void large_heads(void **state)
{
	char text[HTTP_HEAD_MAX + 4000], *at;

	(void)state;
	/* a target without an end, one that is long, a line without an end, many lines, many
	 * parameters */
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memcpy(text, "GET /", 5);
	assert_int_equal(head(text), 414);
	snprintf(text + 5000, sizeof(text) - 5000, " HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_int_equal(head(text), 414);
	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "GET / HTTP/1.1\r\nHost: h\r\nX: ", 28);
	assert_int_equal(head(text), 431);
	at = text + sprintf(text, "GET / HTTP/1.1\r\nHost: h\r\n");
	for (int i = 0; i < 100; i++)
		at += sprintf(at, "X%d: y\r\n", i);
	strcpy(at, "\r\n");
	assert_int_equal(head(text), 431);
	at = text + sprintf(text, "GET /?");
	for (int i = 0; i < 100; i++)
		at += sprintf(at, "x%d=y&", i);
	strcpy(at, "z HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_int_equal(head(text), 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(first_bytes),
	    cmocka_unit_test(proxy_v1_names_source_and_destination),
	    cmocka_unit_test(proxy_v1_may_not_know),
	    cmocka_unit_test(proxy_v1_with_a_mistake_is_refused),
	    cmocka_unit_test(what_begins_otherwise_has_no_proxy_header),
	    cmocka_unit_test(proxy_v2_names_source_and_destination),
	    cmocka_unit_test(proxy_v2_may_have_tlvs),
	    cmocka_unit_test(proxy_v2_may_not_know),
	    cmocka_unit_test(proxy_v2_with_a_mistake_is_refused),
	    cmocka_unit_test(good_heads),
	    cmocka_unit_test(bad_heads),
	    cmocka_unit_test(large_heads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

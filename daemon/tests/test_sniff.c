/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What first bytes tell, wherever they are cut.
 */
#include "base/error.h"
#include "base/tests/test.h"
#include "daemon/listen/sniff.h"

#include <stdio.h>
#include <stdlib.h>

static size_t put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return 2;
}

/* A ClientHello with this ALPN list (or NULL), in records of so many bytes. */
static size_t make_hello(uint8_t *out, const char *alpn, size_t record)
{
	uint8_t h[2000] = {1, 0, 0, 0, 3, 3};
	size_t n = 4 + 2 + 32, ext, len = 0;

	h[n++] = 0;
	n += put16(h + n, 4);
	n += put16(h + n, 0x1301);
	n += put16(h + n, 0xc02f);
	h[n++] = 1;
	h[n++] = 0;
	ext = n;
	n += 2;
	n += put16(h + n, 43); /* some other extension first */
	n += put16(h + n, 3);
	memcpy(h + n, "\x02\x03\x04", 3);
	n += 3;
	if (alpn) {
		n += put16(h + n, 16);
		n += put16(h + n, strlen(alpn) + 2);
		n += put16(h + n, strlen(alpn));
		memcpy(h + n, alpn, strlen(alpn));
		n += strlen(alpn);
	}
	put16(h + ext, n - ext - 2);
	put16(h + 2, n - 4);
	for (size_t at = 0; at < n; at += record) {
		size_t k = n - at < record ? n - at : record;

		out[len++] = 0x16;
		out[len++] = 3;
		out[len++] = 1;
		len += put16(out + len, k);
		memcpy(out + len, h + at, k);
		len += k;
	}
	return len;
}

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
		else if (i == 0x16 || i == 'P')
			assert_int_equal(s, SNIFF_MORE);
		else if (i >= 'A' && i <= 'Z')
			assert_int_equal(s, SNIFF_HTTP);
		else
			assert_int_equal(s, SNIFF_NONE);
	}
}

static void hellos(void **state)
{
	static const struct {
		const char *alpn;
		enum sniff want;
	} t[] = {
	    {NULL, SNIFF_TLS_TURN},
	    {"", SNIFF_TLS_TURN},
	    {"\x08http/1.1", SNIFF_TLS_WEB},
	    {"\x02h2\x08http/1.1", SNIFF_TLS_WEB},
	    {"\x02h2", SNIFF_TLS_WEB},
	    {"\x03"
	     "foo\x02h2",
	     SNIFF_TLS_WEB},
	    {"\x09stun.turn", SNIFF_TLS_TURN},
	    {"\x08http/1.1\x09stun.turn\x12stun.nat-discovery", SNIFF_TLS_TURN},
	    {"\x03"
	     "foo",
	     SNIFF_TLS_TURN},
	    {"\x08http/1.", SNIFF_TLS_TURN}, /* the list lies about its length */
	};
	uint8_t hello[20000];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++)
		for (size_t record = 1; record < 300; record += record < 20 ? 1 : 40)
			assert_int_equal(verdict(hello, make_hello(hello, t[i].alpn, record)),
			                 t[i].want);
}

static void broken_hellos(void **state)
{
	uint8_t hello[2000], copy[2000];
	size_t len = make_hello(hello, "\x08http/1.1", 1000), need;

	(void)state;
	srandom(20);
	for (int i = 0; i < 20000; i++) {
		size_t cut = (size_t)random() % (len + 1);
		uint8_t *exact;

		memcpy(copy, hello, len);
		for (int k = 0; k < 3; k++)
			copy[1 + (size_t)random() % (len - 1)] = (uint8_t)random();
		exact = malloc(cut ? cut : 1);
		memcpy(exact, copy, cut);
		if (sniff(exact, cut, &need) == SNIFF_MORE)
			assert_in_range(need, cut + 1, SNIFF_MAX);
		free(exact);
	}
	/* a hello that pretends to be endless is not waited for */
	memcpy(copy, "\x16\x03\x01\x40\x00\x01\xff\xff\xff", 9);
	assert_int_equal(sniff(copy, 9, &need), SNIFF_TLS_TURN);
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

static void proxy_v1(void **state)
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
	assert_int_equal(proxy_text("PROXY UNKNOWN\r\n", &h), 0);
	assert_true(h.unknown);
	assert_int_equal(proxy_text("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", &h), 0);
	assert_true(h.unknown);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(proxy_text(bad[i], &h), -E_PARSE);
	assert_int_equal(proxy_text("POST / HTTP/1.1\r\n", &h), -E_NOTFOUND);
	assert_int_equal(proxy_text("\x16\x03\x01", &h), -E_NOTFOUND);
}

static void proxy_v2(void **state)
{
	uint8_t m[100] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\1\xdc\x04\1\xbb";
	struct proxy_header h;

	(void)state;
	assert_int_equal(proxy(m, 28, &h), 0);
	assert_int_equal(h.len, 28);
	assert_true(is_addr(&h.source, "192.0.2.1:56324"));
	assert_true(is_addr(&h.destination, "198.51.100.1:443"));
	m[15] = 20; /* TLVs are passed over */
	assert_int_equal(proxy(m, 36, &h), 0);
	assert_int_equal(h.len, 36);
	m[15] = 11;
	assert_int_equal(proxy(m, 36, &h), -E_PARSE);
	m[15] = 12;
	m[12] = 0x20; /* LOCAL */
	assert_int_equal(proxy(m, 28, &h), 0);
	assert_true(h.unknown);
	m[12] = 0x21;
	m[13] = 0x31; /* a Unix socket */
	assert_int_equal(proxy(m, 28, &h), 0);
	assert_true(h.unknown);
	m[13] = 0x21;
	assert_int_equal(proxy(m, 28, &h), -E_PARSE); /* too short for IPv6 */
	m[15] = 36;
	memset(m + 16, 0, 32);
	m[16] = 0x20;
	m[17] = 1;
	memcpy(m + 48, "\0\1\0\2", 4);
	assert_int_equal(proxy(m, 52, &h), 0);
	assert_true(is_addr(&h.source, "[2001::]:1"));
	memcpy(m + 16, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1", 16);
	assert_int_equal(proxy(m, 52, &h), 0);
	assert_true(is_addr(&h.source, "192.0.2.1:1"));
	m[12] = 0x11;
	assert_int_equal(proxy(m, 52, &h), -E_PARSE); /* version 1 in the clothes of 2 */
	m[12] = 0x22;
	assert_int_equal(proxy(m, 52, &h), -E_PARSE);
	m[12] = 0x21;
	m[14] = 0xff;
	assert_int_equal(proxy(m, 52, &h), -E_PARSE); /* too long to wait for */
	m[4] = 'x';
	assert_int_equal(proxy(m, 52, &h), -E_NOTFOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(first_bytes),   cmocka_unit_test(hellos),
	    cmocka_unit_test(broken_hellos), cmocka_unit_test(proxy_v1),
	    cmocka_unit_test(proxy_v2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

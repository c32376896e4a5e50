/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Addresses of candidates, in the forms that browsers send.
 */
#include "base/tests/test.h"
#include "signal/candidates.h"

#include <stdio.h>

#define MAX 4

/* The addresses, in brackets. */
static void expect(const char *text, const char *want)
{
	struct addr found[MAX];
	char got[MAX * (ADDR_STRLEN + 2) + 1] = "", a[ADDR_STRLEN];
	size_t n = candidates_find(text, strlen(text), found, MAX);

	for (size_t i = 0; i < n; i++) {
		size_t at = strlen(got);

		assert_int_equal(addr_port(&found[i]), 0);
		snprintf(got + at, sizeof(got) - at, "<%s>", addr_format_ip(&found[i], a));
	}
	assert_string_equal(got, want);
}

#define HEAD "candidate:842163049 1 udp 1677729535 "

static void what_browsers_send(void **state)
{
	(void)state;
	/* Chromium */
	expect("{\"type\":\"new-ice-candidate\",\"candidate\":{\"candidate\":\"" HEAD
	       "203.0.113.7 40123 typ srflx raddr 10.0.0.5 rport 40123 generation 0 ufrag 4ZcD "
	       "network-cost 999\",\"sdpMid\":\"0\",\"sdpMLineIndex\":0}}",
	       "<203.0.113.7>");
	/* Firefox: a host behind mDNS, and its TCP candidate */
	expect("{\"candidate\":\"candidate:0 1 UDP 2122187007 "
	       "5e1d6c0d-6ad1-4a0b-8ad9-a0b8c6d1e2f3.local 50000 typ host\"}",
	       "");
	expect("{\"candidate\":\"candidate:2 1 TCP 2105458943 2001:db8::7 9 typ host tcptype "
	       "active\"}",
	       "<2001:db8::7>");
	/* the end of candidates */
	expect("{\"candidate\":{\"candidate\":\"\",\"sdpMid\":\"0\"}}", "");
	/* an SDP in JSON, and one in a string within a string */
	expect("{\"sdp\":\"v=0\\r\\nc=IN IP4 9.9.9.9\\r\\na=" HEAD
	       "192.0.2.1 1 typ host\\r\\na=" HEAD
	       "192.0.2.2 2 typ relay raddr 9.9.9.9 rport 3\\r\\na=" HEAD
	       "192.0.2.1 4 typ host\\r\\na=end-of-candidates\\r\\n\"}",
	       "<192.0.2.1><192.0.2.2>");
	expect("{\"x\":\"{\\\"sdp\\\":\\\"v=0\\\\r\\\\na=" HEAD
	       "192.0.2.1 1 typ host\\\\r\\\\n\\\"}\"}",
	       "<192.0.2.1>");
	/* with the slash of a foundation as some write it in JSON */
	expect("\"candidate:ab\\/cd+ 1 udp 1 192.0.2.1 1 typ host\"", "<192.0.2.1>");
}

static void what_is_no_candidate(void **state)
{
	(void)state;
	expect("", "");
	expect("candidate:", "");
	expect(HEAD, "");
	expect(HEAD "192.0.2.1", "");
	expect(HEAD "192.0.2.1 1 t", ""); /* found by the fuzzer */
	expect(HEAD "192.0.2.1 1 typ", "");
	expect(HEAD "192.0.2.1 1 TYP host", "");
	expect(HEAD "192.0.2.1 123456 typ host", "");
	expect(HEAD "192.0.2.1 x typ host", "");
	expect(HEAD "192.0.2 1 typ host", "");
	expect(HEAD "192.0.2.1:3478 1 typ host", "");
	expect(HEAD "[2001:db8::1] 1 typ host", "");
	expect(HEAD "fe80::1%eth0 1 typ host", "");
	expect(HEAD "\"192.0.2.1 1 typ host", "");
	expect("candidate: 1 udp 1 192.0.2.1 1 typ host", "");
	expect("candidate:1 one udp 1 192.0.2.1 1 typ host", "");
	expect("Candidate:1 1 udp 1 192.0.2.1 1 typ host", "");
	/* a chat that speaks of one is not told apart; but only offers, answers and candidates are
	 * read */
	expect("{\"text\":\"candidate:1 1 udp 1 192.0.2.1 1 typ host\"}", "<192.0.2.1>");
}

static void no_more_than_there_is_room_for(void **state)
{
	(void)state;
	expect(HEAD "192.0.2.1 1 typ host " HEAD "192.0.2.2 1 typ host " HEAD
	            "192.0.2.3 1 typ host " HEAD "192.0.2.4 1 typ host " HEAD
	            "192.0.2.5 1 typ host",
	       "<192.0.2.1><192.0.2.2><192.0.2.3><192.0.2.4>");
	/* none is hidden by one that breaks off */
	expect("candidate:1 2 " HEAD "192.0.2.1 1 typ host", "<192.0.2.1>");
	expect("candidate:candidate:1 2 " HEAD "192.0.2.1 1 typ host", "<192.0.2.1>");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_browsers_send),
	    cmocka_unit_test(what_is_no_candidate),
	    cmocka_unit_test(no_more_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Floods, garbage and half-said things against the built server on real
 * sockets: it keeps no memory of strangers, and it goes on to serve.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/rig.h"
#include "daemon/tests/server/spoof.h"
#include "daemon/tests/server/talker.h"

#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVER4     RIG_SERVER4 ":3478"
#define SERVER6     "[" RIG_SERVER6 "]:3478"
#define SECOND4     RIG_SERVER4 ":8080"
#define FLOODED     RIG_SERVER4B ":3478"
#define FLOOD       20000
#define WARM_UP     2000
#define FLAT_KIB    2048 /* 20,000 times 105 bytes: less than the smallest state would take */
#define ANSWER_MS   SOON_MS
#define GARBAGE_MAX 1500

static struct rig_server server, flooded;

/* AddressSanitizer keeps freed memory and, with GCC 14, left stack frames for a while, which is no
 * growth of ours. */
static void start_flooded(void)
{
	const char *set = getenv("ASAN_OPTIONS");
	char *before = set ? strdup(set) : NULL, options[1024];

	snprintf(options, sizeof(options),
	         "%s:quarantine_size_mb=0:thread_local_quarantine_size_kb=0:"
	         "detect_stack_use_after_return=0",
	         before ? before : "");
	setenv("ASAN_OPTIONS", options, 1);
	rig_server_start(&flooded, "flooded",
	                 "--workers 2 --relay-ports 55000-59999 --listen " FLOODED);
	if (before)
		setenv("ASAN_OPTIONS", before, 1);
	else
		unsetenv("ASAN_OPTIONS");
	free(before);
}

static int setup(void **state)
{
	(void)state;
	start_flooded();
	rig_server_prepare(&server, "abuse");
	free(rig_verb(&server, "user add alice --password-stdin", "wonderland\n"));
	rig_server_start(&server, "abuse",
	                 "--workers 2 --relay-ports 50000-54999 --listen " SERVER4
	                 " --listen " SERVER6 " --listen " SECOND4);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_server_stop(&server);
	rig_server_stop(&flooded);
	return 0;
}

/* ---- it still serves ---- */

/* Sends text to the port, returns what came back until the server closed (or fell silent). */
static size_t tcp_say(const char *to, const void *text, size_t len, char *answer, size_t size)
{
	struct talker t;
	size_t n = 0;
	struct pollfd p;
	ssize_t r;

	talker_open(&t, to, true, NULL, "", "");
	talker_send(&t, text, len);
	p = (struct pollfd){.fd = t.fd, .events = POLLIN};
	while (n + 1 < size && poll(&p, 1, TALKER_SILENCE_MS) == 1) {
		r = recv(t.fd, answer + n, size - n - 1, 0);
		if (r <= 0)
			break;
		n += (size_t)r;
	}
	answer[n] = 0;
	talker_close(&t);
	return n;
}

static bool eventually_healthy(void)
{
	static const char get[] = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	unsigned long long until = rig_now_ms() + ANSWER_MS;
	char answer[4096];

	do {
		tcp_say(SECOND4, get, sizeof(get) - 1, answer, sizeof(answer));
		if (!strncmp(answer, "HTTP/1.1 200", 12))
			return true;
	} while (rig_now_ms() < until);
	return false;
}

static void assert_serves(void)
{
	static const char *const at[] = {SERVER4, SERVER6, SECOND4};
	struct talker t;

	for (size_t i = 0; i < 3; i++) {
		talker_open(&t, at[i], false, NULL, "alice", "wonderland");
		assert_int_equal(talker_allocate(&t, IPPROTO_UDP), 0);
		assert_int_equal(talker_refresh(&t, 0), 0);
		talker_close(&t);
	}
	assert_true(eventually_healthy());
}

/* ---- a flood with made-up senders ---- */

/* The i-th sender is 60.x.y.z: nobody. */
static void spoof(int raw, const struct wire *m, uint32_t i)
{
	spoof_send(raw, RIG_SERVER4B, 3478, 60u << 24 | i * 2654435761u >> 8,
	           (uint16_t)(1024 + i % 60000), m);
}

/* Datagrams that the programs of this namespace have read so far. */
static long datagrams_read(void)
{
	FILE *f = fopen("/proc/self/net/snmp", "r");
	char line[512];
	long n = -1;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Udp: %ld", &n) == 1)
			break;
	fclose(f);
	return n;
}

static void flood(int raw, const struct wire *m, uint32_t from, uint32_t n)
{
	long before = datagrams_read(), sent = 0, lost = 0;
	struct talker t;
	struct wire ping;

	for (uint32_t i = from; i < from + n; i++) {
		spoof(raw, m, i);
		if (++sent % 50)
			continue;
		/* they shall not all die in a full buffer, however slow the reader */
		for (int tries = 0; tries < 100 && datagrams_read() - before + lost < sent; tries++)
			rig_sleep_ms(1);
		lost = sent - (datagrams_read() - before);
	}
	talker_open(&t, FLOODED, false, NULL, "", "");
	wire_start(&ping, W_BINDING, n);
	assert_int_equal(talker_say(&t, &ping), 0);
	talker_close(&t);
	assert_true(datagrams_read() - before > (long)n * 9 / 10);
}

static void flood_leaves_no_memory(struct wire *m)
{
	int raw = spoof_open();
	long before, after;

	flood(raw, m, 0, WARM_UP);
	before = rig_server_rss_kib(&flooded);
	flood(raw, m, WARM_UP, FLOOD);
	after = rig_server_rss_kib(&flooded);
	close(raw);
	if (after > before + FLAT_KIB)
		fail_msg("%ld KiB became %ld", before, after);
}

static void spoofed_allocates(void **state)
{
	struct wire m;

	(void)state;
	wire_start(&m, W_ALLOCATE, 1);
	wire_add_transport(&m, IPPROTO_UDP);
	flood_leaves_no_memory(&m);
}

/* Made to look as if they had been here before: the nonce is made up. */
static void spoofed_allocates_with_credentials(void **state)
{
	static const uint8_t key[16] = {1};
	struct wire m;

	(void)state;
	wire_start(&m, W_ALLOCATE, 1);
	wire_add_str(&m, ATTR_USERNAME, "alice");
	wire_add_str(&m, ATTR_REALM, "turnpike");
	wire_add_str(&m, ATTR_NONCE, "obMatJogsiyAAAABBBBCCCC");
	wire_add_transport(&m, IPPROTO_UDP);
	wire_add_integrity(&m, key);
	flood_leaves_no_memory(&m);
}

/* RFC 6347 section 4.2.1: no state before the cookie has come back. */
static void spoofed_client_hellos(void **state)
{
	SSL_CTX *ctx = SSL_CTX_new(DTLS_client_method());
	SSL *ssl = ctx ? SSL_new(ctx) : NULL;
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	struct wire m;
	int n;

	(void)state;
	assert_true(ssl && in && out);
	SSL_set_bio(ssl, in, out);
	SSL_set_connect_state(ssl);
	SSL_do_handshake(ssl); /* as far as the ClientHello */
	n = BIO_read(out, m.buf, sizeof(m.buf));
	assert_true(n > 50 && m.buf[0] == 22);
	m.len = (size_t)n;
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	flood_leaves_no_memory(&m);
}

/* ---- garbage ---- */

static uint32_t next(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* A sound Allocate to spoil, or noise that begins with the byte. */
static size_t spoiled(uint8_t *out, uint32_t *seed, unsigned int kind)
{
	struct wire m;
	size_t len;

	if (kind % 2) {
		len = 1 + next(seed) % GARBAGE_MAX;
		for (size_t i = 0; i < len; i++)
			out[i] = (uint8_t)next(seed);
		out[0] = (uint8_t)(kind / 2);
		return len;
	}
	wire_start(&m, (uint16_t)(next(seed) & 0x3fff), kind);
	for (int i = 0; i < 3; i++)
		wire_add(&m, (uint16_t)next(seed), out, next(seed) % 64);
	for (uint32_t i = 0; i < 4; i++) {
		size_t at = next(seed) % m.len;

		if (at < 4 || at > 7)
			m.buf[at] = (uint8_t)next(seed);
	}
	len = next(seed) % 2 ? m.len : 1 + next(seed) % m.len;
	memcpy(out, m.buf, len);
	return len;
}

static void udp_garbage(void **state)
{
	static const char *const at[] = {SERVER4, SERVER6, SECOND4};
	uint8_t data[65000] = {0};
	uint32_t seed = 4545;

	(void)state;
	for (size_t k = 0; k < 3; k++) {
		struct talker t;

		talker_open(&t, at[k], false, NULL, "", "");
		for (unsigned int i = 0; i < 1024; i++)
			talker_send(&t, data, spoiled(data, &seed, i));
		/* oversized: a request, an indication, ChannelData */
		memset(data, 0, sizeof(data));
		memcpy(data, "\0\3\xfd\xd4\x21\x12\xa4\x42", 8);
		talker_send(&t, data, 64980 + 20);
		memcpy(data, "\0\x16", 2);
		talker_send(&t, data, 64980 + 20);
		memcpy(data, "\x40\0\xfd\xe0", 4);
		talker_send(&t, data, 64992 + 4);
		talker_send(&t, data, 0);
		talker_close(&t);
	}
	assert_serves();
}

static void tcp_garbage(void **state)
{
	static const char *const at[] = {SERVER4, SERVER6, SECOND4};
	uint8_t data[GARBAGE_MAX + 1000] = {0};
	char answer[8192];
	uint32_t seed = 77;

	(void)state;
	for (unsigned int i = 0; i < 512; i++) {
		size_t len = spoiled(data, &seed, i);
		struct talker t;

		talker_open(&t, at[i % 3], true, NULL, "", "");
		talker_send(&t, data, len);
		talker_close(&t);
	}
	/* a stream that promises more than there may be, and one that is nothing */
	tcp_say(SERVER4, "\0\3\xff\xff\x21\x12\xa4\x42", 8, answer, sizeof(answer));
	tcp_say(SERVER4, "\xff\xff\xff\xff", 4, answer, sizeof(answer));
	assert_serves();
}

/* Connections that say nothing, or half of something, keep nobody else out. */
static void silent_connections(void **state)
{
	static const char *const halves[] = {"", "G", "GET / HT", "\x16\x03\x01", "\x01\x01"};
	static struct talker t[500];

	(void)state;
	for (size_t i = 0; i < 500; i++) {
		talker_open(&t[i], i % 2 ? SERVER4 : SECOND4, true, NULL, "", "");
		talker_send(&t[i], halves[i % 5], strlen(halves[i % 5]));
	}
	assert_serves();
	for (size_t i = 0; i < 500; i++)
		talker_close(&t[i]);
	assert_serves();
}

/* ---- HTTP ---- */

static void http_abuse(void **state)
{
	static const char *const heads[] = {
	    "POST /turn HTTP/1.1\r\nHost: x\r\n\r\n",
	    "POST /turn HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
	    "POST /turn HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcdefghijklmnop",
	    "POST /turn HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\nabc",
	    "POST /turn HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
	    "POST /turn HTTP/1.1\r\nHost: x\r\nContent-Length: 4294967297\r\n\r\na",
	    "POST /turn HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\nabc",
	    "POST /turn HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
	    "POST /turn HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\na",
	    "POST /api/v1/ice-servers HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n{",
	    "GET /../../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
	    "GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
	    "GET /turn?service=turn&username=%n%s%n'--%00 HTTP/1.1\r\nHost: x\r\n\r\n",
	    "GET / HTTP/9.9\r\n\r\n",
	    "GET\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
	    "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Key: a\r\nSec-WebSocket-Version: 13\r\n\r\n\xff\xff\xff\xff\xff\xff",
	    "BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
	};
	char answer[65536], huge[40000];

	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		tcp_say(SECOND4, heads[i], strlen(heads[i]), answer, sizeof(answer));
		assert_null(strstr(answer, "root:"));
		assert_null(strstr(answer, "HTTP/1.1 500")); /* 501 and 505 are right */
		assert_null(strstr(answer, "HTTP/1.1 503"));
	}
	memset(huge, 'a', sizeof(huge)); /* a header without end */
	memcpy(huge, "GET /", 5);
	tcp_say(SECOND4, huge, sizeof(huge), answer, sizeof(answer));
	assert_serves();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(spoofed_allocates),
	    cmocka_unit_test(spoofed_allocates_with_credentials),
	    cmocka_unit_test(spoofed_client_hellos),
	    cmocka_unit_test(udp_garbage),
	    cmocka_unit_test(tcp_garbage),
	    cmocka_unit_test(silent_connections),
	    cmocka_unit_test(http_abuse),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, teardown);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A look at first bytes: STUN, HTTP, TLS and what its ClientHello offers.
 */
#include "daemon/listen/sniff.h"

#include <string.h>

#define RECORD_HEAD         5
#define RECORD_HANDSHAKE    0x16
#define HANDSHAKE_HEAD      4
#define CLIENT_HELLO        1
#define EXTENSION_ALPN      16
#define HELLO_BEFORE_ID_LEN 34 /* version and random */

static const char proxy[] = "PROXY ";
#define PROXY_LEN (sizeof(proxy) - 1)

/* Reads on within bounds; once past them, everything is 0 and bad. */
struct reader {
	const uint8_t *at;
	size_t left;
	bool bad;
};

static const uint8_t *take(struct reader *r, size_t n)
{
	const uint8_t *at = r->at;

	if (r->bad || n > r->left) {
		r->bad = true;
		return NULL;
	}
	r->at += n;
	r->left -= n;
	return at;
}

static size_t number(struct reader *r, int bytes)
{
	const uint8_t *at = take(r, (size_t)bytes);
	size_t v = 0;

	for (int i = 0; at && i < bytes; i++)
		v = v << 8 | at[i];
	return v;
}

/* A vector with its length in front. */
static struct reader vector(struct reader *r, int length_bytes)
{
	size_t n = number(r, length_bytes);
	const uint8_t *at = take(r, n);

	return (struct reader){.at = at, .left = at ? n : 0, .bad = !at};
}

static bool is_name(const struct reader *r, const char *name)
{
	return r->left == strlen(name) && !memcmp(r->at, name, r->left);
}

/* A client of TURN may offer HTTP, too (coturn's does); the other way round there is none. */
static bool names_only_http(struct reader alpn)
{
	struct reader list = vector(&alpn, 2);
	bool http = false;

	while (list.left && !list.bad) {
		struct reader name = vector(&list, 1);

		if (is_name(&name, "stun.turn") || is_name(&name, "stun.nat-discovery"))
			return false;
		http |= is_name(&name, "http/1.1") || is_name(&name, "h2");
	}
	return http;
}

/* RFC 8446 section 4.1.2 */
static bool offers_http(const uint8_t *hello, size_t len)
{
	struct reader r = {.at = hello, .left = len}, extensions;

	take(&r, HELLO_BEFORE_ID_LEN);
	vector(&r, 1); /* session */
	vector(&r, 2); /* cipher suites */
	vector(&r, 1); /* compression */
	extensions = vector(&r, 2);
	while (extensions.left && !extensions.bad) {
		size_t type = number(&extensions, 2);
		struct reader body = vector(&extensions, 2);

		if (type == EXTENSION_ALPN && !body.bad)
			return names_only_http(body);
	}
	return false;
}

/* The hello may be spread over several records (RFC 8446 section 5.1). */
static enum sniff sniff_tls(const uint8_t *data, size_t len, size_t *need)
{
	uint8_t hello[SNIFF_MAX];
	size_t at = 0, have = 0, whole = HANDSHAKE_HEAD;

	while (have < whole) {
		size_t n;

		if (at + RECORD_HEAD > SNIFF_MAX)
			return SNIFF_TLS_TURN;
		*need = at + RECORD_HEAD;
		if (len < *need)
			return SNIFF_MORE;
		n = (size_t)data[at + 3] << 8 | data[at + 4];
		/* whatever this is, the handshake will say so */
		if (data[at] != RECORD_HANDSHAKE || data[at + 1] != 3 || !n ||
		    at + RECORD_HEAD + n > SNIFF_MAX)
			return SNIFF_TLS_TURN;
		*need = at + RECORD_HEAD + n;
		if (len < *need)
			return SNIFF_MORE;
		memcpy(hello + have, data + at + RECORD_HEAD, n);
		have += n;
		at += RECORD_HEAD + n;
		if (hello[0] != CLIENT_HELLO)
			return SNIFF_TLS_TURN;
		if (have >= HANDSHAKE_HEAD)
			whole = HANDSHAKE_HEAD +
			        ((size_t)hello[1] << 16 | (size_t)hello[2] << 8 | hello[3]);
	}
	return offers_http(hello + HANDSHAKE_HEAD, whole - HANDSHAKE_HEAD) ? SNIFF_TLS_WEB
	                                                                   : SNIFF_TLS_TURN;
}

enum sniff sniff(const uint8_t *data, size_t len, size_t *need)
{
	*need = 1;
	if (!len)
		return SNIFF_MORE;
	/* RFC 7983, but for ChannelData (64 to 79): it is nobody's first message, and its numbers
	 * are letters. */
	if (data[0] < 4)
		return SNIFF_TURN;
	if (data[0] == RECORD_HANDSHAKE)
		return sniff_tls(data, len, need);
	if (data[0] < 'A' || data[0] > 'Z')
		return SNIFF_NONE;
	/* Nobody we trust, or it would be gone by now; and there are web servers that pass it over.
	 */
	for (size_t i = 0; i < PROXY_LEN; i++) {
		*need = i + 1;
		if (i == len)
			return SNIFF_MORE;
		if (data[i] != proxy[i])
			return SNIFF_HTTP;
	}
	return SNIFF_NONE;
}

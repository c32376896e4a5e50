/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The codec (RFC 8489 sections 5 and 14).
 */
#include "turn/wire/wire.h"

#include "base/bytes.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

static const uint8_t cookie[4] = {0x21, 0x12, 0xa4, 0x42};

static size_t pad4(size_t len)
{
	return (len + 3) & ~(size_t)3;
}

void wire_start(struct wire *w, uint16_t type, uint32_t tid)
{
	memset(w->buf, 0, 20);
	bytes_put16(w->buf, type);
	memcpy(w->buf + 4, cookie, 4);
	memcpy(w->buf + 8, "wiretest", 8);
	bytes_put32(w->buf + 16, tid);
	w->len = 20;
}

void wire_set_tid(struct wire *w, const uint8_t tid[WIRE_TID_LEN])
{
	memcpy(w->buf + 8, tid, WIRE_TID_LEN);
}

void wire_add(struct wire *w, uint16_t type, const void *value, size_t len)
{
	assert(w->len + 8 + len < sizeof(w->buf));
	bytes_put16(w->buf + w->len, type);
	bytes_put16(w->buf + w->len + 2, len);
	memset(w->buf + w->len + 4, 0, len + 3);
	if (len)
		memcpy(w->buf + w->len + 4, value, len);
	w->len += 4 + pad4(len);
	bytes_put16(w->buf + 2, w->len - 20);
}

void wire_add_u32(struct wire *w, uint16_t type, uint32_t v)
{
	uint8_t b[4];

	bytes_put32(b, v);
	wire_add(w, type, b, 4);
}

void wire_add_str(struct wire *w, uint16_t type, const char *text)
{
	wire_add(w, type, text, strlen(text));
}

void wire_add_xor_addr(struct wire *w, uint16_t type, const struct addr *a)
{
	uint8_t v[20] = {0};
	size_t n;
	const uint8_t *ip = addr_ip(a, &n);

	v[1] = n == 4 ? 1 : 2;
	bytes_put16(v + 2, addr_port(a) ^ 0x2112);
	for (size_t i = 0; i < n; i++)
		v[4 + i] = ip[i] ^ w->buf[4 + i]; /* cookie, then transaction ID */
	wire_add(w, type, v, 4 + n);
}

void wire_add_login(struct wire *w, const char *user, const char *realm, const char *nonce)
{
	wire_add_str(w, ATTR_USERNAME, user);
	wire_add_str(w, ATTR_REALM, realm);
	wire_add_str(w, ATTR_NONCE, nonce);
}

void wire_add_transport(struct wire *w, uint8_t protocol)
{
	wire_add_u32(w, ATTR_REQUESTED_TRANSPORT, (uint32_t)protocol << 24);
}

void wire_add_channel(struct wire *w, uint16_t number)
{
	wire_add_u32(w, ATTR_CHANNEL_NUMBER, (uint32_t)number << 16);
}

void wire_add_peer(struct wire *w, const char *text)
{
	struct addr a;
	int r = addr_parse(&a, text);

	assert(!r);
	(void)r;
	wire_add_xor_addr(w, ATTR_XOR_PEER_ADDRESS, &a);
}

void wire_key(const char *user, const char *realm, const char *password, uint8_t key[16])
{
	char text[2000];
	unsigned int len = 16;

	snprintf(text, sizeof(text), "%s:%s:%s", user, realm, password);
	EVP_Digest(text, strlen(text), key, &len, EVP_md5(), NULL);
}

void wire_key256(const char *user, const char *realm, const char *password, uint8_t key[32])
{
	char text[2000];

	snprintf(text, sizeof(text), "%s:%s:%s", user, realm, password);
	EVP_Digest(text, strlen(text), key, NULL, EVP_sha256(), NULL);
}

void wire_userhash(const char *user, const char *realm, uint8_t hash[32])
{
	char text[2000];

	snprintf(text, sizeof(text), "%s:%s", user, realm);
	EVP_Digest(text, strlen(text), hash, NULL, EVP_sha256(), NULL);
}

void wire_add_integrity256(struct wire *w, const uint8_t *key, size_t key_len, size_t cut)
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned int len;

	bytes_put16(w->buf + 2, w->len + 4 + cut - 20);
	HMAC(EVP_sha256(), key, (int)key_len, w->buf, w->len, mac, &len);
	wire_add(w, ATTR_MESSAGE_INTEGRITY_SHA256, mac, cut);
}

void wire_add_integrity(struct wire *w, const uint8_t key[16])
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned int len;

	bytes_put16(w->buf + 2, w->len + 24 - 20);
	HMAC(EVP_sha1(), key, 16, w->buf, w->len, mac, &len);
	wire_add(w, ATTR_MESSAGE_INTEGRITY, mac, 20);
}

static uint32_t crc32_of(const uint8_t *p, size_t len)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (int k = 0; k < 8; k++)
			crc = crc >> 1 ^ (0xedb88320 & -(crc & 1));
	}
	return ~crc;
}

void wire_add_fingerprint(struct wire *w)
{
	bytes_put16(w->buf + 2, w->len + 8 - 20);
	wire_add_u32(w, ATTR_FINGERPRINT, crc32_of(w->buf, w->len) ^ 0x5354554e);
}

void wire_channel_data(struct wire *w, uint16_t number, const void *data, size_t len, bool padded)
{
	assert(len + 8 < sizeof(w->buf));
	bytes_put16(w->buf, number);
	bytes_put16(w->buf + 2, len);
	memcpy(w->buf + 4, data, len);
	memset(w->buf + 4 + len, 0, 3);
	w->len = 4 + (padded ? pad4(len) : len);
}

size_t wire_frame_len(const uint8_t *m, size_t len)
{
	if (len < 4)
		return 0;
	return m[0] >= 64 ? 4 + pad4(bytes_get16(m + 2)) : (size_t)20 + bytes_get16(m + 2);
}

bool wire_is_channel_data(const uint8_t *m, size_t len)
{
	return len >= 4 && m[0] >= 64 && m[0] < 128;
}

const uint8_t *wire_payload(const uint8_t *m, size_t len, size_t *payload_len)
{
	if (wire_is_channel_data(m, len)) {
		*payload_len = bytes_get16(m + 2);
		return *payload_len <= len - 4 ? m + 4 : NULL;
	}
	return len >= 20 && wire_type(m) == W_DATA ? wire_get(m, len, ATTR_DATA, payload_len)
	                                           : NULL;
}

const char *wire_attr_name(uint16_t type)
{
	switch (type) {
#define X(number, name, text)                                                                      \
	case number:                                                                               \
		return text;
		WIRE_ATTR_TABLE(X)
#undef X
	default:
		return NULL;
	}
}

uint16_t wire_type(const uint8_t *m)
{
	return bytes_get16(m);
}

const uint8_t *wire_get_nth(const uint8_t *m, size_t len, uint16_t type, size_t n,
                            size_t *value_len)
{
	for (size_t at = 20; at + 4 <= len; at += 4 + pad4(bytes_get16(m + at + 2))) {
		size_t size = bytes_get16(m + at + 2);

		if (bytes_get16(m + at) == type && at + 4 + size <= len && !n--) {
			*value_len = size;
			return m + at + 4;
		}
	}
	return NULL;
}

const uint8_t *wire_get(const uint8_t *m, size_t len, uint16_t type, size_t *value_len)
{
	return wire_get_nth(m, len, type, 0, value_len);
}

bool wire_get_str(const uint8_t *m, size_t len, uint16_t type, char *out, size_t size)
{
	size_t n;
	const uint8_t *v = wire_get(m, len, type, &n);

	if (!v || n >= size)
		return false;
	memcpy(out, v, n);
	out[n] = 0;
	return true;
}

uint32_t wire_get_u32(const uint8_t *m, size_t len, uint16_t type)
{
	size_t n;
	const uint8_t *v = wire_get(m, len, type, &n);

	return v && n == 4 ? bytes_get32(v) : 0;
}

int wire_error(const uint8_t *m, size_t len)
{
	size_t n;
	const uint8_t *v = wire_get(m, len, ATTR_ERROR_CODE, &n);

	return v && n >= 4 ? (v[2] & 7) * 100 + v[3] : 0;
}

bool wire_get_xor_addr(const uint8_t *m, size_t len, uint16_t type, struct addr *out)
{
	uint8_t ip[16];
	size_t n;
	const uint8_t *v = wire_get(m, len, type, &n);

	if (!v || (n != 8 && n != 20))
		return false;
	for (size_t i = 0; i < n - 4; i++)
		ip[i] = v[4 + i] ^ m[4 + i];
	addr_from_bytes(out, ip, n - 4, (uint16_t)(bytes_get16(v + 2) ^ 0x2112));
	return true;
}

/* The attribute of the type is whole, and it is the HMAC of what stands before it. */
static bool hmac_ok(const uint8_t *m, size_t len, uint16_t type, const EVP_MD *md,
                    const uint8_t *key, size_t key_len)
{
	static uint8_t copy[70000];
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned int mac_len;
	size_t n, at;
	const uint8_t *v = wire_get(m, len, type, &n);

	if (!v || n != (size_t)EVP_MD_get_size(md))
		return false;
	at = (size_t)(v - m);
	memcpy(copy, m, at);
	bytes_put16(copy + 2, at + n - 20);
	HMAC(md, key, (int)key_len, copy, at - 4, mac, &mac_len);
	return !memcmp(mac, v, n);
}

bool wire_integrity_ok(const uint8_t *m, size_t len, const uint8_t key[16])
{
	return hmac_ok(m, len, ATTR_MESSAGE_INTEGRITY, EVP_sha1(), key, 16);
}

bool wire_integrity256_ok(const uint8_t *m, size_t len, const uint8_t *key, size_t key_len)
{
	return hmac_ok(m, len, ATTR_MESSAGE_INTEGRITY_SHA256, EVP_sha256(), key, key_len);
}

bool wire_sound(const uint8_t *m, size_t len)
{
	size_t at = 20;

	if (len < 20 || len % 4 || bytes_get16(m + 2) != len - 20 || memcmp(m + 4, cookie, 4) != 0)
		return false;
	while (at < len) {
		size_t n, pad;

		if (at + 4 > len)
			return false;
		n = bytes_get16(m + at + 2);
		pad = (4 - n % 4) % 4;
		if (at + 4 + n + pad > len)
			return false;
		for (size_t i = 0; i < pad; i++)
			if (m[at + 4 + n + i])
				return false;
		at += 4 + n + pad;
	}
	return true;
}

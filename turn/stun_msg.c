/* SPDX-License-Identifier: BSD-3-Clause
 *
 * STUN messages over coturn's libturn (4.5.2 to 4.18). Only its codec is used:
 * classification, attribute walk, address coding, builders, fingerprint.
 */
#include "turn/stun_msg.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/hmac.h"
#include "base/stun_error.h"

#include <arpa/inet.h>
#include <assert.h>
#include <openssl/crypto.h>
#include <string.h>
#include <turn/ns_turn_msg.h>

/* Later versions return bool where this one returns 0 for success and -1 for failure. */
#define TURN_OK(e) _Generic((e), _Bool : (e), int : (e) == 0)

#define ATTR_HEADER_LEN  4
#define ADDR4_LEN        8
#define ADDR6_LEN        20
#define HMAC_SHA256_MIN  16
#define TYPE_FINGERPRINT 0x8028

/* ADDITIONAL-ADDRESS-FAMILY before IANA gave it 0x8000: coturn's clients still say this. The number
 * was never given to anything else. */
#define TYPE_OLD_ADDITIONAL_ADDRESS_FAMILY 0x8032

static const uint8_t cookie[4] = {0x21, 0x12, 0xa4, 0x42};
static const uint16_t hmac_len[] = {[STUN_SHA1] = HMAC_SHA1_LEN, [STUN_SHA256] = HMAC_SHA256_LEN};

static int index_of(uint16_t type)
{
	switch (type) {
#define X(name, number)                                                                            \
	case number:                                                                               \
		return STUN_ATTR_##name;
		STUN_ATTR_TABLE(X)
#undef X
	case TYPE_OLD_ADDITIONAL_ADDRESS_FAMILY:
		return STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY;
	default:
		return -1;
	}
}

static size_t padded(size_t len)
{
	return (len + 3) & ~(size_t)3;
}

/* The libturn types are unions of sockaddrs of its own: copy member by member. */
static void to_ioa(ioa_addr *out, const struct addr *a)
{
	memset(out, 0, sizeof(*out));
	if (addr_family(a) == AF_INET6)
		out->s6 = a->in6;
	else
		out->s4 = a->in;
}

static void note_unknown(struct stun_msg *m, uint16_t type)
{
	if (m->unknown_n < STUN_UNKNOWN_MAX)
		m->unknown[m->unknown_n++] = type;
}

/* RFC 8489 section 14.5: an HMAC-SHA1 has 20 bytes; 14.6: "The value will be at most 32 bytes,
 * but it MUST be at least 16 bytes and MUST be a multiple of 4 bytes." */
static bool integrity_len_ok(enum stun_integrity kind, size_t len)
{
	if (kind == STUN_SHA1)
		return len == hmac_len[STUN_SHA1];
	return len >= HMAC_SHA256_MIN && len <= hmac_len[STUN_SHA256] && len % 4 == 0;
}

/* RFC 8489 section 9: "agents MUST ignore all attributes that follow MESSAGE-INTEGRITY, with the
 * exception of the MESSAGE-INTEGRITY-SHA256 and FINGERPRINT attributes. Similarly, agents MUST
 * ignore all attributes that follow the MESSAGE-INTEGRITY-SHA256 attribute if the
 * MESSAGE-INTEGRITY attribute is not present, with the exception of the FINGERPRINT". */
static bool is_ignored(const struct stun_msg *m, int index)
{
	if (m->integrity[STUN_SHA256])
		return true;
	return m->integrity[STUN_SHA1] && index != STUN_ATTR_MESSAGE_INTEGRITY_SHA256;
}

static int take_attr(struct stun_msg *m, uint16_t type, const uint8_t *at, uint16_t len)
{
	int i = index_of(type);

	if (is_ignored(m, i))
		return 0;
	if (i < 0) {
		if (type < 0x8000)
			note_unknown(m, type);
		return 0;
	}
	if (i == STUN_ATTR_MESSAGE_INTEGRITY || i == STUN_ATTR_MESSAGE_INTEGRITY_SHA256) {
		enum stun_integrity kind =
		    i == STUN_ATTR_MESSAGE_INTEGRITY ? STUN_SHA1 : STUN_SHA256;

		if (!integrity_len_ok(kind, len))
			return -E_PARSE;
		m->integrity[kind] = (size_t)(at - m->buf);
		if (!m->integrity_at)
			m->integrity_at = m->integrity[kind];
	}
	if (!m->attr[i].value) {
		m->attr[i].value = at + ATTR_HEADER_LEN;
		m->attr[i].len = len;
	}
	return 0;
}

static int walk(struct stun_msg *m)
{
	stun_attr_ref ref = stun_attr_get_first_str(m->buf, m->len);
	size_t end = STUN_HEADER_LEN;

	for (; ref; ref = stun_attr_get_next_str(m->buf, m->len, ref)) {
		const uint8_t *at = ref;
		uint16_t type = (uint16_t)stun_attr_get_type(ref);
		uint16_t len = (uint16_t)stun_attr_get_len(ref);

		end = (size_t)(at - m->buf) + ATTR_HEADER_LEN + padded(len);
		if (end > m->len)
			return -E_PARSE;
		if (type == TYPE_FINGERPRINT) {
			/* RFC 8489 section 14.7: it must be the last attribute. */
			if (len != 4 || end != m->len)
				return -E_PARSE;
			m->has_fingerprint = true;
			break;
		}
		if (take_attr(m, type, at, len))
			return -E_PARSE;
	}
	/* The walk also ends where an attribute runs over the end: then bytes are left. */
	return end == m->len ? 0 : -E_PARSE;
}

/* RFC 8489 section 11: a Binding request without the cookie is a client's of RFC 3489.
 * "RESPONSE-ADDRESS or CHANGE-REQUEST attributes [...] the server will view these as unknown
 * comprehension-required attributes". Nothing in it is needed for the answer. */
static int parse_classic(struct stun_msg *m)
{
	size_t at = STUN_HEADER_LEN;

	if (m->buf[0] != 0 || m->buf[1] != STUN_BINDING)
		return -E_PARSE;
	m->classic = true;
	m->class = STUN_REQUEST;
	m->method = STUN_BINDING;
	while (at < m->len) {
		uint16_t type = bytes_get16(m->buf + at);
		size_t len = ATTR_HEADER_LEN + padded(bytes_get16(m->buf + at + 2));

		if (len > m->len - at)
			return -E_PARSE;
		if (type < 0x8000 && type != 0x0006 && type != 0x0008)
			note_unknown(m, type);
		at += len;
	}
	return 0;
}

int stun_msg_parse(struct stun_msg *m, uint8_t *buf, size_t len)
{
	uint16_t type;

	assert(((uintptr_t)buf & 3) == 0);
	if (!stun_msg_looks_like(buf, len) || len % 4 ||
	    len != (size_t)STUN_HEADER_LEN + bytes_get16(buf + 2))
		return -E_PARSE;
	memset(m, 0, sizeof(*m));
	m->buf = buf;
	m->len = len;
	m->tid = buf + 8;
	if (memcmp(buf + 4, cookie, sizeof(cookie)) != 0)
		return parse_classic(m);
	if (!stun_is_command_message_str(buf, len))
		return -E_PARSE;
	type = stun_get_msg_type_str(buf, len);
	m->method = stun_get_method_str(buf, len);
	if (IS_STUN_REQUEST(type))
		m->class = STUN_REQUEST;
	else if (IS_STUN_INDICATION(type))
		m->class = STUN_INDICATION;
	else if (IS_STUN_SUCCESS_RESP(type))
		m->class = STUN_SUCCESS;
	else
		m->class = STUN_ERROR;
	if (walk(m))
		return -E_PARSE;
	if (m->has_fingerprint && !stun_is_command_message_full_check_str(buf, len, 1, NULL))
		return -E_PARSE;
	return 0;
}

int stun_msg_u32(const struct stun_msg *m, enum stun_attr_index i, uint32_t *out)
{
	const struct stun_attr *a = &m->attr[i];

	if (!a->value)
		return -E_NOTFOUND;
	if (a->len != 4)
		return -E_PARSE;
	*out = (uint32_t)bytes_get16(a->value) << 16 | bytes_get16(a->value + 2);
	return 0;
}

int stun_msg_peer(const struct stun_msg *m, size_t n, struct addr *out)
{
	stun_attr_ref ref = stun_attr_get_first_str(m->buf, m->len);

	for (; ref; ref = stun_attr_get_next_str(m->buf, m->len, ref)) {
		const uint8_t *at = ref;
		int len = stun_attr_get_len(ref);
		ioa_addr a;

		if (m->integrity_at && (size_t)(at - m->buf) >= m->integrity_at)
			break;
		if (stun_attr_get_type(ref) != STUN_TYPE_XOR_PEER_ADDRESS || n--)
			continue;
		if (!(len == ADDR4_LEN && at[5] == 1) && !(len == ADDR6_LEN && at[5] == 2))
			return -E_PARSE;
		if (!TURN_OK(stun_attr_get_addr_str(m->buf, m->len, ref, &a, NULL)))
			return -E_PARSE;
		if (a.ss.sa_family == AF_INET6)
			addr_from_bytes(out, &a.s6.sin6_addr, 16, ntohs(a.s6.sin6_port));
		else
			addr_from_bytes(out, &a.s4.sin_addr, 4, ntohs(a.s4.sin_port));
		return 0;
	}
	return -E_NOTFOUND;
}

/* RFC 8489 section 14.5: "The Length field of the STUN message header is adjusted to point to the
 * end of the [...] attribute", whatever comes behind it. */
static void hmac_of(uint8_t *buf, size_t at, size_t value_len, enum stun_integrity kind,
                    const struct stun_key *key, uint8_t out[HMAC_SHA256_LEN])
{
	uint8_t length[2];

	memcpy(length, buf + 2, 2);
	bytes_put16(buf + 2, (uint16_t)(at + ATTR_HEADER_LEN + value_len - STUN_HEADER_LEN));
	hmac(kind == STUN_SHA1 ? HMAC_SHA1 : HMAC_SHA256, key->bytes, key->len, buf, at, out);
	memcpy(buf + 2, length, 2);
}

bool stun_msg_integrity_ok(const struct stun_msg *m, enum stun_integrity kind,
                           const struct stun_key *key)
{
	size_t at = m->integrity[kind], len;
	uint8_t want[HMAC_SHA256_LEN];

	if (!at)
		return false;
	len = bytes_get16(m->buf + at + 2);
	hmac_of(m->buf, at, len, kind, key, want);
	return !CRYPTO_memcmp(want, m->buf + at + ATTR_HEADER_LEN, len);
}

/* libturn's own start of a message draws a transaction ID by chance, which costs a seventh of a
 * Binding response, and is not wanted. */
static void start(struct stun_out *o, uint8_t *buf, size_t cap, uint16_t type)
{
	assert(((uintptr_t)buf & 3) == 0 && cap >= STUN_HEADER_LEN);
	o->buf = buf;
	o->cap = cap;
	o->failed = false;
	o->len = STUN_HEADER_LEN;
	bytes_put16(buf, (uint16_t)type);
	bytes_put16(buf + 2, 0);
}

void stun_out_reply(struct stun_out *o, uint8_t *buf, size_t cap, const struct stun_msg *request,
                    enum stun_class class)
{
	start(o, buf, cap,
	      class == STUN_ERROR ? stun_make_error_response(request->method)
	                          : stun_make_success_response(request->method));
	/* RFC 8489 section 11: a classic client's 128-bit ID lies where the cookie is now. */
	memcpy(buf + 4, request->buf + 4, 4 + STUN_TID_LEN);
}

void stun_out_indication(struct stun_out *o, uint8_t *buf, size_t cap, enum stun_method method,
                         const uint8_t tid[STUN_TID_LEN])
{
	const uint32_t magic = htonl(STUN_MAGIC_COOKIE);

	start(o, buf, cap, stun_make_indication((uint16_t)method));
	memcpy(buf + 4, &magic, sizeof(magic));
	memcpy(buf + 8, tid, STUN_TID_LEN);
}

void stun_out_add(struct stun_out *o, uint16_t type, const void *value, size_t len)
{
	if (o->failed || len > o->cap || o->len + ATTR_HEADER_LEN + padded(len) > o->cap) {
		o->failed = true;
		return;
	}
	memset(o->buf + o->len, 0, ATTR_HEADER_LEN + padded(len));
	if (!TURN_OK(stun_attr_add_str(o->buf, &o->len, type, value, (int)len)))
		o->failed = true;
}

void stun_out_add_zeros(struct stun_out *o, uint16_t type, size_t len)
{
	if (o->failed || len > UINT16_MAX || len > o->cap ||
	    o->len + ATTR_HEADER_LEN + padded(len) > o->cap) {
		o->failed = true;
		return;
	}
	memset(o->buf + o->len, 0, ATTR_HEADER_LEN + padded(len));
	bytes_put16(o->buf + o->len, (uint16_t)type);
	bytes_put16(o->buf + o->len + 2, (uint16_t)len);
	o->len += ATTR_HEADER_LEN + padded(len);
	bytes_put16(o->buf + 2, (uint16_t)(o->len - STUN_HEADER_LEN));
}

void stun_out_add_u32(struct stun_out *o, uint16_t type, uint32_t value)
{
	uint32_t be = htonl(value);

	stun_out_add(o, type, &be, sizeof(be));
}

void stun_out_add_xor_addr(struct stun_out *o, uint16_t type, const struct addr *a)
{
	ioa_addr ioa;

	if (o->failed || o->len + ATTR_HEADER_LEN + ADDR6_LEN > o->cap) {
		o->failed = true;
		return;
	}
	to_ioa(&ioa, a);
	if (!TURN_OK(stun_attr_add_addr_str(o->buf, &o->len, type, &ioa)))
		o->failed = true;
}

/*
 *  |0 0 0 0 0 0 0 0|    Family     |           Port                |  address, 4 or 16 bytes  |
 */
void stun_out_add_addr(struct stun_out *o, uint16_t type, const struct addr *a)
{
	uint8_t value[4 + 16] = {0};
	size_t ip_len;
	const uint8_t *ip = addr_ip(a, &ip_len);

	value[1] = ip_len == 16 ? 2 : 1;
	bytes_put16(value + 2, addr_port(a));
	memcpy(value + 4, ip, ip_len);
	stun_out_add(o, type, value, 4 + ip_len);
}

/* ERROR-CODE and ADDRESS-ERROR-CODE differ in the first byte only. */
static void add_code(struct stun_out *o, uint16_t type, uint8_t family, int code, const char *text)
{
	uint8_t value[4 + 64] = {family, 0, (uint8_t)(code / 100), (uint8_t)(code % 100)};
	size_t len = strlen(text);

	memcpy(value + 4, text, len);
	stun_out_add(o, type, value, 4 + len);
}

void stun_out_add_error(struct stun_out *o, int code, bool with_reason)
{
	add_code(o, STUN_TYPE_ERROR_CODE, 0, code, with_reason ? stun_error_reason(code) : "");
}

void stun_out_add_address_error(struct stun_out *o, uint8_t family, int code)
{
	add_code(o, STUN_TYPE_ADDRESS_ERROR_CODE, family, code, stun_error_reason(code));
}

void stun_out_add_integrity(struct stun_out *o, enum stun_integrity kind,
                            const struct stun_key *key)
{
	uint16_t type = kind == STUN_SHA1 ? 0x0008 : 0x001C;
	uint8_t mac[HMAC_SHA256_LEN];

	if (o->failed)
		return;
	hmac_of(o->buf, o->len, hmac_len[kind], kind, key, mac);
	stun_out_add(o, type, mac, hmac_len[kind]);
}

void stun_out_add_fingerprint(struct stun_out *o)
{
	if (o->failed || o->len + ATTR_HEADER_LEN + 4 > o->cap) {
		o->failed = true;
		return;
	}
	if (!TURN_OK(stun_attr_add_fingerprint_str(o->buf, &o->len)))
		o->failed = true;
}

/*
 *  | Data indication, 20 | 0x0012, XOR-PEER-ADDRESS, 12 or 24 | 0x0013, length | data, padding |
 */
uint8_t *stun_wrap_data_indication(uint8_t *data, size_t payload_len, const struct addr *peer,
                                   const uint8_t tid[STUN_TID_LEN], size_t *total)
{
	size_t ip_len, pad = padded(payload_len) - payload_len;
	const uint8_t *ip = addr_ip(peer, &ip_len);
	uint16_t port = addr_port(peer);
	uint8_t *head = data - ATTR_HEADER_LEN - (ATTR_HEADER_LEN + 4 + ip_len) - STUN_HEADER_LEN;
	uint8_t *at = head + STUN_HEADER_LEN;

	*total = (size_t)(data - head) + payload_len + pad;
	bytes_put16(head, 0x0017); /* indication, method 0x007 */
	bytes_put16(head + 2, (uint16_t)(*total - STUN_HEADER_LEN));
	memcpy(head + 4, cookie, 4);
	memcpy(head + 8, tid, STUN_TID_LEN);
	bytes_put16(at, STUN_TYPE_XOR_PEER_ADDRESS);
	bytes_put16(at + 2, (uint16_t)(4 + ip_len));
	at[4] = 0;
	at[5] = ip_len == 16 ? 2 : 1;
	bytes_put16(at + 6, port ^ 0x2112);
	for (size_t i = 0; i < ip_len; i++)
		at[8 + i] = ip[i] ^ (i < 4 ? cookie[i] : tid[i - 4]);
	bytes_put16(data - 4, STUN_TYPE_DATA);
	bytes_put16(data - 2, (uint16_t)payload_len);
	memset(data + payload_len, 0, pad);
	return head;
}

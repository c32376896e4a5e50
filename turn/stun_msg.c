/* SPDX-License-Identifier: BSD-3-Clause
 *
 * STUN messages over coturn's libturn (4.5.2 to 4.18). Only its codec is used:
 * classification, attribute walk, address coding, builders, HMAC, fingerprint.
 */
#include "turn/stun_msg.h"

#include "base/error.h"

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
#define HMAC_SHA1_LEN    20
#define TYPE_FINGERPRINT 0x8028

static int index_of(uint16_t type)
{
	switch (type) {
#define X(name, number)                                                                            \
	case number:                                                                               \
		return STUN_ATTR_##name;
		STUN_ATTR_TABLE(X)
#undef X
	default:
		return -1;
	}
}

static uint16_t read16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void write16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
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

/* Walks the attributes. What stands behind MESSAGE-INTEGRITY is not protected by it and is not
 * looked at, except FINGERPRINT (RFC 8489 section 14.5). */
static int walk(struct stun_msg *m)
{
	stun_attr_ref ref = stun_attr_get_first_str(m->buf, m->len);
	size_t end = STUN_HEADER_LEN;

	for (; ref; ref = stun_attr_get_next_str(m->buf, m->len, ref)) {
		const uint8_t *at = ref;
		uint16_t type = (uint16_t)stun_attr_get_type(ref);
		uint16_t len = (uint16_t)stun_attr_get_len(ref);
		int i;

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
		if (m->integrity_at)
			continue;
		i = index_of(type);
		if (i < 0) {
			if (type < 0x8000)
				note_unknown(m, type);
			continue;
		}
		if (i == STUN_ATTR_MESSAGE_INTEGRITY) {
			if (len != HMAC_SHA1_LEN)
				return -E_PARSE;
			m->integrity_at = (size_t)(at - m->buf);
		}
		if (!m->attr[i].value) {
			m->attr[i].value = at + ATTR_HEADER_LEN;
			m->attr[i].len = len;
		}
	}
	/* The walk also ends where an attribute runs over the end: then bytes are left. */
	return end == m->len ? 0 : -E_PARSE;
}

int stun_msg_parse(struct stun_msg *m, uint8_t *buf, size_t len)
{
	uint16_t type;

	assert(((uintptr_t)buf & 3) == 0);
	if (!stun_msg_looks_like(buf, len) || len % 4 ||
	    len != (size_t)STUN_HEADER_LEN + read16(buf + 2))
		return -E_PARSE;
	if (!stun_is_command_message_str(buf, len)) /* the magic cookie, too */
		return -E_PARSE;
	memset(m, 0, sizeof(*m));
	m->buf = buf;
	m->len = len;
	m->tid = buf + 8;
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
	*out = (uint32_t)read16(a->value) << 16 | read16(a->value + 2);
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

bool stun_msg_integrity_ok(const struct stun_msg *m, const uint8_t key[STUN_KEY_SHA1_LEN])
{
	uint8_t hmac[MAXSHASIZE];
	uint8_t length[2];
	unsigned int hmac_len = sizeof(hmac);
	bool ok;

	if (!m->integrity_at)
		return false;
	/* RFC 8489 section 14.5: the length in the header counts up to the end of this attribute.
	 */
	memcpy(length, m->buf + 2, 2);
	write16(m->buf + 2, m->integrity_at + ATTR_HEADER_LEN + HMAC_SHA1_LEN - STUN_HEADER_LEN);
	ok = TURN_OK(stun_calculate_hmac(m->buf, m->integrity_at, key, STUN_KEY_SHA1_LEN, hmac,
	                                 &hmac_len, SHATYPE_SHA1)) &&
	     hmac_len == HMAC_SHA1_LEN;
	memcpy(m->buf + 2, length, 2);
	return ok &&
	       !CRYPTO_memcmp(hmac, m->buf + m->integrity_at + ATTR_HEADER_LEN, HMAC_SHA1_LEN);
}

void stun_out_reply(struct stun_out *o, uint8_t *buf, size_t cap, const struct stun_msg *request,
                    enum stun_class class)
{
	stun_tid tid;

	assert(((uintptr_t)buf & 3) == 0 && cap >= STUN_HEADER_LEN);
	o->buf = buf;
	o->cap = cap;
	o->failed = false;
	stun_init_command_str(class == STUN_ERROR ? stun_make_error_response(request->method)
	                                          : stun_make_success_response(request->method),
	                      buf, &o->len);
	memcpy(tid.tsx_id, request->tid, STUN_TID_LEN);
	stun_tid_message_cpy(buf, &tid);
}

void stun_out_indication(struct stun_out *o, uint8_t *buf, size_t cap, enum stun_method method,
                         const uint8_t tid[STUN_TID_LEN])
{
	stun_tid id;

	assert(((uintptr_t)buf & 3) == 0 && cap >= STUN_HEADER_LEN);
	o->buf = buf;
	o->cap = cap;
	o->failed = false;
	stun_init_command_str(stun_make_indication((uint16_t)method), buf, &o->len);
	memcpy(id.tsx_id, tid, STUN_TID_LEN);
	stun_tid_message_cpy(buf, &id);
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

static const char *reason(int code)
{
	switch (code) {
	case 300:
		return "Try Alternate";
	case 400:
		return "Bad Request";
	case 401:
		return "Unauthenticated";
	case 403:
		return "Forbidden";
	case 420:
		return "Unknown Attribute";
	case 437:
		return "Allocation Mismatch";
	case 438:
		return "Stale Nonce";
	case 440:
		return "Address Family not Supported";
	case 441:
		return "Wrong Credentials";
	case 442:
		return "Unsupported Transport Protocol";
	case 443:
		return "Peer Address Family Mismatch";
	case 446:
		return "Connection Already Exists";
	case 447:
		return "Connection Timeout or Failure";
	case 486:
		return "Allocation Quota Reached";
	case 508:
		return "Insufficient Capacity";
	default:
		return "Server Error";
	}
}

/* ERROR-CODE and ADDRESS-ERROR-CODE differ in the first byte only. */
static void add_code(struct stun_out *o, uint16_t type, uint8_t family, int code)
{
	const char *text = reason(code);
	uint8_t value[4 + 64] = {family, 0, (uint8_t)(code / 100), (uint8_t)(code % 100)};
	size_t len = strlen(text);

	memcpy(value + 4, text, len);
	stun_out_add(o, type, value, 4 + len);
}

void stun_out_add_error(struct stun_out *o, int code)
{
	add_code(o, STUN_TYPE_ERROR_CODE, 0, code);
}

void stun_out_add_address_error(struct stun_out *o, uint8_t family, int code)
{
	add_code(o, STUN_TYPE_ADDRESS_ERROR_CODE, family, code);
}

void stun_out_add_integrity(struct stun_out *o, const uint8_t key[STUN_KEY_SHA1_LEN])
{
	hmackey_t k = {0};
	password_t none = {0};

	if (o->failed || o->len + ATTR_HEADER_LEN + HMAC_SHA1_LEN > o->cap) {
		o->failed = true;
		return;
	}
	memcpy(k, key, STUN_KEY_SHA1_LEN);
	if (!TURN_OK(stun_attr_add_integrity_str(TURN_CREDENTIALS_LONG_TERM, o->buf, &o->len, k,
	                                         none, SHATYPE_SHA1)))
		o->failed = true;
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
	static const uint8_t cookie[4] = {0x21, 0x12, 0xa4, 0x42};
	size_t ip_len, pad = padded(payload_len) - payload_len;
	const uint8_t *ip = addr_ip(peer, &ip_len);
	uint16_t port = addr_port(peer);
	uint8_t *head = data - ATTR_HEADER_LEN - (ATTR_HEADER_LEN + 4 + ip_len) - STUN_HEADER_LEN;
	uint8_t *at = head + STUN_HEADER_LEN;

	*total = (size_t)(data - head) + payload_len + pad;
	write16(head, 0x0017); /* indication, method 0x007 */
	write16(head + 2, *total - STUN_HEADER_LEN);
	memcpy(head + 4, cookie, 4);
	memcpy(head + 8, tid, STUN_TID_LEN);
	write16(at, STUN_TYPE_XOR_PEER_ADDRESS);
	write16(at + 2, 4 + ip_len);
	at[4] = 0;
	at[5] = ip_len == 16 ? 2 : 1;
	write16(at + 6, (size_t)(port ^ 0x2112));
	for (size_t i = 0; i < ip_len; i++)
		at[8 + i] = ip[i] ^ (i < 4 ? cookie[i] : tid[i - 4]);
	write16(data - 4, STUN_TYPE_DATA);
	write16(data - 2, payload_len);
	memset(data + payload_len, 0, pad);
	return head;
}

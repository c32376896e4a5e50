/* SPDX-License-Identifier: BSD-3-Clause
 *
 * STUN messages (RFC 8489 section 5) over coturn's libturn: the only place
 * that knows that library. Reading never trusts a length; writing never runs
 * past the buffer.
 *
 *   0                   1                   2                   3
 *  |0 0|  message type (14 bits) |        length, without header  |
 *  |                    magic cookie 0x2112A442                   |
 *  |                    transaction ID (96 bits)                  |
 */
#ifndef TURN_STUN_MSG_H
#define TURN_STUN_MSG_H

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STUN_HEADER_LEN  20
#define STUN_TID_LEN     12
#define STUN_REPLY_MAX   1280 /* our longest reply fits */
#define STUN_UNKNOWN_MAX 8

/* Keys of MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256. */
#define STUN_KEY_MD5_LEN    16 /* MD5(username:realm:password), RFC 8489 section 9.2.2 */
#define STUN_KEY_SHA256_LEN 32 /* SHA-256 of the same, RFC 8489 section 18.5.1.2 */
#define STUN_KEY_MAX        64 /* from a third party, RFC 7635 */
#define STUN_USERHASH_LEN   32 /* SHA-256(username:realm), RFC 8489 section 14.4 */

struct stun_key {
	uint8_t len;
	uint8_t bytes[STUN_KEY_MAX];
};

enum stun_integrity { STUN_SHA1, STUN_SHA256 };

enum stun_class { STUN_REQUEST, STUN_INDICATION, STUN_SUCCESS, STUN_ERROR };

enum stun_method {
	STUN_BINDING = 0x001,
	STUN_ALLOCATE = 0x003,
	STUN_REFRESH = 0x004,
	STUN_SEND = 0x006,
	STUN_DATA = 0x007,
	STUN_CREATE_PERMISSION = 0x008,
	STUN_CHANNEL_BIND = 0x009,
	STUN_CONNECT = 0x00A,
	STUN_CONNECTION_BIND = 0x00B,
	STUN_CONNECTION_ATTEMPT = 0x00C,
};

/* Attributes that a server reads, ordered by number. */
#define STUN_ATTR_TABLE(X)                                                                         \
	X(CHANGE_REQUEST, 0x0003)                                                                  \
	X(USERNAME, 0x0006)                                                                        \
	X(MESSAGE_INTEGRITY, 0x0008)                                                               \
	X(CHANNEL_NUMBER, 0x000C)                                                                  \
	X(LIFETIME, 0x000D)                                                                        \
	X(XOR_PEER_ADDRESS, 0x0012)                                                                \
	X(DATA, 0x0013)                                                                            \
	X(REALM, 0x0014)                                                                           \
	X(NONCE, 0x0015)                                                                           \
	X(REQUESTED_ADDRESS_FAMILY, 0x0017)                                                        \
	X(EVEN_PORT, 0x0018)                                                                       \
	X(REQUESTED_TRANSPORT, 0x0019)                                                             \
	X(DONT_FRAGMENT, 0x001A)                                                                   \
	X(ACCESS_TOKEN, 0x001B)                                                                    \
	X(MESSAGE_INTEGRITY_SHA256, 0x001C)                                                        \
	X(PASSWORD_ALGORITHM, 0x001D)                                                              \
	X(USERHASH, 0x001E)                                                                        \
	X(RESERVATION_TOKEN, 0x0022)                                                               \
	X(PRIORITY, 0x0024)                                                                        \
	X(USE_CANDIDATE, 0x0025)                                                                   \
	X(PADDING, 0x0026)                                                                         \
	X(RESPONSE_PORT, 0x0027)                                                                   \
	X(CONNECTION_ID, 0x002A)                                                                   \
	X(ADDITIONAL_ADDRESS_FAMILY, 0x8000)                                                       \
	X(PASSWORD_ALGORITHMS, 0x8002)                                                             \
	X(MOBILITY_TICKET, 0x8030)

enum stun_attr_index {
#define X(name, number) STUN_ATTR_##name,
	STUN_ATTR_TABLE(X)
#undef X
	    STUN_ATTR_COUNT
};

struct stun_attr {
	const uint8_t *value; /* NULL: absent */
	uint16_t len;
};

/* A parsed message; points into the datagram. */
struct stun_msg {
	uint8_t *buf;
	size_t len;
	enum stun_class class;
	uint16_t method;
	const uint8_t *tid;
	struct stun_attr attr[STUN_ATTR_COUNT]; /* the first of each type */
	size_t integrity_at;                    /* end of the protected part, 0: not protected */
	size_t integrity[2];                    /* offset by enum stun_integrity, 0: absent */
	bool classic;                           /* RFC 3489: without a magic cookie */
	bool has_fingerprint;                   /* present and right */
	size_t unknown_n;                       /* unknown comprehension-required attributes */
	uint16_t unknown[STUN_UNKNOWN_MAX];
};

/* First look (RFC 7983): may this be STUN, may it be ChannelData? */
static inline bool stun_msg_looks_like(const uint8_t *buf, size_t len)
{
	return len >= STUN_HEADER_LEN && buf[0] < 4;
}

/* Checks header, length (all of the datagram), cookie, fingerprint and attribute bounds. buf must
 * be aligned to 4. Without the cookie only a Binding request passes, as RFC 3489's classic one. 0
 * or -E_PARSE: drop it in silence. */
int stun_msg_parse(struct stun_msg *m, uint8_t *buf, size_t len);

static inline bool stun_msg_has(const struct stun_msg *m, enum stun_attr_index i)
{
	return m->attr[i].value != NULL;
}

/* -E_NOTFOUND when absent, -E_PARSE when it has another length. */
int stun_msg_u32(const struct stun_msg *m, enum stun_attr_index i, uint32_t *out);

/* The n-th XOR-PEER-ADDRESS (n from 0). 0, -E_NOTFOUND past the last, -E_PARSE. */
int stun_msg_peer(const struct stun_msg *m, size_t n, struct addr *out);

/* True when the attribute is present and fits the key; a truncated HMAC-SHA-256 of at least 16
 * bytes also does. Compares in constant time. */
bool stun_msg_integrity_ok(const struct stun_msg *m, enum stun_integrity kind,
                           const struct stun_key *key);

/* A reply or indication being written. After a failed add every later one fails too, so that
 * one check at the end is enough. */
struct stun_out {
	uint8_t *buf; /* aligned to 4 */
	size_t len, cap;
	bool failed;
};

void stun_out_indication(struct stun_out *o, uint8_t *buf, size_t cap, enum stun_method method,
                         const uint8_t tid[STUN_TID_LEN]);
void stun_out_reply(struct stun_out *o, uint8_t *buf, size_t cap, const struct stun_msg *request,
                    enum stun_class class);

/* Turns a payload into a Data indication in place, with no copy: writes XOR-PEER-ADDRESS and the
 * DATA header into the STUN_DATA_HEAD_MAX bytes in front of data, which is aligned to 4, and up
 * to 3 bytes of padding behind it. Returns the start of the message and its length in *total.
 * payload_len is at most 65,507 - STUN_DATA_HEAD_MAX. */
#define STUN_DATA_HEAD_MAX 48
uint8_t *stun_wrap_data_indication(uint8_t *data, size_t payload_len, const struct addr *peer,
                                   const uint8_t tid[STUN_TID_LEN], size_t *total);

/* Zero-padded to 4 bytes. */
void stun_out_add(struct stun_out *o, uint16_t type, const void *value, size_t len);
void stun_out_add_zeros(struct stun_out *o, uint16_t type, size_t len);
void stun_out_add_u32(struct stun_out *o, uint16_t type, uint32_t value);
void stun_out_add_xor_addr(struct stun_out *o, uint16_t type, const struct addr *a);
void stun_out_add_addr(struct stun_out *o, uint16_t type, const struct addr *a);
void stun_out_add_error(struct stun_out *o, int code, bool with_reason);
/* ADDRESS-ERROR-CODE (RFC 8656 section 18.12): says why there is no address of the family (1 or 2).
 */
void stun_out_add_address_error(struct stun_out *o, uint8_t family, int code);
void stun_out_add_integrity(struct stun_out *o, enum stun_integrity kind,
                            const struct stun_key *key);
void stun_out_add_fingerprint(struct stun_out *o);

#define STUN_TYPE_MAPPED_ADDRESS      0x0001
#define STUN_TYPE_ERROR_CODE          0x0009
#define STUN_TYPE_UNKNOWN_ATTRIBUTES  0x000A
#define STUN_TYPE_LIFETIME            0x000D
#define STUN_TYPE_XOR_PEER_ADDRESS    0x0012
#define STUN_TYPE_DATA                0x0013
#define STUN_TYPE_REALM               0x0014
#define STUN_TYPE_NONCE               0x0015
#define STUN_TYPE_XOR_RELAYED_ADDRESS 0x0016
#define STUN_TYPE_XOR_MAPPED_ADDRESS  0x0020
#define STUN_TYPE_RESERVATION_TOKEN   0x0022
#define STUN_TYPE_PADDING             0x0026
#define STUN_TYPE_CONNECTION_ID       0x002A
#define STUN_TYPE_ADDRESS_ERROR_CODE  0x8001
#define STUN_TYPE_PASSWORD_ALGORITHMS 0x8002
#define STUN_TYPE_ALTERNATE_DOMAIN    0x8003
#define STUN_TYPE_ICMP                0x8004
#define STUN_TYPE_SOFTWARE            0x8022
#define STUN_TYPE_ALTERNATE_SERVER    0x8023
#define STUN_TYPE_RESPONSE_ORIGIN     0x802B
#define STUN_TYPE_OTHER_ADDRESS       0x802C
#define STUN_TYPE_THIRD_PARTY_AUTH    0x802E
#define STUN_TYPE_MOBILITY_TICKET     0x8030

#endif

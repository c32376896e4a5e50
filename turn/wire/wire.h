/* SPDX-License-Identifier: BSD-3-Clause
 *
 * STUN messages (RFC 8489 section 5), written and read for the judges of a server: tests, loads,
 * the lab and the doctor. It shares no code with the server, so that a mistake in one is not
 * repeated in the other. It writes whatever it is told to, right or wrong.
 */
#ifndef TURN_WIRE_WIRE_H
#define TURN_WIRE_WIRE_H

#include "base/addr.h"
#include "turn/wire/numbers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_HEADER_LEN  20
#define WIRE_TID_LEN     12
#define WIRE_CHANNEL_LEN 4 /* ChannelData's header */

struct wire {
	_Alignas(8) uint8_t buf[70000];
	size_t len;
};

/* ---- writing ---- */

/* The transaction ID is "wiretest" and then tid. */
void wire_start(struct wire *w, uint16_t type, uint32_t tid);
/* Sets another transaction ID; call it before adding any address. */
void wire_set_tid(struct wire *w, const uint8_t tid[WIRE_TID_LEN]);
void wire_add(struct wire *w, uint16_t type, const void *value, size_t len);
void wire_add_u32(struct wire *w, uint16_t type, uint32_t value);
void wire_add_str(struct wire *w, uint16_t type, const char *text);
void wire_add_xor_addr(struct wire *w, uint16_t type, const struct addr *a);
/* USERNAME, REALM and NONCE, which a client sends once it is challenged. */
void wire_add_login(struct wire *w, const char *user, const char *realm, const char *nonce);
/* REQUESTED-TRANSPORT: IPPROTO_UDP or IPPROTO_TCP. */
void wire_add_transport(struct wire *w, uint8_t protocol);
/* CHANNEL-NUMBER. */
void wire_add_channel(struct wire *w, uint16_t number);
/* XOR-PEER-ADDRESS: "192.0.2.1:9". */
void wire_add_peer(struct wire *w, const char *text);
void wire_key(const char *user, const char *realm, const char *password, uint8_t key[16]);
void wire_key256(const char *user, const char *realm, const char *password, uint8_t key[32]);
void wire_userhash(const char *user, const char *realm, uint8_t hash[32]);
/* MESSAGE-INTEGRITY-SHA256, cut to len bytes. */
void wire_add_integrity256(struct wire *w, const uint8_t *key, size_t key_len, size_t len);
void wire_add_integrity(struct wire *w, const uint8_t key[16]);
void wire_add_fingerprint(struct wire *w);
/* A ChannelData message (RFC 8656 section 12.4); padded as over a stream (section 12.5). */
void wire_channel_data(struct wire *w, uint16_t number, const void *data, size_t len, bool padded);

/* ---- reading ---- */

/* The length of the message that begins here, with the padding of ChannelData over a stream; len
 * may be less. 0: fewer than four bytes do not tell. Every client here cuts a stream with it. */
size_t wire_frame_len(const uint8_t *m, size_t len);
bool wire_is_channel_data(const uint8_t *m, size_t len);
/* The data of a ChannelData message or a Data indication, and their length; else NULL. */
const uint8_t *wire_payload(const uint8_t *m, size_t len, size_t *payload_len);

uint16_t wire_type(const uint8_t *m);
/* "USERNAME"; NULL for a number that is not in the table. */
const char *wire_attr_name(uint16_t type);
/* The value of the first attribute of the type and its length. NULL: absent, or cut off by the
 * message's end. */
const uint8_t *wire_get(const uint8_t *m, size_t len, uint16_t type, size_t *value_len);
/* The same of the n-th, from 0. */
const uint8_t *wire_get_nth(const uint8_t *m, size_t len, uint16_t type, size_t n,
                            size_t *value_len);
/* The value, NUL-terminated. False, and out unchanged, when it is absent or too long. */
bool wire_get_str(const uint8_t *m, size_t len, uint16_t type, char *out, size_t size);
uint32_t wire_get_u32(const uint8_t *m, size_t len, uint16_t type); /* 0 when absent */
int wire_error(const uint8_t *m, size_t len);                       /* 0: none */
bool wire_get_xor_addr(const uint8_t *m, size_t len, uint16_t type, struct addr *out);
bool wire_integrity256_ok(const uint8_t *m, size_t len, const uint8_t *key, size_t key_len);
bool wire_integrity_ok(const uint8_t *m, size_t len, const uint8_t key[16]);
/* Header and length are right, every attribute is in bounds, and all padding is zero. */
bool wire_sound(const uint8_t *m, size_t len);

#endif

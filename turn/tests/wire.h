/* SPDX-License-Identifier: BSD-3-Clause
 *
 * STUN messages written and read by hand, for tests: it shares no code with
 * the server, so that a mistake of one is not repeated by the other.
 */
#ifndef TURN_TESTS_WIRE_H
#define TURN_TESTS_WIRE_H

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire {
	_Alignas(8) uint8_t buf[70000];
	size_t len;
};

enum {
	W_BINDING = 0x0001,
	W_ALLOCATE = 0x0003,
	W_REFRESH = 0x0004,
	W_SEND = 0x0016,
	W_DATA = 0x0017,
	W_CREATE_PERMISSION = 0x0008,
	W_CHANNEL_BIND = 0x0009,
	W_CONNECT = 0x000a,
	W_CONNECTION_BIND = 0x000b,
	W_CONNECTION_ATTEMPT = 0x001c,
	W_OK = 0x0100,
	W_ERR = 0x0110,
};

void wire_start(struct wire *w, uint16_t type, uint32_t tid);
void wire_add(struct wire *w, uint16_t type, const void *value, size_t len);
void wire_add_u32(struct wire *w, uint16_t type, uint32_t value);
void wire_add_str(struct wire *w, uint16_t type, const char *text);
/* USERNAME, REALM and NONCE: what a client says once it has been challenged. */
void wire_add_login(struct wire *w, const char *user, const char *realm, const char *nonce);
void wire_add_xor_addr(struct wire *w, uint16_t type, const char *addr);
void wire_key(const char *user, const char *realm, const char *password, uint8_t key[16]);
void wire_key256(const char *user, const char *realm, const char *password, uint8_t key[32]);
void wire_userhash(const char *user, const char *realm, uint8_t hash[32]);
/* MESSAGE-INTEGRITY-SHA256, cut to len bytes. */
void wire_add_integrity256(struct wire *w, const uint8_t *key, size_t key_len, size_t len);
void wire_add_integrity(struct wire *w, const uint8_t key[16]);
void wire_add_fingerprint(struct wire *w);

uint16_t wire_type(const uint8_t *m);
/* The value of the first attribute of the type and its length, or NULL. */
const uint8_t *wire_get(const uint8_t *m, size_t len, uint16_t type, size_t *value_len);
/* The value with a NUL behind it. False, and out as it was, when there is none, or it is too long.
 */
bool wire_get_str(const uint8_t *m, size_t len, uint16_t type, char *out, size_t size);
uint32_t wire_get_u32(const uint8_t *m, size_t len, uint16_t type); /* 0 when absent */
int wire_error(const uint8_t *m, size_t len);                       /* 0: none */
bool wire_get_xor_addr(const uint8_t *m, size_t len, uint16_t type, struct addr *out);
bool wire_integrity256_ok(const uint8_t *m, size_t len, const uint8_t *key, size_t key_len);
bool wire_integrity_ok(const uint8_t *m, size_t len, const uint8_t key[16]);
/* Every attribute is in bounds and all padding is zero. */
bool wire_sound(const uint8_t *m, size_t len);

#endif

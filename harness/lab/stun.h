/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The messages of the lab's own prober: Binding with CHANGE-REQUEST (RFC 8489,
 * RFC 5780).
 */
#ifndef LAB_STUN_H
#define LAB_STUN_H

#include "base/addr.h"
#include "turn/wire/wire.h"

#include <stddef.h>
#include <stdint.h>

#define STUN_TID_LEN    WIRE_TID_LEN
#define STUN_PACKET_MAX 128

#define STUN_CHANGE_PORT 0x2 /* RFC 5780 section 7.2 */
#define STUN_CHANGE_IP   0x4

/* Both write at most STUN_PACKET_MAX bytes and return the length. */
size_t stun_binding_request(uint8_t buf[STUN_PACKET_MAX], const uint8_t tid[STUN_TID_LEN],
                            unsigned change);
size_t stun_binding_response(uint8_t buf[STUN_PACKET_MAX], const uint8_t tid[STUN_TID_LEN],
                             const struct addr *mapped);

/* 0 or -E_PARSE. */
int stun_parse_request(const uint8_t *pkt, size_t len, uint8_t tid[STUN_TID_LEN], unsigned *change);
int stun_parse_response(const uint8_t *pkt, size_t len, uint8_t tid[STUN_TID_LEN],
                        struct addr *mapped);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The prober's STUN messages.
 */
#include "harness/lab/stun.h"

#include "base/error.h"

#include <string.h>

static void start(struct wire *m, uint16_t type, const uint8_t *tid)
{
	wire_start(m, type, 0);
	wire_set_tid(m, tid);
}

static size_t finish(const struct wire *m, uint8_t buf[STUN_PACKET_MAX])
{
	memcpy(buf, m->buf, m->len);
	return m->len;
}

size_t stun_binding_request(uint8_t buf[STUN_PACKET_MAX], const uint8_t tid[STUN_TID_LEN],
                            unsigned change)
{
	struct wire m;

	start(&m, W_BINDING, tid);
	if (change)
		wire_add_u32(&m, ATTR_CHANGE_REQUEST, change);
	return finish(&m, buf);
}

size_t stun_binding_response(uint8_t buf[STUN_PACKET_MAX], const uint8_t tid[STUN_TID_LEN],
                             const struct addr *mapped)
{
	struct wire m;

	start(&m, W_BINDING | W_SUCCESS, tid);
	wire_add_xor_addr(&m, ATTR_XOR_MAPPED_ADDRESS, mapped);
	return finish(&m, buf);
}

static bool is_sound(const uint8_t *pkt, size_t len, uint16_t type)
{
	return wire_sound(pkt, len) && wire_type(pkt) == type;
}

int stun_parse_request(const uint8_t *pkt, size_t len, uint8_t tid[STUN_TID_LEN], unsigned *change)
{
	if (!is_sound(pkt, len, W_BINDING))
		return -E_PARSE;
	memcpy(tid, pkt + 8, STUN_TID_LEN);
	*change = wire_get_u32(pkt, len, ATTR_CHANGE_REQUEST) & (STUN_CHANGE_IP | STUN_CHANGE_PORT);
	return 0;
}

int stun_parse_response(const uint8_t *pkt, size_t len, uint8_t tid[STUN_TID_LEN],
                        struct addr *mapped)
{
	if (!is_sound(pkt, len, W_BINDING | W_SUCCESS) ||
	    !wire_get_xor_addr(pkt, len, ATTR_XOR_MAPPED_ADDRESS, mapped))
		return -E_PARSE;
	memcpy(tid, pkt + 8, STUN_TID_LEN);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Message borders in a byte stream. The sums are of size_t: a length near
 * 65,535 must not wrap and have the stream read out of step.
 */
#include "turn/framing.h"

#include "base/error.h"

#include <string.h>

#define STUN_HEADER    20
#define CHANNEL_HEADER 4

int turn_frame_len(const uint8_t *buf, size_t len, size_t *frame_len)
{
	static const uint8_t cookie[4] = {0x21, 0x12, 0xa4, 0x42};
	size_t length;

	if (!len)
		return -E_LATER;
	if (buf[0] >= 64 && buf[0] < 128) {
		if (len < CHANNEL_HEADER)
			return -E_LATER;
		length = (size_t)buf[2] << 8 | buf[3];
		/* RFC 8656 section 12.5: over TCP and TLS padded to a multiple of four */
		*frame_len = CHANNEL_HEADER + ((length + 3) & ~(size_t)3);
		return 0;
	}
	if (buf[0] >= 4)
		return -E_PARSE;
	if (len > 3 && buf[3] % 4)
		return -E_PARSE;
	if (len > 4 && memcmp(buf + 4, cookie, len < 8 ? len - 4 : 4) != 0)
		return -E_PARSE;
	if (len < TURN_FRAME_HEAD_LEN)
		return -E_LATER;
	length = (size_t)buf[2] << 8 | buf[3];
	*frame_len = STUN_HEADER + length;
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A look at first bytes: STUN, HTTP or TLS.
 */
#include "daemon/listen/sniff.h"

#include <string.h>

#define RECORD_HANDSHAKE 0x16

static const char proxy[] = "PROXY ";
#define PROXY_LEN (sizeof(proxy) - 1)

enum sniff sniff(const uint8_t *data, size_t len, size_t *need)
{
	*need = 1;
	if (!len)
		return SNIFF_MORE;
	/* RFC 7983, without ChannelData (64 to 79): no client begins with it, and its numbers are
	 * letters. */
	if (data[0] < 4)
		return SNIFF_TURN;
	if (data[0] == RECORD_HANDSHAKE)
		return SNIFF_TLS;
	if (data[0] < 'A' || data[0] > 'Z')
		return SNIFF_NONE;
	/* Not from a trusted proxy, whose header would be gone by now; and some web servers ignore
	 * it. */
	for (size_t i = 0; i < PROXY_LEN; i++) {
		*need = i + 1;
		if (i == len)
			return SNIFF_MORE;
		if (data[i] != proxy[i])
			return SNIFF_HTTP;
	}
	return SNIFF_NONE;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Messages in a byte stream (RFC 8656 section 12.5 for ChannelData, RFC 8489 section 6.2.2 for
 * STUN). Each message gives its own length.
 */
#ifndef TURN_FRAMING_H
#define TURN_FRAMING_H

#include <stddef.h>
#include <stdint.h>

#define TURN_FRAME_HEAD_LEN 8            /* enough to compute the length of any frame */
#define TURN_FRAME_MAX      (65536 + 20) /* the longest frame with its padding */

/* Reads the start of the stream. 0: *frame_len bytes (padding included) are the first message; some
 * of them may still be missing. -E_LATER: fewer than TURN_FRAME_HEAD_LEN bytes, too few to compute
 * the length. -E_PARSE: neither STUN nor ChannelData; close the stream. */
int turn_frame_len(const uint8_t *buf, size_t len, size_t *frame_len);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The error codes of STUN and TURN, in one table: number, reason phrase, the standard's section. It
 * is in base because both sides read it: the server writes the phrase into ERROR-CODE, and its
 * clients (doctor, gauge, loads) print it. Their codecs stay apart; a phrase judges nothing: RFC
 * 8489 section 14.8 leaves its wording free.
 *
 * The advice for a code depends on its reader and stands where it is given
 * (daemon/observe/verdict.c, harness/scenarios/verdict.c, signal/web).
 */
#ifndef BASE_STUN_ERROR_H
#define BASE_STUN_ERROR_H

#define STUN_ERROR_TABLE(X)                                                                        \
	X(300, "Try Alternate", "RFC 8489 section 10")                                             \
	X(400, "Bad Request", "RFC 8489 section 14.8")                                             \
	X(401, "Unauthenticated", "RFC 8489 section 14.8")                                         \
	X(403, "Forbidden", "RFC 8656 section 19")                                                 \
	X(405, "Mobility Forbidden", "RFC 8016 section 3.4")                                       \
	X(420, "Unknown Attribute", "RFC 8489 section 14.8")                                       \
	X(437, "Allocation Mismatch", "RFC 8656 section 19")                                       \
	X(438, "Stale Nonce", "RFC 8489 section 14.8")                                             \
	X(440, "Address Family not Supported", "RFC 8656 section 19")                              \
	X(441, "Wrong Credentials", "RFC 8656 section 19")                                         \
	X(442, "Unsupported Transport Protocol", "RFC 8656 section 19")                            \
	X(443, "Peer Address Family Mismatch", "RFC 8656 section 19")                              \
	X(446, "Connection Already Exists", "RFC 6062 section 6.3")                                \
	X(447, "Connection Timeout or Failure", "RFC 6062 section 6.3")                            \
	X(486, "Allocation Quota Reached", "RFC 8656 section 19")                                  \
	X(500, "Server Error", "RFC 8489 section 14.8")                                            \
	X(508, "Insufficient Capacity", "RFC 8656 section 19")

/* "Stale Nonce"; "" for a code that is not in the table. */
const char *stun_error_reason(int code);

/* "error 438 (Stale Nonce, RFC 8489 section 14.8)", or "error 499". Returns buf. */
#define STUN_ERROR_TEXT 96
const char *stun_error_text(int code, char buf[STUN_ERROR_TEXT]);

#endif

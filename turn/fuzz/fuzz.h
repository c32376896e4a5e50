/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The fuzzed world: a TURN server on virtual time with two clients and a peer.
 *
 * An input begins with a byte of flags, then come the steps. Of the datagram entry:
 *
 *   | who (2 bits), what (6 bits) | length, 16 bits | bytes |
 *
 * what is 0: a datagram of client `who` to the server; 1: one of the peer to the last relayed
 * address that was given out; 2: time passes, the length modulo 1024 in seconds. Of the stream
 * entry: everything is one stream of one connection; the first byte behind the flags says how many
 * bytes come at a time.
 */
#ifndef TURN_FUZZ_FUZZ_H
#define TURN_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FUZZ_OPEN   0x01 /* any integrity and nonce is taken */
#define FUZZ_V6     0x02 /* the clients come over IPv6 */
#define FUZZ_LEGACY 0x04 /* channel numbers of RFC 5766 */
#define FUZZ_OAUTH  0x08 /* access tokens are taken, redirection is on */
#define FUZZ_LATER  0x10 /* the keys come later, if at all */
#define FUZZ_MOBILE 0x20 /* allocations may move */

/* Set by the fuzzed world, read by turn/auth.c where that was built for it. */
extern bool turn_fuzz_open;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif

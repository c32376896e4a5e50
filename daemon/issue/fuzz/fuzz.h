/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The fuzz target of tickets. An input is:
 *
 *   | flags (8 bits) | text |
 *
 * Without FUZZ_SIGN the text is the ticket. With it, it is a header, a line end and claims, which
 * are signed with the right secret, so that what stands behind the signature is reached, too; each
 * "@" becomes a time that has not come yet. An oracle of its own looks at each ticket that is
 * taken. A difference is an abort(), with a line that says which.
 */
#ifndef DAEMON_ISSUE_FUZZ_FUZZ_H
#define DAEMON_ISSUE_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#define FUZZ_SIGN  0x01
#define FUZZ_AUD   0x02 /* the server has a name in aud, and asks for an iss */
#define FUZZ_FORGE 0x04 /* with FUZZ_SIGN: the secret is another one */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif

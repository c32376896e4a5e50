/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The fuzz target of the scan. An input is:
 *
 *   | edits (8 bits) | the text of a message |
 *
 * jansson judges the same text: the scan must take and find the same. Two bits of edits a member
 * say what is done to name, id, text and seq: nothing, set (1, 2), taken out (3). jansson reads the
 * outcome. A difference is an abort(), with a line that says which.
 */
#ifndef SIGNAL_FUZZ_FUZZ_H
#define SIGNAL_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#define FUZZ_SCAN_DEPTH 8

/* How many inputs came to which end: for the test, which wants to have seen all of them. */
extern struct fuzz_scan_seen {
	unsigned long taken, refused;
	unsigned long nested_duplicates, overflows; /* taken, and jansson takes them not */
	unsigned long deep, many;                   /* refused, and jansson takes them */
	unsigned long members, edited;
} fuzz_scan_seen;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif

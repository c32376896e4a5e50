/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Names: what may stand in one, and when two of them read the same.
 */
#ifndef SIGNAL_FOLD_H
#define SIGNAL_FOLD_H

#include "signal/hub.h"

#define FOLD_MARKS_MAX 4                   /* combining marks in a row */
#define FOLD_MAX       (12 * HUB_NAME_MAX) /* bytes; decomposed, U+FDFA has 11 times as many */

/* Writes what is left of a wanted name (UTF-8), at most HUB_NAME_MAX bytes and NUL, and returns the
 * length; 0: nothing, or no memory. It is in NFC. Taken out: what is not printable (base/text.h:
 * among it marks of direction, and invisible and blank characters), characters of markup, blanks at
 * both ends, combining marks without a letter, and those beyond FOLD_MARKS_MAX in a row. Cleaning a
 * clean name changes nothing. */
size_t fold_clean(const char *wanted, char out[HUB_NAME_MAX + 1]);

/* Writes the form by which names are compared, and NUL: two names that have the same one are one
 * name. It knows no case, no compatibility forms (NFKD and casefold: full-width letters,
 * ligatures), no characters that nobody sees, no double blanks, and takes look-alikes for one
 * (alike.def). Also for names that are not clean. Returns its length (not 0 for a clean name); 0
 * also for a name of more than HUB_NAME_MAX bytes, one that is not UTF-8, and when out of memory.
 */
size_t fold_name(const char *name, char out[FOLD_MAX + 1]);

#endif

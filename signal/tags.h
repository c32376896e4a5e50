/* SPDX-License-Identifier: BSD-3-Clause
 *
 * HTML tags in what people write: pages put it into innerHTML.
 */
#ifndef SIGNAL_TAGS_H
#define SIGNAL_TAGS_H

/* Removes HTML tags ("hi <b>x</b>" becomes "hi x") and splits what could still open one ("a<b"
 * becomes "a< b"). Returns a new string (free() it), or NULL when out of memory. */
char *tags_strip(const char *text);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Text in HTML and XML.
 */
#ifndef REPORT_MARKUP_H
#define REPORT_MARKUP_H

#include <stdio.h>

/* Writes it so that it means itself, as text and as an attribute's value. Control characters become
 * blanks: they do not exist in XML 1.0, not even escaped. */
void markup_put(FILE *f, const char *text);

#endif

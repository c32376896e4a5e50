/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Escapes of the five characters that mean something.
 */
#include "harness/report/markup.h"

void markup_put(FILE *f, const char *text)
{
	for (const char *p = text; *p; p++) {
		switch (*p) {
		case '&':
			fputs("&amp;", f);
			break;
		case '<':
			fputs("&lt;", f);
			break;
		case '>':
			fputs("&gt;", f);
			break;
		case '"':
			fputs("&quot;", f);
			break;
		case '\'':
			fputs("&apos;", f);
			break;
		default:
			fputc((unsigned char)*p < 0x20 ? ' ' : *p, f);
		}
	}
}

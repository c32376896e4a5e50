/* SPDX-License-Identifier: BSD-3-Clause
 *
 * HTML tags in what people write.
 */
#include "signal/tags.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Where the HTML standard's tokenizer leaves the text at a '<' ("tag open state"). */
static bool opens_tag(char next)
{
	return (next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z') || next == '/' ||
	       next == '!' || next == '?';
}

char *tags_strip(const char *text)
{
	/* Parting adds at most one byte to each '<'. */
	char *out = malloc(2 * strlen(text) + 1);
	const char *last = strrchr(text, '>');
	size_t n = 0;

	if (!out)
		return NULL;
	while (*text) {
		/* The sample's own rule: /<[^>]+>/ */
		if (*text == '<' && last && last > text + 1 && text[1] != '>') {
			text = strchr(text, '>') + 1;
			continue;
		}
		out[n++] = *text++;
		/* A page that puts this into innerHTML would complete the tag itself. */
		if (out[n - 1] == '<' && opens_tag(*text))
			out[n++] = ' ';
	}
	out[n] = '\0';
	return out;
}

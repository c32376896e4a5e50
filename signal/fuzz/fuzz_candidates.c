/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The fuzz target of the reader of candidates: an input is the text of a message. What it finds
 * stands in the text, behind "candidate:", and each once.
 */
#include "signal/candidates.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOUND_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "candidates: %s\n", what);
	abort();
}

/* As the words between blanks, which is another way to look at the text. */
static bool stands_in(const char *text, size_t len, const struct addr *want)
{
	char word[64];
	struct addr a;

	for (size_t from = 0, to; from < len; from = to + 1) {
		for (to = from; to < len && text[to] != ' '; to++)
			;
		if (to - from >= sizeof(word))
			continue;
		memcpy(word, text + from, to - from);
		word[to - from] = 0;
		if (!addr_parse_ip(&a, word, 0) && addr_equal_ip(&a, want))
			return true;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len ? len : 1); /* exactly so long: reads beyond are seen */
	struct addr found[FOUND_MAX];
	size_t n;

	if (!text)
		return 0;
	memcpy(text, data, len);
	n = candidates_find(text, len, found, FOUND_MAX);
	check(n <= FOUND_MAX, "more than there is room for");
	check(!n || memmem(text, len, "candidate:", 10), "out of nothing");
	for (size_t i = 0; i < n; i++) {
		check(addr_port(&found[i]) == 0, "with a port");
		check(stands_in(text, len, &found[i]), "an address that is not in the text");
		for (size_t j = 0; j < i; j++)
			check(!addr_equal_ip(&found[i], &found[j]), "twice");
	}
	free(text);
	return 0;
}

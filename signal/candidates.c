/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The addresses of ICE candidates in a text.
 */
#include "signal/candidates.h"

#include <stdbool.h>
#include <string.h>

#define FOUNDATION_MAX 64 /* 32 in the RFC, each of which JSON may escape */
#define TRANSPORT_MAX  16
#define ADDRESS_MAX    45 /* of an IP; a longer one is a name */

static const char start[] = "candidate:";

/* What is left of the text. */
struct rest {
	const char *at, *end;
};

struct word {
	const char *at;
	size_t len;
};

/* Of a word; a quotation mark ends the string that the candidate is in. */
static bool is_of_word(char c)
{
	return c > ' ' && c < 0x7f && c != '"';
}

/* Takes the characters up to the next blank. False when there are none, or more than max: it looks
 * no further, because a text may hold many beginnings. */
static bool take_word(struct rest *r, size_t max, struct word *out)
{
	out->at = r->at;
	out->len = 0;
	while (r->at < r->end && is_of_word(*r->at)) {
		if (out->len++ == max)
			return false;
		r->at++;
	}
	return out->len > 0;
}

static bool take_blank(struct rest *r)
{
	const char *from = r->at;

	while (r->at < r->end && *r->at == ' ')
		r->at++;
	return r->at > from;
}

static bool take_number(struct rest *r, size_t digits_max)
{
	struct word w;

	if (!take_word(r, digits_max, &w))
		return false;
	for (size_t i = 0; i < w.len; i++)
		if (w.at[i] < '0' || w.at[i] > '9')
			return false;
	return take_blank(r);
}

/* Of what stands behind "candidate:". True when it is one, and its address is an IP. */
static bool read_candidate(struct rest rest, struct addr *out)
{
	struct rest *r = &rest;
	struct word foundation, transport, address, type;
	char text[ADDRESS_MAX + 1];

	if (!take_word(r, FOUNDATION_MAX, &foundation) || !take_blank(r) || !take_number(r, 3) ||
	    !take_word(r, TRANSPORT_MAX, &transport) || !take_blank(r) || !take_number(r, 10) ||
	    !take_word(r, ADDRESS_MAX, &address) || !take_blank(r) || !take_number(r, 5) ||
	    !take_word(r, 3, &type) || type.len != 3 || memcmp(type.at, "typ", 3) != 0 ||
	    !take_blank(r))
		return false;
	memcpy(text, address.at, address.len);
	text[address.len] = 0;
	return text[0] != '[' && !addr_parse_ip(out, text, 0);
}

static bool has(const struct addr *v, size_t n, const struct addr *a)
{
	for (size_t i = 0; i < n; i++)
		if (addr_equal_ip(&v[i], a))
			return true;
	return false;
}

size_t candidates_find(const char *text, size_t len, struct addr *out, size_t max)
{
	struct rest r = {text, text + len};
	struct addr a;
	size_t n = 0;

	while (n < max && (r.at = memmem(r.at, (size_t)(r.end - r.at), start, sizeof(start) - 1))) {
		r.at += sizeof(start) - 1;
		if (read_candidate(r, &a) && !has(out, n, &a))
			out[n++] = a;
	}
	return n;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Changes of single members in the text of a message.
 */
#include "signal/edit.h"

#include <string.h>

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

size_t edit_max(const struct scan *s, const struct edit *edit, unsigned n)
{
	size_t size = s->len + 1;

	for (unsigned i = 0; i < n; i++)
		size += edit[i].json_len + strlen(s->names[edit[i].name]) + 4; /* ,"": */
	return size;
}

/* The first edit of a member that is there, at or behind a place; NULL: there is none. */
static const struct edit *next_edit(const struct scan *s, const struct edit *edit, unsigned n,
                                    size_t at)
{
	const struct edit *first = NULL;

	for (unsigned i = 0; i < n; i++) {
		const struct scan_value *v = &s->value[edit[i].name];

		if (v->kind != SCAN_ABSENT && v->key >= at &&
		    (!first || v->key < s->value[first->name].key))
			first = &edit[i];
	}
	return first;
}

static char *put(char *out, const char *bytes, size_t len)
{
	memcpy(out, bytes, len);
	return out + len;
}

/* Takes a member out, with the comma behind it, or else the one before it. Returns the place in the
 * text that comes next. */
static size_t take_out(const struct scan *s, const struct scan_value *v, const char *begin,
                       char **out)
{
	size_t at = v->to;
	char *end = *out;

	while (is_space(s->text[at]))
		at++;
	if (s->text[at] == ',')
		return at + 1;
	while (end > begin && is_space(end[-1]))
		end--;
	if (end > begin && end[-1] == ',')
		*out = end - 1;
	return v->to;
}

/* Whether out ends with the brace that opens the message: no value ends so. */
static bool is_empty(const char *begin, const char *out)
{
	while (out > begin && is_space(out[-1]))
		out--;
	return out > begin && out[-1] == '{';
}

size_t edit_write(const struct scan *s, const struct edit *edit, unsigned n, char *out)
{
	const struct edit *e;
	char *begin = out;
	size_t at = 0;

	while ((e = next_edit(s, edit, n, at))) {
		const struct scan_value *v = &s->value[e->name];
		size_t keep = e->json ? v->from : v->key;

		out = put(out, s->text + at, keep - at);
		if (e->json) {
			out = put(out, e->json, e->json_len);
			at = v->to;
		} else {
			at = take_out(s, v, begin, &out);
		}
	}
	out = put(out, s->text + at, s->close - at);
	for (e = edit; e < edit + n; e++) {
		if (s->value[e->name].kind != SCAN_ABSENT || !e->json)
			continue;
		if (!is_empty(begin, out))
			*out++ = ',';
		*out++ = '"';
		out = put(out, s->names[e->name], strlen(s->names[e->name]));
		out = put(out, "\":", 2);
		out = put(out, e->json, e->json_len);
	}
	*out++ = '}';
	*out = '\0';
	return (size_t)(out - begin);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Edits of single members in the text of a JSON object.
 */
#include "signal/splice.h"

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct span {
	size_t from;
	size_t to;
};

int splice_check_depth(const char *text, size_t len, unsigned max_depth)
{
	unsigned depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > max_depth)
				return -E_LIMIT;
		} else if ((c == '}' || c == ']') && depth) {
			depth--;
		}
	}
	return 0;
}

static size_t skip_space(const char *t, size_t len, size_t i)
{
	while (i < len && (t[i] == ' ' || t[i] == '\t' || t[i] == '\r' || t[i] == '\n'))
		i++;
	return i;
}

/* i is at the opening quote; returns the place behind the closing one. */
static size_t skip_string(const char *t, size_t len, size_t i)
{
	for (i++; i < len && t[i] != '"'; i++) {
		if (t[i] == '\\')
			i++;
	}
	return i < len ? i + 1 : len;
}

static size_t skip_value(const char *t, size_t len, size_t i)
{
	unsigned depth = 0;

	while (i < len) {
		switch (t[i]) {
		case '"':
			i = skip_string(t, len, i);
			break;
		case '{':
		case '[':
			depth++;
			i++;
			break;
		case '}':
		case ']':
			if (!depth)
				return i;
			depth--;
			i++;
			break;
		case ',':
			if (!depth)
				return i;
			i++;
			break;
		default:
			i++;
			break;
		}
		if (!depth && i < len &&
		    (t[i] == ',' || t[i] == '}' || t[i] == ' ' || t[i] == '\t' || t[i] == '\r' ||
		     t[i] == '\n'))
			return i;
	}
	return i;
}

/* The quoted key may be written with escapes ("n\u0061me"). */
static bool key_is(const char *quoted, size_t len, const char *key)
{
	bool same;
	json_t *s;

	if (!memchr(quoted, '\\', len))
		return len == strlen(key) + 2 && !memcmp(quoted + 1, key, len - 2);
	s = json_loadb(quoted, len, JSON_DECODE_ANY, NULL);
	same = s && json_is_string(s) && !strcmp(json_string_value(s), key);
	json_decref(s);
	return same;
}

/* Finds the value of key. Returns whether it is there; *end is the place of the closing brace
 * when it is not, and *empty whether the object has no member at all. */
static bool find_value(const char *t, size_t len, const char *key, struct span *value, size_t *end,
                       bool *empty)
{
	size_t i = skip_space(t, len, 0);
	struct span k;

	*empty = true;
	i = skip_space(t, len, i + 1); /* behind the opening brace */
	while (i < len && t[i] == '"') {
		*empty = false;
		k.from = i;
		i = k.to = skip_string(t, len, i);
		i = skip_space(t, len, i);
		i = skip_space(t, len, i + 1); /* behind the colon */
		value->from = i;
		i = value->to = skip_value(t, len, i);
		if (key_is(t + k.from, k.to - k.from, key))
			return true;
		i = skip_space(t, len, i);
		if (i < len && t[i] == ',')
			i = skip_space(t, len, i + 1);
	}
	*end = i;
	return false;
}

char *splice_set(const char *text, size_t len, const char *key, const char *value, size_t *out_len)
{
	size_t value_len = strlen(value), key_len = strlen(key), end = 0, n = 0;
	struct span old;
	bool empty;
	char *out;

	out = malloc(len + value_len + key_len + 5); /* comma, two quotes, colon, NUL */
	if (!out)
		return NULL;
	if (find_value(text, len, key, &old, &end, &empty)) {
		memcpy(out, text, old.from);
		n = old.from;
		end = old.to;
	} else {
		memcpy(out, text, end);
		n = end;
		if (!empty)
			out[n++] = ',';
		out[n++] = '"';
		memcpy(out + n, key, key_len);
		n += key_len;
		out[n++] = '"';
		out[n++] = ':';
	}
	memcpy(out + n, value, value_len);
	n += value_len;
	memcpy(out + n, text + end, len - end);
	n += len - end;
	out[n] = '\0';
	*out_len = n;
	return out;
}

/* Where the HTML standard's tokenizer leaves the text at a '<' ("tag open state"). */
static bool opens_tag(char next)
{
	return (next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z') || next == '/' ||
	       next == '!' || next == '?';
}

char *splice_strip_tags(const char *text)
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

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One pass over the text of a client's message (RFC 8259).
 */
#include "signal/scan.h"

#include "base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistr.h>

#define EVERY(byte) (UINT64_C(0x0101010101010101) * (byte))
#define DIGITS_MAX  20 /* of an int64_t, with its sign */

/* A string in the text, without its quotes. */
struct span {
	size_t from, to;
	bool escaped;
};

struct key {
	struct span span;
	uint32_t hash; /* of its content */
};

struct reader {
	const char *text;
	size_t at, len;
	unsigned max_depth;
};

/* The content of a string, byte by byte. */
struct content {
	const char *at, *end;
	uint8_t piece[4];
	uint8_t piece_n, piece_at;
};

static int value(struct reader *r, unsigned depth, struct scan_value *v);

static bool at_end(const struct reader *r)
{
	return r->at == r->len;
}

/* -1 behind the end. */
static int peek(const struct reader *r)
{
	return at_end(r) ? -1 : (uint8_t)r->text[r->at];
}

static bool skip(struct reader *r, char c)
{
	if (peek(r) != (uint8_t)c)
		return false;
	r->at++;
	return true;
}

static void skip_space(struct reader *r)
{
	int c;

	while ((c = peek(r)) == ' ' || c == '\t' || c == '\r' || c == '\n')
		r->at++;
}

/* -1: it is none. */
static int hex_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits of \uXXXX; -1: they are not there. */
static int32_t hex4(const char *text, size_t len)
{
	int32_t code = 0;
	int digit;

	if (len < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		digit = hex_digit((uint8_t)text[i]);
		if (digit < 0)
			return -1;
		code = code << 4 | digit;
	}
	return code;
}

static bool is_high(int32_t code)
{
	return code >= 0xd800 && code <= 0xdbff;
}

static bool is_low(int32_t code)
{
	return code >= 0xdc00 && code <= 0xdfff;
}

/* Behind the backslash. A surrogate needs its other half, and U+0000 is refused: what is C's end of
 * a string to one reader is a character to another. */
static int escape(struct reader *r)
{
	int32_t code, low;
	int c = peek(r);

	if (c < 0 || !c || !strchr("\"\\/bfnrtu", c))
		return -E_PARSE;
	r->at++;
	if (c != 'u')
		return 0;
	code = hex4(r->text + r->at, r->len - r->at);
	if (code <= 0 || is_low(code))
		return -E_PARSE;
	r->at += 4;
	if (!is_high(code))
		return 0;
	if (!skip(r, '\\') || !skip(r, 'u'))
		return -E_PARSE;
	low = hex4(r->text + r->at, r->len - r->at);
	if (!is_low(low))
		return -E_PARSE;
	r->at += 4;
	return 0;
}

/* Whether the next eight bytes are ASCII, and none of them a control, a quote or a backslash. It
 * may say no when they are. */
static bool are_plain(const char *text)
{
	uint64_t w;

	memcpy(&w, text, sizeof(w));
	return !((w | (w - EVERY(0x20)) | ((w ^ EVERY('"')) - EVERY(1)) |
	          ((w ^ EVERY('\\')) - EVERY(1))) &
	         EVERY(0x80));
}

static int string(struct reader *r, struct span *span)
{
	ucs4_t code;
	int c, n;

	if (!skip(r, '"'))
		return -E_PARSE;
	*span = (struct span){.from = r->at};
	for (;;) {
		while (r->len - r->at >= sizeof(uint64_t) && are_plain(r->text + r->at))
			r->at += sizeof(uint64_t);
		c = peek(r);
		if (c < 0x20) /* RFC 8259 section 7: control characters MUST be escaped */
			return -E_PARSE;
		if (c >= 0x80) {
			n = u8_mbtoucr(&code, (const uint8_t *)r->text + r->at, r->len - r->at);
			if (n < 0)
				return -E_PARSE;
			r->at += (size_t)n;
			continue;
		}
		r->at++;
		if (c == '"')
			break;
		if (c != '\\')
			continue;
		span->escaped = true;
		if (escape(r))
			return -E_PARSE;
	}
	span->to = r->at - 1;
	return 0;
}

static bool digits(struct reader *r)
{
	size_t from = r->at;

	while (peek(r) >= '0' && peek(r) <= '9')
		r->at++;
	return r->at > from;
}

/* RFC 8259 section 6: [ minus ] int [ frac ] [ exp ] */
static int number(struct reader *r)
{
	skip(r, '-');
	if (!skip(r, '0') && !digits(r))
		return -E_PARSE;
	if (skip(r, '.') && !digits(r))
		return -E_PARSE;
	if (skip(r, 'e') || skip(r, 'E')) {
		if (!skip(r, '+'))
			skip(r, '-');
		if (!digits(r))
			return -E_PARSE;
	}
	return 0;
}

static int word(struct reader *r, const char *text)
{
	size_t len = strlen(text);

	if (r->len - r->at < len || memcmp(r->text + r->at, text, len) != 0)
		return -E_PARSE;
	r->at += len;
	return 0;
}

static struct content content_of(const char *text, const struct span *span)
{
	return (struct content){.at = text + span->from, .end = text + span->to};
}

/* Takes an escape, which is known to be good. */
static void unescape(struct content *c)
{
	static const char letters[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
	int32_t code;

	c->piece_at = 0;
	c->piece_n = 1;
	if (c->at[1] != 'u') {
		c->piece[0] = (uint8_t)means[strchr(letters, c->at[1]) - letters];
		c->at += 2;
		return;
	}
	code = hex4(c->at + 2, 4);
	c->at += 6;
	if (is_high(code)) {
		code = 0x10000 + ((code - 0xd800) << 10) + (hex4(c->at + 2, 4) - 0xdc00);
		c->at += 6;
	}
	c->piece_n = (uint8_t)u8_uctomb(c->piece, (ucs4_t)code, sizeof(c->piece));
}

/* -1 behind the end. */
static int next_byte(struct content *c)
{
	if (c->piece_at == c->piece_n) {
		if (c->at == c->end)
			return -1;
		if (*c->at != '\\')
			return (uint8_t)*c->at++;
		unescape(c);
	}
	return c->piece[c->piece_at++];
}

static bool same_content(const char *a_text, const struct span *a, const char *b_text,
                         const struct span *b)
{
	struct content ac, bc;
	int byte;

	if (!a->escaped && !b->escaped)
		return a->to - a->from == b->to - b->from &&
		       !memcmp(a_text + a->from, b_text + b->from, a->to - a->from);
	ac = content_of(a_text, a);
	bc = content_of(b_text, b);
	do {
		byte = next_byte(&ac);
		if (byte != next_byte(&bc))
			return false;
	} while (byte >= 0);
	return true;
}

/* FNV-1a. Nobody gains by keys of one hash: there are at most SCAN_MEMBERS_MAX. */
static uint32_t hash(const char *text, const struct span *span)
{
	struct content c = content_of(text, span);
	uint32_t h = 2166136261u;
	int byte;

	while ((byte = next_byte(&c)) >= 0)
		h = (h ^ (uint32_t)byte) * 16777619u;
	return h;
}

static int string_and_colon(struct reader *r, struct span *span)
{
	int err = string(r, span);

	if (err)
		return err;
	skip_space(r);
	return skip(r, ':') ? 0 : -E_PARSE;
}

/* An array, or an object inside of the message: nobody asks for what is in it. */
static int nested(struct reader *r, unsigned depth)
{
	bool is_object = r->text[r->at++] == '{';
	struct scan_value v;
	struct span key;
	int err;

	if (depth > r->max_depth)
		return -E_LIMIT;
	skip_space(r);
	if (skip(r, is_object ? '}' : ']'))
		return 0;
	do {
		skip_space(r);
		err = is_object ? string_and_colon(r, &key) : 0;
		if (!err)
			err = value(r, depth, &v);
		if (err)
			return err;
		skip_space(r);
	} while (skip(r, ','));
	return skip(r, is_object ? '}' : ']') ? 0 : -E_PARSE;
}

/* depth: of what the value is in. */
static int value(struct reader *r, unsigned depth, struct scan_value *v)
{
	struct span span;
	int err, c;

	skip_space(r);
	c = peek(r);
	*v = (struct scan_value){.kind = SCAN_OTHER, .from = r->at};
	if (c == '"') {
		v->kind = SCAN_STRING;
		err = string(r, &span);
		v->escaped = !err && span.escaped;
	} else if (c == '-' || (c >= '0' && c <= '9')) {
		v->kind = SCAN_NUMBER;
		err = number(r);
	} else if (c == 'n') {
		v->kind = SCAN_NULL;
		err = word(r, "null");
	} else if (c == 't' || c == 'f') {
		err = word(r, c == 't' ? "true" : "false");
	} else if (c == '{' || c == '[') {
		err = nested(r, depth + 1);
	} else {
		err = -E_PARSE;
	}
	v->to = r->at;
	return err;
}

/* Of the caller's names, or SCAN_NAMES_MAX. */
static unsigned find_name(const struct scan *s, const struct span *key)
{
	struct span name = {0};
	unsigned i;

	for (i = 0; i < s->name_n; i++) {
		name.to = strlen(s->names[i]);
		if (same_content(s->text, key, s->names[i], &name))
			return i;
	}
	return SCAN_NAMES_MAX;
}

/* JSON leaves it open which of two members of one name counts (RFC 8259 section 4), so the server
 * and the recipient might read different ones. */
static int note_key(struct scan *s, struct key keys[SCAN_MEMBERS_MAX], const struct span *span)
{
	struct key *new;

	if (s->member_n == SCAN_MEMBERS_MAX)
		return -E_ROOM;
	new = &keys[s->member_n];
	*new = (struct key){*span, hash(s->text, span)};
	for (struct key *k = keys; k < new; k++) {
		if (k->hash == new->hash && same_content(s->text, &k->span, s->text, span))
			return -E_EXISTS;
	}
	s->member_n++;
	return 0;
}

static int member(struct scan *s, struct reader *r, struct key keys[SCAN_MEMBERS_MAX])
{
	struct scan_value v;
	struct span key;
	unsigned name;
	int err;

	skip_space(r);
	err = string_and_colon(r, &key);
	if (!err)
		err = note_key(s, keys, &key);
	if (!err)
		err = value(r, 1, &v);
	if (err)
		return err;
	v.key = key.from - 1;
	name = find_name(s, &key);
	if (name < SCAN_NAMES_MAX)
		s->value[name] = v;
	skip_space(r);
	return 0;
}

static int message(struct scan *s, struct reader *r)
{
	struct key keys[SCAN_MEMBERS_MAX];
	int err;

	if (r->max_depth < 1)
		return -E_LIMIT;
	if (peek(r) == '[')
		return nested(r, 1);
	if (!skip(r, '{'))
		return -E_PARSE;
	s->is_object = true;
	skip_space(r);
	if (peek(r) != '}') {
		do {
			err = member(s, r, keys);
			if (err)
				return err;
		} while (skip(r, ','));
	}
	s->close = r->at;
	return skip(r, '}') ? 0 : -E_PARSE;
}

int scan_text(struct scan *s, const char *text, size_t len, unsigned max_depth,
              const char *const *names, unsigned name_n, size_t *fault)
{
	struct reader r = {.text = text, .len = len, .max_depth = max_depth};
	int err;

	*s = (struct scan){.text = text, .len = len, .names = names, .name_n = name_n};
	skip_space(&r);
	err = message(s, &r);
	if (!err) {
		skip_space(&r);
		err = at_end(&r) ? 0 : -E_PARSE;
	}
	if (err)
		*fault = r.at;
	return err;
}

static struct span span_of(const struct scan_value *v)
{
	return (struct span){v->from + 1, v->to - 1, v->escaped};
}

bool scan_is(const struct scan *s, const struct scan_value *v, const char *content)
{
	struct span other = {.to = strlen(content)}, span;

	if (v->kind != SCAN_STRING)
		return false;
	span = span_of(v);
	return same_content(s->text, &span, content, &other);
}

size_t scan_string_max(const struct scan_value *v)
{
	return v->to - v->from - 2;
}

size_t scan_string(const struct scan *s, const struct scan_value *v, char *out)
{
	struct span span = span_of(v);
	struct content c = content_of(s->text, &span);
	size_t n = 0;
	int byte;

	if (v->escaped) {
		while ((byte = next_byte(&c)) >= 0)
			out[n++] = (char)byte;
	} else {
		n = span.to - span.from;
		memcpy(out, s->text + span.from, n);
	}
	out[n] = '\0';
	return n;
}

int scan_integer(const struct scan *s, const struct scan_value *v, int64_t *out)
{
	char copy[DIGITS_MAX + 1];
	size_t len = v->to - v->from;
	long long number;
	char *end;

	if (v->kind != SCAN_NUMBER || len > DIGITS_MAX)
		return -E_INVAL;
	memcpy(copy, s->text + v->from, len);
	copy[len] = '\0';
	errno = 0;
	number = strtoll(copy, &end, 10);
	if (errno || *end)
		return -E_INVAL;
	*out = number;
	return 0;
}

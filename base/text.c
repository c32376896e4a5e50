/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The printable parts of a text, by libunistring's tables of Unicode.
 */
#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <unictype.h>
#include <unistr.h>

#define NOT_UTF8  UINT32_MAX
#define ZWNJ      0x200c
#define ZWJ       0x200d
#define VS16      0xfe0f
#define BLANK     0x2800 /* the pattern of Braille without a dot */
#define BRACKET   0x27e8 /* what shown text begins an escape with */
#define PIECE_MAX 16

/* NOT_UTF8 for a byte that begins no character. */
static uint32_t decode(const char *text, size_t len, size_t at, uint8_t *n)
{
	ucs4_t code;
	int bytes = u8_mbtoucr(&code, (const uint8_t *)text + at, len - at);

	*n = bytes > 0 ? (uint8_t)bytes : 1;
	return bytes > 0 ? code : NOT_UTF8;
}

/* 0: there is none. */
static uint32_t before(const char *text, size_t at)
{
	ucs4_t code = 0;

	return u8_prev(&code, (const uint8_t *)text + at, (const uint8_t *)text) ? code : 0;
}

static uint32_t after(const char *text, size_t len, size_t at)
{
	uint8_t n;
	uint32_t code = at < len ? decode(text, len, at, &n) : 0;

	return code == NOT_UTF8 ? 0 : code;
}

static bool is_emoji(uint32_t code)
{
	return code >= 0x80 && (uc_is_property(code, UC_PROPERTY_EXTENDED_PICTOGRAPHIC) ||
	                        uc_is_property(code, UC_PROPERTY_EMOJI_MODIFIER));
}

/* RFC 5892 appendix A.1: "Joining_Type:{L,D} [...] ZWNJ [...] Joining_Type:{R,D}" */
static bool parts_letters(uint32_t left, uint32_t right)
{
	int l = uc_joining_type(left), r = uc_joining_type(right);

	return (l == UC_JOINING_TYPE_L || l == UC_JOINING_TYPE_D) &&
	       (r == UC_JOINING_TYPE_R || r == UC_JOINING_TYPE_D);
}

/* Characters that are printable only in some places. */
static bool belongs(uint32_t code, const char *text, size_t len, size_t at, size_t n)
{
	uint32_t left = before(text, at), right = after(text, len, at + n);

	if (code == VS16)
		return is_emoji(left);
	if (code != ZWJ && code != ZWNJ)
		return false;
	/* "If Canonical_Combining_Class(Before(cp)) .eq. Virama Then True" */
	if (left && uc_combining_class(left) == UC_CCC_VR)
		return true;
	return code == ZWNJ ? parts_letters(left, right)
	                    : (is_emoji(left) || left == VS16) && is_emoji(right);
}

static bool is_seen(uint32_t code)
{
	if (code == ' ' || code == BLANK || code == BRACKET)
		return code == ' ';
	/* A code without a meaning yet is shown as a box; one that will never have a meaning is
	 * not. */
	if (uc_is_general_category(code, UC_CATEGORY_Cn))
		return !uc_is_property(code, UC_PROPERTY_NOT_A_CHARACTER) &&
		       !uc_is_property(code, UC_PROPERTY_DEFAULT_IGNORABLE_CODE_POINT);
	return !uc_is_general_category_withtable(code, UC_CATEGORY_MASK_C | UC_CATEGORY_MASK_Z) &&
	       !uc_is_property(code, UC_PROPERTY_DEFAULT_IGNORABLE_CODE_POINT);
}

struct text_char text_at(const char *text, size_t len, size_t at)
{
	struct text_char c;

	c.code = decode(text, len, at, &c.len);
	c.is_utf8 = c.code != NOT_UTF8;
	if (c.code < 0x80) /* nearly all */
		c.printable = c.code >= ' ' && c.code != 0x7f;
	else
		c.printable =
		    c.is_utf8 && (is_seen(c.code) || belongs(c.code, text, len, at, c.len));
	if (!c.is_utf8)
		c.code = (uint8_t)text[at];
	return c;
}

bool text_is_utf8(const void *text, size_t len)
{
	return !len || !u8_check(text, len);
}

bool text_is_printable(const char *text, size_t len)
{
	struct text_char c;

	for (size_t at = 0; at < len; at += c.len) {
		c = text_at(text, len, at);
		if (!c.printable)
			return false;
	}
	return true;
}

/* One character, as the style has it; returns its length. */
static int put(char out[PIECE_MAX], const char *text, const struct text_char *c,
               enum text_style style)
{
	if (c->printable || (style == TEXT_AGAIN && c->code == BRACKET && c->is_utf8)) {
		if (style == TEXT_QUOTED && (c->code == '"' || c->code == '\\'))
			return snprintf(out, PIECE_MAX, "\\%c", (int)c->code);
		memcpy(out, text, c->len);
		return c->len;
	}
	if (style == TEXT_QUOTED)
		return snprintf(out, PIECE_MAX,
		                c->is_utf8 && c->code >= 0x80 ? "\\u{%x}" : "\\x%02x", c->code);
	return snprintf(out, PIECE_MAX, c->is_utf8 ? "⟨U+%04X⟩" : "⟨0x%02X⟩", c->code);
}

size_t text_show(char *out, size_t size, const char *text, size_t len, enum text_style style)
{
	char piece[PIECE_MAX];
	struct text_char c;
	size_t used = 0;

	for (size_t at = 0; at < len; at += c.len) {
		size_t n;

		c = text_at(text, len, at);
		n = (size_t)put(piece, text + at, &c, style);
		if (used + n >= size)
			break;
		memcpy(out + used, piece, n);
		used += n;
	}
	if (size)
		out[used] = 0;
	return used;
}

void text_hex(char *out, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The printable form of a text: any bytes have one, each a different one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/stun_error.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

static void printable(void **state)
{
	static const char *const names[] = {
	    "alice",
	    "Alice Lid dell!",
	    "Zo\xc3\xab",
	    "\xe6\xbc\xa2\xe5\xad\x97",
	    "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", /* letters that are read from the right are no marks
	                                         */
	    "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb",                 /* woman, ZWJ, laptop */
	    "\xf0\x9f\x91\xa9\xf0\x9f\x8f\xbd\xe2\x80\x8d\xf0\x9f\x92\xbb", /* with a skin tone */
	    "\xe2\x9d\xa4\xef\xb8\x8f",                                     /* red heart, VS16 */
	    "\xe2\x9d\xa4\xef\xb8\x8f\xe2\x80\x8d\xf0\x9f\x94\xa5",         /* heart on fire */
	    "\xf0\x9f\xab\xa8", /* an emoji younger than the tables */
	    "\xd8\xb9\xd9\x84\xdb\x8c\xe2\x80\x8c\xd8\xb1\xd8\xb6\xd8\xa7", /* Persian, ZWNJ */
	    "\xe0\xa4\x95\xe0\xa5\x8d\xe2\x80\x8d\xe0\xa4\xb7",             /* virama, ZWJ */
	    "e\xcc\x81",
	};
	static const struct {
		const char *text;
		size_t len;
	} others[] = {
	    {"a\0b", 3},
	    {"\x1b[2J", 4},
	    {"a\x7f", 2},
	    {"\xc2\x9b", 2},      /* C1 in UTF-8 */
	    {"\x9b", 1},          /* and raw */
	    {"\xc0\x80", 2},      /* overlong */
	    {"\xed\xa0\x80", 3},  /* a surrogate */
	    {"\xe2\x80", 2},      /* cut */
	    {"al\xc2\xadice", 7}, /* soft hyphen */
	    {"al\xd8\x9cice", 7}, /* U+061C */
	    {"al\xe2\x80\x8d"
	     "ice",
	     8}, /* ZWJ between letters */
	    {"al\xe2\x80\x8c"
	     "ice",
	     8}, /* ZWNJ between letters that join nothing */
	    {"alice\xe2\x80\x8d", 8},
	    {"al\xef\xb8\x8fice", 8},            /* VS16 behind a letter */
	    {"\xf0\x9f\x91\xa9\xe2\x80\x8d", 7}, /* ZWJ at the end */
	    {"a\xe2\x80\xae"
	     "b",
	     5}, /* RLO */
	    {"a\xe2\x81\xa6"
	     "b",
	     5}, /* LRI */
	    {"a\xe2\x80\x8b"
	     "b",
	     5}, /* zero width space */
	    {"a\xcd\x8f"
	     "b",
	     4}, /* combining grapheme joiner */
	    {"a\xe1\x85\x9f"
	     "b",
	     5}, /* hangul filler */
	    {"a\xe3\x85\xa4"
	     "b",
	     5},
	    {"a\xe1\xa0\x8e"
	     "b",
	     5}, /* Mongolian vowel separator */
	    {"a\xe2\xa0\x80"
	     "b",
	     5}, /* Braille blank */
	    {"a\xc2\xa0"
	     "b",
	     4}, /* no-break space */
	    {"a\xe3\x80\x80"
	     "b",
	     5}, /* ideographic space */
	    {"a\xe2\x80\xa8"
	     "b",
	     5}, /* line separator */
	    {"a\xf3\xa0\x81\xa1"
	     "b",
	     6}, /* tag */
	    {"a\xf3\xa0\x84\x80"
	     "b",
	     6}, /* variation selector 17 */
	    {"a\xee\x80\x80"
	     "b",
	     5}, /* private use */
	    {"a\xef\xbf\xbe"
	     "b",
	     5},                                    /* no character */
	    {"\xe2\x9f\xa8U+061C\xe2\x9f\xa9", 12}, /* looks like an escape */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!text_is_printable(names[i], strlen(names[i])))
			fail_msg("name %zu, \"%s\", is refused", i, names[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (text_is_printable(others[i].text, others[i].len))
			fail_msg("text %zu is taken for a name", i);
}

static void shows(const char *text, size_t len, enum text_style style, const char *want)
{
	char out[200];

	assert_int_equal(text_show(out, sizeof(out), text, len, style), strlen(want));
	assert_string_equal(out, want);
}

static void shown(void **state)
{
	static const char odd[] = "a\0b\x1b\xc2\x9b\x9b\xd8\x9c\"\\";

	(void)state;
	shows(odd, sizeof(odd) - 1, TEXT_SHOWN, "a⟨U+0000⟩b⟨U+001B⟩⟨U+009B⟩⟨0x9B⟩⟨U+061C⟩\"\\");
	shows(odd, sizeof(odd) - 1, TEXT_QUOTED, "a\\x00b\\x1b\\u{9b}\\x9b\\u{61c}\\\"\\\\");
	shows("⟨U+061C⟩", 12, TEXT_SHOWN, "⟨U+27E8⟩U+061C⟩");
	shows("⟨U+061C⟩", 12, TEXT_AGAIN, "⟨U+061C⟩");
	shows("", 0, TEXT_SHOWN, "");
}

/* Any bytes come out as UTF-8 that is printable but for the bracket, at every size of the room, and
 * in the one room that is said to be enough they are whole. */
static void any_bytes(void **state)
{
	unsigned seed = 8489;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		char in[24], out[TEXT_SHOWN_MAX(sizeof(in))], again[sizeof(out)];
		size_t len = (size_t)(rand_r(&seed) % 24), size, n;

		for (size_t i = 0; i < len; i++)
			in[i] =
			    (char)(rand_r(&seed) % 3 ? rand_r(&seed) : 0xe0 + rand_r(&seed) % 16);
		n = text_show(out, sizeof(out), in, len, TEXT_SHOWN);
		assert_true(n < sizeof(out) - 1 || !len);
		assert_true(text_is_utf8(out, n));
		assert_int_equal(text_show(again, sizeof(again), out, n, TEXT_AGAIN), n);
		assert_string_equal(again, out);
		size = 1 + (size_t)rand_r(&seed) % sizeof(out);
		n = text_show(again, size, in, len, TEXT_SHOWN);
		assert_true(n < size && !again[n] && text_is_utf8(again, n));
		assert_memory_equal(again, out, n);
	}
}

/* Quoted text in an error is made printable, and only once. */
static void errors(void **state)
{
	struct why why, more;

	(void)state;
	why_set(&why, -E_INVAL, "\"%.3s\" is none", "a\xc2\x9b\xc3\xab");
	assert_string_equal(why.text, "\"a⟨U+009B⟩\" is none");
	why_set(&why, -E_INVAL, "\"%.2s\" is none", "a\xc3\xab"); /* cut through a character */
	assert_string_equal(why.text, "\"a⟨0xC3⟩\" is none");
	why_set(&more, -E_INVAL, "so: %s", why.text);
	assert_string_equal(more.text, "so: \"a⟨0xC3⟩\" is none");
}

/* Whether a code is in the table or not. */
static void stun_errors(void **state)
{
	char buf[STUN_ERROR_TEXT];

	(void)state;
	assert_string_equal(stun_error_reason(438), "Stale Nonce");
	assert_string_equal(stun_error_text(438, buf),
	                    "error 438 (Stale Nonce, RFC 8489 section 14.8)");
	assert_string_equal(stun_error_reason(499), "");
	assert_string_equal(stun_error_text(499, buf), "error 499");
#define X(code, reason, section) assert_true(strlen(stun_error_text(code, buf)) < sizeof(buf) - 1);
	STUN_ERROR_TABLE(X)
#undef X
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(printable), cmocka_unit_test(shown),       cmocka_unit_test(any_bytes),
	    cmocka_unit_test(errors),    cmocka_unit_test(stun_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Names: what is taken out of them, and which of them read the same.
 */
#include "base/tests/test.h"
#include "base/text.h"
#include "signal/fold.h"

#include <stdbool.h>
#include <stdio.h>
#include <uninorm.h>
#include <unistr.h>

static void expect_clean(const char *wanted, const char *expected)
{
	char out[HUB_NAME_MAX + 1], again[HUB_NAME_MAX + 1];

	assert_int_equal(fold_clean(wanted, out), strlen(expected));
	assert_string_equal(out, expected);
	fold_clean(out, again);
	assert_string_equal(again, out);
}

static void names_of_the_world_stay(void **state)
{
	static const char *const names[] = {
	    "alice",
	    "Zoë O Brien",
	    "José",
	    "straße",
	    "عمر",
	    "محمد علي",
	    "日本",
	    "さくら",
	    "김민준",
	    "Ελένη",
	    "Дмитрий",
	    "שָׁלוֹם",
	    "ประยุทธ์",
	    "नमस्ते",
	    "Nguyễn Văn",
	    "a-b_c.d~e",
	    "👩‍👩‍👧",
	    "❤️",
	    "می‌خواهم",
	    "𝒶𝓁𝒾𝒸ℯ",
	    "Łukasz",
	    "(^_^)",
	    "a|b\\c/d",
	    "ᚠᚢᚦ",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		expect_clean(names[i], names[i]);
}

static void cleaning_takes_out(void **state)
{
	static const struct {
		const char *wanted, *clean;
	} cases[] = {
	    {"  bob  ", "bob"},
	    {"b<i>o&\"`'b", "biob"},
	    {"bob\xe2\x80\x8b", "bob"}, /* ZERO WIDTH SPACE */
	    {"b\xe2\x80\x8d\xe2\x80\x8co\xe2\x81\xa0"
	     "b",
	     "bob"},                    /* ZWJ, ZWNJ, WORD JOINER */
	    {"bob\xe2\x80\xae", "bob"}, /* RIGHT-TO-LEFT OVERRIDE */
	    {"\xe2\x81\xa6"
	     "bob\xe2\x81\xa9",
	     "bob"},                /* isolates */
	    {"bob\xd8\x9c", "bob"}, /* ARABIC LETTER MARK */
	    {"bo\xc2\xad"
	     "b",
	     "bob"},                        /* SOFT HYPHEN */
	    {"bob\xef\xb8\x8f", "bob"},     /* VS16 behind a letter */
	    {"bob\xf3\xa0\x84\x80", "bob"}, /* VS17 */
	    {"bob\xf3\xa0\x81\xa1", "bob"}, /* a tag */
	    {"\xe3\x85\xa4", ""},           /* HANGUL FILLER */
	    {"\xe2\xa0\x80"
	     "bob",
	     "bob"},                        /* BRAILLE PATTERN BLANK */
	    {"bob\xef\xbe\xa0", "bob"},     /* HALFWIDTH HANGUL FILLER */
	    {"bob\xf0\x9d\x85\x99", "bob"}, /* MUSICAL SYMBOL NULL NOTEHEAD */
	    {"bob\xef\xbf\xbc", "bob"},     /* OBJECT REPLACEMENT CHARACTER */
	    {"bob\xc2\xa0"
	     "b",
	     "bobb"},                   /* NO-BREAK SPACE */
	    {"bob\xee\x80\x80", "bob"}, /* private use */
	    {"bob\n\x7f\xc2\x85", "bob"},
	    {"\xcc\x81"
	     "bob",
	     "bob"}, /* a mark without a letter */
	    {"b \xcc\x81"
	     "b",
	     "b b"},
	    {"Jose\xcc\x81", "Jos\xc3\xa9"},              /* NFC */
	    {"\xe1\x84\x80\xe1\x85\xa1", "\xea\xb0\x80"}, /* Hangul, too */
	    {"z\xcc\xb4\xcc\xb5\xcc\xb6\xcc\xb7\xcc\xb8\xcc\xb4",
	     "z\xcc\xb4\xcc\xb5\xcc\xb6\xcc\xb7"}, /* a pile of marks */
	    {"", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_clean(cases[i].wanted, cases[i].clean);
}

static void long_names_are_cut(void **state)
{
	char wanted[4096], out[HUB_NAME_MAX + 1];

	(void)state;
	memset(wanted, 'x', 100);
	wanted[100] = '\0';
	assert_int_equal(fold_clean(wanted, out), HUB_NAME_MAX);
	*wanted = '\0';
	for (int i = 0; i < 100; i++) /* three bytes each, decomposed; composed, two */
		strcat(wanted, "e\xcc\x81");
	assert_int_equal(fold_clean(wanted, out), HUB_NAME_MAX);
	assert_true(text_is_utf8(out, HUB_NAME_MAX));
	*wanted = '\0';
	for (int i = 0; i < 100; i++) /* NFC takes these apart */
		strcat(wanted, "\xf0\x9d\x85\xa0");
	assert_in_range(fold_clean(wanted, out), HUB_NAME_MAX - 3, HUB_NAME_MAX);
}

static bool same(const char *a, const char *b)
{
	char fa[FOLD_MAX + 1], fb[FOLD_MAX + 1];

	assert_true(fold_name(a, fa) > 0);
	assert_true(fold_name(b, fb) > 0);
	return !strcmp(fa, fb);
}

static void these_are_one_name(void **state)
{
	static const char *const pairs[][2] = {
	    {"alice", "Alice"},
	    {"alice", "\xd0\xb0lice"},        /* Cyrillic a */
	    {"ALICE", "\xce\x91LIC\xce\x95"}, /* Greek capitals */
	    {"alice", "a1ice"},
	    {"Ian", "lan"},
	    {"Ivan", "|van"},
	    {"bob", "b0b"},
	    {"bob", "bob\xe2\x80\x8b"}, /* also in a target, which is not clean */
	    {"bob", "\xe2\x80\xae"
	            "bob"},
	    {"bob", "\xef\xbd\x82\xef\xbd\x8f\xef\xbd\x82"}, /* full-width */
	    {"BOB", "\xd0\x92\xd0\x9e\xd0\x92"},             /* Cyrillic capitals */
	    {"straße", "STRASSE"},
	    {"José", "Jose\xcc\x81"},
	    {"JOSÉ", "jose\xcc\x81"},
	    {"Zo\xc3\xab", "Zo\xd1\x91"}, /* e with diaeresis, and Cyrillic io */
	    {"alice", "𝒶𝓁𝒾𝒸ℯ"},
	    {"Helga", "ℌelga"}, /* NFKD brings a capital */
	    {"office", "o\xef\xac\x83"
	               "ce"}, /* the ligature ffi */
	    {"ΣΊΣΥΦΟΣ", "Σίσυφος"},
	    {"a b", "a  b"},
	    {"می‌خواهم", "میخواهم"},
	    {"علی", "علي"},
	    {"❤️", "❤"},
	    {"e\xcc\x81\xcc\xa3", "e\xcc\xa3\xcc\x81"}, /* the order of marks */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (!same(pairs[i][0], pairs[i][1]))
			fail_msg("%s and %s are two names", pairs[i][0], pairs[i][1]);
	}
}

static void these_are_two_names(void **state)
{
	static const char *const pairs[][2] = {
	    {"日本", "日木"},     {"José", "Jose"},  {"عمر", "عمرو"},  {"bob1", "bob2"},
	    {"bob", "bob1"},      {"bob1", "bob11"}, {"a b", "ab"},    {"さ", "き"},
	    {"Елена", "Алена"},   {"hick", "nick"},  {"user", "yser"}, {"❤", "💔"},
	    {"Łukasz", "Lukasz"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (same(pairs[i][0], pairs[i][1]))
			fail_msg("%s and %s are one name", pairs[i][0], pairs[i][1]);
	}
}

static void what_is_no_name_has_no_fold(void **state)
{
	char out[FOLD_MAX + 1], name[HUB_NAME_MAX + 2];

	(void)state;
	assert_int_equal(fold_name("", out), 0);
	assert_int_equal(fold_name("\xff", out), 0);
	assert_int_equal(fold_name("\xe2\x80\x8b", out), 0);
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(fold_name(name, out), 0);
	assert_string_equal(out, "");
}

/* Every character: the length, that a fold is its own fold (where it fits a name), and that both
 * ways to it give the same. */
static void every_character_keeps_its_bound(void **state)
{
	char name[HUB_NAME_MAX + 1], out[FOLD_MAX + 1], again[FOLD_MAX + 1];
	size_t longest = 0;

	(void)state;
	for (ucs4_t code = 1; code < 0x110000; code++) {
		int bytes = u8_uctomb((uint8_t *)name, code, 6);
		size_t n;

		if (bytes < 0) /* a surrogate */
			continue;
		name[bytes] = '\0';
		n = fold_name(name, out);
		assert_int_equal(n, strlen(out));
		assert_true(n * HUB_NAME_MAX <= (size_t)bytes * FOLD_MAX);
		longest = n > longest ? n : longest;
		if (n && fold_name(out, again) && strcmp(again, out) != 0)
			fail_msg("U+%04X: the fold of the fold differs", code);
		if (fold_clean(name, again) && !n)
			fail_msg("U+%04X is clean and has no fold", code);
		if (code < 0x80 && bytes == 1) { /* beside a character that is not ASCII */
			strcat(name, "\xe6\x97\xa5");
			strcat(out, "\xe6\x97\xa5");
			fold_name(name, again);
			assert_string_equal(again, out);
		}
	}
	assert_int_equal(longest, 33);

	*name = '\0';
	for (int i = 0; i < HUB_NAME_MAX / 3; i++)
		strcat(name, "\xef\xb7\xba");
	assert_in_range(fold_name(name, out), 600, FOLD_MAX);
}

/* A binary search looks it up, nothing in it points to another row, and no row makes a fold longer.
 */
static void the_table_keeps_its_rule(void **state)
{
	static const unsigned rows[][2] = {
#define ALIKE(code, as) {code, as},
#include "signal/alike.def"
#undef ALIKE
	};
	size_t n = sizeof(rows) / sizeof(rows[0]);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		uint8_t a[6], b[6];

		if (i)
			assert_true(rows[i - 1][0] < rows[i][0]);
		for (size_t k = 0; k < n; k++)
			assert_int_not_equal(rows[i][1], rows[k][0]);
		assert_true(u8_uctomb(a, rows[i][1], 6) <= u8_uctomb(b, rows[i][0], 6));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_of_the_world_stay),
	    cmocka_unit_test(cleaning_takes_out),
	    cmocka_unit_test(long_names_are_cut),
	    cmocka_unit_test(these_are_one_name),
	    cmocka_unit_test(these_are_two_names),
	    cmocka_unit_test(what_is_no_name_has_no_fold),
	    cmocka_unit_test(every_character_keeps_its_bound),
	    cmocka_unit_test(the_table_keeps_its_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

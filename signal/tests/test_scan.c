/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The scan of messages and the edits of their text: by hand, and by chance against jansson.
 * test_scan SECONDS [SEED] looks for longer.
 */
#include "base/error.h"
#include "base/tests/test.h"
#include "signal/edit.h"
#include "signal/fuzz/fuzz.h"
#include "signal/scan.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT_MAX 4096

static const char *const names[] = {"type", "target", "name", "seq"};
enum { TYPE, TARGET, NAME, SEQ, NAMES };

static int64_t seconds = 2;
static uint64_t chance = 12;

static int scan(struct scan *s, const char *text)
{
	size_t fault;

	return scan_text(s, text, strlen(text), 4, names, NAMES, &fault);
}

static void each_fault_has_its_code(void **state)
{
	static const struct {
		const char *text;
		int err;
	} cases[] = {
	    {"{}", 0},
	    {" {\"a\" : [1, -0.5e+3, true, false, null, {\"b\":[]}] }\r\n\t ", 0},
	    {"[]", 0},
	    {"", -E_PARSE},
	    {"1", -E_PARSE},
	    {"null", -E_PARSE},
	    {"{\"a\":1,}", -E_PARSE},
	    {"{\"a\":01}", -E_PARSE},
	    {"{\"a\":1.}", -E_PARSE},
	    {"{\"a\":+1}", -E_PARSE},
	    {"{\"a\":nul}", -E_PARSE},
	    {"{\"a\":truely}", -E_PARSE},
	    {"{'a':1}", -E_PARSE},
	    {"{\"a\":1} x", -E_PARSE},
	    {"{\"a\":[1}]", -E_PARSE},
	    {"{\"a\":\"\t\"}", -E_PARSE},
	    {"{\"a\":\"\\x\"}", -E_PARSE},
	    {"{\"a\":\"\\u12g4\"}", -E_PARSE},
	    {"{\"a\":\"\\u0000\"}", -E_PARSE},
	    {"{\"a\\u0000\":1}", -E_PARSE},
	    {"{\"a\":\"\\ud83d\\ude00\"}", 0},
	    {"{\"a\":\"\\ud83d\"}", -E_PARSE},
	    {"{\"a\":\"\\ude00\\ud83d\"}", -E_PARSE},
	    {"{\"a\":\"\\ud83d\\u0041\"}", -E_PARSE},
	    {"{\"a\":\"\xc0\xaf\"}", -E_PARSE},         /* overlong */
	    {"{\"a\":\"\xe0\x80\xaf\"}", -E_PARSE},     /* overlong */
	    {"{\"a\":\"\xed\xa0\x80\"}", -E_PARSE},     /* a surrogate */
	    {"{\"a\":\"\xf4\x90\x80\x80\"}", -E_PARSE}, /* above U+10FFFF */
	    {"{\"a\":\"\xc3", -E_PARSE},
	    {"{\"a\":\"\xc3\xa9 \xf0\x9f\x98\x80\x7f\"}", 0},
	    {"{\"a\":1,\"a\":2}", -E_EXISTS},
	    {"{\"n\\u0061me\":1,\"name\":2}", -E_EXISTS},
	    {"{\"\xc3\xa9\":1,\"\\u00E9\":2}", -E_EXISTS},
	    {"{\"\":1,\"\":2}", -E_EXISTS},
	    {"{\"a\":{\"b\":1,\"b\":2}}", 0}, /* nested: nobody reads it here */
	    {"{\"a\":1e999}", 0},             /* likewise */
	    {"{\"a\":[[[]]]}", 0},
	    {"{\"a\":[[[[]]]]}", -E_LIMIT},
	    {"[[[[[]]]]]", -E_LIMIT},
	};
	struct scan s;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (scan(&s, cases[i].text) != cases[i].err)
			fail_msg("%s: expected \"%s\"", cases[i].text, error_text(cases[i].err));
	}
}

static void a_fault_has_its_place(void **state)
{
	struct scan s;
	size_t fault = 0;

	(void)state;
	assert_int_equal(scan_text(&s, "{\"a\":1,}", 8, 4, names, NAMES, &fault), -E_PARSE);
	assert_int_equal(fault, 7);
}

static void members_are_bounded(void **state)
{
	char text[4096];
	struct scan s;
	size_t n = 0;

	(void)state;
	for (int i = 0; i <= SCAN_MEMBERS_MAX; i++) {
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%c\"%d\":0", i ? ',' : '{', i);
		if (i < SCAN_MEMBERS_MAX - 1)
			continue;
		snprintf(text + n, sizeof(text) - n, "}");
		assert_int_equal(scan(&s, text), i < SCAN_MEMBERS_MAX ? 0 : -E_ROOM);
	}
}

static void finds_what_was_asked_for(void **state)
{
	const char *text = "{\"t\\u0079pe\":\"a\\nb\", \"target\" : null ,\"x\":{\"name\":1},"
	                   "\"seq\":-12}";
	struct scan s;
	char out[16];
	int64_t n = 0;

	(void)state;
	assert_int_equal(scan(&s, text), 0);
	assert_true(s.is_object);
	assert_int_equal(s.member_n, 4);
	assert_int_equal(s.value[TYPE].kind, SCAN_STRING);
	assert_true(s.value[TYPE].escaped);
	assert_int_equal(scan_string(&s, &s.value[TYPE], out), 3);
	assert_string_equal(out, "a\nb");
	assert_true(scan_is(&s, &s.value[TYPE], "a\nb"));
	assert_false(scan_is(&s, &s.value[TYPE], "a\n"));
	assert_int_equal(s.value[TARGET].kind, SCAN_NULL);
	assert_false(scan_is(&s, &s.value[TARGET], "null"));
	assert_int_equal(s.value[NAME].kind, SCAN_ABSENT); /* that is another object's */
	assert_int_equal(scan_integer(&s, &s.value[SEQ], &n), 0);
	assert_int_equal(n, -12);
	assert_memory_equal(text + s.value[SEQ].from, "-12", s.value[SEQ].to - s.value[SEQ].from);

	assert_int_equal(scan(&s, "{\"seq\":9223372036854775808,\"name\":1.0}"), 0);
	assert_int_equal(scan_integer(&s, &s.value[SEQ], &n), -E_INVAL);
	assert_int_equal(scan_integer(&s, &s.value[NAME], &n), -E_INVAL);
}

static void edits_leave_the_rest_alone(void **state)
{
	static const struct {
		const char *text, *name, *seq; /* NULL: taken out; "": no edit */
		const char *expected;
	} cases[] = {
	    {"{}", "1", "2", "{\"name\":1,\"seq\":2}"},
	    {" { } \n", "1", "", " { \"name\":1}"},
	    {"{\"seq\" : 9 , \"n\\u0061me\":[] }", "1", "2", "{\"seq\" : 2 , \"n\\u0061me\":1 }"},
	    {"{\"a\":{}}", "1", "", "{\"a\":{},\"name\":1}"},
	    {"{\"a\":\"{\"}  ", "", "2", "{\"a\":\"{\",\"seq\":2}"},
	    {"{\"seq\":1,\"a\":2}", "", NULL, "{\"a\":2}"},
	    {"{\"a\":2 , \"seq\":1 }", "", NULL, "{\"a\":2  }"},
	    {"{\"seq\":1}", "", NULL, "{}"},
	    {"{\"seq\":1,\"name\":2}", NULL, NULL, "{}"},
	    {"{\"seq\":1,\"a\":0,\"name\":2}", NULL, NULL, "{\"a\":0}"},
	    {"{\"seq\":1}", "7", NULL, "{\"name\":7}"},
	    {"{\"a\":1}", NULL, NULL, "{\"a\":1}"},
	};
	struct edit edit[2];
	char out[128];
	struct scan s;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *value[2] = {cases[i].name, cases[i].seq};
		unsigned n = 0;

		for (int k = 0; k < 2; k++) {
			if (!value[k] || *value[k])
				edit[n++] = (struct edit){k ? SEQ : NAME, value[k],
				                          value[k] ? strlen(value[k]) : 0};
		}
		assert_int_equal(scan(&s, cases[i].text), 0);
		assert_true(edit_max(&s, edit, n) <= sizeof(out));
		assert_int_equal(edit_write(&s, edit, n, out), strlen(cases[i].expected));
		assert_string_equal(out, cases[i].expected);
	}
}

/* ---- by chance ---- */

static unsigned dice(unsigned sides)
{
	chance ^= chance << 13; /* xorshift64 */
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return (unsigned)(chance >> 33) % sides;
}

struct draft {
	char text[TEXT_MAX];
	size_t len;
};

static void add(struct draft *d, const char *piece)
{
	size_t n = strlen(piece);

	if (d->len + n < sizeof(d->text)) {
		memcpy(d->text + d->len, piece, n);
		d->len += n;
	}
}

#define ONE_OF(list) list[dice(sizeof(list) / sizeof(list[0]))]

static void space(struct draft *d)
{
	static const char *const spaces[] = {"", "", "", "", " ", "\t", "\r\n", "  "};

	add(d, ONE_OF(spaces));
}

static void string(struct draft *d)
{
	static const char *const pieces[] = {
	    "a",
	    "name",
	    "seq",
	    "bob ",
	    "{",
	    ":",
	    ",",
	    "}",
	    "]",
	    "\\\"",
	    "\\\\",
	    "\\/",
	    "\\b",
	    "\\u0061",
	    "\\u00e9",
	    "\\u20AC",
	    "\xc3\xa9",
	    "\xe2\x82\xac",
	    "\xf0\x9f\x98\x80",
	    "\\ud83d\\ude00",
	    "\x7f",
	    "\xef\xbf\xbf",
	    "\\uFFFF",
	    "0123456789abcdef",
	};
	static const char *const bad[] = {
	    "\\u0000",  "\\ud83d",      "\\ude00",      "\\ud83d\\u0041",
	    "\xc0\x80", "\xed\xa0\x80", "\xe0\x80\x80", "\xf4\x90\x80\x80",
	    "\x01",     "\\x",          "\xff",
	};

	add(d, "\"");
	for (unsigned n = dice(6); n; n--)
		add(d, dice(400) ? ONE_OF(pieces) : ONE_OF(bad));
	add(d, "\"");
}

static void number(struct draft *d)
{
	static const char *const numbers[] = {
	    "0",
	    "-0",
	    "17",
	    "-3.25",
	    "1e5",
	    "2E-7",
	    "9223372036854775807",
	    "-9223372036854775808",
	    "0.0",
	    "1e-999",
	    "1795326215785",
	};
	static const char *const overflows[] = {"9223372036854775808", "1e999", "-1e400",
	                                        "123456789012345678901234567890"};

	add(d, dice(60) ? ONE_OF(numbers) : ONE_OF(overflows));
}

static void any_value(struct draft *d, unsigned depth);

static void key(struct draft *d)
{
	static const char *const keys[] = {
	    "\"type\"", "\"target\"", "\"name\"", "\"id\"",         "\"text\"",
	    "\"ack\"",  "\"seq\"",    "\"sdp\"",  "\"n\\u0061me\"", "\"s\\u0065\\u0071\"",
	    "\"\"",
	};

	if (dice(4))
		add(d, ONE_OF(keys));
	else
		string(d);
}

/* many: so many members, each with a name of its own; else few, often two of one name. */
static void object(struct draft *d, unsigned depth, unsigned many)
{
	unsigned n = many ? many : dice(5);
	char own[16];

	add(d, "{");
	space(d);
	for (unsigned i = 0; i < n; i++) {
		if (many) {
			snprintf(own, sizeof(own), "\"%u\"", i);
			add(d, own);
		} else {
			key(d);
		}
		space(d);
		add(d, ":");
		space(d);
		if (many)
			add(d, "0");
		else
			any_value(d, depth + 1);
		space(d);
		if (i + 1 < n)
			add(d, ",");
		space(d);
	}
	add(d, "}");
}

static void any_value(struct draft *d, unsigned depth)
{
	static const char *const words[] = {"null", "true", "false"};

	switch (dice(depth < 6 ? 9 : 5)) {
	case 8: /* deep */
		depth = dice(FUZZ_SCAN_DEPTH);
		for (unsigned i = 0; i < depth; i++)
			add(d, i % 2 ? "{\"a\":" : "[");
		number(d);
		while (depth--)
			add(d, depth % 2 ? "}" : "]");
		break;
	case 0:
	case 1:
	case 2:
		string(d);
		break;
	case 3:
		number(d);
		break;
	case 4:
		add(d, ONE_OF(words));
		break;
	case 5:
	case 6:
		object(d, depth, 0);
		break;
	default:
		add(d, "[");
		for (unsigned n = dice(4); n; n--) {
			any_value(d, depth + 1);
			space(d);
			if (n > 1)
				add(d, ",");
		}
		add(d, "]");
		break;
	}
}

static void mutate(struct draft *d)
{
	static const char bytes[] = "{}[]:,\"\\u0019eE+-.ntf \n\xc3\xa9\xed\xf0\x80";
	size_t at = dice((unsigned)d->len), n;

	switch (dice(4)) {
	case 0:
		d->text[at] = bytes[dice(sizeof(bytes))]; /* NUL, too */
		break;
	case 1: /* cut */
		d->len = at + 1;
		break;
	case 2: /* a part is gone */
		n = dice((unsigned)(d->len - at));
		memmove(d->text + at, d->text + at + n, d->len - at - n);
		d->len -= n;
		break;
	default: /* a part stands twice */
		n = dice((unsigned)(d->len - at));
		if (n > 40 || d->len + n > sizeof(d->text))
			break;
		memmove(d->text + at + n, d->text + at, d->len - at);
		d->len += n;
		break;
	}
}

static void try(const struct draft *d)
{
	uint8_t *exact = malloc(d->len + 1); /* so that the sanitizer sees the end */

	exact[0] = (uint8_t)dice(256);
	memcpy(exact + 1, d->text, d->len);
	LLVMFuzzerTestOneInput(exact, d->len + 1);
	free(exact);
}

static void judges_as_jansson_does(void **state)
{
	int64_t until = test_now_ms() + 1000 * seconds;
	const struct fuzz_scan_seen *seen = &fuzz_scan_seen;
	static struct draft d;
	unsigned long n = 0;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)chance);
	while (n < 20000 || test_now_ms() < until) {
		d.len = 0;
		space(&d);
		if (dice(50))
			object(&d, 0, dice(200) ? 0 : SCAN_MEMBERS_MAX - 2 + dice(4));
		else
			any_value(&d, 0);
		space(&d);
		try(&d);
		for (unsigned i = dice(4); i; i--) {
			mutate(&d);
			try(&d);
		}
		n++;
	}
	print_message("%lu taken, %lu refused; %lu with nested doubles, %lu with overflows; "
	              "%lu too deep, %lu with too many members; %lu members, %lu edited\n",
	              seen->taken, seen->refused, seen->nested_duplicates, seen->overflows,
	              seen->deep, seen->many, seen->members, seen->edited);
	assert_true(seen->taken > 5000 && seen->refused > 5000 && seen->members > 5000);
	assert_true(seen->edited > 5000 && seen->nested_duplicates > 50 && seen->overflows > 50);
	assert_true(seen->deep > 5 && seen->many > 5);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_fault_has_its_code),
	    cmocka_unit_test(a_fault_has_its_place),
	    cmocka_unit_test(members_are_bounded),
	    cmocka_unit_test(finds_what_was_asked_for),
	    cmocka_unit_test(edits_leave_the_rest_alone),
	    cmocka_unit_test(judges_as_jansson_does),
	};

	if (argc > 1)
		seconds = atoi(argv[1]);
	if (argc > 2)
		chance = strtoull(argv[2], NULL, 10) | 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

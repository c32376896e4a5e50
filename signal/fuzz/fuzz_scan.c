/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The scan of a message, against jansson.
 */
#include "base/error.h"
#include "signal/edit.h"
#include "signal/fuzz/fuzz.h"
#include "signal/scan.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"type", "target", "name", "id", "text", "ack", "seq"};
enum { TYPE, TARGET, NAME, ID, TEXT, ACK, SEQ, NAMES };

struct fuzz_scan_seen fuzz_scan_seen;

static const char *now; /* the text that is judged */
static size_t now_len;

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "scan and jansson differ: %s\n%.*s\n", what, (int)now_len, now);
	abort();
}

static unsigned depth_of(const json_t *value)
{
	unsigned deepest = 0, depth;
	const char *key;
	size_t i;
	json_t *v;

	json_array_foreach (value, i, v) {
		depth = depth_of(v);
		deepest = depth > deepest ? depth : deepest;
	}
	json_object_foreach ((json_t *)value, key, v) {
		depth = depth_of(v);
		deepest = depth > deepest ? depth : deepest;
	}
	return json_is_array(value) || json_is_object(value) ? deepest + 1 : 0;
}

/* What the scan takes and jansson refuses: these two kinds and nothing else. */
static void check_exception(const struct scan *s, const char *text, size_t len,
                            const json_error_t *fault)
{
	enum json_error_code code = json_error_code(fault);
	json_error_t ignored;
	json_t *root;

	if (code == json_error_numeric_overflow) {
		fuzz_scan_seen.overflows++;
		return;
	}
	check(code == json_error_duplicate_key, "the scan took what jansson refuses");
	fuzz_scan_seen.nested_duplicates++;
	root = json_loadb(text, len, 0, &ignored);
	check(!root || !s->is_object || json_object_size(root) == s->member_n,
	      "the scan took two members of one name");
	json_decref(root);
}

static void check_string(const struct scan *s, const struct scan_value *v, const json_t *value)
{
	char *content = malloc(scan_string_max(v) + 1);
	size_t len = scan_string(s, v, content);

	check(len <= scan_string_max(v) && len == json_string_length(value) &&
	          !memcmp(content, json_string_value(value), len) && !content[len],
	      "the content of a string");
	check(strchr(content, '\\') || scan_is(s, v, content), "a string is not its own content");
	check(!scan_is(s, v, len ? "" : "x"), "a string is another's content");
	free(content);
}

static void check_member(const struct scan *s, const struct scan_value *v, const json_t *value)
{
	json_error_t fault;
	int64_t number;
	json_t *own;

	check(!value == (v->kind == SCAN_ABSENT), "whether a member is there");
	if (!value)
		return;
	fuzz_scan_seen.members++;
	check(v->key < v->from && v->from < v->to && v->to <= s->close && s->text[v->key] == '"',
	      "the place of a member");
	own = json_loadb(s->text + v->from, v->to - v->from, JSON_DECODE_ANY, &fault);
	check(own && json_equal(own, value), "the value of a member");
	json_decref(own);
	check(json_is_null(value) == (v->kind == SCAN_NULL) &&
	          json_is_string(value) == (v->kind == SCAN_STRING) &&
	          json_is_number(value) == (v->kind == SCAN_NUMBER),
	      "the kind of a member");
	if (json_is_string(value))
		check_string(s, v, value);
	check(json_is_integer(value) == !scan_integer(s, v, &number), "whether it is an integer");
	check(!json_is_integer(value) || number == json_integer_value(value), "an integer");
}

/* The text with changed members reads as the object with changed members. */
static void check_edits(const struct scan *s, json_t *root, uint8_t what)
{
	static const struct edit sets[] = {
	    {NAME, "\"a\\\\b\"", 6}, {ID, "17", 2}, {TEXT, "\"\"", 2}, {SEQ, "5", 1}};
	struct edit edit[4];
	json_error_t fault;
	unsigned n = 0;
	json_t *got;
	char *out;
	size_t len;

	for (unsigned i = 0; i < 4; i++, what >>= 2) {
		const char *name = names[sets[i].name];

		if (!(what & 3))
			continue;
		edit[n] = sets[i];
		if ((what & 3) == 3) {
			json_object_del(root, name);
			edit[n].json = NULL;
			edit[n].json_len = 0;
		} else {
			json_object_set_new(
			    root, name,
			    json_loadb(sets[i].json, sets[i].json_len, JSON_DECODE_ANY, NULL));
		}
		n++;
	}
	fuzz_scan_seen.edited += n > 0;
	out = malloc(edit_max(s, edit, n));
	len = edit_write(s, edit, n, out);
	check(len < edit_max(s, edit, n) && out[len - 1] == '}' && !out[len], "the edited length");
	check(n || (len == s->close + 1 && !memcmp(out, s->text, len)), "no edit, other bytes");
	got = json_loadb(out, len, JSON_REJECT_DUPLICATES, &fault);
	check(got && json_equal(got, root), "the edited message");
	json_decref(got);
	free(out);
}

static void compare(const struct scan *s, json_t *root, uint8_t what)
{
	check(json_is_object(root) == s->is_object, "object or array");
	if (!s->is_object)
		return;
	check(json_object_size(root) == s->member_n, "the number of members");
	for (unsigned i = 0; i < NAMES; i++)
		check_member(s, &s->value[i], json_object_get(root, names[i]));
	check_edits(s, root, what);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *text = (const char *)data + 1;
	size_t place = SIZE_MAX;
	json_error_t fault;
	struct scan s;
	json_t *root;
	int err;

	if (!len--)
		return 0;
	now = text;
	now_len = len;
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &fault);
	err = scan_text(&s, text, len, FUZZ_SCAN_DEPTH, names, NAMES, &place);
	check(!err || place <= len, "the place of the fault");
	if (err) {
		fuzz_scan_seen.refused++;
		fuzz_scan_seen.deep += root && err == -E_LIMIT;
		fuzz_scan_seen.many += root && err == -E_ROOM;
		/* jansson 2.14 overlooks a NUL behind a number or a word. */
		check(!root || (err == -E_PARSE && place < len && !text[place]) ||
		          (err == -E_LIMIT && depth_of(root) > FUZZ_SCAN_DEPTH) ||
		          (err == -E_ROOM && json_object_size(root) > SCAN_MEMBERS_MAX),
		      "the scan refused what jansson takes");
	} else {
		fuzz_scan_seen.taken++;
		if (root)
			compare(&s, root, data[0]);
		else
			check_exception(&s, text, len, &fault);
	}
	json_decref(root);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The rules for names.
 */
#include "store/name.h"

#include "base/text.h"

#include <stdint.h>
#include <string.h>

size_t utf8_fit(const char *text, size_t max)
{
	size_t n = strnlen(text, max + 1);

	if (n <= max)
		return n;
	for (n = max; n && ((unsigned char)text[n] & 0xc0) == 0x80; n--)
		;
	return n;
}

/* C0, DEL and C1 (U+0080..U+009F, two bytes each). */
static bool has_control(const char *text)
{
	for (const uint8_t *s = (const uint8_t *)text; *s; s++)
		if (*s < 0x20 || *s == 0x7f || (*s == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f))
			return true;
	return false;
}

int utf8_check(const char *text, size_t min, size_t max, const char *what, struct why *why)
{
	size_t len = strlen(text);

	if (len && len < min)
		return why_set(why, -E_INVAL, "%s is too short: it needs at least %zu bytes", what,
		               min);
	if (len < min)
		return why_set(why, -E_INVAL, "%s is empty: it needs %zu to %zu bytes", what, min,
		               max);
	if (len > max)
		return why_set(why, -E_INVAL, "%s has %zu bytes: the maximum is %zu", what, len,
		               max);
	if (!text_is_utf8(text, len))
		return why_set(why, -E_INVAL, "%s is not valid UTF-8", what);
	return 0;
}

int text_check(const char *text, size_t min, size_t max, const char *what, struct why *why)
{
	int err = utf8_check(text, min, max, what, why);

	if (!err && has_control(text))
		err = why_set(why, -E_INVAL, "%s contains a control character: use printable text",
		              what);
	return err;
}

int shown_check(const char *text, size_t min, size_t max, const char *what, struct why *why)
{
	int err = text_check(text, min, max, what, why);
	size_t len = strlen(text);
	struct text_char c;

	for (size_t at = 0; !err && at < len; at += c.len) {
		c = text_at(text, len, at);
		if (!c.printable)
			err =
			    why_set(why, -E_INVAL,
			            "%s contains U+%04X, which is invisible, changes the direction "
			            "of text, or is a blank other than the space: remove it",
			            what, (unsigned)c.code);
	}
	return err;
}

int name_check_known(const char *name, struct why *why)
{
	int err = text_check(name, 1, NAME_MAX_LEN, "the user name", why);
	size_t digits;

	if (err)
		return err;
	digits = strspn(name, "0123456789");
	if (digits && (!name[digits] || name[digits] == ':'))
		return why_set(why, -E_INVAL,
		               "the user name \"%.64s\" has the form of a time-limited one "
		               "(digits, maybe a colon): put a letter first",
		               name);
	return 0;
}

int name_check(const char *name, struct why *why)
{
	int err = shown_check(name, 1, NAME_MAX_LEN, "the user name", why);

	return err ? err : name_check_known(name, why);
}

int realm_check(const char *realm, struct why *why)
{
	int err = shown_check(realm, 1, REALM_MAX_LEN, "the realm", why);
	size_t chars = 0;

	for (const char *c = realm; !err && *c; c++)
		chars += ((unsigned char)*c & 0xc0) != 0x80;
	if (chars > REALM_MAX_CHARS)
		return why_set(why, -E_INVAL, "the realm has %zu characters: the maximum is %d",
		               chars, REALM_MAX_CHARS);
	if (!err && strpbrk(realm, "\"\\"))
		return why_set(why, -E_INVAL, "the realm must not contain quotes or backslashes");
	return err;
}

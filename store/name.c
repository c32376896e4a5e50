/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What may be a name.
 */
#include "store/name.h"

#include <stdint.h>
#include <string.h>

/* RFC 3629 section 4. Returns the length of the sequence at s, 0 if it is none. */
static size_t utf8_sequence(const uint8_t *s, size_t len)
{
	static const struct {
		uint8_t first_min, first_max, second_min, second_max, len;
	} forms[] = {
	    {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
	    {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
	    {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	if (s[0] < 0x80)
		return 1;
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		if (s[0] < forms[i].first_min || s[0] > forms[i].first_max)
			continue;
		if (len < forms[i].len || s[1] < forms[i].second_min || s[1] > forms[i].second_max)
			return 0;
		for (size_t k = 2; k < forms[i].len; k++)
			if ((s[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].len;
	}
	return 0;
}

size_t utf8_fit(const char *text, size_t max)
{
	size_t n = strnlen(text, max + 1);

	if (n <= max)
		return n;
	for (n = max; n && ((unsigned char)text[n] & 0xc0) == 0x80; n--)
		;
	return n;
}

bool utf8_valid(const void *bytes, size_t len)
{
	const uint8_t *s = bytes;

	while (len) {
		size_t n = utf8_sequence(s, len);

		if (!n)
			return false;
		s += n;
		len -= n;
	}
	return true;
}

/* C0, DEL and C1 (U+0080..U+009F, two bytes each). */
static bool has_control(const char *text)
{
	for (const uint8_t *s = (const uint8_t *)text; *s; s++)
		if (*s < 0x20 || *s == 0x7f || (*s == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f))
			return true;
	return false;
}

int text_check(const char *text, size_t min, size_t max, const char *what, struct why *why)
{
	size_t len = strlen(text);

	if (len && len < min)
		return why_set(why, -E_INVAL, "%s is too short: give at least %zu bytes", what,
		               min);
	if (len < min)
		return why_set(why, -E_INVAL, "%s is empty: give %zu to %zu bytes", what, min, max);
	if (len > max)
		return why_set(why, -E_INVAL, "%s is %zu bytes long: at most %zu fit", what, len,
		               max);
	if (!utf8_valid(text, len))
		return why_set(why, -E_INVAL, "%s is not valid UTF-8", what);
	if (has_control(text))
		return why_set(why, -E_INVAL, "%s contains a control character: use printable text",
		               what);
	return 0;
}

int name_check(const char *name, struct why *why)
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

int realm_check(const char *realm, struct why *why)
{
	int err = text_check(realm, 1, REALM_MAX_LEN, "the realm", why);

	if (!err && strpbrk(realm, "\"\\"))
		return why_set(why, -E_INVAL, "the realm must not contain quotes or backslashes");
	return err;
}

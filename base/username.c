/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reading the usernames of time-limited credentials.
 */
#include "base/username.h"

#include "base/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char mark[] = "lock=";

#define MARK_AT (sizeof(mark) - 1)

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_mark(const char *text, size_t len, uint64_t *lock)
{
	uint64_t value = 0;

	if (len < USERNAME_MARK_LEN || memcmp(text, mark, MARK_AT) != 0 ||
	    text[USERNAME_MARK_LEN - 1] != ':')
		return false;
	for (size_t i = MARK_AT; i < USERNAME_MARK_LEN - 1; i++) {
		int d = digit(text[i]);

		if (d < 0)
			return false;
		value = value << 4 | (uint64_t)d;
	}
	*lock = value;
	return true;
}

bool username_is_marked(const char *name, size_t len)
{
	uint64_t lock;

	return read_mark(name, len, &lock);
}

void username_mark(char out[USERNAME_MARK_LEN + 1], uint64_t lock)
{
	snprintf(out, USERNAME_MARK_LEN + 1, "%s%016" PRIx64 ":", mark, lock);
}

int username_parse(const char *text, size_t len, struct username *out)
{
	struct username u = {0};
	size_t i;

	for (i = 0; i < len && text[i] >= '0' && text[i] <= '9'; i++)
		if (__builtin_mul_overflow(u.expires_at_s, 10, &u.expires_at_s) ||
		    __builtin_add_overflow(u.expires_at_s, text[i] - '0', &u.expires_at_s))
			return -E_PARSE;
	if (!i || (i < len && text[i] != ':') || (i > 1 && text[0] == '0'))
		return -E_PARSE;
	i += i < len;
	u.locked = read_mark(text + i, len - i, &u.lock);
	i += u.locked ? USERNAME_MARK_LEN : 0;
	u.name = text + i;
	u.name_len = len - i;
	*out = u;
	return 0;
}

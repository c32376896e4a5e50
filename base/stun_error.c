/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Looks error codes up.
 */
#include "base/stun_error.h"

#include <stddef.h>
#include <stdio.h>

static const struct row {
	int code;
	const char *reason, *section;
} rows[] = {
#define X(code, reason, section) {code, reason, section},
    STUN_ERROR_TABLE(X)
#undef X
};

static const struct row *find(int code)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].code == code)
			return &rows[i];
	return NULL;
}

const char *stun_error_reason(int code)
{
	const struct row *r = find(code);

	return r ? r->reason : "";
}

const char *stun_error_text(int code, char buf[STUN_ERROR_TEXT])
{
	const struct row *r = find(code);
	int n = snprintf(buf, STUN_ERROR_TEXT, "error %d", code);

	if (r)
		snprintf(buf + n, STUN_ERROR_TEXT - (size_t)n, " (%s, %s)", r->reason, r->section);
	return buf;
}

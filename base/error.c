/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Error codes and their words.
 */
#include "base/error.h"

#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const texts[E_COUNT] = {[E_OK] = "no error",
#define X(name, text) [name] = text,
                                           ERROR_TABLE(X)
#undef X
};

const char *error_text(int err)
{
	err = abs(err);
	return err < E_COUNT ? texts[err] : "unknown error";
}

int error_from_errno(int err)
{
	switch (err) {
	case 0:
		return 0;
	case ENOMEM:
	case ENOBUFS:
		return -E_NOMEM;
	case EMFILE:
	case ENFILE:
		return -E_LIMIT;
	case EADDRINUSE:
		return -E_IN_USE;
	case EACCES:
	case EPERM:
		return -E_DENIED;
	case ENOENT:
		return -E_NOTFOUND;
	case EEXIST:
		return -E_EXISTS;
	case EAFNOSUPPORT:
		return -E_UNSUPPORTED;
	case EINVAL:
	case EADDRNOTAVAIL:
		return -E_INVAL;
	case ETIMEDOUT:
		return -E_TIMEOUT;
	case EPIPE:
	case ECONNRESET:
		return -E_CLOSED;
	default:
		return -E_IO;
	}
}

int why_set(struct why *why, int err, const char *fmt, ...)
{
	char text[sizeof(why->text)];
	va_list ap;

	if (why) {
		va_start(ap, fmt);
		vsnprintf(text, sizeof(text), fmt, ap);
		va_end(ap);
		text_show(why->text, sizeof(why->text), text, strlen(text), TEXT_AGAIN);
	}
	return err;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What may be a name: of a user, a realm, a label. The store refuses anything
 * that could not be sent, logged or told apart later.
 */
#ifndef STORE_NAME_H
#define STORE_NAME_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define NAME_MAX_LEN     255 /* bytes */
#define REALM_MAX_LEN    763 /* bytes, RFC 8489 section 14.9: "it can be as long as 763 bytes" */
#define REALM_MAX_CHARS  127 /* "fewer than 128 characters" */
#define LABEL_MAX_LEN    128
#define PASSWORD_MAX_LEN 512
#define SECRET_MAX_LEN   256

/* Valid UTF-8 of min to max bytes. 0 or -E_INVAL. */
int utf8_check(const char *text, size_t min, size_t max, const char *what, struct why *why);

/* Valid UTF-8 of min to max bytes without control characters; what ("the user name") begins the
 * explanation. 0 or -E_INVAL. */
int text_check(const char *text, size_t min, size_t max, const char *what, struct why *why);

/* As above, and printable (base/text.h): what people tell from each other by looking at it. */
int shown_check(const char *text, size_t min, size_t max, const char *what, struct why *why);

/* A static user's name: as above, and not of the form "digits" or "digits:…", which belongs to
 * time-limited credentials. 0 or -E_INVAL. */
int name_check(const char *name, struct why *why);

/* The same of one that is looked for: it may be older than the rule of what is printable. */
int name_check_known(const char *name, struct why *why);

/* A realm also goes into quoted strings on the wire: no quote, no backslash. 0 or -E_INVAL. */
int realm_check(const char *realm, struct why *why);

/* How many bytes of valid UTF-8 fit in max without a cut through a character. */
size_t utf8_fit(const char *text, size_t max);

#endif

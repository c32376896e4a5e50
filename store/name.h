/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The rules for names of users, realms and labels. The store refuses a name that cannot be sent,
 * logged or told apart later.
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

/* Also printable (base/text.h): for names that people tell apart by reading them. */
int shown_check(const char *text, size_t min, size_t max, const char *what, struct why *why);

/* A static user's name: printable, and not of the form "digits" or "digits:…", which belongs to
 * time-limited credentials. 0 or -E_INVAL. */
int name_check(const char *name, struct why *why);

/* The same for looking up a name, which may be older than the rule of printable names. */
int name_check_known(const char *name, struct why *why);

/* A realm also goes into quoted strings on the wire: no quote, no backslash. 0 or -E_INVAL. */
int realm_check(const char *realm, struct why *why);

/* The number of bytes of valid UTF-8 that fit in max without cutting a character. */
size_t utf8_fit(const char *text, size_t max);

#endif

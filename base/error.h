/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The one table of error codes. Functions return 0 or a negated code
 * (-E_LIMIT); out-parameters are untouched on failure.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#define ERROR_TABLE(X)                                                                             \
	X(E_NOMEM, "out of memory")                                                                \
	X(E_LIMIT, "a configured limit is reached")                                                \
	X(E_PARSE, "malformed input")                                                              \
	X(E_INVAL, "value not allowed")                                                            \
	X(E_ROOM, "does not fit the buffer")                                                       \
	X(E_NOTFOUND, "not found")                                                                 \
	X(E_EXISTS, "exists already")                                                              \
	X(E_IN_USE, "address in use")                                                              \
	X(E_DENIED, "not allowed")                                                                 \
	X(E_REVOKED, "revoked by the operator")                                                    \
	X(E_SCOPE, "the API token is for something else")                                          \
	X(E_UNREACHABLE, "no address is known that clients reach this server by")                  \
	X(E_STALE, "too old")                                                                      \
	X(E_LATER, "the answer comes later")                                                       \
	X(E_CLOSED, "closed by the other side")                                                    \
	X(E_TIMEOUT, "took too long")                                                              \
	X(E_SCHEMA, "database schema is newer than this program")                                  \
	X(E_CORRUPT, "stored data is damaged")                                                     \
	X(E_IO, "input/output error")                                                              \
	X(E_UNSUPPORTED, "not supported here")

enum error_code {
	E_OK = 0,
#define X(name, text) name,
	ERROR_TABLE(X)
#undef X
	    E_COUNT
};

/* A sentence for a code (either sign). Static storage; never NULL. */
const char *error_text(int err);

/* Maps an errno value to a negative code of the table. */
int error_from_errno(int err);

/* An explanation for people beside a code: the failure and the fix. */
struct why {
	char text[512];
};

/* Formats into why (which may be NULL) and returns err, for `return why_set(...)`. Quoted values
 * may be any bytes: the text is made printable (text_show()). */
__attribute__((format(printf, 3, 4))) int why_set(struct why *why, int err, const char *fmt, ...);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the takers of coturn's directives share, by kind: import_net.c,
 * import_users.c, and import_take.c for the rest and the table.
 */
#ifndef DAEMON_IMPORT_TAKE_H
#define DAEMON_IMPORT_TAKE_H

#include "daemon/import/import.h"

/* One directive's value: says what became of it, once. */
typedef void import_take_fn(struct import *im, const char *value);

/* A declaration for each that the table names. */
#define SAME(n, t)
#define SAME_FLAG(n, t)
#define SAME_SECRET(n, t)
#define LEFT(n, t)
#define LEFT_FLAG(n, t)
#define LEFT_SECRET(n, t)
#define TAKE(n, f, t)        import_take_fn import_##f;
#define TAKE_FLAG(n, f, t)   import_take_fn import_##f;
#define TAKE_SECRET(n, f, t) import_take_fn import_##f;
#include "daemon/import/import_coturn.def"
#undef SAME
#undef SAME_FLAG
#undef SAME_SECRET
#undef LEFT
#undef LEFT_FLAG
#undef LEFT_SECRET
#undef TAKE
#undef TAKE_FLAG
#undef TAKE_SECRET

char *import_copy(struct import *im, const char *text);
void import_add(struct import *im, struct import_texts *t, const char *text);
bool import_has(const struct import_texts *t, const char *text);
bool import_is_number(const char *value);

/* Sets or, for a list, appends; what our parser does not take is left with its reason. */
bool import_put(struct import *im, enum conf_option_index at, const char *text);
/* The same, and says so. */
void import_take(struct import *im, enum conf_option_index at, const char *text);
void import_take_number(struct import *im, enum conf_option_index at, const char *value);

/* Once all is read. */
void import_finish_listen(struct import *im);
void import_finish_peers(struct import *im);
void import_finish_realm(struct import *im);

#endif

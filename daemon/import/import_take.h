/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared by the handlers of coturn's directives, by kind: import_net.c, import_users.c, and
 * import_take.c for the rest and the table.
 */
#ifndef DAEMON_IMPORT_TAKE_H
#define DAEMON_IMPORT_TAKE_H

#include "daemon/import/import.h"

/* Handles one directive's value, and gives one verdict. */
typedef void import_take_fn(struct import *im, const char *value);

/* A declaration for each that the table names. */
#define GROUP(title)
#define SAME(name, type, since, removed, text)
#define LEFT(name, type, since, removed, text)
#define TAKE(name, type, since, removed, kind, text) import_take_fn import_##kind;
#define NOTE(name, type, since, removed, kind, text) import_take_fn import_##kind;
#include "daemon/import/import_coturn.def"

char *import_copy(struct import *im, const char *text);
void import_add(struct import *im, struct import_texts *t, const char *text);
bool import_has(const struct import_texts *t, const char *text);
/* As coturn's atoi(): ignores what follows the number; 0 without one. */
int import_int(const char *value);

/* Sets or, for a list, appends; a value that our parser refuses is left out with its reason. */
bool import_put(struct import *im, enum conf_option_index at, const char *text);
/* The same, with a verdict. */
void import_take(struct import *im, enum conf_option_index at, const char *text);
/* Sets the number; the verdict says it if the value has more than digits. */
void import_take_int(struct import *im, enum conf_option_index at, const char *value, int64_t n);

/* Once all is read. */
void import_finish_listen(struct import *im);
void import_finish_alternates(struct import *im);
void import_finish_external(struct import *im);
void import_finish_ports(struct import *im);
/* -E_LIMIT: more denied ranges than relay_deny holds. */
int import_finish_peers(struct import *im, struct why *why);
void import_finish_realm(struct import *im);
void import_finish_cert(struct import *im, bool here);

#endif

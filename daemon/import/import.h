/* SPDX-License-Identifier: BSD-3-Clause
 *
 * turnserver.conf and turndb to settings, users and secrets. Internal to
 * import*.c and cli_import.c.
 */
#ifndef DAEMON_IMPORT_H
#define DAEMON_IMPORT_H

#include "daemon/conf/conf_internal.h"

#define IMPORT_TEXT_MAX 8192
#define IMPORT_USERS    100000

/* A user: by his password or, with none, by his key. */
struct import_user {
	char *realm, *name, *password;
	uint8_t md5[16];
};

struct import_texts {
	char **v;
	size_t n;
};

struct import {
	FILE *report;
	const char *place;     /* "turnserver.conf:12", or the database's path */
	const char *directive; /* with its value, or masked */
	unsigned taken, same, left;
	bool keeps_users; /* users and further secrets go into a store: --write */

	char *value[OPTION_COUNT]; /* by enum conf_option_index; NULL: the default */
	struct import_texts ips, aux, allowed, denied, secrets;
	unsigned port, tls_port, alt_ports[2], min_port, max_port;
	size_t alt_n;
	bool no_tls, no_dtls, oauth, private_peers;
	bool auth_secret; /* somewhere in the file: coturn then heeds no user with a password */
	char *realm, *server_name, *userdb;
	struct import_user *users;
	size_t user_n;
	bool failed; /* out of memory */
};

void import_init(struct import *im, FILE *report);
void import_free(struct import *im);

/* ---- import.c: lines and their verdicts ---- */

/* Reads a turnserver.conf. -E_NOTFOUND, -E_DENIED, -E_PARSE. */
int import_file(struct import *im, const char *path, struct why *why);
/* Reads a turndb. */
int import_db(struct import *im, const char *path, struct why *why);

/* What became of the directive under way. */
__attribute__((format(printf, 2, 3))) void import_taken(struct import *im, const char *fmt, ...);
__attribute__((format(printf, 2, 3))) void import_same(struct import *im, const char *fmt, ...);
__attribute__((format(printf, 2, 3))) void import_left(struct import *im, const char *fmt, ...);

/* ---- import_take.c, import_net.c, import_users.c ---- */

/* Takes what import_coturn.def says for the directive; false if there is none of the name. */
bool import_directive(struct import *im, const char *name, const char *value);
bool import_is_secret(const char *name);
/* As coturn reads the value of a flag. */
bool import_is_off(const char *value);
/* A row of allowed_peer_ip or denied_peer_ip, and of others. */
void import_range(struct import *im, bool allow, const char *range);
void import_user_key(struct import *im, const char *realm, const char *name, const char *key);
void import_secret_value(struct import *im, const char *value);
void import_realm_name(struct import *im, const char *realm);
void import_oauth_key(struct import *im, const char *kid, const char *key);
/* Once all is read: what is made of several directives. */
void import_finish(struct import *im);

/* ---- import_ranges.c ---- */

/* "a-b", "a/bits" or "a". 0 or -E_PARSE. */
int import_range_check(const char *text);
/* Writes denied without allowed as prefixes, separated by commas, for free(); coturn lets allowed
 * win, our relay_deny does. NULL when out of memory; *n is how many. */
char *import_subtract(const struct import_texts *denied, const struct import_texts *allowed,
                      size_t *n);

#endif

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
#define IMPORT_REALM    "turnpike" /* if the file names none */

/* A user: with a password or, without one, with a key. */
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
	const char *note;      /* printed after the verdict; NULL: nothing */
	bool ignored;          /* coturn itself ignores the line, for its form */
	unsigned taken, same, left;
	unsigned known;   /* lines that hold a directive of coturn's */
	bool keeps_users; /* users and further secrets go into a store: --write */

	char *value[OPTION_COUNT]; /* by enum conf_option_index; NULL: the default */
	struct import_texts ips, aux, relay_ips, external, alternates, allowed, denied, secrets;
	unsigned port, tls_port, min_port, max_port;
	unsigned alt_port, alt_tls_port; /* 0: the port before it and one */
	bool external_for_all, no_discovery, no_tls, no_dtls, oauth, threads;
	bool auth_secret; /* coturn then ignores users with a password */
	bool has_login;   /* there is a way to log in: without one, coturn relays for everybody */
	bool other_db;    /* the users are in a database that is not read */
	char *realm, *server_name, *userdb, *cert, *key;
	int64_t total_quota; /* < 0: none */
	struct import_user *users;
	size_t user_n;
	bool failed; /* out of memory */
};

void import_init(struct import *im, FILE *report);
void import_free(struct import *im);

/* ---- import.c: lines and their verdicts ---- */

/* Reads a turnserver.conf. -E_NOTFOUND, -E_DENIED, -E_IO; -E_PARSE for another kind of file. */
int import_file(struct import *im, const char *path, struct why *why);
/* Reads a turndb. */
int import_db(struct import *im, const char *path, struct why *why);

/* The verdict on the current directive. */
__attribute__((format(printf, 2, 3))) void import_taken(struct import *im, const char *fmt, ...);
__attribute__((format(printf, 2, 3))) void import_same(struct import *im, const char *fmt, ...);
__attribute__((format(printf, 2, 3))) void import_left(struct import *im, const char *fmt, ...);

/* ---- import_take.c, import_net.c, import_users.c ---- */

/* Handles the directive as import_coturn.def says; false if the name is unknown. */
bool import_directive(struct import *im, const char *name, const char *value);
bool import_is_secret(const char *name);
/* A row of allowed_peer_ip or denied_peer_ip, and of others. */
void import_range(struct import *im, bool allow, const char *range);
void import_user_key(struct import *im, const char *realm, const char *name, const char *key);
void import_secret_value(struct import *im, const char *value);
void import_realm_name(struct import *im, const char *realm);
/* A row of turn_realm_option: "user-quota", "total-quota" or "max-bps". */
void import_realm_option(struct import *im, const char *realm, const char *name, const char *value);
void import_oauth_key(struct import *im, const char *kid, const char *key);
/* Call it after reading everything: handles settings made of several directives. here: the result
 * is for this host, so the certificate must exist. -E_LIMIT when no safe result exists. */
int import_finish(struct import *im, bool here, struct why *why);
/* True when the file can hold the text as a value; print it with import_print(). */
bool import_fits_file(const char *text);
/* The configuration, as file. from, data: for its first lines; data may be NULL. */
void import_print(FILE *out, const struct import *im, const char *from, const char *data);
/* The table of directives, for docs/coturn-directives.md. */
void import_print_directives(FILE *out);

/* Reads it as the server would. */
int import_check(const struct import *im, const char *from, struct why *why);

/* ---- import_store.c ---- */

/* Opens or makes the store in data, and adds users and further secrets. Existing ones stay
 * unchanged; prints on stderr each user that cannot be added. */
int import_fill_store(const struct import *im, const char *data, struct why *why);

/* ---- import_install.c ---- */

/* Writes configuration, store and certificate to the installed systemd unit's places, below root
 * ("" or a folder), and starts the unit if systemd runs and root is "". Prints on stdout what it
 * did. Replaces existing, different files only with force, else -E_EXISTS, and writes nothing.
 * -E_NOTFOUND: no unit, or no such user. */
int import_install(struct import *im, const char *from, const char *root, bool force,
                   struct why *why);

/* ---- import_ranges.c ---- */

/* An address as coturn reads one: what getaddrinfo() takes for a number, blanks around it ("10.1"
 * is one). Writes it as we do. 0 or -E_PARSE. */
int import_address(const char *text, struct addr *out);

enum import_form {
	IMPORT_RANGE, /* "a-b" or "a", as coturn reads it */
	IMPORT_MEANT, /* "a/bits", or a remark behind: coturn does not understand it */
	IMPORT_NO_RANGE,
};

/* *clean (at least IMPORT_RANGE_LEN bytes) gets the range as import_subtract() takes it. */
#define IMPORT_RANGE_LEN 128
enum import_form import_range_read(const char *text, char *clean);
/* Writes denied without allowed as prefixes, separated by commas, for free(): in coturn allowed
 * wins, in our relay_deny denied does. NULL when out of memory; *n is their number. */
char *import_subtract(const struct import_texts *denied, const struct import_texts *allowed,
                      size_t *n);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Settings: from the command line, else the environment, else the file, else
 * the default. daemon/conf/options.def is the table behind all of them.
 */
#ifndef DAEMON_CONF_H
#define DAEMON_CONF_H

#include "base/addr.h"
#include "base/error.h"
#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum conf_guests { GUESTS_LOCAL, GUESTS_YES, GUESTS_PUBLIC, GUESTS_NO };
enum conf_lock { LOCK_NO, LOCK_CALL };

/* Lists own v, and begin with v and n (struct conf_list). */
struct conf_addrs {
	struct addr *v; /* port 0 where the option names addresses without one */
	size_t n;
	uint64_t proxy; /* of LISTEN: bit i, PROXY is spoken on v[i] */
};

struct conf_prefixes {
	struct prefix *v;
	size_t n;
};

struct conf_mapping {
	struct addr local; /* AF_UNSPEC: every local address of external's family */
	struct addr external;
};

struct conf_mappings {
	struct conf_mapping *v;
	size_t n;
};

struct conf_texts {
	char **v;
	size_t n;
};

struct conf_ports {
	uint16_t min, max; /* both included */
};

/* The C type that holds a TYPE of the table (conf_type.h). Texts are never NULL; empty means unset.
 */
#define CONF_C_TEXT     char *
#define CONF_C_PATH     char *
#define CONF_C_REALMS   struct conf_texts
#define CONF_C_KEYS     struct conf_texts
#define CONF_C_JWTKEYS  struct conf_texts
#define CONF_C_ORIGINS  struct conf_texts
#define CONF_C_URL      char *
#define CONF_C_URLS     struct conf_texts
#define CONF_C_SIGNING  struct conf_texts
#define CONF_C_EVENTS   struct conf_texts
#define CONF_C_HOST     char *
#define CONF_C_INT      int64_t
#define CONF_C_BOOL     bool
#define CONF_C_GUESTS   enum conf_guests
#define CONF_C_LOCK     enum conf_lock
#define CONF_C_LEVEL    enum log_level
#define CONF_C_RIGHTS   unsigned /* bit i for the i-th word of the metavar */
#define CONF_C_PORTS    struct conf_ports
#define CONF_C_ADDRS    struct conf_addrs
#define CONF_C_LISTEN   struct conf_addrs
#define CONF_C_IPS      struct conf_addrs
#define CONF_C_PREFIXES struct conf_prefixes
#define CONF_C_MAPPINGS struct conf_mappings

/* One member for each row of options.def: conf.realm, conf.listen.v[0], ... */
struct conf {
#define CONF(name, type, ...) CONF_C_##type name;
#include "daemon/conf/options.def"
#undef CONF
};

/*
 * Takes what it knows ("--relay-ports 5000-6000", "--relay-ports=5000-6000", "--config FILE") out
 * of argv and leaves the rest, in order, with *argc corrected; "--" ends the options and is left.
 * envp may be NULL. The texts are copied. On success conf is for conf_free(); on failure it is
 * empty. -E_INVAL: a flag is wrong (the caller's usage error); -E_PARSE: the environment, the
 * file or the combination is; why names the place and the fix of the first problem. -E_NOMEM.
 * problem is told every one; it may be NULL.
 */
int conf_check(int *argc, char **argv, char *const *envp, struct conf *conf,
               void (*problem)(void *ctx, const char *text), void *ctx, struct why *why);

enum conf_source_kind { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENV, SOURCE_ARGS, SOURCE_SERVED };
#define CONF_WHERE_MAX 256

/* The source of an option's value. */
struct conf_source {
	enum conf_source_kind kind;
	char where[CONF_WHERE_MAX]; /* "turnpike.conf:12: listen", "TURNPIKE_LISTEN", "--listen" */
};

/* The same, and *sources gets an array as long as the table is, for free(); on failure NULL. */
int conf_read(int *argc, char **argv, char *const *envp, struct conf *conf,
              struct conf_source **sources, void (*problem)(void *ctx, const char *text), void *ctx,
              struct why *why);

/* Frees what conf holds (not conf itself) and empties it. NULL is legal. */
void conf_free(struct conf *conf);

/* The options as --help shows them. */
void conf_print_help(FILE *out);

/* A configuration file with every option at its default, commented out. */
void conf_print_example(FILE *out);

/* The OPTIONS section of turnpike(8), in roff. */
void conf_print_man(FILE *out);

/* All of turnpike.conf(5), in roff. */
void conf_print_man5(FILE *out);

/* docs/configuration.md */
void conf_print_markdown(FILE *out);

/* The values in effect and their sources; secrets are masked. */
void conf_print_values(FILE *out, const struct conf *conf, const struct conf_source *sources);

/* True when that listen address uses the PROXY protocol. */
static inline bool conf_listen_proxies(const struct conf *conf, size_t i)
{
	return conf->listen.proxy >> i & 1;
}

/* The origin of a web page (RFC 6454): scheme://host or scheme://host:port, or "*". */
bool conf_origin_valid(const char *origin);

#endif

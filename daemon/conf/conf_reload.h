/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A running server's second look at its configuration.
 */
#ifndef DAEMON_CONF_RELOAD_H
#define DAEMON_CONF_RELOAD_H

#include "daemon/conf/conf.h"

#define CONF_NAMES_MAX 768

/* Where the configuration came from: the whole command line and the environment. Borrowed. */
struct conf_input {
	int argc;
	char **argv;
	char *const *envp;
};

/* A configuration and what made it. The address of conf stays, so that others can hold it. */
struct conf_live {
	struct conf conf;
	struct conf_source *sources;
	const struct conf_input *input;
};

struct conf_pending;

/* What is different now: names of options, separated by commas. */
struct conf_changes {
	char changed[CONF_NAMES_MAX]; /* in effect */
	char restart[CONF_NAMES_MAX]; /* not before a restart */
};

/* Reads it all again, and puts what is reloadable into live->conf for a try. The caller then says
 * conf_reload_end(), having freed nothing of live meanwhile. On failure live is as it was; problem
 * (may be NULL) hears all of it. Codes as conf_read(). */
int conf_reload_begin(struct conf_live *live, struct conf_pending **out,
                      struct conf_changes *changes, void (*problem)(void *ctx, const char *text),
                      void *ctx, struct why *why);

/* Keeps the new values, or puts the old ones back. */
void conf_reload_end(struct conf_live *live, struct conf_pending *pending, bool keep);

/* Whether the option is among changes->changed. */
bool conf_changed(const struct conf_changes *changes, const char *name);

#define RELOAD_TEXT_MAX 2048

/* How a reload went. */
struct reload_report {
	bool ok;
	char text[RELOAD_TEXT_MAX]; /* lines for the operator */
};

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A running server's second look at its configuration.
 */
#ifndef DAEMON_CONF_RELOAD_H
#define DAEMON_CONF_RELOAD_H

#include "daemon/conf/conf.h"

#define CONF_NAMES_MAX 768

/* The sources of the configuration: the whole command line and the environment. Borrowed. */
struct conf_input {
	int argc;
	char **argv;
	char *const *envp;
};

/* A configuration and its sources. conf keeps its address, so that others can hold it. */
struct conf_live {
	struct conf conf;
	struct conf_source *sources;
	const struct conf_input *input;
};

struct conf_pending;

/* The changed options: their names, separated by commas. */
struct conf_changes {
	char changed[CONF_NAMES_MAX]; /* in effect */
	char restart[CONF_NAMES_MAX]; /* not before a restart */
};

/* Reads everything again, and puts the reloadable options into live->conf on trial. The caller then
 * calls conf_reload_end(), and frees nothing of live before. On failure live is unchanged; problem
 * (may be NULL) gets every problem. Codes as conf_read(). */
int conf_reload_begin(struct conf_live *live, struct conf_pending **out,
                      struct conf_changes *changes, void (*problem)(void *ctx, const char *text),
                      void *ctx, struct why *why);

/* Keeps the new values, or puts the old ones back. */
void conf_reload_end(struct conf_live *live, struct conf_pending *pending, bool keep);

/* True when the option is among changes->changed. */
bool conf_changed(const struct conf_changes *changes, const char *name);

#define RELOAD_TEXT_MAX 2048

/* The result of a reload. */
struct reload_report {
	bool ok;
	char text[RELOAD_TEXT_MAX]; /* lines for the operator */
};

#endif

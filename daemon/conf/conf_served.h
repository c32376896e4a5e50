/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The settings of the server on a data directory, for the command line: `turnpike --data DIR user
 * add` uses that server's realm, and the doctor its ports, without being told them again.
 */
#ifndef DAEMON_CONF_SERVED_H
#define DAEMON_CONF_SERVED_H

#include "daemon/conf/conf.h"

/* Replaces DATA/served.json with the options that are not at their defaults, without secrets. 0,
 * -E_NOMEM, or the system's code. */
int conf_served_write(const struct conf *conf, const struct conf_source *sources, struct why *why);

/* Gives each option that nobody has set the value that the last server on conf->data had, with its
 * source. What is not there, not readable or not known is passed over: it is a guess, and the
 * default is the next best. */
void conf_served_read(struct conf *conf, struct conf_source *sources);

#endif

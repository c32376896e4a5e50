/* SPDX-License-Identifier: BSD-3-Clause
 *
 * `turnpike serve`: the appliance itself.
 */
#ifndef DAEMON_SERVE_H
#define DAEMON_SERVE_H

#include "daemon/conf/conf_reload.h"

/* Serves until SIGTERM or SIGINT; SIGHUP reloads live. Returns the exit status of the process. */
int serve_main(struct conf_live *live);

#endif

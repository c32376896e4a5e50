/* SPDX-License-Identifier: BSD-3-Clause
 *
 * `turnpike serve`: the appliance itself.
 */
#ifndef DAEMON_SERVE_H
#define DAEMON_SERVE_H

#include "daemon/conf.h"

/* Serves until SIGTERM or SIGINT. Returns the exit status of the process. */
int serve_main(const struct conf *conf);

#endif

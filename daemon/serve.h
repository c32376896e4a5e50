/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The server itself, behind the verb "serve".
 */
#ifndef DAEMON_SERVE_H
#define DAEMON_SERVE_H

#include "daemon/conf.h"

/* Runs until it is told to stop; borrows conf. Returns the exit status. Opens the store
 * (store_open(conf->data)) and completes it (setup_first_start()) itself. */
int serve_main(const struct conf *conf);

#endif

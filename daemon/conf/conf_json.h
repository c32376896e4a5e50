/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The settings in effect as JSON.
 */
#ifndef DAEMON_CONF_JSON_H
#define DAEMON_CONF_JSON_H

#include "daemon/conf/conf.h"

#include <jansson.h>

/* {name: {value, source, where, secret, reloadable}}, secrets masked. NULL when out of memory. */
json_t *conf_json(const struct conf *conf, const struct conf_source *sources);

#endif

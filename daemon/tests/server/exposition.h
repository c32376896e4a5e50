/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A strict reader of Prometheus' text format (0.0.4) and of its naming rules:
 * what a server of ours prints has to be better than what Prometheus takes.
 */
#ifndef DAEMON_TESTS_SERVER_EXPOSITION_H
#define DAEMON_TESTS_SERVER_EXPOSITION_H

#include "daemon/tests/server/rig.h"

#include <jansson.h>

#define EXPOSITION_TEXT 512

/* {name: {"type": "counter", "help": "...", "series": {"{reason=\"user\"}": 3.0}}}, or NULL and
 * why not. */
json_t *exposition_read(const char *text, char why[EXPOSITION_TEXT]);

/* The same of what `turnpike metrics` prints now; fails the test when it is not in order. */
json_t *exposition_of(struct rig_server *server);

/* "turnpike_draining", "turnpike_x_total{reason=\"user\"}"; fails the test when there is none. */
double exposition_value(const json_t *families, const char *series);
/* Over all series of a family. */
double exposition_sum(const json_t *families, const char *name);
size_t exposition_series(const json_t *families);

/* The type of a family; NULL: there is none of the name. */
const char *exposition_type(const json_t *families, const char *name, size_t len);

#endif

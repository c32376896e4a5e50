/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A run as JSON values: the JSON report is these, the HTML report draws them.
 */
#ifndef REPORT_JSON_H
#define REPORT_JSON_H

#include "harness/report/result.h"

#include <jansson.h>

/* New references; NULL when out of memory. */
json_t *json_of_result(const struct result *r);
json_t *json_of_run(const struct run *run); /* without its results */

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Report formats: each is one function over the run. All return 0, or -E_IO if
 * the stream failed.
 */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "harness/report/result.h"

#include <stdio.h>

/* The terminal's table, as the run goes: a head, a line a scenario. */
int report_text_head(FILE *f);
int report_text_line(FILE *f, const struct result *r);

/* Everything at once, instead: a table a group, and the matrix as a grid. */
int report_text_groups(FILE *f, const struct run *run);

/* After either: the explanation of every failure, and the count. */
int report_text_end(FILE *f, const struct run *run);

int report_junit(FILE *f, const struct run *run);
int report_json(FILE *f, const struct run *run);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Report formats: each is one function over the run. All return 0, or -E_IO if
 * the stream failed.
 */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "harness/report/result.h"

#include <stdio.h>

/* The terminal's table, printed as the run goes: head, a line a scenario, and then the
 * explanation of every failure. */
int report_text_head(FILE *f);
int report_text_line(FILE *f, const struct result *r);
int report_text_end(FILE *f, const struct run *run);

int report_junit(FILE *f, const struct run *run);
int report_json(FILE *f, const struct run *run);

#endif

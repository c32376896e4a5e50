/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Report formats: each is one function over the run. All return 0, or -E_IO if
 * the stream failed.
 */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "harness/report/result.h"

#include <stdio.h>

#define REPORT_HTML_BYTES (30 * 1000 * 1000)

/* The terminal's table, as the run goes: a head, a line a scenario. */
int report_text_head(FILE *f);
int report_text_line(FILE *f, const struct result *r);

/* Everything at once, instead: a table a group, and the matrix as a grid. */
int report_text_groups(FILE *f, const struct run *run);

/* After either: the explanation of every failure, and the count. */
int report_text_end(FILE *f, const struct run *run);

int report_junit(FILE *f, const struct run *run);
int report_json(FILE *f, const struct run *run);

/* One self-contained page. artifacts_fd: the run's folder of artifacts, with one folder a result,
 * named like it; -1: none. Borrowed. The page stays below the limit: what does not fit is left out,
 * passing cells' largest files first, and the page says so. Also -E_NOMEM. */
int report_html(FILE *f, const struct run *run, int artifacts_fd);
int report_html_within(FILE *f, const struct run *run, int artifacts_fd, size_t limit);

#endif

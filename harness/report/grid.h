/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The matrix on the terminal, a part of the text report.
 */
#ifndef REPORT_GRID_H
#define REPORT_GRID_H

#include "harness/report/result.h"

#include <stdbool.h>
#include <stdio.h>

/* True for a cell of a matrix. */
bool grid_has(const struct result *r);

/* One grid a target and pair of browsers, and what the words mean. False if there is none. */
bool grid_put(FILE *f, const struct run *run);

#endif

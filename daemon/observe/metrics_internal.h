/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of metrics, for its printers.
 */
#ifndef DAEMON_METRICS_INTERNAL_H
#define DAEMON_METRICS_INTERNAL_H

#include "daemon/observe/metrics.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE };

/* A family of series. */
struct metric {
	const char *name;
	enum metric_type type;
	const char *help;  /* a sentence without its full stop */
	const char *label; /* NULL: one series */
	/* The values are uint64_t at this place in struct metrics: one, or one for each kind, which
	 * is the label's value; */
	size_t at, kind_n;
	const char *const *kinds;
	/* or else this writes them. */
	void (*put)(FILE *out, const struct metric *f, const struct metrics *m);
};

struct metric_section {
	const char *title;
	const struct metric *rows;
	size_t n;
};

/* The last one has no title. */
extern const struct metric_section metric_sections[];

const char *metric_type_text(const struct metric *f);

#endif

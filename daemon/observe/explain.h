/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What was signaled in the last calls: the other half of turn/journal.h. Of
 * fixed size; on the control thread.
 *
 * A call is what an offer from one name to another begins, until either hangs
 * up or is gone; an offer after that begins another one.
 */
#ifndef DAEMON_EXPLAIN_H
#define DAEMON_EXPLAIN_H

#include "signal/hub.h"

#include <stddef.h>
#include <stdint.h>

#define EXPLAIN_EVENTS  24
#define EXPLAIN_ID_SIZE 24

struct explain;

struct explain_event {
	enum hub_event_what what;
	int from;                /* whose: index into name */
	unsigned count;          /* of the same in a row of its kind and end */
	uint64_t at_ms, last_ms; /* monotonic */
};

struct explain_call {
	char id[EXPLAIN_ID_SIZE];       /* "c1f" */
	char name[2][HUB_NAME_MAX + 1]; /* who made the offer, and to whom */
	uint64_t begun_ms, ended_ms;    /* 0: it goes on */
	size_t event_n;
	unsigned dropped;
	struct explain_event event[EXPLAIN_EVENTS];
};

/* Of so many calls. NULL when out of memory. */
struct explain *explain_new(size_t calls);
void explain_free(struct explain *x); /* NULL is legal */

/* NULL is legal. */
void explain_signal(struct explain *x, const struct hub_event *event);

/* By id, or (id NULL) the i-th from the newest; NULL: there is none. They live until the next
 * explain_signal(). */
const struct explain_call *explain_call(const struct explain *x, const char *id);
const struct explain_call *explain_nth(const struct explain *x, size_t i);

/* How many of a kind one end has sent; -1: both ends. */
unsigned explain_count(const struct explain_call *c, enum hub_event_what what, int from);

#endif

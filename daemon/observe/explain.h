/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The signaling of the last calls: the other half of turn/journal.h. Of fixed size; on the control
 * thread. A call is between two names in a room. It begins with an offer, and ends when the hub
 * says so. Of a dialect the hub keeps no calls: there it ends when either hangs up or leaves.
 */
#ifndef DAEMON_EXPLAIN_H
#define DAEMON_EXPLAIN_H

#include "signal/hub.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPLAIN_EVENTS  24
#define EXPLAIN_ID_SIZE 24

struct explain;

struct explain_event {
	enum hub_event_what what;
	int from;                /* the sender: index into name */
	unsigned count;          /* repeats of the same kind and sender in a row */
	uint64_t at_ms, last_ms; /* monotonic */
};

struct explain_call {
	char id[EXPLAIN_ID_SIZE]; /* "c1f" */
	char room[HUB_ROOM_MAX + 1];
	char name[2][HUB_NAME_MAX + 1]; /* the caller, and the callee */
	char reason[16];                /* of the end; "": nobody gave one */
	int ended_by;                   /* index into name; -1: neither, or unknown */
	uint64_t ended_by_id;           /* the connection that did; 0: unknown */
	bool answered;
	uint64_t begun_ms, ended_ms; /* 0: still going on */
	size_t event_n;
	unsigned dropped;
	struct explain_event event[EXPLAIN_EVENTS];
};

/* For that many calls. NULL when out of memory. */
struct explain *explain_new(size_t calls);
void explain_free(struct explain *x); /* NULL is legal */

/* NULL is legal. */
void explain_signal(struct explain *x, const struct hub_event *event);

/* By id, or (id NULL) the i-th from the newest; NULL: unknown. Valid until the next
 * explain_signal(). */
const struct explain_call *explain_call(const struct explain *x, const char *id);
const struct explain_call *explain_nth(const struct explain *x, size_t i);

/* The number of events of a kind from one end; from -1: both ends. */
unsigned explain_count(const struct explain_call *c, enum hub_event_what what, int from);

#endif

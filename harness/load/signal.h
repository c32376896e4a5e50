/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Loads for the signaling hub, and for what it is compared with. All figures of a run go into one
 * JSON object; what is printed, and judged, is read from there.
 */
#ifndef LOAD_SIGNAL_H
#define LOAD_SIGNAL_H

#include "harness/load/crowd.h"
#include "harness/load/load.h"
#include "harness/load/server.h"

#include <jansson.h>

#define SIGNAL_LOADS_MAX 16
#define SIGNAL_CLIENTS   100000 /* the most that an option may ask for */

/* What the command line asks for. */
struct signal_plan {
	const struct load *load[SIGNAL_LOADS_MAX]; /* messages from one client to another */
	size_t load_n;
	enum ws_wire wire;
	const char *turnpike; /* the program */
	bool node;            /* compare with Node's ws, too */
	const char *lie;      /* what it does wrong, for a test; or NULL */
	double seconds;
	int rounds;
	size_t storm; /* clients that join at once; 0: no such step */
};

/* Plays all that the plan has, prints it, and adds it to out. 0; -E_CORRUPT when messages were lost
 * or clients closed; or why it could not. */
int signal_play(const struct signal_plan *plan, json_t *out, struct why *why);

/* "tcp", "tls-alpn" and "tls". False for an unknown name. */
bool signal_wire_parse(const char *name, enum ws_wire *out);
const char *signal_wire_name(enum ws_wire wire);

/* One round; s->tls is set. -E_CLOSED also when the server closes a client. */
int load_routed(const struct load *l, struct server *s, enum ws_wire wire, double seconds,
                struct measure *m, struct why *why);

/* One storm of n clients; *out is what it took. What did not come in time is lost, no failure. */
int load_storm(size_t n, enum crowd_manner manner, enum ws_wire wire, struct server *s,
               json_t **out, struct why *why);

#endif

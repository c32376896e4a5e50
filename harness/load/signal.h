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

#define SIGNAL_LOADS_MAX   16
#define SIGNAL_ATTACKS_MAX 8
#define SIGNAL_CLIENTS     100000 /* the most that an option may ask for */

/* What the command line asks for. */
struct signal_plan {
	const struct load *load[SIGNAL_LOADS_MAX]; /* messages from one client to another */
	size_t load_n;
	enum ws_wire wire;
	const char *turnpike; /* the program */
	bool node;            /* compare with Node's ws, too */
	const char *lie;      /* what it does wrong, for a test; or NULL */
	double seconds;       /* of each measure; 0: each step's own */
	int rounds;
	size_t storm;                           /* clients that join at once; 0: no such step */
	size_t idle;                            /* clients that say nothing; 0: no such step */
	const char *attack[SIGNAL_ATTACKS_MAX]; /* kinds of hostile.h */
	size_t attack_n;
	size_t hostile;  /* clients of an attack, among twice as many idle ones */
	double patience; /* seconds that clients wait to be signed in and to hear of each other */
	bool all;        /* every step that has a target; then what was reached */
	double scale;    /* of the numbers of clients in them; 1, or targets are not judged */
};

/* Plays all that the plan has, prints it, and adds it to out. 0; -E_CORRUPT when messages were lost
 * or clients closed; -E_STALE when a target was missed; or why it could not. */
int signal_play(const struct signal_plan *plan, json_t *out, struct why *why);

/* ---- steps: each adds its figures to out; *wrong is set when messages or clients were lost ----
 */

int signal_routed(const struct load *l, const struct signal_plan *plan, bool *wrong, json_t *out,
                  struct why *why);
int signal_storm(const struct signal_plan *plan, bool *wrong, json_t *out, struct why *why);
int signal_idle(const struct signal_plan *plan, bool *wrong, json_t *out, struct why *why);
int signal_attack(const char *kind, const struct signal_plan *plan, bool *wrong, json_t *out,
                  struct why *why);

/* A row for each target: the figure, the target, and whether it was reached. How many were missed
 * or not measured. */
unsigned judge_print(const json_t *figures);

/* ---- servers of a step ---- */

/* "signal-tls": a step's key among the figures. */
void signal_key(char *out, size_t size, const char *name, enum ws_wire wire);

/* program NULL: the kind's. */
int signal_start(struct server *s, const struct server_kind *kind, enum ws_wire wire,
                 const struct signal_plan *plan, struct why *why);

/* By "tcp", "tls-alpn" and "tls". False for an unknown name. */
bool signal_wire_parse(const char *name, enum ws_wire *out);
const char *signal_wire_name(enum ws_wire wire);

/* One round; s->tls is set. -E_CLOSED also when the server closes a client. */
int load_routed(const struct load *l, struct server *s, enum ws_wire wire, double seconds,
                struct measure *m, struct why *why);

/* One storm of n clients; *out is what it took. What did not come in time is lost, no failure. */
int load_storm(size_t n, enum crowd_manner manner, enum ws_wire wire, struct server *s,
               json_t **out, struct why *why);

/* n clients that say nothing, for so long. */
int load_idle(size_t n, enum ws_wire wire, double seconds, struct server *s, json_t **out,
              struct why *why);

/* One attack of a kind of hostile.h, among `innocent` idle clients. */
int load_attack(const char *kind, size_t hostile, size_t innocent, double seconds, struct server *s,
                json_t **out, struct why *why);

#endif

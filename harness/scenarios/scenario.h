/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A scenario: one row of the table (calls.def, checks.def, faults.def), and a function that plays
 * it on a stage (a lab with appliance and browsers). A cell is a scenario with its blanks filled
 * in: which NATs, which browsers.
 */
#ifndef SCENARIOS_SCENARIO_H
#define SCENARIOS_SCENARIO_H

#include "harness/browser/browser.h"
#include "harness/lab/lab.h"
#include "harness/report/result.h"
#include "harness/scenarios/target.h"
#include "harness/scenarios/theory.h"
#include "harness/scenarios/verdict.h"

struct stage;
struct against;
struct check;
struct crowd;
struct fault;
struct soak;

enum scenario_group {
	GROUP_CALLS,   /* one call of each kind: the gate */
	GROUP_MATRIX,  /* every pair of NAT kinds */
	GROUP_FAULTS,  /* something breaks in mid-call */
	GROUP_AGAINST, /* a deployed server: against.h */
	GROUP_FOREIGN, /* other projects' clients of our signaling: only if they are named */
	GROUPS,
};

struct scenario {
	const char *name;
	const char *purpose;
	enum scenario_group group;
	const char *kind[LAB_SIDES]; /* names of NAT kinds; NULL in the matrix: the plan says */
	enum browser_product product[LAB_SIDES];
	enum scenario_place place;
	const char *page_query; /* behind the page's address; NULL: nothing */
	/* The one way to the relay, for both ends: their pages then know the server by its name, as
	 * turns: wants it. Of another target the one of the same transport and port. NULL: any */
	const struct offer_entry *only;
	/* More options for the appliance, NULL at the end; wants .alone. NULL: none */
	const char *const *server_options;
	void (*play)(struct stage *st);
	const struct fault *fault; /* for scenario_fault() */
	const struct crowd *crowd; /* for scenario_crowd() */
	const struct check *check; /* for scenario_check() */
	const struct soak *soak;   /* for scenario_soak() */
	struct call_expect expect; /* of the matrix: ignored, theory.h says */
	int64_t limit_ms;          /* for everything, building the lab included */
	bool no_pages;             /* play() needs neither browsers nor pages */
	bool alone;                /* leaves a stage behind that no other scenario should use */
};

extern const struct scenario scenarios[];
extern const size_t scenarios_n;

/* The row behind each cell of the matrix. */
extern const struct scenario scenario_matrix;

/* "calls", "matrix", "faults". */
const char *scenario_group_name(enum scenario_group group);

struct cell {
	char name[RESULT_NAME];
	const struct scenario *scenario;
	const struct target *target;
	const struct offer_entry *only; /* the one way to the relay, for both ends; NULL: any */
	const struct nat_kind *kind[LAB_SIDES]; /* NULL outside the lab */
	enum browser_product product[LAB_SIDES];
	struct call_expect expect;
	bool named; /* asked for by its own name, or its browsers were: it has to be played */
	char left_out[200]; /* why it is not played, or "" */
};

/* A run's options. All paths are absolute. */
struct scenario_options {
	const char *turnpike;                  /* the appliance's program */
	const char *browser[BROWSER_PRODUCTS]; /* programs; "" where none is installed */
	const struct against *against;         /* a deployed server; NULL: a lab is built */
	int artifacts_fd;                      /* folder for artifacts, or -1: none are kept */
	unsigned soak_minutes;                 /* how long the soak runs; 0: as long as it must */
	const char *clients;                   /* folder of other projects' clients; NULL: none */
	bool capture;                          /* the packets at both NATs are an artifact, too */
};

/* Plays a cell on a stage. All that goes wrong is told in r. False if the stage may be broken: it
 * is to be closed, and nothing else played on it. */
bool scenario_play(struct stage *st, const struct cell *cell, struct result *r);

/* Places a call from side A to side B by hand through the page, judges it from both ends, and
 * hangs up. */
void scenario_call(struct stage *st);

/* A call whose credentials are locked to it, and somebody who has stolen one (relay_lock). */
void scenario_locked(struct stage *st);
/* The signaling as two people see it. */
void scenario_rooms(struct stage *st);
void scenario_missed(struct stage *st);
void scenario_devices(struct stage *st);
void scenario_decline(struct stage *st);
void scenario_glare(struct stage *st);
void scenario_ring_restart(struct stage *st);
/* Two pages with a client of another project talk to each other through both relays. */
void scenario_peerjs(struct stage *st);
void scenario_y_webrtc(struct stage *st);

/* Many calls at once between the peers of two pages (crowd.h). */
void scenario_crowd(struct stage *st);

/* A relayed call that lasts (crowd.h). */
void scenario_soak(struct stage *st);

/* How long that is; 0 for any other scenario. It is beside limit_ms. */
unsigned scenario_soak_minutes(const struct scenario *s, const struct scenario_options *opt);

/* Both pages are the self-test's; judged is what they find (check.h). */
void scenario_check(struct stage *st);

/* The same on an unknown network: judged is that they find no fault. */
void scenario_check_sound(struct stage *st);

/* In the middle of a call, its fault strikes; judged is how the call comes through it (fault.h). */
void scenario_fault(struct stage *st);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Faults in mid-call: what breaks, and what must hold. A row of the table has
 * one of these; scenario_fault() plays any of them:
 *
 *   call, judge -> strike -> (heal) -> wait for media to come back, or for the
 *   end -> judge again, a line of chat, hang up
 *
 * Times are real time, and their limits allow for a loaded machine.
 */
#ifndef SCENARIOS_FAULT_H
#define SCENARIOS_FAULT_H

#include "harness/scenarios/stage.h"

#include <jansson.h>

/* The conditions that must hold. */
struct fault_expect {
	/* Picture and sound are back at both ends, for good, so long after the heal (after the
	 * strike, where nothing heals). 0: the call ends instead. */
	int back_ms;
	/* The longest that picture or sound may stay away at either end. 0: back_ms says it all. */
	int gap_ms;
	/* Watched at least so long after the strike: consent alone takes 5 s to be missed. */
	int watch_ms;
	/* How the call runs afterwards; where it differs from before, that proves the fault. */
	struct call_expect after;
	bool any_path; /* it may run either way: of after, only the rest holds */
	/* Signaling is lost and must be back so long after the heal. 0: it stays away. */
	int online_ms;
	/* back_ms is 0: nothing is seen or heard any more so long after the strike. 0: not judged.
	 */
	int silent_ms;
	/* back_ms is 0: both pages are idle so long after the strike, and one of them at least
	 * shows a reason with these words in it (the other may name the same in its own way). */
	int ends_ms;
	const char *reason;
	/* Measured while the fault lasts, each within its bounds; greatest 0: not judged. */
	struct bounds {
		double least, greatest;
	} loss_percent, rtt_ms;
};

struct fault {
	const char *what; /* "killing the appliance" */
	/* Runs first, before anything is timed; NULL: nothing */
	int (*before)(struct stage *st, const struct fault *f, struct why *why);
	int (*strike)(struct stage *st, const struct fault *f, struct why *why);
	int (*heal)(struct stage *st, const struct fault *f, struct why *why); /* NULL: it stays */
	int heal_after_ms;
	enum lab_side side; /* the side it hits, if it hits one */
	struct lab_link link;
	struct fault_expect expect;
};

/* A page's report of the time since the strike: harness.pulse(). */
struct pulse {
	double now_ms; /* Unix time, as all of these that are moments */
	double own_gap_ms;
	struct flow {
		double longest_ms, silent_ms;
		double resumed_at_ms; /* the end of its last gap of a second or more; 0: none */
	} picture, sound;
	char state[16]; /* connectionState */
	char states[128];
	char pairs[160];
	char call[16]; /* #call-state */
	char link[16]; /* #link-state */
	char reason[160], notice[160];
	double loss_percent, rtt_ms;
	int lines; /* of chat */
};

/* From harness.pulse()'s JSON. 0 or -E_PARSE. */
int pulse_parse(const json_t *json, struct pulse *p);

/* Unix time; 0: it has not come. */
struct fault_times {
	double struck_ms;
	double healed_ms; /* of the strike, where nothing heals */
	double online_ms; /* after the heal both pages are signed in */
	double ended_ms;  /* both pages are idle */
};

/* True once everything that is expected has come: no need to wait longer. Pure. */
bool fault_settled(const struct fault_expect *e, const struct fault_times *t,
                   const struct pulse p[LAB_SIDES]);

/* Notes failures and measures in r. Pure. */
void fault_judge(const struct fault *f, const struct fault_times *t,
                 const struct end_mark mark[LAB_SIDES], const struct pulse p[LAB_SIDES],
                 struct result *r);

/* ---- the steps, for other scenarios that last (fault.c) ---- */

/* Places a call and judges it. */
int fault_begin_call(struct stage *st, struct why *why);

/* Judges the call that runs. Its measures are not noted. */
int fault_judge_call(struct stage *st, const struct call_expect *e, struct why *why);

int fault_start_pulses(struct stage *st, struct why *why);
int fault_read_pulses(struct stage *st, struct pulse p[LAB_SIDES], struct why *why);

/* ---- access to the relay in mid-call (access.c) ---- */

/* Waits until all credentials that carry the call have expired. */
int await_expiry(struct stage *st, const struct fault *f, struct why *why);

/* Lives over two expiries. After each, media must flow through relays that were opened with a
 * credential that is still good. */
int strike_expiries(struct stage *st, const struct fault *f, struct why *why);

/* Revokes the caller; the server must close their allocations. */
int strike_revoke(struct stage *st, const struct fault *f, struct why *why);

/* Only the credential that the caller's relay was opened with. */
int strike_revoke_credential(struct stage *st, const struct fault *f, struct why *why);

/* ---- what can break (strike.c) ---- */

int strike_kill(struct stage *st, const struct fault *f, struct why *why);
int heal_start(struct stage *st, const struct fault *f, struct why *why);

/* SIGTERM, which has to show on /readyz while media goes on; heals by a new start after its end. */
int strike_drain(struct stage *st, const struct fault *f, struct why *why);
int heal_drained(struct stage *st, const struct fault *f, struct why *why);

/* On the side's network (lab.h). */
int strike_block_udp(struct stage *st, const struct fault *f, struct why *why);
int strike_rebind(struct stage *st, const struct fault *f, struct why *why);
int strike_client_address(struct stage *st, const struct fault *f, struct why *why);
int strike_wan_address(struct stage *st, const struct fault *f, struct why *why);
int strike_cut(struct stage *st, const struct fault *f, struct why *why);
int heal_cut(struct stage *st, const struct fault *f, struct why *why);
int strike_link(struct stage *st, const struct fault *f, struct why *why);

/* The side's TCP connections with the appliance are reset, and new ones are refused. Then both
 * ends write a line of chat, so that client and server notice. */
int strike_reset_tcp(struct stage *st, const struct fault *f, struct why *why);
int heal_tcp(struct stage *st, const struct fault *f, struct why *why);

#endif

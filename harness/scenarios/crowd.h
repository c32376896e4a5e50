/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Many calls at once over one appliance, and a call that lasts: what must hold.
 */
#ifndef SCENARIOS_CROWD_H
#define SCENARIOS_CROWD_H

/* Every call runs between two peers of its own; every other one is bound to its relay. */
struct crowd {
	unsigned calls;
	int connected_ms; /* all of them, from the first click on */
	int window_ms;    /* then looked at for so long, in which each end gets at least */
	int frames_least;
	int packets_least; /* of sound */
};

/* A relayed call over many lifetimes of what keeps it alive: options of the appliance make these
 * short. */
struct soak {
	unsigned minutes; /* unless --soak says otherwise */
	int gap_ms;       /* picture and sound are never away for longer */
	int judge_ms;     /* the whole call is judged so often */
	long growth_kb;   /* the appliance's resident memory grows by less, start and end apart */
};

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A client: signed in at the hub, in a call now and then, behind its home's NAT.
 */
#ifndef SIM_AGENT_H
#define SIM_AGENT_H

#include "harness/sim/sim.h"

#define HUB_BYE    4
#define GREEDY_MAX 13

struct leg;
struct tc;

struct agent {
	struct sim *sim;
	uint32_t number;
	char name[12]; /* "u" and the number */
	uint8_t key[16];
	uint32_t ip;
	struct home *home;
	struct env_udp *web; /* NULL: not connected */
	uint64_t back_ms;    /* after a crash, when it signs in again */
	uint32_t said;       /* messages, over all its life */
	uint32_t clients;    /* TURN clients that it has open */
	uint64_t called_ms;  /* when it was last to be called */
	struct leg *leg;     /* its end of a call, or NULL */
	struct tc *greedy[GREEDY_MAX];
	uint64_t greedy_ms; /* until then it holds more than its quota; 0: it does not */
	uint32_t greedy_got, greedy_refused;
};

struct call {
	struct call *prev, *next;
	uint32_t number, gen;
	struct agent *end[2]; /* caller, callee */
	unsigned int legs;
	uint64_t started_ms, ends_ms;
	uint64_t fault_ms; /* the last that happened to it; 0: none */
	uint64_t crash_ms, rebind_ms;
	bool established;
	int rank; /* relays on its path */
};

/* 0 or a code of base/error.h. */
int agent_init(struct sim *s, uint32_t number);
void agent_free(struct agent *a);
uint32_t agent_of_name(const struct sim *s, const char *name); /* UINT32_MAX: unknown name */
void agent_forget_client(struct agent *a);

/* Signs in at the hub; leaves it. */
void agent_join(struct agent *a);
void agent_leave(struct agent *a);
/* Vanishes without a word; the hub notices later. */
void agent_crash(struct agent *a);
bool agent_idle(const struct agent *a);

/* One JSON message to the hub; more: further members, each with a comma in front. */
void agent_say(struct agent *a, const struct agent *to, const char *type, const struct call *call,
               const char *more);

/* Takes more allocations than its quota, for a while. */
void agent_be_greedy(struct agent *a);
void agent_end_greed(struct agent *a, bool word);

/* A call between two that are idle. NULL when out of memory. */
struct call *call_new(struct sim *s, struct agent *from, struct agent *to, uint64_t lasts_ms);
/* Once a second. May end it and free it. */
void call_tick(struct call *c);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A target: the TURN server whose relaying is under test. Turnpike's appliance serves the page and
 * the signaling for all targets. A target other than Turnpike runs beside it in the lab's server
 * namespace, on LAB_TURN_IP, and the pages get its ICE servers instead of the appliance's.
 */
#ifndef SCENARIOS_TARGET_H
#define SCENARIOS_TARGET_H

#include "base/error.h"
#include "harness/lab/lab.h"
#include "harness/scenarios/offer.h"

#include <jansson.h>

#define TARGETS_MAX 8

struct target {
	char name[32];       /* in results and reports: "turnpike", "coturn" */
	const char *program; /* coturn's turnserver, or NULL */
	const char *command; /* for sh, or NULL */
	json_t *servers;     /* iceServers for both pages; NULL: target_servers() makes them */
	struct offer offer;  /* of which theory makes its expectations */
	bool own;            /* Turnpike itself: the page's own iceServers */
};

/* Turnpike's own. */
extern const struct target target_turnpike;

/* Debian's turnserver at this path (borrowed). */
void target_coturn(struct target *t, const char *program);

/* A server that `command` (borrowed) starts; takes the reference to its iceServers. */
void target_command(struct target *t, const char *command, json_t *servers,
                    const struct offer *offer);

void target_free(struct target *t);

/* The iceServers for the page of a client that names the appliance `host` (lab_server_host()), a
 * new reference; NULL where the page's own are to be used. */
json_t *target_servers(const struct target *t, const char *host);

struct target_server;

/* Starts the target's server; its output goes to log_fd (borrowed, readable). Returns once it
 * answers. Codes as appliance_start(). t is borrowed until target_stop(). */
int target_start(struct target_server **out, const struct target *t, const struct lab *lab,
                 int log_fd, struct why *why);

/* 0 while it runs. -E_CLOSED, once, when it has ended: why tells how and quotes its last words. */
int target_check(struct target_server *s, struct why *why);

/* Its process; 0 if it has none. */
pid_t target_pid(const struct target_server *s);

/* Ends it and frees; NULL is legal. */
void target_stop(struct target_server *s);

#endif

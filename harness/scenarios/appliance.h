/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The server under test: starts `turnpike serve` in the lab's server namespace
 * and waits until it says that it is well; kills it, drains it and starts it
 * again, for scenarios about that.
 */
#ifndef SCENARIOS_APPLIANCE_H
#define SCENARIOS_APPLIANCE_H

#include "base/error.h"
#include "harness/lab/contain.h"
#include "harness/lab/lab.h"

#include <jansson.h>
#include <stdint.h>

#define APPLIANCE_URL "https://" LAB_SERVER_IP "/"

struct appliance;

/* A certificate for LAB_SERVER_NAME, for options of scenarios: without one the appliance has its
 * own, and offers no turns: */
#define APPLIANCE_CERT CONTAIN_WORK "/appliance-cert.pem"
#define APPLIANCE_KEY  CONTAIN_WORK "/appliance-key.pem"

#define APPLIANCE_OPTIONS 16 /* that a scenario may add, words counted */
#define APPLIANCE_WORDS   8  /* of a verb */

/* Starts the program with a new data folder and more options (NULL at the end, borrowed; or NULL);
 * its output goes to log_fd (borrowed, readable). Returns once /healthz answers 200 over HTTPS.
 * -E_CLOSED if it ended before, -E_TIMEOUT if it was not well in time: why quotes its last
 * words. */
int appliance_start(struct appliance **out, const char *program, const char *const *options,
                    const struct lab *lab, int log_fd, struct why *why);

/* SIGKILL: it has no time to say goodbye to anybody. */
int appliance_kill(struct appliance *a, struct why *why);

/* Starts it once more on the data it left behind, after appliance_kill(). Errors as of
 * appliance_start(). */
int appliance_again(struct appliance *a, struct why *why);

/* SIGTERM: it drains. */
int appliance_drain(struct appliance *a, struct why *why);

/* Waits for its end after appliance_drain(). 0, -E_TIMEOUT, or -E_CLOSED if it ended badly. */
int appliance_await_end(struct appliance *a, int64_t limit_ms, struct why *why);

/* GETs the path: the status, or a code without an answer. */
int appliance_ask(struct appliance *a, const char *path, struct why *why);

/* A verb of its command line on the running appliance's data: words, NULL at the end. said, which
 * may be NULL, gets what it prints as JSON: a new reference. */
int appliance_verb(struct appliance *a, const char *const *words, json_t **said, struct why *why);

/* How many WebSockets it serves; a negative code if it does not say. */
int appliance_visitors(struct appliance *a, struct why *why);

/* Its process; 0 if it has none. */
pid_t appliance_pid(const struct appliance *a);

/* 0 while it runs. -E_CLOSED, once, when it has ended: why tells how and quotes its last words. */
int appliance_check(struct appliance *a, struct why *why);

/* Asks it to end, insists after a while, and checks that it ended well. 0, -E_TIMEOUT if it had
 * to be killed, or -E_CLOSED if it ended with an error and appliance_check() has not told that
 * before. Frees; NULL is legal. */
int appliance_stop(struct appliance *a, struct why *why);

#endif

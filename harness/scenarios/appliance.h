/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The server under test: starts `turnpike serve` in the lab's server namespace
 * and waits until it says that it is well.
 */
#ifndef SCENARIOS_APPLIANCE_H
#define SCENARIOS_APPLIANCE_H

#include "base/error.h"
#include "harness/lab/lab.h"

#define APPLIANCE_URL "https://" LAB_SERVER_IP "/"

struct appliance;

/* Starts the program with a new data folder; its output goes to log_fd (borrowed, readable).
 * Returns once /healthz answers 200 over HTTPS. -E_CLOSED if it ended before, -E_TIMEOUT if it
 * was not well in time: why quotes its last words. */
int appliance_start(struct appliance **out, const char *program, const struct lab *lab, int log_fd,
                    struct why *why);

/* 0 while it runs. -E_CLOSED, once, when it has ended: why tells how and quotes its last words. */
int appliance_check(struct appliance *a, struct why *why);

/* Asks it to end, insists after a while, and checks that it ended well. 0, -E_TIMEOUT if it had
 * to be killed, or -E_CLOSED if it ended with an error and appliance_check() has not told that
 * before. Frees; NULL is legal. */
int appliance_stop(struct appliance *a, struct why *why);

#endif

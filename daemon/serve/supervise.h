/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reports to a service manager: sd_notify(3) over NOTIFY_SOCKET, and the watchdog, which is fed
 * only while the control loop turns and every relay worker answers.
 */
#ifndef DAEMON_SUPERVISE_H
#define DAEMON_SUPERVISE_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct event_base;
struct supervise;
struct worker;

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID and opens the socket, so call it before the
 * sandbox. *out is NULL without a service manager. -E_IO when the socket cannot be reached. */
int supervise_new(struct supervise **out, struct why *why);

/* Reports ready, and starts the watchdog: workers is borrowed until supervise_free(). -E_NOMEM.
 * Here and in all that follow, s may be NULL. */
int supervise_ready(struct supervise *s, struct event_base *base, struct worker *const *workers,
                    size_t worker_n);

/* Call them before and after a reload. */
void supervise_reloading(struct supervise *s);
void supervise_reloaded(struct supervise *s);

/* The shutdown has begun and may take so long. */
void supervise_stopping(struct supervise *s, uint64_t at_most_s);

void supervise_free(struct supervise *s);

#endif

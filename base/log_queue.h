/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lines on their way to a descriptor that somebody else may not read: a bounded
 * queue and a thread that writes it. Who has a line never waits.
 */
#ifndef BASE_LOG_QUEUE_H
#define BASE_LOG_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_MAX 2048 /* with its newline */

/* Writes the line that says how many were lost into the buffer; its length, at most LOG_LINE_MAX.
 */
typedef size_t log_lost_fn(char line[LOG_LINE_MAX], uint64_t lines);

/* Starts the thread. lost is called on any thread, with a lock held: it must not log. 0 or
 * -E_NOMEM. */
int log_queue_start(int fd, log_lost_fn *lost);

/* Queues a line; where the thread does not run, writes it to fd: then a descriptor that takes
 * nothing for a second loses it. */
void log_queue_put(int fd, const char *line, size_t len);

/* Lets the thread write what is queued, for at most so long, and ends it. */
void log_queue_stop(unsigned int wait_ms);

/* Lines that were lost since the start of the program. */
uint64_t log_queue_lost(void);

#endif

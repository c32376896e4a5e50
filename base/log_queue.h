/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Log lines on their way to a descriptor whose reader may stop: a bounded queue and a thread that
 * writes it. A thread that logs never waits.
 */
#ifndef BASE_LOG_QUEUE_H
#define BASE_LOG_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_MAX 2048 /* with its newline */

/* Writes the line with the number of lost lines into the buffer and returns its length, at most
 * LOG_LINE_MAX. */
typedef size_t log_lost_fn(char line[LOG_LINE_MAX], uint64_t lines);

/* Starts the thread. lost is called on any thread, with a lock held: it must not log. 0 or
 * -E_NOMEM. */
int log_queue_start(int fd, log_lost_fn *lost);

/* Queues a line. Without the thread, writes it to fd: a descriptor that takes nothing for a second
 * loses it. */
void log_queue_put(int fd, const char *line, size_t len);

/* Lets the thread write the queue, for at most so long, and ends it. */
void log_queue_stop(unsigned int wait_ms);

/* Lines that were lost since the start of the program. */
uint64_t log_queue_lost(void);

#endif

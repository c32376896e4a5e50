/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A libuv loop nested in a libevent base: libwebsockets, as Debian builds it,
 * runs on libuv, and everything else of ours on libevent.
 */
#ifndef DAEMON_NEST_H
#define DAEMON_NEST_H

#include "base/error.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct nest;

/* 0, or a code with why set. Borrows base, which must outlive the nest. */
int nest_new(struct event_base *base, struct nest **out, struct why *why);

/* The loop inside. After adding to it or changing it from outside its own callbacks, call
 * nest_kick(); otherwise the change waits for the next event. */
uv_loop_t *nest_loop(struct nest *n);

/* What takes its turn with the loop: both functions run on its thread, turn() before each run of
 * the loop. wait_ms() says after it when the next turn is due: 0: at once, but after the events of
 * the base; -1: when the loop has an event. */
struct nest_guest {
	void (*turn)(void *ctx);
	int64_t (*wait_ms)(void *ctx);
	void *ctx;
};

/* Copies guest. */
void nest_set_guest(struct nest *n, const struct nest_guest *guest);

/* Runs the loop soon, not at once. */
void nest_kick(struct nest *n);

/* Runs the loop now, for at most wait_ms, until done(ctx) is true (NULL: until it is empty). For
 * shutting down only. Returns true if it got there. */
bool nest_drain(struct nest *n, int wait_ms, bool (*done)(void *ctx), void *ctx);

/* The loop's handles must be closed or closing: drain it first. NULL is legal. */
void nest_free(struct nest *n);

#endif

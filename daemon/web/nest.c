/* SPDX-License-Identifier: BSD-3-Clause
 *
 * libuv inside libevent: its epoll descriptor is an event, its next timeout
 * a timer, and each wake runs it without waiting.
 */
#include "daemon/web/nest.h"

#include "base/clock.h"

#include <stdlib.h>
#include <time.h>

#define FREE_WAIT_MS 2000

struct nest {
	uv_loop_t loop;
	struct nest_guest guest; /* without functions: none */
	struct event *readable;
	struct event *timer;
};

static void arm_timer(struct nest *n)
{
	int64_t ms = uv_backend_timeout(&n->loop),
	        guest_ms = n->guest.turn ? n->guest.wait_ms(n->guest.ctx) : -1;
	struct timeval tv;

	if (ms < 0 || (guest_ms >= 0 && guest_ms < ms))
		ms = guest_ms;
	if (ms < 0) {
		evtimer_del(n->timer);
		return;
	}
	tv = (struct timeval){.tv_sec = (time_t)(ms / 1000),
	                      .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
	evtimer_add(n->timer, &tv);
}

static int run(struct nest *n)
{
	if (n->guest.turn)
		n->guest.turn(n->guest.ctx);
	/* Also tells epoll of watchers that were started or stopped meanwhile. */
	return uv_run(&n->loop, UV_RUN_NOWAIT);
}

static void on_wake(evutil_socket_t fd, short what, void *ctx)
{
	struct nest *n = ctx;

	(void)fd;
	(void)what;
	run(n);
	arm_timer(n);
}

int nest_new(struct event_base *base, struct nest **out, struct why *why)
{
	struct nest *n = calloc(1, sizeof(*n));
	int err;

	if (!n)
		return why_set(why, -E_NOMEM, "out of memory");
	err = uv_loop_init(&n->loop);
	if (err) {
		free(n);
		return why_set(why, error_from_errno(-err), "cannot start libuv: %s",
		               uv_strerror(err));
	}
	n->readable = event_new(base, uv_backend_fd(&n->loop), EV_READ | EV_PERSIST, on_wake, n);
	n->timer = evtimer_new(base, on_wake, n);
	if (!n->readable || !n->timer || event_add(n->readable, NULL)) {
		nest_free(n);
		return why_set(why, -E_NOMEM, "out of memory");
	}
	*out = n;
	return 0;
}

uv_loop_t *nest_loop(struct nest *n)
{
	return &n->loop;
}

void nest_set_guest(struct nest *n, const struct nest_guest *guest)
{
	n->guest = *guest;
}

void nest_kick(struct nest *n)
{
	/* Not event_active(): from inside its own callback that spins for ever. */
	const struct timeval now = {0, 0};

	evtimer_add(n->timer, &now);
}

bool nest_drain(struct nest *n, int wait_ms, bool (*done)(void *ctx), void *ctx)
{
	const struct timespec nap = {.tv_nsec = 1000000};
	int64_t until = clock_mono_ms() + wait_ms;

	for (;;) {
		int left = run(n);

		if (done ? done(ctx) : !left)
			return true;
		if (clock_mono_ms() >= until)
			return false;
		nanosleep(&nap, NULL);
	}
}

void nest_free(struct nest *n)
{
	if (!n)
		return;
	if (n->readable)
		event_free(n->readable);
	if (n->timer)
		event_free(n->timer);
	nest_drain(n, FREE_WAIT_MS, NULL, NULL);
	uv_loop_close(&n->loop);
	free(n);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Either environment, for checks that are the same of both.
 */
#ifndef BASE_TESTS_EITHER_H
#define BASE_TESTS_EITHER_H

#include "base/env_libevent.h"
#include "base/env_virtual.h"

#include <event2/event.h>

/* Runs the environment for so long; base: of the real one, NULL: virtual. */
static inline void either_run(struct env *env, struct event_base *base, uint64_t ms)
{
	uint64_t until = env_now_ms(env) + ms;

	if (!base) {
		env_virtual_run(env, ms);
		return;
	}
	while (env_now_ms(env) < until) {
		struct timeval tick = {.tv_usec = 1000};

		event_base_loopexit(base, &tick);
		event_base_loop(base, EVLOOP_ONCE);
		env_libevent_flush(env);
	}
}

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared by the files of the environment on virtual time: env_virtual.c has time and datagrams,
 * env_virtual_stream.c streams.
 */
#ifndef BASE_ENV_VIRTUAL_INTERNAL_H
#define BASE_ENV_VIRTUAL_INTERNAL_H

#include "base/env_virtual.h"

struct env_v_end;
struct env_v_listener;

struct env_v_streams {
	struct env_v_end *ends;
	struct env_v_listener *listeners;
	struct env_v_end *at_work; /* its fn is being called; NULL once it is closed */
	int numbers;               /* given to ends */
	uint16_t next_port;
};

extern const struct env_stream_ops env_v_streams;

struct env_v_streams *env_v_streams_of(const struct env *env);

/* Frees everything but the timers, which the environment frees. */
void env_v_free_streams(struct env_v_streams *v);

/* As env_virtual_wire.joins. */
bool env_v_path(struct env *env, const struct addr *from, const struct addr *to,
                struct env_virtual_path *path);

#endif

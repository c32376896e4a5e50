/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The environment's byte streams: TCP where it is real, pipes with a delay where
 * time is virtual. A connection is known by a number (where it is real, its
 * descriptor) as long as nobody reads it, so that it can go from one environment
 * to another; opened, it has somebody who is called when there is something to do.
 */
#ifndef BASE_ENV_STREAM_H
#define BASE_ENV_STREAM_H

#include "base/env.h"

#include <sys/types.h>

/* Something is to be read or written, the connection has ended, or a connect has: try. Called as
 * long as there is something to read and it is wanted. May close the stream. */
typedef void env_stream_fn(void *arg);

struct env_stream_params {
	int fd;             /* a connection to take over; -1: one is made from local to remote */
	struct addr local;  /* port 0: any; may be one that is listened on */
	struct addr remote; /* both count only without an fd */
	size_t unsent_max;  /* bytes taken and not sent, at most; 0: as the system likes */
	env_stream_fn *fn;
	void *arg;
};

/* A peer has connected: fd is for env_stream_open() or env_stream_discard(). Must not end the
 * listener. */
typedef void env_accept_fn(void *arg, int fd, const struct addr *from);

struct env_listener_params {
	struct addr local; /* with its port */
	env_accept_fn *on_accept;
	void *arg;
};

/* Implementations embed these at the start of their own structs. */
struct env_stream {
	struct env *env;
};

struct env_listener {
	struct env *env;
};

struct env_stream_ops {
	int (*open)(struct env *env, const struct env_stream_params *p, struct env_stream **out);
	int (*release)(struct env_stream *s);
	void (*close)(struct env_stream *s);
	void (*discard)(struct env *env, int fd);
	ssize_t (*read)(struct env_stream *s, uint8_t *buf, size_t len);
	ssize_t (*write)(struct env_stream *s, const uint8_t *data, size_t len, bool more);
	void (*shut)(struct env_stream *s);
	void (*want_read)(struct env_stream *s, bool want);
	void (*kick)(struct env_stream *s);
	int (*listen)(struct env *env, const struct env_listener_params *p,
	              struct env_listener **out);
	void (*unlisten)(struct env_listener *l);
};

/* Reading is wanted at first. 0, or error_from_errno()'s codes, or -E_NOMEM; a given fd stays the
 * caller's then. A connect that fails later is told by env_stream_release(). */
static inline int env_stream_open(struct env *env, const struct env_stream_params *p,
                                  struct env_stream **out)
{
	return env->streams->open(env, p, out);
}

/* Ends s but not its connection, whose number it returns. Of a connect that has failed, or has not
 * ended: why not, and nothing is left. */
static inline int env_stream_release(struct env_stream *s)
{
	return s->env->streams->release(s);
}

/* NULL is legal. */
static inline void env_stream_close(struct env_stream *s)
{
	if (s)
		s->env->streams->close(s);
}

/* Closes what a release or an accept of any environment of this kind gave. From any thread. */
static inline void env_stream_discard(struct env *env, int fd)
{
	env->streams->discard(env, fd);
}

/* How many bytes (more than 0), 0 at the end of the stream, -E_LATER, -E_IO. Fewer than len is all
 * that there was: fn tells of more. */
static inline ssize_t env_stream_read(struct env_stream *s, uint8_t *buf, size_t len)
{
	return s->env->streams->read(s, buf, len);
}

/* How many bytes were taken (more than 0), -E_LATER and fn is called when some can be, or -E_IO.
 * more: what follows at once may share their packet. */
static inline ssize_t env_stream_write(struct env_stream *s, const uint8_t *data, size_t len,
                                       bool more)
{
	return s->env->streams->write(s, data, len, more);
}

/* Tells the other side that no more will come. */
static inline void env_stream_shut(struct env_stream *s)
{
	s->env->streams->shut(s);
}

/* Stop or go on to call fn for bytes. */
static inline void env_stream_want_read(struct env_stream *s, bool want)
{
	s->env->streams->want_read(s, want);
}

/* Has fn called soon, from the loop. */
static inline void env_stream_kick(struct env_stream *s)
{
	s->env->streams->kick(s);
}

/* 0, -E_IN_USE or another of error_from_errno()'s codes, -E_NOMEM. */
static inline int env_listen(struct env *env, const struct env_listener_params *p,
                             struct env_listener **out)
{
	return env->streams->listen(env, p, out);
}

/* What it has accepted stays. NULL is legal. */
static inline void env_unlisten(struct env_listener *l)
{
	if (l)
		l->env->streams->unlisten(l);
}

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The environment's byte streams: TCP on libevent, pipes with a delay on virtual
 * time. A connection that is not open has a number (on libevent its descriptor) and
 * can move to another environment. An open one has a callback.
 */
#ifndef BASE_ENV_STREAM_H
#define BASE_ENV_STREAM_H

#include "base/env.h"

#include <sys/types.h>

/* There are bytes to read or room to write, or the connection or the connect has ended: try both.
 * It is called again while there is something to read and reading is wanted. It may close the
 * stream. */
typedef void env_stream_fn(void *arg);

struct env_stream_params {
	int fd;             /* a connection to take over; -1: connect from local to remote */
	struct addr local;  /* port 0: any. It may be the address of a listener */
	struct addr remote; /* local and remote are read only when fd is -1 */
	size_t unsent_max;  /* limit of bytes that are taken and not sent; 0: the system's */
	env_stream_fn *fn;
	void *arg;
};

/* A peer has connected. The callee owns fd and passes it to env_stream_open() or
 * env_stream_discard(). It must not end the listener. */
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
	int (*pair)(struct env *env, int fd[2]);
	ssize_t (*read)(struct env_stream *s, uint8_t *buf, size_t len);
	ssize_t (*write)(struct env_stream *s, const uint8_t *data, size_t len, bool more);
	void (*shut)(struct env_stream *s);
	void (*want_read)(struct env_stream *s, bool want);
	void (*kick)(struct env_stream *s);
	int (*listen)(struct env *env, const struct env_listener_params *p,
	              struct env_listener **out);
	void (*unlisten)(struct env_listener *l);
};

/* Reading is wanted at first. 0, a code of error_from_errno() or -E_NOMEM; on failure a given fd
 * stays the caller's. env_stream_release() tells whether a connect has failed later. */
static inline int env_stream_open(struct env *env, const struct env_stream_params *p,
                                  struct env_stream **out)
{
	return env->streams->open(env, p, out);
}

/* Frees s and returns the number of its connection, which stays. When the connect has failed, or
 * has not ended (-E_LATER), it returns that code and nothing is left. */
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

/* Closes a connection by its number. From any thread. */
static inline void env_stream_discard(struct env *env, int fd)
{
	env->streams->discard(env, fd);
}

/* Makes a connection inside this process; fd gets the numbers of its two ends. 0, a code of
 * error_from_errno() or -E_NOMEM. */
static inline int env_stream_pair(struct env *env, int fd[2])
{
	return env->streams->pair(env, fd);
}

/* Returns how many bytes were read (more than 0), 0 at the end of the stream, -E_LATER or -E_IO.
 * Fewer than len: there are no more now, and fn is called when more come. */
static inline ssize_t env_stream_read(struct env_stream *s, uint8_t *buf, size_t len)
{
	return s->env->streams->read(s, buf, len);
}

/* Returns how many bytes were taken (more than 0), -E_IO, or -E_LATER: then fn is called when there
 * is room. more: the caller writes again at once, and the bytes may share a packet. */
static inline ssize_t env_stream_write(struct env_stream *s, const uint8_t *data, size_t len,
                                       bool more)
{
	return s->env->streams->write(s, data, len, more);
}

/* Tells the other side that the stream ends. */
static inline void env_stream_shut(struct env_stream *s)
{
	s->env->streams->shut(s);
}

/* Stops or resumes calling fn for bytes. */
static inline void env_stream_want_read(struct env_stream *s, bool want)
{
	s->env->streams->want_read(s, want);
}

/* Calls fn soon, from the loop. */
static inline void env_stream_kick(struct env_stream *s)
{
	s->env->streams->kick(s);
}

/* 0, -E_IN_USE or another code of error_from_errno(), -E_NOMEM. */
static inline int env_listen(struct env *env, const struct env_listener_params *p,
                             struct env_listener **out)
{
	return env->streams->listen(env, p, out);
}

/* Accepted connections stay. NULL is legal. */
static inline void env_unlisten(struct env_listener *l)
{
	if (l)
		l->env->streams->unlisten(l);
}

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TCP on libevent.
 */
#include "base/env_libevent_internal.h"
#include "base/env_stream.h"
#include "base/error.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#define BACKLOG 16
#define ACCEPTS 16 /* a wake-up, then the others have their turn */

struct stream {
	struct env_stream stream; /* first */
	struct event *readable, *writable;
	env_stream_fn *fn;
	void *arg;
	int fd;
	int failure; /* of its connect: a code, -E_LATER while it goes on */
};

struct listener {
	struct env_listener listener; /* first */
	struct event *event, *retry;
	env_accept_fn *on_accept;
	void *arg;
	int fd;
};

static int end_connect(struct stream *s)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &len))
		err = errno;
	if (err)
		return error_from_errno(err);
	return event_add(s->readable, NULL) ? -E_NOMEM : 0;
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)fd;
	(void)what;
	if (s->failure == -E_LATER)
		s->failure = end_connect(s);
	s->fn(s->arg);
}

/* A socket that will listen on a TCP allocation's address, or connect from there. */
static int open_socket(const struct addr *local, int *out)
{
	int one = 1;
	int fd = socket(addr_family(local), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return error_from_errno(errno);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (addr_family(local) == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	*out = fd;
	return 0;
}

static int start_connect(const struct env_stream_params *p, int *out)
{
	int fd, one = 1, r = open_socket(&p->local, &fd);

	if (r)
		return r;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) ||
	    bind(fd, &p->local.sa, addr_len(&p->local)) ||
	    (connect(fd, &p->remote.sa, addr_len(&p->remote)) && errno != EINPROGRESS)) {
		r = error_from_errno(errno);
		close(fd);
		return r;
	}
	*out = fd;
	return 0;
}

static void free_events(struct stream *s)
{
	if (s->readable)
		event_free(s->readable);
	if (s->writable)
		event_free(s->writable);
}

static int le_open(struct env *env, const struct env_stream_params *p, struct env_stream **out)
{
	struct event_base *base = env_le(env)->base;
	struct stream *s = calloc(1, sizeof(*s));
	int bytes = (int)p->unsent_max, r = -E_NOMEM;

	if (!s)
		return r;
	s->stream.env = env;
	s->fn = p->fn;
	s->arg = p->arg;
	s->fd = p->fd;
	if (p->fd < 0) {
		s->failure = -E_LATER;
		r = start_connect(p, &s->fd);
		if (r)
			goto out;
	}
	r = -E_NOMEM;
	s->readable = event_new(base, s->fd, EV_READ | EV_PERSIST, on_event, s);
	s->writable = event_new(base, s->fd, EV_WRITE, on_event, s);
	if (!s->readable || !s->writable || event_add(s->failure ? s->writable : s->readable, NULL))
		goto out;
	if (bytes)
		setsockopt(s->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes));
	*out = &s->stream;
	return 0;
out:
	free_events(s);
	if (p->fd < 0 && s->fd >= 0)
		close(s->fd);
	free(s);
	return r;
}

static int le_release(struct env_stream *stream)
{
	struct stream *s = (struct stream *)stream;
	int fd = s->fd;

	free_events(s);
	if (s->failure) {
		close(fd);
		fd = s->failure;
	}
	free(s);
	return fd;
}

static void le_discard(struct env *env, int fd)
{
	(void)env;
	close(fd);
}

static int le_pair(struct env *env, int fd[2])
{
	(void)env;
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd)
	           ? error_from_errno(errno)
	           : 0;
}

static void le_close(struct env_stream *stream)
{
	int fd = le_release(stream);

	if (fd >= 0)
		close(fd);
}

static ssize_t le_read(struct env_stream *stream, uint8_t *buf, size_t len)
{
	struct stream *s = (struct stream *)stream;
	ssize_t n;

	do
		n = recv(s->fd, buf, len, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	return errno == EAGAIN ? -E_LATER : -E_IO;
}

static ssize_t le_write(struct env_stream *stream, const uint8_t *data, size_t len, bool more)
{
	struct stream *s = (struct stream *)stream;
	ssize_t n;

	do
		n = send(s->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0));
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	if (errno != EAGAIN)
		return -E_IO;
	event_add(s->writable, NULL);
	return -E_LATER;
}

static void le_shut(struct env_stream *stream)
{
	shutdown(((struct stream *)stream)->fd, SHUT_WR);
}

static void le_want_read(struct env_stream *stream, bool want)
{
	struct stream *s = (struct stream *)stream;

	if (want)
		event_add(s->readable, NULL);
	else
		event_del(s->readable);
}

static void le_kick(struct env_stream *stream)
{
	event_active(((struct stream *)stream)->readable, EV_READ, 0);
}

/* Descriptors have run out, most likely. Without a pause the loop would spin. */
static void pause_accepting(struct listener *l)
{
	struct timeval second = {.tv_sec = 1};

	if (!event_del(l->event))
		evtimer_add(l->retry, &second);
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;

	(void)what;
	for (int i = 0; i < ACCEPTS; i++) {
		struct addr from;
		socklen_t len = sizeof(from);
		int conn = accept4(fd, &from.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;

		if (conn < 0) {
			if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
				pause_accepting(l);
			return;
		}
		setsockopt(conn, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		l->on_accept(l->arg, conn, &from);
	}
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_add(((struct listener *)arg)->event, NULL);
}

static void le_unlisten(struct env_listener *listener)
{
	struct listener *l = (struct listener *)listener;

	if (l->event)
		event_free(l->event);
	if (l->retry)
		event_free(l->retry);
	close(l->fd);
	free(l);
}

static int le_listen(struct env *env, const struct env_listener_params *p,
                     struct env_listener **out)
{
	struct listener *l;
	int fd, one = 1, r = open_socket(&p->local, &fd);

	if (r)
		return r;
	/* Bound alone, so that a port in use is noticed; shared only from now on, with the
	 * connections that start from here. */
	if (bind(fd, &p->local.sa, addr_len(&p->local)) || listen(fd, BACKLOG) ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one))) {
		r = error_from_errno(errno);
		close(fd);
		return r;
	}
	l = calloc(1, sizeof(*l));
	if (!l) {
		close(fd);
		return -E_NOMEM;
	}
	l->listener.env = env;
	l->on_accept = p->on_accept;
	l->arg = p->arg;
	l->fd = fd;
	l->event = event_new(env_le(env)->base, fd, EV_READ | EV_PERSIST, on_acceptable, l);
	l->retry = evtimer_new(env_le(env)->base, on_retry, l);
	if (!l->event || !l->retry || event_add(l->event, NULL)) {
		le_unlisten(&l->listener);
		return -E_NOMEM;
	}
	*out = &l->listener;
	return 0;
}

const struct env_stream_ops env_le_streams = {
    .open = le_open,
    .release = le_release,
    .close = le_close,
    .discard = le_discard,
    .pair = le_pair,
    .read = le_read,
    .write = le_write,
    .shut = le_shut,
    .want_read = le_want_read,
    .kick = le_kick,
    .listen = le_listen,
    .unlisten = le_unlisten,
};

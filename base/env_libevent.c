/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The environment on libevent. Datagrams are received into slots of an arena
 * and, when they are relayed, sent from the same slot: the queue holds pointers.
 * The arena is used anew after each flush.
 */
#include "base/env_libevent.h"

#include "base/env_libevent_internal.h"
#include "base/wall.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <linux/errqueue.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define RX_BATCH   32 /* at most this many in one recvmmsg */
#define RX_ROUNDS  4  /* recvmmsg calls a wake-up, then the other sockets have their turn */
#define SOCKET_BUF (4 * 1024 * 1024)
#define ERRORS_MAX 16 /* ICMP errors a wake-up */

#define ICMP4_UNREACHABLE 3
#define ICMP4_FRAG_NEEDED 4
#define ICMP6_TOO_BIG     2

struct timer {
	struct env_timer timer; /* first */
	struct event *event;
	env_timer_fn *fn;
	void *arg;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t le_now_ms(struct env *env)
{
	(void)env;
	return now_ns() / 1000000u;
}

static int64_t le_wall_s(struct env *env)
{
	return wall_now_s(env_le(env)->wall);
}

void env_libevent_random(void *out, size_t len)
{
	uint8_t *p = out;

	while (len) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			abort(); /* without chance there is no security: never go on */
		p += n;
		len -= (size_t)n;
	}
}

static void le_random(struct env *env, void *out, size_t len)
{
	(void)env;
	env_libevent_random(out, len);
}

void env_libevent_flush(struct env *env)
{
	env_le_flush_all(env_le(env));
	env_le(env)->rx_used = 0;
}

/* Waking up costs more than relaying a packet. Where turns take that long by themselves, there is
 * work enough for each. */
void env_libevent_gather(struct env *env, unsigned int us)
{
	struct env_le *e = env_le(env);
	uint64_t now, due = e->turn_ns + us * UINT64_C(1000);
	struct timespec until;

	if (!us)
		return;
	e->turn_ns = now = now_ns();
	if (now >= due)
		return;
	e->turn_ns = due;
	until.tv_sec = (time_t)(due / 1000000000u);
	until.tv_nsec = (long)(due % 1000000000u);
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static uint8_t tos_of(struct msghdr *h)
{
	for (struct cmsghdr *m = CMSG_FIRSTHDR(h); m; m = CMSG_NXTHDR(h, m)) {
		if (m->cmsg_level == IPPROTO_IP && m->cmsg_type == IP_TOS)
			return *CMSG_DATA(m);
		if (m->cmsg_level == IPPROTO_IPV6 && m->cmsg_type == IPV6_TCLASS) {
			int tclass;

			memcpy(&tclass, CMSG_DATA(m), sizeof(tclass));
			return (uint8_t)tclass;
		}
	}
	return 0;
}

/* One recvmmsg into the free slots. Returns how many datagrams it asked for and brought. */
static size_t receive(struct env_le *e, struct udp *u, struct datagram *batch, size_t *asked)
{
	struct mmsghdr msgs[RX_BATCH];
	struct iovec iov[RX_BATCH];
	struct addr from[RX_BATCH];
	_Alignas(struct cmsghdr) uint8_t control[RX_BATCH][CMSG_SPACE(sizeof(int))]; /* the TOS */
	size_t want, n = 0;
	int got;

	if (RX_SLOTS - e->rx_used < RX_BATCH)
		env_libevent_flush(&e->env);
	want = RX_SLOTS - e->rx_used < RX_BATCH ? RX_SLOTS - e->rx_used : RX_BATCH;
	*asked = want;
	for (size_t i = 0; i < want; i++) {
		iov[i].iov_base = e->arena + (e->rx_used + i) * RX_STRIDE + ENV_HEADROOM;
		iov[i].iov_len = RX_MAX;
		memset(&msgs[i], 0, sizeof(msgs[i]));
		msgs[i].msg_hdr.msg_name = &from[i];
		msgs[i].msg_hdr.msg_namelen = sizeof(from[i]);
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
		msgs[i].msg_hdr.msg_control = control[i];
		msgs[i].msg_hdr.msg_controllen = sizeof(control[i]);
	}
	got = recvmmsg(u->fd, msgs, (unsigned int)want, MSG_DONTWAIT, NULL);
	if (got < 0 && errno != EAGAIN) /* it told an ICMP error and forgot it */
		got = recvmmsg(u->fd, msgs, (unsigned int)want, MSG_DONTWAIT, NULL);
	if (got <= 0) {
		*asked = 0;
		return 0;
	}
	e->rx_used += (size_t)got;
	e->env.stats.received += (uint64_t)got;
	for (int i = 0; i < got; i++) {
		if (msgs[i].msg_hdr.msg_flags & MSG_TRUNC) {
			e->env.stats.truncations++;
			continue;
		}
		batch[n].peer = from[i];
		batch[n].data = iov[i].iov_base;
		batch[n].len = msgs[i].msg_len;
		batch[n].tos = tos_of(&msgs[i].msg_hdr);
		n++;
	}
	if ((size_t)got < want)
		*asked = 0; /* the socket is drained */
	return n;
}

/* False when it is none that a relay tells its client. */
static bool to_error(const struct udp *u, const struct sock_extended_err *e,
                     struct env_udp_error *out)
{
	bool v6 = addr_family(&out->peer) == AF_INET6;

	if (e->ee_origin == SO_EE_ORIGIN_ICMP || e->ee_origin == SO_EE_ORIGIN_ICMP6) {
		out->type = e->ee_type;
		out->code = e->ee_code;
	} else if (e->ee_origin == SO_EE_ORIGIN_LOCAL && e->ee_errno == EMSGSIZE) {
		out->type = v6 ? ICMP6_TOO_BIG : ICMP4_UNREACHABLE;
		out->code = v6 ? 0 : ICMP4_FRAG_NEEDED;
		if (addr_equal_ip(&out->peer, &u->refused)) /* the system forgets the port */
			out->peer = u->refused;
	} else {
		return false;
	}
	out->mtu = e->ee_errno == EMSGSIZE ? e->ee_info : 0;
	return true;
}

/* As long as the queue is not empty the socket counts as readable. */
static void read_errors(struct env_le *e, struct udp *u)
{
	for (int i = 0; i < ERRORS_MAX && e->reading == u; i++) {
		_Alignas(struct cmsghdr) uint8_t control[256];
		struct env_udp_error error = {.mtu = 0};
		struct msghdr h = {.msg_name = &error.peer,
		                   .msg_namelen = sizeof(error.peer),
		                   .msg_control = control,
		                   .msg_controllen = sizeof(control)};

		if (recvmsg(u->fd, &h, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return;
		for (struct cmsghdr *m = CMSG_FIRSTHDR(&h); m; m = CMSG_NXTHDR(&h, m)) {
			struct sock_extended_err ee;

			if (!(m->cmsg_level == IPPROTO_IP && m->cmsg_type == IP_RECVERR) &&
			    !(m->cmsg_level == IPPROTO_IPV6 && m->cmsg_type == IPV6_RECVERR))
				continue;
			memcpy(&ee, CMSG_DATA(m), sizeof(ee));
			if (to_error(u, &ee, &error))
				u->on_error(u->arg, &u->udp, &error);
			break;
		}
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct udp *u = arg;
	struct env_le *e = env_le(u->udp.env);
	struct datagram batch[RX_BATCH];
	size_t asked = 1;

	(void)fd;
	(void)what;
	e->reading = u;
	for (int round = 0; round < RX_ROUNDS && asked && e->reading == u; round++) {
		size_t n = receive(e, u, batch, &asked);

		if (n)
			u->on_batch(u->arg, &u->udp, batch, n);
		else if (!round && u->on_error)
			read_errors(e, u);
	}
	e->reading = NULL;
}

void env_libevent_bind_early(int fd, int family)
{
	int one = 1;

	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof(one));
	else
		setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one));
}

int env_libevent_bind_udp(const struct addr *local, bool reuse_port, int *out, struct why *why)
{
	int family = addr_family(local), one = 1, size = SOCKET_BUF, err;
	int pmtu = IPV6_PMTUDISC_DONT;
	char text[ADDR_STRLEN];
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		err = errno;
		return why_set(why, error_from_errno(err), "cannot open a UDP socket: %s",
		               strerror(err));
	}
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (reuse_port) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
		env_libevent_bind_early(fd, family);
	}
	/* Forced where we may, else as much as the system's limit gives. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	/* RFC 8656 section 15: the DF bit is set only when a client asks for it. */
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &pmtu, sizeof(pmtu));
	else
		env_le_set_df(fd, false);
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &one, sizeof(one));
	else
		setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &one, sizeof(one));
	if (bind(fd, &local->sa, addr_len(local))) {
		err = errno;
		close(fd);
		return why_set(why, error_from_errno(err), "cannot bind UDP %s: %s",
		               addr_format(local, text), strerror(err));
	}
	*out = fd;
	return 0;
}

static int le_udp_open(struct env *env, const struct env_udp_params *p, struct env_udp **out)
{
	struct udp *u = calloc(1, sizeof(*u));
	socklen_t len = sizeof(u->udp.local);
	int one = 1, r = -E_NOMEM;

	if (!u)
		return r;
	u->udp.env = env;
	u->on_batch = p->on_batch;
	u->on_error = p->on_error;
	u->arg = p->arg;
	u->tx_tail = &u->tx_head;
	u->fd = p->fd;
	if (u->fd < 0) {
		r = env_libevent_bind_udp(&p->local, false, &u->fd, NULL);
		if (r)
			goto out;
	}
	r = -E_IO;
	if (getsockname(u->fd, &u->udp.local.sa, &len))
		goto out;
	if (p->on_error && env_le_is_v6(u))
		setsockopt(u->fd, IPPROTO_IPV6, IPV6_RECVERR, &one, sizeof(one));
	else if (p->on_error)
		setsockopt(u->fd, IPPROTO_IP, IP_RECVERR, &one, sizeof(one));
	r = -E_NOMEM;
	u->event = event_new(env_le(env)->base, u->fd, EV_READ | EV_PERSIST, on_readable, u);
	if (!u->event || event_add(u->event, NULL))
		goto out;
	*out = &u->udp;
	return 0;
out:
	if (u->event)
		event_free(u->event);
	if (p->fd < 0 && u->fd >= 0)
		close(u->fd);
	free(u);
	return r;
}

static int le_udp_release(struct env_udp *udp)
{
	struct udp *u = (struct udp *)udp;
	struct env_le *e = env_le(udp->env);
	int fd = u->fd;

	env_le_flush_udp(u);
	if (e->reading == u)
		e->reading = NULL;
	event_free(u->event);
	free(u);
	return fd;
}

static void le_udp_discard(struct env *env, int fd)
{
	(void)env;
	close(fd);
}

static void le_udp_close(struct env_udp *udp)
{
	close(le_udp_release(udp));
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct timer *t = arg;

	(void)fd;
	(void)what;
	t->fn(t->arg);
}

static struct env_timer *le_timer_new(struct env *env, env_timer_fn *fn, void *arg)
{
	struct timer *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->timer.env = env;
	t->fn = fn;
	t->arg = arg;
	t->event = evtimer_new(env_le(env)->base, on_timer, t);
	if (!t->event) {
		free(t);
		return NULL;
	}
	return &t->timer;
}

static void le_timer_set(struct env_timer *timer, uint64_t after_ms)
{
	struct timeval tv = {.tv_sec = (time_t)(after_ms / 1000),
	                     .tv_usec = (suseconds_t)(after_ms % 1000 * 1000)};

	evtimer_add(((struct timer *)timer)->event, &tv);
}

static void le_timer_soon(struct env_timer *timer)
{
	event_active(((struct timer *)timer)->event, EV_TIMEOUT, 0);
}

static void le_timer_free(struct env_timer *timer)
{
	struct timer *t = (struct timer *)timer;

	event_free(t->event);
	free(t);
}

static const struct env_ops le_ops = {
    .now_ms = le_now_ms,
    .wall_s = le_wall_s,
    .random = le_random,
    .udp_open = le_udp_open,
    .udp_send = env_le_send,
    .udp_release = le_udp_release,
    .udp_discard = le_udp_discard,
    .udp_close = le_udp_close,
    .timer_new = le_timer_new,
    .timer_set = le_timer_set,
    .timer_soon = le_timer_soon,
    .timer_free = le_timer_free,
};

struct env *env_libevent_new(struct event_base *base, const struct wall *wall)
{
	struct env_le *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->env.ops = &le_ops;
	e->env.streams = &env_le_streams;
	e->base = base;
	e->wall = wall;
	/* Untouched pages cost nothing: a slot has room for the longest datagram. */
	e->arena = malloc((size_t)RX_SLOTS * RX_STRIDE);
	e->copy = malloc(COPY_BYTES);
	if (!e->arena || !e->copy) {
		env_libevent_free(&e->env);
		return NULL;
	}
	return &e->env;
}

void env_libevent_free(struct env *env)
{
	struct env_le *e = env_le(env);

	if (!e)
		return;
	assert(!e->pending);
	free(e->arena);
	free(e->copy);
	free(e);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The environment on libevent. Datagrams are received into slots of an arena
 * and, when they are relayed, sent from the same slot: the queue holds pointers.
 * The arena is used anew after each flush.
 */
#include "base/env_libevent.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define RX_SLOTS   64    /* datagrams that one turn of the loop can hold */
#define RX_BATCH   32    /* at most this many in one recvmmsg */
#define RX_ROUNDS  4     /* recvmmsg calls a wake-up, then the other sockets have their turn */
#define RX_MAX     65535 /* longest datagram */
#define TX_MAX     256   /* queued datagrams */
#define COPY_BYTES (256 * 1024)
#define SOCKET_BUF (4 * 1024 * 1024)

/* Not a multiple of the page size, so that slots do not fight for the same cache sets. */
#define RX_STRIDE (ENV_HEADROOM + RX_MAX + 1 + ENV_TAILROOM + 1080)

struct tx {
	struct tx *next;
	struct addr to;
	struct iovec iov;
};

struct udp {
	struct env_udp udp; /* first */
	struct event *event;
	env_udp_batch_fn *on_batch;
	void *arg;
	int fd;
	struct tx *tx_head, **tx_tail; /* queued, in order */
	struct udp *pending_next, **pending_prev;
};

struct timer {
	struct env_timer timer; /* first */
	struct event *event;
	env_timer_fn *fn;
	void *arg;
};

struct env_le {
	struct env env; /* first */
	struct event_base *base;
	uint8_t *arena; /* RX_SLOTS * RX_STRIDE */
	size_t rx_used; /* slots in use since the last flush */
	uint8_t *copy;  /* COPY_BYTES */
	size_t copy_used;
	struct tx tx[TX_MAX];
	size_t tx_used;
	struct udp *pending; /* sockets with something queued */
	struct udp *reading; /* the socket whose batch is being delivered, NULL once it closed */
};

static struct env_le *env_le(struct env *env)
{
	return (struct env_le *)env;
}

static uint64_t le_now_ms(struct env *env)
{
	struct timespec ts;

	(void)env;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int64_t le_wall_s(struct env *env)
{
	(void)env;
	return time(NULL);
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

/* Sends the socket's queue in order. The kernel's refusal of one datagram costs that one. */
static void udp_flush(struct udp *u)
{
	struct env *env = u->udp.env;
	struct mmsghdr msgs[RX_BATCH];
	struct tx *tx = u->tx_head;

	while (tx) {
		unsigned int n = 0, done = 0;

		for (; tx && n < RX_BATCH; tx = tx->next, n++) {
			memset(&msgs[n], 0, sizeof(msgs[n]));
			msgs[n].msg_hdr.msg_name = &tx->to;
			msgs[n].msg_hdr.msg_namelen = addr_len(&tx->to);
			msgs[n].msg_hdr.msg_iov = &tx->iov;
			msgs[n].msg_hdr.msg_iovlen = 1;
		}
		while (done < n) {
			int sent = sendmmsg(u->fd, msgs + done, n - done, 0);

			if (sent > 0) {
				env->stats.sent += (unsigned int)sent;
				done += (unsigned int)sent;
			} else if (errno != EINTR) {
				env->stats.send_drops++;
				done++;
			}
		}
	}
	u->tx_head = NULL;
	u->tx_tail = &u->tx_head;
}

static void pending_remove(struct udp *u)
{
	if (!u->pending_prev)
		return;
	*u->pending_prev = u->pending_next;
	if (u->pending_next)
		u->pending_next->pending_prev = u->pending_prev;
	u->pending_prev = NULL;
}

/* Sends everything queued; received data stays where it is. */
static void tx_flush(struct env_le *e)
{
	while (e->pending) {
		struct udp *u = e->pending;

		udp_flush(u);
		pending_remove(u);
	}
	e->tx_used = 0;
	e->copy_used = 0;
}

void env_libevent_flush(struct env *env)
{
	tx_flush(env_le(env));
	env_le(env)->rx_used = 0;
}

static void le_udp_send(struct env_udp *udp, const struct addr *to, const uint8_t *data, size_t len)
{
	struct udp *u = (struct udp *)udp;
	struct env_le *e = env_le(udp->env);
	struct tx *tx;

	if (e->tx_used == TX_MAX)
		tx_flush(e);
	if (data < e->arena || data >= e->arena + (size_t)RX_SLOTS * RX_STRIDE) {
		assert(len <= COPY_BYTES);
		if (e->copy_used + len > COPY_BYTES)
			tx_flush(e);
		data = memcpy(e->copy + e->copy_used, data, len);
		e->copy_used += len;
	}
	tx = &e->tx[e->tx_used++];
	tx->next = NULL;
	tx->to = *to;
	tx->iov.iov_base = (void *)(uintptr_t)data;
	tx->iov.iov_len = len;
	*u->tx_tail = tx;
	u->tx_tail = &tx->next;
	if (!u->pending_prev) {
		u->pending_next = e->pending;
		u->pending_prev = &e->pending;
		if (e->pending)
			e->pending->pending_prev = &u->pending_next;
		e->pending = u;
	}
}

/* One recvmmsg into the free slots. Returns how many datagrams it asked for and brought. */
static size_t receive(struct env_le *e, struct udp *u, struct datagram *batch, size_t *asked)
{
	struct mmsghdr msgs[RX_BATCH];
	struct iovec iov[RX_BATCH];
	struct addr from[RX_BATCH];
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
	}
	got = recvmmsg(u->fd, msgs, (unsigned int)want, MSG_DONTWAIT, NULL);
	if (got <= 0)
		return 0;
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
		n++;
	}
	if ((size_t)got < want)
		*asked = 0; /* the socket is drained */
	return n;
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
	}
	e->reading = NULL;
}

int env_libevent_bind_udp(const struct addr *local, bool reuse_port, int *out, struct why *why)
{
	int family = addr_family(local), one = 1, size = SOCKET_BUF, err;
	int pmtu = family == AF_INET6 ? IPV6_PMTUDISC_DONT : IP_PMTUDISC_DONT;
	char text[ADDR_STRLEN];
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		err = errno;
		return why_set(why, error_from_errno(err), "cannot open a UDP socket: %s",
		               strerror(err));
	}
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (reuse_port)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	/* Forced where we may, else as much as the system's limit gives. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	/* RFC 8656 section 15: the DF bit is set only when a client asks for it. */
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &pmtu, sizeof(pmtu));
	else
		setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &pmtu, sizeof(pmtu));
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
	int r = -E_NOMEM;

	if (!u)
		return r;
	u->udp.env = env;
	u->on_batch = p->on_batch;
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

static void le_udp_close(struct env_udp *udp)
{
	struct udp *u = (struct udp *)udp;
	struct env_le *e = env_le(udp->env);

	udp_flush(u);
	pending_remove(u);
	if (e->reading == u)
		e->reading = NULL;
	event_free(u->event);
	close(u->fd);
	free(u);
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
    .udp_send = le_udp_send,
    .udp_close = le_udp_close,
    .timer_new = le_timer_new,
    .timer_set = le_timer_set,
    .timer_free = le_timer_free,
};

struct env *env_libevent_new(struct event_base *base)
{
	struct env_le *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->env.ops = &le_ops;
	e->base = base;
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

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sends datagrams: a queue for each socket, sent at the end of the loop's turn, with as few system
 * calls as possible.
 */
#include "base/env_libevent_internal.h"

#include <assert.h>
#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

#define TX_TOGETHER 64    /* datagrams in one sendmmsg */
#define RUN_BYTES   65000 /* of datagrams that the kernel cuts from one (UDP_SEGMENT) */

/* Queued one behind the other, to one address and alike, but that the last may be shorter: the
 * kernel takes them as one and cuts it, once it has gone through all of UDP and IP. */
struct run {
	struct tx *tx;
	unsigned int n;
};

/* Room for the TOS of one datagram and, where it goes out, for IPV6_DONTFRAG and UDP_SEGMENT. */
struct control {
	_Alignas(struct cmsghdr) uint8_t buf[3 * CMSG_SPACE(sizeof(int))];
};

static void put_control(struct msghdr *h, struct control *c, int level, int type, const void *value,
                        size_t len)
{
	struct cmsghdr *m;

	h->msg_control = c->buf;
	m = (struct cmsghdr *)(c->buf + h->msg_controllen);
	h->msg_controllen += CMSG_SPACE(len);
	m->cmsg_level = level;
	m->cmsg_type = type;
	m->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(m), value, len);
}

/* iov has room for the run. */
static void prepare(const struct udp *u, const struct run *run, struct msghdr *h, struct control *c,
                    struct iovec *iov)
{
	const struct tx *first = run->tx, *tx = first;
	int tos = first->tos, one = 1;
	uint16_t size = (uint16_t)first->iov.iov_len;

	memset(h, 0, sizeof(*h));
	h->msg_name = (void *)(uintptr_t)&first->to;
	h->msg_namelen = addr_len(&first->to);
	h->msg_iov = iov;
	h->msg_iovlen = run->n;
	for (unsigned int i = 0; i < run->n; i++, tx = tx->next)
		iov[i] = tx->iov;
	if (tos && env_le_is_v6(u))
		put_control(h, c, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
	else if (tos)
		put_control(h, c, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
	if (first->dont_fragment && env_le_is_v6(u))
		put_control(h, c, IPPROTO_IPV6, IPV6_DONTFRAG, &one, sizeof(one));
	if (run->n > 1)
		put_control(h, c, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size));
}

void env_le_set_df(int fd, bool on)
{
	int how = on ? IP_PMTUDISC_PROBE : IP_PMTUDISC_OMIT;

	setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &how, sizeof(how));
}

/* Sends one by one what the kernel does not take at once. */
static void send_singly(struct udp *u, const struct run *run);

/* The kernel's refusal of one datagram costs that one. */
static void send_all(struct udp *u, struct mmsghdr *msgs, const struct run *runs, unsigned int n)
{
	struct env_stats *stats = &u->udp.env->stats;
	bool retried = false;

	for (unsigned int done = 0; done < n;) {
		int sent = sendmmsg(u->fd, msgs + done, n - done, 0);

		for (int i = 0; i < sent; i++)
			stats->sent += runs[done++].n;
		if (sent > 0) {
			retried = false;
		} else if (errno != EINTR) {
			const struct run *run = &runs[done];
			bool too_long = errno == EMSGSIZE && run->tx->dont_fragment;

			if (run->n > 1 && errno != EAGAIN) {
				env_le(u->udp.env)->no_runs |= errno == EIO || errno == ENOPROTOOPT;
				send_singly(u, run);
				done++;
				continue;
			}
			/* If the socket asks for errors, the next call gets ICMP's answer to an
			 * earlier datagram, whatever its destination. */
			if (u->on_error && errno != EAGAIN && !too_long && !retried) {
				retried = true;
				continue;
			}
			if (too_long)
				u->refused = run->tx->to;
			stats->send_drops += run->n;
			done++;
			retried = false;
		}
	}
}

static void send_singly(struct udp *u, const struct run *run)
{
	struct run one = {run->tx, 1};

	for (unsigned int i = 0; i < run->n; i++, one.tx = one.tx->next) {
		struct mmsghdr msg;
		struct control control;
		struct iovec iov;

		prepare(u, &one, &msg.msg_hdr, &control, &iov);
		send_all(u, &msg, &one, 1);
	}
}

/* The longest run from tx on, of at most so many. */
static struct run find_run(const struct udp *u, struct tx *tx, unsigned int most)
{
	struct run run = {tx, 1};
	size_t size = tx->iov.iov_len, bytes = size;
	const struct tx *last = tx;

	if (env_le(u->udp.env)->no_runs || !size)
		return run;
	for (struct tx *next = tx->next; next && run.n < most; last = next, next = next->next) {
		bytes += next->iov.iov_len;
		if (last->iov.iov_len != size || next->iov.iov_len > size || !next->iov.iov_len ||
		    bytes > RUN_BYTES || next->tos != tx->tos ||
		    next->dont_fragment != tx->dont_fragment || !addr_equal(&next->to, &tx->to))
			break;
		run.n++;
	}
	return run;
}

/* Sends the socket's queue in order. */
static void udp_flush(struct udp *u)
{
	struct mmsghdr msgs[TX_TOGETHER];
	struct control control[TX_TOGETHER];
	struct iovec iov[TX_TOGETHER];
	struct run runs[TX_TOGETHER];
	struct tx *tx = u->tx_head;

	while (tx) {
		bool df = tx->dont_fragment && !env_le_is_v6(u);
		unsigned int n = 0, used = 0;

		while (tx && used < TX_TOGETHER && (env_le_is_v6(u) || tx->dont_fragment == df)) {
			runs[n] = find_run(u, tx, TX_TOGETHER - used);
			prepare(u, &runs[n], &msgs[n].msg_hdr, &control[n], &iov[used]);
			used += runs[n].n;
			for (unsigned int i = 0; i < runs[n].n; i++)
				tx = tx->next;
			n++;
		}
		if (df)
			env_le_set_df(u->fd, true);
		send_all(u, msgs, runs, n);
		if (df)
			env_le_set_df(u->fd, false);
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

void env_le_flush_udp(struct udp *u)
{
	udp_flush(u);
	pending_remove(u);
}

void env_le_flush_all(struct env_le *e)
{
	while (e->pending)
		env_le_flush_udp(e->pending);
	e->tx_used = 0;
	e->copy_used = 0;
}

void env_le_send(struct env_udp *udp, const struct addr *to, const uint8_t *data, size_t len,
                 uint8_t tos, bool dont_fragment)
{
	struct udp *u = (struct udp *)udp;
	struct env_le *e = env_le(udp->env);
	struct tx *tx;

	if (e->tx_used == TX_MAX)
		env_le_flush_all(e);
	if (data < e->arena || data >= e->arena + (size_t)RX_SLOTS * RX_STRIDE) {
		assert(len <= COPY_BYTES);
		if (e->copy_used + len > COPY_BYTES)
			env_le_flush_all(e);
		data = memcpy(e->copy + e->copy_used, data, len);
		e->copy_used += len;
	}
	tx = &e->tx[e->tx_used++];
	tx->next = NULL;
	tx->to = *to;
	tx->iov.iov_base = (void *)(uintptr_t)data;
	tx->iov.iov_len = len;
	tx->tos = tos;
	tx->dont_fragment = dont_fragment;
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

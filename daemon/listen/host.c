/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Addresses over rtnetlink, by libmnl: getifaddrs(3) does not tell which of them
 * are still tentative.
 */
#include "daemon/listen/host.h"

#include <errno.h>
#include <event2/event.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DUMP_TRIES 4  /* of a list that changes while it is read */
#define SETTLE_MS  50 /* changes come in swarms */
#define BUF_LEN    16384

struct list {
	unsigned *up; /* indexes of interfaces that are */
	size_t up_n;
	struct host_addr *v;
	size_t n;
	struct prefix *ranges;
	size_t range_n;
	bool failed; /* out of memory */
};

static bool is_up(const struct list *l, unsigned index)
{
	for (size_t i = 0; i < l->up_n; i++)
		if (l->up[i] == index)
			return true;
	return false;
}

static int on_link(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(h);
	struct list *l = arg;
	unsigned *grown;

	if (h->nlmsg_type != RTM_NEWLINK || !(link->ifi_flags & IFF_UP))
		return MNL_CB_OK;
	grown = reallocarray(l->up, l->up_n + 1, sizeof(*grown));
	if (!grown) {
		l->failed = true;
		return MNL_CB_ERROR;
	}
	l->up = grown;
	grown[l->up_n++] = (unsigned)link->ifi_index;
	return MNL_CB_OK;
}

/* The ends of a tunnel: IFA_LOCAL is ours, IFA_ADDRESS the other's. */
static const struct nlattr *own_address(const struct nlmsghdr *h, unsigned *flags)
{
	const struct nlattr *a, *local = NULL, *address = NULL;

	mnl_attr_for_each(a, h, sizeof(struct ifaddrmsg))
	{
		if (mnl_attr_get_type(a) == IFA_LOCAL)
			local = a;
		else if (mnl_attr_get_type(a) == IFA_ADDRESS)
			address = a;
		else if (mnl_attr_get_type(a) == IFA_FLAGS)
			*flags = mnl_attr_get_u32(a);
	}
	return local ? local : address;
}

static int on_address(const struct nlmsghdr *h, void *arg)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
	size_t len = m->ifa_family == AF_INET6 ? 16 : 4;
	unsigned flags = m->ifa_flags;
	const struct nlattr *own;
	struct host_addr *grown, *a;
	struct list *l = arg;

	if (h->nlmsg_type != RTM_NEWADDR || (m->ifa_family != AF_INET && m->ifa_family != AF_INET6))
		return MNL_CB_OK;
	own = own_address(h, &flags);
	if (!own || mnl_attr_get_payload_len(own) < len)
		return MNL_CB_OK;
	grown = reallocarray(l->v, l->n + 1, sizeof(*grown));
	if (!grown) {
		l->failed = true;
		return MNL_CB_ERROR;
	}
	l->v = grown;
	a = &grown[l->n++];
	addr_from_bytes(&a->addr, mnl_attr_get_payload(own), len, 0);
	a->usable = is_up(l, m->ifa_index) && !(flags & IFA_F_DADFAILED) &&
	            (!(flags & IFA_F_TENTATIVE) || flags & IFA_F_OPTIMISTIC);
	/* To IPv4 the flag means another thing. */
	a->passing =
	    flags & IFA_F_DEPRECATED || (m->ifa_family == AF_INET6 && flags & IFA_F_TEMPORARY);
	return MNL_CB_OK;
}

/* Only the table "local" applies to all packets; transparent proxies have their own. A route for
 * the whole Internet (a test's) would leave no peer to relay to, and says nothing. */
static int on_route(const struct nlmsghdr *h, void *arg)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	size_t len = m->rtm_family == AF_INET6 ? 16 : 4;
	const struct nlattr *a;
	struct list *l = arg;
	struct prefix *grown, p = {.bits = m->rtm_dst_len, .family = m->rtm_family};

	if (h->nlmsg_type != RTM_NEWROUTE || m->rtm_table != RT_TABLE_LOCAL || !m->rtm_dst_len ||
	    (m->rtm_type != RTN_LOCAL && m->rtm_type != RTN_ANYCAST) ||
	    (m->rtm_family != AF_INET && m->rtm_family != AF_INET6))
		return MNL_CB_OK;
	mnl_attr_for_each(a, h, sizeof(*m)) if (mnl_attr_get_type(a) == RTA_DST &&
	                                        mnl_attr_get_payload_len(a) >= len)
	    memcpy(p.ip, mnl_attr_get_payload(a), len);
	grown = reallocarray(l->ranges, l->range_n + 1, sizeof(*grown));
	if (!grown) {
		l->failed = true;
		return MNL_CB_ERROR;
	}
	l->ranges = grown;
	grown[l->range_n++] = p;
	return MNL_CB_OK;
}

/* 0, -EINTR when it changed meanwhile, or another negative errno. */
static int dump(struct mnl_socket *s, unsigned short type, unsigned char family, mnl_cb_t fn,
                struct list *l)
{
	_Alignas(struct nlmsghdr) char buf[BUF_LEN];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	unsigned seq = (unsigned)time(NULL);
	ssize_t n;
	int r = MNL_CB_OK;

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = seq;
	if (type == RTM_GETLINK) {
		mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	} else if (type == RTM_GETADDR) {
		mnl_nlmsg_put_extra_header(h, sizeof(struct ifaddrmsg));
	} else {
		struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

		m->rtm_family = family;
		m->rtm_table = RT_TABLE_LOCAL;
	}
	if (mnl_socket_sendto(s, h, h->nlmsg_len) < 0)
		return -errno;
	while (r > MNL_CB_STOP) {
		n = mnl_socket_recvfrom(s, buf, sizeof(buf));
		if (n < 0)
			return -errno;
		r = mnl_cb_run(buf, (size_t)n, seq, mnl_socket_get_portid(s), fn, l);
	}
	return r < 0 ? -errno : 0;
}

static void clear(struct list *l)
{
	free(l->up);
	free(l->v);
	free(l->ranges);
	*l = (struct list){.up = NULL};
}

/* Each try on a socket of its own: what is left of the one before does not disturb it. */
static int read_once(struct list *l)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int r;

	if (!s)
		return -errno;
	r = mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) ? -errno : 0;
	if (!r)
		r = dump(s, RTM_GETLINK, AF_UNSPEC, on_link, l);
	if (!r)
		r = dump(s, RTM_GETADDR, AF_UNSPEC, on_address, l);
	mnl_socket_close(s);
	return l->failed ? -ENOMEM : r;
}

int host_addresses(struct host_addr **out, size_t *n, struct why *why)
{
	struct list l = {.up = NULL};
	int r = -EINTR;

	for (int i = 0; r == -EINTR && i < DUMP_TRIES; i++) {
		clear(&l);
		r = read_once(&l);
	}
	free(l.up);
	if (r && r != -EINTR) {
		free(l.v);
		return why_set(why, error_from_errno(-r),
		               "cannot read this host's addresses (rtnetlink): %s", strerror(-r));
	}
	/* Even a list that kept changing is complete but for what is being changed, which the watch
	 * tells. */
	*out = l.v;
	*n = l.n;
	return 0;
}

/* The table alone, where the kernel can (Linux 4.20): a router's others are long. */
static int read_routes(struct list *l)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int r, one = 1;

	if (!s)
		return -errno;
	mnl_socket_setsockopt(s, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	r = mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) ? -errno : 0;
	if (!r)
		r = dump(s, RTM_GETROUTE, AF_INET, on_route, l);
	if (!r)
		r = dump(s, RTM_GETROUTE, AF_INET6, on_route, l);
	mnl_socket_close(s);
	return l->failed ? -ENOMEM : r;
}

int host_local_ranges(struct prefix **out, size_t *n, struct why *why)
{
	struct list l = {.up = NULL};
	int r = -EINTR;

	for (int i = 0; r == -EINTR && i < DUMP_TRIES; i++) {
		clear(&l);
		r = read_routes(&l);
	}
	if (r && r != -EINTR && r != -EOPNOTSUPP) { /* a kernel without IPv6 */
		clear(&l);
		return why_set(why, error_from_errno(-r),
		               "cannot read this host's local routes (rtnetlink): %s",
		               strerror(-r));
	}
	*out = l.ranges;
	*n = l.range_n;
	return 0;
}

struct host_watch {
	struct mnl_socket *socket;
	struct event *readable, *settled;
	host_changed_fn *fn;
	void *ctx;
};

static void on_settled(evutil_socket_t fd, short what, void *arg)
{
	struct host_watch *w = arg;

	(void)fd;
	(void)what;
	w->fn(w->ctx);
}

/* All tables' routes are told, and those of a router change all the time. */
static bool concerns_us(const void *buf, ssize_t len)
{
	const struct nlmsghdr *h = buf;
	int left = (int)len;

	for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
		const struct rtmsg *m = mnl_nlmsg_get_payload(h);

		if ((h->nlmsg_type != RTM_NEWROUTE && h->nlmsg_type != RTM_DELROUTE) ||
		    m->rtm_table == RT_TABLE_LOCAL)
			return true;
	}
	return false;
}

/* Reads everything again, whatever has changed or did not fit the buffer (ENOBUFS). */
static void on_change(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval soon = {.tv_usec = SETTLE_MS * 1000};
	struct host_watch *w = arg;
	_Alignas(struct nlmsghdr) char buf[BUF_LEN];
	bool ours = false;
	ssize_t n;

	(void)what;
	while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) >= 0 || errno == ENOBUFS ||
	       errno == EINTR)
		ours |= n < 0 ? errno == ENOBUFS : concerns_us(buf, n);
	if (ours && !evtimer_pending(w->settled, NULL))
		evtimer_add(w->settled, &soon);
}

int host_watch_new(struct event_base *base, host_changed_fn *fn, void *ctx, struct host_watch **out,
                   struct why *why)
{
	struct host_watch *w = calloc(1, sizeof(*w));
	int r = -E_NOMEM;

	if (!w)
		return why_set(why, r, "out of memory");
	w->fn = fn;
	w->ctx = ctx;
	w->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!w->socket || mnl_socket_bind(w->socket,
	                                  RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
	                                      RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE,
	                                  MNL_SOCKET_AUTOPID)) {
		r = why_set(why, error_from_errno(errno),
		            "cannot watch this host's addresses (rtnetlink): %s", strerror(errno));
		goto out;
	}
	w->settled = evtimer_new(base, on_settled, w);
	w->readable =
	    event_new(base, mnl_socket_get_fd(w->socket), EV_READ | EV_PERSIST, on_change, w);
	if (!w->settled || !w->readable || event_add(w->readable, NULL)) {
		r = why_set(why, -E_NOMEM, "out of memory");
		goto out;
	}
	*out = w;
	return 0;
out:
	host_watch_free(w);
	return r;
}

void host_watch_free(struct host_watch *w)
{
	if (!w)
		return;
	if (w->readable)
		event_free(w->readable);
	if (w->settled)
		event_free(w->settled);
	if (w->socket)
		mnl_socket_close(w->socket);
	free(w);
}

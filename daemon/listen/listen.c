/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Listening: addresses and TCP accept.
 */
#include "daemon/listen/listen.h"

#include "base/log.h"
#include "daemon/listen/greeter.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAUSE_MS 200 /* after the descriptors have run out */

int listen_host_addresses(struct addr **out, size_t *n, struct why *why)
{
	struct ifaddrs *list, *i;
	struct addr *v = NULL;
	size_t count = 0;
	int r = 0;

	if (getifaddrs(&list))
		return why_set(why, error_from_errno(errno),
		               "cannot read this host's addresses: %s", strerror(errno));
	for (i = list; i; i = i->ifa_next) {
		struct addr a;
		void *grown;

		if (!i->ifa_addr || !(i->ifa_flags & IFF_UP))
			continue;
		if (i->ifa_addr->sa_family == AF_INET)
			addr_from_bytes(&a, &((struct sockaddr_in *)i->ifa_addr)->sin_addr, 4, 0);
		else if (i->ifa_addr->sa_family == AF_INET6)
			addr_from_bytes(&a, &((struct sockaddr_in6 *)i->ifa_addr)->sin6_addr, 16,
			                0);
		else
			continue;
		grown = reallocarray(v, count + 1, sizeof(*v));
		if (!grown) {
			r = why_set(why, -E_NOMEM, "out of memory");
			break;
		}
		v = grown;
		v[count++] = a;
	}
	freeifaddrs(list);
	if (r) {
		free(v);
		return r;
	}
	*out = v;
	*n = count;
	return 0;
}

static int add_once(struct listen_addr **v, size_t *n, const struct addr *a)
{
	struct listen_addr *grown;

	for (size_t i = 0; i < *n; i++)
		if (addr_equal(&(*v)[i].addr, a))
			return 0;
	grown = reallocarray(*v, *n + 1, sizeof(**v));
	if (!grown)
		return -E_NOMEM;
	*v = grown;
	grown[*n].addr = *a;
	grown[*n].loopback = addr_is_loopback(a);
	++*n;
	return 0;
}

int listen_expand(const struct addr *wanted, size_t n, struct listen_addr **out, size_t *out_n,
                  struct why *why)
{
	struct addr *host;
	struct listen_addr *v = NULL;
	size_t host_n, count = 0;
	int r = listen_host_addresses(&host, &host_n, why);

	if (r)
		return r;
	for (size_t i = 0; !r && i < n; i++) {
		if (!addr_is_any(&wanted[i])) {
			r = add_once(&v, &count, &wanted[i]);
			continue;
		}
		for (size_t k = 0; !r && k < host_n; k++) {
			struct addr a = host[k];

			/* A link-local address needs a scope that clients do not have. */
			if (addr_family(&a) != addr_family(&wanted[i]) || addr_is_link_local(&a))
				continue;
			addr_put_port(&a, addr_port(&wanted[i]));
			r = add_once(&v, &count, &a);
		}
	}
	free(host);
	if (!r && !count)
		r = why_set(why, -E_NOTFOUND,
		            "listen: this host has no address of the wanted kind");
	if (r) {
		free(v);
		return r;
	}
	*out = v;
	*out_n = count;
	return 0;
}

struct listener {
	struct evconnlistener *accept;
	struct event *resume;
	struct greeter *greeter;
	uint16_t port;
};

static void on_accept(struct evconnlistener *accept, evutil_socket_t fd, struct sockaddr *sa,
                      int len, void *arg)
{
	struct listener *l = arg;
	struct addr peer = {.sa = {.sa_family = AF_UNSPEC}};

	(void)accept;
	memcpy(&peer, sa, (size_t)len < sizeof(peer) ? (size_t)len : sizeof(peer));
	greeter_take(l->greeter, fd, &peer);
}

/* Out of descriptors, most likely: a pause, or the loop would spin. */
static void on_accept_error(struct evconnlistener *accept, void *arg)
{
	struct listener *l = arg;
	struct timeval pause = {.tv_usec = PAUSE_MS * 1000};

	log_warn(NULL, "accept", LOG_STR("error", strerror(errno)), LOG_INT("port", l->port));
	evconnlistener_disable(accept);
	evtimer_add(l->resume, &pause);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	evconnlistener_enable(((struct listener *)arg)->accept);
}

int listener_new(struct event_base *base, int fd, struct greeter *greeter, struct listener **out,
                 struct why *why)
{
	struct listener *l = calloc(1, sizeof(*l));
	struct addr bound;
	socklen_t len = sizeof(bound);

	if (!l) {
		close(fd);
		return why_set(why, -E_NOMEM, "out of memory");
	}
	l->greeter = greeter;
	getsockname(fd, &bound.sa, &len);
	l->port = addr_port(&bound);
	l->resume = evtimer_new(base, on_resume, l);
	l->accept = evconnlistener_new(base, on_accept, l,
	                               LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!l->resume || !l->accept) {
		if (!l->accept)
			close(fd);
		listener_free(l);
		return why_set(why, -E_NOMEM, "out of memory");
	}
	evconnlistener_set_error_cb(l->accept, on_accept_error);
	*out = l;
	return 0;
}

uint16_t listener_port(const struct listener *l)
{
	return l->port;
}

void listener_free(struct listener *l)
{
	if (!l)
		return;
	if (l->accept)
		evconnlistener_free(l->accept);
	if (l->resume)
		event_free(l->resume);
	free(l);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * All listening sockets, bound first of all.
 */
#include "daemon/listen/sockets.h"

#include "base/env_libevent.h"
#include "base/log.h"
#include "daemon/process/privilege.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG SOMAXCONN /* the kernel's limit may be smaller */

static int bind_tcp(const struct addr *addr, int *out, struct why *why)
{
	int one = 1, err, fd;
	char text[ADDR_STRLEN], what[ADDR_STRLEN + 8];

	fd = socket(addr_family(addr), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (addr_family(addr) == AF_INET6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
		env_libevent_bind_early(fd, addr_family(addr));
		if (!bind(fd, &addr->sa, addr_len(addr)) && !listen(fd, BACKLOG)) {
			*out = fd;
			return 0;
		}
	}
	err = errno;
	if (fd >= 0)
		close(fd);
	snprintf(what, sizeof(what), "TCP %s", addr_format(addr, text));
	if (privilege_explain_port(addr_port(addr), what, err, why))
		return -E_DENIED;
	return why_set(why, error_from_errno(err),
	               "listen: cannot listen on %s: %s: choose another with listen", what,
	               strerror(err));
}

static int bind_udp(const struct addr *addr, int *out, struct why *why)
{
	char text[ADDR_STRLEN], what[ADDR_STRLEN + 8];
	size_t used;
	int r = env_libevent_bind_udp(addr, true, out, why);

	if (!r)
		return 0;
	snprintf(what, sizeof(what), "UDP %s", addr_format(addr, text));
	if (r == error_from_errno(EACCES) &&
	    privilege_explain_port(addr_port(addr), what, EACCES, why))
		return -E_DENIED;
	used = strlen(why->text);
	snprintf(why->text + used, sizeof(why->text) - used, ": choose another with listen");
	return r;
}

static void learn_port(struct topology *topo, struct addr *wanted, int fd)
{
	struct addr bound;
	socklen_t len = sizeof(bound);

	if (getsockname(fd, &bound.sa, &len))
		return;
	for (size_t k = 0; k < topo->udp_n; k++) {
		struct addr *u = &topo->udp[k].addr;

		if (!addr_port(u) && addr_family(u) == addr_family(wanted) &&
		    (addr_is_any(wanted) || addr_equal_ip(wanted, u)))
			addr_put_port(u, addr_port(&bound));
	}
	addr_put_port(wanted, addr_port(&bound));
}

static int bind_all_tcp(struct sockets *s, struct topology *topo, struct why *why)
{
	size_t bound = 0;
	int r = 0;

	for (size_t i = 0; !r && i < s->tcp_n; i++) {
		struct addr *wanted = &topo->listen[i];

		r = bind_tcp(wanted, &s->tcp[i], why);
		if (r == -E_UNSUPPORTED) {
			log_warn(NULL, "family-not-here", LOG_ADDR("address", wanted),
			         LOG_STR("hint", "this host has no addresses of that family: "
			                         "remove it from listen, or turn the family on"));
			r = 0;
			continue;
		}
		if (!r)
			learn_port(topo, wanted, s->tcp[i]);
		bound += !r;
	}
	return r || bound ? r
	                  : why_set(why, -E_UNSUPPORTED,
	                            "listen: this host supports no family of addresses in listen: "
	                            "give others");
}

int sockets_bind(struct sockets *s, const struct conf *conf, struct topology *topo, size_t workers,
                 struct why *why)
{
	int r = 0;

	*s = (struct sockets){.tcp_n = conf->listen.n, .udp_n = topo->udp_n, .worker_n = workers};
	s->tcp = calloc(s->tcp_n + 1, sizeof(int));
	s->udp = calloc(s->udp_n * workers + 1, sizeof(int)); /* there may be no address yet */
	if (!s->tcp || !s->udp) {
		free(s->tcp);
		free(s->udp);
		*s = (struct sockets){.tcp = NULL};
		return why_set(why, -E_NOMEM, "out of memory");
	}
	memset(s->tcp, 0xff, s->tcp_n * sizeof(int));
	memset(s->udp, 0xff, s->udp_n * workers * sizeof(int));
	r = bind_all_tcp(s, topo, why);
	for (size_t i = 0; !r && i < s->udp_n * workers; i++) {
		r = bind_udp(&topo->udp[i % s->udp_n].addr, &s->udp[i], why);
		if (r == -E_UNSUPPORTED)
			r = 0;
	}
	return r;
}

int sockets_bind_more(const struct addr *addr, int *fds, size_t workers, struct why *why)
{
	size_t n = 0;
	int r = 0;

	while (!r && n < workers) {
		r = bind_udp(addr, &fds[n], why);
		n += !r;
	}
	while (r && n)
		close(fds[--n]);
	return r;
}

static int take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

int sockets_take_tcp(struct sockets *s, size_t i)
{
	return take(&s->tcp[i]);
}

int sockets_take_udp(struct sockets *s, size_t worker, size_t i)
{
	return take(&s->udp[worker * s->udp_n + i]);
}

void sockets_close(struct sockets *s)
{
	for (size_t i = 0; i < s->tcp_n; i++)
		if (s->tcp[i] >= 0)
			close(s->tcp[i]);
	for (size_t i = 0; i < s->udp_n * s->worker_n; i++)
		if (s->udp[i] >= 0)
			close(s->udp[i]);
	free(s->tcp);
	free(s->udp);
	*s = (struct sockets){.tcp = NULL};
}

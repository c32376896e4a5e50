/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The running server follows the host: serves new addresses and forbids them as peers; when an
 * address goes for good, everything built on it ends.
 */
#include "daemon/serve/serve_internal.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>
#include <time.h>

#define RETRY_MS                                                                                   \
	1000 /* of what failed; and the look at the host where the kernel tells nothing            \
	      */

struct turn_listener_conf serve_listener_conf(const struct serve *s, size_t i)
{
	const struct listen_addr *l = &s->topo.udp[i];

	return (struct turn_listener_conf){
	    .local = l->addr,
	    .fd = -1,
	    .relay4 = topology_relay_for(&s->topo, l, AF_INET),
	    .relay6 = topology_relay_for(&s->topo, l, AF_INET6),
	    .external = topology_external(s->conf, &l->addr),
	    .discovery = topology_discovers(s->conf, l),
	    .gone = l->presence == TURN_GONE,
	};
}

/* Opens an address for all workers: one socket each into fds. */
static bool open_address(struct serve *s, struct listen_addr *l, int *fds)
{
	struct why why;

	if (sockets_bind_more(&l->addr, fds, s->worker_n, &why)) {
		if (!l->refused)
			log_error(NULL, "listen", LOG_ADDR("address", &l->addr),
			          LOG_STR("error", why.text));
		l->refused = true;
		return false;
	}
	log_info(NULL, "listening", LOG_ADDR("address", &l->addr));
	l->served = true;
	l->refused = false;
	return true;
}

/* Every worker gets the whole list, with its own socket for what is new. False: some could not be
 * opened. */
static bool serve_addresses(struct serve *s)
{
	size_t n = s->topo.udp_n, served = 0, workers = s->worker_n;
	struct turn_listener_conf *l = calloc(n * workers + 1, sizeof(*l));
	int *fds = calloc(workers, sizeof(*fds));
	bool all = l && fds;

	for (size_t i = 0; l && fds && i < n; i++) {
		struct listen_addr *u = &s->topo.udp[i];
		bool fresh = !u->served;

		if (fresh && !open_address(s, u, fds)) {
			all = false;
			continue;
		}
		for (size_t w = 0; w < workers; w++) {
			l[w * n + served] = serve_listener_conf(s, i);
			if (fresh)
				l[w * n + served].fd = fds[w];
		}
		served++;
	}
	for (size_t w = 0; l && fds && w < workers; w++)
		worker_set_listeners(s->workers[w], &l[w * n], served);
	free(l);
	free(fds);
	return all;
}

static void set_again(struct serve *s, uint64_t ms)
{
	uint64_t in_ms = !s->host_watch && (!ms || ms > RETRY_MS) ? RETRY_MS : ms;
	const struct timeval tv = {.tv_sec = (time_t)(in_ms / 1000),
	                           .tv_usec = (suseconds_t)(in_ms % 1000 * 1000)};

	if (in_ms)
		evtimer_add(s->host_again, &tv);
	else
		evtimer_del(s->host_again);
}

/* The policy first: until the workers have it, an address that has come is a stranger. */
static void follow(struct serve *s)
{
	struct why why = {{0}};
	uint64_t again_ms = 0;
	bool changed = false;
	int r = topology_follow(s->conf, &s->topo, clock_mono_ms(), &changed, &again_ms, &why);

	if (!r && (changed || s->policy_late))
		r = reload_settings(&s->reload, &why);
	if (r)
		log_error(NULL, "host", LOG_STR("error", why.text));
	s->policy_late = r;
	if (changed || s->sockets_late)
		s->sockets_late = !serve_addresses(s);
	set_again(s, r || s->sockets_late ? RETRY_MS : again_ms);
}

static void on_host_change(void *ctx)
{
	follow(ctx);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	follow(arg);
}

/* Also catches changes since the sockets were bound. */
int serve_start_host(struct serve *s, struct why *why)
{
	struct why fault;

	s->host_again = evtimer_new(s->base, on_again, s);
	if (!s->host_again)
		return why_set(why, -E_NOMEM, "out of memory");
	if (host_watch_new(s->base, on_host_change, s, &s->host_watch, &fault))
		log_warn(
		    NULL, "host", LOG_STR("error", fault.text),
		    LOG_STR("hint", "the server looks at the addresses once a second instead"));
	follow(s);
	return 0;
}

void serve_stop_host(struct serve *s)
{
	host_watch_free(s->host_watch);
	s->host_watch = NULL;
	if (s->host_again)
		event_free(s->host_again);
	s->host_again = NULL;
}

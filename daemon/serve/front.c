/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Connections on their way to the web and to the workers.
 */
#include "daemon/serve/front.h"

#include "base/log.h"
#include "base/mailbox.h"
#include "daemon/cert/setup.h"
#include "daemon/relay/worker.h"
#include "daemon/web/web.h"
#include "daemon/web/web_http.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNDECIDED_MAX 65536 /* where there is no limit on connections */

struct front {
	const struct conf *conf;
	const struct topology *topo;
	struct net_sources *sources;
	struct greeter *greeter;
	struct mailbox *mail; /* from the workers */
	struct net_tls *tls;
	struct worker_net net;
	struct web *web; /* NULL before it starts and once it stops */
	struct worker **workers;
	size_t worker_n, next;
};

/* A web connection on its way from a worker, or until it closes. */
struct visit {
	struct front *front;
	struct web_visit web;
};

static void on_visit_end(void *ctx)
{
	struct visit *v = ctx;

	net_sources_give(v->front->sources, v->web.arrival.source);
	free(v);
}

static void take_web(void *ctx, const struct arrival *a)
{
	struct front *f = ctx;
	struct visit *v = f->web ? malloc(sizeof(*v)) : NULL;

	if (!v) {
		net_sources_give(f->sources, a->source);
		close(a->fd);
		return;
	}
	*v = (struct visit){.front = f, .web = {.arrival = *a, .gone = on_visit_end, .ctx = v}};
	web_adopt(f->web, &v->web);
}

/* The workers' listeners and the main thread's have the same addresses. */
static struct listen_addr listener_of(const struct front *f, const struct addr *local)
{
	for (size_t i = 0; i < f->topo->udp_n; i++)
		if (addr_equal(&f->topo->udp[i].addr, local))
			return f->topo->udp[i];
	return (struct listen_addr){.addr = *local, .loopback = addr_is_loopback(local)};
}

static void take_turn(void *ctx, const struct arrival *a)
{
	struct front *f = ctx;
	struct listen_addr from = listener_of(f, &a->local);
	struct net_client c = {.fd = a->fd,
	                       .tls = a->tls,
	                       .client = a->client,
	                       .local = a->local,
	                       .relay4 = topology_relay_for(f->topo, &from, AF_INET),
	                       .relay6 = topology_relay_for(f->topo, &from, AF_INET6),
	                       .source = a->source};

	if (!f->worker_n) {
		net_sources_give(f->sources, a->source);
		close(a->fd);
		return;
	}
	worker_accept(f->workers[f->next++ % f->worker_n], &c);
}

static const struct greeter_ops greeter_ops = {.web = take_web, .turn = take_turn};

/* Its head is looked at like that of any other. One that comes while the server stops is closed. */
static void take_arrival(void *owner, void *arg)
{
	struct front *f = owner;
	struct arrival *a = arg;

	if (f->web)
		greeter_take_http(f->greeter, a);
	else
		close(a->fd);
	free(a);
}

static char *fault_text(const struct http_fault *fault, size_t *len)
{
	return web_http_error(fault->status, fault->code, fault->message, len);
}

/* The limit of all connections: below it, no client is turned away for being slow. */
static uint32_t undecided_max(const struct conf *c)
{
	return c->max_tcp_connections ? (uint32_t)c->max_tcp_connections : UNDECIDED_MAX;
}

/* On a worker's thread. Its own end of the connection is what counts for the limits. */
static void on_http(void *ctx, int fd, const struct net_client *from)
{
	struct front *f = ctx;
	struct arrival *a = calloc(1, sizeof(*a));

	if (!a) {
		close(fd);
		return;
	}
	*a =
	    (struct arrival){.fd = fd, .client = from->client, .local = from->local, .https = true};
	if (mailbox_post(f->mail, take_arrival, a)) {
		close(fd);
		free(a);
	}
}

static int load_tls(const struct conf *conf, struct net_tls **out, struct why *why)
{
	struct setup_cert paths;

	setup_cert_paths(conf, &paths);
	return net_tls_load(paths.cert, paths.key, out, why);
}

static void fill_net(struct front *f)
{
	const struct conf *c = f->conf;

	f->net = (struct worker_net){
	    .conf = {.first_message_timeout_ms = (uint32_t)c->first_message_timeout * 1000,
	             .idle_timeout_ms = (uint32_t)c->idle_timeout * 1000,
	             .client_backlog = (uint32_t)c->client_backlog,
	             .max_dtls_sessions = (uint32_t)c->max_dtls_sessions,
	             .sources = f->sources},
	    .tls = f->tls,
	    .http = on_http,
	    .ctx = f};
}

int front_new(struct event_base *base, const struct conf *conf, const struct topology *topo,
              struct front **out, struct why *why)
{
	struct front *f = calloc(1, sizeof(*f));
	struct greeter_conf greeter = {.proxy_from = &conf->proxy_from,
	                               .trusted_proxy = &conf->trusted_proxy,
	                               .proxy_listeners = conf->listen.proxy != 0,
	                               .fault = fault_text};
	int r = -E_NOMEM;

	if (!f)
		return why_set(why, r, "out of memory");
	f->conf = conf;
	f->topo = topo;
	f->mail = mailbox_new(base, f);
	f->sources = net_sources_new(0, 0);
	greeter.sources = f->sources;
	f->greeter = greeter_new(base, &greeter, &greeter_ops, f);
	if (!f->mail || !f->sources || !f->greeter) {
		why_set(why, r, "out of memory or descriptors");
		goto out;
	}
	r = load_tls(conf, &f->tls, why);
	if (r)
		goto out;
	front_reconfigure(f); /* workers start with it */
	*out = f;
	return 0;
out:
	front_free(f);
	return r;
}

struct greeter *front_greeter(struct front *f)
{
	return f->greeter;
}

const struct worker_net *front_worker_net(const struct front *f)
{
	return &f->net;
}

void front_open(struct front *f, struct web *web, struct worker **workers, size_t worker_n)
{
	f->web = web;
	f->workers = workers;
	f->worker_n = worker_n;
	for (size_t i = 0; i < worker_n; i++)
		worker_set_others(workers[i], workers, worker_n);
}

void front_close_web(struct front *f)
{
	if (f)
		f->web = NULL;
}

uint64_t front_connections(const struct front *f)
{
	return net_sources_total(f->sources);
}

void front_get_proxy_faults(const struct front *f, uint64_t faults[GREETER_FAULT_N])
{
	greeter_get_faults(f->greeter, faults);
}

uint64_t front_refused(const struct front *f)
{
	return greeter_refused(f->greeter);
}

void front_set_tls(struct front *f, struct net_tls *tls)
{
	net_tls_ref(tls);
	net_tls_unref(f->tls);
	f->tls = f->net.tls = tls;
	for (size_t i = 0; i < f->worker_n; i++)
		worker_set_tls(f->workers[i], tls);
}

int64_t front_cert_expires_at_s(const struct front *f)
{
	return net_tls_expires_at_s(f->tls);
}

void front_reconfigure(struct front *f)
{
	const struct conf *c = f->conf;

	net_sources_set_limits(f->sources, (uint32_t)c->connections_per_address,
	                       (uint32_t)c->max_tcp_connections);
	greeter_set_limits(f->greeter, (uint32_t)c->first_message_timeout * 1000, undecided_max(c));
	fill_net(f);
}

void front_free(struct front *f)
{
	if (!f)
		return;
	mailbox_free(f->mail); /* runs the mail that is left, so it goes first */
	greeter_free(f->greeter);
	net_tls_unref(f->tls);
	net_sources_free(f->sources);
	free(f);
}

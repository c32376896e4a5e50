/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The hub on the virtual network. A client's WebSocket is a stream: an empty
 * frame opens it, one of a single byte HUB_BYE ends it, others are text.
 */
#include "harness/sim/agent.h"
#include "harness/sim/net.h"
#include "harness/sim/node.h"
#include "harness/sim/watch.h"
#include "signal/hub.h"

#include <stdlib.h>

struct conn {
	struct ep client;
	struct hub_member *member;
};

struct sim_hub {
	struct sim *sim;
	struct hub *hub;
	struct env_udp *udp;
	struct conn *conn; /* by agent; member NULL: not connected */
	struct watch_hub *watch;
};

static int on_send(void *ctx, void *conn, enum hub_frame frame, struct hub_text *text)
{
	struct sim_hub *h = ctx;
	struct addr to = ep_addr(((struct conn *)conn)->client);

	/* To all, at each coming and going; our clients have no use for it. */
	if (frame == HUB_FRAME_USERLIST)
		return 0;
	env_udp_send(h->udp, &to, (const uint8_t *)text->data, text->len);
	return 0;
}

/* Our clients give no cause for it. */
static void on_close(void *ctx, void *conn, enum hub_close code, const char *reason)
{
	struct sim_hub *h = ctx;

	sim_check(h->sim, SIM_HUB_ONCE, false, 0, "the hub closed agent %u's connection (%d, %s)",
	          ((struct conn *)conn)->client.ip & 0xffff, code, reason);
}

static int64_t on_now(void *ctx)
{
	return (int64_t)sim_now(((struct sim_hub *)ctx)->sim);
}

static const struct hub_ops ops = {.send = on_send, .close = on_close, .now_ms = on_now};

static void on_frame(struct sim_hub *h, struct ep from, const struct datagram *d)
{
	struct conn *c = &h->conn[from.ip & 0xffff];

	if (!d->len && !c->member) {
		c->client = from;
		hub_join(h->hub, c, &(struct hub_visit){0}, &c->member);
	} else if (d->len == 1 && *d->data == HUB_BYE) {
		hub_leave(c->member, HUB_CLOSE_NORMAL);
		c->member = NULL;
	} else if (c->member) {
		hub_text(c->member, (const char *)d->data, d->len);
	}
}

static void on_batch(void *arg, struct env_udp *u, struct datagram *d, size_t n)
{
	(void)u;
	for (size_t i = 0; i < n; i++)
		on_frame(arg, ep_of(&d[i].peer), &d[i]);
}

struct sim_hub *sim_hub_new(struct sim *s)
{
	struct sim_hub *h = calloc(1, sizeof(*h));
	struct env_udp_params p = {
	    .local = ep_addr(sim_net_web_hub()), .fd = -1, .on_batch = on_batch, .arg = h};
	struct hub_conf conf;

	if (!h)
		return NULL;
	h->sim = s;
	hub_conf_default(&conf);
	if (conf.max_connections < s->agents)
		conf.max_connections = s->agents;
	h->hub = hub_new(&conf, &ops, h);
	h->conn = calloc(s->agents, sizeof(*h->conn));
	h->watch = watch_hub_new(s);
	if (!h->hub || !h->conn || !h->watch || env_udp_open(s->env, &p, &h->udp)) {
		sim_hub_free(h);
		return NULL;
	}
	return h;
}

void sim_hub_free(struct sim_hub *h)
{
	if (!h)
		return;
	env_udp_close(h->udp);
	hub_free(h->hub);
	watch_hub_free(h->watch);
	free(h->conn);
	free(h);
}

unsigned int sim_hub_members(const struct sim_hub *h)
{
	return hub_member_count(h->hub);
}

unsigned int sim_hub_calls(const struct sim_hub *h)
{
	return hub_call_count(h->hub);
}

struct watch_hub *sim_hub_watch(const struct sim_hub *h)
{
	return h->watch;
}

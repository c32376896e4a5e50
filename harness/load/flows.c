/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sockets on both sides of the server. A client's side speaks ChannelData (RFC
 * 8656 section 12.4) or Send and Data indications (section 11).
 */
#include "harness/load/flows.h"

#include "turn/wire/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS   256
#define PEER_BIT (UINT64_C(1) << 63)

static const uint8_t mark[4] = {'l', 'o', 'a', 'd'};

static int listen_to(struct flows *f, int fd, uint64_t id, struct why *why)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u64 = id};

	if (epoll_ctl(f->epoll, EPOLL_CTL_ADD, fd, &e))
		return why_set(why, error_from_errno(errno), "epoll: %s", strerror(errno));
	return 0;
}

static int open_peer(struct flow *w, struct why *why)
{
	w->link.fd = load_peer_socket(&w->peer);
	if (w->link.fd < 0 ||
	    connect(w->link.fd, &w->client.relayed.sa, addr_len(&w->client.relayed)))
		return why_set(why, error_from_errno(errno), "no socket for a peer: %s",
		               strerror(errno));
	return 0;
}

static int open_way(struct flows *f, struct flow *w, struct why *why)
{
	return f->load->indications ? load_client_permit(&w->client, &w->peer, why)
	                            : load_client_bind_channel(&w->client, &w->peer, why);
}

int flows_open(struct flows *f, const struct load *l, enum link_transport t, struct why *why)
{
	int r = 0;

	*f = (struct flows){.load = l, .epoll = epoll_create1(EPOLL_CLOEXEC)};
	f->flow = calloc(l->flows, sizeof(*f->flow));
	f->waiting = calloc(l->flows, sizeof(*f->waiting));
	if (!f->flow || !f->waiting || f->epoll < 0)
		return why_set(why, -E_NOMEM, "out of memory");
	for (; f->n < l->flows; f->n++) {
		struct flow *w = &f->flow[f->n];

		w->link.fd = -1;
		r = load_client_open(&w->client, t, why);
		if (r)
			return r;
		r = load_client_allocate(&w->client, why);
		if (!r && !l->hairpin)
			r = open_peer(w, why);
		if (!r && !l->hairpin)
			r = listen_to(f, w->link.fd, f->n | PEER_BIT, why);
		if (!r)
			r = listen_to(f, w->client.link.fd, f->n, why);
		if (r) {
			f->n++;
			return r;
		}
	}
	for (size_t i = 0; i < f->n && !r; i++) {
		if (l->hairpin) /* pairs: 0 and 1, 2 and 3 */
			f->flow[i].peer = f->flow[i ^ 1].client.relayed;
		r = open_way(f, &f->flow[i], why);
	}
	return r;
}

void flows_close(struct flows *f)
{
	for (size_t i = 0; i < f->n; i++) {
		link_close(&f->flow[i].client.link);
		link_close(&f->flow[i].link);
	}
	if (f->epoll >= 0)
		close(f->epoll);
	free(f->flow);
	free(f->waiting);
	f->flow = NULL;
	f->waiting = NULL;
	f->n = 0;
}

static void stamp(uint8_t *payload, uint64_t now_ns)
{
	memcpy(payload, mark, sizeof(mark));
	memcpy(payload + sizeof(mark), &now_ns, sizeof(now_ns));
}

/* Messages for one stream leave in one write. */
static bool put(struct flows *f, size_t i, const uint8_t *data, size_t len)
{
	struct flow *w = &f->flow[i];
	bool ok = link_put(&w->client.link, data, len);

	if (link_is_stream(w->client.link.transport) && !w->waits) {
		w->waits = true;
		f->waiting[f->waiting_n++] = (uint32_t)i;
	}
	return ok;
}

static void watch(struct flows *f, size_t i, bool on)
{
	struct epoll_event e = {.events = EPOLLIN | (on ? EPOLLOUT : 0), .data.u64 = i};

	if (f->flow[i].watched != on)
		epoll_ctl(f->epoll, EPOLL_CTL_MOD, f->flow[i].client.link.fd, &e);
	f->flow[i].watched = on;
}

static void flush(struct flows *f, size_t i)
{
	watch(f, i, !link_flush(&f->flow[i].client.link));
}

static bool send_indication(struct flows *f, size_t i, size_t size, uint64_t now_ns)
{
	static struct wire m;
	static uint8_t payload[LINK_MESSAGE_MAX];
	struct flow *w = &f->flow[i];

	stamp(payload, now_ns);
	wire_start(&m, W_SEND, ++w->client.tid);
	wire_add_xor_addr(&m, ATTR_XOR_PEER_ADDRESS, &w->peer);
	wire_add(&m, ATTR_DATA, payload, size);
	return put(f, i, m.buf, m.len);
}

bool flows_send(struct flows *f, size_t i, bool from_peer, size_t size, uint64_t now_ns)
{
	static uint8_t packet[4 + LINK_MESSAGE_MAX] = {LOAD_CHANNEL >> 8, LOAD_CHANNEL & 0xff};
	struct flow *w = &f->flow[i];
	size_t len = 4 + size;

	if (!from_peer && f->load->indications)
		return send_indication(f, i, size, now_ns);
	packet[2] = (uint8_t)(size >> 8);
	packet[3] = (uint8_t)size;
	stamp(packet + 4, now_ns);
	if (from_peer)
		return link_put(&w->link, packet + 4, size);
	if (link_is_stream(w->client.link.transport)) /* RFC 8656 section 12.5 */
		len = (len + 3) / 4 * 4;
	return put(f, i, packet, len);
}

struct taking {
	bool from_peer;
	flow_fn *fn;
	void *arg;
	size_t came;
};

static void on_message(void *arg, const uint8_t *m, size_t len)
{
	struct taking *t = arg;
	const uint8_t *data = t->from_peer ? m : wire_payload(m, len, &len);
	uint64_t sent_ns;

	if (!data || len < FLOW_STAMP || memcmp(data, mark, sizeof(mark)) != 0)
		return;
	memcpy(&sent_ns, data + sizeof(mark), sizeof(sent_ns));
	t->fn(t->arg, sent_ns);
	t->came++;
}

size_t flows_take(struct flows *f, int wait_ms, flow_fn *fn, void *arg)
{
	struct epoll_event events[EVENTS];
	struct taking t = {.fn = fn, .arg = arg};
	int n;

	for (size_t i = 0; i < f->waiting_n; i++) {
		f->flow[f->waiting[i]].waits = false;
		flush(f, f->waiting[i]);
	}
	f->waiting_n = 0;
	do {
		n = epoll_wait(f->epoll, events, EVENTS, wait_ms);
		for (int i = 0; i < n; i++) {
			uint64_t id = events[i].data.u64;
			struct flow *w = &f->flow[id & ~PEER_BIT];

			t.from_peer = id & PEER_BIT;
			if (events[i].events & EPOLLOUT)
				flush(f, id);
			if (link_take(t.from_peer ? &w->link : &w->client.link, on_message, &t))
				f->closed = true;
		}
	} while (n > 0 && wait_ms && !t.came && !f->closed);
	return t.came;
}

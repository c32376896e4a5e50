/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sockets on both sides of the server. A client's side speaks ChannelData (RFC
 * 8656 section 12.4) or Send and Data indications (section 11).
 */
#include "harness/load/flows.h"

#include "turn/tests/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS   256
#define BATCH    32
#define ROOM     2048
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
	w->peer_fd = client_peer_socket(&w->peer);
	if (w->peer_fd < 0 ||
	    connect(w->peer_fd, &w->client.relayed.sa, addr_len(&w->client.relayed)))
		return why_set(why, error_from_errno(errno), "no socket for a peer: %s",
		               strerror(errno));
	return 0;
}

static int open_way(struct flows *f, struct flow *w, struct why *why)
{
	return f->load->indications ? client_permit(&w->client, &w->peer, why)
	                            : client_bind_channel(&w->client, &w->peer, why);
}

int flows_open(struct flows *f, const struct load *l, struct why *why)
{
	int r = 0;

	*f = (struct flows){.load = l, .epoll = epoll_create1(EPOLL_CLOEXEC)};
	f->flow = calloc(l->flows, sizeof(*f->flow));
	if (!f->flow || f->epoll < 0)
		return why_set(why, -E_NOMEM, "out of memory");
	for (; f->n < l->flows; f->n++) {
		struct flow *w = &f->flow[f->n];

		w->peer_fd = -1;
		r = client_open(&w->client, why);
		if (r)
			return r;
		r = client_allocate(&w->client, why);
		if (!r && !l->hairpin)
			r = open_peer(w, why);
		if (!r && !l->hairpin)
			r = listen_to(f, w->peer_fd, f->n | PEER_BIT, why);
		if (!r)
			r = listen_to(f, w->client.fd, f->n, why);
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
		client_close(&f->flow[i].client);
		if (f->flow[i].peer_fd >= 0)
			close(f->flow[i].peer_fd);
	}
	if (f->epoll >= 0)
		close(f->epoll);
	free(f->flow);
	f->flow = NULL;
	f->n = 0;
}

static void stamp(uint8_t *payload, uint64_t now_ns)
{
	memcpy(payload, mark, sizeof(mark));
	memcpy(payload + sizeof(mark), &now_ns, sizeof(now_ns));
}

static bool put(int fd, const uint8_t *data, size_t len)
{
	return send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len;
}

static bool send_indication(struct flow *w, size_t size, uint64_t now_ns)
{
	static struct wire m;
	static uint8_t payload[ROOM];
	char text[ADDR_STRLEN];

	stamp(payload, now_ns);
	wire_start(&m, W_SEND, ++w->client.tid);
	wire_add_xor_addr(&m, 0x0012, addr_format(&w->peer, text));
	wire_add(&m, 0x0013, payload, size);
	return put(w->client.fd, m.buf, m.len);
}

bool flows_send(struct flows *f, size_t i, bool from_peer, size_t size, uint64_t now_ns)
{
	static uint8_t packet[4 + ROOM] = {CLIENT_CHANNEL >> 8, CLIENT_CHANNEL & 0xff};
	struct flow *w = &f->flow[i];

	if (!from_peer && f->load->indications)
		return send_indication(w, size, now_ns);
	packet[2] = (uint8_t)(size >> 8);
	packet[3] = (uint8_t)size;
	stamp(packet + 4, now_ns);
	return from_peer ? put(w->peer_fd, packet + 4, size) : put(w->client.fd, packet, size + 4);
}

/* The payload of what came to a client, or NULL. */
static const uint8_t *unwrap(const uint8_t *m, size_t len, size_t *n)
{
	if (len >= 4 && m[0] == CLIENT_CHANNEL >> 8 && m[1] == (CLIENT_CHANNEL & 0xff)) {
		*n = len - 4;
		return m + 4;
	}
	return len >= 20 && wire_type(m) == W_DATA ? wire_get(m, len, 0x0013, n) : NULL;
}

static size_t take_from(struct flows *f, uint64_t id, flow_fn *fn, void *arg)
{
	static uint8_t room[BATCH][ROOM];
	struct mmsghdr msg[BATCH] = {0};
	struct iovec iov[BATCH];
	const struct flow *w = &f->flow[id & ~PEER_BIT];
	size_t came = 0;
	int n;

	for (size_t i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){room[i], ROOM};
		msg[i].msg_hdr.msg_iov = &iov[i];
		msg[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(id & PEER_BIT ? w->peer_fd : w->client.fd, msg, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		size_t len = msg[i].msg_len;
		const uint8_t *data =
		    id & PEER_BIT ? room[i] : unwrap(room[i], msg[i].msg_len, &len);
		uint64_t sent_ns;

		if (!data || len < FLOW_STAMP || memcmp(data, mark, sizeof(mark)) != 0)
			continue;
		memcpy(&sent_ns, data + sizeof(mark), sizeof(sent_ns));
		fn(arg, sent_ns);
		came++;
	}
	return came;
}

size_t flows_take(struct flows *f, int wait_ms, flow_fn *fn, void *arg)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(f->epoll, events, EVENTS, wait_ms);
	size_t came = 0;

	for (int i = 0; i < n; i++)
		came += take_from(f, events[i].data.u64, fn, arg);
	return came;
}

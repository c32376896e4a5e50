/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The prober. Server and client sockets live in different namespaces but in
 * this one process, so a test is a send and a turn of one poll loop. All
 * questions are asked at once: silence is waited for only once.
 */
#include "harness/lab/probe.h"

#include "base/clock.h"
#include "harness/lab/inside.h"
#include "harness/lab/stun.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define RESEND_MS 60 /* UDP may lose one even here: each probe is sent until it is answered */

/* Two addresses and two ports, [address][port], as RFC 5780 asks of a server. */
static const char *const server_ip[2][2] = {{LAB_SERVER_IP, LAB_SERVER_IP_TWO},
                                            {LAB_SERVER_IP6, LAB_SERVER_IP6_TWO}};
static const uint16_t server_port[2] = {13478, 13479};

/* A socket for each matter: an earlier packet would have opened the filter. */
enum client { MAPPED, OTHER_ADDRESS, OTHER_PORT, NEAR, INSIDE, CLIENTS };

/* Four of them from one socket, which tells the mapping. The last goes to the socket MAPPED
 * itself, by its outside address. */
static const struct question {
	enum client client;
	int ip, port;
	unsigned change;
} questions[] = {
    {MAPPED, 0, 0, 0},
    {MAPPED, 0, 1, 0},
    {MAPPED, 1, 0, 0},
    {MAPPED, 1, 1, 0},
    {OTHER_ADDRESS, 0, 0, STUN_CHANGE_IP | STUN_CHANGE_PORT},
    {OTHER_PORT, 0, 0, STUN_CHANGE_PORT},
    {NEAR, 0, 0, 0},
    {INSIDE, 0, 0, 0},
};

#define QUESTIONS (sizeof(questions) / sizeof(*questions))
#define HAIRPIN   (QUESTIONS - 1)
#define FDS       (4 + CLIENTS)

struct family {
	int family; /* of the server */
	bool open;  /* the client can send at all */
	int server[2][2];
	int client[CLIENTS];
	uint8_t tid[QUESTIONS][STUN_TID_LEN];
	bool done[QUESTIONS];
	struct probe_facts facts;
};

struct probe {
	const struct probe_target *target;
	struct family family[2];
	int64_t progress_ms; /* when the last answer came */
};

int probe_server_addr(const struct probe_target *t, int family, int ip, uint16_t port,
                      struct addr *out)
{
	struct addr v4;
	size_t len;

	if (family == AF_INET6 || !t->nat64)
		return addr_parse_ip(out, server_ip[family == AF_INET6][ip], port);
	if (addr_parse_ip(&v4, server_ip[0][ip], port) != 0 ||
	    addr_parse_ip(out, LAB_NAT64_PREFIX, port) != 0)
		return -E_PARSE;
	memcpy(&out->in6.sin6_addr.s6_addr[12], addr_ip(&v4, &len), 4);
	return 0;
}

static struct addr server_addr(const struct probe *p, const struct family *f, int ip, int port)
{
	struct addr a = {.sa = {.sa_family = AF_UNSPEC}};

	probe_server_addr(p->target, f->family, ip, server_port[port], &a);
	return a;
}

static int open_servers(struct probe *p, struct family *f, struct why *why)
{
	for (int ip = 0; ip < 2; ip++) {
		for (int port = 0; port < 2; port++) {
			const char *text = server_ip[f->family == AF_INET6][ip];
			int fd = lab_socket(p->target->server_ns, f->family, SOCK_DGRAM, why);
			struct addr a;

			if (fd < 0)
				return fd;
			f->server[ip][port] = fd;
			if (addr_parse_ip(&a, text, server_port[port]) != 0 ||
			    bind(fd, &a.sa, addr_len(&a)) != 0)
				return why_set(why, error_from_errno(errno),
				               "prober: bind %s port %u: %s", text,
				               server_port[port], strerror(errno));
		}
	}
	return 0;
}

/* The client's address on the way to the server: connecting a datagram socket shows it. A client
 * without a route cannot send; that is a finding and no error. */
static int find_local(struct probe *p, struct family *f, struct why *why)
{
	struct addr to = server_addr(p, f, 0, 0);
	socklen_t len = sizeof(f->facts.local);
	int fd = lab_socket(p->target->client_ns, addr_family(&to), SOCK_DGRAM, why);

	if (fd < 0)
		return fd;
	f->open = connect(fd, &to.sa, addr_len(&to)) == 0 &&
	          getsockname(fd, &f->facts.local.sa, &len) == 0;
	close(fd);
	return 0;
}

static int open_clients(struct probe *p, struct family *f, struct why *why)
{
	const int on = 1, ttl = 2; /* one router takes one off; a second would drop it */
	int err = find_local(p, f, why);

	for (int i = 0; i < CLIENTS && err == 0 && f->open; i++) {
		struct addr a = f->facts.local;
		socklen_t len = sizeof(a);
		int fd = lab_socket(p->target->client_ns, addr_family(&a), SOCK_DGRAM, why);

		if (fd < 0)
			return fd;
		f->client[i] = fd;
		addr_put_port(&a, 0);
		if (bind(fd, &a.sa, addr_len(&a)) != 0 || getsockname(fd, &a.sa, &len) != 0)
			return why_set(why, error_from_errno(errno), "prober: bind: %s",
			               strerror(errno));
		if (i == MAPPED) {
			f->facts.local = a;
			setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
		}
		if (i == NEAR)
			setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
	}
	return err;
}

/* Answers one request, from the socket that its CHANGE-REQUEST names. */
static void serve(struct family *f, int ip, int port)
{
	uint8_t pkt[STUN_PACKET_MAX], tid[STUN_TID_LEN];
	struct addr from;
	socklen_t from_len = sizeof(from);
	unsigned change;
	ssize_t n =
	    recvfrom(f->server[ip][port], pkt, sizeof(pkt), MSG_DONTWAIT, &from.sa, &from_len);

	if (n < 0 || stun_parse_request(pkt, (size_t)n, tid, &change) != 0)
		return;
	if (change & STUN_CHANGE_IP)
		ip = !ip;
	if (change & STUN_CHANGE_PORT)
		port = !port;
	n = (ssize_t)stun_binding_response(pkt, tid, &from);
	/* A lost answer is asked for again. */
	(void)!sendto(f->server[ip][port], pkt, (size_t)n, 0, &from.sa, from_len);
}

static void note(struct probe_facts *facts, size_t i, const struct addr *mapped)
{
	const struct question *q = &questions[i];

	switch (q->client) {
	case MAPPED:
		facts->answered[q->ip][q->port] = true;
		facts->mapped[q->ip][q->port] = *mapped;
		break;
	case OTHER_ADDRESS:
		facts->other_address = true;
		break;
	case OTHER_PORT:
		facts->other_port = true;
		break;
	case NEAR:
		facts->near = true;
		break;
	case INSIDE:
		facts->hairpin = true;
		break;
	case CLIENTS:
		break;
	}
}

/* An answer counts only when it comes from the very server socket that should send it. */
static void take_answer(struct probe *p, struct family *f, const uint8_t *tid,
                        const struct addr *from, const struct addr *mapped)
{
	for (size_t i = 0; i < HAIRPIN; i++) {
		const struct question *q = &questions[i];
		struct addr expect = server_addr(p, f, q->change & STUN_CHANGE_IP ? !q->ip : q->ip,
		                                 q->change & STUN_CHANGE_PORT ? !q->port : q->port);

		if (f->done[i] || memcmp(tid, f->tid[i], STUN_TID_LEN) != 0 ||
		    !addr_equal(from, &expect))
			continue;
		f->done[i] = true;
		note(&f->facts, i, mapped);
		p->progress_ms = clock_mono_ms();
	}
}

/* Looks at what ICMP told. The queue is asked and not errno, which another call may have had. */
static void drain_errors(struct family *f, int fd)
{
	char control[512], data[STUN_PACKET_MAX];
	struct iovec iov = {data, sizeof(data)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	for (;;) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		if (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
			struct sock_extended_err e;

			if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_RECVERR)
				continue;
			memcpy(&e, CMSG_DATA(c), sizeof(e));
			f->facts.refused = f->facts.refused || e.ee_errno == ECONNREFUSED;
		}
	}
}

static void read_client(struct probe *p, struct family *f, enum client client)
{
	uint8_t pkt[STUN_PACKET_MAX], tid[STUN_TID_LEN];
	struct addr from, mapped;
	socklen_t from_len = sizeof(from);
	unsigned change;
	ssize_t n =
	    recvfrom(f->client[client], pkt, sizeof(pkt), MSG_DONTWAIT, &from.sa, &from_len);

	if (n < 0) {
		drain_errors(f, f->client[client]);
		return;
	}
	if (stun_parse_response(pkt, (size_t)n, tid, &mapped) == 0)
		take_answer(p, f, tid, &from, &mapped);
	/* RFC 4787 REQ-9: by its outside address. Straight across the LAN does not count. */
	else if (client == MAPPED && stun_parse_request(pkt, (size_t)n, tid, &change) == 0 &&
	         !memcmp(tid, f->tid[HAIRPIN], STUN_TID_LEN) &&
	         addr_equal_ip(&from, &f->facts.mapped[0][0])) {
		f->done[HAIRPIN] = f->facts.hairpin = true;
		p->progress_ms = clock_mono_ms();
	}
}

/* Only a translated address has another side to come in by. */
static bool hairpin_asked(const struct family *f)
{
	return f->facts.answered[0][0] && !addr_equal(&f->facts.mapped[0][0], &f->facts.local) &&
	       addr_family(&f->facts.mapped[0][0]) == addr_family(&f->facts.local);
}

static void ask_all(struct probe *p, struct family *f)
{
	uint8_t pkt[STUN_PACKET_MAX];

	for (size_t i = 0; i < QUESTIONS; i++) {
		const struct question *q = &questions[i];
		struct addr to = server_addr(p, f, q->ip, q->port);

		if (f->done[i] || (i == HAIRPIN && !hairpin_asked(f)))
			continue;
		if (i == HAIRPIN)
			to = f->facts.mapped[0][0];
		/* A failed send is repeated soon. */
		(void)!sendto(f->client[q->client], pkt,
		              stun_binding_request(pkt, f->tid[i], q->change), 0, &to.sa,
		              addr_len(&to));
	}
}

static bool all_done(const struct family *f)
{
	for (size_t i = 0; i < QUESTIONS && f->open; i++) {
		if (!f->done[i] && (i != HAIRPIN || hairpin_asked(f)))
			return false;
	}
	return true;
}

static void turn(struct probe *p, int64_t until)
{
	struct pollfd fds[2 * FDS];

	for (int k = 0; k < 2; k++) {
		struct family *f = &p->family[k];

		for (int i = 0; i < 4; i++)
			fds[k * FDS + i] = (struct pollfd){f->server[i / 2][i % 2], POLLIN, 0};
		for (int i = 0; i < CLIENTS; i++)
			fds[k * FDS + 4 + i] = (struct pollfd){f->client[i], POLLIN, 0};
	}
	poll(fds, 2 * FDS, clock_left_ms(until));
	for (int i = 0; i < 2 * FDS; i++) {
		struct family *f = &p->family[i / FDS];
		int n = i % FDS;

		if (!fds[i].revents)
			continue;
		if (n < 4)
			serve(f, n / 2, n % 2);
		else
			read_client(p, f, n - 4);
	}
}

static void gather(struct probe *p)
{
	int64_t resend_at = 0;
	bool hairpin = false;

	p->progress_ms = clock_mono_ms();
	for (;;) {
		int64_t now = clock_mono_ms(), deadline = p->progress_ms + p->target->patience_ms;
		bool now_hairpin = hairpin_asked(&p->family[0]);

		if (now >= deadline || (all_done(&p->family[0]) && all_done(&p->family[1])))
			return;
		if (now >= resend_at || now_hairpin != hairpin) {
			for (int k = 0; k < 2; k++) {
				if (p->family[k].open)
					ask_all(p, &p->family[k]);
			}
			resend_at = now + RESEND_MS;
			hairpin = now_hairpin;
		}
		turn(p, resend_at < deadline ? resend_at : deadline);
	}
}

void probe_judge(const struct probe_facts *f, struct nat_behaviour *out)
{
	bool by_port = addr_equal(&f->mapped[0][0], &f->mapped[0][1]) &&
	               addr_equal(&f->mapped[1][0], &f->mapped[1][1]);
	bool by_address = addr_equal(&f->mapped[0][0], &f->mapped[1][0]);

	*out = (struct nat_behaviour){
	    .udp = f->answered[0][0] && f->answered[0][1] && f->answered[1][0] && f->answered[1][1],
	};
	if (!by_port)
		out->mapping = NAT_MAP_ADDRESS_PORT_DEPENDENT;
	else if (!by_address)
		out->mapping = NAT_MAP_ADDRESS_DEPENDENT;
	else if (addr_equal(&f->mapped[0][0], &f->local))
		out->mapping = NAT_MAP_NONE;
	else
		out->mapping = NAT_MAP_ENDPOINT_INDEPENDENT;
	if (f->other_address)
		out->filtering = NAT_FILTER_ENDPOINT_INDEPENDENT;
	else if (f->other_port)
		out->filtering = NAT_FILTER_ADDRESS_DEPENDENT;
	else
		out->filtering = NAT_FILTER_ADDRESS_PORT_DEPENDENT;
}

static int open_family(struct probe *p, struct family *f, int family, struct why *why)
{
	int err;

	f->family = family;
	if (getrandom(f->tid, sizeof(f->tid), 0) != sizeof(f->tid))
		return why_set(why, -E_IO, "prober: getrandom: %s", strerror(errno));
	err = open_servers(p, f, why);
	return err == 0 ? open_clients(p, f, why) : err;
}

static void close_family(struct family *f)
{
	for (int i = 0; i < 4; i++) {
		if (f->server[i / 2][i % 2] >= 0)
			close(f->server[i / 2][i % 2]);
	}
	for (int i = 0; i < CLIENTS; i++) {
		if (f->client[i] >= 0)
			close(f->client[i]);
	}
}

static void judge_all(const struct probe *p, const struct reach *r, struct nat_claim *out)
{
	const struct probe_facts *v4 = &p->family[0].facts, *v6 = &p->family[1].facts;

	memset(out, 0, sizeof(*out));
	probe_judge(v4, &out->v4);
	probe_judge(v6, &out->v6);
	out->rejected = v4->refused || v6->refused;
	out->hairpin = v4->hairpin;
	/* A translated packet's TTL is the translator's affair. */
	out->twice = out->v4.udp && !v4->near && !p->target->nat64;
	reach_judge(&r->facts, out);
}

int probe_nat(const struct probe_target *t, struct nat_claim *out, struct why *why)
{
	struct probe p = {.target = t};
	struct reach r;
	int err;

	for (int k = 0; k < 2; k++) {
		memset(p.family[k].server, -1, sizeof(p.family[k].server));
		memset(p.family[k].client, -1, sizeof(p.family[k].client));
	}
	err = reach_begin(&r, t, why);
	if (err == 0)
		err = open_family(&p, &p.family[0], AF_INET, why);
	if (err == 0)
		err = open_family(&p, &p.family[1], AF_INET6, why);
	if (err == 0) {
		gather(&p);
		err = reach_end(&r, why);
	}
	if (err == 0)
		judge_all(&p, &r, out);
	close_family(&p.family[0]);
	close_family(&p.family[1]);
	reach_close(&r);
	return err;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The prober. Server and client sockets live in different namespaces but in
 * this one process, so a test is a send and a turn of one poll loop.
 */
#include "harness/lab/probe.h"

#include "harness/clock.h"
#include "harness/lab/lab.h"
#include "harness/lab/stun.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define RESEND_MS 60 /* UDP may lose one even here: each probe is sent until it is answered */

/* Two addresses and two ports, [address][port], as RFC 5780 asks of a server. */
static const char *const server_ip[2] = {LAB_SERVER_IP, LAB_SERVER_IP_TWO};
static const uint16_t server_port[2] = {13478, 13479};

struct probe {
	int server[2][2];
	int client;
	int64_t patience_ms;
};

static struct sockaddr_in server_addr(int ip, int port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(server_port[port])};

	inet_pton(AF_INET, server_ip[ip], &sin.sin_addr);
	return sin;
}

static bool same_addr(const struct sockaddr_in *a, const struct sockaddr_in *b)
{
	return a->sin_addr.s_addr == b->sin_addr.s_addr && a->sin_port == b->sin_port;
}

static int open_servers(struct probe *p, int server_ns, struct why *why)
{
	for (int ip = 0; ip < 2; ip++) {
		for (int port = 0; port < 2; port++) {
			struct sockaddr_in sin = server_addr(ip, port);
			int fd = lab_socket(server_ns, AF_INET, SOCK_DGRAM, why);

			if (fd < 0)
				return fd;
			p->server[ip][port] = fd;
			if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) != 0)
				return why_set(why, error_from_errno(errno),
				               "prober: bind %s:%u: %s", server_ip[ip],
				               server_port[port], strerror(errno));
		}
	}
	return 0;
}

/* Answers one request, from the socket that its CHANGE-REQUEST names. */
static void serve(struct probe *p, int ip, int port)
{
	uint8_t pkt[STUN_PACKET_MAX], tid[STUN_TID_LEN];
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	unsigned change;
	ssize_t n = recvfrom(p->server[ip][port], pkt, sizeof(pkt), MSG_DONTWAIT,
	                     (struct sockaddr *)&from, &from_len);

	if (n < 0 || stun_parse_request(pkt, (size_t)n, tid, &change) != 0)
		return;
	if (change & STUN_CHANGE_IP)
		ip = !ip;
	if (change & STUN_CHANGE_PORT)
		port = !port;
	n = (ssize_t)stun_binding_response(pkt, tid, &from);
	/* A lost answer is asked for again. */
	(void)!sendto(p->server[ip][port], pkt, (size_t)n, 0, (struct sockaddr *)&from, from_len);
}

/* True when the client got the answer to tid, from the very server socket that should send it. */
static bool client_answered(struct probe *p, const uint8_t *tid, const struct sockaddr_in *expect,
                            struct sockaddr_in *mapped)
{
	uint8_t pkt[STUN_PACKET_MAX], got_tid[STUN_TID_LEN];
	struct sockaddr_in from, got;
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(p->client, pkt, sizeof(pkt), MSG_DONTWAIT, (struct sockaddr *)&from,
	                     &from_len);

	if (n < 0 || stun_parse_response(pkt, (size_t)n, got_tid, &got) != 0 ||
	    memcmp(tid, got_tid, STUN_TID_LEN) != 0 || !same_addr(&from, expect))
		return false;
	*mapped = got;
	return true;
}

static bool ask(struct probe *p, int ip, int port, unsigned change, struct sockaddr_in *mapped)
{
	struct sockaddr_in to = server_addr(ip, port);
	struct sockaddr_in expect = server_addr(change & STUN_CHANGE_IP ? !ip : ip,
	                                        change & STUN_CHANGE_PORT ? !port : port);
	int64_t deadline = clock_mono_ms() + p->patience_ms, resend_at = 0;
	uint8_t tid[STUN_TID_LEN], pkt[STUN_PACKET_MAX];
	size_t len;

	if (getrandom(tid, sizeof(tid), 0) != sizeof(tid))
		return false;
	len = stun_binding_request(pkt, tid, change);
	while (clock_mono_ms() < deadline) {
		struct pollfd fds[5];

		if (clock_mono_ms() >= resend_at) {
			(void)!sendto(p->client, pkt, len, 0, (struct sockaddr *)&to, sizeof(to));
			resend_at = clock_mono_ms() + RESEND_MS;
		}
		for (int i = 0; i < 4; i++)
			fds[i] = (struct pollfd){p->server[i / 2][i % 2], POLLIN, 0};
		fds[4] = (struct pollfd){p->client, POLLIN, 0};
		poll(fds, 5, clock_left_ms(resend_at < deadline ? resend_at : deadline));
		for (int i = 0; i < 4; i++) {
			if (fds[i].revents)
				serve(p, i / 2, i % 2);
		}
		if (fds[4].revents && client_answered(p, tid, &expect, mapped))
			return true;
	}
	return false;
}

/* The client's address on the way to the server: connecting a datagram socket shows it. */
static int find_local(int client_ns, struct sockaddr_in *local, struct why *why)
{
	struct sockaddr_in to = server_addr(0, 0);
	int fd = lab_socket(client_ns, AF_INET, SOCK_DGRAM, why), err = 0;
	socklen_t len = sizeof(*local);

	if (fd < 0)
		return fd;
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 ||
	    getsockname(fd, (struct sockaddr *)local, &len) != 0)
		err = why_set(why, error_from_errno(errno), "prober: the client has no route: %s",
		              strerror(errno));
	local->sin_port = 0;
	close(fd);
	return err;
}

/* A fresh socket for each test: an earlier packet would have opened the filter. */
static int new_client(struct probe *p, int client_ns, struct sockaddr_in *local, struct why *why)
{
	socklen_t len = sizeof(*local);
	int err;

	if (p->client >= 0)
		close(p->client);
	p->client = -1;
	err = find_local(client_ns, local, why);
	if (err != 0)
		return err;
	p->client = lab_socket(client_ns, AF_INET, SOCK_DGRAM, why);
	if (p->client < 0)
		return p->client;
	if (bind(p->client, (struct sockaddr *)local, sizeof(*local)) != 0 ||
	    getsockname(p->client, (struct sockaddr *)local, &len) != 0)
		return why_set(why, error_from_errno(errno), "prober: bind: %s", strerror(errno));
	return 0;
}

static int gather(struct probe *p, int client_ns, struct probe_facts *f, struct why *why)
{
	struct sockaddr_in mapped, local;
	int err = new_client(p, client_ns, &f->local, why);

	if (err != 0)
		return err;
	for (int ip = 0; ip < 2; ip++) {
		for (int port = 0; port < 2; port++) {
			f->answered[ip][port] = ask(p, ip, port, 0, &f->mapped[ip][port]);
			if (!f->answered[0][0])
				return 0; /* no UDP at all: spare the waiting */
		}
	}
	err = new_client(p, client_ns, &local, why);
	if (err != 0)
		return err;
	f->other_address = ask(p, 0, 0, STUN_CHANGE_IP | STUN_CHANGE_PORT, &mapped);
	err = new_client(p, client_ns, &local, why);
	if (err != 0)
		return err;
	f->other_port = ask(p, 0, 0, STUN_CHANGE_PORT, &mapped);
	return 0;
}

void probe_judge(const struct probe_facts *f, struct nat_behaviour *out)
{
	bool by_port = same_addr(&f->mapped[0][0], &f->mapped[0][1]) &&
	               same_addr(&f->mapped[1][0], &f->mapped[1][1]);
	bool by_address = same_addr(&f->mapped[0][0], &f->mapped[1][0]);

	*out = (struct nat_behaviour){
	    .udp = f->answered[0][0] && f->answered[0][1] && f->answered[1][0] && f->answered[1][1],
	};
	if (!by_port)
		out->mapping = NAT_MAP_ADDRESS_PORT_DEPENDENT;
	else if (!by_address)
		out->mapping = NAT_MAP_ADDRESS_DEPENDENT;
	else if (same_addr(&f->mapped[0][0], &f->local))
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

int probe_nat(int server_ns, int client_ns, int64_t patience_ms, struct nat_behaviour *out,
              struct why *why)
{
	struct probe p = {.server = {{-1, -1}, {-1, -1}}, .client = -1, .patience_ms = patience_ms};
	struct probe_facts facts;
	int err;

	memset(&facts, 0, sizeof(facts));
	err = open_servers(&p, server_ns, why);
	if (err == 0)
		err = gather(&p, client_ns, &facts, why);
	if (err == 0)
		probe_judge(&facts, out);
	for (int i = 0; i < 4; i++) {
		if (p.server[i / 2][i % 2] >= 0)
			close(p.server[i / 2][i % 2]);
	}
	if (p.client >= 0)
		close(p.client);
	return err;
}

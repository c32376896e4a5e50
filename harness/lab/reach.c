/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Probes a client's other ways out: TCP to port 443 and to another, ping, CONNECT through the
 * router's HTTP proxy.
 */
#include "base/clock.h"
#include "harness/lab/inside.h"
#include "harness/lab/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define PROXY_MS 2000

static const uint16_t tcp_port[REACH_PORTS] = {443, 13478};
static const int families[2] = {AF_INET, AF_INET6};

/* Listens on the server's second address: the first may have its own listeners. The kernel
 * completes the handshake; no accept is needed. */
static int listen_at(const struct probe_target *t, int family, uint16_t port, int *out,
                     struct why *why)
{
	const char *ip = family == AF_INET ? LAB_SERVER_IP_TWO : LAB_SERVER_IP6_TWO;
	int fd = lab_socket(t->server_ns, family, SOCK_STREAM, why), on = 1;
	struct addr a;

	if (fd < 0)
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (addr_parse_ip(&a, ip, port) != 0 || bind(fd, &a.sa, addr_len(&a)) != 0 ||
	    listen(fd, 16) != 0) {
		int err = errno;

		close(fd);
		/* Somebody listens on every address: that will do. */
		return err == EADDRINUSE
		           ? 0
		           : why_set(why, error_from_errno(err), "prober: listen on %s port %u: %s",
		                     ip, port, strerror(err));
	}
	*out = fd;
	return 0;
}

/* Checksum of RFC 1071, for an echo request without data. */
static uint16_t icmp_checksum(const struct icmphdr *h)
{
	const uint16_t *p = (const uint16_t *)(const void *)h;
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof(*h) / 2; i++)
		sum += p[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

static int send_ping(int fd, const struct addr *to)
{
	struct icmphdr v4 = {.type = ICMP_ECHO, .un.echo = {htons(7), htons(1)}};
	struct icmp6_hdr v6 = {.icmp6_type = ICMP6_ECHO_REQUEST};

	/* Connected: other hosts' packets are not ours. */
	if (connect(fd, &to->sa, addr_len(to)) != 0)
		return -1;
	v4.checksum = icmp_checksum(&v4);
	v6.icmp6_id = htons(7);
	if (addr_family(to) == AF_INET)
		return send(fd, &v4, sizeof(v4), 0) < 0 ? -1 : 0;
	return send(fd, &v6, sizeof(v6), 0) < 0 ? -1 : 0;
}

static bool read_pong(int fd, int family)
{
	uint8_t pkt[512];
	ssize_t n;

	while ((n = recv(fd, pkt, sizeof(pkt), MSG_DONTWAIT)) > 0) {
		size_t at = family == AF_INET ? (size_t)(pkt[0] & 0xf) * 4 : 0;

		if ((size_t)n > at &&
		    pkt[at] == (family == AF_INET ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY))
			return true;
	}
	return false;
}

static int begin_family(struct reach *r, int k, struct why *why)
{
	const struct probe_target *t = r->target;
	struct addr to;

	for (int i = 0; i < REACH_PORTS; i++) {
		int err = listen_at(t, families[k], tcp_port[i], &r->listener[k][i], why);

		if (err != 0)
			return err;
		err = probe_server_addr(t, families[k], 1, tcp_port[i], &to);
		if (err != 0)
			return err;
		r->tcp[k][i] = lab_socket(t->client_ns, addr_family(&to), SOCK_STREAM, why);
		if (r->tcp[k][i] < 0)
			return r->tcp[k][i];
		fcntl(r->tcp[k][i], F_SETFL, O_NONBLOCK);
		if (connect(r->tcp[k][i], &to.sa, addr_len(&to)) == 0 || errno == EINPROGRESS)
			r->facts.has[k] = true;
	}
	addr_put_port(&to, 0);
	r->ping[k] = lab_socket(t->client_ns, addr_family(&to), SOCK_RAW, why);
	if (r->ping[k] < 0)
		return r->ping[k];
	(void)send_ping(r->ping[k], &to); /* a client that cannot send gets no answer */
	return 0;
}

int reach_begin(struct reach *r, const struct probe_target *t, struct why *why)
{
	int err;

	memset(r, -1, sizeof(*r)); /* every descriptor */
	memset(&r->facts, 0, sizeof(r->facts));
	r->target = t;
	r->deadline_ms = clock_mono_ms() + t->patience_ms;
	err = begin_family(r, 0, why);
	return err == 0 ? begin_family(r, 1, why) : err;
}

/* True when nothing is left to wait for. */
static bool look(struct reach *r, struct pollfd *fds)
{
	bool all = true;

	for (int k = 0; k < 2; k++) {
		int ping_family = k == 1 || r->target->nat64 ? AF_INET6 : AF_INET;

		for (int i = 0; i < REACH_PORTS; i++) {
			struct pollfd *p = &fds[k * 3 + i];
			int err = 0;
			socklen_t len = sizeof(err);

			if (p->revents & (POLLOUT | POLLERR | POLLHUP))
				r->facts.connected[k][i] =
				    getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 &&
				    err == 0 && !(p->revents & (POLLERR | POLLHUP));
			all = all && (r->facts.connected[k][i] || !r->facts.has[k]);
		}
		if (fds[k * 3 + 2].revents && read_pong(fds[k * 3 + 2].fd, ping_family))
			r->facts.pinged[k] = true;
		all = all && (r->facts.pinged[k] || !r->facts.has[k]);
	}
	return all;
}

/* CONNECT and the first line of the answer. */
static int ask_proxy(const struct reach *r, uint16_t port, bool *ok, struct why *why)
{
	struct timeval limit = {.tv_sec = PROXY_MS / 1000};
	int fd = lab_socket(r->target->client_ns, AF_INET, SOCK_STREAM, why);
	char text[256];
	struct addr a;
	ssize_t n = 0;

	if (fd < 0)
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (addr_parse_ip(&a, r->target->proxy_ip, (uint16_t)atoi(LAB_PROXY_PORT)) == 0 &&
	    connect(fd, &a.sa, addr_len(&a)) == 0) {
		snprintf(text, sizeof(text),
		         "CONNECT " LAB_SERVER_IP_TWO ":%u HTTP/1.1\r\n"
		         "Host: " LAB_SERVER_IP_TWO ":%u\r\n\r\n",
		         port, port);
		if (send(fd, text, strlen(text), MSG_NOSIGNAL) > 0)
			n = recv(fd, text, sizeof(text) - 1, 0);
	}
	text[n > 0 ? n : 0] = '\0';
	*ok = n > 0 && !strncmp(text, "HTTP/1.", 7) && !strncmp(text + 8, " 200", 4);
	close(fd);
	return 0;
}

int reach_end(struct reach *r, struct why *why)
{
	struct pollfd fds[6];
	int err = 0;

	for (;;) {
		for (int k = 0; k < 2; k++) {
			for (int i = 0; i < REACH_PORTS; i++)
				fds[k * 3 + i] = (struct pollfd){
				    r->facts.connected[k][i] || !r->facts.has[k] ? -1
				                                                 : r->tcp[k][i],
				    POLLOUT, 0};
			fds[k * 3 + 2] =
			    (struct pollfd){r->facts.pinged[k] ? -1 : r->ping[k], POLLIN, 0};
		}
		poll(fds, 6, 0);
		if (look(r, fds) || clock_mono_ms() >= r->deadline_ms)
			break;
		clock_sleep_ms(2); /* a refused connection would not let poll wait */
	}
	for (int i = 0; i < REACH_PORTS && err == 0 && r->target->proxy_ip; i++)
		err = ask_proxy(r, tcp_port[i], &r->facts.by_proxy[i], why);
	return err;
}

void reach_close(struct reach *r)
{
	for (int k = 0; k < 2; k++) {
		for (int i = 0; i < REACH_PORTS; i++) {
			if (r->listener[k][i] >= 0)
				close(r->listener[k][i]);
			if (r->tcp[k][i] >= 0)
				close(r->tcp[k][i]);
		}
		if (r->ping[k] >= 0)
			close(r->ping[k]);
	}
}

void reach_judge(const struct reach_facts *f, struct nat_claim *out)
{
	bool first = true;

	out->tcp = NAT_TCP_NONE;
	out->no_ping = !f->has[0] && !f->has[1];
	for (int k = 0; k < 2; k++) {
		enum nat_tcp tcp = NAT_TCP_NONE;

		if (!f->has[k])
			continue;
		if (f->connected[k][0])
			tcp = f->connected[k][1] ? NAT_TCP_ALL : NAT_TCP_443;
		/* Both families must agree. */
		out->tcp = first || out->tcp == tcp ? tcp : NAT_TCP_NONE;
		out->no_ping = out->no_ping || !f->pinged[k];
		first = false;
	}
	if (out->tcp == NAT_TCP_NONE && f->by_proxy[0] && !f->by_proxy[1])
		out->tcp = NAT_TCP_PROXY;
}

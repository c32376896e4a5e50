/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The victim's side.
 */
#include "daemon/tests/server/watch.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define RECEIVE_BUFFER 8388608

static int listen_everywhere(int type, uint16_t port)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int off = 0, fd = socket(AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 64), 0);
	return fd;
}

void watch_open(struct watch *w, uint16_t port)
{
	struct sockaddr_ll lo = {.sll_family = AF_PACKET,
	                         .sll_protocol = htons(ETH_P_ALL),
	                         .sll_ifindex = (int)if_nametoindex("lo")};
	int size = RECEIVE_BUFFER;

	w->port = port;
	w->udp = listen_everywhere(SOCK_DGRAM, port);
	w->tcp = listen_everywhere(SOCK_STREAM, port);
	w->wire = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
	assert_true(w->wire >= 0);
	setsockopt(w->wire, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	assert_int_equal(bind(w->wire, (struct sockaddr *)&lo, sizeof(lo)), 0);
}

/* From the network layer on: IPv4 or IPv6 (no extension headers here), then UDP or TCP, both of
 * which begin with the ports. */
static bool is_for(const uint8_t *p, size_t len, uint16_t port)
{
	size_t at;
	uint8_t protocol;

	if (len < 20)
		return false;
	at = p[0] >> 4 == 4 ? (size_t)(p[0] & 15) * 4 : 40;
	protocol = p[0] >> 4 == 4 ? p[9] : p[6];
	return (protocol == IPPROTO_UDP || protocol == IPPROTO_TCP) && at + 4 <= len &&
	       (p[at + 2] << 8 | p[at + 3]) == port;
}

unsigned int watch_packets(struct watch *w)
{
	static uint8_t frame[65536];
	unsigned int n = 0;
	ssize_t len;

	while ((len = recv(w->wire, frame, sizeof(frame), 0)) >= 0)
		n += is_for(frame, (size_t)len, w->port);
	return n;
}

unsigned int watch_arrivals(struct watch *w)
{
	uint8_t data[2048];
	unsigned int n = 0;
	int fd;

	while (recv(w->udp, data, sizeof(data), 0) >= 0)
		n++;
	while ((fd = accept(w->tcp, NULL, NULL)) >= 0) {
		close(fd);
		n++;
	}
	return n;
}

void watch_close(struct watch *w)
{
	close(w->wire);
	close(w->udp);
	close(w->tcp);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One DNS question (RFC 1035), to prove that a client resolves the server's
 * name by its own family. getaddrinfo() waits far too long for a lab.
 */
#include "base/clock.h"
#include "harness/lab/inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define HEADER  12
#define TYPE_A  1
#define TYPE_4A 28
#define CLASS   1
#define ASK_MS  100

static size_t question(uint8_t *buf, uint16_t id, const char *name, unsigned type)
{
	/* header: id, recursion desired, one question */
	const uint8_t head[HEADER] = {(uint8_t)(id >> 8), (uint8_t)id, 1, 0, 0, 1};
	size_t at = HEADER;

	memcpy(buf, head, HEADER);
	while (*name) {
		size_t n = strcspn(name, ".");

		buf[at++] = (uint8_t)n;
		memcpy(buf + at, name, n);
		at += n;
		name += n + (name[n] == '.');
	}
	buf[at++] = 0;
	buf[at++] = 0;
	buf[at++] = (uint8_t)type;
	buf[at++] = 0;
	buf[at++] = CLASS;
	return at;
}

/* The first answer record lies behind the question; its owner is a compressed name (2 bytes), then
 * type, class, TTL and length. */
static int answer(const uint8_t *pkt, size_t len, size_t asked_len, int family, char *ip)
{
	size_t want = family == AF_INET ? 4 : 16;
	const uint8_t *rr = pkt + asked_len;

	if (len < HEADER || (pkt[3] & 0xf) != 0 || (pkt[6] == 0 && pkt[7] == 0))
		return -E_NOTFOUND;
	if (len < asked_len + 12 + want || (rr[0] & 0xc0) != 0xc0 || rr[11] != want)
		return -E_NOTFOUND;
	return inet_ntop(family, rr + 12, ip, LAB_IP_MAX) ? 0 : -E_NOTFOUND;
}

int names_ask(int netns_fd, const char *name, int family, int64_t patience_ms, char ip[LAB_IP_MAX],
              struct why *why)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53)};
	int fd = lab_socket(netns_fd, AF_INET, SOCK_DGRAM, why);
	int64_t deadline = clock_mono_ms() + patience_ms;
	uint8_t asked[128], pkt[512];
	uint16_t id = 0;
	size_t asked_len;
	int err = -E_TIMEOUT;

	if (fd < 0)
		return fd;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (getrandom(&id, sizeof(id), 0) != sizeof(id) ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		err = why_set(why, -E_IO, "DNS question: %s", strerror(errno));
		goto out;
	}
	asked_len = question(asked, id, name, family == AF_INET ? TYPE_A : TYPE_4A);
	while (err == -E_TIMEOUT && clock_mono_ms() < deadline) {
		struct pollfd p = {fd, POLLIN, 0};
		ssize_t n = send(fd, asked, asked_len, 0);

		if (n >= 0)
			poll(&p, 1, ASK_MS);
		n = recv(fd, pkt, sizeof(pkt), MSG_DONTWAIT);
		if (n >= HEADER && !memcmp(pkt, asked, 2))
			err = answer(pkt, (size_t)n, asked_len, family, ip);
		else if (!p.revents || n < 0) /* not yet listening */
			clock_sleep_ms(5);
	}
	if (err == -E_TIMEOUT)
		why_set(why, err, "no DNS answer");
	else if (err != 0)
		why_set(why, err, "no DNS record for %s", name);
out:
	close(fd);
	return err;
}

const char *names_expected(const struct nat_kind *kind, int family)
{
	if (family == AF_INET)
		return nat_has_ipv4(kind) ? LAB_SERVER_IP : NULL;
	if (kind->client == NAT_CLIENT_NAT64)
		return LAB_NAT64_PREFIX "cb00:710a"; /* LAB_SERVER_IP in its last 32 bits */
	return nat_has_ipv6(kind) ? LAB_SERVER_IP6 : NULL;
}

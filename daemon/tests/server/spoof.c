/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Datagrams in somebody else's name, through a raw socket.
 */
#include "daemon/tests/server/spoof.h"

#include "daemon/tests/server/rig.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <string.h>

struct spoofed {
	struct iphdr ip;
	struct udphdr udp;
	uint8_t message[1000];
};

int spoof_open(void)
{
	int raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);

	assert_true(raw >= 0);
	return raw;
}

/* The kernel fills in the IP checksum; UDP's may be 0. */
void spoof_send(int raw, const char *to, uint16_t to_port, uint32_t ip, uint16_t port,
                const struct wire *m)
{
	struct sockaddr_in dest = {.sin_family = AF_INET};
	struct spoofed p = {.ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP}};
	size_t udp_len = sizeof(p.udp) + m->len;

	assert_true(m->len <= sizeof(p.message));
	assert_int_equal(inet_pton(AF_INET, to, &dest.sin_addr), 1);
	p.ip.daddr = dest.sin_addr.s_addr;
	p.ip.saddr = htonl(ip);
	p.udp.source = htons(port);
	p.udp.dest = htons(to_port);
	p.udp.len = htons((uint16_t)udp_len);
	memcpy(p.message, m->buf, m->len);
	if (sendto(raw, &p, sizeof(p.ip) + udp_len, 0, (struct sockaddr *)&dest, sizeof(dest)) < 0)
		rig_sleep_ms(1); /* full */
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The victim's side: sees every packet of the namespace that is meant for a
 * port, wherever it goes, and listens on that port on every address.
 */
#ifndef DAEMON_TESTS_FOREIGN_WATCH_H
#define DAEMON_TESTS_FOREIGN_WATCH_H

#include <stdint.h>

struct watch {
	uint16_t port;
	int wire;     /* every frame of the loopback interface */
	int udp, tcp; /* on all addresses of both families */
};

void watch_open(struct watch *w, uint16_t port);
/* Packets to the port, UDP or TCP, and datagrams and connections that came, since the last look.
 */
unsigned int watch_packets(struct watch *w);
unsigned int watch_arrivals(struct watch *w);
void watch_close(struct watch *w);

#endif

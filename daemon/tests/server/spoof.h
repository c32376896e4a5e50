/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Datagrams in somebody else's name.
 */
#ifndef DAEMON_TESTS_FOREIGN_SPOOF_H
#define DAEMON_TESTS_FOREIGN_SPOOF_H

#include "turn/wire/wire.h"

#include <stdint.h>

/* A raw socket, for close(). Fails the test without the right to one. */
int spoof_open(void);

/* The message by UDP to an IPv4 address, from ip (host byte order) and port. It is lost where a
 * buffer is full, as UDP may lose it. */
void spoof_send(int raw, const char *to, uint16_t to_port, uint32_t ip, uint16_t port,
                const struct wire *m);

#endif

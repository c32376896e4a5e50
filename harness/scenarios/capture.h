/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Captures a network namespace's packets into a file for Wireshark. A router's file shows each
 * packet twice, before and after translation. Headers and signaling are whole; media is cut: the
 * picture is not needed, and it would fill the disk.
 */
#ifndef SCENARIOS_CAPTURE_H
#define SCENARIOS_CAPTURE_H

#include "base/error.h"

#include <stddef.h>

#define CAPTURE_SNAPLEN 200 /* bytes kept of a packet */

struct capture;

/* Starts to write what passes any interface of the namespace to fd as pcap, until max_bytes. Both
 * descriptors are borrowed, and may be closed after the call. Returns once it captures. -E_DENIED
 * or -E_IO if it cannot: why quotes the reason. Call it where no other thread runs: it forks. */
int capture_start(struct capture **out, int netns_fd, int fd, size_t max_bytes, struct why *why);

/* Ends it, with everything written that has passed until now. Frees; NULL is legal. -E_IO if the
 * file is incomplete, as on a full disk. */
int capture_stop(struct capture *c, struct why *why);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a router of messages costs at least.
 */
#ifndef LOAD_FLOOR_H
#define LOAD_FLOOR_H

/* Serves on 127.0.0.1:port until it is killed: takes a message, finds its target by name, sends it.
 * It checks nothing and knows no TLS, lists or limits. Returns only when it cannot start: 1. */
int floor_main(unsigned port);

#endif

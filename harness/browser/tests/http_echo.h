/* SPDX-License-Identifier: BSD-3-Clause
 *
 * For tests: an HTTP server on loopback whose every page shows the request
 * that it came for, and which sets a cookie. It also takes a proxy's requests,
 * and counts those for one tunnel, which lead nowhere.
 */
#ifndef BROWSER_TESTS_HTTP_ECHO_H
#define BROWSER_TESTS_HTTP_ECHO_H

#include <stdint.h>
#include <sys/types.h>

#define HTTP_ECHO_TUNNEL "CONNECT 192.0.2.1:3478 " /* what is counted */

struct http_echo {
	pid_t pid;
	uint16_t port;
	volatile unsigned *tunnels; /* shared with the server */
};

/* 0 or -1. It is a child process, which dies with the caller. */
int http_echo_start(struct http_echo *e);
void http_echo_stop(struct http_echo *e);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The operator's program in tests: an HTTP server on a port of 127.0.0.1 that writes down what is
 * posted to it, and answers as it is told. A thread for each connection.
 */
#ifndef DAEMON_TESTS_RECEIVER_H
#define DAEMON_TESTS_RECEIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct receiver;

/* What it has got. Texts live as long as the receiver. */
struct receiver_post {
	const char *path, *id, *timestamp, *signature, *type, *body;
	int64_t at_ms;  /* monotonic */
	int answered;   /* the status; 0: none */
	int connection; /* the how manyth it came over, from 0 */
};

/* port 0: any free one. cert and key (PEM files, may be NULL): speaks TLS. Fails the test when it
 * cannot. */
struct receiver *receiver_start(uint16_t port, const char *cert, const char *key);
uint16_t receiver_port(const struct receiver *r);

#define RECEIVER_HANGS  0  /* answers nothing, and keeps the connection */
#define RECEIVER_CLOSES -1 /* closes it without an answer */
/* How it answers from now on: a status, or one of these; more header lines, each with CRLF; a body.
 */
void receiver_answer(struct receiver *r, int status, const char *headers, const char *body);

size_t receiver_count(struct receiver *r);
/* The i-th post. Fails the test when there is none. */
struct receiver_post receiver_at(struct receiver *r, size_t i);

/* Closes everything, as if it were killed. */
void receiver_stop(struct receiver *r);

#endif

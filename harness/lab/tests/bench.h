/* SPDX-License-Identifier: BSD-3-Clause
 *
 * For tests inside the container: a UDP client behind a side's router and a
 * server, in one process. cmocka cannot assert across processes, so what is
 * wrong is written where the outside reads it.
 */
#ifndef LAB_TESTS_BENCH_H
#define LAB_TESTS_BENCH_H

#include "base/addr.h"
#include "harness/lab/lab.h"

#include <stdint.h>

#define BENCH_CLIENTS 4

struct bench {
	struct lab *lab;
	struct why *why; /* the first thing that was wrong; "" */
	int server;
	struct addr server_addr;
	int client[BENCH_CLIENTS];
};

/* Makes a lab and runs fn in it, inside a container. Fails the cmocka test with what fn found
 * wrong. fn gets the bench without sockets. */
void bench_run(void (*fn)(struct bench *b));

/* Writes down what is wrong, unless something is already. */
__attribute__((format(printf, 2, 3))) void bench_wrong(struct bench *b, const char *fmt, ...);

/* Notes what is wrong and leaves the calling function. */
#define BENCH_CHECK(b, cond, ...)                                                                  \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			bench_wrong(b, __VA_ARGS__);                                               \
			return;                                                                    \
		}                                                                                  \
	} while (0)

/* The same for a lab call, whose own why is told. */
#define BENCH_DO(b, call)                                                                          \
	do {                                                                                       \
		struct why bench_why_;                                                             \
		struct why *why = &bench_why_;                                                     \
		if ((call) != 0) {                                                                 \
			bench_wrong(b, "%s: %s", #call, bench_why_.text);                          \
			return;                                                                    \
		}                                                                                  \
	} while (0)

/* A server on LAB_SERVER_IP or LAB_SERVER_IP6, and client n on a side, on a fresh port. Reopening
 * closes the former. */
void bench_serve(struct bench *b, int family);
void bench_open(struct bench *b, int n, enum lab_side side);

/* Asks the server by STUN; what it saw becomes *mapped. False when nothing came within the
 * patience. */
bool bench_ask(struct bench *b, int n, int64_t patience_ms, struct addr *mapped);

/* Client n's address on its own side. */
struct addr bench_local(struct bench *b, int n);

/* Sends from client n to an address; true when client to got it. */
bool bench_send(struct bench *b, int n, const struct addr *addr, int to, int64_t patience_ms);

#endif

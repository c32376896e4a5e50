/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The talker (turn/wire/talker.h) as tests of the running server use it: with
 * addresses as text, and what must work fails the test.
 */
#ifndef DAEMON_TESTS_SERVER_TALKER_H
#define DAEMON_TESTS_SERVER_TALKER_H

#include "base/error.h"
#include "turn/wire/talker.h"

#define TALKER_SILENCE (-E_TIMEOUT)
/* After the first, silence is the answer; where nothing is expected, the second is enough. */
#define TALKER_WAIT_MS    3000
#define TALKER_SILENCE_MS 400

/* Connects to "addr:port" by UDP, or by TCP. local (an address, may be NULL) is where from. */
void talker_open(struct talker *t, const char *server, bool stream, const char *local,
                 const char *user, const char *password);

/* Learns realm and nonce by an Allocate; 401 is right. */
int talker_login(struct talker *t);
/* Opens, signs in and allocates; fails the test unless it may. */
void talker_enter(struct talker *t, const char *server, bool stream, const char *user,
                  const char *password);
/* Allocates, and gives it back: the code of the allocation. */
int talker_attempt(struct talker *t);
/* The same by a client that comes over UDP for it. */
int talker_try(const char *server, const char *user, const char *password);

/* talker_permit(), talker_bind(), and a Send indication. */
int talker_permit_to(struct talker *t, const char *peer);
int talker_bind_to(struct talker *t, uint16_t number, const char *peer);
void talker_send_to(struct talker *t, const char *peer, const char *text);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A STUN/TURN client on a real socket that says whatever a test wants said,
 * right or wrong. Messages are made with turn/wire/wire.h.
 */
#ifndef DAEMON_TESTS_FOREIGN_TALKER_H
#define DAEMON_TESTS_FOREIGN_TALKER_H

#include "turn/wire/wire.h"

#include <stdbool.h>

#define TALKER_SILENCE (-1)
/* After the first, silence is the answer; who is sure that nothing comes need not wait so long. */
#define TALKER_WAIT_MS    3000
#define TALKER_SILENCE_MS 400

struct talker {
	int fd;
	bool stream; /* TCP */
	int wait_ms; /* for an answer: TALKER_WAIT_MS when it is opened */
	const char *user, *password;
	size_t user_len;             /* strlen(user) when it is opened */
	char realm[768], nonce[128]; /* learnt from 401 and 438 */
	uint32_t tid;
	struct wire in; /* the last message received */
};

/* Connects to "addr:port" by UDP, or by TCP. local (an address, may be NULL) is where from. */
void talker_open(struct talker *t, const char *server, bool stream, const char *local,
                 const char *user, const char *password);
void talker_close(struct talker *t);

/* Bytes as they are. False when the connection is gone. */
bool talker_send(struct talker *t, const void *data, size_t len);
/* The next message, within wait_ms, into t->in. False when there is none. Over TCP one whole
 * message. */
bool talker_receive(struct talker *t, int wait_ms);

/* True when the server closes the connection within wait_ms, and says nothing before. */
bool talker_is_left(struct talker *t, int wait_ms);

/* A request of the type with USERNAME, REALM and NONCE, for more attributes. */
void talker_request(struct talker *t, struct wire *m, uint16_t type);
/* Adds the integrity, sends, waits for the answer: 0, the error code, or TALKER_SILENCE. A 438 is
 * taken as an answer like any other. */
int talker_ask(struct talker *t, struct wire *m);
/* The same without integrity. */
int talker_say(struct talker *t, const struct wire *m);
/* The key of the long-term credential. */
void talker_key(const struct talker *t, uint8_t key[16]);

/* Whole requests: the error code, 0 or TALKER_SILENCE. */
int talker_login(struct talker *t); /* learns realm and nonce; 401 is right */
/* Once more, with the new nonce, after a 438: the one before was for an allocation that ended. */
int talker_allocate(struct talker *t, struct addr *relayed);
int talker_permit(struct talker *t, const char *peer);
int talker_bind(struct talker *t, uint16_t number, const char *peer);
int talker_refresh(struct talker *t, uint32_t lifetime_s);
/* Opens, signs in and allocates; fails the test unless it may. */
void talker_enter(struct talker *t, const char *server, bool stream, const char *user,
                  const char *password);
/* Allocates, and gives it back: the code of the allocation. */
int talker_attempt(struct talker *t);
/* The same by a client that comes over UDP for it. */
int talker_try(const char *server, const char *user, const char *password);
/* A Send indication. */
void talker_send_to(struct talker *t, const char *peer, const char *text);

#endif

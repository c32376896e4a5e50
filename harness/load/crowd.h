/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Many clients of a hub, from many addresses, in one thread.
 */
#ifndef LOAD_CROWD_H
#define LOAD_CROWD_H

#include "base/error.h"
#include "harness/load/ws.h"

#define CROWD_NAME_MAX 16
#define CROWD_FRIENDS  0x7f010000u /* 127.1.0.0/16 and on: 32 clients from each /24 */

/* How its clients sign in. */
enum crowd_manner {
	CROWD_USERLIST, /* as MDN's do; of lists, the names are counted */
	CROWD_DELTA,    /* they ask for presence as differences */
	CROWD_PLAYER,   /* as MDN's; lists go to the owner, too */
	CROWD_ANONYMOUS,
};

/* A client and what it knows. */
struct crowd_client {
	struct ws ws;
	struct crowd *crowd;
	bool asked;       /* it has sent its name */
	uint32_t present; /* clients with WS_MARK that it knows to be there */
	uint64_t version; /* of what it knows (CROWD_DELTA) */
};

struct crowd {
	struct crowd_client *client;
	size_t n, open;
	size_t full, expect;  /* those that know of so many to be there */
	size_t closed;        /* by the server, or never connected */
	uint16_t closed_code; /* of the first of them */
	uint64_t told;        /* messages about who is there: lists, or differences */
	bool differences;     /* the server knows them */
	enum crowd_manner manner;
	bool witness;   /* client 0 reads lists name by name, each counts once (CROWD_USERLIST) */
	uint32_t first; /* number in the name of client 0 */
	char mark;      /* that their names begin with: WS_MARK if they are to be counted */
	uint16_t port;
	int64_t patience_ms; /* for crowd_gather() */
	const char *path;    /* NULL: nothing is asked for, only a connection made */
	SSL_CTX *ctx;
	int epoll;
	int64_t heard_ms; /* anything at all */
	char tls[64];     /* as ws_describe() has it */
	void *owner;

	/* Optional: a text message that is not about who is there (CROWD_PLAYER: any). */
	void (*text)(struct crowd_client *p, const char *text, size_t len);
	/* Optional: the server has closed one. */
	void (*gone)(struct crowd_client *p);
};

/* Nobody connects yet. The caller sets patience_ms, may change manner, mark, expect (n) and path,
 * and set the hooks. 0, -E_NOMEM, or -E_LIMIT: the process may not have that many descriptors. */
int crowd_init(struct crowd *c, size_t n, enum ws_wire wire, uint16_t port, struct why *why);

/* Ends all connections with a close frame, and frees. Legal after a crowd_init() that failed. */
void crowd_free(struct crowd *c);

/* Starts to connect client i; the rest follows by itself: it signs in once the hub tells its id. */
int crowd_connect(struct crowd *c, size_t i, uint32_t from, struct why *why);

/* The address that client i of a friendly crowd comes from. */
uint32_t crowd_friend(size_t i);

/* Handles what has happened, after waiting up to wait_ms for it. */
void crowd_run(struct crowd *c, int wait_ms);

/* Connects all, `together` at a time, and waits until each is full; then until the hub has been
 * silent for quiet_ms. 0; -E_TIMEOUT or -E_CLOSED: why says how many. */
int crowd_gather(struct crowd *c, size_t together, int64_t quiet_ms, struct why *why);

/* How client i is called. */
void crowd_name(const struct crowd *c, size_t i, char name[CROWD_NAME_MAX]);

/* Where the value of a member with that name begins (behind its quotation mark, for a string) in a
 * message of ours, or NULL. key is such as "\"at\":\"". */
const char *crowd_find(const char *text, size_t len, const char *key);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The live allocations of a worker's server, for its operator: to list and to close them. Call
 * these on the server's thread.
 */
#ifndef TURN_SESSIONS_H
#define TURN_SESSIONS_H

#include "turn/turn.h"

#define TURN_SESSION_ID_STRLEN 20

struct turn_session {
	char id[TURN_SESSION_ID_STRLEN];
	const char *realm, *username; /* from its credential: any bytes, not terminated */
	size_t username_len;
	bool third_party;   /* the username is a key's name */
	int64_t key_source; /* what its key was made from, by turn_auth_ops; 0 of a third party */
	enum turn_protocol protocol;
	struct addr client, relayed[2]; /* AF_UNSPEC: no relayed address of that family */
	uint64_t created_ms, age_ms, expires_in_ms;
	int64_t credential_expires_at_s; /* Unix time; 0: never */
	unsigned peers, channels;        /* live permissions and bindings */
	unsigned connections;            /* RFC 6062 */
	uint64_t to_peer_packets, to_peer_bytes, to_client_packets, to_client_bytes;
	uint64_t bandwidth_drops;
};

/* Which of them: older than the place (in the order of birth, then of worker and number) where an
 * earlier listing ended, and, unless user is NULL, of that user: the username itself, or what
 * stands behind its expiry; unless key_source is 0, of a key of that source. */
struct turn_session_query {
	uint64_t before_ms; /* created; UINT64_MAX: start at the newest */
	unsigned before_worker;
	uint64_t before_number;
	const char *user;
	int64_t key_source;
};

/* Borrows s; must not call back into turn. Returns true to go on. */
typedef bool turn_session_fn(void *ctx, const struct turn_session *s);

/* Lists the newest first. */
void turn_list_sessions(struct turn *t, const struct turn_session_query *query, turn_session_fn *fn,
                        void *ctx);

/* Counts the sessions whose keys are of that source. */
size_t turn_count_sessions(const struct turn *t, int64_t key_source);

/* 0 or -E_NOTFOUND. */
int turn_close_session(struct turn *t, const char *id);

/* Splits an id ("t3-1f") into its parts. 0 or -E_PARSE. */
int turn_session_id_parse(const char *id, unsigned *worker, uint64_t *number);

/* True when the username is the user's: equal, or time-limited and of that name
 * (base/username.h). */
bool turn_username_is(const char *username, size_t len, const char *user);

const char *turn_protocol_text(enum turn_protocol protocol); /* "udp", "tcp", ... */

#endif

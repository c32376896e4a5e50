/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A record of the last sessions of a worker's server, to explain a call that failed: requests,
 * refusals, the first byte in each direction, the end. The journal has a fixed size and is
 * allocated at the start; the data path writes only at a session's first events.
 *
 * A client that was refused an allocation gets a record too, in a separate part: failing clients
 * cannot push out served ones. A client without a credential leaves no record.
 */
#ifndef TURN_JOURNAL_H
#define TURN_JOURNAL_H

#include "turn/sessions.h"

#define TURN_JOURNAL_EVENTS 32 /* per session; the first eight stay, the rest are the latest */
#define TURN_JOURNAL_FIRST  8
#define TURN_JOURNAL_NAME   128 /* bytes of a username that are kept */

#define TURN_EVENT_TABLE(X)                                                                        \
	X(TURN_EVENT_REFUSED, "refused")     /* code, method, fault */                             \
	X(TURN_EVENT_ALLOCATED, "allocated") /* addr: relayed */                                   \
	X(TURN_EVENT_REFRESHED, "refreshed")                                                       \
	X(TURN_EVENT_PERMITTED, "permission")      /* addr: peer */                                \
	X(TURN_EVENT_BOUND, "channel")             /* addr: peer, code: channel */                 \
	X(TURN_EVENT_PEER_DENIED, "peer-denied")   /* addr: peer, code */                          \
	X(TURN_EVENT_PEER_LOCKED, "peer-locked")   /* addr: peer that the lock refuses, code */    \
	X(TURN_EVENT_TO_PEER, "first-to-peer")     /* addr: peer */                                \
	X(TURN_EVENT_TO_CLIENT, "first-to-client") /* addr: peer */                                \
	X(TURN_EVENT_STRANGER, "stranger") /* addr: sent to the relay without a permission */      \
	X(TURN_EVENT_UNPERMITTED, "unpermitted") /* client sent without permission */              \
	X(TURN_EVENT_MOVED, "moved")             /* addr: the client's new one */                  \
	X(TURN_EVENT_CLOSED, "closed")

enum turn_event_what {
#define X(name, text) name,
	TURN_EVENT_TABLE(X)
#undef X
};

struct turn_event {
	uint64_t at_ms, last_ms; /* first and last of the repeated events */
	uint32_t count;
	uint16_t code;
	uint16_t method; /* STUN method */
	uint8_t what, fault;
	struct addr addr; /* AF_UNSPEC: none */
};

struct turn_record {
	char id[TURN_SESSION_ID_STRLEN]; /* "": never allocated */
	char username[TURN_JOURNAL_NAME];
	uint16_t username_len;
	enum turn_protocol protocol;
	struct addr client;
	uint64_t begun_ms, ended_ms; /* 0: still alive */
	int64_t begun_at_s;          /* Unix time */
	int64_t credential_expires_at_s;
	const char *close_reason;                /* constant; NULL: still alive */
	uint64_t to_peer_bytes, to_client_bytes; /* set at the end */
	uint32_t event_n, dropped;
	struct turn_event event[TURN_JOURNAL_EVENTS];
};

const char *turn_event_text(enum turn_event_what what);

struct turn_record_query {
	const char *id, *user;     /* either one; user as in turn_session_query */
	const struct addr *client; /* or NULL: also requires this IP */
};

/* Calls fn with each matching record, in no order. fn must not call back into turn. */
void turn_find_records(struct turn *t, const struct turn_record_query *query,
                       void (*fn)(void *ctx, const struct turn_record *r), void *ctx);

/* ---- for the server's own files; a NULL journal or record is legal ---- */

struct turn_alloc;
struct turn_journal;
struct turn_request;

/* For that many sessions, and a quarter as many refused clients. NULL when out of memory. */
struct turn_journal *turn_journal_new(uint32_t sessions);
void turn_journal_free(struct turn_journal *j);

void turn_journal_begin(struct turn_alloc *a);
void turn_journal_end(struct turn_alloc *a, const char *reason);
void turn_journal_note(struct turn_alloc *a, enum turn_event_what what, const struct addr *addr,
                       int code);
void turn_journal_refused(struct turn_request *rq, int code);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The signaling hub: rooms, names, presence and routing of the MDN chat protocol.
 * It owns no socket: a binding feeds it text and carries out its ops.
 */
#ifndef SIGNAL_HUB_H
#define SIGNAL_HUB_H

#include "base/addr.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HUB_NAME_MAX     64 /* bytes of UTF-8 */
#define HUB_ROOM_MAX     64 /* bytes: A-Z a-z 0-9 . _ ~ - */
#define HUB_SUB_MAX      255
#define HUB_DEFAULT_ROOM "default"

/* Reasons a connection is closed for (RFC 6455 section 7.4.1; from 4000 on, our own). */
enum hub_close {
	HUB_CLOSE_NORMAL = 1000,
	HUB_CLOSE_GOING_AWAY = 1001,
	HUB_CLOSE_UNSUPPORTED = 1003,
	HUB_CLOSE_NO_CODE = 1005,  /* never on the wire: the client has closed, and gave no code */
	HUB_CLOSE_ABNORMAL = 1006, /* never on the wire: the connection broke */
	HUB_CLOSE_POLICY = 1008,
	HUB_CLOSE_TOO_BIG = 1009,
	HUB_CLOSE_REPLACED = 4001, /* by a new connection of the same client */
	HUB_CLOSE_KICKED = 4002,
	HUB_CLOSE_BANNED = 4003,
	HUB_CLOSE_ROOM_CLOSED = 4004,
	HUB_CLOSE_REVOKED = 4005, /* its ticket */
};

/* How a bounded queue treats a frame. */
enum hub_frame {
	HUB_FRAME_SERVER,   /* from the server: must arrive */
	HUB_FRAME_USERLIST, /* likewise, but may replace an unsent earlier one */
	HUB_FRAME_PASSED,   /* from another client: must not be able to fill the queue */
};

struct hub_conf {
	unsigned max_connections; /* connections at a time */
	size_t max_message;       /* bytes of one message */
	unsigned max_depth;       /* nesting of arrays and objects in one message */
	unsigned max_calls;       /* calls that one member may be in at a time */
	unsigned signal_rate; /* messages a second and member; 4 KiB of text count as one more */
	unsigned rate_burst;  /* messages that may come at once; 0: no limit on the rate */
	unsigned return_ms;   /* how long a member that lost its connection in a call may come back;
	                       * 0: never */
	unsigned room_users;  /* users in a room */
	unsigned rooms_per_address; /* rooms opened from one address prefix (/24, /64) */
	unsigned guest_may;         /* of enum hub_may: what somebody without a ticket may do */
	bool guests;                /* may join without a ticket */
	bool guest_rooms;           /* guests may open rooms other than the default one */
	bool default_room;          /* there is one, for those who name none */
	bool room_lists;            /* no: a user sees only those they are in a call with */
	uint64_t first_id; /* only for hub_new(): the id of the first connection; the next ones
	                      count up */
};

#define HUB_TEXT_ROOM 16 /* bytes before a text, for the head of its frame */

/* The text of a frame. Queues share it, by references. */
struct hub_text {
	unsigned refs;
	size_t len;
	uint64_t seq;           /* its number for the client that it goes to; 0: none */
	uint64_t from;          /* the id of the member whose message it is; 0: the server's own */
	unsigned copies;        /* of a message to several devices: how many are not lost */
	struct hub_text *whole; /* the message that this is a copy of; NULL: none */
	unsigned char room[HUB_TEXT_ROOM]; /* whoever writes the frame may use it */
	char data[];                       /* len bytes, and NUL */
};

/* With one reference. Copies text; NULL: data is for the caller to fill in. NULL when out of
 * memory. */
struct hub_text *hub_text_new(const char *text, size_t len);
struct hub_text *hub_text_ref(struct hub_text *text);
void hub_text_unref(struct hub_text *text); /* NULL is legal */

struct hub;
struct hub_member;
struct hub_dialect;

/* A request for ICE servers. Borrowed for the call. */
struct hub_ice_request {
	uint64_t member_id;
	const char *name;      /* "" before the member has a name */
	const char *api_token; /* that it shows, or NULL */
};

/* What a connection's opening handshake said. Borrowed for the call. */
struct hub_visit {
	const char *room;                  /* "" or NULL: none */
	const char *ticket;                /* or NULL */
	struct addr client;                /* AF_UNSPEC: unknown */
	const struct hub_dialect *dialect; /* that it speaks; NULL: the hub's own protocol */
	const char *key, *id, *token;      /* what PeerJS says; or NULL */
};

/* What somebody may do in their room. */
enum hub_may {
	HUB_MAY_CALL = 1,
	HUB_MAY_CHAT = 2, /* everything but calls */
	HUB_MAY_LIST = 4, /* see the user list */
	HUB_MAY_OPEN = 8, /* a room that nobody is in */
};

/* What a ticket proves. */
struct hub_identity {
	char sub[HUB_SUB_MAX + 1];   /* the person: the same on each of their devices */
	char name[HUB_NAME_MAX + 1]; /* in their room */
	char room[HUB_ROOM_MAX + 1]; /* the only room that it is good for, unless any_room */
	bool any_room;
	unsigned may;  /* of enum hub_may */
	int64_t exp_s; /* when it ends: seconds since 1970 */
	int64_t key;   /* what signed it, for hub_revoke(); not 0 */
};

/* Somebody who is about to join, for who decides that elsewhere. Borrowed for the call. */
struct hub_admission {
	const char *room, *name;
	const struct hub_identity *identity; /* NULL without a ticket */
	struct addr client;
	bool opens; /* the room has nobody yet */
};

/* What happens to connections, calls and rooms, to be recorded. */
#define HUB_EVENT_TABLE(X)                                                                         \
	X(HUB_EVENT_NAMED, "named")     /* name: its name from now on; from: the one before */     \
	X(HUB_EVENT_ICE, "ice-servers") /* got ICE servers; code not 0: was refused them */        \
	X(HUB_EVENT_OFFER, "offer")     /* to target, as the next ones; text: the message */       \
	X(HUB_EVENT_ANSWER, "answer")                                                              \
	X(HUB_EVENT_CANDIDATE, "candidate")                                                        \
	X(HUB_EVENT_HANG_UP, "hang-up")     /* target NULL: to all its partners */                 \
	X(HUB_EVENT_UNREACHED, "unreached") /* the target of one of these is not there, or away */ \
	X(HUB_EVENT_LEFT, "left")           /* the last connection of that name has closed */      \
	X(HUB_EVENT_BEGUN, "begun")         /* a call; target: the callee */                       \
	X(HUB_EVENT_ANSWERED, "answered")   /* by name; target: the caller */                      \
	X(HUB_EVENT_ENDED, "ended") /* a call: reason, seconds, code 1 if answered; from */        \
	                            /* and by: who ended it, NULL: the hub */                      \
	X(HUB_EVENT_ROOM_OPENED, "room-opened") /* name: the first user */                         \
	X(HUB_EVENT_ROOM_CLOSED, "room-closed") /* the last user has left; name is "" */           \
	X(HUB_EVENT_KICKED, "kicked")           /* by the operator: reason */

#define X(name, text) name,
enum hub_event_what { HUB_EVENT_TABLE(X) };
#undef X
#define X(name, text) +1
enum { HUB_EVENT_N = HUB_EVENT_TABLE(X) };
#undef X

/* Borrowed for the call. */
struct hub_event {
	enum hub_event_what what;
	const char *room, *name;
	const char *target; /* may be NULL, as the next ones */
	const char *from;
	const char *reason;
	const char *text; /* the message as it came, len bytes */
	size_t len;
	uint64_t member_id;
	uint64_t by; /* a member_id, or 0 */
	int64_t seconds;
	int code;
	bool proven; /* a ticket proves name */
};

/* Who signals to whom in a call, and for how long that counts: for relay credentials that are
 * locked to their holder's calls. By the ids of members, so that people of one name, and one
 * person's devices, are told apart. */
enum hub_link_what {
	HUB_LINK_SIGNALED, /* member is about to pass an offer, an answer or a candidate (text) to
	                    * other, with which it has a call */
	HUB_LINK_ENDED,    /* a call between the two */
	HUB_LINK_MOVED, /* a connection was member, and is other now, which has come back by it */
	HUB_LINK_GONE,  /* member is gone for good, its calls have ended */
};

/* Borrowed for the call. */
struct hub_link_news {
	enum hub_link_what what;
	uint64_t member, other;
	const char *text; /* the message as it came, len bytes */
	size_t len;
};

/* None of these may call the hub back. Exception: ice_servers may answer at once. */
struct hub_ops {
	/* Sends or queues one text frame for conn; takes references of its own. 0; -E_LATER when a
	 * PASSED frame has no room for now (the hub tells its sender); -E_LIMIT when conn does not
	 * read: the hub then closes it. */
	int (*send)(void *ctx, void *conn, enum hub_frame frame, struct hub_text *text);

	/* Starts to close conn, after the queued frames unless the queue was full. hub_leave()
	 * follows later; the hub sends nothing more to it. */
	void (*close)(void *ctx, void *conn, enum hub_close code, const char *reason);

	/* Optional. 0: hub_ice_answer() or hub_ice_refuse() is called for the member, now or
	 * later. An error code refuses at once. */
	int (*ice_servers)(void *ctx, void *conn, const struct hub_ice_request *request);

	int64_t (*now_ms)(void *ctx); /* monotonic */

	/* Optional. What a ticket proves: 0, -E_DENIED, -E_STALE (it has expired) or another code;
	 * then *why may be set to a sentence for its holder, which lives as long as the program.
	 * NULL: there are no tickets. */
	int (*identify)(void *ctx, const char *ticket, struct hub_identity *out, const char **why);

	/* Optional. Whether somebody may join: 0; -E_LATER: hub_admit() says so later; another
	 * code: they may not. */
	int (*admit)(void *ctx, uint64_t member_id, const struct hub_admission *who);

	/* Optional. Calls hub_list_due() in that many ms, instead of any earlier such wish. Without
	 * it the hub sends the user list at each change. */
	void (*later)(void *ctx, int64_t ms);

	/* Optional. For connections that have a name. */
	void (*event)(void *ctx, const struct hub_event *event);

	/* Optional. Comes before what is signaled is sent. */
	void (*link)(void *ctx, const struct hub_link_news *news);
};

void hub_conf_default(struct hub_conf *conf);

/* Copies conf and ops. NULL when out of memory. */
struct hub *hub_new(const struct hub_conf *conf, const struct hub_ops *ops, void *ctx);

/* Copies conf. For present connections, too, but more than the new limits allow may stay. */
void hub_set_conf(struct hub *h, const struct hub_conf *conf);

/* 1 to HUB_ROOM_MAX of A-Z a-z 0-9 . _ ~ - */
bool hub_room_name_is_good(const char *name);

/* The signaling protocol of another project that is spoken at that path; NULL: none is. */
const struct hub_dialect *hub_dialect_find(const char *path);

/* Frees the members too, without a word to them. NULL is legal. */
void hub_free(struct hub *h);

/* A connection has come; conn is handed to the ops. Copies visit. Sends its id, or what its dialect
 * begins with. 0, -E_LIMIT (max_connections), -E_INVAL (a room's name that is none) or -E_NOMEM. */
int hub_join(struct hub *h, void *conn, const struct hub_visit *visit, struct hub_member **out);

/* The connection is gone: frees p, ends its calls and tells the others. A member that gave a secret
 * with its name may come back to its calls within return_ms: until then its partners hear nothing,
 * and hub_tick() has to be called. close_code: the one that the client sent, HUB_CLOSE_ABNORMAL
 * for none. NULL is legal. */
void hub_leave(struct hub_member *p, unsigned close_code);

/* Before hub_leave(): a frame that p's connection has not sent. In the order of sending. */
void hub_unsent(struct hub_member *p, struct hub_text *text);

/* The state that outlives a restart of the server: those who may come back, their calls, and what
 * waits for them. NULL when out of memory; the caller frees it. */
json_t *hub_save(const struct hub *h);

/* They are all away, and may come back as if the connection had been lost now. For a new hub. 0 or
 * -E_CORRUPT. */
int hub_load(struct hub *h, const json_t *saved);

/* Does what is due. Returns the ms until the next call, or -1. */
int64_t hub_tick(struct hub *h);

/* Sends the user lists that were postponed and are due, if any (hub_ops.later). */
void hub_list_due(struct hub *h);

/* One whole text message of p. */
void hub_text(struct hub_member *p, const char *text, size_t len);

/* Call it before hub_text(): how long the next message of p should wait, since p has sent all that
 * it may for now. 0: not at all. */
int64_t hub_pause_ms(struct hub_member *p);

/* Tells p that what it sent is refused: for faults that the binding sees. */
void hub_error(struct hub_member *p, const char *code, const char *message);

/* Sends the error to every connected peer whose name whom() picks, and returns their number. */
unsigned hub_tell(struct hub *h, bool (*whom)(void *ctx, const char *name), void *ctx,
                  const char *code, const char *message);

/* Answers a request for ICE servers. The member may be gone by now. Borrows servers. strict: what
 * is opened with their credential ends with it. */
void hub_ice_answer(struct hub *h, uint64_t member_id, json_t *servers, int64_t ttl_s, bool strict);

/* err: -E_DENIED, -E_REVOKED, -E_LIMIT or any other of the table. */
void hub_ice_refuse(struct hub *h, uint64_t member_id, int err);

/* What was decided elsewhere about somebody who wants to join. Borrowed for the call. */
struct hub_verdict {
	int err; /* 0: they join; -E_UNREACHABLE: nobody could be asked; another: they may not */
	const char *message; /* why not, for them; NULL: a sentence of the hub's */
	const char *name;    /* the one that they get; NULL: the one that they want */
	bool fixed;          /* they cannot change it; so it is whenever name is given */
	bool has_may;        /* they may do the following, whatever ticket they have: */
	unsigned may;        /* of enum hub_may */
};

/* The answer to hub_ops.admit. The member may be gone by now. */
void hub_admit(struct hub *h, uint64_t member_id, const struct hub_verdict *v);

/* For an operator. room NULL: all rooms. Names are compared by what they read. A reason
 * is told to those whom it is about; NULL: a sentence of the hub's. */

/* [{"room","users","connections","away"}]: away: users without a connection, who may come back. */
json_t *hub_rooms(struct hub *h);

/* [{"room","name","proven","sub"|null,"seconds","devices":[{"id","address","away","calls"}]}] */
json_t *hub_people(struct hub *h, const char *room);

/* Ends the connections of a user, who may join again at once. Returns their number. */
unsigned hub_kick(struct hub *h, const char *room, const char *name, const char *reason);

/* The same for everybody in a room, which is gone then. */
unsigned hub_close_room(struct hub *h, const char *room, const char *reason);

/* Closes (4005) each member that a ticket has signed in if whom() says so of the ticket's key and
 * sub; one that is away cannot come back. Returns the number of those closed. */
unsigned hub_revoke(struct hub *h, bool (*whom)(void *ctx, int64_t key, const char *sub),
                    void *ctx);

/* Keeps a user out, here or not, and ends their connections: one with a ticket by its sub; a guest
 * by the name and by the addresses of their connections (IPv6: the /64), for guests alone. *n: the
 * connections. 0, -E_INVAL, -E_LIMIT or -E_NOMEM; the connections end in any of the last two cases,
 * too. */
int hub_ban(struct hub *h, const char *room, const char *name, int64_t seconds, const char *reason,
            unsigned *n);

/* Ends the bans that were spoken against this name, and in all rooms or in this one. Their number.
 */
unsigned hub_unban(struct hub *h, const char *room, const char *name);

/* [{"room"?,"name","by":"name|sub|address","key","seconds"}]: without room: in all. */
json_t *hub_bans(const struct hub *h);

/* Sends message, an object, to a user or (name NULL) to everybody. *n: the connections that it went
 * to. 0 or -E_NOMEM. */
int hub_say(struct hub *h, const char *room, const char *name, const json_t *message, unsigned *n);

uint64_t hub_member_id(const struct hub_member *p);
const char *hub_member_name(const struct hub_member *p); /* "" while it has none */
const char *hub_member_room(const struct hub_member *p); /* "" while it has no name */
bool hub_member_is_proven(const struct hub_member *p);   /* a ticket proves its name */
unsigned hub_member_count(const struct hub *h);          /* that are connected */
unsigned hub_room_count(const struct hub *h);            /* with somebody in it */
unsigned hub_call_count(const struct hub *h);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The signaling hub: names, presence and routing of the MDN chat protocol.
 * It owns no socket: a binding feeds it text and carries out its ops.
 */
#ifndef SIGNAL_HUB_H
#define SIGNAL_HUB_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HUB_NAME_MAX 64 /* bytes of UTF-8 */

/* Reasons a connection is closed for (RFC 6455 section 7.4.1). */
enum hub_close {
	HUB_CLOSE_GOING_AWAY = 1001,
	HUB_CLOSE_UNSUPPORTED = 1003,
	HUB_CLOSE_POLICY = 1008,
	HUB_CLOSE_TOO_BIG = 1009,
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
	uint64_t first_id;    /* the id of the first connection; the next ones count up */
};

struct hub;
struct hub_member;

/* A request for ICE servers. Borrowed for the call. */
struct hub_ice_request {
	uint64_t member_id;
	const char *name;      /* "" before the member has a name */
	const char *api_token; /* that it shows, or NULL */
};

/* What happens to connections and calls, for whoever records it. */
#define HUB_EVENT_TABLE(X)                                                                         \
	X(HUB_EVENT_NAMED, "named")     /* name: its name from now on */                           \
	X(HUB_EVENT_ICE, "ice-servers") /* got ICE servers; code not 0: was refused them */        \
	X(HUB_EVENT_OFFER, "offer")     /* to target, as the next ones */                          \
	X(HUB_EVENT_ANSWER, "answer")                                                              \
	X(HUB_EVENT_CANDIDATE, "candidate")                                                        \
	X(HUB_EVENT_HANG_UP, "hang-up")     /* target NULL: to all its partners */                 \
	X(HUB_EVENT_UNREACHED, "unreached") /* the target of one of these is not there, or away */ \
	X(HUB_EVENT_LEFT, "left")           /* its connection has closed */

#define X(name, text) name,
enum hub_event_what { HUB_EVENT_TABLE(X) };
#undef X
#define X(name, text) +1
enum { HUB_EVENT_N = HUB_EVENT_TABLE(X) };
#undef X

/* Borrowed for the call. */
struct hub_event {
	enum hub_event_what what;
	const char *name, *target; /* target may be NULL */
	int code;
};

/* None of these may call the hub back. Exception: ice_servers may answer at once. */
struct hub_ops {
	/* Queues one text frame for conn; copies text. 0; -E_LATER when a PASSED frame has no room
	 * for now (the hub tells its sender); -E_LIMIT when conn does not read: the hub then closes
	 * it. */
	int (*send)(void *ctx, void *conn, enum hub_frame frame, const char *text, size_t len);

	/* Starts to close conn, after the queued frames unless the queue was full. hub_leave()
	 * follows later; the hub sends nothing more to it. */
	void (*close)(void *ctx, void *conn, enum hub_close code, const char *reason);

	/* Optional. 0: hub_ice_answer() or hub_ice_refuse() is called for the member, now or
	 * later. An error code refuses at once. */
	int (*ice_servers)(void *ctx, void *conn, const struct hub_ice_request *request);

	int64_t (*now_ms)(void *ctx); /* monotonic */

	/* Optional. Calls hub_list_due() in that many ms. Without it the hub sends the user list at
	 * each change. */
	void (*later)(void *ctx, int64_t ms);

	/* Optional. For connections that have a name. */
	void (*event)(void *ctx, const struct hub_event *event);
};

void hub_conf_default(struct hub_conf *conf);

/* Copies conf and ops. NULL when out of memory. */
struct hub *hub_new(const struct hub_conf *conf, const struct hub_ops *ops, void *ctx);

/* Also for present connections: more than max_connections may stay. */
void hub_set_limits(struct hub *h, unsigned max_connections, unsigned signal_rate);

/* Frees the members too, without a word to them. NULL is legal. */
void hub_free(struct hub *h);

/* A connection has come; conn is handed to the ops. Sends its id.
 * 0, -E_LIMIT (max_connections) or -E_NOMEM. */
int hub_join(struct hub *h, void *conn, struct hub_member **out);

/* The connection is gone: frees p, ends its calls and tells the others. A member that gave a secret
 * with its name may come back to its calls within return_ms: until then its partners hear nothing,
 * and hub_tick() has to be called. NULL is legal. */
void hub_leave(struct hub_member *p);

/* Ends the calls of peers that did not come back. Returns the ms until the next call, or -1 when no
 * peer is away. */
int64_t hub_tick(struct hub *h);

/* Sends the user list that was postponed, if any (hub_ops.later). */
void hub_list_due(struct hub *h);

/* One whole text message of p. */
void hub_text(struct hub_member *p, const char *text, size_t len);

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

uint64_t hub_member_id(const struct hub_member *p);
const char *hub_member_name(const struct hub_member *p); /* "" while it has none */
unsigned hub_member_count(const struct hub *h);          /* that are connected */
unsigned hub_call_count(const struct hub *h);

#endif

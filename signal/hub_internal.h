/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared by the hub's own files. No other file includes it.
 */
#ifndef SIGNAL_HUB_INTERNAL_H
#define SIGNAL_HUB_INTERNAL_H

#include "base/table.h"
#include "signal/fold.h"
#include "signal/hub.h"
#include "signal/scan.h"

#define HUB_RESUME_MIN   16 /* bytes: too many to guess */
#define HUB_RESUME_MAX   64
#define HUB_FOLD_MAX     FOLD_MAX
#define HUB_SECRET_BYTES 32  /* of a digest */
#define ROUTE_STRING_MAX 256 /* bytes of a type or a target that may mean something */
#define HUB_PREFIX_KEY   9
#define HUB_QUOTED_MAX   (2 * HUB_NAME_MAX + 2) /* a name as JSON text */

/* Tokens, which come in with time (charge.c). */
struct hub_bucket {
	int64_t milli;
	int64_t at_ms;
	bool used; /* else it is full */
};

/* Users who see each other. It lives as long as it has one. */
struct hub_room {
	struct hub *hub;
	struct hub_user *users; /* in the order of connection, unless unsorted */
	struct hub_name *names;
	struct hub_sub *subs; /* whom tickets are of */
	struct hub_prefix *opener;
	unsigned user_n; /* also those that are away */
	bool opened;     /* HUB_EVENT_ROOM_OPENED was told */
	bool all_due;    /* a list, to all who get lists */
	bool unsorted;
	bool quiet;                                      /* a dialect's: nobody gets lists */
	enum { LIST_TRUE, LIST_FRESH, LIST_WAITS } list; /* which list of the hub it is in */
	int64_t list_due_ms;                             /* while it waits */
	int64_t list_sent_ms;                            /* the last one; 0: never */
	int64_t pause_ms;                                /* after it, before the next */
	struct hub_user *changed; /* by next_changed: since the last one, perhaps */
	uint64_t version;         /* of its presence, as told last */
	char *left;               /* JSON: names that have left since; see presence_text.c */
	size_t left_len, left_cap;
	bool left_lost;               /* for want of memory */
	struct hub_room *prev, *next; /* in that list */
	UT_hash_handle hh;
	char name[HUB_ROOM_MAX + 1];
};

/* A name in use in a room. */
struct hub_name {
	UT_hash_handle hh; /* in room->names, by fold */
	struct hub_user *user;
	unsigned next_number; /* the lowest that may be free in a variant of this name */
	size_t fold_len;
	char fold[]; /* what names that read the same have in common */
};

/* A ticket's person in a room. */
struct hub_sub {
	UT_hash_handle hh; /* in room->subs, by text */
	struct hub_user *user;
	char text[];
};

/* A person in a room. It lives as long as it has a member: one, or several (its devices) when a
 * ticket proves that they are of one person. */
struct hub_user {
	struct hub_room *room;
	struct hub_member *members; /* by next_device, oldest first; also those that are away */
	unsigned member_n;
	unsigned present_n;                           /* of them, with a connection */
	struct hub_user *prev, *next;                 /* in room->users */
	struct hub_user *prev_changed, *next_changed; /* in room->changed, if is_changed */
	struct hub_name *held;
	int64_t since_ms;
	struct hub_sub *sub; /* of its ticket; NULL for a guest */
	bool proven;         /* the ticket is for exactly this name */
	bool fixed;          /* the operator's own program has given the name */
	bool is_changed;
	bool facts_changed; /* not the name, but what is told with it */
	size_t quoted_len;
	char name[HUB_NAME_MAX + 1];
	char listed[HUB_NAME_MAX + 1];   /* the name as told last; "": none */
	char quoted[HUB_QUOTED_MAX + 1]; /* name as JSON text, with its quotes */
};

struct hub_origin {
	UT_hash_handle hh;
	uint64_t id;
	struct hub_member *member;
};

struct hub_member {
	struct hub *hub;
	void *conn;
	uint64_t id;               /* of its connection */
	struct hub_origin *origin; /* the id of its first connection: what others know it by */
	struct hub_user *user;     /* NULL until it has a name */
	struct hub_member *prev_device, *next_device;
	char wanted_room[HUB_ROOM_MAX + 1]; /* by its opening handshake */
	char *ticket;                       /* likewise, until it has a name; or NULL */
	struct hub_pending *pending;        /* while somebody else decides whether it may join */
	struct hub_prefix *prefix;          /* of its address; NULL: unknown */
	const struct hub_dialect *dialect;  /* NULL: none */
	void *own;                          /* what the dialect knows of it */
	char *sub;                          /* of the ticket that a dialect was shown; or NULL */
	struct addr client;
	int64_t ticket_key;    /* of the ticket that signed it in; 0: none did */
	unsigned may;          /* of enum hub_may, once it has a name */
	bool may_given;        /* by the operator's own program: no ticket changes it */
	bool extended;         /* knows more than MDN's protocol: it has said so with its name */
	bool list_due;         /* gets a whole list, in any case */
	uint64_t told;         /* the version of presence that it knows; 0: none */
	bool delta;            /* wants presence instead of user lists */
	int64_t rename_due_ms; /* not before */
	uint8_t secret[HUB_SECRET_BYTES]; /* a digest of what it gave with its name */
	bool has_secret;
	bool closing;        /* close() was called: send nothing more */
	bool leaves;         /* has said that it does not come back */
	unsigned closed_for; /* the code that close() was called with; 0: it was not */
	bool away;           /* has no connection, and may come back */
	int64_t due_ms;      /* end of the wait */
	struct hub_member *prev_away, *next_away;
	struct hub_ring *ring; /* what it has not confirmed; NULL: it does not count */
	int64_t last_ack;      /* the greatest number of its acks */
	unsigned missed;       /* of its last return, for "signed-in" */
	uint64_t lost;
	bool throttled;   /* was told so since its bucket last had a token */
	unsigned dropped; /* messages in a row that found the bucket empty */
	struct hub_bucket bucket;
	struct hub_call **call; /* its calls */
	unsigned call_n;
	unsigned call_cap;
	struct hub_member *prev, *next; /* in the order of connection */
	UT_hash_handle by_secret;
};

struct hub {
	struct hub_conf conf;
	struct hub_ops ops;
	void *ctx;
	uint64_t next_id;
	unsigned member_n; /* members that are away, among them */
	unsigned away_n;
	unsigned call_n;
	struct hub_member *members;
	struct hub_origin *origins; /* by id */
	struct hub_member *secrets; /* those that may come back */
	struct hub_member *away;
	struct hub_call *ringing; /* oldest first */
	size_t ring_bytes;
	bool loading; /* what was saved: it is no news */
	struct hub_message *handling;
	struct hub_member *handled; /* whose message that is */
	struct hub_room *rooms;     /* by name */
	struct hub_prefix *prefixes;
	struct hub_ban *bans;
	unsigned ban_n;
	struct hub_bucket bucket;
	struct hub_letter *letters; /* peerjs.c */
	unsigned letter_n;
	struct hub_topic *topics; /* topics.c, by name */
	struct hub_room *fresh;   /* whose user list has changed since presence_settle() */
	struct hub_room *waiting; /* whose user list waits for hub_list_due() */
	int64_t later_ms;         /* when hub_list_due() is to be called; 0: not at all */
};

/* The members of a message that the hub reads. */
enum route_name {
	ROUTE_TYPE,
	ROUTE_TARGET,
	ROUTE_ACK,
	ROUTE_NAME,
	ROUTE_ID,
	ROUTE_TEXT,
	ROUTE_SEQ,
	ROUTE_REASON,
	ROUTE_NAMES,
};

/* One message of a client, while it is looked at. */
struct hub_message {
	const char *text;
	size_t len;
	struct scan scan;
	const char *type;
	const char *target; /* NULL when there is none; "" when nobody has such a name */
	json_t *json;       /* of the few types that the hub reads whole */
	bool refused;       /* its sender was told so */
	char type_text[ROUTE_STRING_MAX + 1], target_text[ROUTE_STRING_MAX + 1];
};

enum hub_end { HUB_CALLER, HUB_CALLEE };

/* A call between two members. */
struct hub_call {
	struct hub_member *end[2];
	bool offered[2]; /* by that end */
	bool answered;
	int64_t since_ms;                   /* of the offer, then of the answer */
	char known_as[2][HUB_NAME_MAX + 1]; /* what the other end calls this one */
	struct hub_call *prev, *next;       /* in hub->ringing, until it is answered */
};

/* An address prefix that members come from: /24 or /64. It lives as long as one of them, or a room
 * that one has opened. */
struct hub_prefix {
	UT_hash_handle hh;
	unsigned refs;
	unsigned rooms; /* opened from here */
	struct hub_bucket bucket;
	uint8_t key[HUB_PREFIX_KEY]; /* family, and the first bytes of the address */
};

/* hub.c */

/* 0 (also for a member on its way out), or -E_LATER, for a PASSED frame only. */
int hub_send_text(struct hub_member *p, enum hub_frame frame, struct hub_text *text);
int hub_send(struct hub_member *p, enum hub_frame frame, const char *text, size_t len);
void hub_send_json(struct hub_member *p, json_t *msg); /* steals msg, which may be NULL */
void hub_close_member(struct hub_member *p, enum hub_close code, const char *reason);
struct hub_member *hub_find_id(struct hub *h, uint64_t id);    /* of its origin */
struct hub_member *hub_member_new(struct hub *h, uint64_t id); /* NULL when out of memory */
void hub_member_free(struct hub_member *p);
void hub_wake_by(struct hub *h, int64_t due_ms); /* hub_list_due() is called then */

/* Fills in p's name, room and the rest that is known of it. Nothing for a member without a name. */
void hub_report(const struct hub_member *p, struct hub_event event);

/* An error that names the type and the target it is about; either may be NULL. */
void hub_error_for(struct hub_member *p, const char *code, const char *message, const char *type,
                   const char *target);

/* room.c */

struct hub_room *room_find(struct hub *h, const char *name);

/* The room of that name, which p opens if there is none. NULL when out of memory. The caller puts a
 * user into it, or calls room_tidy(). */
struct hub_room *room_open(struct hub_member *p, const char *name);
void room_tidy(struct hub_room *room); /* frees it if it has no user */
void room_sort(struct hub_room *room); /* users, in the order of connection */

/* names.c */

/* The user of that name, or of one that reads the same; NULL: there is none. */
struct hub_user *name_find(struct hub_room *room, const char *name);
struct hub_user *name_find_sub(struct hub_room *room, const char *text);

/* Writes name as JSON text and returns its length. */
size_t name_quote(const char *name, char out[HUB_QUOTED_MAX + 1]);

/* Whether name is base, or base with a number. */
bool name_is_variant(const char *name, const char *base);

/* Makes a clean name a free variant of it: one that nobody has, or user (which may be NULL). */
void name_pick(struct hub_room *room, const struct hub_user *user, char name[HUB_NAME_MAX + 1]);

/* Names or renames p, whose room it is in the second case. name is clean, and free. 0 or -E_NOMEM:
 * then p keeps the name it has. */
int name_give(struct hub_member *p, struct hub_room *room, const char *name);
int name_change(struct hub_user *user, const char *name);

/* Copies text, unless user has a sub already. 0 or -E_NOMEM. */
int name_set_sub(struct hub_user *user, const char *text);

/* p becomes one more device of user, and is none of another any more. */
void name_join(struct hub_member *p, struct hub_user *user);

/* p has no name any more. Frees a user without members, and a room without users. */
void name_release(struct hub_member *p);
void name_gone_away(struct hub_member *p); /* p->away was set: it is not present */

/* presence_text.c */

/* The users that a list shows. */
struct hub_shown {
	struct hub_user **user;
	size_t n;
};

/* {"type":"userlist","users":["alice","bob"]}, and "proven":["bob"] if any is. NULL when out of
 * memory, as the next ones. */
struct hub_text *presence_list_text(const struct hub_shown *s);
struct hub_text *presence_full_text(const struct hub_shown *s, uint64_t version);

/* The differences to room->version, which make the next one. False: there are none; *out is NULL
 * then. Forgets those who have left. */
bool presence_diff_text(struct hub_room *room, struct hub_text **out);
void presence_left(struct hub_room *room, const char *listed);
void presence_left_free(struct hub_room *room);

/* presence.c */

/* Each for the next presence_settle(). */
void presence_changed(struct hub_user *user);                          /* joined, left, renamed */
void presence_facts_changed(struct hub_user *user);                    /* also devices, proven */
void presence_gone(struct hub_user *user);                             /* it is about to be freed */
void presence_due(struct hub_member *p);                               /* a whole list, to p */
void presence_due_by_call(struct hub_member *a, struct hub_member *b); /* begun, or ended */
void presence_forget(struct hub_room *room);                           /* it is about to be freed */

/* The message "presence". */
void presence_on_request(struct hub_member *p, const struct hub_message *m);

/* Sends the user lists that have changed, now or a little later. Each of the hub's functions that
 * may change one ends with it: what else they send comes first. */
void presence_settle(struct hub *h);

/* signin.c */

/* The message "username". */
void signin_on_username(struct hub_member *p, const struct hub_message *m);

/* Whether p, which has a name, may send that: who may not call or chat may still answer, and talk
 * to those they are in a call with. target may be NULL. */

/* What a client asks for, as far as it was looked at. */
struct signin_wish {
	const char *room; /* "": it has not said */
	const char *name; /* NULL: it has not said */
	bool proven;      /* by identity */
	bool fixed;       /* identity's name is the one that the operator's own program gives */
	struct hub_identity identity;
};

/* Each tells p why not, and is false. */
bool signin_refuse(struct hub_member *p, const char *code, const char *message);
bool signin_refuse_memory(struct hub_member *p);
bool signin_refuse_name(struct hub_member *p, int err);

bool signin_may_enter(struct hub_member *p, const struct signin_wish *w); /* tells p why not */
bool signin_opens(struct hub_member *p, const struct signin_wish *w);     /* a room */
void signin_enter(struct hub_member *p, const struct signin_wish *w);

/* admit.c */

/* Asks hub_ops.admit; hub_admit() goes on. m: the message, NULL for a dialect. */
void admit_ask(struct hub_member *p, const struct hub_message *m, const struct signin_wish *w);

/* While p->pending: keeps a message of p for later, or refuses it. */
void admit_keep(struct hub_member *p, const char *text, size_t len);
void admit_forget(struct hub_member *p); /* frees p->pending */

/* route_call.c */

void route_on_offer(struct hub_member *p, struct hub_message *m);
void route_on_answer(struct hub_member *p, struct hub_message *m);
void route_on_candidate(struct hub_member *p, struct hub_message *m);
void route_on_hang_up(struct hub_member *p, struct hub_message *m);

/* pass.c */

/* A message to the devices of one user. */
struct copies {
	struct hub_text *text;
	bool several, delivered, busy;
};

/* Each with m->refused. */
void pass_refuse(struct hub_member *p, struct hub_message *m, const char *code, const char *why);
void pass_refuse_memory(struct hub_member *p, struct hub_message *m);
void pass_refuse_unreached(struct hub_member *p, struct hub_message *m, bool busy);

/* What somebody may not do without a call, a partner may. False: m was refused. */
bool pass_is_allowed(struct hub_member *p, struct hub_message *m, unsigned may);

/* The target's user; NULL: m was refused. */
struct hub_user *pass_want_user(struct hub_member *p, struct hub_message *m);

/* The message as it goes on: the identity on it is the connection's, whatever the client wrote, and
 * only the server numbers. text: instead of its own; NULL: as it is. NULL: m was refused. */
struct hub_text *pass_stamp(struct hub_member *p, struct hub_message *m, const char *text);

/* To the target, or to everybody in the room; said: as text of pass_stamp(). */
void pass_on(struct hub_member *p, struct hub_message *m, const char *said);

/* Those whom p means with to's user: who is in a call with p, if anybody is. */
bool pass_is_meant(const struct hub_member *p, const struct hub_member *to, bool in_call);
struct copies copies_begin(struct hub_text *text, const struct hub_user *user);
void copy_to(struct copies *c, struct hub_member *to);
void copies_end(struct copies *c);

/* route.c. A message that is paid for. */
void route_text(struct hub_member *p, const char *text, size_t len);

/* Goes on with a message that had to wait: its error or its ack names it, as usual. */
void route_later(struct hub_member *p, const char *text, size_t len,
                 void (*on)(struct hub_member *p, void *ctx), void *ctx);

/* A member without a connection, as it was saved, gets its name back. 0 or a code. */
int signin_load(struct hub_member *p, const char *room, const char *name, const char *sub,
                bool proven, bool fixed);

/* charge.c */

/* Takes the message's tokens, or refuses it. */
bool charge_message(struct hub_member *p, const char *text, size_t len);

/* What a message to n members costs its sender beside that; or refuses it. */
bool charge_fan_out(struct hub_member *p, unsigned n, const struct hub_message *m);

/* What a rename costs. False: p cannot pay for it. */
bool charge_rename(struct hub_member *p);

/* *out: the prefix of that address, one reference more; NULL if the address is unknown. 0 or
 * -E_NOMEM. */
int charge_prefix(struct hub *h, const struct addr *client, struct hub_prefix **out);
void charge_prefix_unref(struct hub *h, struct hub_prefix *prefix); /* NULL is legal */

/* operator.c */

/* Whether somebody of that name, or with a ticket of that sub (NULL: none), is kept out. */
bool operator_bans(struct hub_member *p, const char *room, const char *name, const char *sub);

/* What hub_bans() gave. 0 or a code: then those before the faulty one are there. */
int operator_load_bans(struct hub *h, const json_t *list);
void operator_free_bans(struct hub *h);

/* resume.c */

/* A number of what was saved; 0 if it is none, or is not between 0 and what JavaScript can count.
 */
int64_t resume_number(const json_t *saved, const char *key);

/* Notes the secret that p gave with its name, and whether it counts. A member of room that gave the
 * same one before makes way: p has its user, its calls and what it has missed. True: so it is. */
bool resume_take_over(struct hub_member *p, const char *room, const struct hub_message *m);

/* Adds what p finds again to the message "signed-in", and sends it. */
void resume_describe(struct hub_member *p, bool resumed, json_t *signed_in);
bool resume_may_return(const struct hub_member *p);
void resume_forget(struct hub_member *p);
void resume_end(struct hub_member *p);             /* it leaves for good, and is freed */
int64_t resume_due(struct hub *h, int64_t now_ms); /* when the next one's time is up, or -1 */

/* Tells hub_ops.link. */
void hub_link(struct hub *h, struct hub_link_news news);

/* deliver.c */

/* A frame for p: sent now, or kept if p counts and is away. 0; -E_LATER: there is no room;
 * -E_CLOSED: p is away, and nothing is kept for it; -E_NOMEM. */
int deliver(struct hub_member *p, enum hub_frame frame, struct hub_text *text);
void deliver_json(struct hub_member *p, json_t *msg); /* of the server; steals msg */

/* An error about the message, with its type, target and ack; missed: how many did not get it. */
void deliver_refuse(struct hub_member *p, const char *code, const char *why, const struct scan *s,
                    unsigned missed);

int deliver_count(struct hub_member *p); /* p counts from now on. 0 or -E_NOMEM */
void deliver_confirmed(struct hub_member *p, uint64_t seq);
void deliver_move(struct hub_member *from, struct hub_member *to);
void deliver_resume_at(struct hub_member *p, int64_t seen, unsigned *missed, uint64_t *lost);
void deliver_again(struct hub_member *p);   /* what p has not confirmed */
void deliver_give_up(struct hub_member *p); /* p counts no more: the senders hear of it */
void deliver_free(struct hub_member *p);
json_t *deliver_save(const struct hub_member *p);
int deliver_load(struct hub_member *p, const json_t *saved);

/* calls.c */

struct hub_call *call_find(const struct hub_member *a, const struct hub_member *b);
struct hub_member *call_other(const struct hub_call *c, const struct hub_member *p);
bool call_with_user(const struct hub_member *p, const struct hub_user *user);

/* Who is in a call with p, and was known to p by that name. */
struct hub_user *call_known_as(const struct hub_member *p, const char *name);

/* 0, -E_LIMIT when the caller has max_calls, or -E_NOMEM. */
int call_begin(struct hub_member *caller, struct hub_member *callee);

/* What p is about to pass to user, for hub_ops.link: those who have a call with p. */
void call_signal(struct hub_member *p, struct hub_user *user, const char *text, size_t len);

void call_offered(struct hub_member *p, const struct hub_user *user); /* in their calls */

/* p answers user, if that has called. 0; -E_EXISTS: another device of p's user has; -E_LIMIT. */
int call_answer(struct hub_member *p, struct hub_user *user);

/* p ends c, which is gone then. True: the other end is to hear of it. */
bool call_hang_up(struct hub_member *p, struct hub_call *c, const char *reason);
/* Tells neither end. by: who ends it; NULL: the hub. */
void call_end(struct hub_call *c, const struct hub_member *by, const char *reason);
void call_end_all(struct hub_member *p, const char *reason);    /* tells the partners */
void call_move(struct hub_member *from, struct hub_member *to); /* to is in no call */
void call_renamed(struct hub_member *p, const char *old);       /* tells the partners */
int64_t call_due(struct hub *h, int64_t now_ms);
json_t *call_list(const struct hub_member *p);

/* Sends to a hang-up in that name; reason may be NULL. */
void call_tell_end(struct hub_member *to, const char *name, const char *reason);
json_t *call_save(const struct hub_member *p);
void call_load(struct hub_member *p, const json_t *saved);
void call_free(struct hub_member *p);

#endif

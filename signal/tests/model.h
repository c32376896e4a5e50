/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The model of the signaling protocol: people with tabs and networks that fail, a hub on virtual
 * time, and a ledger of what must come of each message. It knows the hub by its public header and
 * the protocol by docs/signaling.md, and shares no code with it.
 *
 * model.c: the hub's ops, connections and their queues; model_people.c: what a client says and
 * hears; model_ledger.c: messages, and what must become of them; model_calls.c: calls;
 * model_play.c: the moves.
 */
#ifndef SIGNAL_TESTS_MODEL_H
#define SIGNAL_TESTS_MODEL_H

#include "signal/hub.h"

#define PEOPLE     10
#define CONNS      64 /* open, or on their way out */
#define QUEUE_MAX  400
#define PASSED_MAX 24  /* unsent frames of other clients that a connection takes */
#define SERVER_MAX 300 /* unsent frames of the server */
#define KEPT_MAX   64  /* frames that the hub keeps for somebody who is away */
#define KEPT_BYTES (256 * 1024)
#define NOTES_MAX  40000
#define CALLS_MAX  400
#define NAME_ROOM  80
#define PARTNERS   16
#define NAMES_HAD  32
#define BIG        6000 /* bytes of a big message: 256 KB are fewer than 64 of them */
#define GRACE_MS   30000
#define GRACE_1001 10000

/* The checks, and their names in reports. */
#define MODEL_INVARIANT_TABLE(X)                                                                   \
	X(NAME, "name", "a name, as names are read, has one live user in a room")                  \
	X(TOLD, "told", "clients know the names that they have")                                   \
	X(ONCE, "once", "a message arrives once at each recipient")                                \
	X(SETTLED, "settled", "a message arrives, or its sender gets exactly one error")           \
	X(ACK, "ack", "a message that asks for it gets one ack, or one error")                     \
	X(ORDER, "order", "messages from one client to another keep their order")                  \
	X(ROOM, "room", "nothing crosses from room to room")                                       \
	X(TARGET, "target", "a message arrives only where it was sent to, in its sender's name")   \
	X(UNNAMED, "unnamed", "a client without a name sees nobody")                               \
	X(LIST, "list", "a user list tells who is in the room")                                    \
	X(DELTA, "delta", "presence, replayed from its differences, tells the same")               \
	X(NUMBER, "number", "numbered frames come once, in order and without a gap")               \
	X(CALLS, "calls", "every call that begins ends with one event")                            \
	X(ENDS, "ends", "a client in a call hears its end")                                        \
	X(RING, "ring", "what is kept for somebody is bounded")                                    \
	X(RETURN, "return", "a client that comes back in time has its name and its place")         \
	X(LEAK, "leak", "nothing is left when everybody has gone")

enum model_invariant {
#define X(name, text, what) MODEL_##name,
	MODEL_INVARIANT_TABLE(X)
#undef X
	    MODEL_INVARIANTS
};

/* Faults between the hub and the model, and the check that must see each. */
#define MODEL_BREAK_TABLE(X)                                                                       \
	X(SAME_NAME, NAME)                                                                         \
	X(OTHER_NAME, TOLD)                                                                        \
	X(TWICE, ONCE)                                                                             \
	X(LOST, SETTLED)                                                                           \
	X(ERROR_TWICE, SETTLED)                                                                    \
	X(ERROR_LOST, SETTLED)                                                                     \
	X(ACK_LOST, ACK)                                                                           \
	X(ACK_TWICE, ACK)                                                                          \
	X(SWAPPED, ORDER)                                                                          \
	X(CROSSED, ROOM)                                                                           \
	X(MISROUTED, TARGET)                                                                       \
	X(UNSTAMPED, TARGET)                                                                       \
	X(PEEKED, UNNAMED)                                                                         \
	X(LIST_LOST, LIST)                                                                         \
	X(JOINED_LOST, DELTA)                                                                      \
	X(NUMBER_SKIPPED, NUMBER)                                                                  \
	X(END_LOST, CALLS)                                                                         \
	X(END_TWICE, CALLS)                                                                        \
	X(HANG_UP_LOST, ENDS)                                                                      \
	X(RING_OVERRUN, RING)                                                                      \
	X(RETURN_LATE, RETURN)                                                                     \
	X(CONN_LEFT, LEAK)

enum model_break {
	BREAK_NONE,
#define X(name, invariant) BREAK_##name,
	MODEL_BREAK_TABLE(X)
#undef X
	    BREAKS
};

struct frame {
	struct hub_text *text;
	enum hub_frame kind;
};

struct conn {
	struct person *person; /* NULL: this slot is free */
	bool current;          /* else its client has given it up */
	struct hub_member *member;
	uint64_t id, origin; /* origin: of the connection that this one has come back for */
	bool named;
	bool slow; /* sends nothing for a while */
	struct frame queue[QUEUE_MAX];
	unsigned n, flown; /* frames; so many of them have left for the client */
	unsigned close_code;
};

/* Somebody's tab. A life is what one secret stands for. */
struct person {
	unsigned index;
	struct conn *conn; /* NULL: none */
	bool extended, counts, delta, returns;
	int sub; /* of the ticket; -1: a guest */
	const char *room;
	char secret[48];
	unsigned born; /* the last message before this life */

	/* As the hub has told in events: */
	uint64_t origin; /* what the hub calls it there: the id of its first connection */
	bool named;
	char name[NAME_ROOM];
	char had[NAMES_HAD][NAME_ROOM]; /* names of this life */
	unsigned had_n;

	/* As this client knows it: */
	char told[NAME_ROOM], before[NAME_ROOM]; /* before: it last asked for a name */
	bool asked;                              /* has sent a username on this connection; */
	unsigned asked_n;                        /* behind this message */
	unsigned seen, confirmed, sent;          /* sent: the last number on its connections */
	char **users;
	unsigned user_n;
	bool has_list;
	int64_t version;
	unsigned last[PEOPLE];             /* the last message heard of each */
	char partner[PARTNERS][NAME_ROOM]; /* of its calls; "" is a free place */
	unsigned acked;   /* its last message with an ack that has reached the hub */
	unsigned hung_up; /* the last message before it last hung up */
	char hung_up_to[NAME_ROOM];

	bool away, must_return;
	char had_name[NAME_ROOM]; /* when it went */
	int64_t away_until;
	bool back; /* has just come back: what was lost may leave a gap */
	int64_t lost;
};

/* A message, and what became of it. Sets of people are bits. */
struct note {
	unsigned from, born; /* the sender, and which of its lives */
	const char *type;    /* NULL: one of its own */
	char name[NAME_ROOM], target[NAME_ROOM];
	const char *room;
	bool broadcast, has_ack, big;
	unsigned said;   /* when this was the last message */
	bool unsaid;     /* its sender's network swallowed it */
	unsigned to;     /* who have the name */
	unsigned may;    /* who had it: who calls them may still say it */
	unsigned got;    /* who did */
	unsigned unsure; /* whose copy may have been lost, or counted as lost, by their own fault */
	unsigned errors, acks;
	int64_t missed;    /* recipients that an error says had no room */
	bool sender_lost;  /* may not have heard what became of it */
	bool sender_blink; /* was away for a while: unnumbered frames were lost */
	bool restarted;    /* the server, before it was settled; and there are several copies */
};

/* Told by events. */
struct call {
	const char *room; /* NULL: this slot is free */
	char a[NAME_ROOM], b[NAME_ROOM];
};

struct verdict {
	bool broken;
	enum model_invariant invariant;
	char text[400];
	unsigned step;
	unsigned long notes, frames, returns, kept, calls, errors, renames, restarts;
};

struct model {
	struct hub *hub;
	struct hub_conf conf;
	int64_t now_ms, list_ms, tick_ms; /* when the hub wants to be called; -1: not at all */
	uint64_t chance;
	enum model_break broken;
	bool trace;
	unsigned opportunities; /* for the fault, so far */
	struct person person[PEOPLE];
	struct conn conn[CONNS];
	struct note *note; /* by number; 0 is none */
	unsigned note_n, settled_n;
	struct call call[CALLS_MAX];
	unsigned call_n;
	bool calls_unsure; /* since a restart */
	bool restarts;     /* are among the moves */
	struct verdict verdict;
};

struct model_plan {
	uint64_t seed;
	unsigned steps;
	enum model_break broken;
	bool trace; /* print what is said and heard */
};

/* Plays so many moves with that seed; a broken invariant ends it. */
void model_run(const struct model_plan *plan, struct verdict *verdict);
const char *model_invariant_name(enum model_invariant i);

/* model.c */

unsigned model_dice(struct model *m, unsigned sides);

/* Unless ok, the run ends after this move. Only the first fault is told. */
__attribute__((format(printf, 4, 5))) void model_check(struct model *m, enum model_invariant i,
                                                       bool ok, const char *fmt, ...);

void model_trace(const struct model *m, const struct person *p, const char *what, const char *text);

/* Whether this is the time for the fault that was asked for: not the first times, and only once in
 * a while. */
bool model_breaks(struct model *m, enum model_break broken);
void model_pass(struct model *m, int64_t ms); /* time */
struct conn *model_connect(struct model *m, struct person *p);
void model_leave(struct model *m, struct conn *c, unsigned code); /* frees c */
void model_fly(struct conn *c, unsigned n); /* so many frames leave for the client */
void model_read(struct model *m, struct conn *c, unsigned n); /* the client reads so many */

/* The server stops and starts: nobody has a connection any more. */
void model_restart(struct model *m);

/* model_play.c */

void model_play(struct model *m, unsigned steps);

/* model_people.c */

/* A person in a life of its own: no connection, no name, a new secret. */
void person_born(struct model *m, struct person *p);
void person_sign_in(struct model *m, struct person *p, const char *name);
void person_hears(struct model *m, struct conn *c, const char *text);
void person_confirm(struct model *m, struct person *p);
void person_drops(struct model *m, struct person *p, unsigned code); /* its connection is gone */
void person_loses_hub(struct model *m, struct person *p);            /* it stops */
void person_expires(struct model *m, struct person *p); /* nobody waits for it any more */
void person_event(struct model *m, const struct hub_event *e);
void person_is_told(struct model *m, struct conn *c, const char *text); /* not heard yet */
__attribute__((format(printf, 3, 4))) void person_says(struct model *m, struct person *p,
                                                       const char *fmt, ...);

/* Whether two names read the same. */
bool name_same(const char *a, const char *b);
const char *name_any(struct model *m);

/* Those who have, or in this life had, that name. */
unsigned people_called(const struct model *m, const char *room, const char *name);

/* model_calls.c: what events tell of calls, and what clients believe. */

void calls_event(struct model *m, const struct hub_event *e);
void calls_heard(struct person *p, const char *type, const json_t *msg);
void calls_said(struct model *m, struct person *p, const char *type, const char *target);
void calls_signed_in(struct person *p, const json_t *calls);
void calls_restart(struct model *m);
void calls_check(struct model *m);         /* after each move */
void calls_check_settled(struct model *m); /* when everybody has heard everything */

/* model_ledger.c */

/* A new message of p, of that type (NULL: one that no other has), to target (NULL: to all). */
void ledger_send(struct model *m, struct person *p, const char *type, const char *target, bool big);
void ledger_swallowed(struct model *m, struct person *p, const char *target); /* not said, yet */
void ledger_repeat(struct model *m, struct person *p, unsigned last); /* what came after that one */
void ledger_heard(struct model *m, struct person *p, unsigned number, const char *name);
void ledger_error(struct model *m, struct person *p, unsigned number, int64_t missed);
void ledger_ack(struct model *m, struct person *p, unsigned number);

/* p's copy was on its way, or had not left: then the hub can tell. It does so for those to one. */
void ledger_unsure(struct model *m, const struct person *p, unsigned number, bool kept);
unsigned ledger_number(const char *text);                   /* of a frame; 0: it is none */
void ledger_blink(struct model *m, const struct person *p); /* p lost a connection */

/* What p has heard without confirming it may make way, and count as lost, while p is away. */
void ledger_unconfirmed(struct model *m, const struct person *p);
void ledger_told_lost(struct model *m, const struct person *p);
void ledger_full(struct model *m, const struct person *p);
void ledger_ends(struct model *m, const struct person *p); /* a life */
unsigned ledger_error_number(const json_t *error); /* of the message that it is about; or 0 */
void ledger_unheard(struct model *m, const struct person *p, const char *text); /* an error */
void ledger_restart(struct model *m);
void ledger_settle(struct model *m); /* everybody has heard everything */

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared by the hub's own files. No other file includes it.
 */
#ifndef SIGNAL_HUB_INTERNAL_H
#define SIGNAL_HUB_INTERNAL_H

#include "base/table.h"
#include "signal/fold.h"
#include "signal/hub.h"

#define HUB_RESUME_MIN 16 /* bytes: too many to guess */
#define HUB_RESUME_MAX 64
#define HUB_FOLD_MAX   FOLD_MAX
#define HUB_QUOTED_MAX (2 * HUB_NAME_MAX + 2) /* a name as JSON text */

/* Users who see each other. It lives as long as it has one. */
struct hub_room {
	struct hub *hub;
	struct hub_user *users; /* in the order of connection, unless unsorted */
	struct hub_name *names;
	unsigned user_n; /* also those that are away */
	bool unsorted;
	enum { LIST_TRUE, LIST_FRESH, LIST_WAITS } list; /* which list of the hub it is in */
	int64_t list_due_ms;                             /* while it waits */
	int64_t list_sent_ms;                            /* the last one; 0: never */
	struct hub_room *prev, *next;                    /* in that list */
	UT_hash_handle hh;
	char name[HUB_ROOM_MAX + 1];
};

/* A name in use in a room. */
struct hub_name {
	UT_hash_handle hh; /* in room->names, by fold */
	struct hub_user *user;
	size_t fold_len;
	char fold[]; /* what names that read the same have in common */
};

/* A person in a room. It lives as long as it has a member: one, or several (its devices) when a
 * ticket proves that they are of one person. */
struct hub_user {
	struct hub_room *room;
	struct hub_member *members; /* by next_device, oldest first; also those that are away */
	unsigned member_n;
	unsigned present_n;           /* of them, with a connection */
	bool proven;                  /* by a ticket: then sub says of whom */
	struct hub_user *prev, *next; /* in room->users */
	struct hub_name *held;
	char *sub; /* NULL for a guest */
	size_t quoted_len;
	char name[HUB_NAME_MAX + 1];
	char quoted[HUB_QUOTED_MAX + 1]; /* name as JSON text, with its quotes */
};

struct hub_member {
	struct hub *hub;
	void *conn;
	uint64_t id;
	struct hub_user *user; /* NULL until it has a name */
	struct hub_member *prev_device, *next_device;
	char wanted_room[HUB_ROOM_MAX + 1]; /* by its opening handshake */
	char *ticket;                       /* likewise, until it has a name; or NULL */
	struct addr client;
	char resume[HUB_RESUME_MAX + 1]; /* "" unless it sent one with its name */
	bool closing;                    /* close() was called: send nothing more */
	bool away;                       /* has no connection; its calls wait for it */
	int64_t due_ms;                  /* end of the wait */
	bool throttled;                  /* was told so since its bucket last had a token */
	unsigned dropped;                /* messages in a row that found the bucket empty */
	int64_t tokens_milli;
	int64_t refilled_at_ms;
	struct hub_member **partner; /* its partners in calls */
	unsigned partner_n;
	unsigned partner_cap;
	struct hub_member *prev, *next; /* in the order of connection */
	UT_hash_handle by_id;
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
	struct hub_member *ids;
	struct hub_room *rooms;   /* by name */
	struct hub_room *fresh;   /* whose user list has changed since presence_settle() */
	struct hub_room *waiting; /* whose user list waits for hub_list_due() */
	int64_t later_ms;         /* when hub_list_due() is to be called; 0: not at all */
};

/* One message of a client, while it is looked at. */
struct hub_message {
	const char *text;
	size_t len;
	json_t *json;
	const char *type;
	const char *target; /* NULL when there is none */
};

/* hub.c */

/* 0 (also for a member on its way out), or -E_LATER, for a PASSED frame only. */
int hub_send_text(struct hub_member *p, enum hub_frame frame, struct hub_text *text);
int hub_send(struct hub_member *p, enum hub_frame frame, const char *text, size_t len);
void hub_send_json(struct hub_member *p, json_t *msg); /* steals msg, which may be NULL */
void hub_close_member(struct hub_member *p, enum hub_close code, const char *reason);
void hub_forget(struct hub_member *p); /* frees one that is away */

/* Fills in p's name, room and the rest that is known of it. Nothing for a member without a name. */
void hub_report(const struct hub_member *p, struct hub_event event);

/* An error that names the type and the target it is about; either may be NULL. */
void hub_error_for(struct hub_member *p, const char *code, const char *message, const char *type,
                   const char *target);

/* room.c */

bool room_name_is_good(const char *name);
struct hub_room *room_find(struct hub *h, const char *name);

/* The room of that name, which is made if there is none. NULL when out of memory. The caller puts a
 * user into it, or calls room_tidy(). */
struct hub_room *room_open(struct hub *h, const char *name);
void room_tidy(struct hub_room *room); /* frees it if it has no user */
void room_sort(struct hub_room *room); /* users, in the order of connection */

/* names.c */

/* The user of that name, or of one that reads the same; NULL: there is none. */
struct hub_user *name_find(struct hub_room *room, const char *name);

/* Cleans the wanted name, finds a free variant of it and gives it to p, in room; a member that has
 * a name already is renamed (room is its own, then). *changed when it is not what was wanted. 0,
 * -E_INVAL when nothing is left of it, or -E_NOMEM; then p keeps the name it has. */
int name_claim(struct hub_member *p, struct hub_room *room, const char *wanted, bool *changed);

/* One more device of user. */
void name_join(struct hub_member *p, struct hub_user *user);

/* p has no name any more. Frees a user without members, and a room without users. */
void name_release(struct hub_member *p);
void name_gone_away(struct hub_member *p); /* p->away was set: it is not present */

/* presence.c */

void presence_changed(struct hub_room *room); /* for the next presence_settle() */
void presence_forget(struct hub_room *room);  /* it is about to be freed */

/* Sends the user lists that have changed, now or a little later. Each of the hub's functions that
 * may change one ends with it: what else they send comes first. */
void presence_settle(struct hub *h);

/* signin.c. The message "username". */
void signin_on_username(struct hub_member *p, const struct hub_message *m);

/* charge.c. Takes the message's tokens, or refuses it. */
bool charge_message(struct hub_member *p, size_t len);

/* resume.c */

/* Notes the secret that p gave with its name; if somebody of that name in room gave the same one
 * before, p takes over the name and the calls. */
void resume_take_over(struct hub_member *p, struct hub_room *room, const struct hub_message *m);

/* calls.c. 0, or -E_LIMIT when either end has max_calls, or -E_NOMEM. */
int call_begin(struct hub_member *a, struct hub_member *b);
void call_end(struct hub_member *a, struct hub_member *b);
void call_end_all(struct hub_member *p); /* tells the partners with a hang-up */
void call_move(struct hub_member *from, struct hub_member *to); /* to must be in no call */
void call_free(struct hub_member *p);

#endif

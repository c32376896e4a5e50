/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared by the hub's own files. No other file includes it.
 */
#ifndef SIGNAL_HUB_INTERNAL_H
#define SIGNAL_HUB_INTERNAL_H

#include "base/table.h"
#include "signal/hub.h"

#define HUB_RESUME_MIN 16 /* bytes: too many to guess */
#define HUB_RESUME_MAX 64

/* A name in use. */
struct hub_name {
	UT_hash_handle hh;
	struct hub_member *member;
	char text[HUB_NAME_MAX + 1];
};

struct hub_member {
	struct hub *hub;
	void *conn;
	uint64_t id;
	struct hub_name *held;           /* NULL until it has sent one */
	char name[HUB_NAME_MAX + 1];     /* the text of held, or "" */
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
	struct hub_name *names;
	int64_t list_sent_ms;
	bool list_waits; /* for hub_list_due() */
};

/* hub.c */

/* 0 (also for a member on its way out), or -E_LATER, for a PASSED frame only. */
int hub_send(struct hub_member *p, enum hub_frame frame, const char *text, size_t len);
void hub_send_json(struct hub_member *p, json_t *msg); /* steals msg, which may be NULL */
void hub_close_member(struct hub_member *p, enum hub_close code, const char *reason);
void hub_list_changed(struct hub *h); /* sends the user list, now or a little later */
struct hub_member *hub_find_name(struct hub *h, const char *name);
void hub_forget(struct hub_member *p); /* frees one that is away */
void hub_report(const struct hub_member *p, enum hub_event_what what, const char *target, int code);

/* An error that names the type and the target it is about; either may be NULL. */
void hub_error_for(struct hub_member *p, const char *code, const char *message, const char *type,
                   const char *target);

/* calls.c. 0, or -E_LIMIT when either end has max_calls, or -E_NOMEM. */
int call_begin(struct hub_member *a, struct hub_member *b);
void call_end(struct hub_member *a, struct hub_member *b);
void call_end_all(struct hub_member *p); /* tells the partners with a hang-up */
void call_move(struct hub_member *from, struct hub_member *to); /* to must be in no call */
void call_free(struct hub_member *p);

/* names.c. Cleans the wanted name, finds a free variant of it and gives it to p.
 * *changed when it is not what was wanted. 0, -E_INVAL when nothing is left of it, or -E_NOMEM;
 * then p keeps the name it has. */
int name_claim(struct hub_member *p, const char *wanted, bool *changed);
void name_release(struct hub_member *p);

#endif

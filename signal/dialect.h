/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Other signaling protocols over the hub's members: they share its limits, names, tickets, bans and
 * events, and know nothing of its messages. Only the hub's own files include it.
 */
#ifndef SIGNAL_DIALECT_H
#define SIGNAL_DIALECT_H

#include "signal/hub_internal.h"

struct hub_dialect {
	const char *path; /* of its WebSocket */
	const char *room; /* that guests may open in any case; NULL: it has no rooms */
	size_t
	    own_bytes; /* of what it knows of a member: zeroed before join(), freed after leave() */

	/* p has come: reads what it asks for, and ends with dialect_sign_in() or signin_refuse().
	 */
	void (*join)(struct hub_member *p, const struct hub_visit *visit);

	/* p may join: gets its place, or signin_refuse(). */
	void (*enter)(struct hub_member *p, const struct signin_wish *w);

	/* Says so in its own words; dialect_refuse() closes p then. */
	void (*refuse)(struct hub_member *p, const char *code, const char *message);

	/* One whole message: m->json, an object with a type. */
	void (*object)(struct hub_member *p, const struct hub_message *m);
	void (*leave)(struct hub_member *p);
};

extern const struct hub_dialect hub_peerjs, hub_topics;

/* p->dialect and p->own. 0 or -E_NOMEM. */
int dialect_begin(struct hub_member *p, const struct hub_dialect *dialect);
void dialect_leave(struct hub_member *p); /* p without a dialect is legal */

/* What the ticket proves goes into w; NULL or "" is none. False: p was refused. */
bool dialect_identify(struct hub_member *p, const char *ticket, struct signin_wish *w);

/* The checks that any member has to pass, then enter(). w->name lives as long as p. */
void dialect_sign_in(struct hub_member *p, const struct signin_wish *w);

/* For signin.c. */
void dialect_enter(struct hub_member *p, const struct signin_wish *w);
void dialect_refuse(struct hub_member *p, const char *code, const char *message);

/* peerjs.c: drops the messages whose time is up. When the next one's is, or -1. */
int64_t peerjs_due(struct hub *h, int64_t now_ms);

#endif

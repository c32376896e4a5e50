/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The operator's view and controls: one table of verbs (verb.h), JSON in and out, the same over the
 * Unix socket (admin_socket.h), over HTTPS (admin_http.h) and, when no server runs, from the
 * command line on the store. Every act goes into the audit with its actor. On the control thread.
 * docs/admin.md describes the verbs.
 */
#ifndef DAEMON_ADMIN_H
#define DAEMON_ADMIN_H

#include "daemon/conf/conf_reload.h"
#include "daemon/observe/history.h"
#include "store/account.h"

#include <jansson.h>
#include <stdio.h>

struct ask;
struct books;
struct explain;
struct grant;
struct guest_url;
struct helper;
struct hooks;
struct store;
struct tickets;
struct web;
struct worker;

/* The server's parts that verbs use: borrowed. Without a running server only live and store are
 * set. */
struct admin {
	const struct conf_live *live;
	struct store *store;
	struct worker *const *workers;
	size_t worker_n;
	struct web *web;
	struct grant *grant;
	struct tickets *tickets;
	const struct history *history;
	struct explain *explain; /* may be NULL */
	struct helper *helper;
	struct hooks *hooks;
	int64_t started_at_s;
	/* A verb has changed the store: the server applies the change at once. */
	void (*changed)(void *ctx);
	char *(*metrics)(void *ctx); /* the text, which the caller frees; NULL: out of memory */
	/* Makes a guest link. 0 or a code with why set. */
	int (*link)(void *ctx, struct guest_url *out, struct why *why);
	/* Reads the configuration and the certificate again, and reports the result. */
	void (*reload)(void *ctx, struct reload_report *report);
	uint64_t (*connections)(void *ctx); /* over TCP and TLS, now */
	void (*set_draining)(void *ctx, bool draining);
	bool (*is_draining)(void *ctx);
	void *ctx;
};

/* The caller of the verb. */
struct admin_actor {
	const char *name; /* for the audit */
	enum store_role role;
	bool on_host; /* over the socket, or from the command line itself */
};

/* A verb that answers later. */
struct admin_later;

struct admin_answer {
	json_t *result;            /* at 0: a new reference */
	struct why why;            /* with any other code */
	struct admin_later *later; /* with -E_LATER */
};

typedef void admin_done_fn(void *ctx, int err, struct admin_answer *answer);

/* Runs a verb ("user add") with its arguments (an object, or NULL for none; borrowed). 0, -E_LATER,
 * or a code with why set: -E_INVAL (an argument), -E_DENIED (the role is not allowed to),
 * -E_NOTFOUND (or no such verb), -E_EXISTS, -E_LIMIT, -E_STALE; any other code needs the operator.
 */
int admin_call(struct admin *a, const struct admin_actor *actor, const char *verb,
               const json_t *args, struct admin_answer *out);

/* Sets what gets the answer, from the loop. fn NULL: nothing does, and the verb is done all the
 * same. l lives until fn is called. */
void admin_later_then(struct admin_later *l, admin_done_fn *fn, void *ctx);

/* A word for a code, for programs: "not-found". */
const char *admin_code_text(int err);

/* docs/admin.md */
void admin_print_markdown(FILE *out);

/* docs/openapi.json: the hand-written part (daemon/web/openapi.json), and the verbs'. */
void admin_print_openapi(FILE *out);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The dialects' way into the hub.
 */
#include "signal/dialect.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

static const struct hub_dialect *const dialects[] = {&hub_peerjs, &hub_topics};

const struct hub_dialect *hub_dialect_find(const char *path)
{
	for (size_t i = 0; i < sizeof(dialects) / sizeof(*dialects); i++) {
		if (!strcmp(dialects[i]->path, path))
			return dialects[i];
	}
	return NULL;
}

int dialect_begin(struct hub_member *p, const struct hub_dialect *dialect)
{
	p->own = calloc(1, dialect->own_bytes);
	if (!p->own)
		return -E_NOMEM;
	p->dialect = dialect;
	return 0;
}

void dialect_leave(struct hub_member *p)
{
	if (p->dialect)
		p->dialect->leave(p);
	free(p->own);
	p->own = NULL;
}

bool dialect_identify(struct hub_member *p, const char *ticket, struct signin_wish *w)
{
	const char *why = "The ticket is not valid.";
	struct hub *h = p->hub;

	if (!ticket || !*ticket)
		return true;
	if (!h->ops.identify || h->ops.identify(h->ctx, ticket, &w->identity, &why))
		return signin_refuse(p, "bad-ticket", why);
	w->proven = true;
	return true;
}

void dialect_sign_in(struct hub_member *p, const struct signin_wish *w)
{
	if (!signin_may_enter(p, w))
		return;
	if (p->hub->ops.admit)
		admit_ask(p, NULL, w);
	else
		dialect_enter(p, w);
}

/* What both dialects pass on are the signals of calls. */
void dialect_enter(struct hub_member *p, const struct signin_wish *w)
{
	if (!p->may_given)
		p->may = w->proven ? w->identity.may : p->hub->conf.guest_may;
	if (!(p->may & HUB_MAY_CALL)) {
		signin_refuse(p, "not-allowed", "You may not call here.");
		return;
	}
	if (w->proven) {
		p->sub = strdup(w->identity.sub);
		if (!p->sub) {
			signin_refuse_memory(p);
			return;
		}
		p->ticket_key = w->identity.key;
	}
	p->dialect->enter(p, w);
}

void dialect_refuse(struct hub_member *p, const char *code, const char *message)
{
	p->dialect->refuse(p, code, message);
	hub_close_member(p, !strcmp(code, "banned") ? HUB_CLOSE_BANNED : HUB_CLOSE_POLICY,
	                 "refused");
}

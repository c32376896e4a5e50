/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Somebody else decides who joins (hub_ops.admit): until then a member waits, with its messages.
 */
#include "base/error.h"
#include "signal/dialect.h"

#include <stdlib.h>
#include <string.h>

#define PENDING_MAX 8 /* messages kept */

struct hub_pending {
	json_t *json; /* the message "username" */
	char *text;   /* likewise, for its ack; NULL for a dialect */
	size_t len;
	struct signin_wish wish;
	char room[HUB_ROOM_MAX + 1];
	size_t kept_bytes;
	unsigned kept_n;
	struct kept {
		char *text;
		size_t len;
	} kept[PENDING_MAX];
};

static bool put_off(struct hub_member *p, const struct hub_message *m, const struct signin_wish *w)
{
	struct hub_pending *pending = calloc(1, sizeof(*pending));

	if (!pending)
		return signin_refuse_memory(p);
	pending->text = m ? malloc(m->len + 1) : NULL;
	if (m && !pending->text) {
		free(pending);
		return signin_refuse_memory(p);
	}
	if (m)
		memcpy(pending->text, m->text, m->len);
	pending->len = m ? m->len : 0;
	pending->json = m ? json_incref(m->json) : NULL; /* the wish has its name of it */
	pending->wish = *w;
	memcpy(pending->room, w->room, strlen(w->room) + 1);
	pending->wish.room = pending->room;
	p->pending = pending;
	return true;
}

void admit_ask(struct hub_member *p, const struct hub_message *m, const struct signin_wish *w)
{
	const char *wanted = w->proven ? w->identity.name : w->name;
	char name[HUB_NAME_MAX + 1] = "";
	bool nameless = p->dialect && !wanted;
	struct hub *h = p->hub;
	struct hub_admission who = {.room = w->room,
	                            .name = name,
	                            .identity = w->proven ? &w->identity : NULL,
	                            .client = p->client,
	                            .opens = signin_opens(p, w)};
	int err;

	if (!nameless && (!wanted || !fold_clean(wanted, name))) {
		signin_refuse_name(p, -E_INVAL);
		return;
	}
	if (!put_off(p, m, w)) /* now: the answer may come before admit() returns */
		return;
	err = h->ops.admit(h->ctx, p->id, &who);
	if (err != -E_LATER)
		hub_admit(h, p->id, &(struct hub_verdict){.err = err});
}

void admit_keep(struct hub_member *p, const char *text, size_t len)
{
	struct hub_pending *pending = p->pending;
	struct kept *kept = &pending->kept[pending->kept_n];

	if (pending->kept_n == PENDING_MAX ||
	    pending->kept_bytes + len > p->hub->conf.max_message) {
		hub_error(p, "rate-limited", "You are not signed in yet. Send less before.");
		return;
	}
	kept->text = malloc(len + 1);
	if (!kept->text) {
		hub_error(p, "out-of-memory", "The server is out of memory.");
		return;
	}
	memcpy(kept->text, text, len);
	kept->len = len;
	pending->kept_bytes += len;
	pending->kept_n++;
}

static void pending_free(struct hub_pending *pending)
{
	for (unsigned i = 0; i < pending->kept_n; i++)
		free(pending->kept[i].text);
	json_decref(pending->json);
	free(pending->text);
	free(pending);
}

void admit_forget(struct hub_member *p)
{
	if (p->pending)
		pending_free(p->pending);
	p->pending = NULL;
}

static bool refuse_verdict(struct hub_member *p, const struct hub_verdict *v)
{
	return signin_refuse(p, "refused",
	                     v->message ? v->message
	                     : v->err == -E_UNREACHABLE
	                         ? "The service that lets people in cannot be asked now."
	                         : "You may not join.");
}

struct answer {
	struct signin_wish *w;
	const struct hub_verdict *v;
};

static void admit(struct hub_member *p, void *ctx)
{
	struct signin_wish *w = ((struct answer *)ctx)->w;
	const struct hub_verdict *v = ((struct answer *)ctx)->v;
	const char *name = v->name || !v->fixed ? v->name : w->name;

	if (v->err) {
		refuse_verdict(p, v);
		return;
	}
	w->fixed = v->name || v->fixed;
	if (name && !(w->proven && !v->name))
		fold_clean(name, w->identity.name);
	if (!signin_may_enter(p, w)) /* as it is by now */
		return;
	if (v->has_may) {
		p->may = v->may;
		p->may_given = true;
	}
	signin_enter(p, w);
}

void hub_admit(struct hub *h, uint64_t member_id, const struct hub_verdict *v)
{
	struct hub_member *p = hub_find_id(h, member_id);
	struct hub_pending *pending = p ? p->pending : NULL;
	struct answer answer = {.v = v};

	if (!pending)
		return;
	if (p->closing) {
		admit_forget(p);
		return;
	}
	p->pending = NULL;
	answer.w = &pending->wish;
	if (pending->text && h->handled != p)
		route_later(p, pending->text, pending->len, admit, &answer);
	else /* at once, while the message is looked at; or there is none */
		admit(p, &answer);
	for (unsigned i = 0; i < pending->kept_n && !p->closing; i++) {
		const struct kept *kept = &pending->kept[i];

		if (p->pending) /* by one of them, which asks again: the others wait for that */
			admit_keep(p, kept->text, kept->len);
		else
			route_text(p, kept->text, kept->len);
	}
	pending_free(pending);
	presence_settle(h);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Verbs that take too long for the control thread: their work is the helper's.
 */
#include "daemon/admin/helper.h"
#include "daemon/admin/verb.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

struct admin_later {
	struct helper_job job;
	struct admin *admin;
	const struct verb *verb;
	verb_fn *work;
	json_t *args, *result;
	char actor[STORE_ACTOR_MAX];
	enum store_role role;
	admin_done_fn *done; /* NULL: nothing waits for it */
	void *ctx;
};

static int work(struct helper_job *j, struct store *store, struct why *why)
{
	struct admin_later *l = (struct admin_later *)j;
	const struct admin_actor actor = {.name = l->actor, .role = l->role};
	struct admin_task t = {.store = store, .actor = &actor, .verb = l->verb, .args = l->args};
	int err;

	store_set_actor(store, l->actor);
	err = l->work(&t, why);
	l->result = t.result;
	return err;
}

static void done(struct helper_job *j, int err, const struct why *why)
{
	struct admin_later *l = (struct admin_later *)j;
	struct admin_answer answer = {.result = NULL, .why = *why};

	task_finish(l->admin, l->verb->name, l->actor, err);
	if (!l->done)
		return;
	if (!err)
		answer.result = json_incref(l->result);
	l->done(l->ctx, err, &answer);
}

static void release(struct helper_job *j)
{
	struct admin_later *l = (struct admin_later *)j;

	json_decref(l->args);
	json_decref(l->result);
	free(l);
}

int task_later(struct admin_task *t, verb_fn *fn, struct why *why)
{
	struct admin_later *l;

	if (!t->admin->helper)
		return fn(t, why);
	l = calloc(1, sizeof(*l));
	if (!l)
		return why_set(why, -E_NOMEM, "out of memory");
	l->job = (struct helper_job){.work = work, .done = done, .release = release};
	l->admin = t->admin;
	l->verb = t->verb;
	l->work = fn;
	l->args = json_incref((json_t *)(uintptr_t)t->args);
	l->role = t->actor->role;
	snprintf(l->actor, sizeof(l->actor), "%s", t->actor->name);
	if (helper_run(t->admin->helper, &l->job)) {
		release(&l->job);
		return why_set(why, -E_LIMIT,
		               "%d passwords wait for their turn: try again in a moment",
		               HELPER_QUEUE_MAX);
	}
	t->later = l;
	return -E_LATER;
}

void admin_later_then(struct admin_later *l, admin_done_fn *fn, void *ctx)
{
	l->done = fn;
	l->ctx = ctx;
}

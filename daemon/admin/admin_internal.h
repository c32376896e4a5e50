/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the verbs' files share.
 */
#ifndef DAEMON_ADMIN_INTERNAL_H
#define DAEMON_ADMIN_INTERNAL_H

#include "daemon/admin/admin.h"

/* One verb under way. */
struct admin_task {
	struct admin *admin; /* NULL on the helper's thread */
	struct store *store; /* this thread's */
	const struct admin_caller *caller;
	const char *verb;
	const json_t *args; /* checked: known names, right types, what is required is there */
	json_t *result;     /* to be set */
	struct admin_later *later;
};

typedef int admin_fn(struct admin_task *t, struct why *why);

/* NULL or the default when it was not given. */
const char *admin_text(const struct admin_task *t, const char *name);
int64_t admin_number(const struct admin_task *t, const char *name, int64_t def);
bool admin_flag(const struct admin_task *t, const char *name);

/* How many allocations live on each of n secrets: adds them to the counts. False: a worker has not
 * answered, or there is no memory. */
bool admin_count_by_secret(struct admin_task *t, const int64_t *ids, size_t n, uint64_t *counts);

/* Takes over result; NULL is want of memory. */
int admin_done(struct admin_task *t, json_t *result, struct why *why);

/* For `return admin_later(...)`: has fn, which may take its time, do the verb on the helper's
 * thread, with t->store and the arguments alone. -E_LATER, -E_LIMIT, -E_NOMEM. */
int admin_later(struct admin_task *t, admin_fn *fn, struct why *why);

/* A verb that changes something is done, or was refused. */
void admin_finish(struct admin *a, const char *verb, const char *actor, int r);

/* An act that is not the store's own. When the store cannot be written it goes to the log alone: a
 * server with a full disk can be drained. */
void admin_audit(struct admin_task *t, const char *act, const char *object);

/* The table in Markdown. */
void admin_print_verbs(FILE *out);

/* Text of any bytes as a JSON string, as it is shown (text.h). */
json_t *admin_string(const char *text, size_t len);

admin_fn admin_verbs, admin_status, admin_samples, admin_drain, admin_drain_cancel, admin_heed,
    admin_reload, admin_config, admin_log_level, admin_backup, admin_metrics, admin_link;
admin_fn admin_sessions, admin_session_close, admin_explain, admin_calls;
admin_fn admin_users, admin_user_add, admin_user_del, admin_user_enable, admin_user_disable;
admin_fn admin_secrets, admin_secret_add, admin_secret_retire;
admin_fn admin_tokens, admin_token_add, admin_token_del;
admin_fn admin_accounts, admin_account_add, admin_account_password, admin_account_del;
admin_fn admin_revoke, admin_unrevoke, admin_revocations, admin_usage, admin_audit_list;

#endif

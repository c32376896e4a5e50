/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Webhooks: events for the operator's own programs. Any thread tells one; a thread of their own
 * writes it to a queue on disk (queue.h) and sends it (post.h), so that no receiver and no disk
 * stops another thread. For each URL the order stays: the next event waits until the one before
 * was delivered or has died. docs/webhooks.md is the contract.
 */
#ifndef DAEMON_HOOKS_H
#define DAEMON_HOOKS_H

#include "daemon/conf/conf.h"
#include "daemon/conf/hook.h"
#include "daemon/hooks/queue.h"
#include "signal/hub.h"

#include <jansson.h>
#include <stdbool.h>

struct event_base;
struct hooks;
struct hook_settings;

#define HOOK_ASKED_TABLE(X)                                                                        \
	X(HOOK_ASKED_ALLOWED, "allowed")                                                           \
	X(HOOK_ASKED_REFUSED, "refused")                                                           \
	X(HOOK_ASKED_FAILED, "failed") /* no answer in time, or none that can be read */

#define X(name, text) name,
enum hook_asked { HOOK_ASKED_TABLE(X) HOOK_ASKED_N };
#undef X

/* Since the start. */
struct hooks_stats {
	uint64_t delivered, failed;   /* sent; tried in vain */
	uint64_t dead;                /* became dead letters: refused, too old */
	uint64_t dropped;             /* likewise, or lost, because a queue was full */
	uint64_t waiting, age_s;      /* now: letters that wait; how long the first one does */
	uint64_t asked[HOOK_ASKED_N]; /* questions before somebody joins, by their end */
};

/* What is known of a URL, at most a second old. */
struct hook_url_state {
	char url[HOOK_URL_MAX + 1];
	struct hook_count count;
	uint64_t delivered, failed;         /* since the start */
	int64_t failing_since_ms, tried_ms; /* Unix time; 0: it does not fail; it was not tried */
	int64_t next_ms;                    /* when it is tried again; 0: at once */
	char error[HOOK_ERROR_STRLEN];      /* of the last failure; stays after it */
};

#define HOOK_MESSAGE_STRLEN 201

/* What the operator's program says of somebody who wants to join. */
struct hooks_answer {
	uint64_t member_id;
	int err; /* 0: they join; -E_DENIED: they may not; -E_UNREACHABLE: it could not be asked */
	char message[HOOK_MESSAGE_STRLEN]; /* why not, printable; "" if it says nothing */
	char name[HUB_NAME_MAX + 1];       /* the name that they get; "": the one that they want */
	bool has_may;
	char may[64]; /* what they may do: "call,chat" */
};
typedef void hooks_answer_fn(void *ctx, const struct hooks_answer *answer);

/* Starts the thread if the configuration names a URL. Call it before other threads run. answer gets
 * the answers to hooks_ask(), from base's loop. 0 or a code with why set. */
int hooks_start(const struct conf *conf, struct event_base *base, hooks_answer_fn *answer,
                void *ctx, struct hooks **out, struct why *why);

/* For a reload, on the thread of hooks_start(): makes what may fail, then hooks_apply() takes it.
 */
int hooks_prepare(struct hooks *h, const struct conf *conf, struct hook_settings **out,
                  struct why *why);
void hooks_apply(struct hooks *h, struct hook_settings *fresh);
void hook_settings_free(struct hook_settings *s); /* NULL is legal */

/* From any thread; neither waits for a disk or a receiver. h may be NULL. members is what the event
 * says (stolen; NULL, as when out of memory: the event is lost and counted). */
bool hooks_want(const struct hooks *h, enum hook_what what);
void hooks_tell(struct hooks *h, enum hook_what what, json_t *members);

/* On the thread of hooks_start(). Whether joining needs an answer; h may be NULL. */
bool hooks_asks(const struct hooks *h);

/* Asks whether the member may join (question, an object, is stolen). 0: answer is called later;
 * -E_LIMIT: too many are asked about; -E_NOMEM. */
int hooks_ask(struct hooks *h, uint64_t member_id, json_t *question);

void hooks_get_stats(struct hooks *h, struct hooks_stats *out);

/* Returns how many. */
size_t hooks_get_states(struct hooks *h, struct hook_url_state out[HOOK_URLS_MAX]);

/* On the thread of hooks_start(): as hook_queue_dead() and, for all URLs, hook_queue_retry(). */
int hooks_list_dead(struct hooks *h, int64_t seq, const char *url, hook_letter_fn *each, void *ctx,
                    struct why *why);
int hooks_retry(struct hooks *h, const char *id, int64_t *n, struct why *why);

/* Writes what was told to the queue and ends the thread; what waits is sent after the next start.
 * NULL is legal. */
void hooks_stop(struct hooks *h);

#endif

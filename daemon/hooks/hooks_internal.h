/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared by the files of the webhooks' thread.
 */
#ifndef DAEMON_HOOKS_INTERNAL_H
#define DAEMON_HOOKS_INTERNAL_H

#include "daemon/hooks/hooks.h"
#include "daemon/hooks/post.h"

#include <pthread.h>
#include <stdatomic.h>

/* A copy of what the configuration says, for the thread. */
struct hook_settings {
	char *urls[HOOK_URLS_MAX];
	size_t url_n;
	struct hook_key keys[HOOK_KEYS_MAX];
	size_t key_n;
	unsigned mask; /* of enum hook_what */
	char *ca;
	long timeout_ms;
	struct hook_limits limits;
	char *join_url; /* "" for none */
	long join_timeout_ms;
};

/* An event that was told. */
struct hook_told {
	struct hook_event event;
	struct hook_told *prev, *next;
	char members[];
};

/* A URL's end of the queue. */
struct hook_outlet {
	struct hook_post *post;
	bool busy; /* an exchange is under way, of this letter: */
	int64_t seq;
	int64_t since_ms;
	int tries;
	bool empty;       /* nothing waits */
	int64_t next_ms;  /* monotonic: nothing is tried before */
	bool dirty;       /* state.count is old */
	int64_t count_ms; /* monotonic: when it was counted */
	bool told_dead;   /* in the log, since the last success */
	struct hook_url_state state;
};

struct hooks {
	char *dir;
	pthread_t thread;
	bool running;
	CURLM *multi;
	_Atomic unsigned mask; /* the events that are wanted */
	atomic_bool asks;      /* there is a join_url */
	struct mailbox *mail;  /* to the main thread, which has the next three */
	hooks_answer_fn *answer;
	void *answer_ctx;
	bool stopped;            /* no more answers */
	struct hook_queue *view; /* for operators, on the main thread */
	pthread_mutex_t lock;    /* all down to the states are under it */
	struct hook_told *told;
	size_t told_n; /* with those that the thread has taken and not yet written */
	struct hook_ask *asked;
	unsigned ask_n; /* with those that are under way */
	struct hook_settings *fresh;
	bool again; /* an operator has changed the queue */
	bool stop;
	struct hooks_stats stats;
	struct hook_url_state states[HOOK_URLS_MAX];
	size_t state_n;
	/* the thread's own */
	struct hook_settings *now;
	struct hook_queue *queue;
	struct hook_told *pending; /* to be written */
	int64_t write_ms;          /* monotonic: not before, after a failure */
	struct why last;           /* what was logged of the disk; empty when all went well */
	struct hook_outlet outlets[HOOK_URLS_MAX];
	size_t outlet_n;
	struct hook_ask *asking; /* under way */
	bool asking_fails;
};

/* ---- outlet.c: what is sent to a URL ---- */

/* The settings have changed: an outlet for each URL. */
void hook_outlets_set(struct hooks *h);

/* Sends what can be sent. Returns the ms until something else can be. */
int64_t hook_outlets_run(struct hooks *h);

/* An exchange has ended. */
void hook_outlet_done(struct hooks *h, struct hook_post *post, CURLcode code);

/* Copies what operators see. */
void hook_outlets_publish(struct hooks *h);

void hook_outlets_free(struct hooks *h);

/* ---- ask.c: the question before somebody joins ---- */

/* Begins what was asked. */
void hook_asks_run(struct hooks *h);

/* An exchange has ended. False: it is not about a question. */
bool hook_ask_done(struct hooks *h, struct hook_post *post, CURLcode code);

void hook_asks_free(struct hooks *h);

/* ---- hooks.c ---- */

/* Of the queue; logs what is new. */
int hook_disk(struct hooks *h, int r, const struct why *why);

#endif

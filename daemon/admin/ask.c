/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Questions to the workers, over their mailboxes.
 */
#include "daemon/admin/ask.h"

#include "base/clock.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct part {
	struct ask *ask;
	bool answered, counted; /* in time */
	void *answer;
};

/* Held by the caller, and by each worker that has not answered yet. */
struct ask {
	pthread_mutex_t lock;
	pthread_cond_t answered;
	unsigned refs;
	size_t waiting, part_n;
	ask_fn *fn;
	void *question;
	struct part *parts;
};

static void destroy(struct ask *a)
{
	for (size_t i = 0; a->parts && i < a->part_n; i++)
		free(a->parts[i].answer);
	free(a->parts);
	free(a->question);
	pthread_cond_destroy(&a->answered);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

static void unref(struct ask *a)
{
	unsigned left;

	pthread_mutex_lock(&a->lock);
	left = --a->refs;
	pthread_mutex_unlock(&a->lock);
	if (!left)
		destroy(a);
}

struct ask *ask_new(size_t parts, const void *question, size_t question_len, size_t answer_len)
{
	struct ask *a = calloc(1, sizeof(*a));
	pthread_condattr_t attr;
	bool whole;

	if (!a)
		return NULL;
	pthread_mutex_init(&a->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&a->answered, &attr);
	pthread_condattr_destroy(&attr);
	a->refs = 1;
	a->part_n = parts;
	a->question = malloc(question_len + 1);
	a->parts = calloc(parts + 1, sizeof(*a->parts));
	whole = a->question && a->parts;
	for (size_t i = 0; whole && i < parts; i++) {
		a->parts[i].ask = a;
		a->parts[i].answer = calloc(1, answer_len);
		whole = a->parts[i].answer;
	}
	if (!whole) {
		destroy(a);
		return NULL;
	}
	memcpy(a->question, question, question_len);
	return a;
}

static void take_ask(struct turn *t, void *arg)
{
	struct part *p = arg;
	struct ask *a = p->ask;

	if (t)
		a->fn(t, a->question, p->answer);
	pthread_mutex_lock(&a->lock);
	p->answered = t != NULL;
	a->waiting--;
	pthread_cond_signal(&a->answered);
	pthread_mutex_unlock(&a->lock);
	unref(a);
}

size_t ask_workers(struct ask *a, struct worker *const *workers, size_t n, ask_fn *fn)
{
	const struct timespec until = clock_deadline(ASK_WAIT_MS);
	size_t answered = 0;

	a->fn = fn;
	for (size_t i = 0; i < n && i < a->part_n; i++) {
		pthread_mutex_lock(&a->lock);
		a->refs++;
		a->waiting++;
		pthread_mutex_unlock(&a->lock);
		if (worker_run(workers[i], take_ask, &a->parts[i]))
			take_ask(NULL, &a->parts[i]); /* out of memory: it is not asked */
	}
	pthread_mutex_lock(&a->lock);
	while (a->waiting && !pthread_cond_timedwait(&a->answered, &a->lock, &until))
		;
	for (size_t i = 0; i < a->part_n; i++)
		answered += a->parts[i].counted = a->parts[i].answered;
	pthread_mutex_unlock(&a->lock);
	return answered;
}

void *ask_answer(struct ask *a, size_t part)
{
	return a->parts[part].counted ? a->parts[part].answer : NULL;
}

void ask_free(struct ask *a)
{
	if (a)
		unref(a);
}

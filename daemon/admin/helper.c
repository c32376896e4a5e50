/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The helper's thread, its queue, and the way back.
 */
#include "daemon/admin/helper.h"

#include "base/mailbox.h"
#include "base/thread.h"
#include "store/store.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#define POST_AGAIN_US 10000

struct helper {
	struct mailbox *mail; /* to the loop */
	char *dir;
	pthread_t thread;
	pthread_mutex_t lock; /* the next four are under it */
	pthread_cond_t wake;
	struct helper_job *queue;
	size_t n;
	bool stop;
	bool freed; /* for the loop's thread only: no more answers */
};

static void deliver(void *owner, void *arg)
{
	struct helper *h = owner;
	struct helper_job *j = arg;

	if (!h->freed)
		j->done(j, j->err, &j->why);
	j->release(j);
}

/* A handle of its own for each: they are rare, and the file may have been restored. */
static void do_job(const struct helper *h, struct helper_job *j)
{
	static const struct store_options options = {.must_exist = true};
	struct store *s;

	j->err = store_open(h->dir, &options, &s, &j->why);
	if (j->err)
		return;
	j->err = j->work(j, s, &j->why);
	store_close(s);
}

static bool is_stopping(struct helper *h)
{
	bool stop;

	pthread_mutex_lock(&h->lock);
	stop = h->stop;
	pthread_mutex_unlock(&h->lock);
	return stop;
}

/* Out of memory, an answer must still go out. */
static void post(struct helper *h, struct helper_job *j)
{
	while (mailbox_post(h->mail, deliver, j)) {
		if (is_stopping(h)) {
			j->release(j); /* the loop's thread waits for us */
			return;
		}
		usleep(POST_AGAIN_US);
	}
}

static void *run(void *arg)
{
	struct helper *h = arg;
	struct helper_job *j;

	pthread_setname_np(pthread_self(),
	                   "helper"); /* the sandbox forbids naming another thread */
	for (;;) {
		pthread_mutex_lock(&h->lock);
		while (!h->stop && !h->queue)
			pthread_cond_wait(&h->wake, &h->lock);
		j = h->stop ? NULL : h->queue;
		if (j)
			DL_DELETE(h->queue, j);
		pthread_mutex_unlock(&h->lock);
		if (!j)
			return NULL;
		do_job(h, j);
		pthread_mutex_lock(&h->lock);
		h->n--;
		pthread_mutex_unlock(&h->lock);
		post(h, j);
	}
}

struct helper *helper_new(struct event_base *base, const char *dir)
{
	struct helper *h = calloc(1, sizeof(*h));
	int err = -1;

	if (!h)
		return NULL;
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->wake, NULL);
	h->dir = strdup(dir);
	h->mail = mailbox_new(base, h);
	if (h->dir && h->mail)
		err = thread_start(&h->thread, run, h);
	if (!err)
		return h;
	mailbox_free(h->mail);
	free(h->dir);
	free(h);
	return NULL;
}

int helper_run(struct helper *h, struct helper_job *j)
{
	bool room;

	pthread_mutex_lock(&h->lock);
	room = h->n < HELPER_QUEUE_MAX;
	if (room) {
		DL_APPEND(h->queue, j);
		h->n++;
		pthread_cond_signal(&h->wake);
	}
	pthread_mutex_unlock(&h->lock);
	return room ? 0 : -E_LIMIT;
}

void helper_free(struct helper *h)
{
	struct helper_job *j, *next;

	if (!h)
		return;
	pthread_mutex_lock(&h->lock);
	h->stop = true;
	pthread_cond_signal(&h->wake);
	pthread_mutex_unlock(&h->lock);
	pthread_join(h->thread, NULL);
	h->freed = true;
	DL_FOREACH_SAFE(h->queue, j, next)
	j->release(j);
	mailbox_free(h->mail);
	pthread_cond_destroy(&h->wake);
	pthread_mutex_destroy(&h->lock);
	free(h->dir);
	free(h);
}

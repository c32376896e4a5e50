/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Checks of passwords, off the loop.
 */
#include "daemon/admin/login.h"

#include "daemon/relay/mailbox.h"
#include "store/store.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct check {
	struct check *prev, *next;
	char *name, *password;
	login_done_fn *done;
	void *ctx;
	int r;
	enum store_role role;
	int64_t password_at_s;
};

struct login {
	struct mailbox *mail; /* to the loop */
	char *dir;
	pthread_t thread;
	pthread_mutex_t lock; /* the next four are under it */
	pthread_cond_t wake;
	struct check *queue;
	size_t n;
	bool stop;
	bool freed; /* the loop's own: answers are dropped */
};

static void check_free(struct check *c)
{
	if (!c)
		return;
	if (c->password)
		OPENSSL_cleanse(c->password, strlen(c->password));
	free(c->password);
	free(c->name);
	free(c);
}

static void deliver(void *owner, void *arg)
{
	struct login *l = owner;
	struct check *c = arg;

	if (!l->freed)
		c->done(c->ctx, c->r, c->role, c->password_at_s);
	check_free(c);
}

/* A handle of its own for each: checks are rare, and the file may have been restored. */
static void run_check(const struct login *l, struct check *c)
{
	static const struct store_options options = {.must_exist = true};
	struct store *s;

	c->r = store_open(l->dir, &options, &s, NULL);
	if (c->r)
		return;
	/* In this order: one that is changed in between is not taken for the new one. */
	if (store_account_get(s, c->name, &c->role, &c->password_at_s, NULL))
		c->password_at_s = 0;
	c->r = store_account_check(s, c->name, c->password, &c->role, NULL);
	store_close(s);
}

static void *run(void *arg)
{
	struct login *l = arg;
	struct check *c;

	for (;;) {
		pthread_mutex_lock(&l->lock);
		while (!l->stop && !l->queue)
			pthread_cond_wait(&l->wake, &l->lock);
		c = l->stop ? NULL : l->queue;
		if (c)
			DL_DELETE(l->queue, c);
		pthread_mutex_unlock(&l->lock);
		if (!c)
			return NULL;
		run_check(l, c);
		pthread_mutex_lock(&l->lock);
		l->n--;
		pthread_mutex_unlock(&l->lock);
		if (mailbox_post(l->mail, deliver, c))
			check_free(c); /* out of memory: the caller's own time limit ends it */
	}
}

struct login *login_new(struct event_base *base, const char *dir)
{
	struct login *l = calloc(1, sizeof(*l));
	sigset_t all, before;
	int r = -1;

	if (!l)
		return NULL;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->wake, NULL);
	l->dir = strdup(dir);
	l->mail = mailbox_new(base, l);
	if (l->dir && l->mail) {
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		r = pthread_create(&l->thread, NULL, run, l);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	if (!r) {
		pthread_setname_np(l->thread, "login");
		return l;
	}
	mailbox_free(l->mail);
	free(l->dir);
	free(l);
	return NULL;
}

int login_check(struct login *l, const char *name, const char *password, login_done_fn *done,
                void *ctx)
{
	struct check *c = calloc(1, sizeof(*c));
	bool room;

	if (!c)
		return -E_NOMEM;
	*c = (struct check){
	    .name = strdup(name), .password = strdup(password), .done = done, .ctx = ctx};
	if (!c->name || !c->password) {
		check_free(c);
		return -E_NOMEM;
	}
	pthread_mutex_lock(&l->lock);
	room = l->n < LOGIN_QUEUE_MAX;
	if (room) {
		DL_APPEND(l->queue, c);
		l->n++;
		pthread_cond_signal(&l->wake);
	}
	pthread_mutex_unlock(&l->lock);
	if (!room)
		check_free(c);
	return room ? 0 : -E_LIMIT;
}

void login_free(struct login *l)
{
	struct check *c, *next;

	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
	pthread_join(l->thread, NULL);
	l->freed = true;
	DL_FOREACH_SAFE(l->queue, c, next)
	check_free(c);
	mailbox_free(l->mail);
	pthread_cond_destroy(&l->wake);
	pthread_mutex_destroy(&l->lock);
	free(l->dir);
	free(l);
}

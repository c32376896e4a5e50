/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Mail between threads: a locked list and an eventfd that wakes the owner.
 */
#include "base/mailbox.h"

#include "base/error.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>

struct mail {
	struct mail *prev, *next;
	mail_fn *fn;
	void *arg;
};

struct mailbox {
	pthread_mutex_t lock;
	struct mail *mails;
	struct event *event;
	void *owner;
	int fd;
};

static void run_all(struct mailbox *m)
{
	for (;;) {
		struct mail *mail;

		pthread_mutex_lock(&m->lock);
		mail = m->mails;
		if (mail)
			DL_DELETE(m->mails, mail);
		pthread_mutex_unlock(&m->lock);
		if (!mail)
			return;
		mail->fn(m->owner, mail->arg);
		free(mail);
	}
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	eventfd_t n;

	(void)what;
	eventfd_read(fd, &n);
	run_all(arg);
}

struct mailbox *mailbox_new(struct event_base *base, void *owner)
{
	struct mailbox *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	pthread_mutex_init(&m->lock, NULL);
	m->owner = owner;
	m->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (m->fd >= 0)
		m->event = event_new(base, m->fd, EV_READ | EV_PERSIST, on_wake, m);
	if (!m->event || event_add(m->event, NULL)) {
		mailbox_free(m);
		return NULL;
	}
	return m;
}

int mailbox_post(struct mailbox *m, mail_fn *fn, void *arg)
{
	struct mail *mail = calloc(1, sizeof(*mail));

	if (!mail)
		return -E_NOMEM;
	mail->fn = fn;
	mail->arg = arg;
	pthread_mutex_lock(&m->lock);
	DL_APPEND(m->mails, mail);
	pthread_mutex_unlock(&m->lock);
	eventfd_write(m->fd, 1);
	return 0;
}

void mailbox_free(struct mailbox *m)
{
	if (!m)
		return;
	run_all(m);
	if (m->event)
		event_free(m->event);
	if (m->fd >= 0)
		close(m->fd);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Listening: TCP accept.
 */
#include "daemon/listen/listen.h"

#include "base/log.h"
#include "daemon/listen/greeter.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAUSE_MS 200 /* after the descriptors have run out */
#define BATCH    64  /* connections at a time before the others of the loop have their turn */

struct listener {
	struct event *acceptable, *resume;
	struct greeter *greeter;
	int fd;
	uint16_t port;
	bool proxy;
};

/* Out of descriptors, most likely: a pause, or the loop would spin. */
static void pause_accepting(struct listener *l)
{
	struct timeval pause = {.tv_usec = PAUSE_MS * 1000};

	log_warn(NULL, "accept", LOG_STR("error", strerror(errno)), LOG_INT("port", l->port));
	event_del(l->acceptable);
	evtimer_add(l->resume, &pause);
}

/* accept(2): of these, the next connection knows nothing. */
static bool concerns_one(int err)
{
	return err == EINTR || err == ECONNABORTED || err == EPROTO || err == EPERM ||
	       err == EHOSTUNREACH || err == ENETUNREACH || err == ENETDOWN || err == EHOSTDOWN ||
	       err == ENONET || err == ENOPROTOOPT || err == EOPNOTSUPP;
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;

	(void)what;
	for (int i = 0; i < BATCH; i++) {
		struct addr client = {.sa = {.sa_family = AF_UNSPEC}};
		socklen_t len = sizeof(client);
		int conn = accept4(fd, &client.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (conn >= 0) {
			greeter_take(l->greeter, conn, &client, l->proxy);
		} else if (errno == EAGAIN) {
			return;
		} else if (!concerns_one(errno)) {
			pause_accepting(l);
			return;
		}
	}
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_add(((struct listener *)arg)->acceptable, NULL);
}

int listener_new(struct event_base *base, int fd, bool proxy, struct greeter *greeter,
                 struct listener **out, struct why *why)
{
	struct listener *l = calloc(1, sizeof(*l));
	struct addr bound;
	socklen_t len = sizeof(bound);

	if (!l) {
		close(fd);
		return why_set(why, -E_NOMEM, "out of memory");
	}
	l->fd = fd;
	l->greeter = greeter;
	l->proxy = proxy;
	getsockname(fd, &bound.sa, &len);
	l->port = addr_port(&bound);
	l->resume = evtimer_new(base, on_resume, l);
	l->acceptable = event_new(base, fd, EV_READ | EV_PERSIST, on_acceptable, l);
	if (!l->resume || !l->acceptable || event_add(l->acceptable, NULL)) {
		listener_free(l);
		return why_set(why, -E_NOMEM, "out of memory");
	}
	*out = l;
	return 0;
}

void listener_free(struct listener *l)
{
	if (!l)
		return;
	if (l->acceptable)
		event_free(l->acceptable);
	if (l->resume)
		event_free(l->resume);
	close(l->fd);
	free(l);
}

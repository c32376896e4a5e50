/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Listening: TCP accept.
 */
#include "daemon/listen/listen.h"

#include "base/log.h"
#include "daemon/listen/greeter.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAUSE_MS 200 /* after the descriptors have run out */

struct listener {
	struct evconnlistener *accept;
	struct event *resume;
	struct greeter *greeter;
	uint16_t port;
	bool proxy;
};

static void on_accept(struct evconnlistener *accept, evutil_socket_t fd, struct sockaddr *sa,
                      int len, void *arg)
{
	struct listener *l = arg;
	struct addr client = {.sa = {.sa_family = AF_UNSPEC}};

	(void)accept;
	memcpy(&client, sa, (size_t)len < sizeof(client) ? (size_t)len : sizeof(client));
	greeter_take(l->greeter, fd, &client, l->proxy);
}

/* Out of descriptors, most likely: a pause, or the loop would spin. */
static void on_accept_error(struct evconnlistener *accept, void *arg)
{
	struct listener *l = arg;
	struct timeval pause = {.tv_usec = PAUSE_MS * 1000};

	log_warn(NULL, "accept", LOG_STR("error", strerror(errno)), LOG_INT("port", l->port));
	evconnlistener_disable(accept);
	evtimer_add(l->resume, &pause);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	evconnlistener_enable(((struct listener *)arg)->accept);
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
	l->greeter = greeter;
	l->proxy = proxy;
	getsockname(fd, &bound.sa, &len);
	l->port = addr_port(&bound);
	l->resume = evtimer_new(base, on_resume, l);
	l->accept = evconnlistener_new(base, on_accept, l,
	                               LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!l->resume || !l->accept) {
		if (!l->accept)
			close(fd);
		listener_free(l);
		return why_set(why, -E_NOMEM, "out of memory");
	}
	evconnlistener_set_error_cb(l->accept, on_accept_error);
	*out = l;
	return 0;
}

void listener_free(struct listener *l)
{
	if (!l)
		return;
	if (l->accept)
		evconnlistener_free(l->accept);
	if (l->resume)
		event_free(l->resume);
	free(l);
}

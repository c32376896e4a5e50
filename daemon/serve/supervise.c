/* SPDX-License-Identifier: BSD-3-Clause
 *
 * sd_notify(3) by hand: one datagram of lines to a Unix socket.
 */
#include "daemon/serve/supervise.h"

#include "base/log.h"
#include "daemon/relay/worker.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define STOP_SPARE_S 10 /* past the drain: goodbyes, the database */

struct supervise {
	int fd;
	uint64_t watchdog_us; /* 0: not watched */
	struct event *tick;
	struct worker *const *workers;
	size_t worker_n;
	bool silent; /* some worker is, and that was said */
};

__attribute__((format(printf, 2, 3))) static void tell(struct supervise *s, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* Never to wait for the manager: it hears the next one. */
	if (send(s->fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) != n)
		log_debug(NULL, "notify", LOG_STR("error", strerror(errno)));
}

/* The variables are for one process, which may be another than us. */
static uint64_t watchdog_us(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (!usec || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	return strtoull(usec, NULL, 10);
}

int supervise_new(struct supervise **out, struct why *why)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len = path ? strlen(path) : 0;
	struct supervise *s;

	*out = NULL;
	if (!len)
		return 0;
	if ((path[0] != '/' && path[0] != '@') || len >= sizeof(to.sun_path))
		return why_set(why, -E_INVAL,
		               "NOTIFY_SOCKET=%.64s is not the path of a socket: unset it", path);
	s = calloc(1, sizeof(*s));
	if (!s)
		return why_set(why, -E_NOMEM, "out of memory");
	memcpy(to.sun_path, path, len);
	if (path[0] == '@') /* an abstract one */
		to.sun_path[0] = 0;
	s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || connect(s->fd, (struct sockaddr *)&to,
	                         (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len))) {
		int r = why_set(why, error_from_errno(errno),
		                "NOTIFY_SOCKET=%.108s cannot be reached: %s: unset it, or start "
		                "the server from the service manager that made it",
		                path, strerror(errno));

		supervise_free(s);
		return r;
	}
	s->watchdog_us = watchdog_us();
	*out = s;
	return 0;
}

static void ping(struct supervise *s)
{
	for (size_t i = 0; i < s->worker_n; i++)
		worker_ping(s->workers[i]);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct supervise *s = arg;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < s->worker_n; i++) {
		if (worker_answered(s->workers[i]))
			continue;
		if (!s->silent)
			log_error(NULL, "worker-silent", LOG_INT("worker", i),
			          LOG_STR("hint", "the watchdog gets no sign of life from the "
			                          "server while this lasts"));
		s->silent = true;
		return;
	}
	s->silent = false;
	tell(s, "WATCHDOG=1\n");
	ping(s);
}

int supervise_ready(struct supervise *s, struct event_base *base, struct worker *const *workers,
                    size_t worker_n)
{
	uint64_t every_us;
	struct timeval tv;

	if (!s)
		return 0;
	s->workers = workers;
	s->worker_n = worker_n;
	if (s->watchdog_us) {
		every_us = s->watchdog_us / 3;
		tv = (struct timeval){.tv_sec = (time_t)(every_us / 1000000),
		                      .tv_usec = (suseconds_t)(every_us % 1000000)};
		s->tick = event_new(base, -1, EV_PERSIST, on_tick, s);
		if (!s->tick || event_add(s->tick, &tv))
			return -E_NOMEM;
		ping(s);
	}
	tell(s, "READY=1\nSTATUS=Serving with %zu relay workers\nMAINPID=%d\n", worker_n,
	     (int)getpid());
	return 0;
}

void supervise_reloading(struct supervise *s)
{
	struct timespec t;

	if (!s)
		return;
	clock_gettime(CLOCK_MONOTONIC, &t);
	tell(s, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\n",
	     (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000);
}

void supervise_reloaded(struct supervise *s)
{
	if (s)
		tell(s, "READY=1\n");
}

void supervise_stopping(struct supervise *s, uint64_t at_most_s)
{
	if (s)
		tell(s, "STOPPING=1\nSTATUS=Draining\nEXTEND_TIMEOUT_USEC=%" PRIu64 "\n",
		     (at_most_s + STOP_SPARE_S) * 1000000);
}

void supervise_free(struct supervise *s)
{
	if (!s)
		return;
	if (s->tick)
		event_free(s->tick);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

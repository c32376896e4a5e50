/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The admin socket's server side.
 */
#include "daemon/admin/admin_socket.h"

#include "base/log.h"
#include "daemon/admin/admin.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utlist.h>

#define LINE_MAX_BYTES 65536
#define CLIENTS_MAX    16
#define UNREAD_MAX     (1024 * 1024) /* of answers: past it, nothing more is asked */
#define IDLE_S         60
#define PAUSE_MS       200

struct admin_client {
	struct admin_socket *socket;
	struct bufferevent *bev;
	char actor[48];
	struct admin_later *later; /* nothing more is asked before its answer */
	bool ended;                /* has said all; the rest of the answers is still to go out */
	struct admin_client *prev, *next;
};

struct admin_socket {
	struct event_base *base;
	struct admin *admin;
	struct event *listener, *resume;
	struct admin_client *clients;
	unsigned client_n;
	struct sockaddr_un addr;
	int dir_fd; /* that addr leads through, or -1 */
	int fd;
	int null;  /* what the spare is a copy of */
	int spare; /* kept for a client that asks why no descriptors are left; -1: in use */
	bool bound;
};

/* Turns the client's descriptor into the spare in one step: between a close and an open, another
 * thread could take it and keep it. */
static void close_client(struct admin_socket *s, int fd)
{
	if (s->spare < 0 && dup3(s->null, fd, O_CLOEXEC) == fd)
		s->spare = fd;
	else
		close(fd);
}

static void client_free(struct admin_client *c)
{
	int fd = bufferevent_getfd(c->bev);

	if (c->later)
		admin_later_then(c->later, NULL, NULL);
	DL_DELETE(c->socket->clients, c);
	if (c->socket->client_n-- == CLIENTS_MAX)
		event_add(c->socket->listener, NULL);
	bufferevent_disable(c->bev, EV_READ | EV_WRITE); /* it is freed later: no longer watched */
	bufferevent_free(c->bev);
	close_client(c->socket, fd);
	free(c);
}

static int ask(struct admin_client *c, const char *line, size_t len, struct admin_answer *out)
{
	const struct admin_actor actor = {
	    .name = c->actor, .role = STORE_ROLE_ADMIN, .on_host = true};
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	json_t *args = NULL;
	const char *verb;
	int r;

	if (json_unpack(request, "{s:s, s?o !}", "verb", &verb, "args", &args)) /* no others */
		r = why_set(&out->why, -E_INVAL,
		            "a request is a line {\"verb\":\"...\",\"args\":{...}}");
	else
		r = admin_call(c->socket->admin, &actor, verb, args, out);
	json_decref(request);
	return r;
}

/* Steals the result. False: out of memory. */
static bool say(struct admin_client *c, int r, const struct admin_answer *answer)
{
	json_t *said =
	    r ? json_pack("{sb s{ss si so}}", "ok", 0, "error", "code", admin_code_text(r),
	                  "number", -r, "message", json_string(answer->why.text))
	      : json_pack("{sb so}", "ok", 1, "result", answer->result);
	char *text = said ? json_dumps(said, JSON_COMPACT) : NULL;

	json_decref(said);
	if (!text)
		return false;
	bufferevent_write(c->bev, text, strlen(text));
	bufferevent_write(c->bev, "\n", 1);
	free(text);
	return true;
}

/* on_written() reads on. */
static void on_answer(void *ctx, int r, struct admin_answer *answer)
{
	struct admin_client *c = ctx;

	c->later = NULL;
	if (!say(c, r, answer))
		client_free(c);
}

static void on_read(struct bufferevent *bev, void *ctx)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct admin_answer answer;
	struct admin_client *c = ctx;
	char *line;
	size_t len;
	int r;

	while (evbuffer_get_length(bufferevent_get_output(bev)) < UNREAD_MAX) {
		line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF);
		if (!line) {
			if (evbuffer_get_length(in) > LINE_MAX_BYTES)
				client_free(c);
			return;
		}
		r = ask(c, line, len, &answer);
		explicit_bzero(line, len); /* it may hold a password */
		free(line);
		if (r == -E_LATER) {
			c->later = answer.later;
			admin_later_then(c->later, on_answer, c);
			break;
		}
		if (!say(c, r, &answer)) {
			client_free(c);
			return;
		}
	}
	bufferevent_disable(bev, EV_READ); /* until the client has read: on_written() */
}

static void on_written(struct bufferevent *bev, void *ctx)
{
	struct admin_client *c = ctx;

	if (c->ended) {
		client_free(c);
	} else if (c->later) {
		return;
	} else if (!(bufferevent_get_enabled(bev) & EV_READ)) {
		bufferevent_enable(bev, EV_READ);
		on_read(bev, c);
	}
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
	struct admin_client *c = ctx;

	c->ended = what & BEV_EVENT_EOF && evbuffer_get_length(bufferevent_get_output(bev));
	if (!c->ended)
		client_free(c);
}

/* Out of descriptors, a pause, or the loop would spin. */
static int take_one(struct admin_socket *s)
{
	static const struct timeval pause = {.tv_usec = PAUSE_MS * 1000};
	int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE) && s->spare >= 0) {
		close(s->spare);
		s->spare = -1;
		fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	}
	if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
		event_del(s->listener);
		event_add(s->resume, &pause);
	}
	return fd;
}

static void on_resume(evutil_socket_t fd, short what, void *ctx)
{
	struct admin_socket *s = ctx;

	(void)fd;
	(void)what;
	if (s->client_n < CLIENTS_MAX)
		event_add(s->listener, NULL);
}

static void on_accept(evutil_socket_t listener, short what, void *ctx)
{
	const struct timeval idle = {.tv_sec = IDLE_S};
	struct admin_socket *s = ctx;
	struct ucred who = {.uid = (uid_t)-1};
	socklen_t len = sizeof(who);
	struct admin_client *c;
	int fd = take_one(s);

	(void)listener;
	(void)what;
	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) ||
	    (who.uid != 0 && who.uid != geteuid())) {
		log_warn(NULL, "admin-refused", LOG_INT("uid", who.uid));
		close_client(s, fd);
		return;
	}
	c = calloc(1, sizeof(*c));
	if (c)
		c->bev = bufferevent_socket_new(s->base, fd, 0);
	if (!c || !c->bev) {
		close_client(s, fd);
		free(c);
		return;
	}
	c->socket = s;
	snprintf(c->actor, sizeof(c->actor), "socket uid %u", (unsigned)who.uid);
	DL_APPEND(s->clients, c);
	if (++s->client_n == CLIENTS_MAX)
		event_del(s->listener); /* the others wait in the backlog: client_free() */
	bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
	bufferevent_set_timeouts(c->bev, &idle, &idle);
	bufferevent_setwatermark(c->bev, EV_READ, 0, LINE_MAX_BYTES + 1);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

/* The mode is right from the first moment on. */
static int bind_private(struct admin_socket *s)
{
	mode_t before = umask(0177);
	int r = bind(s->fd, (struct sockaddr *)&s->addr, sizeof(s->addr));

	umask(before);
	return r;
}

/* A path that is too long for an address (108 bytes) leads through a descriptor of the directory.
 */
static int find_address(struct admin_socket *s, const char *dir, struct why *why)
{
	struct sockaddr_un *a = &s->addr;

	a->sun_family = AF_UNIX;
	s->dir_fd = -1;
	if ((size_t)snprintf(a->sun_path, sizeof(a->sun_path), "%s/" ADMIN_SOCKET_NAME, dir) <
	    sizeof(a->sun_path))
		return 0;
	s->dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd < 0)
		return why_set(why, error_from_errno(errno), "cannot open %.200s: %s", dir,
		               strerror(errno));
	snprintf(a->sun_path, sizeof(a->sun_path), "/proc/self/fd/%d/" ADMIN_SOCKET_NAME,
	         s->dir_fd);
	return 0;
}

int admin_socket_start(struct event_base *base, const char *dir, struct admin *admin,
                       struct admin_socket **out, struct why *why)
{
	struct admin_socket *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return why_set(why, -E_NOMEM, "out of memory");
	s->base = base;
	s->admin = admin;
	s->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	s->spare = fcntl(s->null, F_DUPFD_CLOEXEC, 0);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	r = find_address(s, dir, why);
	if (r)
		goto out;
	unlink(s->addr.sun_path);
	s->bound = s->fd >= 0 && !bind_private(s);
	if (!s->bound || listen(s->fd, SOMAXCONN)) {
		r = why_set(why, error_from_errno(errno),
		            "cannot listen on %.200s/" ADMIN_SOCKET_NAME ": %s", dir,
		            strerror(errno));
		goto out;
	}
	s->listener = event_new(base, s->fd, EV_READ | EV_PERSIST, on_accept, s);
	s->resume = evtimer_new(base, on_resume, s);
	if (!s->listener || !s->resume || event_add(s->listener, NULL))
		r = why_set(why, -E_NOMEM, "out of memory");
out:
	if (r)
		admin_socket_stop(s);
	else
		*out = s;
	return r;
}

void admin_socket_stop(struct admin_socket *s)
{
	if (!s)
		return;
	while (s->clients)
		client_free(s->clients);
	if (s->listener)
		event_free(s->listener);
	if (s->resume)
		event_free(s->resume);
	if (s->fd >= 0)
		close(s->fd);
	if (s->spare >= 0)
		close(s->spare);
	if (s->null >= 0)
		close(s->null);
	if (s->bound)
		unlink(s->addr.sun_path);
	if (s->dir_fd >= 0)
		close(s->dir_fd);
	free(s);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The floor: WebSocket frames on plain sockets and epoll, one table of names, and nothing else. It
 * serves the clients of ws.c only: one frame a message, the key of RFC 6455 section 1.3.
 */
#include "harness/load/floor.h"

#include "base/table.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define IN_MAX   (128 * 1024)
#define EVENTS   512
#define BACKLOG  4096
#define HEAD_LEN 14 /* bytes of room before a payload */
#define UPGRADE                                                                                    \
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"        \
	"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"                                   \
	"Sec-WebSocket-Protocol: json\r\n\r\n"
#define ID "{\"type\":\"id\",\"id\":1}"

enum { OP_TEXT = 1, OP_CLOSE = 8 };

struct end {
	int fd;
	bool upgraded;
	char *name;
	char *rest; /* of what came: a part of a frame */
	size_t rest_len;
	UT_hash_handle hh;
};

struct router {
	int epoll;
	struct end *by_name;
};

static void drop(struct router *r, struct end *e)
{
	if (e->hh.tbl)
		HASH_DELETE(hh, r->by_name, e);
	close(e->fd);
	free(e->name);
	free(e->rest);
	free(e);
}

/* data has HEAD_LEN bytes of room before it. One that does not read is not waited for. */
static void put(struct end *to, char *data, size_t len)
{
	size_t head = len < 126 ? 2 : len < 65536 ? 4 : 10;
	unsigned char *at = (unsigned char *)data - head;

	at[0] = 0x80 | OP_TEXT;
	at[1] = len < 126 ? (unsigned char)len : len < 65536 ? 126 : 127;
	for (size_t i = 2; i < head; i++)
		at[i] = (unsigned char)((uint64_t)len >> 8 * (head - 1 - i));
	if (send(to->fd, at, head + len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)(head + len))
		shutdown(to->fd, SHUT_RDWR);
}

/* The string behind key, and its length. */
static const char *value(const char *text, size_t len, const char *key, size_t *value_len)
{
	const char *at = memmem(text, len, key, strlen(key)), *end;

	if (!at)
		return NULL;
	at += strlen(key);
	end = memchr(at, '"', len - (size_t)(at - text));
	*value_len = end ? (size_t)(end - at) : 0;
	return end ? at : NULL;
}

static void sign_in(struct router *r, struct end *e, const char *name, size_t len)
{
	char room[HEAD_LEN + 256];
	int n;

	if (e->name)
		return;
	e->name = strndup(name, len);
	if (!e->name || TABLE_ADD(hh, r->by_name, name[0], (unsigned)len, e))
		exit(1);
	n = snprintf(room + HEAD_LEN, sizeof(room) - HEAD_LEN,
	             "{\"type\":\"userlist\",\"users\":[\"%s\"]}", e->name);
	put(e, room + HEAD_LEN, (size_t)n);
}

static void message(struct router *r, struct end *e, char *text, size_t len)
{
	size_t name_len;
	const char *name = value(text, len, "\"target\":\"", &name_len);
	struct end *to;

	if (name) {
		HASH_FIND(hh, r->by_name, name, name_len, to);
		if (to)
			put(to, text, len);
	} else if ((name = value(text, len, "\"name\":\"", &name_len))) {
		sign_in(r, e, name, name_len);
	}
}

/* Bytes of data that were used, or -1: the end of it. Unmasks in place. */
static ssize_t frame(struct router *r, struct end *e, char *data, size_t len)
{
	const unsigned char *in = (const unsigned char *)data;
	size_t head = 6, size;

	if (len < head)
		return 0;
	size = in[1] & 0x7f;
	if (size >= 126) {
		head = size == 126 ? 8 : 14;
		if (len < head)
			return 0;
		size = 0;
		for (size_t i = 2; i < head - 4; i++)
			size = size << 8 | in[i];
	}
	if ((in[0] & 0x0f) == OP_CLOSE || head + size > IN_MAX)
		return -1;
	if (len < head + size)
		return 0;
	for (size_t i = 0; i < size; i++)
		data[head + i] ^= data[head - 4 + i % 4];
	if ((in[0] & 0x0f) == OP_TEXT)
		message(r, e, data + head, size);
	return (ssize_t)(head + size);
}

/* The head of a request has come in one piece: it is short. */
static bool upgrade(struct end *e)
{
	char room[HEAD_LEN + sizeof(ID)];

	memcpy(room + HEAD_LEN, ID, sizeof(ID));
	if (send(e->fd, UPGRADE, sizeof(UPGRADE) - 1, MSG_NOSIGNAL) < 0)
		return false;
	put(e, room + HEAD_LEN, sizeof(ID) - 1);
	e->upgraded = true;
	return true;
}

static void on_data(struct router *r, struct end *e)
{
	static char room[HEAD_LEN + IN_MAX];
	char *in = room + HEAD_LEN;
	size_t at = 0, len = e->rest_len;
	bool asks = !e->upgraded;
	ssize_t n;

	memcpy(in, e->rest_len ? e->rest : "", e->rest_len);
	n = recv(e->fd, in + len, IN_MAX - len, 0);
	if (n <= 0 || (asks && !upgrade(e))) {
		drop(r, e);
		return;
	}
	len += (size_t)n;
	if (memmem(in, len, "GET ", 4) == in)
		at = len;
	for (n = 1; n > 0 && at<len; at += n> 0 ? (size_t)n : 0)
		n = frame(r, e, in + at, len - at);
	if (n < 0) {
		drop(r, e);
		return;
	}
	free(e->rest);
	e->rest_len = len - at;
	e->rest = e->rest_len ? malloc(e->rest_len) : NULL;
	if (e->rest)
		memcpy(e->rest, in + at, e->rest_len);
	else if (e->rest_len)
		exit(1);
}

static void on_connection(struct router *r, int listener)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd, one = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct end *e = calloc(1, sizeof(*e));

		if (!e)
			exit(1);
		e->fd = fd;
		event.data.ptr = e;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &event);
	}
}

int floor_main(unsigned port)
{
	struct sockaddr_in us = {.sin_family = AF_INET,
	                         .sin_port = htons((uint16_t)port),
	                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, n;
	struct epoll_event event[EVENTS], accepts = {.events = EPOLLIN};
	struct router r = {.epoll = epoll_create1(EPOLL_CLOEXEC)};

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&us, sizeof(us)) || listen(fd, BACKLOG) ||
	    epoll_ctl(r.epoll, EPOLL_CTL_ADD, fd, &accepts)) {
		perror("turnpike-load floor");
		return 1;
	}
	for (;;) {
		n = epoll_wait(r.epoll, event, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			if (event[i].data.ptr)
				on_data(&r, event[i].data.ptr);
			else
				on_connection(&r, fd);
		}
	}
}

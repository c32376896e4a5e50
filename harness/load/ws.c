/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Frames of RFC 6455 section 5 on a stream. Masking is with a constant: it protects proxies, and
 * there are none here.
 */
#include "harness/load/ws.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_MAX  (256 * 1024)
#define IN_MAX    (8 * 1024 * 1024) /* bytes of one message that is kept whole */
#define HEAD_MAX  4096              /* of the answer to the upgrade */
#define BLOCK     64
#define LIST      "{\"type\":\"userlist\""
#define MASK_WORD 0x5a3c5a3cu
/* Key and answer of RFC 6455 section 1.3. */
#define KEY    "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

enum { OP_TEXT = 1, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

SSL_CTX *ws_context(enum ws_wire wire)
{
	static const unsigned char http[] = "\x08http/1.1";
	SSL_CTX *ctx = wire == WS_PLAIN ? NULL : SSL_CTX_new(TLS_client_method());

	if (!ctx)
		return NULL;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
	                          SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (wire == WS_TLS_ALPN)
		SSL_CTX_set_alpn_protos(ctx, http, sizeof(http) - 1);
	return ctx;
}

static int open_socket(uint32_t from, uint16_t port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, err;
	struct sockaddr_in us = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(from)};
	struct sockaddr_in server = {.sin_family = AF_INET,
	                             .sin_port = htons(port),
	                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (!bind(fd, (struct sockaddr *)&us, sizeof(us)) &&
	    (!connect(fd, (struct sockaddr *)&server, sizeof(server)) || errno == EINPROGRESS))
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

/* ---- what leaves ---- */

/* Bytes that were taken; 0: later; -1: the connection is broken. */
static ssize_t put_some(struct ws *w, const void *data, size_t len)
{
	ssize_t n;
	size_t put;

	if (w->ssl) {
		int r = SSL_write_ex(w->ssl, data, len, &put);
		int e = r > 0 ? 0 : SSL_get_error(w->ssl, r);

		ERR_clear_error();
		if (r > 0)
			return (ssize_t)put;
		return e == SSL_ERROR_WANT_WRITE || e == SSL_ERROR_WANT_READ ? 0 : -1;
	}
	n = send(w->fd, data, len, MSG_NOSIGNAL);
	return n >= 0 ? n : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static int keep(char **buf, size_t *len, size_t *room, const void *data, size_t n)
{
	if (*len + n > *room) {
		size_t more = *len + n < 512 ? 512 : (*len + n) * 3 / 2;
		char *grown = realloc(*buf, more);

		if (!grown)
			return -E_NOMEM;
		*buf = grown;
		*room = more;
	}
	memcpy(*buf + *len, data, n);
	*len += n;
	return 0;
}

static int flush(struct ws *w)
{
	size_t at = 0;
	ssize_t n = 1;

	while (at < w->out_len && (n = put_some(w, w->out + at, w->out_len - at)) > 0)
		at += (size_t)n;
	memmove(w->out, w->out + at, w->out_len - at);
	w->out_len -= at;
	if (!w->out_len) {
		free(w->out);
		w->out = NULL;
		w->out_room = 0;
	}
	return n < 0 ? -E_CLOSED : 0;
}

int ws_send_raw(struct ws *w, const void *data, size_t len)
{
	ssize_t n = 0;

	if (w->phase == WS_NONE)
		return -E_CLOSED;
	if (!w->out_len && w->phase != WS_CONNECTING) {
		n = put_some(w, data, len);
		if (n < 0)
			return -E_CLOSED;
	}
	if ((size_t)n == len)
		return 0;
	return keep(&w->out, &w->out_len, &w->out_room, (const char *)data + n, len - (size_t)n);
}

static int send_frame(struct ws *w, uint8_t op, const char *data, size_t len)
{
	static unsigned char frame[14 + (1 << 18)];
	const uint32_t mask = MASK_WORD;
	size_t at = 2;

	if (len > sizeof(frame) - 14)
		return -E_ROOM;
	frame[0] = 0x80 | op;
	if (len < 126) {
		frame[1] = 0x80 | (unsigned char)len;
	} else if (len < 65536) {
		frame[1] = 0x80 | 126;
		frame[at++] = (unsigned char)(len >> 8);
		frame[at++] = (unsigned char)len;
	} else {
		frame[1] = 0x80 | 127;
		for (int shift = 56; shift >= 0; shift -= 8)
			frame[at++] = (unsigned char)((uint64_t)len >> shift);
	}
	memcpy(frame + at, &mask, 4);
	for (size_t i = 0; i < len; i++)
		frame[at + 4 + i] = (unsigned char)data[i] ^ frame[at + i % 4];
	return ws_send_raw(w, frame, at + 4 + len);
}

int ws_send(struct ws *w, const char *text, size_t len)
{
	return send_frame(w, OP_TEXT, text, len);
}

/* ---- the end ---- */

static void forget(struct ws *w)
{
	ERR_clear_error();
	SSL_free(w->ssl);
	if (w->fd >= 0)
		close(w->fd);
	free(w->in);
	free(w->out);
	w->ssl = NULL;
	w->in = w->out = NULL;
	w->in_len = w->in_room = w->out_len = w->out_room = 0;
	w->fd = -1;
	w->phase = WS_NONE;
	w->head_len = w->control_len = 0;
	w->left = 0;
	w->listing = w->stalled = false;
	w->names = 0;
}

void ws_close(struct ws *w, uint16_t code)
{
	const char payload[2] = {(char)(code >> 8), (char)code};

	if (w->phase == WS_NONE)
		return;
	if (code && w->phase == WS_OPEN)
		send_frame(w, OP_CLOSE, payload, sizeof(payload));
	forget(w);
}

static void end(struct ws *w, unsigned code)
{
	if (w->phase == WS_NONE)
		return;
	w->closed = (uint16_t)code;
	forget(w);
	w->ops->closed(w);
}

/* ---- what comes ---- */

/* In blocks, so that the compiler makes vectors of it: lists are most of what comes. */
uint32_t ws_count_marks(const char *data, size_t len)
{
	uint32_t sum = 0;

	for (; len >= BLOCK; data += BLOCK, len -= BLOCK) {
		uint8_t in_block = 0;

		for (size_t i = 0; i < BLOCK; i++)
			in_block = (uint8_t)(in_block + (data[i] == WS_MARK));
		sum += in_block;
	}
	while (len--)
		sum += *data++ == WS_MARK;
	return sum;
}

/* Borrows the text of a message. */
static void deliver(struct ws *w, const char *text, size_t len)
{
	if (w->ops->list && len >= sizeof(LIST) - 1 && !memcmp(text, LIST, sizeof(LIST) - 1))
		w->ops->list(w, ws_count_marks(text, len));
	else
		w->ops->text(w, text, len);
}

static void message_end(struct ws *w)
{
	char *text = w->in;
	size_t len = w->in_len;

	if (w->listing) {
		w->listing = false;
		w->ops->list(w, w->names);
		return;
	}
	w->in = NULL;
	w->in_len = w->in_room = 0;
	deliver(w, text ? text : "", len);
	free(text);
}

static void control(struct ws *w, const char *data, size_t len)
{
	uint8_t op = w->head[0] & 0x0f;

	if (w->control_len + len > sizeof(w->control)) {
		end(w, WS_CLOSE_BROKEN);
		return;
	}
	memcpy(w->control + w->control_len, data, len);
	w->control_len += (uint8_t)len;
	if (w->left)
		return;
	data = w->control;
	len = w->control_len;
	w->control_len = 0;
	if (op == OP_PING) {
		w->pings++;
		if (send_frame(w, OP_PONG, data, len))
			end(w, WS_CLOSE_BROKEN);
	} else if (op == OP_CLOSE) {
		send_frame(w, OP_CLOSE, data, len < 2 ? 0 : 2);
		end(w,
		    len < 2 ? WS_CLOSE_BROKEN : (unsigned)(uint8_t)data[0] << 8 | (uint8_t)data[1]);
	}
}

/* A part of the payload; a message that is whole is handed over where it lies, and the names of a
 * list that is not are counted as they come. */
static void payload(struct ws *w, const char *data, size_t len)
{
	uint8_t op = w->head[0] & 0x0f;
	bool whole = len == w->left, fin = w->head[0] & 0x80;

	w->left -= len;
	if (op >= OP_CLOSE) {
		control(w, data, len);
	} else if (op > OP_TEXT) {
		end(w, WS_CLOSE_BROKEN);
	} else if (whole && fin && !w->in_len && !w->listing) {
		deliver(w, data, len);
	} else {
		if (op == OP_TEXT && w->ops->list && !w->in_len && len >= sizeof(LIST) - 1 &&
		    !memcmp(data, LIST, sizeof(LIST) - 1)) {
			w->listing = true;
			w->names = 0;
		}
		if (w->listing)
			w->names += ws_count_marks(data, len);
		else if (w->in_len + len > IN_MAX ||
		         keep(&w->in, &w->in_len, &w->in_room, data, len))
			end(w, WS_CLOSE_BROKEN);
		if (whole && fin && w->phase == WS_OPEN)
			message_end(w);
	}
}

/* Bytes of the header that has begun; 2 until its length is known. A server does not mask. */
static size_t head_wants(const struct ws *w)
{
	uint8_t len = w->head_len < 2 ? 0 : w->head[1] & 0x7f;

	return len == 126 ? 4 : len == 127 ? 10 : 2;
}

static void frames(struct ws *w, const char *data, size_t len)
{
	while (w->phase == WS_OPEN) {
		size_t n;

		while (len && w->head_len < head_wants(w)) {
			w->head[w->head_len++] = (uint8_t)*data++;
			len--;
			if (w->head_len != head_wants(w))
				continue;
			w->left = w->head[1] & 0x7f;
			for (size_t i = 2; i < w->head_len; i++)
				w->left = i == 2 ? w->head[2] : w->left << 8 | w->head[i];
		}
		if (w->head_len < head_wants(w) || (!len && w->left))
			return;
		if (w->head[1] & 0x80 || w->head[0] & 0x70) {
			end(w, WS_CLOSE_BROKEN);
			return;
		}
		n = w->left < len ? (size_t)w->left : len;
		if (n == w->left)
			w->head_len = 0;
		payload(w, data, n);
		data += n;
		len -= n;
		if (!len)
			return;
	}
}

static void answer(struct ws *w, const char *data, size_t len)
{
	size_t before = w->in_len, used;
	char *over, *head;

	if (w->in_len + len > HEAD_MAX + READ_MAX ||
	    keep(&w->in, &w->in_len, &w->in_room, data, len) ||
	    keep(&w->in, &w->in_len, &w->in_room, "", 1)) {
		end(w, WS_CLOSE_REFUSED);
		return;
	}
	w->in_len--; /* the NUL */
	over = strstr(w->in, "\r\n\r\n");
	if (!over && w->in_len < HEAD_MAX)
		return;
	if (!over || strncmp(w->in, "HTTP/1.1 101 ", 13) != 0 || !strstr(w->in, ACCEPT)) {
		end(w, WS_CLOSE_REFUSED);
		return;
	}
	used = (size_t)(over - w->in) + 4 - before;
	head = w->in;
	w->in = NULL;
	w->in_len = w->in_room = 0;
	free(head);
	w->phase = WS_OPEN;
	w->ops->opened(w);
	if (len > used)
		frames(w, data + used, len - used);
}

/* Bytes; 0: later; -1: the end. *more: perhaps there is more at once. */
static ssize_t read_some(struct ws *w, char *buf, size_t size, bool *more)
{
	ssize_t n;

	if (w->ssl) {
		size_t got;
		int r = SSL_read_ex(w->ssl, buf, size, &got);
		int e = r > 0 ? 0 : SSL_get_error(w->ssl, r);

		ERR_clear_error();
		*more = true;
		if (r > 0)
			return (ssize_t)got;
		return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE ? 0 : -1;
	}
	n = recv(w->fd, buf, size, 0);
	*more = n == (ssize_t)size; /* epoll(7): less means that all of it was read */
	if (n > 0)
		return n;
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static void take(struct ws *w)
{
	static char room[READ_MAX];
	bool more = true;

	while (more && w->phase != WS_NONE && !w->stalled) {
		ssize_t n = read_some(w, room, sizeof(room), &more);

		if (n < 0)
			end(w, w->phase == WS_OPEN ? WS_CLOSE_BROKEN : WS_CLOSE_REFUSED);
		if (n <= 0)
			return;
		if (w->phase == WS_OPEN)
			frames(w, room, (size_t)n);
		else
			answer(w, room, (size_t)n);
	}
}

/* ---- the beginning ---- */

static void connecting(struct ws *w)
{
	socklen_t size = sizeof(struct sockaddr_in);
	struct sockaddr_in peer;
	int r, e;

	if (getpeername(w->fd, (struct sockaddr *)&peer, &size)) {
		int err = 0;
		socklen_t len = sizeof(err);

		getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &err, &len);
		if (err)
			end(w, WS_CLOSE_REFUSED);
		return;
	}
	if (w->ssl) {
		r = SSL_do_handshake(w->ssl);
		e = r == 1 ? 0 : SSL_get_error(w->ssl, r);
		ERR_clear_error();
		if (e && e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
			end(w, WS_CLOSE_REFUSED);
		if (e)
			return;
	}
	w->phase = WS_ASKED;
}

void ws_event(struct ws *w)
{
	if (w->phase == WS_CONNECTING)
		connecting(w);
	if (w->phase == WS_NONE || w->phase == WS_CONNECTING)
		return;
	if (w->out_len && flush(w)) {
		end(w, w->phase == WS_OPEN ? WS_CLOSE_BROKEN : WS_CLOSE_REFUSED);
		return;
	}
	take(w);
}

int ws_connect(struct ws *w, SSL_CTX *ctx, uint32_t from, uint16_t port, const char *path)
{
	char request[512];
	int len = snprintf(request, sizeof(request),
	                   "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\n"
	                   "Connection: Upgrade\r\nSec-WebSocket-Key: " KEY "\r\n"
	                   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: json\r\n\r\n",
	                   path ? path : "", port);
	int r = 0;

	w->fd = open_socket(from, port);
	if (w->fd < 0)
		return error_from_errno(errno);
	w->closed = 0;
	w->pings = 0;
	w->phase = WS_CONNECTING;
	if (path)
		r = keep(&w->out, &w->out_len, &w->out_room, request, (size_t)len);
	if (!r && ctx) {
		w->ssl = SSL_new(ctx);
		r = w->ssl && SSL_set_fd(w->ssl, w->fd) ? 0 : -E_NOMEM;
		if (!r)
			SSL_set_connect_state(w->ssl);
	}
	if (r)
		forget(w);
	return r;
}

void ws_describe(const struct ws *w, char *out, size_t size)
{
	*out = 0;
	if (w->ssl)
		snprintf(out, size, "%s, %s", SSL_get_version(w->ssl), SSL_get_cipher(w->ssl));
}

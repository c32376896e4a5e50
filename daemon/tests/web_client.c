/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The tests' own HTTP and WebSocket client.
 */
#include "daemon/tests/web_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void turn_over(struct event_base *base)
{
	const struct timespec nap = {.tv_nsec = 500000};

	event_base_loop(base, EVLOOP_NONBLOCK);
	nanosleep(&nap, NULL);
}

void client_pump(struct event_base *base, int ms)
{
	int64_t until = now_ms() + ms;

	while (now_ms() < until)
		turn_over(base);
}

static void die(const char *what)
{
	perror(what);
	abort();
}

struct web_client *client_open(struct event_base *base, uint16_t port)
{
	struct web_client *c = calloc(1, sizeof(*c));
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->base = base;
	c->in = calloc(1, 1);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	return c;
}

void client_close(struct web_client *c)
{
	if (!c)
		return;
	close(c->fd);
	free(c->in);
	free(c);
}

bool client_send(struct web_client *c, const void *data, size_t len)
{
	const char *p = data;
	int64_t until = now_ms() + CLIENT_WAIT_MS;

	while (len) {
		ssize_t n = send(c->fd, p, len, MSG_NOSIGNAL);

		if (n > 0) {
			p += n;
			len -= (size_t)n;
			continue;
		}
		if (errno != EAGAIN || now_ms() > until)
			return false;
		turn_over(c->base);
	}
	return true;
}

bool client_more(struct web_client *c, int wait_ms)
{
	int64_t until = now_ms() + wait_ms;
	char chunk[16384];

	while (!c->eof) {
		ssize_t n = recv(c->fd, chunk, sizeof(chunk), 0);
		bool again = n < 0 && errno == EAGAIN;

		if (n > 0) {
			c->in = realloc(c->in, c->in_len + (size_t)n + 1);
			memcpy(c->in + c->in_len, chunk, (size_t)n);
			c->in_len += (size_t)n;
			c->in[c->in_len] = '\0';
			return true;
		}
		if (!again)
			c->eof = true;
		else if (now_ms() > until)
			return false;
		else
			turn_over(c->base);
	}
	return false;
}

char *client_talk(struct web_client *c, const char *text)
{
	client_send(c, text, strlen(text));
	while (client_more(c, CLIENT_WAIT_MS))
		;
	return strdup((char *)c->in);
}

static void take(struct web_client *c, size_t n)
{
	memmove(c->in, c->in + n, c->in_len - n + 1);
	c->in_len -= n;
}

char *ws_upgrade(struct web_client *c, const char *path, const char *extra)
{
	char text[1024], *end, *head;

	snprintf(text, sizeof(text),
	         "GET %s HTTP/1.1\r\n%sConnection: keep-alive, Upgrade\r\n"
	         "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
	         path, strstr(extra, "Host: ") ? "" : "Host: relay.example:6503\r\n", extra);
	client_send(c, text, strlen(text));
	while (!(end = strstr((char *)c->in, "\r\n\r\n"))) {
		if (!client_more(c, CLIENT_WAIT_MS))
			return strdup((char *)c->in);
	}
	head = strndup((char *)c->in, (size_t)(end + 4 - (char *)c->in));
	if (!strncmp(head, "HTTP/1.1 101", 12))
		take(c, strlen(head));
	return head;
}

bool ws_send(struct web_client *c, bool fin, unsigned opcode, const void *data, size_t len)
{
	static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
	uint8_t *buf = malloc(len + 14);
	size_t n = 0;
	bool sent;

	buf[n++] = (uint8_t)((fin ? 0x80 : 0) | opcode);
	if (len < 126) {
		buf[n++] = (uint8_t)(0x80 | len);
	} else if (len < 65536) {
		buf[n++] = 0x80 | 126;
		buf[n++] = (uint8_t)(len >> 8);
		buf[n++] = (uint8_t)len;
	} else {
		buf[n++] = 0x80 | 127;
		for (int i = 7; i >= 0; i--)
			buf[n++] = (uint8_t)((uint64_t)len >> (8 * i));
	}
	memcpy(buf + n, mask, 4);
	n += 4;
	for (size_t i = 0; i < len; i++)
		buf[n + i] = ((const uint8_t *)data)[i] ^ mask[i % 4];
	sent = client_send(c, buf, n + len);
	free(buf);
	return sent;
}

bool ws_say(struct web_client *c, const char *text)
{
	return ws_send(c, true, WS_TEXT, text, strlen(text));
}

static bool have(struct web_client *c, size_t n)
{
	while (c->in_len < n) {
		if (!client_more(c, CLIENT_WAIT_MS))
			return false;
	}
	return true;
}

bool ws_recv(struct web_client *c, struct ws_frame *f)
{
	size_t head = 2, len;

	if (!have(c, 2))
		return false;
	len = c->in[1] & 0x7f;
	if (len == 126) {
		if (!have(c, head = 4))
			return false;
		len = (size_t)c->in[2] << 8 | c->in[3];
	} else if (len == 127) {
		if (!have(c, head = 10))
			return false;
		len = 0;
		for (int i = 2; i < 10; i++)
			len = len << 8 | c->in[i];
	}
	if (!have(c, head + len))
		return false;
	f->opcode = c->in[0] & 0x0f;
	f->len = len;
	f->data = calloc(1, len + 1);
	memcpy(f->data, c->in + head, len);
	take(c, head + len);
	return true;
}

bool ws_hears(struct web_client *c, const char *prefix)
{
	struct ws_frame f = {0};
	bool found = false;

	while (!found && ws_recv(c, &f)) {
		found = f.opcode == WS_TEXT && !strncmp(f.data, prefix, strlen(prefix));
		free(f.data);
	}
	return found;
}

struct web_client *ws_join(struct event_base *base, uint16_t port, const char *name)
{
	struct web_client *c = client_open(base, port);
	char text[128];

	free(ws_upgrade(c, "/ws", "Sec-WebSocket-Protocol: json\r\n"));
	snprintf(text, sizeof(text), "{\"type\":\"username\",\"name\":\"%s\"}", name);
	if (!ws_say(c, text) || !ws_hears(c, "{\"type\":\"userlist\""))
		die("userlist");
	return c;
}

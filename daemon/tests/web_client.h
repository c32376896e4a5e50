/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A small HTTP and WebSocket client for tests: it writes every byte itself,
 * so that it can also write wrong ones.
 */
#ifndef DAEMON_TESTS_WEB_CLIENT_H
#define DAEMON_TESTS_WEB_CLIENT_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_WAIT_MS 8000

enum ws_opcode { WS_CONT, WS_TEXT, WS_BINARY, WS_CLOSE = 8, WS_PING, WS_PONG };

struct web_client {
	struct event_base *base; /* the server's loop: runs whenever the client waits */
	int fd;
	uint8_t *in; /* received and not yet taken; NUL-terminated */
	size_t in_len;
	bool eof;
};

struct ws_frame {
	unsigned opcode;
	size_t len;
	char *data; /* NUL-terminated; to be freed */
};

/* Runs the loop for a while. */
void client_pump(struct event_base *base, int ms);

/* To 127.0.0.1:port. Fails the test when it cannot. */
struct web_client *client_open(struct event_base *base, uint16_t port);
void client_close(struct web_client *c);

/* False when the connection broke. */
bool client_send(struct web_client *c, const void *data, size_t len);

/* Waits for more input. False at the end of the stream, or when nothing comes in time. */
bool client_more(struct web_client *c, int wait_ms);

/* Sends the text, reads up to the end of the stream; returns all of it (to be freed). */
char *client_talk(struct web_client *c, const char *text);

/* Opens a WebSocket. extra: further header lines, each with CRLF; Host, too. Returns the response's
 * head (to be freed). */
char *ws_upgrade(struct web_client *c, const char *path, const char *extra);
bool ws_send(struct web_client *c, bool fin, unsigned opcode, const void *data, size_t len);
bool ws_say(struct web_client *c, const char *text);

/* A client that is let in under its name. Fails the test when it is not. */
struct web_client *ws_join(struct event_base *base, uint16_t port, const char *name);

/* Takes frames up to a text that begins so. False when none comes. */
bool ws_hears(struct web_client *c, const char *prefix);

/* The next frame, pings and pongs included. False at the end or when none comes in time. */
bool ws_recv(struct web_client *c, struct ws_frame *f);

#endif

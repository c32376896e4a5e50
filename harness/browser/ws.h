/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A WebSocket to a program of this machine, which may be in another network namespace; blocking,
 * because a browser's driver does one thing after another. Text messages only (RFC 6455, by
 * libwebsockets).
 */
#ifndef BROWSER_WS_H
#define BROWSER_WS_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define WS_MESSAGE_MAX (64u << 20) /* bytes; a screenshot is a few MB of base64 */

struct ws;

/* A whole message, valid for the call. Must not call back into the same ws. */
typedef void (*ws_message_fn)(void *arg, const char *text, size_t len);

/* Opens ws://127.0.0.1:port/path as seen in the namespace (-1: the caller's). */
int ws_connect(struct ws **out, int netns_fd, uint16_t port, const char *path,
               ws_message_fn on_message, void *arg, int64_t limit_ms, struct why *why);

/* Closes at once. NULL is legal. */
void ws_free(struct ws *w);

/* Sends a message; handles what arrives meanwhile. Copies. 0, -E_TIMEOUT, -E_CLOSED or another
 * code. After a timeout the message may still go out. */
int ws_send(struct ws *w, const char *text, size_t len, int64_t deadline_ms);

/* One turn: waits until something happens and handles it. 0, -E_TIMEOUT at the deadline,
 * -E_CLOSED, or -E_LIMIT for a message longer than WS_MESSAGE_MAX. */
int ws_turn(struct ws *w, int64_t deadline_ms);

#endif

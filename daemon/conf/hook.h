/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Values of the options about webhooks: the events, URLs of the operator's programs, and the keys
 * that sign what is sent there (Standard Webhooks: "whsec_" and base64).
 */
#ifndef DAEMON_CONF_HOOK_H
#define DAEMON_CONF_HOOK_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* What webhooks can tell. The default of webhook_events has all of them. */
#define HOOK_TABLE(X)                                                                              \
	X(HOOK_STARTED, "started")                                                                 \
	X(HOOK_ROOM_OPENED, "room-opened")                                                         \
	X(HOOK_ROOM_CLOSED, "room-closed")                                                         \
	X(HOOK_JOINED, "joined")                                                                   \
	X(HOOK_RENAMED, "renamed")                                                                 \
	X(HOOK_LEFT, "left")                                                                       \
	X(HOOK_KICKED, "kicked")                                                                   \
	X(HOOK_CALL_BEGUN, "call-begun")                                                           \
	X(HOOK_CALL_ANSWERED, "call-answered")                                                     \
	X(HOOK_CALL_ENDED, "call-ended")                                                           \
	X(HOOK_RELAY_USED, "relay-used")

#define X(name, text) name,
enum hook_what { HOOK_TABLE(X) };
#undef X

#define HOOK_KEY_MIN   24 /* bytes, as the specification has it */
#define HOOK_KEY_MAX   64
#define HOOK_KEYS_MAX  2 /* live at a time, while one replaces the other */
#define HOOK_URLS_MAX  8
#define HOOK_URL_MAX   763 /* bytes */
#define HOOK_KEY_BEGIN "whsec_"

struct hook_key {
	uint8_t bytes[HOOK_KEY_MAX];
	size_t len;
};

/* The word of an event. */
const char *hook_text(enum hook_what what);

/* All of these: 0, or -E_PARSE with the fix in why. */
int hook_parse(const char *text, enum hook_what *out, struct why *why);

/* https://, or http:// to this host or into a private network. */
int hook_url_check(const char *url, struct why *why);

/* why never has the key. out may be NULL. */
int hook_key_parse(const char *text, struct hook_key *out, struct why *why);

#endif

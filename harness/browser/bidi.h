/* SPDX-License-Identifier: BSD-3-Clause
 *
 * WebDriver BiDi over a WebSocket: calls are answered by id, events come in
 * between (W3C WebDriver BiDi, "Protocol").
 */
#ifndef BROWSER_BIDI_H
#define BROWSER_BIDI_H

#include "base/error.h"

#include <jansson.h>
#include <stdint.h>

struct bidi;

/* params is borrowed. Must not call back into the same bidi, but for bidi_interrupt(). */
typedef void (*bidi_event_fn)(void *arg, const char *method, const json_t *params);

/* Connects to the loopback of a network namespace (-1: the caller's). */
int bidi_connect(struct bidi **out, int netns_fd, uint16_t port, bidi_event_fn on_event, void *arg,
                 int64_t limit_ms, struct why *why);
void bidi_free(struct bidi *b);

/* Calls a method and handles events until the answer. Steals params (may be NULL). *result (may
 * be NULL) gets a new reference. -E_STALE after bidi_interrupt(), -E_TIMEOUT, -E_CLOSED when the
 * browser is gone, -E_INVAL when it answers with an error: why has the method and the browser's
 * words. */
int bidi_call(struct bidi *b, const char *method, json_t *params, int64_t limit_ms, json_t **result,
              struct why *why);

/* From within an event: the call under way will have no answer. */
void bidi_interrupt(struct bidi *b);

/* Handles events for up to wait_ms. 0 or -E_CLOSED. */
int bidi_pump(struct bidi *b, int64_t wait_ms);

/* A script.RemoteValue as the JSON that JSON.stringify() would make of the value: undefined and
 * NaN become null, but an object's undefined members are left out. A new reference, or NULL if out
 * of memory. */
json_t *bidi_value(const json_t *remote);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The Chrome DevTools Protocol over a pair of pipes: JSON messages, each ended
 * by a NUL byte; calls are answered by id, events come in between.
 */
#ifndef BROWSER_CDP_H
#define BROWSER_CDP_H

#include "base/error.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define CDP_MESSAGE_MAX (64u << 20) /* bytes; a screenshot is a few MB of base64 */

/* Bytes in, messages out. Zero-initialised is empty. */
struct cdp_frames {
	char *data;
	size_t len; /* bytes held */
	size_t cap;
	size_t taken; /* bytes of the message that cdp_frames_next() gave last */
};

/* Copies. 0, -E_LIMIT for a message longer than CDP_MESSAGE_MAX, or -E_NOMEM. */
int cdp_frames_add(struct cdp_frames *f, const void *bytes, size_t len);

/* The next whole message, without its NUL byte, or NULL. Valid until the next call on f. */
const char *cdp_frames_next(struct cdp_frames *f, size_t *len);
void cdp_frames_clear(struct cdp_frames *f);

struct cdp;

/* params is borrowed. Must not call back into the same cdp, but
 * for cdp_give_up(). */
typedef void (*cdp_event_fn)(void *arg, const char *method, const json_t *params);

/* Takes both descriptors over. */
int cdp_new(struct cdp **out, int read_fd, int write_fd, cdp_event_fn on_event, void *arg);
void cdp_free(struct cdp *c);

/* Calls a method in a session (NULL: the browser itself) and handles events until the answer.
 * Steals params (may be NULL). *result (may be NULL) gets a new reference.
 * -E_TIMEOUT, -E_CLOSED when the browser is gone, -E_INVAL when it answers with an error. */
int cdp_call(struct cdp *c, const char *session, const char *method, json_t *params,
             int64_t limit_ms, json_t **result, struct why *why);

/* From within an event: nothing more is to be expected. The call under way and all later ones
 * return -E_CLOSED. */
void cdp_give_up(struct cdp *c);

/* Handles events for up to wait_ms. 0 or -E_CLOSED. */
int cdp_pump(struct cdp *c, int64_t wait_ms);

#endif

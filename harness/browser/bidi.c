/* SPDX-License-Identifier: BSD-3-Clause
 *
 * BiDi's calls and events, and its way to write JavaScript values.
 */
#include "harness/browser/bidi.h"

#include "base/clock.h"
#include "harness/browser/ws.h"
#include "harness/lab/pressure.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct bidi {
	struct ws *ws;
	int next_id;
	bidi_event_fn on_event;
	void *arg;
	int wanted_id; /* the call under way, or 0 */
	bool interrupted;
	json_t *answer;
};

static void on_message(void *arg, const char *text, size_t len)
{
	struct bidi *b = arg;
	json_t *msg = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
	json_t *id = json_object_get(msg, "id");
	const char *method = json_string_value(json_object_get(msg, "method"));

	/* An unexpected answer belongs to a call that timed out. */
	if (json_is_integer(id) && b->wanted_id && json_integer_value(id) == b->wanted_id) {
		b->answer = json_incref(msg);
		b->wanted_id = 0;
	} else if (method && b->on_event) {
		b->on_event(b->arg, method, json_object_get(msg, "params"));
	}
	json_decref(msg);
}

int bidi_connect(struct bidi **out, int netns_fd, uint16_t port, bidi_event_fn on_event, void *arg,
                 int64_t limit_ms, struct why *why)
{
	struct bidi *b = calloc(1, sizeof(*b));
	int err;

	if (!b)
		return why_set(why, -E_NOMEM, "out of memory");
	*b = (struct bidi){.next_id = 1, .on_event = on_event, .arg = arg};
	err = ws_connect(&b->ws, netns_fd, port, "/session", on_message, b, limit_ms, why);
	if (err == 0)
		*out = b;
	else
		free(b);
	return err;
}

void bidi_free(struct bidi *b)
{
	if (!b)
		return;
	ws_free(b->ws);
	json_decref(b->answer);
	free(b);
}

static int send_call(struct bidi *b, const char *method, json_t *params, int64_t deadline)
{
	json_t *msg = json_pack("{s:i, s:s, s:o}", "id", b->next_id, "method", method, "params",
	                        params ? params : json_object());
	char *text = msg ? json_dumps(msg, JSON_COMPACT) : NULL;
	int err = text ? ws_send(b->ws, text, strlen(text), deadline) : -E_NOMEM;

	json_decref(msg);
	free(text);
	return err;
}

int bidi_call(struct bidi *b, const char *method, json_t *params, int64_t limit_ms, json_t **result,
              struct why *why)
{
	struct patience patience = patience_begin(limit_ms);
	int err;

	/* The answer may come while the call is still being sent. */
	b->wanted_id = b->next_id;
	b->interrupted = false;
	err = send_call(b, method, params, patience_deadline(&patience));
	b->next_id++;
	while (err == 0 && b->wanted_id) {
		err = b->interrupted ? -E_STALE : ws_turn(b->ws, patience_deadline(&patience));
		if (err == -E_TIMEOUT && clock_mono_ms() < patience_deadline(&patience))
			err = 0;
	}
	if (b->wanted_id) {
		b->wanted_id = 0;
		return why_set(why, err, "%s: %s", method,
		               err == -E_TIMEOUT ? "the browser did not answer in time"
		                                 : error_text(err));
	}
	err = 0; /* answered, whatever came behind it */
	if (json_object_get(b->answer, "error")) {
		const char *code = json_string_value(json_object_get(b->answer, "error"));
		const char *message = json_string_value(json_object_get(b->answer, "message"));

		err = why_set(why, -E_INVAL, "%s: %s: %s", method, code ? code : "error",
		              message ? message : "");
	} else if (result) {
		*result = json_incref(json_object_get(b->answer, "result"));
	}
	json_decref(b->answer);
	b->answer = NULL;
	return err;
}

void bidi_interrupt(struct bidi *b)
{
	b->interrupted = true;
}

int bidi_pump(struct bidi *b, int64_t wait_ms)
{
	int64_t deadline = clock_mono_ms() + wait_ms;
	int err;

	do {
		err = ws_turn(b->ws, deadline);
	} while (err == 0);
	return err == -E_TIMEOUT ? 0 : err;
}

/* ---- values ----
 *
 * An object that occurs more than once is written once; elsewhere there is only its internalId. */

static json_t *value_of(const json_t *remote, json_t *seen);

static json_t *array_value(const json_t *items, json_t *seen)
{
	json_t *out = json_array(), *item;
	size_t i;

	json_array_foreach (items, i, item)
		json_array_append_new(out, value_of(item, seen));
	return out;
}

/* Pairs of a key and a value; a key that is not a string belongs to a Map, which JSON cannot
 * hold. */
static json_t *object_value(const json_t *pairs, json_t *seen)
{
	json_t *out = json_object(), *pair;
	size_t i;

	json_array_foreach (pairs, i, pair) {
		const char *key = json_string_value(json_array_get(pair, 0));
		const json_t *value = json_array_get(pair, 1);
		const char *type = json_string_value(json_object_get(value, "type"));

		if (key && type && strcmp(type, "undefined") != 0 && strcmp(type, "function") != 0)
			json_object_set_new(out, key, value_of(value, seen));
	}
	return out;
}

static json_t *container_value(const json_t *remote, const char *type, json_t *seen)
{
	const char *id = json_string_value(json_object_get(remote, "internalId"));
	const json_t *value = json_object_get(remote, "value");
	json_t *out;

	if (!value && id && json_object_get(seen, id))
		return json_incref(json_object_get(seen, id));
	out = !strcmp(type, "array") ? array_value(value, seen) : object_value(value, seen);
	if (id)
		json_object_set(seen, id, out);
	return out;
}

static json_t *value_of(const json_t *remote, json_t *seen)
{
	const char *type = json_string_value(json_object_get(remote, "type"));
	json_t *value = json_object_get(remote, "value");

	if (!type)
		return json_null();
	if (!strcmp(type, "string") || !strcmp(type, "boolean") || !strcmp(type, "date"))
		return json_incref(value);
	if (!strcmp(type, "number")) {
		if (json_is_string(value) && !strcmp(json_string_value(value), "-0"))
			return json_integer(0);
		return json_is_number(value) ? json_incref(value) : json_null();
	}
	if (!strcmp(type, "array") || !strcmp(type, "object"))
		return container_value(remote, type, seen);
	if (!strcmp(type, "null") || !strcmp(type, "undefined"))
		return json_null();
	return json_object(); /* a node, a promise, a typed array: nothing that JSON has a form for
	                       */
}

json_t *bidi_value(const json_t *remote)
{
	json_t *seen = json_object();
	json_t *value = seen ? value_of(remote, seen) : NULL;

	json_decref(seen);
	return value;
}

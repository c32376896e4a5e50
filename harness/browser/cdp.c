/* SPDX-License-Identifier: BSD-3-Clause
 *
 * CDP over pipes. One call runs at a time: a person's browser does one thing after another.
 */
#include "harness/browser/cdp.h"

#include "base/clock.h"
#include "harness/lab/pressure.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_CHUNK 65536

struct cdp {
	int read_fd, write_fd;
	int next_id;
	bool given_up;
	struct cdp_frames in;
	cdp_event_fn on_event;
	void *arg;
	int wanted_id; /* the call under way, or 0 */
	json_t *answer;
};

int cdp_frames_add(struct cdp_frames *f, const void *bytes, size_t len)
{
	if (f->taken > 0) {
		f->len -= f->taken;
		memmove(f->data, f->data + f->taken, f->len);
		f->taken = 0;
	}
	if (f->len + len > f->cap) {
		size_t cap = f->cap ? f->cap : READ_CHUNK;
		char *data;

		while (cap < f->len + len)
			cap *= 2;
		if (cap > 2 * (size_t)CDP_MESSAGE_MAX)
			return -E_LIMIT;
		data = realloc(f->data, cap);
		if (!data)
			return -E_NOMEM;
		f->data = data;
		f->cap = cap;
	}
	memcpy(f->data + f->len, bytes, len);
	f->len += len;
	if (f->len > CDP_MESSAGE_MAX && !memchr(f->data, '\0', f->len))
		return -E_LIMIT;
	return 0;
}

const char *cdp_frames_next(struct cdp_frames *f, size_t *len)
{
	char *start, *end;

	if (f->len == f->taken)
		return NULL;
	start = f->data + f->taken;
	end = memchr(start, '\0', f->len - f->taken);
	if (!end)
		return NULL;
	*len = (size_t)(end - start);
	f->taken += *len + 1;
	return start;
}

void cdp_frames_clear(struct cdp_frames *f)
{
	free(f->data);
	*f = (struct cdp_frames){0};
}

int cdp_new(struct cdp **out, int read_fd, int write_fd, cdp_event_fn on_event, void *arg)
{
	struct cdp *c = calloc(1, sizeof(*c));

	if (!c)
		return -E_NOMEM;
	*c = (struct cdp){.read_fd = read_fd,
	                  .write_fd = write_fd,
	                  .next_id = 1,
	                  .on_event = on_event,
	                  .arg = arg};
	*out = c;
	return 0;
}

void cdp_free(struct cdp *c)
{
	if (!c)
		return;
	close(c->read_fd);
	close(c->write_fd);
	cdp_frames_clear(&c->in);
	json_decref(c->answer);
	free(c);
}

static void on_message(struct cdp *c, const char *text, size_t len)
{
	json_t *msg = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
	json_t *id = json_object_get(msg, "id");
	const char *method = json_string_value(json_object_get(msg, "method"));

	/* An unexpected answer belongs to a call that timed out. */
	if (json_is_integer(id) && c->wanted_id && json_integer_value(id) == c->wanted_id) {
		c->answer = json_incref(msg);
		c->wanted_id = 0;
	} else if (method && c->on_event) {
		c->on_event(c->arg, method, json_object_get(msg, "params"));
	}
	json_decref(msg);
}

/* One turn: waits, reads once, handles what is whole. 0, -E_TIMEOUT, -E_CLOSED or -E_LIMIT. */
static int turn(struct cdp *c, int64_t deadline)
{
	struct pollfd p = {.fd = c->read_fd, .events = POLLIN};
	char chunk[READ_CHUNK];
	const char *text;
	size_t len;
	ssize_t n;
	int err;

	if (c->given_up)
		return -E_CLOSED;
	if (poll(&p, 1, clock_left_ms(deadline)) <= 0)
		return clock_mono_ms() >= deadline ? -E_TIMEOUT : 0;
	n = read(c->read_fd, chunk, sizeof(chunk));
	if (n < 0 && errno == EINTR)
		return 0;
	if (n <= 0)
		return -E_CLOSED;
	err = cdp_frames_add(&c->in, chunk, (size_t)n);
	if (err != 0)
		return err;
	while ((text = cdp_frames_next(&c->in, &len)) != NULL)
		on_message(c, text, len);
	return 0;
}

void cdp_give_up(struct cdp *c)
{
	c->given_up = true;
}

int cdp_pump(struct cdp *c, int64_t wait_ms)
{
	int64_t deadline = clock_mono_ms() + wait_ms;
	int err;

	do {
		err = turn(c, deadline);
	} while (err == 0);
	return err == -E_TIMEOUT ? 0 : err;
}

static int send_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -E_CLOSED;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int send_call(struct cdp *c, const char *session, const char *method, json_t *params)
{
	json_t *msg = json_pack("{s:i, s:s, s:s*, s:o*}", "id", c->next_id, "method", method,
	                        "sessionId", session, "params", params);
	char *text = msg ? json_dumps(msg, JSON_COMPACT) : NULL;
	int err = text ? send_all(c->write_fd, text, strlen(text) + 1) : -E_NOMEM;

	json_decref(msg);
	free(text);
	return err;
}

int cdp_call(struct cdp *c, const char *session, const char *method, json_t *params,
             int64_t limit_ms, json_t **result, struct why *why)
{
	struct patience patience = patience_begin(limit_ms);
	const char *message;
	int err;

	err = send_call(c, session, method, params);
	c->wanted_id = c->next_id++;
	while (err == 0 && c->wanted_id) {
		err = turn(c, patience_deadline(&patience));
		if (err == -E_TIMEOUT && clock_mono_ms() < patience_deadline(&patience))
			err = 0;
	}
	if (c->wanted_id) {
		c->wanted_id = 0;
		return why_set(why, err, "%s: %s", method,
		               err == -E_TIMEOUT ? "the browser did not answer in time"
		                                 : error_text(err));
	}
	message =
	    json_string_value(json_object_get(json_object_get(c->answer, "error"), "message"));
	if (message)
		err = why_set(why, -E_INVAL, "%s: %s", method, message);
	else if (result)
		*result = json_incref(json_object_get(c->answer, "result"));
	json_decref(c->answer);
	c->answer = NULL;
	return err;
}

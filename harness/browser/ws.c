/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A libwebsockets client on its own small event loop, which the waiting caller turns.
 */
#include "harness/browser/ws.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <libwebsockets.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROTOCOL "text"

struct ws {
	struct lws_context *context;
	struct lws *wsi;
	lws_sorted_usec_list_t wake;
	ws_message_fn on_message;
	void *arg;
	char *in; /* the message that is arriving */
	size_t in_len, in_cap;
	unsigned char *out; /* LWS_PRE bytes of room, then the message; NULL: none */
	size_t out_len;
	bool open;
	int err; /* why it is over; 0: it is not */
	char said[128];
};

static int add(struct ws *w, const void *bytes, size_t len)
{
	if (w->in_len + len > WS_MESSAGE_MAX)
		return -E_LIMIT;
	if (w->in_len + len > w->in_cap) {
		size_t cap = w->in_cap ? w->in_cap : 65536;
		char *in;

		while (cap < w->in_len + len)
			cap *= 2;
		in = realloc(w->in, cap);
		if (!in)
			return -E_NOMEM;
		w->in = in;
		w->in_cap = cap;
	}
	memcpy(w->in + w->in_len, bytes, len);
	w->in_len += len;
	return 0;
}

static int on_receive(struct ws *w, struct lws *wsi, const void *bytes, size_t len)
{
	int err = add(w, bytes, len);

	if (err != 0) {
		w->err = err;
		return -1;
	}
	if (lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0) {
		len = w->in_len;
		w->in_len = 0;
		w->on_message(w->arg, w->in, len);
	}
	return 0;
}

static int on_writable(struct ws *w, struct lws *wsi)
{
	int n;

	if (!w->out)
		return 0;
	/* The library keeps what the socket does not take now. */
	n = lws_write(wsi, w->out + LWS_PRE, w->out_len, LWS_WRITE_TEXT);
	free(w->out);
	w->out = NULL;
	return n < 0 ? -1 : 0;
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t len)
{
	struct ws *w = lws_context_user(lws_get_context(wsi));

	(void)user;
	if (!w)
		return 0;
	switch ((int)reason) {
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		w->open = true;
		return 0;
	case LWS_CALLBACK_CLIENT_RECEIVE:
		return on_receive(w, wsi, in, len);
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		return on_writable(w, wsi);
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
		snprintf(w->said, sizeof(w->said), "%.*s", in ? (int)len : 0, in ? (char *)in : "");
		/* fall through */
	case LWS_CALLBACK_CLIENT_CLOSED:
		w->wsi = NULL;
		if (w->err == 0)
			w->err = -E_CLOSED;
		return 0;
	}
	return 0;
}

static const struct lws_protocols protocols[] = {
    {.name = PROTOCOL, .callback = on_lws, .rx_buffer_size = 65536}, {.name = NULL}};

/* The library would check idle connections by pings, and find one dead that we did not turn
 * for some minutes. */
static const lws_retry_bo_t never_idle = {.secs_since_valid_ping = 0xfffe,
                                          .secs_since_valid_hangup = 0xffff};

static void on_wake(lws_sorted_usec_list_t *sul)
{
	(void)sul; /* it has ended the wait, and that is all */
}

int ws_turn(struct ws *w, int64_t deadline_ms)
{
	if (w->err != 0)
		return w->err;
	if (clock_mono_ms() >= deadline_ms)
		return -E_TIMEOUT;
	lws_sul_schedule(w->context, 0, &w->wake, on_wake,
	                 (lws_usec_t)clock_left_ms(deadline_ms) * LWS_US_PER_MS);
	if (lws_service(w->context, 0) < 0 && w->err == 0)
		w->err = -E_CLOSED;
	return w->err;
}

int ws_send(struct ws *w, const char *text, size_t len, int64_t deadline_ms)
{
	int err = w->err;

	while (err == 0 && w->out) /* one that timed out */
		err = ws_turn(w, deadline_ms);
	if (err != 0)
		return err;
	w->out = malloc(LWS_PRE + len);
	if (!w->out)
		return -E_NOMEM;
	memcpy(w->out + LWS_PRE, text, len);
	w->out_len = len;
	lws_callback_on_writable(w->wsi);
	while (err == 0 && w->out)
		err = ws_turn(w, deadline_ms);
	return err;
}

static int open_context(struct ws *w, struct why *why)
{
	struct lws_context_creation_info info = {
	    .port = CONTEXT_PORT_NO_LISTEN,
	    .protocols = protocols,
	    .user = w,
	    .pt_serv_buf_size = 65536,
	    .fd_limit_per_thread = 8,
	    .retry_and_idle_policy = &never_idle,
	};

	lws_set_log_level(LLL_ERR, NULL);
	w->context = lws_create_context(&info);
	return w->context ? 0 : why_set(why, -E_NOMEM, "libwebsockets: no context");
}

static int connect_here(struct ws *w, uint16_t port, const char *path, int64_t deadline_ms,
                        struct why *why)
{
	char host[32];
	struct lws_client_connect_info info = {
	    .context = w->context,
	    .address = "127.0.0.1",
	    .port = port,
	    .path = path,
	    .host = host,
	    .local_protocol_name = PROTOCOL,
	    .ietf_version_or_minus_one = -1,
	    .pwsi = &w->wsi,
	    .retry_and_idle_policy = &never_idle,
	};
	int err = 0;

	snprintf(host, sizeof(host), "127.0.0.1:%u", port);
	if (!lws_client_connect_via_info(&info))
		err = w->err ? w->err : -E_IO;
	while (err == 0 && !w->open)
		err = ws_turn(w, deadline_ms);
	if (err != 0)
		why_set(why, err, "no WebSocket at 127.0.0.1:%u: %s", port,
		        w->said[0] ? w->said : error_text(err));
	return err;
}

int ws_connect(struct ws **out, int netns_fd, uint16_t port, const char *path,
               ws_message_fn on_message, void *arg, int64_t limit_ms, struct why *why)
{
	int64_t deadline = clock_mono_ms() + limit_ms;
	struct ws *w = calloc(1, sizeof(*w));
	int home = -1, err;

	if (!w)
		return why_set(why, -E_NOMEM, "out of memory");
	w->on_message = on_message;
	w->arg = arg;
	err = open_context(w, why);
	if (err != 0)
		goto out;
	/* The library makes the socket itself: we are in the namespace until it is connected. */
	if (netns_fd >= 0) {
		home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		if (home < 0 || setns(netns_fd, CLONE_NEWNET) != 0) {
			err = why_set(why, -E_IO, "cannot enter a network namespace: %s",
			              strerror(errno));
			goto out;
		}
	}
	err = connect_here(w, port, path, deadline, why);
	if (netns_fd >= 0 && setns(home, CLONE_NEWNET) != 0) {
		/* In the wrong namespace nothing later can be right. */
		perror("setns");
		abort();
	}
out:
	if (home >= 0)
		close(home);
	if (err == 0)
		*out = w;
	else
		ws_free(w);
	return err;
}

void ws_free(struct ws *w)
{
	if (!w)
		return;
	if (w->context)
		lws_context_destroy(w->context);
	free(w->out);
	free(w->in);
	free(w);
}

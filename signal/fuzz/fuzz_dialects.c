/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The dialects. An input is:
 *
 *   | who (8 bits) | the text of a message |
 *
 * who: 0: a peer of PeerJS, 1: one whose partner is not there, 2: a visitor of topics. What the hub
 * sends must be JSON, and all is freed in the end.
 */
#include "base/error.h"
#include "signal/fuzz/fuzz.h"
#include "signal/hub.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t now_ms;

static int on_send(void *ctx, void *conn, enum hub_frame frame, struct hub_text *text)
{
	json_t *json = json_loadb(text->data, text->len, JSON_REJECT_DUPLICATES, NULL);

	(void)ctx;
	(void)conn;
	(void)frame;
	if (!json_is_object(json) || strlen(text->data) != text->len) {
		fprintf(stderr, "sent: %s\n", text->data);
		abort();
	}
	json_decref(json);
	return 0;
}

static void on_close(void *ctx, void *conn, enum hub_close code, const char *reason)
{
	(void)ctx;
	(void)conn;
	(void)code;
	(void)reason;
}

static int64_t on_now(void *ctx)
{
	(void)ctx;
	return now_ms;
}

static struct hub_member *come(struct hub *h, const char *path, const char *id)
{
	const struct hub_visit visit = {
	    .dialect = hub_dialect_find(path), .key = "peerjs", .id = id, .token = id};
	struct hub_member *p;

	if (hub_join(h, h, &visit, &p))
		abort();
	return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct hub_ops ops = {.send = on_send, .close = on_close, .now_ms = on_now};
	struct hub_member *p[4];
	struct hub_conf conf;
	struct hub *h;

	if (!len)
		return 0;
	hub_conf_default(&conf);
	h = hub_new(&conf, &ops, NULL);
	p[0] = come(h, "/peerjs", "alice");
	p[1] = come(h, "/peerjs", "carol");
	p[2] = come(h, "/topics", NULL);
	p[3] = come(h, "/topics", NULL);
	hub_text(p[3], "{\"type\":\"subscribe\",\"topics\":[\"x\"]}", 36);
	for (int i = 0; i < 2; i++) /* a second time it finds what the first has left */
		hub_text(p[data[0] % 3], (const char *)data + 1, len - 1);
	come(h, "/peerjs", "bob"); /* who may have letters */
	now_ms += 5000;
	hub_tick(h);
	for (int i = 0; i < 4; i++)
		hub_leave(p[i], HUB_CLOSE_ABNORMAL);
	hub_free(h);
	return 0;
}

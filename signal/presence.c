/* SPDX-License-Identifier: BSD-3-Clause
 *
 * User lists: who is in a room, told to everybody in it.
 */
#include "base/log.h"
#include "signal/hub_internal.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define LIST_PAUSE_MAX_MS 2000

/* {"type":"userlist","users":["alice","bob"]}; NULL when out of memory. */
static struct hub_text *list_text(struct hub_room *room)
{
	static const char head[] = "{\"type\":\"userlist\",\"users\":[";
	size_t size = sizeof(head) + 2;
	struct hub_text *text;
	struct hub_user *u;
	char *at;

	room_sort(room);
	DL_FOREACH (room->users, u)
		size += u->quoted_len + 1;
	text = hub_text_new(NULL, size);
	if (!text)
		return NULL;
	at = mempcpy(text->data, head, sizeof(head) - 1);
	DL_FOREACH (room->users, u) {
		if (!u->present_n)
			continue;
		if (at[-1] != '[')
			*at++ = ',';
		at = mempcpy(at, u->quoted, u->quoted_len);
	}
	memcpy(at, "]}", 3);
	text->len = (size_t)(at - text->data) + 2;
	return text;
}

static void send_list(struct hub_room *room)
{
	struct hub_text *text = list_text(room);
	struct hub_member *p;
	struct hub_user *u;

	room->list_sent_ms = room->hub->ops.now_ms(room->hub->ctx);
	if (!text) {
		log_error(NULL, "userlist", LOG_STR("error", error_text(E_NOMEM)));
		return;
	}
	DL_FOREACH (room->users, u) {
		DL_FOREACH2(u->members, p, next_device)
		hub_send_text(p, HUB_FRAME_USERLIST, text);
	}
	hub_text_unref(text);
}

/* Everybody hears of everybody, so what lists cost grows with the square of the number of users.
 * With this pause between two of them no storm of names can take the thread for itself; few users
 * have none. */
static int64_t list_pause_ms(const struct hub_room *room)
{
	int64_t n = room->user_n, pause = n * n / 1000;

	return pause < LIST_PAUSE_MAX_MS ? pause : LIST_PAUSE_MAX_MS;
}

void presence_forget(struct hub_room *room)
{
	if (room->list == LIST_FRESH)
		DL_DELETE(room->hub->fresh, room);
	else if (room->list == LIST_WAITS)
		DL_DELETE(room->hub->waiting, room);
	room->list = LIST_TRUE;
}

void presence_changed(struct hub_room *room)
{
	if (room->list != LIST_TRUE)
		return;
	room->list = LIST_FRESH;
	DL_APPEND(room->hub->fresh, room);
}

static void wait_until(struct hub *h, int64_t due_ms, int64_t now)
{
	if (h->later_ms && h->later_ms <= due_ms)
		return;
	h->later_ms = due_ms;
	h->ops.later(h->ctx, due_ms - now);
}

void presence_settle(struct hub *h)
{
	int64_t now;
	struct hub_room *room;

	if (!h->fresh)
		return;
	now = h->ops.now_ms(h->ctx);
	while ((room = h->fresh)) {
		presence_forget(room);
		room->list_due_ms = room->list_sent_ms + list_pause_ms(room);
		if (!h->ops.later || room->list_due_ms <= now) {
			send_list(room);
			continue;
		}
		room->list = LIST_WAITS;
		DL_APPEND(h->waiting, room);
		wait_until(h, room->list_due_ms, now);
	}
}

void hub_list_due(struct hub *h)
{
	int64_t now = h->ops.now_ms(h->ctx), next = 0;
	struct hub_room *room, *tmp;

	h->later_ms = 0;
	DL_FOREACH_SAFE(h->waiting, room, tmp)
	{
		if (room->list_due_ms <= now) {
			presence_forget(room);
			send_list(room);
		} else if (!next || room->list_due_ms < next) {
			next = room->list_due_ms;
		}
	}
	if (next)
		wait_until(h, next, now);
}

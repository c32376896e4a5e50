/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Rooms: they come with their first user and go with their last.
 */
#include "signal/hub_internal.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

bool hub_room_name_is_good(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	                              "0123456789._~-";
	size_t len = strspn(name, letters);

	return len && len <= HUB_ROOM_MAX && !name[len];
}

struct hub_room *room_find(struct hub *h, const char *name)
{
	struct hub_room *room;

	HASH_FIND(hh, h->rooms, name, strlen(name), room);
	return room;
}

struct hub_room *room_open(struct hub_member *p, const char *name)
{
	struct hub *h = p->hub;
	struct hub_room *room = room_find(h, name);

	if (room)
		return room;
	room = calloc(1, sizeof(*room));
	if (!room)
		return NULL;
	room->hub = h;
	room->version = 1;
	room->quiet = p->dialect;
	memcpy(room->name, name, strlen(name) + 1);
	if (TABLE_ADD(hh, h->rooms, name, strlen(room->name), room)) {
		free(room);
		return NULL;
	}
	room->opener = p->prefix;
	if (room->opener) {
		room->opener->refs++;
		room->opener->rooms++;
	}
	return room;
}

static void report_closed(struct hub_room *room)
{
	const struct hub_event event = {
	    .what = HUB_EVENT_ROOM_CLOSED, .room = room->name, .name = ""};

	if (room->opened && room->hub->ops.event)
		room->hub->ops.event(room->hub->ctx, &event);
}

void room_tidy(struct hub_room *room)
{
	if (room->users)
		return;
	report_closed(room);
	presence_forget(room);
	if (room->opener)
		room->opener->rooms--;
	charge_prefix_unref(room->hub, room->opener);
	HASH_DEL(room->hub->rooms, room);
	free(room);
}

static int by_connection(const struct hub_user *a, const struct hub_user *b)
{
	return a->members->id < b->members->id ? -1 : a->members->id > b->members->id;
}

void room_sort(struct hub_room *room)
{
	if (room->unsorted)
		DL_SORT(room->users, by_connection);
	room->unsorted = false;
}

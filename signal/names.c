/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Names: their rules, and their holders.
 */
#include "base/error.h"
#include "signal/fold.h"
#include "signal/hub_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

static struct hub_user *find_fold(struct hub_room *room, const char *fold, size_t len)
{
	struct hub_name *n;

	HASH_FIND(hh, room->names, fold, len, n);
	return n ? n->user : NULL;
}

struct hub_user *name_find(struct hub_room *room, const char *name)
{
	char fold[HUB_FOLD_MAX + 1];

	return strlen(name) > HUB_NAME_MAX ? NULL : find_fold(room, fold, fold_name(name, fold));
}

static bool is_free(const struct hub_member *p, struct hub_room *room, const char *name)
{
	struct hub_user *holder = name_find(room, name);

	return !holder || holder == p->user;
}

/* A name has neither control characters nor double quotes: only one character is left to escape. */
static size_t quote(const char *name, char out[HUB_QUOTED_MAX + 1])
{
	char *at = out;

	*at++ = '"';
	for (; *name; name++) {
		if (*name == '\\')
			*at++ = '\\';
		*at++ = *name;
	}
	*at++ = '"';
	*at = '\0';
	return (size_t)(at - out);
}

static void let_go(struct hub_user *user)
{
	if (user->held)
		HASH_DEL(user->room->names, user->held);
	free(user->held);
	user->held = NULL;
}

/* The old one is given up when the new one is had. */
static int hold(struct hub_user *user, const char *name)
{
	char fold[HUB_FOLD_MAX + 1];
	size_t len = fold_name(name, fold);
	struct hub_name *n;

	if (!len)
		return -E_NOMEM;
	if (find_fold(user->room, fold, len) != user) {
		n = calloc(1, sizeof(*n) + len + 1);
		if (!n)
			return -E_NOMEM;
		n->user = user;
		n->fold_len = len;
		memcpy(n->fold, fold, len);
		if (TABLE_ADD(hh, user->room->names, fold, len, n)) {
			free(n);
			return -E_NOMEM;
		}
		let_go(user);
		user->held = n;
	}
	memcpy(user->name, name, strlen(name) + 1);
	user->quoted_len = quote(name, user->quoted);
	return 0;
}

static int make_user(struct hub_member *p, struct hub_room *room, const char *name)
{
	struct hub_user *user = calloc(1, sizeof(*user));

	if (!user)
		return -E_NOMEM;
	user->room = room;
	if (hold(user, name)) {
		free(user);
		return -E_NOMEM;
	}
	if (room->users && room->users->prev->members->id > p->id)
		room->unsorted = true;
	DL_APPEND(room->users, user);
	room->user_n++;
	name_join(p, user);
	return 0;
}

int name_claim(struct hub_member *p, struct hub_room *room, const char *wanted, bool *changed)
{
	char base[HUB_NAME_MAX + 1], name[HUB_NAME_MAX + 1], number[16];
	size_t base_len = fold_clean(wanted, base), number_len;

	if (!base_len)
		return -E_INVAL;
	memcpy(name, base, base_len + 1);
	/* There are fewer users than numbers, so one is free. */
	for (unsigned i = 1; !is_free(p, room, name); i++) {
		number_len = (size_t)snprintf(number, sizeof(number), "%u", i);
		while (base_len + number_len > HUB_NAME_MAX) {
			do
				base_len--;
			while (((unsigned char)base[base_len] & 0xc0) == 0x80);
		}
		memcpy(name, base, base_len);
		memcpy(name + base_len, number, number_len + 1);
	}
	*changed = strcmp(name, wanted) != 0;
	if (!p->user)
		return make_user(p, room, name);
	return strcmp(name, p->user->name) ? hold(p->user, name) : 0;
}

void name_join(struct hub_member *p, struct hub_user *user)
{
	if (p->user)
		name_release(p);
	p->user = user;
	DL_APPEND2(user->members, p, prev_device, next_device);
	user->member_n++;
	user->present_n += !p->away;
	presence_changed(user->room);
}

static void user_free(struct hub_user *user)
{
	struct hub_room *room = user->room;

	let_go(user);
	DL_DELETE(room->users, user);
	room->user_n--;
	free(user->sub);
	free(user);
	room_tidy(room);
}

void name_release(struct hub_member *p)
{
	struct hub_user *user = p->user;

	if (!user)
		return;
	if (user->members == p)
		user->room->unsorted = true;
	DL_DELETE2(user->members, p, prev_device, next_device);
	user->member_n--;
	user->present_n -= !p->away;
	p->user = NULL;
	if (!p->away)
		presence_changed(user->room);
	if (!user->members)
		user_free(user);
}

void name_gone_away(struct hub_member *p)
{
	p->user->present_n--;
	presence_changed(p->user->room);
}

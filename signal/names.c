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

#define NUMBER_DIGITS 9 /* of the number in a free variant of a name */

static struct hub_name *find_held(struct hub_room *room, const char *name)
{
	char fold[HUB_FOLD_MAX + 1];
	struct hub_name *n;
	size_t len;

	len = fold_name(name, fold);
	if (!len)
		return NULL;
	HASH_FIND(hh, room->names, fold, len, n);
	return n;
}

struct hub_user *name_find(struct hub_room *room, const char *name)
{
	struct hub_name *n = find_held(room, name);

	return n ? n->user : NULL;
}

struct hub_user *name_find_sub(struct hub_room *room, const char *text)
{
	struct hub_sub *sub;

	HASH_FIND(hh, room->subs, text, strlen(text), sub);
	return sub ? sub->user : NULL;
}

/* A name has neither control characters nor double quotes: only one character is left to escape. */
size_t name_quote(const char *name, char out[HUB_QUOTED_MAX + 1])
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

static void number_is_free(struct hub_room *room, const char *name)
{
	char base[HUB_NAME_MAX + 1];
	size_t len = strlen(name);
	unsigned number = 0, unit = 1;
	struct hub_name *n;

	memcpy(base, name, len + 1);
	for (unsigned i = 0; i < NUMBER_DIGITS && len > 1; i++, unit *= 10) {
		char digit = base[--len];

		if (digit < '0' || digit > '9')
			return;
		number += (unsigned)(digit - '0') * unit;
		base[len] = '\0';
		n = digit == '0' ? NULL : find_held(room, base);
		if (n && n->next_number > number)
			n->next_number = number;
	}
}

static void let_go(struct hub_user *user)
{
	if (!user->held)
		return;
	HASH_DEL(user->room->names, user->held);
	free(user->held);
	user->held = NULL;
	number_is_free(user->room, user->name);
}

/* The old one is given up when the new one is had. */
static int hold(struct hub_user *user, const char *name)
{
	char fold[HUB_FOLD_MAX + 1];
	size_t len = fold_name(name, fold);
	struct hub_name *n;

	if (!len)
		return -E_NOMEM;
	if (name_find(user->room, name) != user) {
		n = calloc(1, sizeof(*n) + len + 1);
		if (!n)
			return -E_NOMEM;
		n->user = user;
		n->next_number = 1;
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
	user->quoted_len = name_quote(name, user->quoted);
	return 0;
}

static struct hub_user *make_user(struct hub_room *room, const char *name)
{
	struct hub_user *user = calloc(1, sizeof(*user));

	if (!user)
		return NULL;
	user->room = room;
	user->since_ms = room->hub->ops.now_ms(room->hub->ctx);
	if (hold(user, name)) {
		free(user);
		return NULL;
	}
	return user;
}

static void enter_room(struct hub_user *user, struct hub_member *p)
{
	struct hub_room *room = user->room;

	if (room->users && room->users->prev->members->id > p->id)
		room->unsorted = true;
	DL_APPEND(room->users, user);
	room->user_n++;
	name_join(p, user);
}

/* The number that makes name a variant of base; 0: it is none. */
static unsigned number_of(const char *name, const char *base)
{
	size_t len = strlen(base);
	const char *digits = name + len;
	size_t n;

	if (strncmp(name, base, len) != 0)
		return 0;
	n = strspn(digits, "0123456789");
	return n && n <= NUMBER_DIGITS && !digits[n] && *digits != '0'
	           ? (unsigned)strtoul(digits, NULL, 10)
	           : 0;
}

bool name_is_variant(const char *name, const char *base)
{
	return !strcmp(name, base) || number_of(name, base);
}

void name_pick(struct hub_room *room, const struct hub_user *user, char name[HUB_NAME_MAX + 1])
{
	struct hub_name *n = find_held(room, name), *taken = n;
	char base[HUB_NAME_MAX + 1], number[16];
	size_t base_len = strlen(name), number_len;

	memcpy(base, name, base_len + 1);
	if (n && user && number_of(user->name, base) &&
	    number_of(user->name, base) < n->next_number) {
		memcpy(name, user->name, sizeof(user->name));
		return;
	}
	/* There are fewer users than numbers, so one is free. */
	for (unsigned i = n ? n->next_number : 1; n && n->user != user; i++) {
		number_len = (size_t)snprintf(number, sizeof(number), "%u", i);
		while (base_len + number_len > HUB_NAME_MAX) {
			do
				base_len--;
			while (((unsigned char)base[base_len] & 0xc0) == 0x80);
		}
		memcpy(name, base, base_len);
		memcpy(name + base_len, number, number_len + 1);
		n = find_held(room, name);
		if (n)
			taken->next_number = i + 1;
	}
}

int name_change(struct hub_user *user, const char *name)
{
	int err;

	if (!strcmp(name, user->name))
		return 0;
	err = hold(user, name);
	if (!err)
		presence_changed(user);
	return err;
}

int name_give(struct hub_member *p, struct hub_room *room, const char *name)
{
	struct hub_user *user;

	if (p->user)
		return name_change(p->user, name);
	user = make_user(room, name);
	if (!user)
		return -E_NOMEM;
	enter_room(user, p);
	return 0;
}

int name_set_sub(struct hub_user *user, const char *text)
{
	size_t len = strlen(text);
	struct hub_sub *sub;

	if (user->sub)
		return 0;
	sub = calloc(1, sizeof(*sub) + len + 1);
	if (!sub)
		return -E_NOMEM;
	sub->user = user;
	memcpy(sub->text, text, len + 1);
	if (TABLE_ADD(hh, user->room->subs, text, len, sub)) {
		free(sub);
		return -E_NOMEM;
	}
	user->sub = sub;
	return 0;
}

void name_join(struct hub_member *p, struct hub_user *user)
{
	if (p->user)
		name_release(p);
	p->user = user;
	DL_APPEND2(user->members, p, prev_device, next_device);
	user->member_n++;
	user->present_n += !p->away;
	p->told = 0;
	p->list_due = true;
	presence_facts_changed(user);
}

static void user_free(struct hub_user *user)
{
	struct hub_room *room = user->room;

	presence_gone(user);
	let_go(user);
	if (user->sub)
		HASH_DEL(room->subs, user->sub);
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
	if (!user->members)
		user_free(user);
	else if (!p->away)
		presence_facts_changed(user);
}

void name_gone_away(struct hub_member *p)
{
	p->user->present_n--;
	presence_facts_changed(p->user);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The texts that tell who is in a room: a list, or what has changed since the version before.
 */
#include "base/log.h"
#include "signal/hub_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* Text that grows. After a failure it stays empty. */
struct draft {
	char *text;
	size_t len, cap;
	bool failed;
};

static void add_bytes(struct draft *d, const char *bytes, size_t len)
{
	size_t cap = d->cap ? d->cap : 256;
	char *grown;

	if (d->failed || !len)
		return;
	while (cap < d->len + len)
		cap *= 2;
	if (cap != d->cap) {
		grown = realloc(d->text, cap);
		if (!grown) {
			free(d->text);
			*d = (struct draft){.failed = true};
			return;
		}
		d->text = grown;
		d->cap = cap;
	}
	memcpy(d->text + d->len, bytes, len);
	d->len += len;
}

static void add(struct draft *d, const char *text)
{
	add_bytes(d, text, strlen(text));
}

/* Another element of the array that d ends with. */
static void add_comma(struct draft *d)
{
	if (d->len && d->text[d->len - 1] != '[')
		add(d, ",");
}

static void add_number(struct draft *d, const char *before, uint64_t number)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%s%" PRIu64, before, number);

	add_bytes(d, text, (size_t)n);
}

static void add_name(struct draft *d, const struct hub_user *u)
{
	add_comma(d);
	add_bytes(d, u->quoted, u->quoted_len);
}

static void add_quoted(struct draft *d, const char *name)
{
	char quoted[HUB_QUOTED_MAX + 1];

	add_bytes(d, quoted, name_quote(name, quoted));
}

static void add_user(struct draft *d, const struct hub_user *u)
{
	add_comma(d);
	add(d, "{\"name\":");
	add_bytes(d, u->quoted, u->quoted_len);
	if (u->proven)
		add(d, ",\"proven\":true");
	if (u->present_n > 1)
		add_number(d, ",\"devices\":", u->present_n);
	add(d, "}");
}

/* Takes the draft. NULL when out of memory. */
static struct hub_text *finish(struct draft *d)
{
	struct hub_text *text = d->failed ? NULL : hub_text_new(d->text, d->len);

	free(d->text);
	if (!text)
		log_error(NULL, "userlist", LOG_STR("error", error_text(E_NOMEM)));
	return text;
}

struct hub_text *presence_list_text(const struct hub_shown *s)
{
	struct draft d = {.text = NULL};
	bool any = false;

	add(&d, "{\"type\":\"userlist\",\"users\":[");
	for (size_t i = 0; i < s->n; i++)
		add_name(&d, s->user[i]);
	add(&d, "]");
	for (size_t i = 0; i < s->n; i++) {
		if (!s->user[i]->proven)
			continue;
		if (!any)
			add(&d, ",\"proven\":[");
		any = true;
		add_name(&d, s->user[i]);
	}
	add(&d, any ? "]}" : "}");
	return finish(&d);
}

struct hub_text *presence_full_text(const struct hub_shown *s, uint64_t version)
{
	struct draft d = {.text = NULL};

	add_number(&d, "{\"type\":\"presence\",\"version\":", version);
	add(&d, ",\"users\":[");
	for (size_t i = 0; i < s->n; i++)
		add_user(&d, s->user[i]);
	add(&d, "]}");
	return finish(&d);
}

static int by_listed(const void *a, const void *b)
{
	return strcmp((*(struct hub_user *const *)a)->listed,
	              (*(struct hub_user *const *)b)->listed);
}

static int name_to_listed(const void *name, const void *user)
{
	return strcmp(name, (*(struct hub_user *const *)user)->listed);
}

static bool is_renamed(const struct hub_user *u)
{
	return u->present_n && *u->listed && strcmp(u->listed, u->name) != 0;
}

/* Those who have another name than in the version before, sorted by that one. NULL when out of
 * memory. */
static struct hub_user **find_renamed(struct hub_room *room, size_t *n)
{
	struct hub_user **list, *u;

	*n = 0;
	DL_FOREACH2(room->changed, u, next_changed)
	*n += is_renamed(u);
	list = malloc((*n + 1) * sizeof(struct hub_user *));
	if (!list)
		return NULL;
	*n = 0;
	DL_FOREACH2(room->changed, u, next_changed)
	{
		if (is_renamed(u))
			list[(*n)++] = u;
	}
	qsort(list, *n, sizeof(struct hub_user *), by_listed);
	return list;
}

/* Whether somebody had the name that u has now, and has another one now, too. Then u is told as one
 * who left and one who joined, so that the order of renames does not count. */
static bool is_passed_on(const struct hub_user *u, struct hub_user **renamed, size_t n)
{
	return n && bsearch(u->name, renamed, n, sizeof(struct hub_user *), name_to_listed);
}

struct changes {
	struct draft joined, left, renamed;
};

static void add_changed(struct changes *c, const struct hub_user *u, bool passed_on)
{
	if (is_renamed(u) && !passed_on) {
		add(&c->renamed, c->renamed.len ? ",[" : "[");
		add_quoted(&c->renamed, u->listed);
		add(&c->renamed, ",");
		add_bytes(&c->renamed, u->quoted, u->quoted_len);
		add(&c->renamed, "]");
	} else if (*u->listed && (!u->present_n || passed_on)) {
		if (c->left.len)
			add(&c->left, ",");
		add_quoted(&c->left, u->listed);
	}
	/* Also one whose devices have changed: it takes the place of what was known of that name.
	 */
	if (u->present_n && (!is_renamed(u) || passed_on || u->facts_changed))
		add_user(&c->joined, u);
}

static struct hub_text *changes_text(const struct changes *c, uint64_t from)
{
	struct draft d = {.text = NULL};

	add_number(&d, "{\"type\":\"presence\",\"version\":", from + 1);
	add_number(&d, ",\"from\":", from);
	add(&d, ",\"joined\":[");
	add_bytes(&d, c->joined.text, c->joined.len);
	add(&d, "],\"left\":[");
	add_bytes(&d, c->left.text, c->left.len);
	add(&d, "],\"renamed\":[");
	add_bytes(&d, c->renamed.text, c->renamed.len);
	add(&d, "]}");
	d.failed = d.failed || c->joined.failed || c->left.failed || c->renamed.failed;
	return finish(&d);
}

bool presence_diff_text(struct hub_room *room, struct hub_text **out)
{
	struct changes c = {.left = {.failed = room->left_lost}};
	struct hub_user *u, **renamed;
	bool any = room->left_lost;
	size_t renamed_n;

	*out = NULL;
	add_bytes(&c.left, room->left, room->left_len);
	presence_left_free(room);
	renamed = find_renamed(room, &renamed_n);
	DL_FOREACH2(room->changed, u, next_changed)
	{
		if (u->facts_changed || strcmp(u->listed, u->present_n ? u->name : "") != 0)
			add_changed(&c, u, !renamed || is_passed_on(u, renamed, renamed_n));
	}
	any = any || c.joined.len || c.left.len || c.renamed.len || c.joined.failed ||
	      c.left.failed || c.renamed.failed;
	if (any)
		*out = changes_text(&c, room->version);
	free(renamed);
	free(c.joined.text);
	free(c.left.text);
	free(c.renamed.text);
	return any;
}

void presence_left(struct hub_room *room, const char *listed)
{
	struct draft d = {.text = room->left, .len = room->left_len, .cap = room->left_cap};

	d.failed = room->left_lost;
	if (d.len)
		add(&d, ",");
	add_quoted(&d, listed);
	room->left = d.text;
	room->left_len = d.len;
	room->left_cap = d.cap;
	room->left_lost = d.failed;
}

void presence_left_free(struct hub_room *room)
{
	free(room->left);
	room->left = NULL;
	room->left_len = room->left_cap = 0;
	room->left_lost = false;
}

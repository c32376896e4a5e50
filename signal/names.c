/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Names: their rules, and their holders.
 */
#include "base/error.h"
#include "base/text.h"
#include "signal/hub_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Clients put names into innerHTML, and into logs and lists that people read: no markup, and
 * nothing that is not printable. */
static bool is_refused(const struct text_char *c)
{
	return !c->printable || (c->code < 0x80 && strchr("<>&\"'`", (int)c->code));
}

/* Writes at most max bytes, cut between two characters; returns the length. */
static size_t clean_once(const char *wanted, size_t wanted_len, char *out, size_t max)
{
	struct text_char c;
	size_t n = 0;

	for (size_t at = 0; at < wanted_len; at += c.len) {
		c = text_at(wanted, wanted_len, at);
		if (is_refused(&c) || (!n && c.code == ' '))
			continue;
		if (n + c.len > max)
			break;
		memcpy(out + n, wanted + at, c.len);
		n += c.len;
	}
	while (n && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
	return n;
}

/* Until nothing is left to take out: what stood beside it may have made a character printable. */
static size_t clean(const char *wanted, char out[HUB_NAME_MAX + 1], size_t max)
{
	char before[HUB_NAME_MAX + 1];
	size_t n = clean_once(wanted, strlen(wanted), out, max), len;

	do {
		len = n;
		memcpy(before, out, len);
		n = clean_once(before, len, out, max);
	} while (n != len);
	return n;
}

static bool is_free(struct hub_member *p, const char *name)
{
	struct hub_member *holder = hub_find_name(p->hub, name);

	return !holder || holder == p;
}

/* The old one is given up when the new one is had. */
static int take(struct hub_member *p, const char name[HUB_NAME_MAX + 1])
{
	struct hub_name *n = calloc(1, sizeof(*n));

	if (!n)
		return -E_NOMEM;
	n->member = p;
	memcpy(n->text, name, sizeof(n->text));
	if (TABLE_ADD(hh, p->hub->names, text, strlen(n->text), n)) {
		free(n);
		return -E_NOMEM;
	}
	name_release(p);
	p->held = n;
	memcpy(p->name, n->text, sizeof(p->name));
	return 0;
}

int name_claim(struct hub_member *p, const char *wanted, bool *changed)
{
	char base[HUB_NAME_MAX + 1], name[HUB_NAME_MAX + 1], number[16];
	size_t base_len = clean(wanted, base, HUB_NAME_MAX), number_len;

	if (!base_len)
		return -E_INVAL;
	memcpy(name, base, base_len + 1);
	/* There are fewer members than numbers, so one is free. */
	for (unsigned i = 1; !is_free(p, name); i++) {
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
	return strcmp(name, p->name) ? take(p, name) : 0;
}

void name_release(struct hub_member *p)
{
	if (p->held) {
		HASH_DEL(p->hub->names, p->held);
		free(p->held);
	}
	p->held = NULL;
	*p->name = '\0';
}

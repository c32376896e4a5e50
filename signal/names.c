/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Names: what may stand in one, and who holds which.
 */
#include "base/error.h"
#include "signal/hub_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Length of the UTF-8 character at s (jansson lets only valid UTF-8 through). */
static size_t char_len(const char *s)
{
	unsigned char c = (unsigned char)*s;

	return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

static unsigned long code_point(const char *s, size_t len)
{
	static const unsigned char lead_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	unsigned long cp = (unsigned char)s[0] & lead_mask[len];

	for (size_t i = 1; i < len; i++)
		cp = cp << 6 | ((unsigned char)s[i] & 0x3f);
	return cp;
}

/* Clients put names into innerHTML, and into logs and lists that people read: no markup, no
 * controls, nothing invisible that turns the reading direction. */
static bool is_refused(unsigned long cp)
{
	if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
		return true;
	if (cp < 0x80)
		return strchr("<>&\"'`", (int)cp) != NULL;
	return cp == 0x200b || cp == 0x200e || cp == 0x200f || (cp >= 0x2028 && cp <= 0x202e) ||
	       cp == 0x2060 || (cp >= 0x2066 && cp <= 0x2069) || cp == 0xfeff;
}

static bool is_space(const char *s)
{
	return *s == ' ' || !strncmp(s, "\xc2\xa0", 2);
}

/* Writes at most max bytes, cut between two characters; returns the length. */
static size_t clean(const char *wanted, char *out, size_t max)
{
	size_t n = 0, len;

	for (; *wanted; wanted += len) {
		len = char_len(wanted);
		if (is_refused(code_point(wanted, len)) || (!n && is_space(wanted)))
			continue;
		if (n + len > max)
			break;
		memcpy(out + n, wanted, len);
		n += len;
	}
	for (;;) {
		if (n && out[n - 1] == ' ')
			n--;
		else if (n >= 2 && is_space(out + n - 2))
			n -= 2;
		else
			break;
	}
	out[n] = '\0';
	return n;
}

static bool is_free(struct hub_peer *p, const char *name)
{
	struct hub_peer *holder = hub_find_name(p->hub, name);

	return !holder || holder == p;
}

/* The old one is given up when the new one is had. */
static int take(struct hub_peer *p, const char name[HUB_NAME_MAX + 1])
{
	struct hub_name *n = calloc(1, sizeof(*n));

	if (!n)
		return -E_NOMEM;
	n->peer = p;
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

int name_claim(struct hub_peer *p, const char *wanted, bool *changed)
{
	char base[HUB_NAME_MAX + 1], name[HUB_NAME_MAX + 1], number[16];
	size_t base_len = clean(wanted, base, HUB_NAME_MAX), number_len;

	if (!base_len)
		return -E_INVAL;
	memcpy(name, base, base_len + 1);
	/* There are fewer peers than numbers, so one is free. */
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

void name_release(struct hub_peer *p)
{
	if (p->held) {
		HASH_DEL(p->hub->names, p->held);
		free(p->held);
	}
	p->held = NULL;
	*p->name = '\0';
}

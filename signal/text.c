/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Texts of frames, which queues share.
 */
#include "signal/hub.h"

#include <stdlib.h>
#include <string.h>

/* Frames are written from data on, with their heads before it. */
_Static_assert(offsetof(struct hub_text, data) == offsetof(struct hub_text, room) + HUB_TEXT_ROOM,
               "no gap between room and data");

struct hub_text *hub_text_new(const char *text, size_t len)
{
	struct hub_text *t = malloc(sizeof(*t) + len + 1);

	if (!t)
		return NULL;
	*t = (struct hub_text){.refs = 1, .len = len};
	if (text)
		memcpy(t->data, text, len);
	t->data[len] = '\0';
	return t;
}

struct hub_text *hub_text_ref(struct hub_text *text)
{
	text->refs++;
	return text;
}

void hub_text_unref(struct hub_text *text)
{
	if (!text || --text->refs)
		return;
	hub_text_unref(text->whole);
	free(text);
}

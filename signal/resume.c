/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Coming back: a client whose network has changed shows the secret that it gave with its name.
 */
#include "signal/hub_internal.h"

#include <string.h>

static bool is_secret(const json_t *resume)
{
	size_t len = json_string_length(resume);

	return len >= HUB_RESUME_MIN && len <= HUB_RESUME_MAX;
}

/* In a time that does not tell how much of it was right. */
static bool same_secret(const char a[HUB_RESUME_MAX + 1], const char b[HUB_RESUME_MAX + 1])
{
	unsigned char differ = 0;

	for (size_t i = 0; i < HUB_RESUME_MAX; i++)
		differ |= (unsigned char)(a[i] ^ b[i]);
	return !differ && *a;
}

/* It may come before its old connection is known to be dead, or soon after. */
static void take_over(struct hub_member *p, struct hub_user *user)
{
	struct hub_member *old = user ? user->members : NULL;

	while (old && (old == p || !same_secret(old->resume, p->resume)))
		old = old->next_device;
	if (!old || p->partner_n)
		return;
	call_move(old, p);
	name_join(p, user);
	name_release(old);
	if (old->away)
		hub_forget(old);
	else
		hub_close_member(old, HUB_CLOSE_POLICY, "replaced by a new connection");
}

void resume_take_over(struct hub_member *p, struct hub_room *room, const struct hub_message *m)
{
	const json_t *name = json_object_get(m->json, "name");
	const json_t *resume = json_object_get(m->json, "resume");

	memset(p->resume, 0, sizeof(p->resume));
	if (!json_is_string(name) || !is_secret(resume))
		return;
	memcpy(p->resume, json_string_value(resume), json_string_length(resume));
	take_over(p, name_find(room, json_string_value(name)));
}

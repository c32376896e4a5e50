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
static bool take_over(struct hub_member *p, struct hub_user *user)
{
	struct hub_member *old = user ? user->members : NULL;

	while (old && (old == p || !same_secret(old->resume, p->resume)))
		old = old->next_device;
	if (!old || p->partner_n)
		return false;
	p->may = old->may;
	p->may_given = old->may_given;
	call_move(old, p);
	name_join(p, user);
	name_release(old);
	if (old->away)
		hub_forget(old);
	else
		hub_close_member(old, HUB_CLOSE_POLICY, "replaced by a new connection");
	return true;
}

bool resume_take_over(struct hub_member *p, struct hub_user *user, const struct hub_message *m)
{
	const json_t *resume = json_object_get(m->json, "resume");

	memset(p->resume, 0, sizeof(p->resume));
	if (!is_secret(resume))
		return false;
	memcpy(p->resume, json_string_value(resume), json_string_length(resume));
	return take_over(p, user);
}

void resume_describe(struct hub_member *p, bool resumed, json_t *signed_in)
{
	json_t *calls = json_array();

	for (unsigned i = 0; i < p->partner_n; i++)
		json_array_append_new(calls, json_pack("{s:s}", "name", p->partner[i]->user->name));
	if (signed_in && (json_object_set_new(signed_in, "resumed", json_boolean(resumed)) ||
	                  json_object_set_new(signed_in, "missed", json_integer(0)) ||
	                  json_object_set_new(signed_in, "lost", json_integer(0)) ||
	                  json_object_set(signed_in, "calls", calls))) {
		json_decref(signed_in);
		signed_in = NULL;
	}
	json_decref(calls);
	hub_send_json(p, signed_in);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Signing in: the message "username".
 */
#include "base/error.h"
#include "signal/hub_internal.h"

static void refuse_name(struct hub_member *p, const struct hub_message *m, int result)
{
	if (result == -E_NOMEM)
		hub_error_for(p, "out-of-memory", "The server is out of memory.", m->type, NULL);
	else
		hub_error_for(p, "bad-name", "A name needs at least one printable character.",
		              m->type, NULL);
}

static int take_name(struct hub_member *p, const struct hub_message *m, bool *changed)
{
	const json_t *name = json_object_get(m->json, "name");
	struct hub_room *room;
	int err;

	room = p->user ? p->user->room : room_open(p->hub, p->wanted_room);
	if (!room)
		return -E_NOMEM;
	resume_take_over(p, room, m);
	err =
	    json_is_string(name) ? name_claim(p, room, json_string_value(name), changed) : -E_INVAL;
	room_tidy(room);
	return err;
}

void signin_on_username(struct hub_member *p, const struct hub_message *m)
{
	bool changed;
	int err = take_name(p, m, &changed);

	if (err) {
		refuse_name(p, m, err);
		return;
	}
	hub_report(p, (struct hub_event){.what = HUB_EVENT_NAMED});
	if (changed)
		hub_send_json(p, json_pack("{s:I,s:s,s:s}", "id", (json_int_t)p->id, "type",
		                           "rejectusername", "name", p->user->name));
	presence_changed(p->user->room);
}

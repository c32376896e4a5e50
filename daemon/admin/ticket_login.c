/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A ticket for an account's name and password.
 */
#include "daemon/admin/ticket_login.h"

#include "base/log.h"
#include "daemon/issue/ticket.h"
#include "daemon/web/http_api_internal.h"
#include "daemon/web/web_http.h"

#include <stdlib.h>
#include <string.h>

/* A request whose password is being looked at. */
struct waiting {
	struct tickets *tickets;
	struct http_exchange *exchange; /* NULL: the client has left */
	struct addr from;
	char name[NAME_MAX_LEN + 1], sub[HUB_SUB_MAX + 1], room[HUB_ROOM_MAX + 1];
	struct ticket_ask ask; /* borrows these three */
};

static void on_gone(void *ctx)
{
	((struct waiting *)ctx)->exchange = NULL;
}

static int make(struct waiting *w, int64_t password_at_s, struct ticket_made *made, struct why *why)
{
	w->ask.password_at_s = password_at_s;
	return ticket_make(w->tickets, &w->ask, made, why);
}

static void on_checked(void *ctx, int err, int64_t password_at_s)
{
	struct http_response r = {.secret = true};
	struct waiting *w = ctx;
	struct ticket_made made;
	struct why why = {"The password cannot be looked at. The server's log says more."};

	if (!w->exchange) {
		free(w);
		return;
	}
	if (!err)
		err = make(w, password_at_s, &made, &why);
	if (!err)
		log_info(NULL, "ticket", LOG_STR("account", w->name), LOG_ADDR("from", &w->from));
	if (err == -E_DENIED)
		http_api_error(&r, 401, "unauthorized", "The name or the password is wrong.");
	else
		http_ticket_answer(err, &w->ask, &made, 0, &why, &r);
	web_http_answer(w->exchange, &r);
	free(w);
}

static struct waiting *copy(const struct admin_http *h, const struct http_request *q,
                            const struct ticket_ask *ask)
{
	struct waiting *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->tickets = h->admin->tickets;
	w->from = q->caller.client;
	w->ask = *ask;
	w->ask.is_account = true;
	snprintf(w->name, sizeof(w->name), "%s", ask->name);
	w->ask.name = w->name;
	/* A name that is cut here is too long for a ticket, and refused. */
	snprintf(w->sub, sizeof(w->sub), "%s%.*s", TICKET_ACCOUNT,
	         (int)(HUB_SUB_MAX - strlen(TICKET_ACCOUNT)), w->name);
	w->ask.sub = w->sub;
	if (ask->room) {
		snprintf(w->room, sizeof(w->room), "%s", ask->room);
		w->ask.room = w->room;
	}
	return w;
}

static void begin(struct admin_http *h, const struct http_request *q, struct http_response *r,
                  const struct ticket_ask *ask, const char *password)
{
	const struct signin_try what = {.name = ask->name, .password = password};
	struct waiting *w = copy(h, q, ask);
	unsigned retry_s = 0;
	int err =
	    w ? signin_ask(h->signin, &q->caller.client, &what, on_checked, w, &retry_s) : -E_NOMEM;

	if (err) {
		free(w);
		http_ticket_answer(err, ask, NULL, retry_s, &(struct why){"Try again."}, r);
		return;
	}
	w->exchange = q->wait(q->ctx, on_gone, w);
}

/* {"name":"ann","password":"...","room":"stage","ttl":600,"may":["call"]} */
void ticket_login_answer(struct admin_http *h, const struct http_request *q,
                         struct http_response *r)
{
	static const char *const allowed[] = {"name", "password", "room", "ttl", "may", NULL};
	struct ticket_ask ask = {.name = NULL};
	const char *password;
	json_t *body = NULL;

	if (admin_http_refuses_open(h, q, r) || !http_api_body(q, allowed, &body, r) ||
	    !http_ticket_ask(body, &ask, r))
		goto out;
	ask.name = json_string_value(json_object_get(body, "name"));
	password = json_string_value(json_object_get(body, "password"));
	if (!ask.name || !*ask.name || strlen(ask.name) > NAME_MAX_LEN || !password ||
	    strlen(password) > PASSWORD_MAX_LEN)
		http_api_error(r, 400, "bad-request", "This needs a name and a password.");
	else if (ask.room && !hub_room_name_is_good(ask.room))
		http_api_error(r, 400, "bad-request",
		               "A room's name has 1 to 64 of A-Z a-z 0-9 . _ ~ -");
	else
		begin(h, q, r, &ask, password);
out:
	json_decref(body);
	if (q->body_len > 0)
		explicit_bzero(q->body, q->body_len);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Tickets over HTTP. docs/tickets.md describes both ways to one.
 */
#include "daemon/web/http_api_internal.h"

#include <string.h>

#define TTL_MAX_S (365 * 86400)

static bool bad_request(struct http_response *r, const char *message)
{
	http_api_error(r, 400, "bad-request", message);
	return false;
}

/* True when the member is absent or a string; *out is NULL or the string. */
static bool get_text(const json_t *body, const char *name, const char **out)
{
	const json_t *value = json_object_get(body, name);

	*out = json_string_value(value);
	return !value || *out;
}

static bool get_may(const json_t *body, unsigned *out)
{
	const json_t *may = json_object_get(body, "may"), *word;
	unsigned bit;
	size_t i;

	if (may && (!json_is_array(may) || !json_array_size(may)))
		return false;
	json_array_foreach (may, i, word) {
		if (!json_is_string(word) || strchr(json_string_value(word), ',') ||
		    ticket_may_parse(json_string_value(word), &bit, NULL))
			return false;
		*out |= bit;
	}
	return true;
}

bool http_ticket_ask(const json_t *body, struct ticket_ask *out, struct http_response *r)
{
	const json_t *ttl = json_object_get(body, "ttl");

	if (!get_text(body, "room", &out->room))
		return bad_request(r, "The room must be a string.");
	if (!get_text(body, "sub", &out->sub))
		return bad_request(r, "The sub must be a string.");
	if (!get_may(body, &out->may))
		return bad_request(r, "The may must be a list of call, chat, list and open, with "
		                      "one of them at least.");
	out->ttl_s = json_integer_value(ttl);
	if (ttl && (out->ttl_s < 1 || out->ttl_s > TTL_MAX_S))
		return bad_request(r, "The ttl must be a whole number of seconds, 1 to 31536000.");
	return true;
}

void http_ticket_answer(int err, const struct ticket_ask *ask, const struct ticket_made *made,
                        unsigned retry_after_s, const struct why *why, struct http_response *r)
{
	if (!err)
		http_api_json(r, 201,
		              json_pack("{ss ss ss* sI sI}", "ticket", made->text, "name",
		                        ask->name, "room", ask->room, "ttl",
		                        (json_int_t)made->ttl_s, "expires",
		                        (json_int_t)made->expires_at_s));
	else if (err == -E_DENIED)
		http_api_error(r, 401, "unauthorized", "This needs a valid API token.");
	else if (err == -E_SCOPE)
		http_api_error(r, 403, "wrong-scope",
		               "This API token is valid, but this needs the scope ticket.");
	else if (err == -E_LIMIT)
		http_api_error(r, 429, "rate-limited", "Too many requests. Try again later.");
	else if (err == -E_INVAL)
		http_api_error(r, 400, "bad-request", why->text);
	else if (err == -E_NOMEM)
		http_api_error(r, 500, "internal", error_text(err));
	else
		http_api_error(r, 503, "unavailable", why->text);
	if (err == -E_LIMIT)
		r->retry_after_s = retry_after_s ? retry_after_s : 1;
}

/* {"name":"alice","room":"stage","ttl":600,"may":["call"]} */
void http_post_tickets(const struct http_call *c)
{
	static const char *const allowed[] = {"name", "sub", "room", "ttl", "may", NULL};
	struct ticket_ask ask = {.name = NULL};
	struct ticket_made made;
	struct why why = {{0}};
	unsigned retry_after_s = 0;
	json_t *body;
	int err;

	if (!http_api_body(c->q, allowed, &body, c->r) || !http_ticket_ask(body, &ask, c->r))
		goto out;
	ask.name = json_string_value(json_object_get(body, "name"));
	if (!ask.name) {
		bad_request(c->r, "The body must have a name, which is a string.");
		goto out;
	}
	err = c->ops->ticket
	          ? c->ops->ticket(c->ctx, &c->q->caller, &ask, &made, &retry_after_s, &why)
	          : -E_DENIED;
	http_ticket_answer(err, &ask, &made, retry_after_s, &why, c->r);
out:
	json_decref(body);
}

void http_post_tickets_login(const struct http_call *c)
{
	if (c->ops->ticket_login)
		c->ops->ticket_login(c->ctx, c->q, c->r);
	else
		http_api_error(c->r, 404, "not-found", "There is nothing at this path.");
}

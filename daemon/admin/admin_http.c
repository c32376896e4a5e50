/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Verbs over HTTP, and signing in.
 */
#include "daemon/admin/admin_http.h"

#include "base/log.h"
#include "daemon/admin/verb.h"
#include "daemon/issue/grant.h"
#include "daemon/web/http_api_internal.h"
#include "daemon/web/web_http.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COOKIE "turnpike"
#define LOOK   (HTTP_GET | HTTP_HEAD)

static bool is_json(const struct http_request *q)
{
	static const char type[] = "application/json";
	size_t len = sizeof(type) - 1;

	return !strncasecmp(q->content_type, type, len) &&
	       (!q->content_type[len] || strchr("; \t", q->content_type[len]));
}

/* RFC 6265 section 5.4: name=value pairs between "; ". */
static bool read_cookie(const char *header, char out[SIGNIN_SECRET_STRLEN])
{
	static const char name[] = COOKIE "=";
	size_t len;

	for (const char *at = header; at && *at; at += len + (at[len] == ';')) {
		at += strspn(at, " ");
		len = strcspn(at, ";");
		if (strncmp(at, name, sizeof(name) - 1) != 0 ||
		    len != sizeof(name) - 1 + SIGNIN_SECRET_STRLEN - 1)
			continue;
		memcpy(out, at + sizeof(name) - 1, SIGNIN_SECRET_STRLEN - 1);
		out[SIGNIN_SECRET_STRLEN - 1] = 0;
		return true;
	}
	return false;
}

static void set_cookie(const struct http_request *q, struct http_response *r, const char *value,
                       int max_age_s)
{
	if (asprintf(&r->headers,
	             "Set-Cookie: " COOKIE "=%s; Path=" ADMIN_HTTP_PREFIX
	             "; Max-Age=%d; HttpOnly; SameSite=Strict%s\r\n",
	             value, max_age_s, q->caller.https ? "; Secure" : "") < 0)
		r->headers = NULL;
}

static void refuse(struct http_response *r, int err, const char *text)
{
	static const struct {
		int err, status;
	} statuses[] = {{-E_INVAL, 400},  {-E_PARSE, 400}, {-E_DENIED, 403}, {-E_NOTFOUND, 404},
	                {-E_EXISTS, 409}, {-E_LIMIT, 409}, {-E_STALE, 400},  {-E_NOMEM, 500}};
	int status = 503;

	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
		if (statuses[i].err == err)
			status = statuses[i].status;
	http_api_error(r, status, admin_code_text(err), text);
}

/* Only the status page itself: a request without Origin comes from no browser, or has no cookie of
 * ours. */
static bool is_of_our_page(const struct http_request *q)
{
	return q->caller.page == CALLER_PAGE_NONE || q->caller.page == CALLER_PAGE_OWN;
}

/* 0 and the caller, or the status of the refusal. */
static int authenticate(struct admin_http *h, const struct http_request *q, struct http_response *r,
                        char actor[STORE_ACTOR_MAX], enum store_role *role, struct signin_who *who)
{
	const struct caller *caller = &q->caller;
	char login[SIGNIN_SECRET_STRLEN];
	int err;

	memset(who, 0, sizeof(*who));
	*role = STORE_ROLE_ADMIN;
	if (q->api_token) {
		err = grant_actor(h->admin->grant, caller, STORE_SCOPE_ADMIN, actor);
		if (err == -E_SCOPE)
			http_api_error(r, 403, "wrong-scope",
			               "This API token is valid, but not for this: turnpike token "
			               "add --scope admin makes one that is.");
		else if (err)
			http_api_error(r, 401, "unauthorized",
			               "This needs a token with the scope admin: turnpike token "
			               "add --scope admin.");
		return r->status;
	}
	err = read_cookie(q->cookie, login) ? signin_check(h->signin, h->admin->store, login, who)
	                                    : -E_DENIED;
	if (err && err != -E_DENIED) {
		refuse(r, err, error_text(err));
		return r->status;
	}
	if (err) {
		http_api_error(r, 401, "unauthorized",
		               "Sign in, or send a token with the scope admin.");
		return 401;
	}
	if (!is_of_our_page(q) || (q->method == HTTP_POST && !is_json(q))) {
		http_api_error(r, 403, "foreign-origin",
		               "Only the status page itself may use its login, with JSON.");
		return 403;
	}
	*role = who->role;
	signin_actor(who->name, actor);
	return 0;
}

static int body_of(const struct http_request *q, json_t **out, struct why *why)
{
	*out = NULL;
	if (!q->body_len)
		return 0;
	*out = json_loadb(q->body, q->body_len, JSON_REJECT_DUPLICATES, NULL);
	return json_is_object(*out) ? 0 : why_set(why, -E_INVAL, "The body is a JSON object.");
}

/* The names of a verb's arguments. */
static const char *const *names_of(const struct verb *v, const char *names[VERB_ARGS_MAX + 1])
{
	const struct verb_arg *arg;
	size_t n = 0;

	for (; v && (arg = verb_arg(v, n)); n++)
		names[n] = arg->name;
	names[n] = NULL;
	return names;
}

/* The verb's arguments, as far as the query has them. */
static int query_of(const struct http_request *q, const struct verb *v, json_t **out,
                    struct why *why)
{
	const struct verb_arg *arg;
	const char *text;
	json_t *value;
	int r = 0;

	*out = json_object();
	for (size_t i = 0; !r && v && (arg = verb_arg(v, i)); i++) {
		text = q->query(q->ctx, arg->name);
		if (text)
			r = verb_parse(v, arg, text, &value, why);
		if (text && !r)
			json_object_set_new(*out, arg->name, value);
	}
	return r;
}

static void tell(struct http_response *r, int err, struct admin_answer *answer)
{
	if (err)
		refuse(r, err, answer->why.text[0] ? answer->why.text : error_text(err));
	else
		http_api_json(r, 200, answer->result);
}

static void on_answer(void *ctx, int err, struct admin_answer *answer)
{
	struct http_response r = {.secret = true};

	tell(&r, err, answer);
	web_http_answer(ctx, &r);
}

static void on_gone(void *ctx)
{
	admin_later_then(ctx, NULL, NULL);
}

static void run_verb(struct admin_http *h, const struct http_request *q, struct http_response *r,
                     const char *verb, const struct admin_actor *actor)
{
	struct admin_answer answer = {.result = NULL};
	const char *names[VERB_ARGS_MAX + 1] = {NULL};
	const struct verb *v = verb_find(verb);
	json_t *args = NULL;
	int err;

	/* A POST says all in its body. */
	if (!http_api_query_only(q, q->method == HTTP_POST ? names : names_of(v, names), r))
		return;
	err = q->method == HTTP_POST ? body_of(q, &args, &answer.why)
	                             : query_of(q, v, &args, &answer.why);
	if (!err && args && v && !http_api_members_only(args, names_of(v, names), r)) {
		json_decref(args);
		return;
	}
	if (!err)
		err = admin_call(h->admin, actor, verb, args, &answer);
	json_decref(args);
	if (err == -E_LATER)
		admin_later_then(answer.later, on_answer, q->wait(q->ctx, on_gone, answer.later));
	else
		tell(r, err, &answer);
}

/* True when others could read the password on its way. Over plain HTTP they could, unless the
 * caller has proven to be on this machine: an address alone may be a proxy's. */
static bool is_in_the_open(const struct admin_http *h, const struct http_request *q)
{
	return !q->caller.https && !(addr_is_loopback(&q->caller.client) &&
	                             grant_is_local(h->admin->grant, &q->caller));
}

static bool fits(const char *text, size_t max)
{
	return text && strlen(text) <= max;
}

bool admin_http_refuses_open(const struct admin_http *h, const struct http_request *q,
                             struct http_response *r)
{
	if (!is_in_the_open(h, q))
		return false;
	http_api_error(r, 403, "https-needed",
	               "The server accepts no password over plain HTTP: open this page "
	               "over https, on the same port, or, on the server's own machine, in "
	               "a browser that has opened a link (turnpike link). A proxy with "
	               "https must be in trusted_proxy and send X-Forwarded-Proto.");
	return true;
}

/* 202 with an attempt's secret for the claim. */
static void begin(struct admin_http *h, const struct http_request *q, struct http_response *r,
                  const struct signin_try *what)
{
	char ticket[SIGNIN_SECRET_STRLEN];
	unsigned retry_s = 0;
	struct why why = {"This needs a name and a password."};
	int err = -E_INVAL;

	if (admin_http_refuses_open(h, q, r))
		return;
	if (fits(what->name, NAME_MAX_LEN) && fits(what->password, PASSWORD_MAX_LEN))
		err = what->new_password ? account_password_check(what->new_password, &why) : 0;
	if (!err)
		err = signin_begin(h->signin, &q->caller.client, what, ticket, &retry_s);
	r->retry_after_s = retry_s;
	if (err == -E_LIMIT)
		http_api_error(r, 429, "rate-limited", "Too many tries. Wait a little.");
	else if (err)
		http_api_error(r, 400, "bad-request", why.text);
	else
		http_api_json(r, 202, json_pack("{ss}", "ticket", ticket));
}

static const char *text_of(const json_t *body, const char *name)
{
	return json_string_value(json_object_get(body, name));
}

/* The body of a request for our own page, with no members but those allowed. False: it has
 * answered, or (r untouched) it is no JSON object from our page. */
static bool door_body(const struct http_request *q, struct http_response *r,
                      const char *const allowed[], json_t **body)
{
	*body = NULL;
	return is_of_our_page(q) && is_json(q) && !body_of(q, body, NULL) &&
	       http_api_members_only(*body, allowed, r);
}

/* {"name","password"} */
static void sign_in(struct admin_http *h, const struct http_request *q, struct http_response *r)
{
	static const char *const allowed[] = {"name", "password", NULL};
	json_t *body;

	if (!door_body(q, r, allowed, &body)) {
		if (!r->status)
			http_api_error(r, 400, "bad-request",
			               "The body is a JSON object, from our page.");
	} else
		begin(h, q, r,
		      &(struct signin_try){.name = text_of(body, "name"),
		                           .password = text_of(body, "password")});
	json_decref(body);
}

/* {"current","password"}: one's own is changed, and one signs in with it anew, in the same two
 * steps. A stolen login does not do, and guesses are counted. */
static void own_password(struct admin_http *h, const struct http_request *q,
                         struct http_response *r, const struct signin_who *who)
{
	static const char *const allowed[] = {"current", "password", NULL}, *const none[] = {NULL};
	struct signin_try what = {.name = who->name};
	json_t *body = NULL;
	struct why why;

	if (body_of(q, &body, &why)) {
		http_api_error(r, 400, "bad-request", why.text);
	} else if (!http_api_query_only(q, none, r) || !http_api_members_only(body, allowed, r)) {
		; /* it has answered */
	} else if (!*who->name) {
		http_api_error(r, 400, "bad-request",
		               "A token has no password: see the verb account password.");
	} else {
		what.password = text_of(body, "current");
		what.new_password = text_of(body, "password");
		if (what.password && what.new_password)
			begin(h, q, r, &what);
		else
			http_api_error(r, 400, "bad-request",
			               "This needs the current password, and the new one.");
	}
	json_decref(body);
}

static void claim(struct admin_http *h, const struct http_request *q, struct http_response *r)
{
	char login[SIGNIN_SECRET_STRLEN];
	const char *ticket;
	struct signin_who who;
	static const char *const allowed[] = {"ticket", NULL};
	json_t *body;
	int err = -E_INVAL;

	if (door_body(q, r, allowed, &body)) {
		ticket = json_string_value(json_object_get(body, "ticket"));
		err = ticket ? signin_claim(h->signin, h->admin->store, ticket, login) : -E_INVAL;
	}
	json_decref(body);
	if (r->status)
		return;
	if (!err)
		err = signin_check(h->signin, h->admin->store, login, &who);
	if (err == -E_LATER) {
		http_api_json(r, 202, json_pack("{sb}", "pending", 1));
	} else if (err == -E_DENIED) {
		http_api_error(r, 401, "unauthorized", "The name or the password is wrong.");
	} else if (err) {
		refuse(r, err, error_text(err));
	} else {
		set_cookie(q, r, login, SIGNIN_LIFE_S);
		http_api_json(
		    r, 200,
		    json_pack("{ss ss}", "name", who.name, "role", store_role_text(who.role)));
	}
}

static void logout(struct admin_http *h, const struct http_request *q, struct http_response *r)
{
	char login[SIGNIN_SECRET_STRLEN];

	if (!is_of_our_page(q)) {
		http_api_error(r, 403, "foreign-origin",
		               "Only the status page itself may sign out.");
		return;
	}
	if (read_cookie(q->cookie, login))
		signin_end(h->signin, login);
	set_cookie(q, r, "", 0);
	http_api_json(r, 200, json_object());
}

/* The paths that need no login. */
static const struct door {
	const char *path;
	void (*answer)(struct admin_http *h, const struct http_request *q, struct http_response *r);
} doors[] = {{"login", sign_in}, {"login/claim", claim}, {"logout", logout}};

static const struct door *find_door(const char *path)
{
	for (size_t i = 0; i < sizeof(doors) / sizeof(*doors); i++)
		if (!strcmp(doors[i].path, path))
			return &doors[i];
	return NULL;
}

/* An unknown path takes every method, so that the answer is 404 and not 405. */
static unsigned methods_of(const char *path)
{
	const struct verb *v = verb_find(path);

	if (find_door(path) || !strcmp(path, "password"))
		return HTTP_POST;
	if (!strcmp(path, "whoami"))
		return LOOK;
	if (!v)
		return ~0u;
	return v->access == VERB_ACTS ? HTTP_POST : LOOK | HTTP_POST;
}

static void wrong_method(struct http_response *r, unsigned methods)
{
	http_api_error(r, 405, "method-not-allowed", "Use GET to read and POST to change.");
	r->allow = methods == LOOK        ? "GET, HEAD"
	           : methods == HTTP_POST ? "POST"
	                                  : "GET, HEAD, POST";
}

void admin_http_answer(struct admin_http *h, const struct http_request *q, struct http_response *r)
{
	static const char *const none[] = {NULL};
	const char *path = q->path + sizeof(ADMIN_HTTP_PREFIX) - 1;
	char name[STORE_ACTOR_MAX];
	struct admin_actor actor = {.name = name};
	const struct door *door = find_door(path);
	struct signin_who who;
	unsigned methods;

	r->secret = true;
	methods = methods_of(path);
	if (!(q->method & methods)) {
		wrong_method(r, methods);
	} else if (door) {
		if (http_api_query_only(q, none, r))
			door->answer(h, q, r);
	} else if (!authenticate(h, q, r, name, &actor.role, &who)) {
		if (!strcmp(path, "whoami")) {
			if (!http_api_query_only(q, none, r))
				return;
			http_api_json(r, 200,
			              json_pack("{so ss ss?}", "actor",
			                        json_shown(name, strlen(name)), "role",
			                        store_role_text(actor.role), "name",
			                        *who.name ? who.name : NULL));
		} else if (!strcmp(path, "password"))
			own_password(h, q, r, &who);
		else
			run_verb(h, q, r, path, &actor);
	}
	if (q->body_len > 0) /* it may hold a password */
		explicit_bzero(q->body, q->body_len);
}

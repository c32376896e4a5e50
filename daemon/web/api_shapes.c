/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Credentials over HTTP, in the shapes that clients of others know, so that
 * they need not be changed: docs/credentials.md shows each.
 */
#include "daemon/web/http_api_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TTL_MAX_S     (365 * 86400)
#define STORE_RETRY_S 10
#define BAD_TTL       "The ttl must be a whole number of seconds, 1 to 31536000."

static int parse_ttl(const char *text, int64_t *ttl_s)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno || end == text || *end || n <= 0 || n > TTL_MAX_S)
		return -E_PARSE;
	*ttl_s = n;
	return 0;
}

/* For faults that the operator must mend: what a caller may be told. */
static void answer_fault(struct http_response *r, int err)
{
	static const struct {
		int err;
		const char *message;
	} faults[] = {
	    {-E_TIMEOUT, "The store is locked by another process: try again, or end that process."},
	    {-E_IO,
	     "The store cannot be written: make room on its disk. The server's log says more."},
	    {-E_CORRUPT, "The store is damaged (stored data is damaged): restore a backup."},
	    {-E_NOTFOUND, "There is no live secret: make one with turnpike secret add."},
	};
	const char *message = error_text(err);

	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		if (faults[i].err == err)
			message = faults[i].message;
	http_api_error(r, 503, "unavailable", message);
	r->retry_after_s = STORE_RETRY_S;
}

static void answer_error(struct http_response *r, int err, unsigned retry_after_s)
{
	if (err == -E_DENIED)
		http_api_error(r, 401, "unauthorized", "This needs a valid API token.");
	else if (err == -E_SCOPE)
		http_api_error(r, 403, "wrong-scope",
		               "This API token is valid, but has another scope.");
	else if (err == -E_UNREACHABLE)
		http_api_error(r, 503, "no-public-host",
		               "The server does not know the address at which clients reach it: "
		               "set public_host or external_ip.");
	else if (err == -E_REVOKED)
		http_api_error(r, 403, "revoked",
		               "This user has been revoked; only a caller with an API token can "
		               "get credentials for them.");
	else if (err == -E_INVAL)
		http_api_error(r, 400, "bad-request", "The name or the ttl is not allowed.");
	else if (err == -E_LIMIT)
		http_api_error(r, 429, "rate-limited", "Too many requests. Try again later.");
	else if (err == -E_NOMEM)
		http_api_error(r, 500, "internal", error_text(err));
	else
		answer_fault(r, err);
	if (err == -E_LIMIT)
		r->retry_after_s = retry_after_s ? retry_after_s : 1;
}

static int make_grant(const struct http_call *c, const char *api_token, const char *name,
                      int64_t ttl_s, struct ice_grant *grant)
{
	struct caller caller = c->q->caller;
	int err;

	caller.api_token = api_token;
	grant->retry_after_s = 0;
	err = c->ops->grant(c->ctx, &caller, name, ttl_s, grant);
	if (err)
		answer_error(c->r, err, grant->retry_after_s);
	return err;
}

/* The parts of a request, in any shape. */
struct asked {
	char *param[6];
	const char *api_token, *name;
	int64_t ttl_s;
};

enum { SERVICE, USERNAME, TTL, KEY, API, API_KEY };

static const char *const param_names[] = {"service", "username", "ttl", "key",
                                          "api",     "apiKey",   NULL};

static void asked_free(struct asked *a)
{
	for (size_t i = 0; i < sizeof(a->param) / sizeof(*a->param); i++)
		free(a->param[i]);
}

/* Reads the query string and the form; false: it has answered. */
static bool read_params(const struct http_call *c, struct asked *a)
{
	int err = 0;

	memset(a, 0, sizeof(*a));
	if (!http_api_only(c, param_names))
		return false;
	for (size_t i = 0; param_names[i] && !err; i++)
		err = http_api_param(c->q, param_names[i], &a->param[i]);
	if (err)
		http_api_error(c->r, 400, "bad-request", "The form is malformed.");
	else if (a->param[SERVICE] && strcmp(a->param[SERVICE], "turn") != 0)
		http_api_error(c->r, 400, "bad-request", "The service must be turn.");
	else if (a->param[TTL] && parse_ttl(a->param[TTL], &a->ttl_s))
		http_api_error(c->r, 400, "bad-request", BAD_TTL);
	a->api_token = c->q->api_token ? c->q->api_token
	               : a->param[KEY] ? a->param[KEY]
	               : a->param[API] ? a->param[API]
	                               : a->param[API_KEY];
	a->name = a->param[USERNAME] ? a->param[USERNAME] : "";
	return !c->r->status;
}

/* Tells the credential's lifetime in every shape, also in those whose bodies have no room for it;
 * and tells when it is shorter than requested. */
static void tell_ttl(const struct http_call *c, const struct ice_grant *g)
{
	char asked[40] = "", *lines = NULL;

	if (g->ttl_asked_s > g->ttl_s)
		snprintf(asked, sizeof(asked), "; requested=%lld", (long long)g->ttl_asked_s);
	if (asprintf(&lines, "%sTurnpike-Credential-Ttl: %lld%s\r\n",
	             c->r->headers ? c->r->headers : "", (long long)g->ttl_s, asked) < 0)
		return;
	free(c->r->headers);
	c->r->headers = lines;
}

/* The answer of a shape that is an object: clients of each pass over members that they do not know,
 * so it says there, too, how long the credential lasts. Steals json. */
static void tell_credential(const struct http_call *c, int status, json_t *json,
                            const struct ice_grant *g)
{
	if (json)
		json_object_set_new(json, "ttl", json_integer(g->ttl_s));
	if (json && g->ttl_asked_s > g->ttl_s)
		json_object_set_new(json, "ttl_requested", json_integer(g->ttl_asked_s));
	http_api_json(c->r, status, json);
	tell_ttl(c, g);
}

/* draft-uberti-behave-turn-rest-00 section 2. Janus POSTs it, with api and key. */
void http_get_turn(const struct http_call *c)
{
	struct ice_grant grant;
	struct asked a;

	if (read_params(c, &a) && !make_grant(c, a.api_token, a.name, a.ttl_s, &grant))
		tell_credential(c, 200, ice_grant_rest(&grant), &grant);
	asked_free(&a);
}

/* Matrix client-server API, section "voip": the draft's shape. */
void http_get_matrix(const struct http_call *c)
{
	http_get_turn(c);
}

/* An array has no room for the ttl. */
static void tell_array(const struct http_call *c, const struct ice_grant *g)
{
	http_api_json(c->r, 200, ice_grant_servers(g));
	tell_ttl(c, g);
}

/* Metered's: a bare array of RTCIceServer. */
void http_get_metered(const struct http_call *c)
{
	struct ice_grant grant;
	struct asked a;

	if (read_params(c, &a) && !make_grant(c, a.api_token, a.name, a.ttl_s, &grant))
		tell_array(c, &grant);
	asked_free(&a);
}

/* Cloudflare's, and ours. */
static bool grant_of_body(const struct http_call *c, struct ice_grant *grant)
{
	static const char *const allowed[] = {"ttl", "customIdentifier", NULL};
	json_t *body = NULL, *ttl, *name;
	int64_t ttl_s = 0;

	if (!http_api_body(c->q, allowed, &body, c->r))
		goto out;
	ttl = json_object_get(body, "ttl");
	if (ttl) {
		ttl_s = json_integer_value(ttl);
		if (ttl_s <= 0 || ttl_s > TTL_MAX_S) {
			http_api_error(c->r, 400, "bad-request", BAD_TTL);
			goto out;
		}
	}
	name = json_object_get(body, "customIdentifier");
	if (name && !json_is_string(name)) {
		http_api_error(c->r, 400, "bad-request", "The customIdentifier must be a string.");
		goto out;
	}
	make_grant(c, c->q->api_token, name ? json_string_value(name) : "", ttl_s, grant);
out:
	json_decref(body);
	return !c->r->status;
}

void http_post_ice_servers(const struct http_call *c)
{
	struct ice_grant grant;
	json_t *servers;

	if (!grant_of_body(c, &grant))
		return;
	servers = ice_grant_servers(&grant);
	tell_credential(c, 201, servers ? json_pack("{s:o}", "iceServers", servers) : NULL, &grant);
}

/* Cloudflare's older one: a single RTCIceServer with all URLs. */
void http_post_credentials(const struct http_call *c)
{
	struct ice_grant grant;
	json_t *urls;

	if (!grant_of_body(c, &grant))
		return;
	urls = json_array();
	for (size_t i = 0; urls && i < grant.uri_n; i++)
		json_array_append_new(urls, json_string(grant.uri[i]));
	tell_credential(c, 201,
	                json_pack("{s:{s:o,s:s,s:s}}", "iceServers", "urls", urls, "username",
	                          grant.credential.username, "credential",
	                          grant.credential.password),
	                &grant);
}

/* RFC 9110 section 5.6.4: what a quoted-string must escape. Control characters are in no name. */
static void put_quoted(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', out);
		putc(*text, out);
	}
	putc('"', out);
}

/* RFC 9725 section 4.6: Link: <turn:h>; rel="ice-server"; username="..."; credential="...". */
static char *links(const struct ice_grant *g)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	for (size_t i = 0; i < g->uri_n; i++) {
		fprintf(out, "Link: <%s>; rel=\"ice-server\"", g->uri[i]);
		if (strncmp(g->uri[i], "stun:", 5) != 0) {
			fputs("; username=", out);
			put_quoted(out, g->credential.username);
			fputs("; credential=", out);
			put_quoted(out, g->credential.password);
			fputs("; credential-type=\"password\"", out);
		}
		fputs("\r\n", out);
	}
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

void http_get_whip(const struct http_call *c)
{
	struct ice_grant grant;
	struct asked a;

	if (read_params(c, &a) && !make_grant(c, a.api_token, a.name, a.ttl_s, &grant)) {
		c->r->headers = links(&grant);
		if (c->r->headers)
			c->r->status = 204;
		else
			http_api_error(c->r, 500, "internal", error_text(-E_NOMEM));
		tell_ttl(c, &grant);
	}
	asked_free(&a);
}

static void take_back(const struct http_call *c, const char *name, bool whole_user)
{
	const struct caller *caller = &c->q->caller;
	int err = c->ops->revoke ? c->ops->revoke(c->ctx, caller, name, whole_user) : -E_DENIED;

	if (!err)
		c->r->status = 204;
	else if (err == -E_INVAL)
		http_api_error(c->r, 400, "bad-request",
		               "The username of a credential is EXPIRY:NAME. To revoke all "
		               "credentials of a user, send {\"user\":NAME}.");
	else if (err == -E_STALE)
		http_api_error(c->r, 404, "expired", "The credential has already expired.");
	else
		answer_error(c->r, err, 0);
}

/* {"username":"1795326215:alice"} or {"user":"alice"} */
void http_post_revoke(const struct http_call *c)
{
	static const char *const allowed[] = {"username", "user", NULL};
	json_t *body, *username, *user;

	if (http_api_body(c->q, allowed, &body, c->r)) {
		username = json_object_get(body, "username");
		user = json_object_get(body, "user");
		if (!username == !user || !json_is_string(username ? username : user))
			http_api_error(
			    c->r, 400, "bad-request",
			    "The body must have either a username (EXPIRY:NAME) or a user.");
		else
			take_back(c, json_string_value(username ? username : user), user);
	}
	json_decref(body);
}

void http_post_cloudflare_revoke(const struct http_call *c)
{
	static const char *const none[] = {NULL};
	json_t *body;

	if (http_api_body(c->q, none, &body, c->r))
		take_back(c, c->capture[1], false);
	json_decref(body);
}

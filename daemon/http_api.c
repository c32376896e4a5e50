/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The routes of the HTTP interface.
 */
#include "daemon/http_api.h"

#include "signal/page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TTL_MAX_S (365 * 86400)

struct call {
	const struct web_ops *ops;
	void *ctx;
	const struct http_request *q;
	struct http_response *r;
};

const char *http_status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} texts[] = {
	    {200, "OK"},
	    {201, "Created"},
	    {400, "Bad Request"},
	    {401, "Unauthorized"},
	    {404, "Not Found"},
	    {405, "Method Not Allowed"},
	    {411, "Length Required"},
	    {413, "Content Too Large"},
	    {426, "Upgrade Required"},
	    {429, "Too Many Requests"},
	    {500, "Internal Server Error"},
	    {503, "Service Unavailable"},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		if (texts[i].status == status)
			return texts[i].text;
	}
	return "Error";
}

/* Steals json. */
static void answer_json(struct http_response *r, int status, json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	r->content_type = "application/json";
	r->text = text;
	r->status = text ? status : 500;
	r->body = text;
	r->body_len = text ? strlen(text) : 0;
}

void http_api_error(struct http_response *r, int status, const char *code, const char *message)
{
	answer_json(r, status,
	            json_pack("{s:{s:s,s:s}}", "error", "code", code, "message", message));
}

void http_response_done(struct http_response *r)
{
	free(r->text);
	r->text = NULL;
}

struct web_caller http_api_caller(const struct lws_origin *o, const char *key)
{
	return (struct web_caller){.peer = o->peer,
	                           .key = key,
	                           .forwarded = o->forwarded,
	                           .foreign_origin = o->foreign_origin,
	                           .tls = o->tls};
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) % 16 : -1;
}

/* application/x-www-form-urlencoded, in place. A NUL or a bad escape spoils it. */
static int form_decode(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (*s == '+') {
			*out++ = ' ';
		} else if (*s == '%') {
			int high = hex_digit(s[1]), low = high < 0 ? -1 : hex_digit(s[2]);

			if (low < 0 || !(high | low))
				return -E_PARSE;
			*out++ = (char)(high << 4 | low);
			s += 2;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
	return 0;
}

/* A parameter of a form body; *out is to be freed, NULL when it is absent. */
static int form_get(const char *body, const char *name, char **out)
{
	size_t name_len = strlen(name), len;

	for (; *body; body += len + (body[len] == '&')) {
		len = strcspn(body, "&");
		if (len > name_len && body[name_len] == '=' && !memcmp(body, name, name_len)) {
			*out = strndup(body + name_len + 1, len - name_len - 1);
			return *out ? form_decode(*out) : -E_NOMEM;
		}
	}
	return 0;
}

/* From the query string or the form. 0 with *out NULL when it is in neither. */
static int get_param(const struct http_request *q, const char *name, char **out)
{
	const char *in_query = q->query(q->query_ctx, name);

	*out = NULL;
	if (in_query) {
		*out = strdup(in_query);
		return *out ? 0 : -E_NOMEM;
	}
	return q->body ? form_get(q->body, name, out) : 0;
}

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

static int make_grant(const struct call *c, const char *key, const char *name, int64_t ttl_s,
                      struct ice_grant *grant)
{
	struct web_caller caller = http_api_caller(&c->q->origin, key);
	int rc = c->ops->grant(c->ctx, &caller, name, ttl_s, c->q->origin.host, grant);

	if (rc == -E_DENIED)
		http_api_error(c->r, 401, "unauthorized", "This needs a valid access key.");
	else if (rc == -E_INVAL)
		http_api_error(c->r, 400, "bad-request", "The name or the ttl is not allowed.");
	else if (rc == -E_LIMIT)
		http_api_error(c->r, 429, "rate-limited", "Too many requests. Try again later.");
	else if (rc)
		http_api_error(c->r, 500, "internal", error_text(rc));
	return rc;
}

static void get_health(const struct call *c)
{
	answer_json(c->r, 200, json_pack("{s:s}", "status", "ok"));
}

/* Whether a balancer may send new clients here. */
static void get_ready(const struct call *c)
{
	bool ready = !c->ops->ready || c->ops->ready(c->ctx);

	answer_json(c->r, ready ? 200 : 503,
	            json_pack("{s:s}", "status", ready ? "ready" : "draining"));
}

static void get_metrics(const struct call *c)
{
	struct web_caller caller = http_api_caller(&c->q->origin, c->q->bearer);
	char *text = NULL;
	int rc = c->ops->metrics ? c->ops->metrics(c->ctx, &caller, &text) : -E_NOTFOUND;

	if (rc == -E_DENIED)
		http_api_error(c->r, 401, "unauthorized", "This needs a valid access key.");
	else if (rc == -E_NOTFOUND)
		http_api_error(c->r, 404, "not-found", "There is nothing at this path.");
	else if (rc)
		http_api_error(c->r, 500, "internal", error_text(rc));
	if (rc)
		return;
	c->r->secret = true;
	c->r->status = 200;
	c->r->content_type = "text/plain; version=0.0.4; charset=utf-8";
	c->r->text = text;
	c->r->body = text;
	c->r->body_len = strlen(text);
}

/* draft-uberti-behave-turn-rest-00 section 2 */
static void get_turn(const struct call *c)
{
	static const char *const names[] = {"service", "username", "ttl", "key", "api"};
	enum { SERVICE, USERNAME, TTL, KEY, API, PARAM_N };
	char *param[PARAM_N] = {NULL};
	struct ice_grant grant;
	int64_t ttl_s = 0;
	const char *key;
	int rc = 0;

	c->r->secret = true;
	for (size_t i = 0; i < PARAM_N && !rc; i++)
		rc = get_param(c->q, names[i], &param[i]);
	if (rc) {
		http_api_error(c->r, 400, "bad-request", "The form is malformed.");
		goto out;
	}
	if (param[SERVICE] && strcmp(param[SERVICE], "turn") != 0) {
		http_api_error(c->r, 400, "bad-request", "The service is turn.");
		goto out;
	}
	if (param[TTL] && parse_ttl(param[TTL], &ttl_s)) {
		http_api_error(c->r, 400, "bad-request", "The ttl is a number of seconds.");
		goto out;
	}
	key = c->q->bearer ? c->q->bearer : param[KEY] ? param[KEY] : param[API];
	if (!make_grant(c, key, param[USERNAME] ? param[USERNAME] : "", ttl_s, &grant))
		answer_json(c->r, 200, ice_grant_rest(&grant));
out:
	for (size_t i = 0; i < PARAM_N; i++)
		free(param[i]);
}

/* The form of Cloudflare's interface. */
static void post_ice_servers(const struct call *c)
{
	json_t *body = NULL, *ttl, *name, *servers;
	struct ice_grant grant;
	int64_t ttl_s = 0;

	c->r->secret = true;
	if (c->q->body_len) {
		body = json_loadb(c->q->body, c->q->body_len, JSON_REJECT_DUPLICATES, NULL);
		if (!json_is_object(body)) {
			http_api_error(c->r, 400, "bad-json", "The body is a JSON object.");
			goto out;
		}
	}
	ttl = json_object_get(body, "ttl");
	if (ttl) {
		ttl_s = json_integer_value(ttl);
		if (ttl_s <= 0 || ttl_s > TTL_MAX_S) {
			http_api_error(c->r, 400, "bad-request",
			               "The ttl is a positive number of seconds.");
			goto out;
		}
	}
	name = json_object_get(body, "customIdentifier");
	if (name && !json_is_string(name)) {
		http_api_error(c->r, 400, "bad-request", "The customIdentifier is a string.");
		goto out;
	}
	if (make_grant(c, c->q->bearer, name ? json_string_value(name) : "", ttl_s, &grant))
		goto out;
	servers = ice_grant_servers(&grant);
	answer_json(c->r, 201, servers ? json_pack("{s:o}", "iceServers", servers) : NULL);
out:
	json_decref(body);
}

static void get_ws(const struct call *c)
{
	http_api_error(c->r, 426, "upgrade-required", "This path speaks WebSocket.");
}

static const struct route {
	const char *path;
	unsigned methods;
	const char *allow;
	void (*answer)(const struct call *c);
} routes[] = {
    {"/healthz", HTTP_GET | HTTP_HEAD, "GET, HEAD", get_health},
    {"/readyz", HTTP_GET | HTTP_HEAD, "GET, HEAD", get_ready},
    {"/metrics", HTTP_GET | HTTP_HEAD, "GET, HEAD", get_metrics},
    {"/turn", HTTP_GET | HTTP_HEAD | HTTP_POST, "GET, HEAD, POST", get_turn},
    {"/api/v1/ice-servers", HTTP_POST, "POST", post_ice_servers},
    {"/ws", HTTP_GET | HTTP_HEAD, "GET, HEAD", get_ws},
};

static void wrong_method(struct http_response *r, const char *allow)
{
	http_api_error(r, 405, "method-not-allowed", "This path does not take that method.");
	r->allow = allow;
}

void http_api_answer(const struct web_ops *ops, void *ctx, const struct http_request *q,
                     struct http_response *r)
{
	const struct call c = {.ops = ops, .ctx = ctx, .q = q, .r = r};
	const struct page_file *file = page_find(q->path);

	memset(r, 0, sizeof(*r));
	if (file) {
		if (!(q->method & (HTTP_GET | HTTP_HEAD))) {
			wrong_method(r, "GET, HEAD");
			return;
		}
		r->status = 200;
		r->content_type = file->content_type;
		r->body = file->data;
		r->body_len = (size_t)(file->end - file->data);
		return;
	}
	for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
		if (strcmp(routes[i].path, q->path) != 0)
			continue;
		if (q->method & routes[i].methods)
			routes[i].answer(&c);
		else
			wrong_method(r, routes[i].allow);
		return;
	}
	http_api_error(r, 404, "not-found", "There is nothing at this path.");
}

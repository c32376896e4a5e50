/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The routes of the HTTP interface.
 */
#include "daemon/web/http_api_internal.h"

#include "daemon/issue/guest_link.h"
#include "daemon/web/admin_page.h"
#include "daemon/web/openapi.h"
#include "daemon/web/origin.h"
#include "signal/page.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define GET_HEAD     (HTTP_GET | HTTP_HEAD)
#define ADMIN_PREFIX "/api/v1/admin/"
#define NAME_SHOWN   65 /* so much of an unknown member's name is repeated */

const char *http_status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} texts[] = {
	    {200, "OK"},
	    {201, "Created"},
	    {202, "Accepted"},
	    {204, "No Content"},
	    {303, "See Other"},
	    {308, "Permanent Redirect"},
	    {400, "Bad Request"},
	    {401, "Unauthorized"},
	    {403, "Forbidden"},
	    {404, "Not Found"},
	    {405, "Method Not Allowed"},
	    {408, "Request Timeout"},
	    {409, "Conflict"},
	    {411, "Length Required"},
	    {413, "Content Too Large"},
	    {414, "URI Too Long"},
	    {421, "Misdirected Request"},
	    {426, "Upgrade Required"},
	    {429, "Too Many Requests"},
	    {431, "Request Header Fields Too Large"},
	    {500, "Internal Server Error"},
	    {501, "Not Implemented"},
	    {503, "Service Unavailable"},
	    {505, "HTTP Version Not Supported"},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		if (texts[i].status == status)
			return texts[i].text;
	}
	return "Error";
}

void http_api_json(struct http_response *r, int status, json_t *json)
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
	http_api_json(r, status,
	              json_pack("{s:{s:s,s:s}}", "error", "code", code, "message", message));
}

/* Names come from strangers: what is not ASCII is a question mark. */
static void printable(char *out, size_t size, const char *name, size_t len)
{
	size_t n = 0;

	for (; n < len && n + 1 < size; n++)
		out[n] = name[n] >= ' ' && name[n] < 0x7f ? name[n] : '?';
	out[n] = '\0';
}

static void bad_member(struct http_response *r, const char *name, const char *code,
                       const char *message)
{
	http_api_json(r, 400,
	              json_pack("{s:{s:s,s:s,s:s}}", "error", "code", code, "message", message,
	                        "member", name));
}

void http_api_unknown(struct http_response *r, const char *name, const char *const allowed[])
{
	char clean[NAME_SHOWN], message[400];
	size_t len;

	printable(clean, sizeof(clean), name, strlen(name));
	len = (size_t)snprintf(message, sizeof(message), "\"%s\" is unknown here. %s", clean,
	                       allowed[0] ? "Allowed: " : "Nothing is allowed.");
	for (size_t i = 0; allowed[i] && len < sizeof(message); i++)
		len += (size_t)snprintf(message + len, sizeof(message) - len, "%s%s", allowed[i],
		                        allowed[i + 1] ? ", " : ".");
	bad_member(r, clean, "unknown-member", message);
}

/* The names in a request so far. */
struct named {
	const char *const *allowed;
	unsigned seen; /* bits: there are few that may be named */
};

static bool name_is_good(struct named *n, const char *name, struct http_response *r)
{
	for (size_t i = 0; n->allowed[i]; i++) {
		if (strcmp(n->allowed[i], name) != 0)
			continue;
		if (!(n->seen & 1u << i)) {
			n->seen |= 1u << i;
			return true;
		}
		bad_member(r, name, "said-twice", "It is given twice.");
		return false;
	}
	http_api_unknown(r, name, n->allowed);
	return false;
}

static bool query_is_good(const struct http_request *q, struct named *n, struct http_response *r)
{
	char name[NAME_SHOWN];

	for (size_t i = 0; q->query_name(q->ctx, i, name, sizeof(name)); i++)
		if (*name && !name_is_good(n, name, r))
			return false;
	return true;
}

bool http_api_query_only(const struct http_request *q, const char *const allowed[],
                         struct http_response *r)
{
	return query_is_good(q, &(struct named){.allowed = allowed}, r);
}

bool http_api_members_only(const json_t *object, const char *const allowed[],
                           struct http_response *r)
{
	struct named n = {.allowed = allowed};
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)object, name, value)
		if (!name_is_good(&n, name, r))
			return false;
	return true;
}

bool http_api_body(const struct http_request *q, const char *const allowed[], json_t **body,
                   struct http_response *r)
{
	static const char *const none[] = {NULL};

	*body = NULL;
	if (!http_api_query_only(q, none, r))
		return false;
	if (!q->body_len)
		return true;
	*body = json_loadb(q->body, q->body_len, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(*body))
		return http_api_members_only(*body, allowed, r);
	http_api_error(r, 400, "bad-json", "The body must be a JSON object.");
	return false;
}

void http_response_done(struct http_response *r)
{
	free(r->text);
	free(r->headers);
	r->text = NULL;
	r->headers = NULL;
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

int http_api_param(const struct http_request *q, const char *name, char **out)
{
	const char *in_query = q->query(q->ctx, name);

	*out = NULL;
	if (in_query) {
		*out = strdup(in_query);
		return *out ? 0 : -E_NOMEM;
	}
	return q->body ? form_get(q->body, name, out) : 0;
}

bool http_api_only(const struct http_call *c, const char *const allowed[])
{
	struct named n = {.allowed = allowed};
	const char *body = c->q->body;
	char name[NAME_SHOWN];
	size_t len;

	if (!query_is_good(c->q, &n, c->r))
		return false;
	n.seen = 0; /* a service's URL may have some of what a client then POSTs: the URL's count */
	for (; body && *body; body += len + (body[len] == '&')) {
		len = strcspn(body, "&");
		if (!len)
			continue;
		printable(name, sizeof(name), body, strcspn(body, "=&"));
		if (!name_is_good(&n, name, c->r))
			return false;
	}
	return true;
}

static void get_health(const struct http_call *c)
{
	http_api_json(c->r, 200, json_pack("{s:s}", "status", "ok"));
}

/* Tells a balancer whether it may send new clients here. */
static void get_ready(const struct http_call *c)
{
	bool ready = !c->ops->ready || c->ops->ready(c->ctx);

	http_api_json(c->r, ready ? 200 : 503,
	              json_pack("{s:s}", "status", ready ? "ready" : "draining"));
}

static void get_metrics(const struct http_call *c)
{
	const struct caller *caller = &c->q->caller;
	char *text = NULL;
	int err = c->ops->metrics ? c->ops->metrics(c->ctx, caller, &text) : -E_NOTFOUND;

	if (err == -E_DENIED)
		http_api_error(c->r, 401, "unauthorized", "This needs a valid API token.");
	else if (err == -E_SCOPE)
		http_api_error(c->r, 403, "wrong-scope",
		               "This API token is valid, but this needs the scope metrics.");
	else if (err == -E_NOTFOUND)
		http_api_error(c->r, 404, "not-found", "There is nothing at this path.");
	else if (err)
		http_api_error(c->r, 500, "internal", error_text(err));
	if (err)
		return;
	c->r->status = 200;
	c->r->content_type = "text/plain; version=0.0.4; charset=utf-8";
	c->r->text = text;
	c->r->body = text;
	c->r->body_len = strlen(text);
}

/* A guest's link: the browser that opens it first is let in, and goes on to the page. */
static void get_link(const struct http_call *c)
{
	char secret[CALLER_GUEST_STRLEN];
	bool tls = c->q->caller.https;
	int err = -E_DENIED;

	if (c->q->method == HTTP_HEAD) { /* HEAD on a link does not use it up */
		c->r->status = 204;
		return;
	}
	if (c->ops->enter)
		err = c->ops->enter(c->ctx, c->capture[0], secret);
	if (err) {
		http_api_error(
		    c->r, 403, "link-used",
		    "This link was used already, or is older than an hour. A browser that has "
		    "opened a link can use / from then on. Make another link with turnpike link.");
		return;
	}
	c->r->status = 303;
	if (asprintf(&c->r->headers,
	             "Location: /\r\nSet-Cookie: %s=%s; Path=/; Max-Age=%d; HttpOnly; "
	             "SameSite=Strict%s\r\n",
	             tls ? ORIGIN_GUEST_COOKIE_TLS : ORIGIN_GUEST_COOKIE, secret, GUEST_LIFE_S,
	             tls ? "; Secure" : "") < 0)
		c->r->headers = NULL;
}

static void wrong_method(struct http_response *r, const char *allow)
{
	http_api_error(r, 405, "method-not-allowed", "This path does not accept that method.");
	r->allow = allow;
}

static void answer_file(const struct http_call *c, const struct embed_file *file)
{
	struct http_response *r = c->r;

	if (!(c->q->method & GET_HEAD)) {
		wrong_method(r, "GET, HEAD");
		return;
	}
	r->status = 200;
	r->content_type = file->content_type;
	r->body = file->data;
	r->body_len = (size_t)(file->end - file->data);
}

static void get_openapi(const struct http_call *c)
{
	answer_file(c, &openapi_file);
}

/* A browser does not tell its page why a WebSocket was refused: the page asks here. */
static void get_ws(const struct http_call *c)
{
	if (c->q->caller.host_unknown) {
		http_api_error(
		    c->r, 421, "unknown-host",
		    "This server does not know this host name. Set public_host to it, or list "
		    "the page's origin in cors_origin. The server's IP address always works.");
		return;
	}
	http_api_error(c->r, 426, "upgrade-required", "This path is for WebSockets.");
}

/* PeerJS asks for an id when it has none: RFC 9562 section 5.4, random. The rest of the query is
 * against caches. */
static void get_peerjs_id(const struct http_call *c)
{
	static const char *const allowed[] = {"ts", "version", NULL};
	uint8_t b[16];

	if (!http_api_only(c, allowed))
		return;
	if (RAND_bytes(b, sizeof(b)) == 1 &&
	    asprintf(&c->r->text,
	             "%02x%02x%02x%02x-%02x%02x-4%x%02x-%x%x%02x-%02x%02x%02x%02x%02x%02x", b[0],
	             b[1], b[2], b[3], b[4], b[5], b[6] & 15, b[7], 8 | (b[8] & 3), b[8] >> 4, b[9],
	             b[10], b[11], b[12], b[13], b[14], b[15]) < 0)
		c->r->text = NULL;
	if (!c->r->text) {
		http_api_error(c->r, 500, "internal", "There is no memory, or no chance.");
		return;
	}
	c->r->status = 200;
	c->r->content_type = "text/plain; charset=utf-8";
	c->r->body = c->r->text;
	c->r->body_len = strlen(c->r->text);
}

enum {
	ROUTE_SECRET = 1 << 0, /* it matters: no cache may keep the answer, no other page have it */
	ROUTE_CORS = 1 << 1,   /* pages that cors_origin names may read it */
};

#define CREDENTIALS (ROUTE_SECRET | ROUTE_CORS)

/* A star stands for one part of the path. */
static const struct route {
	const char *path;
	unsigned methods;
	const char *allow;
	unsigned flags;
	void (*answer)(const struct http_call *c);
} routes[] = {
    {"/healthz", GET_HEAD, "GET, HEAD", 0, get_health},
    {"/readyz", GET_HEAD, "GET, HEAD", 0, get_ready},
    {"/openapi.json", GET_HEAD, "GET, HEAD", 0, get_openapi},
    {"/metrics", GET_HEAD, "GET, HEAD", ROUTE_SECRET, get_metrics},
    {"/link/*", GET_HEAD, "GET, HEAD", ROUTE_SECRET, get_link},
    {"/turn", GET_HEAD | HTTP_POST, "GET, HEAD, POST", CREDENTIALS, http_get_turn},
    {"/api/v1/ice-servers", HTTP_POST, "POST", CREDENTIALS, http_post_ice_servers},
    {"/v1/turn/keys/*/credentials/generate-ice-servers", HTTP_POST, "POST", CREDENTIALS,
     http_post_ice_servers},
    {"/v1/turn/keys/*/credentials/generate", HTTP_POST, "POST", CREDENTIALS, http_post_credentials},
    {"/v1/turn/keys/*/credentials/*/revoke", HTTP_POST, "POST", CREDENTIALS,
     http_post_cloudflare_revoke},
    {"/api/v1/turn/credentials", GET_HEAD, "GET, HEAD", CREDENTIALS, http_get_metered},
    {"/_matrix/client/v3/voip/turnServer", GET_HEAD, "GET, HEAD", CREDENTIALS, http_get_matrix},
    {"/_matrix/client/r0/voip/turnServer", GET_HEAD, "GET, HEAD", CREDENTIALS, http_get_matrix},
    {"/whip", GET_HEAD | HTTP_OPTIONS, "GET, HEAD, OPTIONS", CREDENTIALS, http_get_whip},
    {"/whep", GET_HEAD | HTTP_OPTIONS, "GET, HEAD, OPTIONS", CREDENTIALS, http_get_whip},
    {"/api/v1/tickets", HTTP_POST, "POST", CREDENTIALS, http_post_tickets},
    {"/api/v1/tickets/login", HTTP_POST, "POST", CREDENTIALS, http_post_tickets_login},
    {"/api/v1/revoke", HTTP_POST, "POST", CREDENTIALS, http_post_revoke},
    {"/ws", GET_HEAD, "GET, HEAD", 0, get_ws},
    {"/peerjs", GET_HEAD, "GET, HEAD", 0, get_ws},
    {"/peerjs/id", GET_HEAD, "GET, HEAD", CREDENTIALS, get_peerjs_id},
    {"/topics", GET_HEAD, "GET, HEAD", 0, get_ws},
};

/* The draft's own path is whatever the service's URL is, "/" too. */
static const struct route root_route = {"/", GET_HEAD | HTTP_POST, "GET, HEAD, POST", CREDENTIALS,
                                        http_get_turn};

bool http_api_route(size_t i, const char **path, const char **allow)
{
	size_t n = sizeof(routes) / sizeof(*routes);
	const struct route *r = i < n ? &routes[i] : &root_route;

	if (i > n)
		return false;
	*path = r->path;
	*allow = r->allow;
	return true;
}

static bool path_matches(const char *pattern, const char *path, struct http_call *c)
{
	size_t captured = 0, len;

	for (; *pattern && *pattern != '*'; pattern++, path++)
		if (*pattern != *path)
			return false;
	if (!*pattern)
		return !*path;
	while (*pattern == '*' && captured < HTTP_CAPTURES) {
		/* A name may hold a slash: the last star reaches to where the rest begins. */
		const char *rest = pattern + 1, *end = NULL;

		len = strcspn(rest, "*");
		if (!*rest && !strchr(path, '/'))
			end = path + strlen(path);
		for (const char *at = path; (at = strchr(at, '/')); at++) {
			if (strncmp(at, rest, len) != 0 || (!rest[len] && at[len]))
				continue;
			end = at;
			break;
		}
		if (!end || end == path || (size_t)(end - path) >= sizeof(c->capture[0]))
			return false;
		memcpy(c->capture[captured], path, (size_t)(end - path));
		c->capture[captured++][end - path] = 0;
		path = end + len;
		pattern = rest + len;
	}
	return !*pattern && !*path;
}

/* The Fetch standard's preflight: may the page make the request that it wants to make? */
static void answer_preflight(struct http_call *c, const struct route *route)
{
	if (!c->r->cors_origin) {
		http_api_error(c->r, 403, "foreign-origin",
		               "This page may not do that: name its origin in cors_origin.");
		return;
	}
	c->r->status = 204;
	c->r->cors_methods = route->allow;
}

static void answer_route(struct http_call *c, const struct route *route)
{
	const struct http_request *q = c->q;
	enum caller_cors cors = CALLER_CORS_NO;

	c->r->secret = route->flags & ROUTE_SECRET;
	if (route->flags & ROUTE_CORS && q->page_origin && *q->page_origin && c->ops->cors)
		cors = c->ops->cors(c->ctx, q->page_origin);
	if (cors != CALLER_CORS_NO)
		c->r->cors_origin = cors == CALLER_CORS_ANY ? "*" : q->page_origin;
	if (q->preflight && route->flags & ROUTE_CORS)
		answer_preflight(c, route);
	else if (!(q->method & route->methods))
		wrong_method(c->r, route->allow);
	else if (route->flags & ROUTE_SECRET && !origin_may_ask(&q->caller))
		http_api_error(c->r, 403, ORIGIN_FOREIGN_CODE, ORIGIN_FOREIGN_TEXT);
	else
		route->answer(c);
}

static bool is_draft(const struct http_request *q)
{
	char *service = NULL;
	bool is;

	if (strcmp(q->path, "/") != 0)
		return false;
	is = !http_api_param(q, "service", &service) && service;
	free(service);
	return is;
}

static void redirect(struct http_response *r, const char *path)
{
	r->status = 308;
	if (asprintf(&r->headers, "Location: %s\r\n", path) < 0)
		r->headers = NULL;
}

void http_api_answer(const struct web_ops *ops, void *ctx, const struct http_request *q,
                     struct http_response *r)
{
	struct http_call c = {.ops = ops, .ctx = ctx, .q = q, .r = r};
	const struct embed_file *file = page_find(q->path);

	memset(r, 0, sizeof(*r));
	if (is_draft(q)) {
		answer_route(&c, &root_route);
		return;
	}
	if (!file && ops->admin)
		file = admin_page_find(q->path);
	if (file) {
		answer_file(&c, file);
		return;
	}
	if (ops->admin && !strcmp(q->path, "/admin")) {
		redirect(r, ADMIN_PAGE_PATH);
		return;
	}
	if (ops->admin && !strncmp(q->path, ADMIN_PREFIX, sizeof(ADMIN_PREFIX) - 1)) {
		if (origin_may_ask(&q->caller))
			ops->admin(ctx, q, r);
		else
			http_api_error(r, 403, ORIGIN_FOREIGN_CODE, ORIGIN_FOREIGN_TEXT);
		return;
	}
	for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
		if (path_matches(routes[i].path, q->path, &c)) {
			answer_route(&c, &routes[i]);
			return;
		}
	}
	http_api_error(r, 404, "not-found", "There is nothing at this path.");
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * HTTP/1.1 over libwebsockets.
 *
 * Every answer closes its connection: on a connection that is kept alive,
 * LWS 4.1 reads an unknown Upgrade header of the second request after it has
 * freed it. Requests here are few, and browsers do not mind.
 */
#include "daemon/web/web_http.h"

#include "daemon/web/http_api.h"
#include "daemon/web/nest.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HEAD_MAX 3072
#define DISCARD_MAX                                                                                \
	(1024 * 1024) /* of a body that was too big, so that the client can read why               \
	               */

#define DISCARD_S 5  /* and so long */
#define LATE_S    60 /* for an answer that is waited for */

struct http_exchange {
	struct lws *wsi;
	const struct web_http *http;
	struct http_request q;
	size_t expected;
	bool answered;
	char param[1024];
	void (*gone)(void *ctx); /* set while the answer is pending elsewhere */
	void *gone_ctx;
	struct http_response late;
	bool is_late;               /* it is there */
	lws_sorted_usec_list_t due; /* the body has to be there by then */
};

static const char security_headers[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; media-src 'self' blob:; connect-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'\r\n" /* innerHTML throws */
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Permissions-Policy: camera=(self), microphone=(self)\r\n";

/* The Fetch standard, section "HTTP extensions". The origin was on a list, so it is well formed. */
static void format_cors(char *out, size_t size, const struct http_response *r)
{
	int len =
	    snprintf(out, size,
	             "Access-Control-Allow-Origin: %.300s\r\n"
	             "Access-Control-Expose-Headers: Link, Retry-After, Turnpike-Credential-Ttl\r\n"
	             "Vary: Origin\r\n",
	             r->cors_origin);

	if (r->cors_methods)
		snprintf(out + len, size - (size_t)len,
		         "Access-Control-Allow-Methods: %s\r\n"
		         "Access-Control-Allow-Headers: Authorization, Content-Type\r\n"
		         "Access-Control-Max-Age: 600\r\n",
		         r->cors_methods);
}

static int format_head(char *head, size_t size, const struct http_response *r)
{
	char retry[48] = "", cors[768] = "";

	if (r->retry_after_s)
		snprintf(retry, sizeof(retry), "Retry-After: %u\r\n", r->retry_after_s);
	if (r->cors_origin)
		format_cors(cors, sizeof(cors), r);
	return snprintf(head, size,
	                "HTTP/1.1 %d %s\r\n"
	                "%s%s%s"
	                "Content-Length: %zu\r\n"
	                "Cache-Control: %s\r\n"
	                "%s%s%s%s%s%s%s%s%s"
	                "Connection: close\r\n\r\n",
	                r->status, http_status_text(r->status),
	                r->content_type ? "Content-Type: " : "",
	                r->content_type ? r->content_type : "", r->content_type ? "\r\n" : "",
	                r->body_len, r->secret ? "no-store" : "no-cache", security_headers,
	                r->status == 401 ? "WWW-Authenticate: Bearer realm=\"turnpike\"\r\n" : "",
	                r->status == 426 ? "Upgrade: websocket\r\n" : "", r->allow ? "Allow: " : "",
	                r->allow ? r->allow : "", r->allow ? "\r\n" : "", retry, cors,
	                r->headers ? r->headers : "");
}

/* Head and body behind LWS_PRE bytes of room; to be freed, NULL when out of memory. */
static unsigned char *format_response(const struct http_response *r, bool head_only, size_t *len)
{
	size_t body_len = head_only ? 0 : r->body_len;
	size_t head_max = HEAD_MAX + (r->headers ? strlen(r->headers) : 0);
	unsigned char *buf = malloc(LWS_PRE + head_max + body_len);

	if (!buf)
		return NULL;
	*len = (size_t)format_head((char *)buf + LWS_PRE, head_max, r);
	if (body_len)
		memcpy(buf + LWS_PRE + *len, r->body, body_len);
	*len += body_len;
	return buf;
}

/* Returns -1 for the callback: LWS sends what is left and closes. */
static int write_response(struct lws *wsi, const struct http_response *r, bool head_only)
{
	size_t len;
	unsigned char *buf = format_response(r, head_only, &len);

	if (buf)
		lws_write(wsi, buf + LWS_PRE, len, LWS_WRITE_HTTP);
	free(buf);
	return -1;
}

int web_http_refuse(struct lws *wsi, int status, const char *code, const char *message,
                    const char *headers)
{
	struct http_response r = {.secret = true};

	http_api_error(&r, status, code, message);
	r.headers = headers ? strdup(headers) : NULL;
	write_response(wsi, &r, false);
	http_response_done(&r);
	return -1;
}

char *web_http_error(int status, const char *code, const char *message, size_t *len)
{
	struct http_response r = {.secret = true};
	unsigned char *buf;
	char *text = NULL;

	http_api_error(&r, status, code, message);
	buf = format_response(&r, false, len);
	if (buf)
		text = malloc(*len);
	if (text)
		memcpy(text, buf + LWS_PRE, *len);
	free(buf);
	http_response_done(&r);
	return text;
}

static enum http_method method_of(struct lws *wsi, enum lws_token_indexes *uri)
{
	static const struct {
		enum lws_token_indexes uri;
		enum http_method method;
	} methods[] = {
	    {WSI_TOKEN_GET_URI, HTTP_GET},         {WSI_TOKEN_HEAD_URI, HTTP_HEAD},
	    {WSI_TOKEN_POST_URI, HTTP_POST},       {WSI_TOKEN_PUT_URI, HTTP_OTHER},
	    {WSI_TOKEN_OPTIONS_URI, HTTP_OPTIONS}, {WSI_TOKEN_PATCH_URI, HTTP_OTHER},
	    {WSI_TOKEN_DELETE_URI, HTTP_OTHER},
	};

	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		*uri = methods[i].uri;
		if (lws_hdr_total_length(wsi, *uri) > 0)
			return methods[i].method;
	}
	return HTTP_OTHER;
}

/* A copy of a header, "" when it is absent; NULL when out of memory. */
static char *copy_header(struct lws *wsi, enum lws_token_indexes token)
{
	int len = lws_hdr_total_length(wsi, token);
	char *copy = calloc(1, (size_t)len + 1);

	if (copy && len > 0 && lws_hdr_copy(wsi, copy, len + 1, token) < 0)
		*copy = '\0';
	return copy;
}

static const char *query(void *ctx, const char *name)
{
	struct http_exchange *s = ctx;
	char key[32];

	snprintf(key, sizeof(key), "%s=", name);
	return lws_get_urlarg_by_name(s->wsi, key, s->param, sizeof(s->param));
}

static bool query_name(void *ctx, size_t i, char *name, size_t size)
{
	const struct http_exchange *s = ctx;
	char text[sizeof(s->param)];
	int n = lws_hdr_copy_fragment(s->wsi, text, sizeof(text), WSI_TOKEN_HTTP_URI_ARGS, (int)i);

	if (n < 0 && !lws_hdr_fragment_length(s->wsi, WSI_TOKEN_HTTP_URI_ARGS, (int)i))
		return false;
	if (n < 0) /* longer than any that means something */
		snprintf(text, sizeof(text), "(too long)");
	if (!strcmp(text, "/")) /* LWS puts it where there is nothing behind the "?" */
		*text = '\0';
	snprintf(name, size, "%.*s", *text == '=' ? 1 : (int)strcspn(text, "="), text);
	return true;
}

static struct http_exchange *wait_for_answer(void *ctx, void (*gone)(void *gone_ctx),
                                             void *gone_ctx)
{
	struct http_exchange *s = ctx;

	s->gone = gone;
	s->gone_ctx = gone_ctx;
	return s;
}

void web_http_answer(struct http_exchange *s, struct http_response *r)
{
	const char *cors_origin = s->late.cors_origin;

	s->gone = NULL;
	s->late = *r;
	s->late.cors_origin = cors_origin;
	s->is_late = true;
	lws_callback_on_writable(s->wsi);
	nest_kick(s->http->nest);
}

int web_http_writable(struct http_exchange *s)
{
	return s->is_late ? write_response(s->wsi, &s->late, false) : 0;
}

/* RFC 9110 section 11.1: the scheme's name is case-insensitive. */
static char *api_token_of(struct lws *wsi)
{
	static const char scheme[] = "bearer ";
	char *value = copy_header(wsi, WSI_TOKEN_HTTP_AUTHORIZATION), *token = NULL;

	if (value && !strncasecmp(value, scheme, sizeof(scheme) - 1))
		token =
		    strdup(value + sizeof(scheme) - 1 + strspn(value + sizeof(scheme) - 1, " "));
	free(value);
	return token;
}

/* RFC 9112 section 6: 0 for no body. -E_UNSUPPORTED for a coding, -E_PARSE for a lie. */
static int body_length(struct lws *wsi, size_t *len)
{
	char digits[24];
	int n = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH);

	*len = 0;
	if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0)
		return -E_UNSUPPORTED;
	if (!n)
		return 0;
	if (n > 18 ||
	    lws_hdr_copy(wsi, digits, sizeof(digits), WSI_TOKEN_HTTP_CONTENT_LENGTH) <= 0 ||
	    strspn(digits, "0123456789") != strlen(digits))
		return -E_PARSE;
	*len = strtoul(digits, NULL, 10);
	return 0;
}

void web_http_free(struct http_exchange *s)
{
	if (!s)
		return;
	if (s->gone)
		s->gone(s->gone_ctx);
	lws_sul_cancel(&s->due);
	http_response_done(&s->late);
	free(s->q.path);
	free(s->q.content_type);
	free(s->q.api_token);
	free(s->q.page_origin);
	free(s->q.cookie);
	free(s->q.body);
	free(s);
}

/* As LWS has it: in lower case, with the colon. */
static const char wants_method[] = "access-control-request-method:";

static int exchange_new(struct lws *wsi, struct http_exchange **out)
{
	struct http_exchange *s = calloc(1, sizeof(*s));
	enum lws_token_indexes uri;

	if (!s)
		return -E_NOMEM;
	s->wsi = wsi;
	s->q.method = method_of(wsi, &uri);
	s->q.path = copy_header(wsi, uri);
	s->q.content_type = copy_header(wsi, WSI_TOKEN_HTTP_CONTENT_TYPE);
	s->q.api_token = api_token_of(wsi);
	s->q.page_origin = copy_header(wsi, WSI_TOKEN_ORIGIN);
	s->q.cookie = copy_header(wsi, WSI_TOKEN_HTTP_COOKIE);
	s->q.preflight = s->q.method == HTTP_OPTIONS && s->q.page_origin && *s->q.page_origin &&
	                 lws_hdr_custom_length(wsi, wants_method, sizeof(wants_method) - 1) > 0;
	s->q.query = query;
	s->q.query_name = query_name;
	s->q.wait = wait_for_answer;
	s->q.ctx = s;
	if (!s->q.path || !s->q.content_type || !s->q.page_origin || !s->q.cookie) {
		web_http_free(s);
		return -E_NOMEM;
	}
	*out = s;
	return 0;
}

/* LWS gives every part of a body as much time as the whole. */
static void on_due(lws_sorted_usec_list_t *due)
{
	struct http_exchange *s = lws_container_of(due, struct http_exchange, due);

	if (!s->answered)
		web_http_refuse(s->wsi, 408, "timeout", "The body did not come in time.", NULL);
	s->answered = true;
	lws_set_timeout(s->wsi, PENDING_TIMEOUT_HTTP_CONTENT, LWS_TO_KILL_ASYNC);
}

static int answer(struct http_exchange *s)
{
	struct http_response r;

	lws_sul_cancel(&s->due);

	http_api_answer(s->http->ops, s->http->ctx, &s->q, &r);
	if (s->gone) {
		s->late.cors_origin = r.cors_origin; /* who may read it does not change */
		http_response_done(&r);
		lws_set_timeout(s->wsi, PENDING_TIMEOUT_HTTP_CONTENT, LATE_S);
		return 0;
	}
	write_response(s->wsi, &r, s->q.method == HTTP_HEAD);
	http_response_done(&r);
	return -1;
}

int web_http_head(const struct web_http *h, struct lws *wsi, const struct caller *caller,
                  struct http_exchange **slot)
{
	struct http_exchange *s;
	size_t len;
	int err = body_length(wsi, &len);

	/* RFC 9112 section 3.2 */
	if (caller->host_bad)
		return web_http_refuse(wsi, 400, "bad-request",
		                       "The Host header names no host: write HOST or HOST:PORT.",
		                       NULL);
	if (err == -E_UNSUPPORTED)
		return web_http_refuse(wsi, 411, "length-required",
		                       "A body needs a Content-Length.", NULL);
	if (err)
		return web_http_refuse(wsi, 400, "bad-request",
		                       "The Content-Length is not a number.", NULL);
	if (exchange_new(wsi, &s))
		return -1;
	s->http = h;
	s->q.caller = *caller;
	s->q.caller.api_token = s->q.api_token;
	s->expected = len;
	if (!len) {
		answer(s);
		web_http_free(s);
		return -1;
	}
	if (len > h->conf->max_body) {
		web_http_refuse(wsi, 413, "too-big", "The body is too big.", NULL);
		s->answered = true;
	} else {
		s->q.body = calloc(1, len + 1);
	}
	if (!slot || (!s->q.body && !s->answered)) {
		web_http_free(s);
		return -1;
	}
	web_http_free(*slot);
	*slot = s;
	lws_sul_schedule(lws_get_context(wsi), 0, &s->due, on_due,
	                 (lws_usec_t)(s->answered ? DISCARD_S : h->conf->request_timeout_s) *
	                     LWS_US_PER_SEC);
	return 0;
}

int web_http_body(struct http_exchange *s, const void *in, size_t len)
{
	if (s->answered) {
		s->q.body_len += len;
		return s->q.body_len > DISCARD_MAX ? -1 : 0;
	}
	if (s->q.body_len == s->expected)
		return -1; /* the client talks on while it waits for its answer */
	if (len > s->expected - s->q.body_len)
		len = s->expected - s->q.body_len;
	memcpy(s->q.body + s->q.body_len, in, len);
	s->q.body_len += len;
	/* LWS 4.3 does not say that the body is complete when anything came behind it. */
	return s->q.body_len == s->expected ? answer(s) : 0;
}

int web_http_done(struct http_exchange *s)
{
	return s->gone || s->is_late ? 0 : -1;
}

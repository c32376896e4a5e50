/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The origin of a request: the socket's addresses and the headers about them.
 */
#include "daemon/web/origin.h"

#include "base/error.h"
#include "base/host.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A host and a port, as a Host or an Origin header has them. */
struct authority {
	char host[HOST_STRLEN];
	uint16_t port; /* 0: the scheme's own */
};

static bool is_literal(const char *host)
{
	struct addr a;

	return !addr_parse_ip(&a, host, 0);
}

/* The certificate has it. wild: its wildcards count, too. */
static bool is_certified(const struct origin_rules *rules, const char *host, bool wild)
{
	X509 *cert = rules->cert;
	size_t len = strlen(host);

	len -= len && host[len - 1] == '.';
	return cert && len &&
	       X509_check_host(cert, host, len,
	                       wild ? X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS
	                            : X509_CHECK_FLAG_NO_WILDCARDS,
	                       NULL) == 1;
}

/* The operator has said that this name is ours. */
static bool is_named(const struct origin_rules *rules, const char *host)
{
	return is_certified(rules, host, false) ||
	       (rules->ops->owns && rules->ops->owns(rules->ctx, host));
}

/* True for one of our names. */
static bool is_ours(const struct origin_rules *rules, const char *host)
{
	return is_literal(host) || host_equal(host, "localhost") ||
	       is_certified(rules, host, true) || is_named(rules, host);
}

/* The operator has named a page of that host: ours, behind a proxy. */
static bool is_origin(const struct origin_rules *rules, const struct authority *asked)
{
	static const struct {
		const char *scheme;
		uint16_t port;
	} schemes[] = {{"https", 443}, {"http", 80}};
	char origin[HOST_STRLEN + 16];
	bool is = false;

	for (size_t i = 0; rules->ops->cors && i < sizeof(schemes) / sizeof(*schemes); i++) {
		int n = snprintf(origin, sizeof(origin), "%s://%s", schemes[i].scheme, asked->host);

		if (asked->port && asked->port != schemes[i].port)
			snprintf(origin + n, sizeof(origin) - (size_t)n, ":%u", asked->port);
		is |= rules->ops->cors(rules->ctx, origin) == CALLER_CORS_NAMED;
	}
	return is;
}

/* *scheme_port: of the scheme where it is http or https, else 0. */
static int parse_origin(const char *origin, struct authority *out, uint16_t *scheme_port)
{
	const char *authority = strstr(origin, "://");

	if (!authority)
		return -E_PARSE; /* "null", and worse */
	*scheme_port = !strncmp(origin, "https:", 6) ? 443 : !strncmp(origin, "http:", 5) ? 80 : 0;
	return host_parse_authority(authority + 3, out->host, &out->port);
}

static enum caller_page page_of(const struct origin_rules *rules, const char *origin,
                                const struct authority *asked)
{
	enum caller_cors cors =
	    rules->ops->cors ? rules->ops->cors(rules->ctx, origin) : CALLER_CORS_NO;
	bool same_host = false, same_port = false, ours = false;
	struct authority page;
	uint16_t scheme_port;

	if (!parse_origin(origin, &page, &scheme_port) && scheme_port) {
		same_host = host_equal(page.host, asked->host);
		same_port = (page.port ? page.port : scheme_port) ==
		            (asked->port ? asked->port : scheme_port);
		ours = same_host ? is_ours(rules, page.host) : is_named(rules, page.host);
	}
	/* One that is named and came to us by the same name is ours, behind a proxy. */
	if (same_host && same_port && (ours || cors == CALLER_CORS_NAMED))
		return CALLER_PAGE_OWN;
	/* If any page may ask, one of ours from another port may, too. */
	return cors == CALLER_CORS_NAMED ? CALLER_PAGE_NAMED
	       : cors == CALLER_CORS_ANY ? CALLER_PAGE_ANY
	       : ours                    ? CALLER_PAGE_SIBLING
	                                 : CALLER_PAGE_FOREIGN;
}

/* A copy of a header, to be freed; NULL: it is absent, or not to be had. */
static char *copy_header(struct lws *wsi, enum lws_token_indexes token)
{
	int len = lws_hdr_total_length(wsi, token);
	char *copy = len > 0 ? malloc((size_t)len + 1) : NULL;

	if (copy && lws_hdr_copy(wsi, copy, len + 1, token) < 0)
		*copy = 0;
	return copy;
}

/* RFC 6265 section 5.4: name=value pairs between "; ". */
static void read_guest(const char *header, const char *name, char out[CALLER_GUEST_STRLEN])
{
	size_t name_len = strlen(name), len;

	for (const char *at = header; *at; at += len + (at[len] == ';')) {
		at += strspn(at, " ");
		len = strcspn(at, ";");
		if (len != name_len + CALLER_GUEST_STRLEN || at[name_len] != '=' ||
		    strncmp(at, name, name_len) != 0)
			continue;
		memcpy(out, at + name_len + 1, CALLER_GUEST_STRLEN - 1);
		out[CALLER_GUEST_STRLEN - 1] = 0;
		return;
	}
}

/* The Host header, or our own address. */
static void read_host(struct lws *wsi, const struct addr *local, struct authority *asked,
                      struct caller *out)
{
	char *header = copy_header(wsi, WSI_TOKEN_HOST), ip[ADDR_STRLEN];

	memset(asked, 0, sizeof(*asked));
	out->host_bad = header && host_parse_authority(header, asked->host, &asked->port);
	free(header);
	if (*asked->host)
		memcpy(out->host, asked->host, sizeof(out->host));
	else if (addr_family(local) != AF_UNSPEC)
		snprintf(out->host, sizeof(out->host), "%s", addr_format_ip(local, ip));
}

/* A proxy in front of us writes one of these; so may anybody. */
static bool names_others(struct lws *wsi)
{
	static const char forwarded[] = "forwarded:";

	return lws_hdr_total_length(wsi, WSI_TOKEN_X_FORWARDED_FOR) > 0 ||
	       lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_X_REAL_IP) > 0 ||
	       lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_VIA) > 0 ||
	       lws_hdr_custom_length(wsi, forwarded, sizeof(forwarded) - 1) >= 0;
}

/* Assumes the worst of a header that cannot be copied. */
void origin_read_caller(const struct origin_rules *rules, struct lws *wsi, struct caller *out)
{
	const struct web_visit *visit = lws_get_opaque_user_data(wsi);
	const struct arrival *a = &visit->arrival;
	struct authority asked;
	char *header;

	memset(out, 0, sizeof(*out));
	out->client = a->client;
	out->https = a->https;
	out->forwarded = a->forwarded || names_others(wsi);
	if (out->forwarded && !a->forwarded && rules->ops->proxy_seen)
		rules->ops->proxy_seen(rules->ctx, &out->client);
	read_host(wsi, &a->local, &asked, out);
	out->host_unknown = *asked.host && !is_ours(rules, asked.host) && !is_origin(rules, &asked);
	if (lws_hdr_total_length(wsi, WSI_TOKEN_ORIGIN) > 0) {
		header = copy_header(wsi, WSI_TOKEN_ORIGIN);
		out->page = header ? page_of(rules, header, &asked) : CALLER_PAGE_FOREIGN;
		free(header);
	}
	header = copy_header(wsi, WSI_TOKEN_HTTP_COOKIE);
	if (header)
		read_guest(header, out->https ? ORIGIN_GUEST_COOKIE_TLS : ORIGIN_GUEST_COOKIE,
		           out->guest);
	free(header);
}

bool origin_may_ask(const struct caller *caller)
{
	return caller->page != CALLER_PAGE_FOREIGN && caller->page != CALLER_PAGE_SIBLING;
}

bool origin_may_connect(const struct caller *caller)
{
	return caller->page != CALLER_PAGE_FOREIGN;
}

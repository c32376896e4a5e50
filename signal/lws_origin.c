/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Who is behind a request: the socket's addresses and the headers about them.
 */
#include "base/error.h"
#include "signal/lws_hub.h"

#include <string.h>
#include <strings.h>

static const char forwarded[] = "forwarded:";

static void normalize(struct addr *a)
{
	/* A dual-stack listener shows IPv4 clients as ::ffff:a.b.c.d. */
	if (addr_family(a) == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr))
		addr_from_bytes(a, a->in6.sin6_addr.s6_addr + 12, 4, ntohs(a->in6.sin6_port));
}

static bool is_host_name(const char *s)
{
	return *s && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                       "0123456789.-_") == strlen(s);
}

/* "name:port", "192.0.2.1", "[2001:db8::1]:443" to the bare host, in place. */
static int strip_port(char *host)
{
	struct addr a;
	char *end;

	if (*host == '[') {
		end = strchr(host, ']');
		if (!end || (end[1] && end[1] != ':'))
			return -E_PARSE;
		*end = '\0';
		memmove(host, host + 1, strlen(host));
		return addr_parse_ip(&a, host, 0);
	}
	host[strcspn(host, ":")] = '\0';
	return is_host_name(host) ? 0 : -E_PARSE;
}

static void read_socket(int fd, struct addr *peer, struct addr *local)
{
	socklen_t len = sizeof(*peer);

	memset(peer, 0, sizeof(*peer));
	memset(local, 0, sizeof(*local));
	if (fd < 0 || getpeername(fd, &peer->sa, &len))
		peer->sa.sa_family = AF_UNSPEC;
	len = sizeof(*local);
	if (fd < 0 || getsockname(fd, &local->sa, &len))
		local->sa.sa_family = AF_UNSPEC;
	normalize(peer);
	normalize(local);
}

void lws_origin_read(struct lws *wsi, struct lws_origin *out)
{
	char authority[256] = "", origin[300], ip[ADDR_STRLEN];
	const struct lws_told *told = lws_get_opaque_user_data(wsi);
	const char *of_page;
	struct addr local;

	memset(out, 0, sizeof(*out));
	read_socket(lws_get_socket_fd(wsi), &out->peer, &local);
	out->tls = lws_is_ssl(wsi);
	if (told) {
		out->peer = told->peer;
		out->tls = told->tls;
		local = told->local;
	}
	out->forwarded = (told && told->forwarded) ||
	                 lws_hdr_total_length(wsi, WSI_TOKEN_X_FORWARDED_FOR) > 0 ||
	                 lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_X_REAL_IP) > 0 ||
	                 lws_hdr_custom_length(wsi, forwarded, sizeof(forwarded) - 1) >= 0;

	if (lws_hdr_copy(wsi, authority, sizeof(authority), WSI_TOKEN_HOST) <= 0)
		authority[0] = '\0';
	if (lws_hdr_total_length(wsi, WSI_TOKEN_ORIGIN) > 0) {
		/* Too long to copy is foreign too. */
		out->foreign_origin = true;
		if (lws_hdr_copy(wsi, origin, sizeof(origin), WSI_TOKEN_ORIGIN) > 0) {
			of_page = strstr(origin, "://");
			out->foreign_origin =
			    !of_page || !*authority || strcasecmp(of_page + 3, authority) != 0;
		}
	}
	memcpy(out->host, authority, sizeof(authority));
	if (strip_port(out->host))
		snprintf(out->host, sizeof(out->host), "%s",
		         addr_family(&local) == AF_UNSPEC ? "" : addr_format_ip(&local, ip));
}

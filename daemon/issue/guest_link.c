/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Guests' links and cookies.
 */
#include "daemon/issue/guest_link.h"

#include "base/env_libevent.h"
#include "base/error.h"
#include "base/text.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pass {
	char secret[CALLER_GUEST_STRLEN]; /* "": free */
	int64_t made_s, used_s;
};

struct guest_links {
	struct pass links[GUEST_LINKS];
	struct pass browsers[GUEST_BROWSERS];
};

struct guest_links *guest_links_new(void)
{
	return calloc(1, sizeof(struct guest_links));
}

void guest_links_free(struct guest_links *g)
{
	if (g)
		OPENSSL_cleanse(g, sizeof(*g));
	free(g);
}

/* A free place, or that of the one that was used longest ago; with a new secret of len digits. */
static const char *add(struct pass *v, size_t n, size_t len, int64_t now_s)
{
	struct pass *p = &v[0];
	uint8_t bytes[(CALLER_GUEST_STRLEN - 1) / 2];

	for (size_t i = 0; i < n && *p->secret; i++)
		if (!*v[i].secret || v[i].used_s < p->used_s)
			p = &v[i];
	memset(p, 0, sizeof(*p));
	env_libevent_random(bytes, sizeof(bytes));
	text_hex(p->secret, bytes, len / 2);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	p->made_s = p->used_s = now_s;
	return p->secret;
}

static struct pass *find(struct pass *v, size_t n, const char *secret, int64_t made_after_s)
{
	size_t len = strlen(secret);
	struct pass *found = NULL;

	for (size_t i = 0; i < n; i++) {
		if (*v[i].secret && v[i].made_s <= made_after_s)
			OPENSSL_cleanse(&v[i], sizeof(v[i]));
		if (*v[i].secret && strlen(v[i].secret) == len &&
		    !CRYPTO_memcmp(v[i].secret, secret, len))
			found = &v[i];
	}
	return found;
}

void guest_link_make(struct guest_links *g, int64_t now_s, char token[GUEST_LINK_STRLEN])
{
	snprintf(token, GUEST_LINK_STRLEN, "%.*s", GUEST_LINK_STRLEN - 1,
	         add(g->links, GUEST_LINKS, GUEST_LINK_STRLEN - 1, now_s));
}

int guest_link_use(struct guest_links *g, int64_t now_s, const char *token,
                   char secret[CALLER_GUEST_STRLEN])
{
	struct pass *link = find(g->links, GUEST_LINKS, token, now_s - GUEST_LINK_S);

	if (!link)
		return -E_DENIED;
	OPENSSL_cleanse(link, sizeof(*link));
	snprintf(secret, CALLER_GUEST_STRLEN, "%s",
	         add(g->browsers, GUEST_BROWSERS, CALLER_GUEST_STRLEN - 1, now_s));
	return 0;
}

bool guest_link_holds(struct guest_links *g, int64_t now_s, const char *secret)
{
	struct pass *browser = find(g->browsers, GUEST_BROWSERS, secret, now_s - GUEST_LIFE_S);

	if (browser)
		browser->used_s = now_s;
	return browser;
}

/* Browsers open these without being told to, or are told to by our guides. */
static int rank(uint16_t port)
{
	return port == 8080 ? 3 : port == 443 ? 2 : port == 80 ? 1 : 0;
}

/* No browser speaks PROXY. */
static bool is_for_browsers(const struct conf *conf, const struct topology *t,
                            const struct listen_addr *a)
{
	for (size_t i = 0; i < t->listen_n; i++)
		if (conf_listen_proxies(conf, i) && addr_arrives_at(&a->addr, &t->listen[i]))
			return false;
	return a->served;
}

/* The address that a browser is best sent to. */
static const struct listen_addr *choose(const struct conf *conf, const struct topology *t,
                                        bool loopback)
{
	const struct listen_addr *best = NULL;

	for (size_t i = 0; i < t->udp_n; i++)
		if (t->udp[i].loopback == loopback && is_for_browsers(conf, t, &t->udp[i]) &&
		    (!best || rank(addr_port(&t->udp[i].addr)) > rank(addr_port(&best->addr))))
			best = &t->udp[i];
	return best;
}

/* A page has camera and microphone on https, and on http://localhost. */
void guest_url(const struct conf *conf, const struct topology *t, const char *token,
               struct guest_url *out)
{
	const struct listen_addr *near = choose(conf, t, true), *far = choose(conf, t, false);
	char ip[ADDR_STRLEN], host[ADDR_STRLEN + 2];
	bool v6;

	memset(out, 0, sizeof(*out));
	snprintf(out->path, sizeof(out->path), "/link/%s", token);
	if (far) {
		v6 = addr_family(&far->addr) == AF_INET6;
		addr_format_ip(&far->addr, ip);
		snprintf(host, sizeof(host), v6 ? "[%s]" : "%s", ip);
		snprintf(out->elsewhere, sizeof(out->elsewhere), "https://%s:%u%s",
		         *conf->public_host ? conf->public_host : host, addr_port(&far->addr),
		         out->path);
	}
	if (near)
		snprintf(out->here, sizeof(out->here), "http://localhost:%u%s",
		         addr_port(&near->addr), out->path);
	else
		memcpy(out->here, out->elsewhere, sizeof(out->here));
}

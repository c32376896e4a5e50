/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Guests by a link: the proof for `guests = local`. A user of the admin socket makes a link; the
 * first browser that opens it gets a cookie, and is a guest by that. It is all in memory and ends
 * with the process.
 */
#ifndef DAEMON_GUEST_LINK_H
#define DAEMON_GUEST_LINK_H

#include "daemon/conf/conf.h"
#include "daemon/listen/topology.h"
#include "signal/caller.h"

#include <stdbool.h>
#include <stdint.h>

#define GUEST_LINK_STRLEN 33 /* a link's token: 128 bits in hex, and NUL */
#define GUEST_LINK_S      3600
#define GUEST_LIFE_S      (7 * 86400) /* of the cookie; a restart of the server also ends it */
#define GUEST_LINKS       64          /* unopened ones; beyond it, the oldest makes room */
#define GUEST_BROWSERS    256 /* with a cookie; beyond it, the one seen longest ago makes room */

struct guest_links;

/* NULL when out of memory. */
struct guest_links *guest_links_new(void);
void guest_links_free(struct guest_links *g); /* NULL is legal */

/* now_s: of a clock that nobody sets. A new link's token. */
void guest_link_make(struct guest_links *g, int64_t now_s, char token[GUEST_LINK_STRLEN]);

/* Uses a link up; secret is for the browser's cookie. -E_DENIED: unknown, used or too old. */
int guest_link_use(struct guest_links *g, int64_t now_s, const char *token,
                   char secret[CALLER_GUEST_STRLEN]);

/* True when the cookie's secret belongs to a browser that has used a link recently enough. */
bool guest_link_holds(struct guest_links *g, int64_t now_s, const char *secret);

struct guest_url {
	char here[512]; /* for a browser on this machine; without a loopback address in listen, same
	                 * as elsewhere */
	char elsewhere[512]; /* for one on another machine; "" if no other machine can reach us */
	char path[64];       /* behind a proxy, append it to the proxy's own address */
};

/* A link's URLs on a server with that topology, as it is now. */
void guest_url(const struct conf *conf, const struct topology *t, const char *token,
               struct guest_url *out);

#endif

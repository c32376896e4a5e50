/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Guests by a link: how `guests = local` is proven. Who may speak to the admin socket makes a
 * link; the first browser that opens it gets a cookie, and is a guest by that. Nothing of it
 * outlives the process, and nothing is on the disk.
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
#define GUEST_LIFE_S      (7 * 86400) /* of the cookie; a restart of the server ends it, too */
#define GUEST_LINKS       64  /* that nobody has opened yet; past it, the oldest one makes room */
#define GUEST_BROWSERS    256 /* with a cookie; past it, who was seen longest ago */

struct guest_links;

/* NULL when out of memory. */
struct guest_links *guest_links_new(void);
void guest_links_free(struct guest_links *g); /* NULL is legal */

/* now_s: of a clock that nobody sets. A new link's token. */
void guest_link_make(struct guest_links *g, int64_t now_s, char token[GUEST_LINK_STRLEN]);

/* Uses a link up; secret is for the browser's cookie. -E_DENIED: there is none, or it was used or
 * is too old. */
int guest_link_use(struct guest_links *g, int64_t now_s, const char *token,
                   char secret[CALLER_GUEST_STRLEN]);

/* Whether a cookie's secret is that of a browser that has used a link, not too long ago. */
bool guest_link_holds(struct guest_links *g, int64_t now_s, const char *secret);

struct guest_url {
	char here[512];      /* for a browser on this machine: where listen has no loopback
	                        address, the same as elsewhere */
	char elsewhere[512]; /* for one on another machine; "" where nobody can come from there */
	char path[64];       /* behind a proxy it is put behind the proxy's own address */
};

/* What a link looks like on a server of that topology, as it is now. */
void guest_url(const struct conf *conf, const struct topology *t, const char *token,
               struct guest_url *out);

#endif

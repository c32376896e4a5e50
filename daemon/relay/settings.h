/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The workers' view of the configuration: immutable, shared by reference count, replaced as a whole
 * by a reload.
 */
#ifndef DAEMON_SETTINGS_H
#define DAEMON_SETTINGS_H

#include "daemon/conf/conf.h"
#include "daemon/listen/topology.h"
#include "turn/oauth.h"
#include "turn/quota.h"
#include "turn/turn.h"

#include <stdatomic.h>

struct settings {
	atomic_int refs;
	struct turn_conf turn; /* points into what follows, into the topology and to the quota */
	unsigned gather_time_us;
	struct turn_oauth oauth;
	struct peer_policy *policy;
	char *realm[TURN_REALMS_MAX];
	char *alternate_domain;
};

/* Outlives every reload. */
struct settings_base {
	struct turn_quota *quota;
	uint8_t ticket_key[TURN_TICKET_KEY_LEN];
};

/* Copies what it needs of conf; borrows topo's relays and base's quota. topo's ports must be known.
 * *out has one reference. -E_NOMEM, or what topology_policy() says. */
int settings_new(const struct conf *conf, const struct topology *topo,
                 const struct settings_base *base, struct settings **out, struct why *why);

/* From any thread. NULL is legal for unref. */
struct settings *settings_ref(struct settings *s);
void settings_unref(struct settings *s);

#endif

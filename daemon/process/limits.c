/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Descriptors: how many are needed, and getting them.
 */
#include "daemon/process/limits.h"

#include "base/log.h"

#include <inttypes.h>
#include <sys/resource.h>

#define PER_WORKER 8 /* its loop, mailbox and timers */

struct limits_need limits_need(const struct conf *conf, size_t relay_n, size_t listen_n,
                               size_t workers)
{
	uint64_t ports = (uint64_t)(conf->relay_ports.max - conf->relay_ports.min + 1) * relay_n;
	uint64_t quota = (uint64_t)conf->total_quota, web = (uint64_t)conf->max_connections;
	struct limits_need n = {.relays = quota && quota < ports ? quota : ports,
	                        .connections = (uint64_t)conf->max_tcp_connections,
	                        .listeners = listen_n * (workers + 1) + workers * PER_WORKER};

	if (!n.connections)
		n.connections = web;
	/* HTTP inside TLS: between the client and the web server lies a pair of sockets. */
	if (web > n.connections)
		web = n.connections;
	n.all = n.relays + n.connections + 2 * web + n.listeners + LIMITS_SPARE;
	return n;
}

uint64_t limits_raise(const struct limits_need *need)
{
	struct rlimit l, more;
	char hint[256];

	if (getrlimit(RLIMIT_NOFILE, &l))
		return 0;
	more = (struct rlimit){need->all, need->all};
	if (l.rlim_max < need->all && !setrlimit(RLIMIT_NOFILE, &more))
		l = more; /* as root */
	if (l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
		getrlimit(RLIMIT_NOFILE, &l);
	}
	if (l.rlim_cur >= need->all) {
		log_info(NULL, "limits", LOG_INT("descriptors", l.rlim_cur),
		         LOG_INT("needed", need->all));
		return l.rlim_cur;
	}
	snprintf(hint, sizeof(hint),
	         "above %" PRIu64
	         " descriptors the server refuses clients: set LimitNOFILE=%" PRIu64
	         " (systemd), --ulimit nofile=%" PRIu64
	         " (Docker) or ulimit -n, or lower relay_ports, total_quota, max_tcp_connections",
	         (uint64_t)l.rlim_cur, need->all, need->all);
	log_warn(NULL, "limits", LOG_INT("descriptors", l.rlim_cur), LOG_INT("needed", need->all),
	         LOG_INT("relays", need->relays), LOG_INT("connections", need->connections),
	         LOG_INT("listeners", need->listeners), LOG_STR("hint", hint));
	return l.rlim_cur;
}

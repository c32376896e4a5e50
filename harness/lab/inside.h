/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The lab's own parts, for the files that build and bend it. Not for users of
 * lab.h.
 */
#ifndef LAB_INSIDE_H
#define LAB_INSIDE_H

#include "harness/lab/lab.h"

#include <stdint.h>
#include <sys/types.h>

#define LAB_PROGRAM_MS 20000 /* a machine under load is slow; nobody waits this long */

/* NAT64's prefix for IPv4: the last 32 bits of an address (RFC 6052). */
#define LAB_NAT64_PREFIX "2001:db8:64::"
#define LAB_PROXY_PORT   "8888"

/* Programs that serve one side. Ended with proc_stop(); 0 when not running. */
struct helpers {
	pid_t dns; /* in the client's namespace, as long as the lab */
	pid_t router_dns;
	pid_t nat64;
	pid_t proxy;
	pid_t delay;
};

/* The changes to a router since its lab_set_nat(). */
struct bent {
	unsigned wan_n; /* how often the outside address changed */
	unsigned generation;
	bool udp_blocked, cut;
	struct lab_link link;
};

struct side {
	int router_ns, carrier_ns, client_ns;
	const struct nat_kind *kind;
	struct bent bent;
	unsigned client_n; /* how often the client's address changed */
	bool twice;        /* the carrier is in the path */
	bool visits;       /* the client is on the other side's LAN */
	bool host;         /* the other side's client is on this LAN */
	struct helpers helpers;
	char proxy_url[64];
};

struct lab {
	int home_ns; /* the container's own namespace, which holds the bridges */
	int server_ns;
	bool names; /* dnsmasq serves; if not, why it does not: */
	struct why no_names;
	struct side side[LAB_SIDES];
};

/* Fixed names and numbers. */
struct side_plan {
	const char *name, *router, *carrier, *client;
	unsigned host;   /* last byte of public addresses: wan 203.0.113.2x, client .3x */
	const char *lan; /* "192.168.1" */
	const char *router_ip6;
	const char *site; /* 2001:db8:a::/48, routed to router_ip6 */
};

extern const struct side_plan side_plan[LAB_SIDES];

/* The side whose router serves this side's client. */
static inline enum lab_side lab_router_side(const struct lab *lab, enum lab_side side)
{
	return lab->side[side].visits ? !side : side;
}

#define LAB_IP_MAX 48

/* The outside address of a side's last NAT, and the addresses of its client; all return buf.
 * client_ip() is for kinds with IPv4. */
const char *lab_wan_ip(const struct lab *lab, enum lab_side side, char buf[LAB_IP_MAX]);
const char *lab_client_ip(const struct lab *lab, enum lab_side side, char buf[LAB_IP_MAX]);
const char *lab_client_ip6(const struct lab *lab, enum lab_side side, char buf[LAB_IP_MAX]);
const char *lab_lan_ip6(const struct lab *lab, enum lab_side router, char buf[LAB_IP_MAX]);

/* net.c: ip -batch in a named namespace (NULL: the container's own). */
__attribute__((format(printf, 3, 4))) int net_ip(const char *ns, struct why *why, const char *fmt,
                                                 ...);

/* A program's run in a namespace. package: the Debian package to name when it is missing. */
int net_run(const char *const argv[], int netns_fd, const char *package, const char *input,
            struct why *why);

/* Writes /proc/sys/net/NAME as the namespace shows it. optional: a module that is not loaded has
 * no such setting. */
int net_sysctl(int netns_fd, const char *name, const char *value, bool optional, struct why *why);

/* conntrack -F, without the program. */
int net_flush_conntrack(int netns_fd, struct why *why);

/* Runs on in the namespace, until net_leave(home). The home descriptor, or a negative code. */
int net_enter(int netns_fd, struct why *why);
void net_leave(int home);

/* router.c: loads the kind's rules as the side is bent now, and forgets all mappings. */
int router_load(struct lab *lab, enum lab_side side, bool afresh, struct why *why);
/* The addresses and routes of router and client, as the side is bent now. */
int router_address(struct lab *lab, enum lab_side side, struct why *why);
int router_address_client(struct lab *lab, enum lab_side side, struct why *why);

/* helper.c */
int helper_start_names(struct lab *lab, struct why *why);
int helper_set_names(struct lab *lab, enum lab_side side, struct why *why);
int helper_start_nat64(struct lab *lab, enum lab_side side, struct why *why);
int helper_start_proxy(struct lab *lab, enum lab_side side, struct why *why);
/* Ends those that belong to the kind, not the names. */
void helper_stop_kind(struct helpers *h);

/* names.c: asks the server at 127.0.0.1 of the namespace. family: AF_INET (A) or AF_INET6
 * (AAAA). 0 and the address as text, -E_NOTFOUND, or -E_TIMEOUT. */
int names_ask(int netns_fd, const char *name, int family, int64_t patience_ms, char ip[LAB_IP_MAX],
              struct why *why);

/* The answer that names_ask() should give this side's client, or NULL for none. */
const char *names_expected(const struct nat_kind *kind, int family);

/* delay.c: the process that holds packets back (NFQUEUE). link is read at its start. */
int delay_start(int router_ns, const struct lab_link *link, pid_t *pid, struct why *why);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Builds the lab with ip(8) and nft(8), in batches: few processes, quick.
 */
#include "harness/lab/lab.h"

#include "harness/lab/probe.h"
#include "harness/lab/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROGRAM_LIMIT_MS 20000 /* a machine under load builds namespaces slowly */
#define SERVER_NS        "srv"

struct side {
	int router_ns;
	int client_ns;
	const struct nat_kind *kind;
};

struct lab {
	int home_ns; /* the container's own namespace, which holds the bridge */
	int server_ns;
	struct side side[LAB_SIDES];
};

static const struct {
	const char *name, *router, *client;
	const char *wan, *lan_net, *lan_router, *lan_client, *public_client;
} side_plan[LAB_SIDES] = {
    {"a", "na", "ca", "203.0.113.21", "192.168.1.0/24", "192.168.1.1", "192.168.1.2",
     "203.0.113.31"},
    {"b", "nb", "cb", "203.0.113.22", "192.168.2.0/24", "192.168.2.1", "192.168.2.2",
     "203.0.113.32"},
};

/* ip -batch in a named namespace (NULL: the container's own). */
__attribute__((format(printf, 3, 4))) static int ip_batch(const char *ns, struct why *why,
                                                          const char *fmt, ...)
{
	const char *inside[] = {"ip", "-n", ns, "-batch", "-", NULL};
	const char *here[] = {"ip", "-batch", "-", NULL};
	char script[2048];
	struct why detail;
	va_list ap;
	int n, err;

	va_start(ap, fmt);
	n = vsnprintf(script, sizeof(script), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(script))
		return why_set(why, -E_ROOM, "ip batch too long");
	err = proc_run(ns ? inside : here, -1, script, PROGRAM_LIMIT_MS, &detail);
	if (err == -E_NOTFOUND)
		return why_set(why, err, "%s (Debian package iproute2)", detail.text);
	if (err != 0)
		return why_set(why, err, "namespace %s: %s", ns ? ns : "net", detail.text);
	return 0;
}

/* /proc/sys/net shows the namespace of whoever opens it. optional: a module that is not loaded
 * has no such setting. */
static int set_sysctl(int netns_fd, int home_fd, const char *name, const char *value, bool optional,
                      struct why *why)
{
	char path[128];
	int fd, err = 0;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	if (setns(netns_fd, CLONE_NEWNET) != 0)
		return why_set(why, error_from_errno(errno), "setns: %s", strerror(errno));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 ? !(optional && errno == ENOENT)
	           : write(fd, value, strlen(value)) != (ssize_t)strlen(value))
		err = why_set(why, -E_IO, "cannot set %s to %s: %s", path, value, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (setns(home_fd, CLONE_NEWNET) != 0)
		return why_set(why, error_from_errno(errno), "setns: %s", strerror(errno));
	return err;
}

int lab_socket(int netns_fd, int family, int type, struct why *why)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int fd = -1;

	if (home < 0 || setns(netns_fd, CLONE_NEWNET) != 0) {
		why_set(why, -E_IO, "cannot enter a network namespace: %s", strerror(errno));
		goto out;
	}
	fd = socket(family, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		why_set(why, -E_IO, "socket: %s", strerror(errno));
	if (setns(home, CLONE_NEWNET) != 0) {
		/* In the wrong namespace nothing later can be right. */
		perror("setns");
		abort();
	}
out:
	if (home >= 0)
		close(home);
	return fd >= 0 ? fd : -E_IO;
}

static int open_ns(const char *name, int *fd, struct why *why)
{
	char path[64];

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	return *fd >= 0 ? 0 : why_set(why, -E_IO, "%s: %s", path, strerror(errno));
}

static int build_core(struct lab *lab, struct why *why)
{
	int err = ip_batch(NULL, why,
	                   "link set lo up\n"
	                   "link add name net type bridge mcast_snooping 0\n"
	                   "addr add 203.0.113.1/24 dev net\n"
	                   "addr add 2001:db8::1/64 dev net nodad\n"
	                   "link set dev net up\n"
	                   "netns add " SERVER_NS "\n"
	                   "link add name srv0 type veth peer name eth0 netns " SERVER_NS "\n"
	                   "link set dev srv0 master net\n"
	                   "link set dev srv0 up\n");
	if (err == 0)
		err = ip_batch(SERVER_NS, why,
		               "link set lo up\n"
		               "addr add " LAB_SERVER_IP "/24 dev eth0\n"
		               "addr add " LAB_SERVER_IP_TWO "/24 dev eth0\n"
		               "addr add 2001:db8::10/64 dev eth0 nodad\n"
		               "addr add 2001:db8::11/64 dev eth0 nodad\n"
		               "link set dev eth0 up\n"
		               "route add default via 203.0.113.1\n");
	if (err == 0)
		err = open_ns(SERVER_NS, &lab->server_ns, why);
	return err;
}

static int build_side(struct lab *lab, enum lab_side i, struct why *why)
{
	struct side *s = &lab->side[i];
	const char *router = side_plan[i].router, *client = side_plan[i].client;
	int err;

	err = ip_batch(NULL, why,
	               "netns add %s\n"
	               "netns add %s\n"
	               "link add name wan-%s type veth peer name wan netns %s\n"
	               "link set dev wan-%s master net\n"
	               "link set dev wan-%s up\n",
	               router, client, side_plan[i].name, router, side_plan[i].name,
	               side_plan[i].name);
	if (err == 0)
		err = open_ns(router, &s->router_ns, why);
	if (err == 0)
		err = open_ns(client, &s->client_ns, why);
	/* The sides speak IPv4 only: a second, untranslated path would win every call. */
	if (err == 0)
		err = set_sysctl(s->router_ns, lab->home_ns, "ipv6/conf/all/disable_ipv6", "1",
		                 true, why);
	if (err == 0)
		err = set_sysctl(s->client_ns, lab->home_ns, "ipv6/conf/all/disable_ipv6", "1",
		                 true, why);
	if (err == 0)
		err = ip_batch(router, why,
		               "link set lo up\n"
		               "link add name lan type bridge mcast_snooping 0\n"
		               "link add name lan0 type veth peer name eth0 netns %s\n"
		               "link set dev lan0 master lan\n"
		               "link set dev lan0 up\n"
		               "link set dev lan up\n"
		               "addr add %s/24 dev wan\n"
		               "addr add %s/24 dev lan\n"
		               "link set dev wan up\n"
		               "route add default via 203.0.113.1\n",
		               client, side_plan[i].wan, side_plan[i].lan_router);
	if (err == 0)
		err = ip_batch(client, why, "link set lo up\nlink set dev eth0 up\n");
	/* Bridged frames must not pass the IP rules a second time. */
	for (const char *const *p = (const char *const[]){"bridge/bridge-nf-call-iptables",
	                                                  "bridge/bridge-nf-call-ip6tables", NULL};
	     *p && err == 0; p++) {
		err = set_sysctl(s->router_ns, lab->home_ns, *p, "0", true, why);
		if (err == 0)
			err = set_sysctl(lab->home_ns, lab->home_ns, *p, "0", true, why);
	}
	if (err == 0)
		err = set_sysctl(s->router_ns, lab->home_ns, "ipv4/ip_forward", "1", false, why);
	return err;
}

int lab_new(struct lab **out, struct why *why)
{
	struct lab *lab = calloc(1, sizeof(*lab));
	int err;

	if (!lab)
		return why_set(why, -E_NOMEM, "out of memory");
	lab->home_ns = lab->server_ns = -1;
	for (int i = 0; i < LAB_SIDES; i++)
		lab->side[i].router_ns = lab->side[i].client_ns = -1;
	lab->home_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (lab->home_ns < 0)
		err = why_set(why, -E_IO, "/proc/self/ns/net: %s", strerror(errno));
	else
		err = build_core(lab, why);
	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = build_side(lab, i, why);
	if (err != 0) {
		lab_free(lab);
		return err;
	}
	*out = lab;
	return 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void lab_free(struct lab *lab)
{
	if (!lab)
		return;
	for (int i = 0; i < LAB_SIDES; i++) {
		close_fd(lab->side[i].router_ns);
		close_fd(lab->side[i].client_ns);
	}
	close_fd(lab->server_ns);
	close_fd(lab->home_ns);
	free(lab);
}

static int load_rules(struct lab *lab, enum lab_side i, const struct nat_kind *kind,
                      struct why *why)
{
	const char *argv[] = {"nft", "-f", "-", NULL};
	struct why detail;
	char rules[4096];
	int err;

	if (nat_ruleset(kind, rules, sizeof(rules)) != 0)
		return why_set(why, -E_ROOM, "NAT kind %s: rules too long", kind->name);
	err = proc_run(argv, lab->side[i].router_ns, rules, PROGRAM_LIMIT_MS, &detail);
	if (err == -E_NOTFOUND)
		return why_set(why, err, "%s (Debian package nftables)", detail.text);
	if (err != 0)
		return why_set(why, err, "NAT kind %s: this kernel refuses a rule: %s", kind->name,
		               detail.text);
	return 0;
}

/* The client keeps a public address and the router answers ARP for it on both sides. */
static int address_public(struct lab *lab, enum lab_side i, struct why *why)
{
	const struct side *s = &lab->side[i];
	static const char *const sysctls[][2] = {
	    {"ipv4/conf/wan/proxy_arp", "1"},
	    {"ipv4/conf/lan/proxy_arp", "1"},
	    {"ipv4/neigh/wan/proxy_delay", "0"},
	    {"ipv4/neigh/lan/proxy_delay", "0"},
	};
	int err = 0;

	for (size_t k = 0; k < sizeof(sysctls) / sizeof(*sysctls) && err == 0; k++)
		err = set_sysctl(s->router_ns, lab->home_ns, sysctls[k][0], sysctls[k][1], false,
		                 why);
	if (err == 0)
		err = ip_batch(side_plan[i].router, why, "route replace %s/32 dev lan\n",
		               side_plan[i].public_client);
	if (err == 0)
		err = ip_batch(side_plan[i].client, why,
		               "addr flush dev eth0 scope global\n"
		               "addr add %s/24 dev eth0\n"
		               "route replace default via 203.0.113.1\n",
		               side_plan[i].public_client);
	return err;
}

static int address_private(enum lab_side i, struct why *why)
{
	return ip_batch(side_plan[i].client, why,
	                "addr flush dev eth0 scope global\n"
	                "addr add %s/24 dev eth0\n"
	                "route replace default via %s\n",
	                side_plan[i].lan_client, side_plan[i].lan_router);
}

int lab_set_nat(struct lab *lab, enum lab_side side, const struct nat_kind *kind, struct why *why)
{
	int err = load_rules(lab, side, kind, why);

	if (err == 0)
		err = kind->public_client ? address_public(lab, side, why)
		                          : address_private(side, why);
	if (err == 0)
		lab->side[side].kind = kind;
	return err;
}

int lab_client_ns(const struct lab *lab, enum lab_side side)
{
	return lab->side[side].client_ns;
}

int lab_server_ns(const struct lab *lab)
{
	return lab->server_ns;
}

const char *lab_side_name(enum lab_side side)
{
	return side_plan[side].name;
}

int lab_verify_nat(struct lab *lab, enum lab_side side, struct why *why)
{
	const struct nat_kind *kind = lab->side[side].kind;
	struct nat_behaviour seen;
	char want[128], got[128];
	int err;

	/* Silence is a verdict here, so a mismatch is looked at again with more patience. */
	for (int64_t patience_ms = 250;; patience_ms = 2500) {
		err = probe_nat(lab->server_ns, lab->side[side].client_ns, patience_ms, &seen, why);
		if (err != 0)
			return err;
		if (nat_behaviour_equal(&seen, &kind->behaviour))
			return 0;
		if (patience_ms > 250)
			break;
	}
	return why_set(why, -E_CORRUPT,
	               "the lab is broken: side %s should be NAT kind %s (%s), but probing found "
	               "%s",
	               side_plan[side].name, kind->name,
	               nat_behaviour_text(&kind->behaviour, want, sizeof(want)),
	               nat_behaviour_text(&seen, got, sizeof(got)));
}

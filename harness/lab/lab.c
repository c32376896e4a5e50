/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Builds the lab with ip(8) in batches: few processes, quick.
 */
#include "harness/lab/lab.h"

#include "harness/lab/inside.h"
#include "harness/lab/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERVER_NS "srv"

const struct side_plan side_plan[LAB_SIDES] = {
    {"a", "na", "ga", "ca", 1, "192.168.1", "2001:db8::21", "2001:db8:a"},
    {"b", "nb", "gb", "cb", 2, "192.168.2", "2001:db8::22", "2001:db8:b"},
};

static int open_ns(const char *name, int *fd, struct why *why)
{
	char path[64];

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	return *fd >= 0 ? 0 : why_set(why, -E_IO, "%s: %s", path, strerror(errno));
}

struct setting {
	const char *name, *value;
	bool optional;
};

static int set_all(int netns_fd, const struct setting *s, size_t n, struct why *why)
{
	int err = 0;

	for (size_t i = 0; i < n && err == 0; i++)
		err = net_sysctl(netns_fd, s[i].name, s[i].value, s[i].optional, why);
	return err;
}

/* No waiting for duplicates of addresses that only we give out. The interface's own setting counts,
 * and must stand before it goes up: until its link-local address is settled, a router asks for no
 * neighbour there. */
#define NO_DAD(dev)                                                                                \
	{                                                                                          \
		"ipv6/conf/" dev "/accept_dad", "0", true                                          \
	}

static int build_core(struct lab *lab, struct why *why)
{
	static const struct setting server[] = {NO_DAD("eth0")};
	int err = net_ip(NULL, why,
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
		err = open_ns(SERVER_NS, &lab->server_ns, why);
	if (err == 0)
		err = set_all(lab->server_ns, server, 1, why);
	if (err == 0)
		err = net_ip(SERVER_NS, why,
		             "link set lo up\n"
		             "addr add " LAB_SERVER_IP "/24 dev eth0\n"
		             "addr add " LAB_SERVER_IP_TWO "/24 dev eth0\n"
		             "addr add " LAB_TURN_IP "/24 dev eth0\n"
		             /* The last one added is the source of what the server begins. */
		             "addr add " LAB_TURN_IP6 "/64 dev eth0 nodad\n"
		             "addr add " LAB_SERVER_IP6_TWO "/64 dev eth0 nodad\n"
		             "addr add " LAB_SERVER_IP6 "/64 dev eth0 nodad\n"
		             "link set dev eth0 up\n"
		             "route add default via 203.0.113.1\n"
		             "route add %s::/48 via %s\n"
		             "route add %s::/48 via %s\n",
		             side_plan[LAB_A].site, side_plan[LAB_A].router_ip6,
		             side_plan[LAB_B].site, side_plan[LAB_B].router_ip6);
	return err;
}

static int set_router(int netns_fd, struct why *why)
{
	static const struct setting before[] = {
	    {"ipv4/ip_forward", "1", false},
	    {"ipv6/conf/all/forwarding", "1", true},
	    NO_DAD("default"),
	    NO_DAD("all"),
	    NO_DAD("wan"),
	    /* A hairpinning router turns packets round: it must not tell of a shorter way. */
	    {"ipv4/conf/all/send_redirects", "0", false},
	    {"ipv4/conf/default/send_redirects", "0", false},
	    /* Bridged frames must not pass the IP rules a second time. */
	    {"bridge/bridge-nf-call-iptables", "0", true},
	    {"bridge/bridge-nf-call-ip6tables", "0", true},
	};

	return set_all(netns_fd, before, sizeof(before) / sizeof(*before), why);
}

static int set_client(int netns_fd, struct why *why)
{
	static const struct setting before[] = {
	    {"ipv6/conf/default/accept_dad", "0", true}, {"ipv6/conf/all/accept_dad", "0", true},
	    {"ipv6/conf/default/accept_ra", "0", true},  {"ipv6/conf/eth0/accept_dad", "0", true},
	    {"ipv6/conf/eth0/accept_ra", "0", true},
	};

	return set_all(netns_fd, before, sizeof(before) / sizeof(*before), why);
}

/* A namespace for each, and the wires in the middle. The carrier waits beside the path: for a
 * double NAT the router's wire is moved from "net" to the bridge "cg-x", where the carrier is. */
static int build_wires(enum lab_side i, struct why *why)
{
	const struct side_plan *p = &side_plan[i];

	return net_ip(NULL, why,
	              "netns add %s\n"
	              "netns add %s\n"
	              "netns add %s\n"
	              "link add name wan-%s type veth peer name wan netns %s\n"
	              "link set dev wan-%s master net\n"
	              "link set dev wan-%s up\n"
	              "link add name cg-%s type bridge mcast_snooping 0\n"
	              "link set dev cg-%s up\n"
	              "link add name cust-%s type veth peer name cust netns %s\n"
	              "link set dev cust-%s master cg-%s\n"
	              "link set dev cust-%s up\n"
	              "link add name gwan-%s type veth peer name wan netns %s\n"
	              "link set dev gwan-%s master net\n"
	              "link set dev gwan-%s up\n",
	              p->router, p->carrier, p->client, p->name, p->router, p->name, p->name,
	              p->name, p->name, p->name, p->carrier, p->name, p->name, p->name, p->name,
	              p->carrier, p->name, p->name);
}

static int build_side(struct lab *lab, enum lab_side i, struct why *why)
{
	const struct side_plan *p = &side_plan[i];
	struct side *s = &lab->side[i];
	int err = build_wires(i, why);

	if (err == 0)
		err = open_ns(p->router, &s->router_ns, why);
	if (err == 0)
		err = open_ns(p->carrier, &s->carrier_ns, why);
	if (err == 0)
		err = open_ns(p->client, &s->client_ns, why);
	if (err == 0)
		err = set_router(s->router_ns, why);
	if (err == 0)
		err = set_router(s->carrier_ns, why);
	if (err == 0)
		err = net_ip(p->router, why,
		             "link set lo up\n"
		             "link add name lan type bridge mcast_snooping 0\n"
		             "link add name lan-%s type veth peer name eth0 netns %s\n"
		             "link set dev lan-%s master lan\n"
		             "link set dev lan-%s up\n"
		             "link set dev lan up\n"
		             "link set dev wan up\n",
		             p->name, p->client, p->name, p->name);
	if (err == 0)
		err = net_ip(p->carrier, why,
		             "link set lo up\nlink set dev cust up\nlink set dev wan up\n");
	if (err == 0)
		err = set_client(s->client_ns, why);
	if (err == 0)
		err = net_ip(p->client, why, "link set lo up\nlink set dev eth0 up\n");
	return err;
}

static int build(struct lab *lab, struct why *why)
{
	static const struct setting home[] = {
	    {"bridge/bridge-nf-call-iptables", "0", true},
	    {"bridge/bridge-nf-call-ip6tables", "0", true},
	};
	int err = build_core(lab, why);

	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = build_side(lab, i, why);
	if (err == 0)
		err = set_all(lab->home_ns, home, sizeof(home) / sizeof(*home), why);
	if (err == 0)
		err = helper_start_names(lab, why);
	return err;
}

int lab_new(struct lab **out, struct why *why)
{
	struct lab *lab = calloc(1, sizeof(*lab));
	int err;

	if (!lab)
		return why_set(why, -E_NOMEM, "out of memory");
	lab->home_ns = lab->server_ns = -1;
	for (int i = 0; i < LAB_SIDES; i++) {
		struct side *s = &lab->side[i];

		s->router_ns = s->carrier_ns = s->client_ns = -1;
	}
	lab->home_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (lab->home_ns < 0)
		err = why_set(why, -E_IO, "/proc/self/ns/net: %s", strerror(errno));
	else
		err = build(lab, why);
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
		helper_stop_kind(&lab->side[i].helpers);
		proc_stop(lab->side[i].helpers.dns, 0);
		close_fd(lab->side[i].router_ns);
		close_fd(lab->side[i].carrier_ns);
		close_fd(lab->side[i].client_ns);
	}
	close_fd(lab->server_ns);
	close_fd(lab->home_ns);
	free(lab);
}

int lab_client_ns(const struct lab *lab, enum lab_side side)
{
	return lab->side[side].client_ns;
}

int lab_router_ns(const struct lab *lab, enum lab_side side)
{
	return lab->side[lab_router_side(lab, side)].router_ns;
}

int lab_server_ns(const struct lab *lab)
{
	return lab->server_ns;
}

const char *lab_server_host(const struct lab *lab, enum lab_side side)
{
	switch (lab->side[side].kind->client) {
	case NAT_CLIENT_PRIVATE:
	case NAT_CLIENT_PUBLIC:
	case NAT_CLIENT_DUAL:
		return LAB_SERVER_IP;
	case NAT_CLIENT_IPV6:
		return "[" LAB_SERVER_IP6 "]";
	case NAT_CLIENT_NAT64: /* a literal would not be translated */
		return LAB_SERVER_NAME;
	}
	return LAB_SERVER_IP;
}

const char *lab_client_proxy(const struct lab *lab, enum lab_side side)
{
	const struct side *s = &lab->side[side];

	return s->kind->proxy ? s->proxy_url : NULL;
}

const char *lab_side_name(enum lab_side side)
{
	return side_plan[side].name;
}

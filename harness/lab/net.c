/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The lab's work inside a network namespace: ip(8), sysctl, conntrack.
 */
#include "harness/lab/inside.h"
#include "harness/lab/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int net_run(const char *const argv[], int netns_fd, const char *package, const char *input,
            struct why *why)
{
	struct why detail;
	int err = proc_run(argv, netns_fd, input, LAB_PROGRAM_MS, &detail);

	if (err == -E_NOTFOUND)
		return why_set(why, err, "%s (Debian package %s)", detail.text, package);
	return err == 0 ? 0 : why_set(why, err, "%s", detail.text);
}

int net_ip(const char *ns, struct why *why, const char *fmt, ...)
{
	const char *inside[] = {"ip", "-n", ns, "-batch", "-", NULL};
	const char *here[] = {"ip", "-batch", "-", NULL};
	char script[4096];
	struct why detail;
	va_list ap;
	int n, err;

	va_start(ap, fmt);
	n = vsnprintf(script, sizeof(script), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(script))
		return why_set(why, -E_ROOM, "ip batch too long");
	err = net_run(ns ? inside : here, -1, "iproute2", script, &detail);
	if (err != 0 && err != -E_NOTFOUND)
		return why_set(why, err, "namespace %s: %s", ns ? ns : "net", detail.text);
	return err == 0 ? 0 : why_set(why, err, "%s", detail.text);
}

int net_enter(int netns_fd, struct why *why)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (home >= 0 && setns(netns_fd, CLONE_NEWNET) == 0)
		return home;
	why_set(why, -E_IO, "cannot enter a network namespace: %s", strerror(errno));
	if (home >= 0)
		close(home);
	return -E_IO;
}

void net_leave(int home)
{
	if (setns(home, CLONE_NEWNET) != 0) {
		/* In the wrong namespace nothing later can be right. */
		perror("setns");
		abort();
	}
	close(home);
}

int net_sysctl(int netns_fd, const char *name, const char *value, bool optional, struct why *why)
{
	int home = net_enter(netns_fd, why), fd, err = 0;
	char path[128];

	if (home < 0)
		return home;
	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 ? !(optional && errno == ENOENT)
	           : write(fd, value, strlen(value)) != (ssize_t)strlen(value))
		err = why_set(why, -E_IO, "cannot set %s to %s: %s", path, value, strerror(errno));
	if (fd >= 0)
		close(fd);
	net_leave(home);
	return err;
}

int net_flush_conntrack(int netns_fd, struct why *why)
{
	char buf[MNL_NLMSG_HDRLEN + 256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;
	struct mnl_socket *nl;
	int home = net_enter(netns_fd, why), err = 0, n;

	if (home < 0)
		return home;
	nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = 1;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	*nfg = (struct nfgenmsg){.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0};
	nl = mnl_socket_open(NETLINK_NETFILTER);
	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0 ||
	    (n = (int)mnl_socket_recvfrom(nl, buf, sizeof(buf))) < 0 ||
	    mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(nl), NULL, NULL) < 0)
		err = why_set(why, -E_IO,
		              "cannot flush the NAT's mappings: %s (kernel module "
		              "nf_conntrack_netlink)",
		              strerror(errno));
	if (nl)
		mnl_socket_close(nl);
	net_leave(home);
	return err;
}

int lab_socket(int netns_fd, int family, int type, struct why *why)
{
	int home = net_enter(netns_fd, why), fd, proto = 0;

	if (home < 0)
		return home;
	if (type == SOCK_RAW)
		proto = family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	fd = socket(family, type | SOCK_CLOEXEC, proto);
	if (fd < 0)
		why_set(why, -E_IO, "socket: %s", strerror(errno));
	net_leave(home);
	return fd >= 0 ? fd : -E_IO;
}

/* A table of the namespace, as /proc shows it to the thread that is in it. */
static FILE *open_table(int netns_fd, const char *name)
{
	struct why why;
	int home = net_enter(netns_fd, &why);
	char path[64];
	FILE *f;

	if (home < 0)
		return NULL;
	snprintf(path, sizeof(path), "/proc/thread-self/net/%s", name);
	f = fopen(path, "re");
	net_leave(home);
	return f;
}

int lab_udp_sockets(int netns_fd, struct why *why)
{
	static const char *const tables[] = {"udp", "udp6"};
	char line[512];
	int n = 0;

	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		FILE *f = open_table(netns_fd, tables[i]);

		if (!f && i == 0)
			return why_set(why, -E_IO, "cannot list UDP sockets: %s", strerror(errno));
		/* The first line says what the others mean. */
		for (int head = 1; f && fgets(line, sizeof(line), f); head = 0)
			n += !head;
		if (f)
			fclose(f);
	}
	return n;
}

/* Two lines with "Udp:" in front: names, and their values. */
static long read_overflows(FILE *f)
{
	char names[1024], values[1024], *n, *v, *save_n, *save_v;

	while (fgets(names, sizeof(names), f)) {
		if (strncmp(names, "Udp:", 4) != 0 || !fgets(values, sizeof(values), f))
			continue;
		n = strtok_r(names, " \n", &save_n);
		v = strtok_r(values, " \n", &save_v);
		while (n && v && strcmp(n, "RcvbufErrors") != 0) {
			n = strtok_r(NULL, " \n", &save_n);
			v = strtok_r(NULL, " \n", &save_v);
		}
		return n && v ? strtol(v, NULL, 10) : -1;
	}
	return -1;
}

long lab_udp_overflows(int netns_fd)
{
	FILE *f = open_table(netns_fd, "snmp");
	long n = f ? read_overflows(f) : -1;

	if (f)
		fclose(f);
	return n;
}

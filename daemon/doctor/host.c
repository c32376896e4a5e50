/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The host: descriptors, clock, kernel.
 */
#include "base/wall.h"
#include "daemon/doctor/doctor.h"
#include "daemon/process/limits.h"
#include "daemon/process/privilege.h"

#include <dirent.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define SOCKET_BUF     (4LL * 1024 * 1024) /* base/env_libevent.c asks for as much */
#define SOCKET_BUF_LOW (1LL * 1024 * 1024)

static long long limit_of(pid_t pid)
{
	char path[64], line[256];
	long long soft = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/limits", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Max open files %lld", &soft) == 1)
			break;
	if (f)
		fclose(f);
	return soft;
}

static long long open_files(pid_t pid)
{
	char path[64];
	long long n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		return -1;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

static void check_descriptors(struct doctor *d)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	size_t workers = d->conf->workers ? (size_t)d->conf->workers
	                 : cores > 0      ? (size_t)cores
	                                  : 1;
	struct limits_need need = limits_need(d->conf, d->topo.relay_n, d->topo.udp_n, workers);
	long long used = d->server ? open_files(d->server) : 0, limit = -1;
	struct rlimit own;

	if (d->server)
		limit = limit_of(d->server);
	else if (!getrlimit(RLIMIT_NOFILE, &own))
		limit = (long long)own.rlim_max;
	if (limit < 0 || used < 0)
		doctor_say(d, DOCTOR_WARN, "descriptors",
		           "cannot see those of process %d\n"
		           "run this as root or as the server's user",
		           (int)d->server);
	else if (used * 10 > limit * 9)
		doctor_say(d, DOCTOR_FAIL, "descriptors",
		           "%lld of %lld are in use: the server refuses new clients\n"
		           "set LimitNOFILE=%" PRIu64 " (systemd), --ulimit nofile=%" PRIu64
		           " (Docker) or ulimit -n, and restart",
		           used, limit, need.all, need.all);
	else if ((uint64_t)limit < need.all)
		doctor_say(d, DOCTOR_WARN, "descriptors",
		           "the limit is %lld, but the configuration can need %" PRIu64 " (%" PRIu64
		           " relays, %" PRIu64 " connections)\nset LimitNOFILE=%" PRIu64
		           " (systemd), --ulimit nofile=%" PRIu64
		           " (Docker) or ulimit -n; or lower "
		           "relay_ports, total_quota, max_tcp_connections",
		           limit, need.all, need.relays, need.connections, need.all, need.all);
	else
		doctor_say(d, DOCTOR_OK, "descriptors", "%lld of %lld are in use", used, limit);
}

static void check_clock(struct doctor *d)
{
	if (!wall_is_synchronized())
		doctor_say(d, DOCTOR_WARN, "clock",
		           "it is not synchronized, but credentials depend on the time\n"
		           "run systemd-timesyncd or chrony; in a container, on its host");
	else
		doctor_say(d, DOCTOR_OK, "clock", "it is synchronized");
}

long long doctor_proc_number(const char *path, int n)
{
	FILE *f = fopen(path, "re");
	long long value = -1;

	for (int i = 0; f && i <= n; i++)
		if (fscanf(f, "%lld", &value) != 1)
			value = -1;
	if (f)
		fclose(f);
	return value;
}

static void check_buffers(struct doctor *d)
{
	static const char *const names[] = {"rmem_max", "wmem_max"};

	for (size_t i = 0; i < 2; i++) {
		char path[64];
		long long n;

		snprintf(path, sizeof(path), "/proc/sys/net/core/%s", names[i]);
		n = doctor_proc_number(path, 0);
		if (n >= 0 && n < SOCKET_BUF_LOW)
			doctor_say(
			    d, DOCTOR_WARN, "kernel",
			    "net.core.%s is %lld: bursts of media are lost\n"
			    "run sysctl -w net.core.%s=%lld, and add a line in /etc/sysctl.d/",
			    names[i], n, names[i], SOCKET_BUF);
	}
}

/* True when "a,b-c,..." contains all from low to high; the kernel sorts and joins them. */
static bool are_reserved(const char *path, long long low, long long high)
{
	FILE *f = fopen(path, "re");
	long long first, last;
	bool all = false;
	int sep;

	while (f && fscanf(f, "%lld", &first) == 1) {
		last = first;
		sep = fgetc(f);
		if (sep == '-' && fscanf(f, "%lld", &last) == 1)
			sep = fgetc(f);
		all |= first <= low && last >= high;
		if (sep != ',')
			break;
	}
	if (f)
		fclose(f);
	return all;
}

static void check_local_ports(struct doctor *d)
{
	const char *path = "/proc/sys/net/ipv4/ip_local_port_range";
	const char *reserved = "/proc/sys/net/ipv4/ip_local_reserved_ports";
	long long low = doctor_proc_number(path, 0), high = doctor_proc_number(path, 1);
	const struct conf_ports *p = &d->conf->relay_ports;

	if (low < 0 || high < p->min || low > p->max ||
	    are_reserved(reserved, p->min > low ? p->min : low, p->max < high ? p->max : high))
		return;
	doctor_say(
	    d, DOCTOR_WARN, "kernel",
	    "relay_ports %u-%u overlap the ports that this host gives its own clients (%lld-%lld)\n"
	    "run sysctl -w net.ipv4.ip_local_reserved_ports=%u-%u, or choose other relay_ports",
	    p->min, p->max, low, high, p->min, p->max);
}

static void check_conntrack(struct doctor *d)
{
	long long max = doctor_proc_number("/proc/sys/net/netfilter/nf_conntrack_max", 0);
	long long now = doctor_proc_number("/proc/sys/net/netfilter/nf_conntrack_count", 0);

	if (max <= 0)
		return;
	if (now * 10 > max * 8)
		doctor_say(d, now >= max ? DOCTOR_FAIL : DOCTOR_WARN, "kernel",
		           "the connection table has %lld of %lld entries; when it is full, "
		           "packets are dropped\n"
		           "run sysctl -w net.netfilter.nf_conntrack_max=%lld, or exempt "
		           "relay_ports from tracking (nft: notrack)",
		           now, max, max * 4);
}

static void check_ipv6(struct doctor *d)
{
	bool wanted = false;

	for (size_t i = 0; i < d->conf->listen.n; i++)
		wanted |= addr_family(&d->conf->listen.v[i]) == AF_INET6;
	if (wanted && doctor_proc_number("/proc/sys/net/ipv6/conf/all/disable_ipv6", 0) == 1)
		doctor_say(d, DOCTOR_WARN, "kernel",
		           "listen has IPv6 addresses, but IPv6 is turned off on this host\n"
		           "run sysctl -w net.ipv6.conf.all.disable_ipv6=0, or remove the [..] "
		           "addresses from listen");
}

static void say_absent(struct doctor *d, const char *option, const struct addr *a)
{
	char text[ADDR_STRLEN];

	if (addr_family(a) != AF_UNSPEC && !addr_is_any(a) && !topology_has(&d->topo, a))
		doctor_say(d, DOCTOR_WARN, "address",
		           "%s has %s, but no interface has this address\n"
		           "it takes effect when one does; see ip address, and correct it if it is "
		           "a mistake",
		           option, addr_format_ip(a, text));
}

static void check_addresses(struct doctor *d)
{
	const struct conf *c = d->conf;
	uint16_t port = topology_ipv6_only_port(&d->topo);

	for (size_t i = 0; i < c->listen.n; i++)
		say_absent(d, "listen", &c->listen.v[i]);
	for (size_t i = 0; i < c->relay_address.n; i++)
		say_absent(d, "relay_address", &c->relay_address.v[i]);
	for (size_t i = 0; i < c->external_ip.n; i++)
		say_absent(d, "external_ip", &c->external_ip.v[i].local);
	if (port)
		doctor_say(d, DOCTOR_WARN, "address",
		           "port %u: [::] means every IPv6 address and no IPv4 address\n"
		           "for IPv4 clients add 0.0.0.0:%u to listen",
		           port, port);
}

static void check_low_ports(struct doctor *d)
{
	unsigned first = privilege_first_free_port();

	for (size_t i = 0; !d->server && geteuid() && i < d->conf->listen.n; i++)
		if (addr_port(&d->conf->listen.v[i]) && addr_port(&d->conf->listen.v[i]) < first) {
			struct why why;

			privilege_explain_port(addr_port(&d->conf->listen.v[i]), "as this user", 13,
			                       &why);
			doctor_say(d, DOCTOR_WARN, "kernel",
			           "listen has port %u, which is below %u\n"
			           "%s",
			           addr_port(&d->conf->listen.v[i]), first, why.text);
		}
}

void doctor_host(struct doctor *d)
{
	check_descriptors(d);
	check_clock(d);
	check_buffers(d);
	check_local_ports(d);
	check_conntrack(d);
	check_ipv6(d);
	check_addresses(d);
	check_low_ports(d);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Programs that serve a side: dnsmasq for names, tayga for NAT64, tinyproxy.
 * Only the kinds that need one ask for it.
 */
#include "base/clock.h"
#include "harness/lab/contain.h"
#include "harness/lab/inside.h"
#include "harness/lab/proc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define READY_MS 10000

__attribute__((format(printf, 3, 4))) static int write_file(const char *path, struct why *why,
                                                            const char *fmt, ...)
{
	FILE *f = fopen(path, "we");
	va_list ap;
	int n = -1;

	if (f) {
		va_start(ap, fmt);
		n = vfprintf(f, fmt, ap);
		va_end(ap);
	}
	if (f && fclose(f) == 0 && n >= 0)
		return 0;
	return why_set(why, -E_IO, "%s: %s", path, strerror(errno));
}

static int start(const char *const argv[], int netns_fd, const char *package, const char *log,
                 pid_t *pid, struct why *why)
{
	struct proc_opt opt = PROC_OPT_DEFAULT;
	struct why detail;
	int err;

	opt.netns_fd = netns_fd;
	opt.fd[1] = opt.fd[2] = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	err = proc_spawn(argv, &opt, pid, &detail);
	if (opt.fd[1] >= 0)
		close(opt.fd[1]);
	if (err == -E_NOTFOUND)
		return why_set(why, err, "%s (Debian package %s)", detail.text, package);
	return err == 0 ? 0 : why_set(why, err, "%s", detail.text);
}

/* The last words of a helper that ended, for people. */
static int died(const char *program, const char *log, struct why *why)
{
	char said[200] = "";
	int fd = open(log, O_RDONLY | O_CLOEXEC);
	off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
	off_t from = end > (off_t)sizeof(said) - 1 ? end - (off_t)sizeof(said) + 1 : 0;
	ssize_t n = fd >= 0 ? pread(fd, said, sizeof(said) - 1, from) : 0;

	said[n > 0 ? n : 0] = '\0';
	said[strcspn(said, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
	return why_set(why, -E_IO, "%s ended at once: %s", program, said);
}

static void hosts_path(enum lab_side side, char *buf, size_t size)
{
	snprintf(buf, size, CONTAIN_WORK "/hosts-%s", side_plan[side].name);
}

/* A name of the server as one kind of client should see it. */
static void add_names(FILE *f, const struct nat_kind *kind)
{
	if (nat_has_ipv4(kind))
		fprintf(f,
		        LAB_SERVER_IP " " LAB_SERVER_NAME "\n" LAB_TURN_IP " " LAB_TURN_NAME "\n");
	if (kind->client == NAT_CLIENT_NAT64)
		fprintf(f, LAB_NAT64_PREFIX "cb00:710a " LAB_SERVER_NAME "\n" /* .10 */
		        LAB_NAT64_PREFIX "cb00:710d " LAB_TURN_NAME "\n"      /* .13 */
		        /* RFC 7050: how a host finds the prefix */
		        LAB_NAT64_PREFIX "c000:aa ipv4only.arpa\n" LAB_NAT64_PREFIX
		                            "c000:ab ipv4only.arpa\n");
	else if (nat_has_ipv6(kind))
		fprintf(f, LAB_SERVER_IP6 " " LAB_SERVER_NAME "\n" LAB_TURN_IP6 " " LAB_TURN_NAME
		                          "\n");
}

/* In the place of what the name in resolv.conf would be: inside the container /run is empty, and
 * on some systems the file is a link into it. */
static int point_resolver(struct why *why)
{
	static const char file[] = CONTAIN_WORK "/resolv.conf", conf[] = "/etc/resolv.conf";
	char target[PATH_MAX], dir[PATH_MAX];
	ssize_t n;
	int err = write_file(file, why, "nameserver 127.0.0.1\noptions timeout:1 attempts:2\n");

	if (err != 0)
		return err;
	if (mount(file, conf, NULL, MS_BIND, NULL) == 0)
		return 0;
	n = errno == ENOENT ? readlink(conf, target, sizeof(target) - 1) : -1;
	target[n > 0 ? n : 0] = '\0';
	if (n > 0 && strstr(target, "run/")) {
		snprintf(dir, sizeof(dir), "/%s", strstr(target, "run/"));
		for (char *p = strchr(dir + 1, '/'); p; p = strchr(p + 1, '/')) {
			*p = '\0';
			mkdir(dir, 0755);
			*p = '/';
		}
		return write_file(dir, why, "nameserver 127.0.0.1\n");
	}
	return why_set(why, -E_DENIED, "cannot mount on %s: %s", conf, strerror(errno));
}

static int start_dnsmasq(int netns_fd, enum lab_side side, pid_t *pid, struct why *why)
{
	char hosts[64] = "--addn-hosts=";
	/* --no-daemon: with --keep-in-foreground it would change its group, which a user namespace
	 * forbids. */
	const char *const argv[] = {"dnsmasq",     "--no-daemon",
	                            "--no-resolv", "--conf-file=/dev/null",
	                            "--no-hosts",  "--listen-address=127.0.0.1",
	                            hosts,         "--bind-interfaces",
	                            "--local=//",  "--local=/test/",
	                            "--pid-file=", "--local=/arpa/",
	                            NULL};

	hosts_path(side, hosts + strlen(hosts), sizeof(hosts) - strlen(hosts));
	return start(argv, netns_fd, "dnsmasq-base", CONTAIN_WORK "/dnsmasq.log", pid, why);
}

int helper_start_names(struct lab *lab, struct why *why)
{
	char path[64];
	int err = 0;

	for (int i = 0; i < LAB_SIDES && err == 0; i++) {
		hosts_path(i, path, sizeof(path));
		err = write_file(path, why, "%s", "");
		if (err == 0)
			err = start_dnsmasq(lab->side[i].client_ns, i, &lab->side[i].helpers.dns,
			                    &lab->no_names);
		if (err == -E_NOTFOUND) /* needed by few kinds: they will say so */
			return 0;
		if (err != 0)
			return why_set(why, err, "%s", lab->no_names.text);
	}
	if (err == 0)
		err = point_resolver(why);
	lab->names = err == 0;
	return err;
}

/* After SIGHUP the old answers stand for a moment. */
static int wait_names(const struct lab *lab, enum lab_side side, struct why *why)
{
	int netns_fd = lab->side[side].client_ns, status;
	int64_t deadline = clock_mono_ms() + READY_MS;

	for (;;) {
		bool good = true;

		for (int v6 = 0; v6 < 2 && good; v6++) {
			int family = v6 ? AF_INET6 : AF_INET;
			const char *want = names_expected(lab->side[side].kind, family);
			char ip[LAB_IP_MAX] = "";
			int err = names_ask(netns_fd, LAB_SERVER_NAME, family, 1000, ip, why);

			good = want ? err == 0 && !strcmp(ip, want) : err == -E_NOTFOUND;
		}
		if (good)
			return 0;
		if (!proc_running(lab->side[side].helpers.dns, &status))
			return died("dnsmasq", CONTAIN_WORK "/dnsmasq.log", why);
		if (clock_mono_ms() >= deadline)
			return why_set(why, -E_TIMEOUT,
			               "the clients' dnsmasq does not answer for " LAB_SERVER_NAME);
		clock_sleep_ms(3);
	}
}

static int write_names(const struct lab *lab, enum lab_side side, struct why *why)
{
	char path[64];
	FILE *f;

	hosts_path(side, path, sizeof(path));
	f = fopen(path, "we");
	if (f)
		add_names(f, lab->side[side].kind);
	if (f && fclose(f) == 0)
		return 0;
	return why_set(why, -E_IO, "%s: %s", path, strerror(errno));
}

int helper_set_names(struct lab *lab, enum lab_side side, struct why *why)
{
	const struct nat_kind *kind = lab->side[side].kind;
	char ip[LAB_IP_MAX];
	int err, status;

	if (!lab->names && kind->client == NAT_CLIENT_NAT64)
		return why_set(why, -E_NOTFOUND, "NAT kind %s: %s", kind->name, lab->no_names.text);
	if (!lab->names)
		return 0;
	err = write_names(lab, side, why);
	/* Before it answers, a signal would end it. */
	while (err == 0 && names_ask(lab->side[side].client_ns, LAB_SERVER_NAME, AF_INET, 500, ip,
	                             why) == -E_TIMEOUT) {
		if (!proc_running(lab->side[side].helpers.dns, &status))
			err = died("dnsmasq", CONTAIN_WORK "/dnsmasq.log", why);
	}
	if (err != 0)
		return err;
	/* The program itself: its process group is of it alone. */
	kill(lab->side[side].helpers.dns, SIGHUP);
	return wait_names(lab, side, why);
}

static int wait_interface(int netns_fd, const char *name, pid_t pid, const char *log,
                          struct why *why)
{
	int64_t deadline = clock_mono_ms() + READY_MS;
	int home, status;

	for (;;) {
		unsigned index;

		home = net_enter(netns_fd, why);
		if (home < 0)
			return home;
		index = if_nametoindex(name);
		net_leave(home);
		if (index > 0)
			return 0;
		if (!proc_running(pid, &status))
			return died("tayga", log, why);
		if (clock_mono_ms() >= deadline)
			return why_set(why, -E_TIMEOUT, "tayga makes no interface");
		clock_sleep_ms(3);
	}
}

static int check_tun(struct why *why)
{
	if (access("/dev/net/tun", R_OK | W_OK) == 0)
		return 0;
	return why_set(why, errno == EACCES ? -E_DENIED : -E_UNSUPPORTED, "/dev/net/tun: %s (%s)",
	               strerror(errno),
	               errno == EACCES ? "chmod 666 /dev/net/tun, as it is on most systems"
	                               : "modprobe tun; in Docker: --device /dev/net/tun");
}

/* tayga translates one to one between IPv6 and its pool; the router's own NAT does the rest. */
int helper_start_nat64(struct lab *lab, enum lab_side side, struct why *why)
{
	struct side *s = &lab->side[side];
	char conf[64], log[64];
	const char *const argv[] = {"tayga", "--nodetach", "--config", conf, NULL};
	struct why detail;
	int err;

	snprintf(conf, sizeof(conf), CONTAIN_WORK "/tayga-%s.conf", side_plan[side].name);
	snprintf(log, sizeof(log), CONTAIN_WORK "/tayga-%s.log", side_plan[side].name);
	err = write_file(conf, &detail,
	                 "tun-device nat64\n"
	                 "ipv4-addr 192.168.255.1\n"
	                 "prefix " LAB_NAT64_PREFIX "/96\n"
	                 "dynamic-pool 192.168.255.0/24\n");
	if (err == 0)
		err = start(argv, s->router_ns, "tayga", log, &s->helpers.nat64, &detail);
	if (err == 0)
		err = check_tun(&detail);
	if (err == 0)
		err = wait_interface(s->router_ns, "nat64", s->helpers.nat64, log, &detail);
	if (err == 0)
		err = net_ip(side_plan[side].router, &detail,
		             "link set dev nat64 up\n"
		             "route add " LAB_NAT64_PREFIX "/96 dev nat64\n"
		             "route add 192.168.255.0/24 dev nat64\n");
	return err == 0 ? 0 : why_set(why, err, "NAT kind %s: %s", s->kind->name, detail.text);
}

static int wait_port(int netns_fd, const char *ip, uint16_t port, pid_t pid, const char *log,
                     struct why *why)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int64_t deadline = clock_mono_ms() + READY_MS;
	int status;

	inet_pton(AF_INET, ip, &to.sin_addr);
	for (;;) {
		int fd = lab_socket(netns_fd, AF_INET, SOCK_STREAM, why), err;

		if (fd < 0)
			return fd;
		err = connect(fd, (struct sockaddr *)&to, sizeof(to));
		close(fd);
		if (err == 0)
			return 0;
		if (!proc_running(pid, &status))
			return died("tinyproxy", log, why);
		if (clock_mono_ms() >= deadline)
			return why_set(why, -E_TIMEOUT, "tinyproxy does not listen");
		clock_sleep_ms(5);
	}
}

int helper_start_proxy(struct lab *lab, enum lab_side side, struct why *why)
{
	struct side *s = &lab->side[side];
	char conf[64], log[64], ip[LAB_IP_MAX];
	const char *const argv[] = {"tinyproxy", "-d", "-c", conf, NULL};
	struct why detail;
	int err;

	snprintf(conf, sizeof(conf), CONTAIN_WORK "/proxy-%s.conf", side_plan[side].name);
	snprintf(log, sizeof(log), CONTAIN_WORK "/proxy-%s.log", side_plan[side].name);
	snprintf(ip, sizeof(ip), "%s.1", side_plan[side].lan);
	err = write_file(conf, &detail,
	                 "Port " LAB_PROXY_PORT "\nListen %s\nTimeout 600\nMaxClients 200\n"
	                 "ConnectPort 443\nLogLevel Warning\nDisableViaHeader Yes\n",
	                 ip);
	if (err == 0)
		err = start(argv, s->router_ns, "tinyproxy-bin", log, &s->helpers.proxy, &detail);
	if (err == 0)
		err = wait_port(s->router_ns, ip, (uint16_t)atoi(LAB_PROXY_PORT), s->helpers.proxy,
		                log, &detail);
	/* The proxy resolves the names that clients ask it for. */
	if (err == 0 && lab->names)
		err = write_names(lab, side, &detail);
	if (err == 0 && lab->names)
		err = start_dnsmasq(s->router_ns, side, &s->helpers.router_dns, &detail);
	return err == 0 ? 0 : why_set(why, err, "NAT kind %s: %s", s->kind->name, detail.text);
}

void helper_stop_kind(struct helpers *h)
{
	pid_t *const all[] = {&h->router_dns, &h->nat64, &h->proxy, &h->delay};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		proc_stop(*all[i], 0);
		*all[i] = 0;
	}
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The owners of the ports, from /proc/net.
 */
#include "daemon/doctor/doctor.h"

#include "daemon/process/privilege.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TCP_LISTEN 10

struct entry {
	struct addr local;
	unsigned state;
	unsigned long inode;
};

/* "0100007F:0D96": words of four bytes in the host's order. */
static bool parse_addr(const char *text, struct addr *out)
{
	uint8_t ip[16];
	size_t words = strcspn(text, ":") / 8;
	unsigned port;

	if ((words != 1 && words != 4) || sscanf(text + words * 8, ":%4x", &port) != 1)
		return false;
	for (size_t i = 0; i < words; i++) {
		unsigned word;

		if (sscanf(text + i * 8, "%8x", &word) != 1)
			return false;
		memcpy(ip + i * 4, &word, 4);
	}
	addr_from_bytes(out, ip, words * 4, (uint16_t)port);
	return true;
}

/* Calls each for every socket of a table (udp, udp6, tcp, tcp6) until it says true. */
static void walk(const char *table, bool (*each)(void *ctx, const struct entry *e), void *ctx)
{
	char path[32], line[512], local[64];
	struct entry e;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/net/%s", table);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " %*d: %63s %*s %x %*s %*s %*s %*s %*s %lu", local, &e.state,
		           &e.inode) == 3 &&
		    parse_addr(local, &e.local) && each(ctx, &e))
			break;
	if (f)
		fclose(f);
}

struct wanted {
	const struct addr *addr;
	bool tcp;
	unsigned long inode[64]; /* one for each worker */
	size_t n;
};

static bool on_entry(void *ctx, const struct entry *e)
{
	struct wanted *w = ctx;

	if (addr_port(&e->local) == addr_port(w->addr) && (!w->tcp || e->state == TCP_LISTEN) &&
	    (addr_is_any(&e->local) || addr_is_any(w->addr) || addr_equal_ip(&e->local, w->addr)))
		w->inode[w->n++] = e->inode;
	return w->n == sizeof(w->inode) / sizeof(*w->inode);
}

static bool has_inode(pid_t pid, unsigned long inode)
{
	char path[300], link[64], want[64];
	struct dirent *e;
	bool found = false;
	DIR *dir;

	snprintf(want, sizeof(want), "socket:[%lu]", inode);
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	while (dir && !found && (e = readdir(dir))) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%d/fd/%s", (int)pid, e->d_name);
		n = readlink(path, link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = 0;
		found = !strcmp(link, want);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* The server's open sockets, sorted: there may be very many. */
struct inodes {
	unsigned long *v;
	size_t n;
	bool known; /* false: its descriptors cannot be seen by this user */
};

static int by_number(const void *a, const void *b)
{
	unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;

	return (x > y) - (x < y);
}

static struct inodes inodes_of(pid_t pid)
{
	struct inodes all = {.v = NULL};
	char path[300], link[64];
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = pid ? opendir(path) : NULL;
	all.known = dir;
	while (dir && (e = readdir(dir))) {
		unsigned long inode, *grown;
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%d/fd/%s", (int)pid, e->d_name);
		n = readlink(path, link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = 0;
		if (sscanf(link, "socket:[%lu]", &inode) != 1)
			continue;
		grown = reallocarray(all.v, all.n + 1, sizeof(*grown));
		if (!grown)
			break;
		all.v = grown;
		all.v[all.n++] = inode;
	}
	if (dir)
		closedir(dir);
	if (all.n)
		qsort(all.v, all.n, sizeof(*all.v), by_number);
	return all;
}

static bool is_in(const struct inodes *all, unsigned long inode)
{
	return all->n && bsearch(&inode, all->v, all->n, sizeof(inode), by_number);
}

/* 0: it cannot be seen from here. */
static pid_t owner_of(unsigned long inode)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	pid_t found = 0;

	while (proc && !found && (e = readdir(proc)))
		if (isdigit((unsigned char)e->d_name[0]) && has_inode(atoi(e->d_name), inode))
			found = atoi(e->d_name);
	if (proc)
		closedir(proc);
	return found;
}

const char *doctor_process(pid_t pid, char buf[64])
{
	char path[64];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	f = pid ? fopen(path, "re") : NULL;
	n = f ? fread(buf, 1, 63, f) : 0;
	if (f)
		fclose(f);
	buf[n] = 0;
	buf[strcspn(buf, "\n")] = 0;
	if (!n)
		snprintf(buf, 64, "another user's process");
	return buf;
}

/* If they are not visible, the answers on the port decide. */
static bool is_ours(const struct inodes *server, const struct wanted *w)
{
	for (size_t i = 0; server->known && i < w->n; i++)
		if (!is_in(server, w->inode[i]))
			return false;
	return w->n > 0;
}

/* True when we could bind it; errno says why not. */
static bool can_bind(const struct addr *a, bool tcp)
{
	int fd = socket(addr_family(a), (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	int one = 1, err = 0;

	if (fd < 0)
		return false;
	if (tcp)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (addr_family(a) == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, &a->sa, addr_len(a)))
		err = errno;
	close(fd);
	errno = err;
	return !err;
}

/* False when there is something to say, and it was said. */
static bool check_port(struct doctor *d, const struct inodes *server, const struct addr *a,
                       bool tcp)
{
	bool v6 = addr_family(a) == AF_INET6;
	struct wanted w = {.addr = a, .tcp = tcp};
	char text[ADDR_STRLEN], name[64];
	const char *protocol = tcp ? "TCP" : "UDP";
	struct why why;
	pid_t pid;

	if (!addr_port(a))
		return true;
	walk(tcp ? v6 ? "tcp6" : "tcp" : v6 ? "udp6" : "udp", on_entry, &w);
	addr_format(a, text);
	if (w.n && d->server && is_ours(server, &w))
		return true;
	if (!w.n && d->server) {
		doctor_say(d, DOCTOR_FAIL, "ports",
		           "%s %s: the server does not listen there\n"
		           "restart it: listen has changed since its start, or it was started with "
		           "another configuration",
		           protocol, text);
		return false;
	}
	if (w.n) {
		pid = owner_of(w.inode[0]);
		doctor_say(d, DOCTOR_FAIL, "ports",
		           "%s %s is used by process %d (%s)\n"
		           "stop that process, or choose another port with listen",
		           protocol, text, (int)pid, doctor_process(pid, name));
		return false;
	}
	if (can_bind(a, tcp))
		return true;
	if (!privilege_explain_port(addr_port(a), text, errno, &why))
		why_set(&why, -E_IO, "choose another with listen");
	doctor_say(d, DOCTOR_FAIL, "ports", "%s %s cannot be bound: %s\n%s", protocol, text,
	           strerror(errno), why.text);
	return false;
}

/* ---- the relay's ports ---- */

struct range {
	struct doctor *d;
	const struct inodes *server;
	uint8_t taken[8192]; /* a bit for each port */
	unsigned n;
	unsigned long inode; /* of one of them */
};

static bool on_relay_port(void *ctx, const struct entry *e)
{
	struct range *r = ctx;
	const struct conf_ports *p = &r->d->conf->relay_ports;
	unsigned port = addr_port(&e->local);
	bool ours = addr_is_any(&e->local);

	for (size_t i = 0; i < r->d->topo.relay_n; i++)
		ours |= addr_equal_ip(&e->local, &r->d->topo.relay[i].local);
	if (port < p->min || port > p->max || !ours || (r->taken[port / 8] & 1 << port % 8) ||
	    is_in(r->server, e->inode))
		return false;
	r->taken[port / 8] |= (uint8_t)(1 << port % 8);
	r->n++;
	r->inode = e->inode;
	return false;
}

static void check_relay_ports(struct doctor *d, const struct inodes *server)
{
	const struct conf_ports *p = &d->conf->relay_ports;
	unsigned all = p->max - p->min + 1U;
	struct range r = {.d = d, .server = server};
	char name[64];
	pid_t pid;

	if (d->server && !server->known)
		return;
	walk("udp", on_relay_port, &r);
	walk("udp6", on_relay_port, &r);
	if (!r.n) {
		doctor_say(d, DOCTOR_OK, "ports", "no other process uses relay_ports %u-%u", p->min,
		           p->max);
		return;
	}
	pid = owner_of(r.inode);
	doctor_say(d, r.n * 2 >= all ? DOCTOR_FAIL : DOCTOR_WARN, "ports",
	           "%u of the %u relay_ports are used by other processes, such as process %d (%s)\n"
	           "stop them, or choose other relay_ports",
	           r.n, all, (int)pid, doctor_process(pid, name));
}

void doctor_ports(struct doctor *d)
{
	struct inodes server = inodes_of(d->server);
	bool good = true;

	for (size_t i = 0; i < d->conf->listen.n; i++)
		if (addr_is_any(&d->conf->listen.v[i]) ||
		    topology_has(&d->topo, &d->conf->listen.v[i]))
			good &= check_port(d, &server, &d->conf->listen.v[i], true);
	for (size_t i = 0; i < d->topo.udp_n; i++)
		if (d->topo.udp[i].presence == TURN_HERE)
			good &= check_port(d, &server, &d->topo.udp[i].addr, false);
	if (good)
		doctor_say(d, DOCTOR_OK, "ports", "all %zu addresses of listen are %s",
		           d->topo.udp_n, d->server ? "the server's" : "free");
	check_relay_ports(d, &server);
	free(server.v);
}

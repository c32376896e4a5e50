/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Giving up what only the start needs: root, groups, capabilities.
 */
#include "daemon/process/privilege.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FREE_PORT_FILE "/proc/sys/net/ipv4/ip_unprivileged_port_start"
#define FREE_PORT      1024 /* before there was that file */

static bool number(const char *text, unsigned *out)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (!*text || *end || n > 0xfffffffe)
		return false;
	*out = (unsigned)n;
	return true;
}

static int find_group(const char *name, gid_t *gid, struct why *why)
{
	const struct group *g = getgrnam(name);

	if (!g && !number(name, gid))
		return why_set(why, -E_NOTFOUND,
		               "run_as_group: there is no group %.64s: make it (groupadd --system "
		               "%.64s), or name another",
		               name, name);
	if (g)
		*gid = g->gr_gid;
	return 0;
}

static int find_user(const char *name, struct privilege *p, struct why *why)
{
	const struct passwd *pw = getpwnam(name);
	unsigned uid;

	if (!pw && number(name, &uid)) {
		p->uid = uid;
		p->gid = uid;
		pw = getpwuid(uid);
	} else if (!pw) {
		return why_set(why, -E_NOTFOUND,
		               "run_as: there is no user %.64s: make it (useradd --system "
		               "--no-create-home --shell /usr/sbin/nologin %.64s), or name another",
		               name, name);
	}
	if (pw) {
		p->uid = pw->pw_uid;
		p->gid = pw->pw_gid;
	}
	return 0;
}

/* In a user namespace made by an ordinary user, root is not what it says. */
static bool may_set_groups(void)
{
	char text[8] = "";
	FILE *f = fopen("/proc/self/setgroups", "re");

	if (f && !fgets(text, sizeof(text), f))
		text[0] = 0;
	if (f)
		fclose(f);
	return strncmp(text, "deny", 4) != 0;
}

int privilege_resolve(const struct conf *conf, struct privilege *out, struct why *why)
{
	struct privilege p = {.uid = geteuid(), .gid = getegid()};
	int r;

	if (!*conf->run_as) {
		*out = p;
		return 0;
	}
	snprintf(p.user, sizeof(p.user), "%s", conf->run_as);
	if ((r = find_user(conf->run_as, &p, why)) ||
	    (*conf->run_as_group && (r = find_group(conf->run_as_group, &p.gid, why))))
		return r;
	if (!p.uid || !p.gid)
		return why_set(why, -E_INVAL, "%s: this must not be root: name an ordinary one",
		               p.uid ? "run_as_group" : "run_as");
	p.drop = !geteuid();
	if (!p.drop && p.uid != geteuid())
		return why_set(why, -E_DENIED,
		               "run_as: uid %u cannot become %s: start as root, or remove run_as",
		               (unsigned)geteuid(), p.user);
	if (p.drop && conf->relay_ports.min < privilege_first_free_port())
		return why_set(why, -E_INVAL,
		               "relay_ports: %s may not bind ports below %u, but the range begins "
		               "at %u: choose a higher range",
		               p.user, privilege_first_free_port(), conf->relay_ports.min);
	if (p.drop && !may_set_groups())
		return why_set(why, -E_DENIED,
		               "run_as: this root may not give up its groups (as in a user "
		               "namespace): start as %s, and remove run_as",
		               p.user);
	*out = p;
	return 0;
}

static int not_owner(const struct privilege *p, const char *dir, const char *name, struct why *why)
{
	return why_set(why, -E_DENIED,
	               "data: %.120s%s%.64s does not belong to %s, so that user cannot write it: "
	               "run chown -R %u:%u %.120s",
	               dir, *name ? "/" : "", name, p->user, (unsigned)p->uid, (unsigned)p->gid,
	               dir);
}

/* The server's own files; a backup that root has put beside them stays root's. */
static bool is_written(const char *name)
{
	static const char *const names[] = {
	    "turnpike.db",      "turnpike.db-wal", "turnpike.db-shm", "turnpike.db-journal",
	    "turnpike.db.lock", "turnpike.lock",   "cert.pem",        "key.pem",
	    "hooks.db",         "hooks.db-wal",    "hooks.db-shm"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

/* 1: empty. */
static int check_entries(const struct privilege *p, const char *dir, int fd, struct why *why)
{
	DIR *d = fdopendir(dup(fd));
	struct dirent *e;
	int r = 1;

	if (!d)
		return why_set(why, error_from_errno(errno), "data: cannot read %.160s: %s", dir,
		               strerror(errno));
	while (r >= 0 && (e = readdir(d))) {
		struct stat st;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") ||
		    !strcmp(e->d_name, "lost+found"))
			continue;
		r = 0;
		if (is_written(e->d_name) && !fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
		    st.st_uid != p->uid)
			r = not_owner(p, dir, e->d_name, why);
	}
	closedir(d);
	return r;
}

static int own(const struct privilege *p, const char *dir, bool give, struct why *why)
{
	struct stat st;
	int fd, r;

	/* A user who can put a link here could get another user's folder. */
	if (!lstat(dir, &st) && S_ISLNK(st.st_mode) && st.st_uid)
		return why_set(why, -E_DENIED,
		               "data: %.160s is a link made by uid %u: name the folder itself", dir,
		               (unsigned)st.st_uid);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		r = why_set(why, error_from_errno(errno), "data: cannot open %.160s: %s", dir,
		            strerror(errno));
		goto out;
	}
	r = check_entries(p, dir, fd, why);
	if (r < 0)
		goto out;
	if (st.st_uid != p->uid && (r != 1 || (give && fchown(fd, p->uid, p->gid))))
		r = not_owner(p, dir, "", why);
	else
		r = 0;
out:
	if (fd >= 0)
		close(fd);
	return r;
}

int privilege_own_data(const struct privilege *p, const char *dir, struct why *why)
{
	if (!p->drop)
		return 0;
	if (mkdir(dir, 0700) && errno != EEXIST)
		return why_set(why, error_from_errno(errno),
		               "data: cannot make %.160s: %s: make its parent, or name another",
		               dir, strerror(errno));
	return own(p, dir, true, why);
}

int privilege_check_owner(const struct privilege *p, const char *dir, struct why *why)
{
	return !p->drop || (access(dir, F_OK) && errno == ENOENT) ? 0 : own(p, dir, false, why);
}

static int set_capabilities(unsigned long long keep)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
	    {.permitted = (unsigned)keep, .effective = (unsigned)keep},
	    {.permitted = (unsigned)(keep >> 32), .effective = (unsigned)(keep >> 32)}};

	return (int)syscall(SYS_capset, &head, data);
}

static unsigned long long capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	if (syscall(SYS_capget, &head, data))
		return ~0ULL;
	return (data[0].permitted | data[0].effective | data[0].inheritable) |
	       (unsigned long long)(data[1].permitted | data[1].effective | data[1].inheritable)
	           << 32;
}

/* Later binds happen without root: relays, and a wildcard's port on a new address. */
static unsigned long long needed_capabilities(const struct conf *conf)
{
	unsigned first = privilege_first_free_port();
	bool low = conf->relay_ports.min < first;

	for (size_t i = 0; i < conf->listen.n; i++)
		low |= addr_is_any(&conf->listen.v[i]) && addr_port(&conf->listen.v[i]) &&
		       addr_port(&conf->listen.v[i]) < first;
	return low ? capabilities() & 1ULL << CAP_NET_BIND_SERVICE : 0;
}

static int become(const struct privilege *p, unsigned long long keep, struct why *why)
{
	if (keep) /* through setresuid(2), until set_capabilities() */
		prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	if (setgroups(0, NULL))
		return why_set(why, -E_DENIED, "run_as: cannot give up the groups: %s",
		               strerror(errno));
	if (setresgid(p->gid, p->gid, p->gid) || setresuid(p->uid, p->uid, p->uid))
		return why_set(why, -E_DENIED, "run_as: cannot become %s: %s", p->user,
		               strerror(errno));
#if defined(__SANITIZE_ADDRESS__)
	prctl(PR_SET_DUMPABLE, 1); /* the leak check reads our memory from another process */
#endif
	return 0;
}

/* Every way back is tried. */
static int verify(const struct privilege *p, unsigned long long keep, struct why *why)
{
	gid_t group;
	bool left = capabilities() & ~keep;

	left |= prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1;
	if (p->drop) {
		left |= getgroups(0, &group) != 0 || getuid() != p->uid || geteuid() != p->uid ||
		        getgid() != p->gid || getegid() != p->gid;
		left |= !setuid(0) || !seteuid(0) || !setgid(0) || !setegid(0) ||
		        !setgroups(1, &p->gid);
	}
	return left ? why_set(why, -E_DENIED,
	                      "run_as: cannot give up root's rights for good, so it is not safe to "
	                      "run: start as an ordinary user")
	            : 0;
}

int privilege_drop(const struct privilege *p, const struct conf *conf, struct why *why)
{
	unsigned long long keep;
	int r;

	if (!p->drop && !geteuid())
		return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		           ? why_set(why, -E_IO, "no_new_privs: %s", strerror(errno))
		           : 0;
	keep = needed_capabilities(conf);
	if (p->drop && (r = become(p, keep, why)))
		return r;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (set_capabilities(keep) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return why_set(why, -E_IO, "run_as: cannot give up the capabilities: %s",
		               strerror(errno));
	return verify(p, keep, why);
}

int privilege_check_readable(const struct privilege *p, const char *path, struct why *why)
{
	if (!p->drop || !access(path, R_OK) || errno != EACCES)
		return 0;
	return why_set(why, -E_DENIED,
	               "%.160s: %s may not read it: run setfacl -m u:%u:r %.160s (and :x on its "
	               "folders), or chgrp %u it and chmod 640",
	               path, p->user, (unsigned)p->uid, path, (unsigned)p->gid);
}

int privilege_check_data(const struct privilege *p, const char *dir, struct why *why)
{
	if (!p->drop || !access(dir, R_OK | W_OK | X_OK))
		return 0;
	return why_set(why, error_from_errno(errno),
	               "data: %s cannot reach %.160s (%s): run chmod o+x on the folders above it, "
	               "or choose another such as /var/lib/turnpike",
	               p->user, dir, strerror(errno));
}

unsigned privilege_first_free_port(void)
{
	FILE *f = fopen(FREE_PORT_FILE, "re");
	unsigned port = FREE_PORT;

	if (f && fscanf(f, "%u", &port) != 1)
		port = FREE_PORT;
	if (f)
		fclose(f);
	return port;
}

bool privilege_explain_port(unsigned port, const char *what, int err, struct why *why)
{
	if (err != EACCES || !port || port >= privilege_first_free_port())
		return false;
	why_set(why, -E_DENIED,
	        "listen: %s: this user may not bind port %u: start as root with run_as = NAME; or "
	        "set AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit; or run setcap "
	        "cap_net_bind_service=+ep on the program; or set sysctl "
	        "net.ipv4.ip_unprivileged_port_start=%u; or choose another port with listen",
	        what, port, port);
	return true;
}

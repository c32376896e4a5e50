/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Landlock by its three system calls, which libc does not know yet; seccomp by
 * libseccomp, as a list of what is denied: a list of what is allowed would be
 * broken by the next release of any library.
 */
#include "daemon/process/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINKS_MAX 16 /* on the way to a file */

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13) /* ABI 2 */
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14) /* ABI 3 */
#endif

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_FILE                                                                                    \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |                            \
	 LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_EXECUTE)
#define FS_WRITE                                                                                   \
	(FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE |                   \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                          \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |                               \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER)

/* Libraries loaded late, resolver, time zones, devices, secrets of service managers. */
static const char *const system_folders[] = {"/usr",  "/lib", "/lib32", "/lib64", "/etc",
                                             "/proc", "/sys", "/dev",   "/run"};
static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/tty"};

struct fence {
	int fd; /* the ruleset */
	unsigned long long handled;
};

/* A missing path needs no rule. */
static int allow(const struct fence *f, const char *path, unsigned long long access)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = access & f->handled};
	struct stat st;
	int r = 0;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return 0;
	if (!fstat(rule.parent_fd, &st) && !S_ISDIR(st.st_mode))
		rule.allowed_access &= FS_FILE;
	if (syscall(SYS_landlock_add_rule, f->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
		r = error_from_errno(errno);
	close(rule.parent_fd);
	return r;
}

static int allow_folder_of(const struct fence *f, const char *path)
{
	char folder[PATH_MAX];
	char *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return slash ? 0 : allow(f, ".", FS_READ); /* never all of "/" */
	*slash = 0;
	return allow(f, folder, FS_READ);
}

/* The folder of a file, except folders that hold everybody's (/home, /var). */
static int allow_above(const struct fence *f, const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX], above[PATH_MAX];

	if (!slash || slash - path > PATH_MAX - 4)
		return 0;
	snprintf(folder, sizeof(folder), "%.*s/..", (int)(slash - path), path);
	if (!realpath(folder, above) || !strchr(above + 1, '/'))
		return 0;
	return allow(f, above, FS_READ);
}

/* The folder of the file and, for each link on the way, where the successor of what it points to is
 * going to lie: beside it, or for a link to a file, in a folder beside its folder. */
static int allow_around(const struct fence *f, const char *path, int depth)
{
	char head[PATH_MAX], target[PATH_MAX], next[2 * PATH_MAX + 2];
	int r = allow_folder_of(f, path);

	for (const char *p = path; !r && *p; p++) {
		size_t len = (size_t)(p - path) + 1;
		ssize_t n;
		char *slash;

		if ((p[1] && p[1] != '/') || *p == '/' || len >= sizeof(head))
			continue;
		memcpy(head, path, len);
		head[len] = 0;
		n = readlink(head, target, sizeof(target) - 1);
		if (n <= 0)
			continue;
		if (depth == LINKS_MAX)
			return -E_INVAL;
		target[n] = 0;
		slash = strrchr(head, '/');
		if (slash)
			slash[1] = 0;
		if ((size_t)snprintf(next, sizeof(next), "%s%s",
		                     target[0] == '/' || !slash ? "" : head, target) >= PATH_MAX)
			return -E_INVAL;
		r = p[1] ? allow_folder_of(f, next) : allow_above(f, next);
		snprintf(next + strlen(next), sizeof(next) - strlen(next), "%s", p + 1);
		return r ? r : allow_around(f, next, depth + 1);
	}
	return r;
}

static int landlock_rules(const struct fence *f, const char *data, const char *const *read,
                          size_t n)
{
	int r = allow(f, data, FS_WRITE);

	for (size_t i = 0; !r && i < sizeof(system_folders) / sizeof(*system_folders); i++)
		r = allow(f, system_folders[i], FS_READ);
	for (size_t i = 0; !r && i < sizeof(devices) / sizeof(*devices); i++)
		r = allow(f, devices[i], FS_FILE & ~LANDLOCK_ACCESS_FS_EXECUTE);
	for (size_t i = 0; !r && i < n; i++)
		if (read[i] && *read[i])
			r = allow_around(f, read[i], 0);
	return r;
}

static int enter_landlock(const char *data, const char *const *read, size_t n, int *abi,
                          struct why *why)
{
	struct landlock_ruleset_attr attr = {.handled_access_fs = (1ULL << 13) - 1};
	struct fence f;
	int r;

	*abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (*abi <= 0) { /* not in this kernel, or switched off, or a container's filter */
		*abi = 0;
		return 0;
	}
	if (*abi >= 2)
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
	if (*abi >= 3)
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
	f = (struct fence){.handled = attr.handled_access_fs};
	f.fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (f.fd < 0)
		return why_set(why, -E_IO, "sandbox: Landlock: %s: set sandbox = no",
		               strerror(errno));
	r = landlock_rules(&f, data, read, n);
	if (!r && syscall(SYS_landlock_restrict_self, f.fd, 0))
		r = error_from_errno(errno);
	close(f.fd);
	if (r)
		why_set(why, r, "sandbox: Landlock: %s: set sandbox = no", error_text(r));
	return r;
}

/* Useless to a relay, and useful to an attacker who has taken one over. */
static const int denied[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    SCMP_SYS(ptrace), /* the leak check of a sanitized build lives on it */
#endif
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(kcmp),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsmount),
    SCMP_SYS(fsconfig),
    SCMP_SYS(fspick),
    SCMP_SYS(mount_setattr),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(keyctl),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    SCMP_SYS(modify_ldt),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(reboot),
    SCMP_SYS(acct),
    SCMP_SYS(quotactl),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
    SCMP_SYS(syslog),
    SCMP_SYS(vhangup),
    SCMP_SYS(personality),
};

/* All that the server and its libraries speak. */
static const int allowed_sockets[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

#define FAMILIES          64 /* more than any kernel has */
#define NETLINK_PROTOCOLS 32 /* MAX_LINKS */

/* Would lead out through another namespace. CLONE_NEWTIME is no flag of clone(2). */
static const unsigned int denied_clone_flags[] = {CLONE_NEWNS,  CLONE_NEWCGROUP, CLONE_NEWUTS,
                                                  CLONE_NEWIPC, CLONE_NEWUSER,   CLONE_NEWPID,
                                                  CLONE_NEWNET};
#if defined(__s390x__)
#define CLONE_FLAGS_ARG 1
#else
#define CLONE_FLAGS_ARG 0
#endif

/* Put input into the terminal that the server was started from. */
static const unsigned int denied_ioctls[] = {TIOCSTI, TIOCLINUX};

/* An argument that is an int or an unsigned int to the kernel: it looks at the low 32 bits alone,
 * whatever the register's others are. The low bits in mask have to be value's. */
static struct scmp_arg_cmp low_bits(unsigned int arg, unsigned int mask, unsigned int value)
{
	return (struct scmp_arg_cmp){
	    .arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
}

static int deny_if(scmp_filter_ctx filter, int call, struct scmp_arg_cmp cmp)
{
	return seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), call, 1, &cmp);
}

static bool is_allowed_family(int family)
{
	for (size_t i = 0; i < sizeof(allowed_sockets) / sizeof(*allowed_sockets); i++)
		if (allowed_sockets[i] == family)
			return true;
	return false;
}

static int deny_sockets(scmp_filter_ctx filter)
{
	int r = 0;

	for (int f = 0; !r && f < FAMILIES; f++) {
		if (is_allowed_family(f))
			continue;
		r = deny_if(filter, SCMP_SYS(socket), low_bits(0, UINT_MAX, (unsigned int)f));
		if (!r)
			r = deny_if(filter, SCMP_SYS(socketpair),
			            low_bits(0, UINT_MAX, (unsigned int)f));
	}
	for (unsigned int p = 0; !r && p < NETLINK_PROTOCOLS; p++) {
		struct scmp_arg_cmp both[] = {low_bits(0, UINT_MAX, AF_NETLINK),
		                              low_bits(2, UINT_MAX, p)};

		if (p != NETLINK_ROUTE) /* which knows this host's addresses */
			r = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket),
			                           2, both);
	}
	return r;
}

static int deny_arguments(scmp_filter_ctx filter)
{
	int r = deny_sockets(filter);

	for (size_t i = 0; !r && i < sizeof(denied_clone_flags) / sizeof(*denied_clone_flags); i++)
		r = deny_if(
		    filter, SCMP_SYS(clone),
		    low_bits(CLONE_FLAGS_ARG, denied_clone_flags[i], denied_clone_flags[i]));
	/* Its flags lie in memory, where a filter cannot look: libc takes clone(2) instead. */
	if (!r)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	for (size_t i = 0; !r && i < sizeof(denied_ioctls) / sizeof(*denied_ioctls); i++)
		r = deny_if(filter, SCMP_SYS(ioctl), low_bits(1, UINT_MAX, denied_ioctls[i]));
	return r;
}

static int enter_seccomp(bool *on, struct why *why)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = 0;

	if (!filter)
		return why_set(why, -E_NOMEM, "sandbox: out of memory");
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1); /* the kernel's own reason */
	/* A number that this architecture has not is below zero, and skipped. */
	for (size_t i = 0; !r && i < sizeof(denied) / sizeof(*denied); i++)
		if (denied[i] >= 0)
			r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), denied[i], 0);
	if (!r)
		r = deny_arguments(filter);
	if (!r)
		r = seccomp_load(filter);
	seccomp_release(filter);
	*on = !r;
	/* these: not in this kernel, or a container's emulation of one */
	return !r || r == -EINVAL || r == -ENOSYS || r == -EFAULT
	           ? 0
	           : why_set(why, -E_IO, "sandbox: seccomp: %s: set sandbox = no", strerror(-r));
}

int sandbox_enter(const char *data, const char *const *read, size_t n, struct sandbox_state *out,
                  struct why *why)
{
	struct sandbox_state state = {.landlock = 0};
	int r = enter_landlock(data, read, n, &state.landlock, why);

	if (!r)
		r = enter_seccomp(&state.seccomp, why);
	if (!r)
		*out = state;
	return r;
}

size_t sandbox_input_files(int argc, char *const *argv, char *const *envp, const char **out,
                           size_t max)
{
	size_t n = 0;

	for (int i = 1; i < argc && n < max; i++) {
		if (!strcmp(argv[i], "--"))
			break;
		if (!strncmp(argv[i], "--config=", 9))
			out[n++] = argv[i] + 9;
		else if (!strcmp(argv[i], "--config") && i + 1 < argc)
			out[n++] = argv[i + 1];
	}
	for (; envp && *envp && n < max; envp++) {
		const char *value = strchr(*envp, '=');

		if (!value || strncmp(*envp, "TURNPIKE_", 9) != 0)
			continue;
		if (!strncmp(*envp, "TURNPIKE_CONFIG=", 16) ||
		    (value - *envp > 5 && !strncmp(value - 5, "_FILE", 5)))
			out[n++] = value + 1;
	}
	return n;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Installs the result where the installed systemd unit looks for it.
 */
#include "daemon/import/import.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TLS_DIR  "/etc/turnpike/tls"
#define FILE_MAX (1 << 20)
/* For a path of the unit below root, with room for appended names. */
#define PLACE_MAX (2 * PATH_MAX + 64)

extern char **environ;

/* The unit's values; paths as in the running system, without the root of the installation. */
struct unit {
	char user[64], group[64], program[PATH_MAX], config[PATH_MAX], data[PATH_MAX];
	uid_t uid;
	gid_t gid;
};

struct blob {
	char *v;
	size_t len;
};

struct target {
	const char *root;
	bool force;
	struct unit unit;
	struct blob conf, cert, key; /* what goes there; cert and key may be empty */
};

static void blob_free(struct blob *b)
{
	if (b->v)
		explicit_bzero(b->v, b->len);
	free(b->v);
	b->v = NULL;
}

/* 0, -E_NOTFOUND, or another. */
static int blob_read(struct blob *b, const char *path, struct why *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = 0;
	ssize_t n = 1;

	if (fd < 0)
		return why_set(why, error_from_errno(errno), "cannot read %s: %s", path,
		               strerror(errno));
	b->len = 0;
	b->v = malloc(FILE_MAX);
	while (b->v && b->len < FILE_MAX && (n = read(fd, b->v + b->len, FILE_MAX - b->len)) > 0)
		b->len += (size_t)n;
	if (!b->v)
		r = why_set(why, -E_NOMEM, "out of memory");
	else if (n < 0 || b->len == FILE_MAX)
		r = why_set(why, -E_IO, "cannot read %s: %s", path,
		            n < 0 ? strerror(errno) : "it is too large");
	close(fd);
	return r;
}

static const char *below(const struct target *t, const char *path, char buf[PLACE_MAX])
{
	snprintf(buf, PLACE_MAX, "%s%s", t->root, path);
	return buf;
}

/* ---- the unit ---- */

static void take_word(char *out, size_t size, const char *from)
{
	snprintf(out, size, "%.*s", (int)strcspn(from, " \t\r\n"), from);
}

/* "--config FILE" or "--config=FILE" */
static void take_argument(char *out, size_t size, const char *line, const char *flag)
{
	const char *at = strstr(line, flag);

	if (at && (at[strlen(flag)] == ' ' || at[strlen(flag)] == '='))
		take_word(out, size, at + strlen(flag) + 1);
}

static void read_unit(struct unit *u, FILE *file)
{
	char line[2048];

	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, "User=", 5))
			take_word(u->user, sizeof(u->user), line + 5);
		if (!strncmp(line, "Group=", 6))
			take_word(u->group, sizeof(u->group), line + 6);
		if (!strncmp(line, "StateDirectory=", 15) && !*u->data)
			snprintf(u->data, sizeof(u->data), "/var/lib/%.*s",
			         (int)strcspn(line + 15, " \t\r\n"), line + 15);
		if (strncmp(line, "ExecStart=", 10) != 0)
			continue;
		take_word(u->program, sizeof(u->program), line + 10);
		take_argument(u->config, sizeof(u->config), line, " --config");
		take_argument(u->data, sizeof(u->data), line, " --data"); /* which beats the file */
	}
}

static int find_unit(struct target *t, struct why *why)
{
	static const char *const places[] = {"/etc/systemd/system", "/usr/local/lib/systemd/system",
	                                     "/usr/lib/systemd/system", "/lib/systemd/system"};
	struct unit *u = &t->unit;
	char path[PLACE_MAX], name[128];
	FILE *file = NULL;

	for (size_t i = 0; !file && i < sizeof(places) / sizeof(*places); i++) {
		snprintf(name, sizeof(name), "%s/turnpike.service", places[i]);
		file = fopen(below(t, name, path), "re");
	}
	if (!file)
		return why_set(why, -E_NOTFOUND,
		               "turnpike.service is not installed%s%s: install it first (./dev "
		               "install), or use --write DIR",
		               *t->root ? " below " : "", t->root);
	read_unit(u, file);
	fclose(file);
	if (!*u->user || !*u->config || !*u->data)
		return why_set(why, -E_INVAL,
		               "%s has no %s: use the unit that comes with the program", path,
		               !*u->user     ? "User="
		               : !*u->config ? "--config"
		                             : "StateDirectory=");
	return 0;
}

/* Group= of the unit; without it, it is the user's. */
static int find_group(struct target *t, struct why *why)
{
	char path[PLACE_MAX];
	FILE *file = *t->root ? fopen(below(t, "/etc/group", path), "re") : NULL;
	const struct group *g = NULL;

	if (!*t->root)
		g = getgrnam(t->unit.group);
	else if (file)
		while ((g = fgetgrent(file)) && strcmp(g->gr_name, t->unit.group) != 0)
			;
	if (g)
		t->unit.gid = g->gr_gid;
	if (file)
		fclose(file);
	return g || !*t->unit.group
	           ? 0
	           : why_set(why, -E_NOTFOUND,
	                     "the unit's group %s does not exist: groupadd --system %s",
	                     t->unit.group, t->unit.group);
}

static int find_user(struct target *t, struct why *why)
{
	char path[PLACE_MAX];
	FILE *file = *t->root ? fopen(below(t, "/etc/passwd", path), "re") : NULL;
	const struct passwd *pw = NULL;

	if (!*t->root)
		pw = getpwnam(t->unit.user);
	else if (file)
		while ((pw = fgetpwent(file)) && strcmp(pw->pw_name, t->unit.user) != 0)
			;
	if (pw) {
		t->unit.uid = pw->pw_uid;
		t->unit.gid = pw->pw_gid;
	}
	if (file)
		fclose(file);
	if (pw)
		return find_group(t, why);
	return why_set(why, -E_NOTFOUND,
	               "the unit's user %s does not exist: useradd --system --no-create-home "
	               "--home-dir %s --shell /usr/sbin/nologin %s",
	               t->unit.user, t->unit.data, t->unit.user);
}

/* ---- looking before writing ---- */

static int conf_text(struct import *im, const char *from, struct target *t, struct why *why)
{
	FILE *out = open_memstream(&t->conf.v, &t->conf.len);

	if (!out)
		return why_set(why, -E_NOMEM, "out of memory");
	import_print(out, im, from, t->unit.data);
	return fclose(out) ? why_set(why, -E_NOMEM, "out of memory") : 0;
}

/* Points the configuration to the copies. */
static int take_cert(struct import *im, struct target *t, struct why *why)
{
	int r;

	if (!im->value[OPTION_tls_cert])
		return 0;
	if ((r = blob_read(&t->cert, im->value[OPTION_tls_cert], why)) ||
	    (r = blob_read(&t->key, im->value[OPTION_tls_key], why)))
		return r;
	free(im->value[OPTION_tls_cert]);
	free(im->value[OPTION_tls_key]);
	im->value[OPTION_tls_cert] = strdup(TLS_DIR "/fullchain.pem");
	im->value[OPTION_tls_key] = strdup(TLS_DIR "/privkey.pem");
	return im->value[OPTION_tls_cert] && im->value[OPTION_tls_key]
	           ? 0
	           : why_set(why, -E_NOMEM, "out of memory");
}

/* *same: it is there, with that text. -E_EXISTS for another text, unless it may be replaced. */
static int look(const struct target *t, const char *path, const struct blob *b, bool *same,
                struct why *why)
{
	char place[PLACE_MAX];
	struct blob old = {.v = NULL};
	int r = blob_read(&old, below(t, path, place), why);

	*same = !r && old.len == b->len && !memcmp(old.v, b->v, b->len);
	blob_free(&old);
	if (r == -E_NOTFOUND)
		return 0;
	if (!r && !*same && !t->force)
		return why_set(why, -E_EXISTS,
		               "%s exists already and differs: move it away, or use --force to "
		               "replace it (the old file is kept as %s.old)",
		               place, place);
	return r;
}

static int look_for_store(const struct target *t, bool conf_same, struct why *why)
{
	char name[PATH_MAX + 16], place[PLACE_MAX];
	struct stat st;

	snprintf(name, sizeof(name), "%s/turnpike.db", t->unit.data);
	if (!conf_same && !t->force && !lstat(below(t, name, place), &st))
		return why_set(why, -E_EXISTS,
		               "%s exists already, for another configuration: move it away, or use "
		               "--force to add the users to it",
		               place);
	below(t, t->unit.data, place);
	if (!lstat(place, &st) && (!S_ISDIR(st.st_mode) || st.st_uid != t->unit.uid))
		return why_set(why, -E_INVAL, "%s is not a folder of %s: chown it, or move it away",
		               place, t->unit.user);
	return 0;
}

/* ---- writing ---- */

static int make_folders(const struct target *t, const char *path, struct why *why)
{
	char place[PLACE_MAX];

	below(t, path, place);
	for (char *p = place + strlen(t->root) + 1; (p = strchr(p, '/')); p++) {
		*p = 0;
		if (mkdir(place, 0755) && errno != EEXIST)
			return why_set(why, error_from_errno(errno), "cannot make %s: %s", place,
			               strerror(errno));
		*p = '/';
	}
	return 0;
}

/* Whole or not at all; the group may read it. */
static int put(const struct target *t, const char *path, const struct blob *b, mode_t mode,
               struct why *why)
{
	char place[PLACE_MAX], fresh[PLACE_MAX + 8], old[PLACE_MAX + 8];
	int fd, r = make_folders(t, path, why);
	bool done;

	if (r)
		return r;
	below(t, path, place);
	snprintf(fresh, sizeof(fresh), "%s.new", place);
	snprintf(old, sizeof(old), "%s.old", place);
	unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	done = fd >= 0 && write(fd, b->v, b->len) == (ssize_t)b->len &&
	       !fchown(fd, (uid_t)-1, t->unit.gid) && !fchmod(fd, mode) && !fsync(fd);
	unlink(old);
	done = done && (!link(place, old) || errno == ENOENT) && !rename(fresh, place);
	if (!done)
		r = why_set(why, error_from_errno(errno), "cannot write %s: %s", place,
		            strerror(errno));
	if (fd >= 0)
		close(fd);
	if (r)
		unlink(fresh);
	return r;
}

/* Root opens nothing in another user's folder: it becomes that user first. */
static int become(const struct unit *u)
{
	if (geteuid())
		return 0;
	return setgroups(1, &u->gid) || setresgid(u->gid, u->gid, u->gid) ||
	       setresuid(u->uid, u->uid, u->uid);
}

static int fill(const struct import *im, const struct target *t, struct why *why)
{
	char place[PLACE_MAX];
	int status = 0, r = make_folders(t, t->unit.data, why);
	pid_t pid;

	if (r)
		return r;
	below(t, t->unit.data, place);
	if (!mkdir(place, 0700)) {
		if (!geteuid() && lchown(place, t->unit.uid, t->unit.gid))
			return why_set(why, error_from_errno(errno), "cannot chown %s: %s", place,
			               strerror(errno));
	} else if (errno != EEXIST) {
		return why_set(why, error_from_errno(errno), "cannot make %s: %s", place,
		               strerror(errno));
	}
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return why_set(why, error_from_errno(errno), "cannot start a process: %s",
		               strerror(errno));
	if (!pid) {
		umask(077);
		r = become(&t->unit) ? why_set(why, -E_DENIED, "cannot become %s: %s", t->unit.user,
		                               strerror(errno))
		                     : import_fill_store(im, place, why);
		if (r)
			fprintf(stderr, "turnpike: %s\n", why->text);
		fflush(stderr);
		_exit(r ? 1 : 0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status ? why_set(why, -E_IO, "cannot make the database in %s", place) : 0;
}

/* ---- the service ---- */

/* Exit status; -1 if it cannot be run. */
static int run(char *const argv[])
{
	int status = 0;
	pid_t pid;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ))
		return -1;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int start(const struct target *t, struct why *why)
{
	char *active[] = {"systemctl", "is-active", "--quiet", "coturn", NULL};
	char *reload[] = {"systemctl", "daemon-reload", NULL};
	char *enable[] = {"systemctl", "enable", "--now", "turnpike", NULL};
	char *restart[] = {"systemctl", "restart", "turnpike", NULL};

	if (*t->root || access("/run/systemd/system", F_OK)) {
		printf(
		    "start it: systemctl enable --now turnpike (without systemd, as %s: %s serve "
		    "--config %s)\n",
		    t->unit.user, t->unit.program, t->unit.config);
		return 0;
	}
	if (!run(active)) {
		printf("coturn is running and uses the ports. To switch to Turnpike: systemctl "
		       "disable --now coturn && systemctl enable --now turnpike\n");
		return 0;
	}
	if (run(reload) || run(enable) || (t->force && run(restart)))
		return why_set(why, -E_IO, "turnpike does not start: journalctl -u turnpike -b");
	printf("turnpike.service is enabled and runs\n");
	return 0;
}

static void say_renewal(const struct target *t, const char *source)
{
	static const char live[] = "/etc/letsencrypt/live/";
	const char *name = source + sizeof(live) - 1;
	int dir = (int)(strrchr(t->unit.program, '/') - t->unit.program);

	printf(TLS_DIR ": a copy of %s and its key\n", source);
	if (!strncmp(source, live, sizeof(live) - 1))
		printf("to renew it: write renew_hook = %.*s/turnpike-install-cert into "
		       "/etc/letsencrypt/renewal/%.*s.conf, below [renewalparams]\n",
		       dir, t->unit.program, (int)strcspn(name, "/"), name);
	else
		printf("to renew it: let the program that renews it run %.*s/turnpike-install-cert "
		       "FULLCHAIN KEY\n",
		       dir, t->unit.program);
}

static int write_all(const struct import *im, const struct target *t, const char *cert,
                     const bool same[3], struct why *why)
{
	int r = 0;

	if (t->cert.v && !same[1])
		r = put(t, TLS_DIR "/privkey.pem", &t->key, 0640, why);
	if (!r && t->cert.v && !same[0])
		r = put(t, TLS_DIR "/fullchain.pem", &t->cert, 0644, why);
	if (!r && !same[2])
		r = put(t, t->unit.config, &t->conf, 0640, why);
	if (!r)
		r = fill(im, t, why);
	if (r)
		return r;
	printf("%s: %s\n", t->unit.config, same[2] ? "as it was" : "written");
	printf("%s: %zu users, %zu further secrets\n", t->unit.data, im->user_n, im->secrets.n);
	if (t->cert.v)
		say_renewal(t, cert);
	fflush(stdout);
	return start(t, why);
}

int import_install(struct import *im, const char *from, const char *root, bool force,
                   struct why *why)
{
	struct target t = {.root = root, .force = force};
	char *cert = im->value[OPTION_tls_cert] ? strdup(im->value[OPTION_tls_cert]) : NULL;
	bool same[3] = {false};
	int r;

	if (strlen(root) >= PATH_MAX)
		r = why_set(why, -E_INVAL, "--root: the path is too long");
	else if (!*root && geteuid())
		r = why_set(why, -E_DENIED, "--install: this needs root");
	else if (!(r = find_unit(&t, why)) && !(r = find_user(&t, why)) &&
	         !(r = take_cert(im, &t, why)))
		r = conf_text(im, from, &t, why);
	if (!r && t.cert.v && !(r = look(&t, TLS_DIR "/fullchain.pem", &t.cert, &same[0], why)))
		r = look(&t, TLS_DIR "/privkey.pem", &t.key, &same[1], why);
	if (!r && !(r = look(&t, t.unit.config, &t.conf, &same[2], why)))
		r = look_for_store(&t, same[2], why);
	if (!r)
		r = write_all(im, &t, cert ? cert : "", same, why);
	blob_free(&t.conf);
	blob_free(&t.cert);
	blob_free(&t.key);
	free(cert);
	return r;
}

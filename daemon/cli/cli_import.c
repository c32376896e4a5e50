/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The verb "import-coturn".
 */
#include "daemon/cli/cli_internal.h"
#include "daemon/import/import.h"
#include "store/coturn.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void print_conf(FILE *out, const struct import *im, const char *from, const char *data)
{
	fprintf(out, "# Made by turnpike import-coturn of %s. Every option: turnpike help config\n",
	        from);
	if (data)
		fprintf(out, "data = %s\n", data);
	for (size_t i = 0; i < conf_row_n; i++) {
		const struct conf_option *o = conf_rows[i].option;
		const char *value = o ? im->value[o - conf_options] : NULL;
		const char *quote;

		if (!value)
			continue;
		quote = strchr(value, '#') || *value == ' ' ? "\"" : "";
		fprintf(out, "%s = %s%s%s\n", o->name, quote, value, quote);
	}
}

static void on_problem(void *ctx, const char *text)
{
	fprintf(stderr, "turnpike: %s\n", text);
	++*(unsigned *)ctx;
}

/* What has been made is read as the server would. */
static int check(const char *path, struct why *why)
{
	char *argv[] = {"turnpike", "--config", NULL, NULL};
	unsigned problems = 0;
	struct conf conf;
	int argc = 3, r;

	argv[2] = (char *)(uintptr_t)path;
	r = conf_check(&argc, argv, NULL, &conf, on_problem, &problems, why);
	if (r)
		return why_set(why, r,
		               "the result does not hold together in %u place%s: correct it, then "
		               "see turnpike check-config",
		               problems, problems == 1 ? "" : "s");
	conf_free(&conf);
	return 0;
}

static int print(const struct import *im, const char *from, struct why *why)
{
	int fd = memfd_create("turnpike.conf", MFD_CLOEXEC), r = -E_IO;
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	char path[64];

	if (!file) {
		if (fd >= 0)
			close(fd);
		return why_set(why, r, "cannot make a file in memory: %s", strerror(errno));
	}
	fchmod(fd, 0600);
	print_conf(file, im, from, NULL);
	fflush(file);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = check(path, why);
	fclose(file);
	print_conf(stdout, im, from, NULL);
	return r;
}

static int fill_store(const struct import *im, const char *data, struct why *why)
{
	struct store *s;
	int r = store_open(data, NULL, &s, why);

	if (r)
		return r;
	for (size_t i = 0; !r && i < im->user_n; i++) {
		const struct import_user *u = &im->users[i];
		const char *realm = u->realm ? u->realm : im->realm ? im->realm : "turnpike";

		r = u->password ? store_user_add(s, realm, u->name, u->password, why)
		                : store_user_add_md5(s, realm, u->name, u->md5, why);
		if (!r)
			continue;
		/* One name that is not allowed here must not keep the others out. */
		if (r == -E_INVAL || r == -E_EXISTS) {
			fprintf(stderr, "turnpike: user %.64s: NOT TAKEN: %s\n", u->name,
			        why->text);
			r = 0;
		}
	}
	for (size_t i = 0; !r && i < im->secrets.n; i++) {
		r = store_secret_add(s, im->secrets.v[i], NULL, NULL, why);
		if (r == -E_EXISTS || r == -E_LIMIT || r == -E_INVAL) {
			fprintf(stderr, "turnpike: a secret: NOT TAKEN: %s\n", why->text);
			r = 0;
		}
	}
	store_close(s);
	return r;
}

/* DIR/turnpike.conf and DIR/data; nothing that is there is overwritten. */
static int write_dir(const struct import *im, const char *from, const char *dir, struct why *why)
{
	char root[PATH_MAX], path[PATH_MAX + 32], data[PATH_MAX + 32];
	FILE *file;
	int fd, r;

	if (mkdir(dir, 0755) && errno != EEXIST)
		return why_set(why, error_from_errno(errno), "cannot make %s: %s", dir,
		               strerror(errno));
	if (!realpath(dir, root))
		return why_set(why, error_from_errno(errno), "%s: %s", dir, strerror(errno));
	snprintf(path, sizeof(path), "%s/turnpike.conf", root);
	snprintf(data, sizeof(data), "%s/data", root);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return why_set(why, error_from_errno(errno),
		               "cannot make %s: %s: name another folder with --write, or move the "
		               "file away",
		               path, strerror(errno));
	file = fdopen(fd, "w");
	if (!file) {
		close(fd);
		return why_set(why, -E_NOMEM, "out of memory");
	}
	print_conf(file, im, from, data);
	r = fclose(file) ? why_set(why, -E_IO, "cannot write %s: %s", path, strerror(errno)) : 0;
	if (!r)
		r = fill_store(im, data, why);
	if (!r)
		r = check(path, why);
	if (!r)
		printf("turnpike serve --config %s\n", path);
	return r;
}

int cli_import(struct cli *cli, struct why *why)
{
	const char *path = cli->words[0], *db;
	struct import im;
	int r;

	import_init(&im, stderr);
	im.keeps_users = cli->write != NULL;
	r = import_file(&im, path, why);
	db = cli->userdb ? cli->userdb : im.userdb;
	if (!r && db)
		r = import_db(&im, db, why);
	/* The file may be of another host than this. */
	if ((r == -E_NOTFOUND || r == -E_DENIED) && db == im.userdb) {
		im.directive = "userdb";
		import_left(&im, "%s", why->text);
		why->text[0] = 0;
		r = 0;
	}
	if (!r) {
		import_finish(&im);
		if (im.failed)
			r = why_set(why, -E_NOMEM, "out of memory");
	}
	if (!r) {
		fprintf(stderr, "%u taken, %u not needed, %u NOT TAKEN\n", im.taken, im.same,
		        im.left);
		if (!im.allowed.n)
			fputs("note: coturn relays to private networks unless they are denied; "
			      "here they are denied unless relay_allow opens them\n",
			      stderr);
		r = cli->write ? write_dir(&im, path, cli->write, why) : print(&im, path, why);
	}
	import_free(&im);
	return r ? CLI_EXIT_FAIL : 0;
}

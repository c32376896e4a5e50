/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The verb "import-coturn".
 */
#include "daemon/cli/cli_internal.h"
#include "daemon/import/import.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Debian's place of coturn's users, for a file that names no database. */
#define COTURN_DB "/var/lib/turn/turndb"

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
	import_print(file, im, from, data);
	r = fclose(file) ? why_set(why, -E_IO, "cannot write %s: %s", path, strerror(errno)) : 0;
	if (!r)
		r = import_fill_store(im, data, why);
	if (!r)
		printf("turnpike serve --config %s\n", path);
	if (!r && !geteuid())
		fputs("note: these files are root's, and the systemd unit's user cannot read them: "
		      "--install makes a service\n",
		      stderr);
	return r;
}

/* A database that the file names may be on another host than this. */
static int read_db(struct import *im, const struct cli *cli, struct why *why)
{
	char place[PATH_MAX];
	int r;

	if (cli_text(cli, "userdb"))
		return import_db(im, cli_text(cli, "userdb"), why);
	snprintf(place, sizeof(place), "%s%s", cli_text(cli, "root") ? cli_text(cli, "root") : "",
	         im->userdb ? im->userdb : COTURN_DB);
	if (!im->userdb && (im->other_db || !cli_text(cli, "install") || access(place, F_OK)))
		return 0;
	r = import_db(im, place, why);
	if (r != -E_NOTFOUND && r != -E_DENIED)
		return r;
	im->directive = "userdb";
	import_left(im, "%s", why->text);
	im->directive = "";
	why->text[0] = 0;
	return 0;
}

static void say_notes(const struct import *im, const struct cli *cli)
{
	fprintf(stderr, "%u taken, %u not needed, %u NOT TAKEN\n", im->taken, im->same, im->left);
	fputs(
	    "note: coturn relays to private networks unless they are denied; here they are denied "
	    "unless relay_allow opens them\n",
	    stderr);
	if (!im->has_login)
		fputs("note: with this file coturn relays for everybody, without credentials; "
		      "Turnpike always needs credentials: turnpike user add, or shared_secret\n",
		      stderr);
	if (!cli_text(cli, "userdb") && !im->userdb && !im->other_db && !cli_text(cli, "install"))
		fputs("note: coturn also reads " COTURN_DB
		      " where no database is named: --userdb FILE takes its users, too\n",
		      stderr);
}

int cli_import(struct cli *cli, struct why *why)
{
	bool install = cli_text(cli, "install");
	const char *path = cli_text(cli, "file");
	struct import im;
	int r;

	if (install && cli_text(cli, "write"))
		return why_set(why, CLI_EXIT_USE, "--write and --install: give one of them");
	if (!install && (cli_text(cli, "root") || cli_text(cli, "force")))
		return why_set(why, CLI_EXIT_USE, "--root and --force are for --install: add it");
	import_init(&im, stderr);
	im.keeps_users = cli_text(cli, "write") || install;
	r = import_file(&im, path, why);
	if (!r)
		r = read_db(&im, cli, why);
	if (!r)
		r = import_finish(&im, im.keeps_users, why);
	if (!r) {
		say_notes(&im, cli);
		r = import_check(&im, path, why);
	}
	if (!r && install)
		r = import_install(&im, path, cli_text(cli, "root") ? cli_text(cli, "root") : "",
		                   cli_text(cli, "force"), why);
	else if (!r && cli_text(cli, "write"))
		r = write_dir(&im, path, cli_text(cli, "write"), why);
	else if (!r)
		import_print(stdout, &im, path, NULL);
	import_free(&im);
	return r ? CLI_EXIT_FAIL : 0;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The data directory, the database, and a credential made from it.
 */
#include "base/rights.h"
#include "daemon/cert/setup.h"
#include "daemon/doctor/doctor.h"
#include "daemon/process/privilege.h"
#include "store/snapshot.h"
#include "store/store.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define MIB           (1024ULL * 1024)
#define FREE_FAIL_MIB 16
#define FREE_WARN_MIB 256
#define INODES_WARN   1000
#define CREDENTIAL_S  300
#define SKEW_S        120

static bool check_rights(struct doctor *d)
{
	const char *dir = d->conf->data;
	struct stat st, who;
	char proc[32];

	if (stat(dir, &st)) {
		doctor_say(d, DOCTOR_FAIL, "data",
		           "%s: %s\nstart the server once, or name its directory with --data", dir,
		           strerror(errno));
		return false;
	}
	if (!S_ISDIR(st.st_mode) || access(dir, R_OK | W_OK | X_OK)) {
		doctor_say(d, DOCTOR_FAIL, "data",
		           "%s: this user (uid %u) may not write to it\nrun this as the server's "
		           "user, or chown -R it to that user and chmod 700",
		           dir, (unsigned)geteuid());
		return false;
	}
	if (st.st_mode & 077)
		doctor_say(d, DOCTOR_WARN, "data",
		           "others may read %s (mode %o)\n"
		           "run chmod 700 %s",
		           dir, (unsigned)(st.st_mode & 0777), dir);
	snprintf(proc, sizeof(proc), "/proc/%d", (int)d->server);
	if (d->server && !stat(proc, &who) && who.st_uid && who.st_uid != st.st_uid)
		doctor_say(d, DOCTOR_FAIL, "data",
		           "%s belongs to uid %u, but the server is uid %u\n"
		           "run chown -R %u %s",
		           dir, (unsigned)st.st_uid, (unsigned)who.st_uid, (unsigned)who.st_uid,
		           dir);
	if (st.st_mtime > time(NULL) + SKEW_S)
		doctor_say(d, DOCTOR_WARN, "clock",
		           "%s is dated in the future: the clock has jumped back\n"
		           "set the clock and keep it by NTP: credentials are bound to the time",
		           dir);
	return true;
}

static void check_room(struct doctor *d)
{
	const char *dir = d->conf->data;
	unsigned long long mib;
	struct statvfs fs;

	if (statvfs(dir, &fs))
		return;
	mib = (unsigned long long)fs.f_bavail * fs.f_frsize / MIB;
	if (mib < FREE_WARN_MIB)
		doctor_say(
		    d, mib < FREE_FAIL_MIB ? DOCTOR_FAIL : DOCTOR_WARN, "disk",
		    "%llu MiB are free for %s\nmake room: without it no user, secret or usage "
		    "is written",
		    mib, dir);
	else if (fs.f_files && fs.f_favail < INODES_WARN)
		doctor_say(
		    d, fs.f_favail < 10 ? DOCTOR_FAIL : DOCTOR_WARN, "disk",
		    "%llu inodes are free for %s\ndelete small files there: df -i says where "
		    "they are",
		    (unsigned long long)fs.f_favail, dir);
	else
		doctor_say(d, DOCTOR_OK, "disk", "%llu MiB are free for %s", mib, dir);
}

/* Opening checks the schema and the file's integrity. */
static void check_store(struct doctor *d)
{
	const struct store_options options = {.must_exist = true};
	struct store_snapshot *snap = NULL;
	struct store *s = NULL;
	struct why why = {{0}};
	const char *secret;
	size_t len;
	int r = store_open(d->conf->data, &options, &s, &why);

	if (!r)
		r = store_snapshot_load(s, &snap, &why);
	if (r) {
		doctor_say(d, DOCTOR_FAIL, "database", "%s\n%s", why.text,
		           r == -E_NOTFOUND  ? "start the server once, or name its directory with "
		                               "--data"
		           : r == -E_CORRUPT ? "turnpike restore FILE puts a backup in its place"
		           : r == -E_SCHEMA
		               ? "run the version of the program that wrote it, or a newer one"
		               : "let the server's user read and write the file");
		goto out;
	}
	doctor_say(d, DOCTOR_OK, "database", "%s is sound: %zu users, %zu live secrets",
	           store_path(s), store_snapshot_user_n(snap), store_snapshot_secret_n(snap));
	if (setup_secret_check(d->conf, s, &why))
		doctor_say(d, DOCTOR_FAIL, "start", "the next start is refused: %s\n%s", why.text,
		           "change shared_secret in the configuration");
	if (!store_snapshot_secret_n(snap)) {
		doctor_say(d, DOCTOR_FAIL, "database",
		           "no secret is live, so nobody gets credentials\n"
		           "run turnpike secret add");
		goto out;
	}
	secret = store_snapshot_secret(snap, 0, &len);
	d->has_credential = !credential_make(secret, len, "doctor",
	                                     (int64_t)time(NULL) + CREDENTIAL_S, &d->credential);
out:
	store_snapshot_unref(snap);
	store_close(s);
}

void doctor_files(struct doctor *d)
{
	if (!check_rights(d))
		return;
	check_room(d);
	rights_lower(d->owner);
	check_store(d);
	rights_raise();
}

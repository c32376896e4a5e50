/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The verb "reload": has the server on the data directory read its
 * configuration again, and says how that went.
 */
#include "base/rights.h"
#include "daemon/cli/cli_internal.h"
#include "daemon/process/lockfile.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#define WAIT_MS 10000
#define STEP_MS 20

/* Line by line: whoever holds the lock file wrote them. */
static void print_clean(FILE *out, const char *text)
{
	for (size_t len; *text; text += len + (text[len] == '\n')) {
		char line[LOCKFILE_TEXT_MAX];

		len = strcspn(text, "\n");
		snprintf(line, sizeof(line), "%.*s", (int)len, text);
		fprintf(out, "%s\n", cli_shown(line));
	}
}

static int answer(const struct cli *cli, const struct lockfile_report *report, struct why *why)
{
	if (cli->flags & FLAG_JSON) {
		int status = cli_print_json(
		    json_pack("{sb ss}", "ok", report->ok, "text", report->text), why);

		return status ? status : report->ok ? 0 : CLI_EXIT_FAIL;
	}
	if (!report->ok) {
		print_clean(stderr, report->text);
		return why_set(why, CLI_EXIT_FAIL,
		               "the new configuration was refused, the old one runs on");
	}
	print_clean(stdout, *report->text ? report->text : "nothing has changed\n");
	return 0;
}

int cli_reload(struct cli *cli, struct why *why)
{
	const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
	struct lockfile_report report = {.serial = 0};
	struct rights own;
	int failed, saved;
	unsigned long before;
	pid_t pid;

	if (lockfile_find(cli->conf.data, &pid, why))
		return CLI_EXIT_FAIL;
	if (lockfile_get_report(cli->conf.data, &report))
		report.serial = 0;
	before = report.serial;
	own = rights_raise();
	failed = kill(pid, SIGHUP);
	saved = errno;
	rights_lower(own);
	if (failed)
		return why_set(why, CLI_EXIT_FAIL,
		               "cannot signal the server (process %d): %s: run this as root or as "
		               "its user",
		               (int)pid, strerror(saved));
	for (int waited = 0; waited < WAIT_MS; waited += STEP_MS) {
		if (!lockfile_get_report(cli->conf.data, &report) && report.serial > before)
			return answer(cli, &report, why);
		nanosleep(&step, NULL);
	}
	return why_set(why, CLI_EXIT_FAIL,
	               "the server (process %d) has been told, but has not answered within %d s: "
	               "see its log",
	               (int)pid, WAIT_MS / 1000);
}

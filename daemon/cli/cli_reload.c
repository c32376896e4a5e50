/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The verb "reload": has the server on the data directory read its
 * configuration again, and says how that went.
 */
#include "daemon/cli/cli_internal.h"
#include "daemon/process/lockfile.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#define WAIT_MS 10000
#define STEP_MS 20

static int answer(const struct cli *cli, const struct lockfile_report *report, struct why *why)
{
	if (cli->flags & FLAG_JSON) {
		int status = cli_print_json(
		    json_pack("{sb ss}", "ok", report->ok, "text", report->text), why);

		return status ? status : report->ok ? 0 : CLI_EXIT_FAIL;
	}
	if (!report->ok) {
		fputs(report->text, stderr);
		return why_set(why, CLI_EXIT_FAIL,
		               "the new configuration was refused, the old one runs on");
	}
	fputs(*report->text ? report->text : "nothing has changed\n", stdout);
	return 0;
}

int cli_reload(struct cli *cli, struct why *why)
{
	const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
	struct lockfile_report report = {.serial = 0};
	unsigned long before;
	pid_t pid;

	if (lockfile_find(cli->conf.data, &pid, why))
		return CLI_EXIT_FAIL;
	if (lockfile_get_report(cli->conf.data, &report))
		report.serial = 0;
	before = report.serial;
	if (kill(pid, SIGHUP))
		return why_set(why, CLI_EXIT_FAIL,
		               "cannot signal the server (process %d): %s: run this as root or as "
		               "its user",
		               (int)pid, strerror(errno));
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

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * turnpike doctor
 */
#include "daemon/cli/cli_internal.h"

#include "base/error.h"
#include "daemon/doctor/doctor.h"

#include <stdio.h>

int cli_doctor(struct cli *cli, struct why *why)
{
	json_t *findings = cli->json ? json_array() : NULL;
	unsigned count[3];
	int status;

	if (cli->json && !findings)
		return why_set(why, CLI_EXIT_FAIL, "out of memory");
	doctor_run(&cli->conf, cli_text(cli, "stun"), findings, count);
	status = count[DOCTOR_FAIL] ? CLI_EXIT_FAIL : 0;
	if (findings)
		return cli_print_json(json_pack("{sb so}", "ok", !status, "findings", findings),
		                      why)
		           ? CLI_EXIT_FAIL
		           : status;
	printf("\n%u ok, %u to look at, %u broken\n", count[DOCTOR_OK], count[DOCTOR_WARN],
	       count[DOCTOR_FAIL]);
	return status;
}

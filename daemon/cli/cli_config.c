/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The verbs "check-config" and "config".
 */
#include "daemon/cert.h"
#include "daemon/cli/cli_internal.h"
#include "daemon/conf/conf_json.h"
#include "daemon/setup.h"

#include <stdio.h>

int cli_check(struct cli *cli, struct why *why)
{
	struct setup_cert paths;

	setup_cert_paths(&cli->conf, &paths);
	if (*cli->conf.tls_cert && cert_check(paths.cert, paths.key, NULL, why))
		return CLI_EXIT_FAIL;
	if (cli->flags & FLAG_JSON)
		return cli_print_json(json_pack("{sbs[]}", "ok", 1, "problems"), why);
	puts("ok");
	return 0;
}

int cli_config(struct cli *cli, struct why *why)
{
	if (cli->flags & FLAG_JSON)
		return cli_print_json(conf_json(&cli->conf, cli->origins), why);
	conf_print_values(stdout, &cli->conf, cli->origins);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * "backup" and "restore": the store's file itself.
 */
#include "daemon/cli/cli_internal.h"
#include "store/backup.h"
#include "store/store.h"

#include <limits.h>

int cli_backup(struct cli *cli, struct why *why)
{
	const char *file = cli_text(cli, "file");
	struct store *s;
	int status = cli_open_store(cli, false, &s, why);

	if (status)
		return status;
	if (store_backup(s, file, why))
		status = CLI_EXIT_FAIL;
	else
		fprintf(stderr, "%s backed up to %s\n", store_path(s), file);
	store_close(s);
	return status;
}

int cli_restore(struct cli *cli, struct why *why)
{
	const char *file = cli_text(cli, "file");
	char kept[PATH_MAX];

	if (store_restore(cli->conf.data, file, cli_actor(cli->actor), kept, sizeof(kept), why))
		return CLI_EXIT_FAIL;
	fprintf(stderr, "%s restored%s%s\n", file, *kept ? "; what was there is now " : "", kept);
	return 0;
}

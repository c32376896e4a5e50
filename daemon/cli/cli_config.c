/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The verbs "check-config" and "config".
 */
#include "base/rights.h"
#include "daemon/cert/setup.h"
#include "daemon/cli/cli_internal.h"
#include "daemon/conf/conf_json.h"
#include "daemon/process/privilege.h"

#include <grp.h>
#include <stdio.h>
#include <unistd.h>

struct found {
	json_t *problems, *warnings;
};

static void add_problem(void *ctx, const char *text)
{
	json_array_append_new(((struct found *)ctx)->problems, json_string(text));
}

static void add_warning(void *ctx, const char *text)
{
	json_array_append_new(((struct found *)ctx)->warnings, json_string(text));
}

/* Checks files that root named as root, and files in the data directory as its owner. */
static void check_files(const struct conf *conf, bool as_owner, struct found *found)
{
	struct why why;

	if (*conf->tls_cert)
		setup_check_cert(conf, add_problem, add_warning, found);
	if (as_owner && rights_become_owner(conf->data, &why)) {
		add_problem(found, why.text);
		return;
	}
	if (!*conf->tls_cert)
		setup_check_cert(conf, add_problem, add_warning, found);
	setup_check_store(conf, add_problem, found);
}

/* Checks with the rights that the start will have, as far as this user has them. */
static void check_as_server(const struct conf *conf, struct found *found)
{
	struct privilege p = {.drop = false};
	struct rights before = {geteuid(), getegid()};
	struct why why;
	int r = privilege_resolve(conf, &p, &why);

	if (r &&
	    (r != -E_DENIED || !geteuid())) /* without root this check is for a user who has it */
		add_problem(found, why.text);
	if (!r && (r = privilege_check_owner(&p, conf->data, &why)))
		add_problem(found, why.text);
	if (!r && p.drop && !setgroups(0, NULL))
		rights_lower((struct rights){p.uid, p.gid});
	check_files(conf, geteuid() == 0, found);
	rights_raise();
	rights_lower(before);
}

static void say(const char *what, const json_t *texts)
{
	json_t *text;
	size_t i;

	json_array_foreach (texts, i, text)
		fprintf(stderr, "turnpike: %s%s\n", what, json_string_value(text));
}

int cli_check(struct cli *cli, struct why *why)
{
	struct found found = {json_array(), json_array()};
	int status;

	check_as_server(&cli->conf, &found);
	status = json_array_size(found.problems) ? CLI_EXIT_FAIL : 0;
	if (cli->json) {
		if (cli_print_json(json_pack("{sb sO sO}", "ok", !status, "problems",
		                             found.problems, "warnings", found.warnings),
		                   why))
			status = CLI_EXIT_FAIL;
	} else {
		say("", found.problems);
		say("warning: ", found.warnings);
		if (!status)
			puts("ok");
	}
	json_decref(found.problems);
	json_decref(found.warnings);
	return status;
}

int cli_config(struct cli *cli, struct why *why)
{
	if (cli->json)
		return cli_print_json(conf_json(&cli->conf, cli->sources), why);
	conf_print_values(stdout, &cli->conf, cli->sources);
	return 0;
}

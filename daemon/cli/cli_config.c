/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The verbs "check-config" and "config".
 */
#include "base/rights.h"
#include "daemon/cli/cli_internal.h"
#include "daemon/conf/conf_json.h"
#include "daemon/process/privilege.h"
#include "daemon/setup.h"

#include <grp.h>
#include <stdio.h>
#include <unistd.h>

static void add_text(void *texts, const char *text)
{
	json_array_append_new(texts, json_string(text));
}

/* By the rights that the start will have, as far as this user has them, too. */
static void check_as_server(const struct conf *conf, json_t *problems)
{
	struct privilege p = {.drop = false};
	struct rights before = {geteuid(), getegid()};
	struct why why;
	int r = privilege_resolve(conf, &p, &why);

	if (r && (r != -E_DENIED || !geteuid())) /* who is not root checks for somebody who is */
		add_text(problems, why.text);
	if (!r && (r = privilege_check_owner(&p, conf->data, &why)))
		add_text(problems, why.text);
	if (!r && p.drop && !setgroups(0, NULL))
		rights_lower((struct rights){p.uid, p.gid});
	setup_check(conf, add_text, problems);
	if (!r && p.drop)
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
	json_t *problems = json_array(), *warnings = json_array();
	struct why doubt;
	int status;

	check_as_server(&cli->conf, problems);
	status = json_array_size(problems) ? CLI_EXIT_FAIL : 0;
	if (setup_cert_doubt(&cli->conf, &doubt))
		add_text(warnings, doubt.text);
	if (cli->flags & FLAG_JSON) {
		if (cli_print_json(json_pack("{sb sO sO}", "ok", !status, "problems", problems,
		                             "warnings", warnings),
		                   why))
			status = CLI_EXIT_FAIL;
	} else {
		say("", problems);
		say("warning: ", warnings);
		if (!status)
			puts("ok");
	}
	json_decref(problems);
	json_decref(warnings);
	return status;
}

int cli_config(struct cli *cli, struct why *why)
{
	if (cli->flags & FLAG_JSON)
		return cli_print_json(conf_json(&cli->conf, cli->origins), why);
	conf_print_values(stdout, &cli->conf, cli->origins);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The verbs "check-config" and "config".
 */
#include "daemon/cert.h"
#include "daemon/cli_internal.h"
#include "daemon/conf_internal.h"
#include "daemon/setup.h"

#include <stdlib.h>
#include <string.h>

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

static json_t *describe(const struct conf *conf, const struct conf_origin *origin,
                        const struct conf_option *o)
{
	static const char *const sources[] = {[SOURCE_DEFAULT] = "default",
	                                      [SOURCE_FILE] = "file",
	                                      [SOURCE_ENV] = "environment",
	                                      [SOURCE_ARGS] = "command line"};
	char *text = conf_value_text(conf, o);
	bool masked = text && o->secret && *text;
	json_t *json = NULL;

	if (text)
		json = json_pack("{ss ss ss sb sb}", "value", masked ? "********" : text, "source",
		                 sources[origin->source], "where",
		                 origin->source == SOURCE_DEFAULT ? "default" : origin->where,
		                 "secret", o->secret, "reloadable", o->reload);
	if (masked)
		explicit_bzero(text, strlen(text));
	free(text);
	return json;
}

int cli_config(struct cli *cli, struct why *why)
{
	json_t *all;

	if (!(cli->flags & FLAG_JSON)) {
		conf_print_values(stdout, &cli->conf, cli->origins);
		return 0;
	}
	all = json_object();
	for (size_t i = 0; all && i < conf_row_n; i++) {
		const struct conf_option *o = conf_rows[i].option;

		if (!o)
			continue;
		if (json_object_set_new(all, o->name,
		                        describe(&cli->conf, &cli->origins[o - conf_options], o))) {
			json_decref(all);
			all = NULL;
		}
	}
	return cli_print_json(all, why);
}

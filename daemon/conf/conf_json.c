/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The settings in effect as JSON.
 */
#include "daemon/conf/conf_json.h"

#include "daemon/conf/conf_internal.h"

#include <stdlib.h>
#include <string.h>

static json_t *describe(const struct conf *conf, const struct conf_source *source,
                        const struct conf_option *o)
{
	static const char *const kinds[] = {[SOURCE_DEFAULT] = "default",
	                                    [SOURCE_FILE] = "file",
	                                    [SOURCE_ENV] = "environment",
	                                    [SOURCE_ARGS] = "command line",
	                                    [SOURCE_SERVED] = "served"};
	char *text = conf_value_text(conf, o);
	bool masked = text && o->secret && *text;
	json_t *json = NULL;

	if (text)
		json = json_pack("{ss ss ss sb sb}", "value", masked ? "********" : text, "source",
		                 kinds[source->kind], "where",
		                 source->kind == SOURCE_DEFAULT ? "default" : source->where,
		                 "secret", o->secret, "reloadable", o->reload);
	if (masked)
		explicit_bzero(text, strlen(text));
	free(text);
	return json;
}

json_t *conf_json(const struct conf *conf, const struct conf_source *sources)
{
	json_t *all = json_object();

	for (size_t i = 0; all && i < conf_row_n; i++) {
		const struct conf_option *o = conf_rows[i].option;

		if (!o)
			continue;
		if (json_object_set_new(all, o->name,
		                        describe(conf, &sources[o - conf_options], o))) {
			json_decref(all);
			all = NULL;
		}
	}
	return all;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * DATA/served.json: conf_json() of what was set.
 */
#include "daemon/conf/conf_served.h"

#include "daemon/conf/conf_internal.h"
#include "daemon/conf/conf_json.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void path_of(const struct conf *conf, const char *suffix, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/served.json%s", conf->data, suffix);
}

/* A reader of the file knows the directory; secrets come from the store only. */
static bool is_told(const struct conf_option *o)
{
	return !o->secret && o != &conf_options[OPTION_data];
}

static json_t *collect(const struct conf *conf, const struct conf_source *sources)
{
	json_t *all = conf_json(conf, sources);

	for (size_t i = 0; all && i < conf_option_n; i++)
		if (!is_told(&conf_options[i]) || sources[i].kind == SOURCE_DEFAULT)
			json_object_del(all, conf_options[i].name);
	return all;
}

int conf_served_write(const struct conf *conf, const struct conf_source *sources, struct why *why)
{
	json_t *all = collect(conf, sources);
	char fresh[PATH_MAX], path[PATH_MAX];
	int fd, r = 0;

	if (!all)
		return why_set(why, -E_NOMEM, "out of memory");
	path_of(conf, ".new", fresh);
	path_of(conf, "", path);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || json_dumpfd(all, fd, JSON_INDENT(2)) || rename(fresh, path))
		r = why_set(why, error_from_errno(errno), "cannot write %s: %s", path,
		            strerror(errno));
	if (fd >= 0)
		close(fd);
	json_decref(all);
	return r;
}

/* On failure the option is at its default again. */
static void take(struct conf *conf, struct conf_source *sources, const struct conf_option *o,
                 const json_t *row)
{
	const char *value = json_string_value(json_object_get(row, "value"));
	const char *where = json_string_value(json_object_get(row, "where"));
	struct conf_source *source = &sources[o - conf_options];
	struct why why;

	if (!value || source->kind != SOURCE_DEFAULT)
		return;
	conf_value_clear(conf, o);
	if (conf_value_set(conf, o, value, &why)) {
		conf_value_clear(conf, o);
		conf_value_set(conf, o, o->def, &why);
		return;
	}
	source->kind = SOURCE_SERVED;
	snprintf(source->where, sizeof(source->where), "as the server on %.100s: %.100s",
	         conf->data, where ? where : "");
}

void conf_served_read(struct conf *conf, struct conf_source *sources)
{
	char path[PATH_MAX];
	json_t *all;
	int fd;

	path_of(conf, "", path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return;
	all = json_loadfd(fd, 0, NULL);
	close(fd);
	for (size_t i = 0; i < conf_option_n; i++)
		if (is_told(&conf_options[i]))
			take(conf, sources, &conf_options[i],
			     json_object_get(all, conf_options[i].name));
	json_decref(all);
}

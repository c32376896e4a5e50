/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The configuration that was read, as a file of ours.
 */
#include "daemon/import/import.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* True for a text that our file would read as a comment, cut off, or unquote. */
static bool needs_quotes(const char *text)
{
	size_t len = strlen(text);

	if (!len)
		return false;
	if (*text == '"' || isspace((unsigned char)*text) || isspace((unsigned char)text[len - 1]))
		return true;
	for (const char *p = text; *p; p++)
		if (*p == '#' && (p == text || isspace((unsigned char)p[-1])))
			return true;
	return false;
}

bool import_fits_file(const char *text)
{
	return !needs_quotes(text) || !strchr(text, '"');
}

void import_print(FILE *out, const struct import *im, const char *from, const char *data)
{
	fprintf(out, "# Made by turnpike import-coturn of %s. Every option: turnpike help config\n",
	        from);
	if (data)
		fprintf(out, "data = %s\n", data);
	for (size_t i = 0; i < conf_row_n; i++) {
		const struct conf_option *o = conf_rows[i].option;
		const char *value = o ? im->value[o - conf_options] : NULL;
		const char *quote;

		if (!value)
			continue;
		quote = needs_quotes(value) ? "\"" : "";
		fprintf(out, "%s = %s%s%s\n", o->name, quote, value, quote);
	}
}

static void on_problem(void *ctx, const char *text)
{
	fprintf(stderr, "turnpike: %s\n", text);
	++*(unsigned *)ctx;
}

int import_check(const struct import *im, const char *from, struct why *why)
{
	int fd = memfd_create("turnpike.conf", MFD_CLOEXEC), argc = 3, r;
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	char path[64];
	char *argv[] = {"turnpike", "--config", path, NULL};
	unsigned problems = 0;
	struct conf conf;

	if (!file) {
		if (fd >= 0)
			close(fd);
		return why_set(why, -E_IO, "cannot make a file in memory: %s", strerror(errno));
	}
	fchmod(fd, 0600);
	import_print(file, im, from, NULL);
	fflush(file);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = conf_check(&argc, argv, NULL, &conf, on_problem, &problems, why);
	fclose(file);
	if (r)
		return why_set(why, r,
		               "the result has contradictions in %u place%s: correct the "
		               "turnserver.conf there",
		               problems, problems == 1 ? "" : "s");
	conf_free(&conf);
	return 0;
}

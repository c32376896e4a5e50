/* SPDX-License-Identifier: BSD-3-Clause
 *
 * docs/admin.md: admin.md of this folder, with the table of verbs.
 */
#include "base/embed.h"
#include "daemon/admin/verb.h"

#include <string.h>

#define MARK "@VERBS@\n"

EMBED(admin_text, "admin.md")

/* The first verb whose answer has rows of that kind. */
static const struct verb *first_with(const struct verb_member *rows)
{
	const struct verb *v;

	for (size_t i = 0; (v = verb_at(i)); i++)
		for (const struct verb_member *m = v->answer; m->name; m++)
			if (m->of == rows)
				return v;
	return NULL;
}

static void print_members(FILE *out, const struct verb *v, const struct verb_member *m)
{
	for (const char *comma = ""; m->name; m++, comma = ", ") {
		const struct verb *first = m->of ? first_with(m->of) : NULL;

		fprintf(out, "%s`%s`", comma, m->name);
		if (first && first != v) {
			fprintf(out, " (as of `%s`)", first->name);
		} else if (m->of) {
			fputs(" (", out);
			print_members(out, v, m->of);
			fputs(")", out);
		}
	}
}

static void print_verb(FILE *out, const struct verb *v)
{
	const struct verb_arg *arg;
	char path[VERB_PATH_STRLEN];

	fprintf(out, "| `%s` | %s `%s` | %s | ", v->name, v->access == VERB_ACTS ? "POST" : "GET",
	        verb_path(v, path), v->access == VERB_READS ? "user" : "admin");
	for (size_t i = 0; (arg = verb_arg(v, i)); i++) {
		const char *mark = arg->flags & ARG_REQUIRED ? "" : "*";

		fprintf(out, "%s%s`%s`%s", i ? ", " : "", mark, arg->name, mark);
	}
	fputs(" | ", out);
	print_members(out, v, v->answer);
	fprintf(out, " | %s |\n", v->help);
}

void admin_print_markdown(FILE *out)
{
	const char *text = (const char *)admin_text, *mark = strstr(text, MARK);
	const struct verb *v;

	fprintf(out, "%.*s", (int)(mark - text), text);
	fputs("| verb | over HTTPS | role | arguments | answer | |\n|---|---|---|---|---|---|\n",
	      out);
	for (size_t i = 0; (v = verb_at(i)); i++)
		print_verb(out, v);
	fputs(mark + strlen(MARK), out); /* EMBED() ends it with a zero byte */
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reload: the reloadable members of two configurations trade places.
 */
#include "daemon/conf/conf_reload.h"

#include "daemon/conf/conf_internal.h"

#include <stdlib.h>
#include <string.h>

struct conf_pending {
	struct conf conf; /* what live does not have at the moment */
	struct conf_source *sources;
};

static void swap(struct conf_live *live, struct conf_pending *p)
{
	for (size_t i = 0; i < conf_option_n; i++) {
		const struct conf_option *o = &conf_options[i];
		char *a = (char *)&live->conf + o->offset, *b = (char *)&p->conf + o->offset;
		struct conf_source source = live->sources[i];

		if (!o->reload)
			continue;
		for (size_t at = 0; at < o->size; at++) {
			char byte = a[at];

			a[at] = b[at];
			b[at] = byte;
		}
		live->sources[i] = p->sources[i];
		p->sources[i] = source;
	}
}

static void add_name(char names[CONF_NAMES_MAX], const char *name)
{
	size_t len = strlen(names);

	snprintf(names + len, CONF_NAMES_MAX - len, "%s%s", len ? "," : "", name);
}

static int compare(const struct conf *old, const struct conf *fresh, struct conf_changes *c)
{
	c->changed[0] = c->restart[0] = 0;
	for (size_t i = 0; i < conf_option_n; i++) {
		const struct conf_option *o = &conf_options[i];
		char *a = conf_value_text(old, o), *b = conf_value_text(fresh, o);
		bool differ = a && b && strcmp(a, b) != 0, failed = !a || !b;

		if (o->secret && a)
			explicit_bzero(a, strlen(a));
		if (o->secret && b)
			explicit_bzero(b, strlen(b));
		free(a);
		free(b);
		if (failed)
			return -E_NOMEM;
		if (differ)
			add_name(o->reload ? c->changed : c->restart, o->name);
	}
	return 0;
}

/* The loader takes its flags out of the words. */
static int read_again(const struct conf_input *in, struct conf_pending *p,
                      void (*problem)(void *ctx, const char *text), void *ctx, struct why *why)
{
	int argc = in->argc, r;
	char **argv = calloc((size_t)argc + 1, sizeof(*argv));

	if (!argv)
		return why_set(why, -E_NOMEM, "out of memory");
	memcpy(argv, in->argv, (size_t)argc * sizeof(*argv));
	r = conf_read(&argc, argv, in->envp, &p->conf, &p->sources, problem, ctx, why);
	free(argv);
	return r;
}

struct verdict {
	void (*problem)(void *ctx, const char *text);
	void *ctx;
	struct why *why;
	int code;
};

static void on_problem(void *ctx, const char *text)
{
	struct verdict *v = ctx;

	if (!v->code)
		v->code = why_set(v->why, -E_PARSE, "%s (in what only a restart changes)", text);
	if (v->problem)
		v->problem(v->ctx, text);
}

int conf_reload_begin(struct conf_live *live, struct conf_pending **out,
                      struct conf_changes *changes, void (*problem)(void *ctx, const char *text),
                      void *ctx, struct why *why)
{
	struct verdict verdict = {problem, ctx, why, 0};
	struct conf_pending *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return why_set(why, -E_NOMEM, "out of memory");
	r = read_again(live->input, p, problem, ctx, why);
	if (!r && compare(&live->conf, &p->conf, changes))
		r = why_set(why, -E_NOMEM, "out of memory");
	if (!r) {
		swap(live, p);
		conf_rules(&live->conf, live->sources, on_problem, &verdict);
		if (verdict.code)
			swap(live, p);
		r = verdict.code;
	}
	if (!r) {
		*out = p;
		return 0;
	}
	conf_free(&p->conf);
	free(p->sources);
	free(p);
	return r;
}

void conf_reload_end(struct conf_live *live, struct conf_pending *p, bool keep)
{
	if (!keep)
		swap(live, p);
	conf_free(&p->conf);
	free(p->sources);
	free(p);
}

bool conf_changed(const struct conf_changes *changes, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = changes->changed; *at; at += strspn(at, ",")) {
		size_t n = strcspn(at, ",");

		if (n == len && !strncmp(at, name, len))
			return true;
		at += n;
	}
	return false;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Texts to values and back, by the row of the option's type.
 */
#include "base/text.h"
#include "daemon/conf/conf_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int conf_list_add(const struct conf_option *o, void *m, const void *value, struct why *why)
{
	struct conf_list list;
	char *v;

	memcpy(&list, m, sizeof(list));
	if ((int64_t)list.n >= o->max)
		return why_set(why, -E_PARSE, "more than %" PRId64 " values: remove some", o->max);
	v = reallocarray(list.v, list.n + 1, o->type->element);
	if (!v)
		return why_set(why, -E_NOMEM, "out of memory");
	memcpy(v + o->type->element * list.n, value, o->type->element);
	list.v = v;
	list.n++;
	memcpy(m, &list, sizeof(list));
	return 0;
}

void conf_list_document(const struct conf_option *o, char text[CONF_BOUNDS_MAX])
{
	snprintf(text, CONF_BOUNDS_MAX, "%" PRId64 " to %" PRId64 " values", o->min, o->max);
}

static int set_one(void *m, const struct conf_option *o, const char *text, struct why *why)
{
	if (o->type->check && o->type->check(o, text, why))
		return -E_PARSE;
	return o->type->parse(o, text, m, why);
}

static int add_each(void *m, const struct conf_option *o, const char *text, struct why *why)
{
	char value[CONF_VALUE_MAX];
	int r = 0;

	/* An empty list is one, an empty value among others is a slip. */
	if (!text[strspn(text, " \t")])
		return o->min ? why_set(why, -E_PARSE, "the value is empty: name at least one %s",
		                        o->metavar)
		              : 0;
	while (!r) {
		size_t len = strcspn(text, ","), skip = strspn(text, " \t"), n;

		n = skip < len ? len - skip : 0;
		while (n && (text[skip + n - 1] == ' ' || text[skip + n - 1] == '\t'))
			n--;
		if (!n)
			return why_set(why, -E_PARSE,
			               "an element of the list is empty: remove the comma");
		if (n >= sizeof(value))
			return why_set(why, -E_PARSE, "\"%.40s...\" is too long", text + skip);
		memcpy(value, text + skip, n);
		value[n] = 0;
		r = set_one(m, o, value, why);
		if (!text[len])
			break;
		text += len + 1;
	}
	return r;
}

int conf_value_set(struct conf *conf, const struct conf_option *o, const char *text,
                   struct why *why)
{
	void *m = (char *)conf + o->offset;

	if (!text_is_utf8(text, strlen(text)))
		return why_set(why, -E_PARSE, "the value is not valid UTF-8");
	return o->type->element ? add_each(m, o, text, why) : set_one(m, o, text, why);
}

void conf_value_clear(struct conf *conf, const struct conf_option *o)
{
	char *m = (char *)conf + o->offset;
	struct conf_list list = {m, 1};

	if (o->type->element)
		memcpy(&list, m, sizeof(list));
	for (size_t i = 0; o->type->clear && i < list.n; i++)
		o->type->clear((char *)list.v + i * o->type->element, o->secret);
	if (o->type->element)
		free(list.v);
	memset(m, 0, o->size);
}

char *conf_value_text(const struct conf *conf, const struct conf_option *o)
{
	const char *m = (const char *)conf + o->offset;
	struct conf_list list = {NULL, 1};
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	if (o->type->element)
		memcpy(&list, m, sizeof(list));
	for (size_t i = 0; i < list.n; i++) {
		if (i)
			fputc(',', out);
		o->type->print(out, o, m, i);
	}
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

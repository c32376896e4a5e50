/* SPDX-License-Identifier: BSD-3-Clause
 *
 * https://prometheus.io/docs/instrumenting/exposition_formats/ and
 * https://prometheus.io/docs/practices/naming/, line by line.
 */
#include "daemon/tests/server/exposition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define DIGITS  "0123456789"

struct reader {
	const char *at; /* the line */
	size_t len;
	json_t *families, *family; /* the one under way */
	const char *name;
	char *why;
};

__attribute__((format(printf, 2, 3))) static bool fault(struct reader *r, const char *format, ...)
{
	size_t n;
	va_list ap;

	va_start(ap, format);
	vsnprintf(r->why, EXPOSITION_TEXT, format, ap);
	va_end(ap);
	n = strlen(r->why);
	snprintf(r->why + n, EXPOSITION_TEXT - n, ": %.*s", (int)r->len, r->at);
	return false;
}

/* Prometheus takes capitals and colons, too; the rules for names do not. */
static size_t name_len(const char *s)
{
	return strspn(s, DIGITS) ? 0 : strspn(s, LETTERS DIGITS "_");
}

static bool ends(const char *name, const char *with)
{
	size_t n = strlen(name), k = strlen(with);

	return n > k && !strcmp(name + n - k, with);
}

/* "Metric names [...] must have a (single-word) application prefix", "SHOULD use base units". */
static bool check_name(struct reader *r, const char *name, const char *type)
{
	static const char *const units[] = {"_ms", "_milliseconds", "_minutes", "_hours",  "_bits",
	                                    "_kb", "_kilobytes",    "_mb",      "_percent"};

	if (strncmp(name, "turnpike_", 9) != 0 && strncmp(name, "process_", 8) != 0)
		return fault(r, "neither turnpike_ nor process_");
	if (strstr(name, "__") || ends(name, "_"))
		return fault(r, "underscores at the wrong place");
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (strstr(name, units[i]))
			return fault(r, "%s is no base unit", units[i]);
	if ((!strcmp(type, "counter")) != ends(name, "_total"))
		return fault(r, "counters, and they alone, end in _total");
	if (ends(name, "_count") || ends(name, "_sum") || ends(name, "_bucket"))
		return fault(r, "that ending is a histogram's");
	return true;
}

/* "# HELP name text" opens a family. */
static bool read_help(struct reader *r)
{
	const char *name = r->at + strlen("# HELP ");
	size_t n = name_len(name);
	const char *text = name + n + 1;
	int text_len = (int)(r->at + r->len - text);
	char key[128];

	if (r->family && !json_object_size(json_object_get(r->family, "series")))
		return fault(r, "%s has no sample", r->name);
	if (!n || n >= sizeof(key) || name[n] != ' ' || text_len < 8)
		return fault(r, "not # HELP name text");
	if (text[text_len - 1] != '.' || memchr(text, '\\', (size_t)text_len))
		return fault(r, "the help is no sentence");
	snprintf(key, sizeof(key), "%.*s", (int)n, name);
	if (json_object_get(r->families, key))
		return fault(r, "the family comes twice");
	r->family = json_pack("{ss% s{}}", "help", text, (size_t)text_len, "series");
	json_object_set_new(r->families, key, r->family);
	r->name = json_object_iter_key(json_object_iter_at(r->families, key));
	return true;
}

static bool read_type(struct reader *r)
{
	char name[128], type[16], end;

	if (sscanf(r->at, "# TYPE %127s %15[a-z]%c", name, type, &end) != 3 || end != '\n')
		return fault(r, "not # TYPE name type");
	if (!r->family || strcmp(name, r->name) != 0 || json_object_get(r->family, "type") ||
	    json_object_size(json_object_get(r->family, "series")))
		return fault(r, "not after its HELP and before its samples");
	if (strcmp(type, "counter") != 0 && strcmp(type, "gauge") != 0)
		return fault(r, "a type that we do not use");
	json_object_set_new(r->family, "type", json_string(type));
	return check_name(r, name, type);
}

/* {name="value",...}; 0 is a fault. */
static size_t labels_len(struct reader *r, const char *s)
{
	char seen[256] = ",";
	size_t i = 1;

	for (;;) {
		size_t n = name_len(s + i);
		char key[66];

		if (!n || n > 60 || s[i + n] != '=' || s[i + n + 1] != '"')
			return fault(r, "not name=\"value\"");
		snprintf(key, sizeof(key), ",%.*s,", (int)n, s + i);
		if (strstr(seen, key) || strlen(seen) + n + 2 > sizeof(seen))
			return fault(r, "a label comes twice");
		strcat(seen, key + 1);
		i += n + 2;
		for (; s[i] && s[i] != '"' && s[i] != '\n'; i++)
			if (s[i] == '\\' && !strchr("\\\"n", s[++i]))
				return fault(r, "no such escape");
		if (s[i++] != '"')
			return fault(r, "a value without its end");
		if (s[i] == '}')
			return i + 1;
		if (s[i++] != ',')
			return fault(r, "no comma between labels");
	}
}

static bool read_sample(struct reader *r)
{
	size_t n = name_len(r->at), labels = 0;
	json_t *series = json_object_get(r->family, "series");
	const char *type = json_string_value(json_object_get(r->family, "type"));
	char key[256], *end;
	double value;

	if (!type || strlen(r->name) != n || strncmp(r->at, r->name, n) != 0)
		return fault(r, "not of the family under way");
	if (r->at[n] == '{' && !(labels = labels_len(r, r->at + n)))
		return false;
	if (r->at[n + labels] != ' ' || labels >= sizeof(key))
		return fault(r, "no blank before the value");
	snprintf(key, sizeof(key), "%.*s", (int)labels, r->at + n);
	if (json_object_get(series, key))
		return fault(r, "the series comes twice");
	if (json_object_size(series) &&
	    (*key == 0) != (*json_object_iter_key(json_object_iter(series)) == 0))
		return fault(r, "some have labels, some have none");
	value = strtod(r->at + n + labels + 1, &end);
	if (end == r->at + n + labels + 1 || *end != '\n' || !isfinite(value) || value < 0)
		return fault(r, "that is no value of ours");
	json_object_set_new(series, key, json_real(value));
	return true;
}

json_t *exposition_read(const char *text, char why[EXPOSITION_TEXT])
{
	struct reader r = {.families = json_object(), .why = why, .name = ""};
	bool ok = true;

	for (r.at = text; ok && *r.at; r.at += r.len + 1) {
		r.len = strcspn(r.at, "\n");
		if (!r.at[r.len])
			ok = fault(&r, "the last line has no end");
		else if (!strncmp(r.at, "# HELP ", 7))
			ok = read_help(&r);
		else if (!strncmp(r.at, "# TYPE ", 7))
			ok = read_type(&r);
		else
			ok = read_sample(&r);
	}
	if (ok && (!r.family || !json_object_size(json_object_get(r.family, "series")))) {
		snprintf(why, EXPOSITION_TEXT, "nothing, or a family without a sample, at the end");
		ok = false;
	}
	if (ok)
		return r.families;
	json_decref(r.families);
	return NULL;
}

json_t *exposition_of(struct rig_server *server)
{
	char why[EXPOSITION_TEXT] = "", *text = rig_verb(server, "metrics", NULL);
	json_t *families = exposition_read(text, why);

	if (!families)
		rig_fail(text, text, "%s", why);
	free(text);
	return families;
}

double exposition_value(const json_t *families, const char *series)
{
	size_t n = strcspn(series, "{");
	char name[128];
	json_t *value;

	snprintf(name, sizeof(name), "%.*s", (int)n, series);
	value =
	    json_object_get(json_object_get(json_object_get(families, name), "series"), series + n);
	if (!value)
		fail_msg("there is no series %s", series);
	return json_real_value(value);
}

double exposition_sum(const json_t *families, const char *name)
{
	json_t *series = json_object_get(json_object_get(families, name), "series"), *value;
	const char *key;
	double sum = 0;

	assert_non_null(series);
	json_object_foreach (series, key, value)
		sum += json_real_value(value);
	return sum;
}

size_t exposition_series(const json_t *families)
{
	json_t *family;
	const char *key;
	size_t n = 0;

	json_object_foreach ((json_t *)(uintptr_t)families, key, family)
		n += json_object_size(json_object_get(family, "series"));
	return n;
}

const char *exposition_type(const json_t *families, const char *name, size_t len)
{
	char key[128];

	snprintf(key, sizeof(key), "%.*s", (int)len, name);
	return json_string_value(json_object_get(json_object_get(families, key), "type"));
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a verb's answer looks like for people: its row's texts (struct verb_text), in which
 *
 *   {name}          is a member; nothing for null
 *   {name:UNIT}     b: bytes as 1.2 MB; d: seconds as 3m20s; c: the time of day, here; 1: the first
 * of a list; l: line by line as it is; s: "s" unless it is 1, for a noun; v: "s" if it is 1, for a
 * verb {name:UNIT,N}   is as wide as with printf's %Ns
 *   {?name:yes|no}  is one text where the member is there and not false, 0 or empty, else the other
 *
 * Whoever answers on the socket: nothing of it commands the terminal.
 */
#include "base/text.h"
#include "daemon/admin/verb.h"
#include "daemon/cli/cli_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAME_MAX_STRLEN 40
#define SHOWN_SIZE      4096

const char *cli_shown(const char *text)
{
	static char shown[CLI_SHOWN_N][SHOWN_SIZE];
	static unsigned next;
	char *out = shown[next++ % CLI_SHOWN_N];

	text_show(out, SHOWN_SIZE, text, strlen(text), TEXT_AGAIN);
	return out;
}

/* 1234567 bytes as "1.2 MB". */
static const char *bytes(json_int_t n, char buf[32])
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
	double x = (double)n;
	size_t u = 0;

	for (; x >= 1000 && u + 1 < sizeof(units) / sizeof(*units); u++)
		x /= 1000;
	snprintf(buf, 32, u ? "%.1f %s" : "%.0f %s", x, units[u]);
	return buf;
}

static const char *duration(json_int_t s, char buf[32])
{
	if (s < 60)
		snprintf(buf, 32, "%" JSON_INTEGER_FORMAT "s", s);
	else if (s < 3600)
		snprintf(buf, 32, "%" JSON_INTEGER_FORMAT "m%02ds", s / 60, (int)(s % 60));
	else
		snprintf(buf, 32, "%" JSON_INTEGER_FORMAT "h%02dm", s / 3600, (int)(s % 3600 / 60));
	return buf;
}

/* "13:14:15.123", of today or any other day. */
static const char *clock_time(const char *text, char buf[32])
{
	int64_t at_ms = 0;
	struct tm tm;
	time_t t;
	size_t n;

	if (!text || verb_time_parse(text, &at_ms))
		return "?";
	t = (time_t)(at_ms / 1000);
	n = localtime_r(&t, &tm) ? strftime(buf, 32, "%H:%M:%S", &tm) : 0;
	snprintf(buf + n, 32 - n, ".%03d", (int)(at_ms % 1000));
	return buf;
}

static const char *value_text(const json_t *value, char unit, char buf[32])
{
	json_int_t n = json_integer_value(value);

	if (unit == '1')
		return value_text(json_array_get(value, 0), 0, buf);
	if (unit == 'c')
		return clock_time(json_string_value(value), buf);
	if (unit == 's')
		return n == 1 ? "" : "s";
	if (unit == 'v')
		return n == 1 ? "s" : "";
	if (unit == 'h')
		return n == 1 ? "has" : "have";
	if (json_is_string(value))
		return cli_shown(json_string_value(value));
	if (!json_is_integer(value))
		return "";
	if (unit == 'b')
		return bytes(n, buf);
	if (unit == 'd')
		return duration(n, buf);
	snprintf(buf, 32, "%" JSON_INTEGER_FORMAT, n);
	return buf;
}

/* As it is, but for lines that would command the terminal. */
static void print_lines(FILE *out, const char *text)
{
	for (size_t len; text && *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		if (text_is_printable(text, len))
			fprintf(out, "%.*s\n", (int)len, text);
	}
}

static const json_t *member(const json_t *of, const char *text, size_t len)
{
	char name[NAME_MAX_STRLEN];

	snprintf(name, sizeof(name), "%.*s", (int)len, text);
	return json_object_get(of, name);
}

/* "name:unit,width" without its braces. */
static void print_member(FILE *out, const char *text, const json_t *row)
{
	size_t name_len = strcspn(text, ":,}");
	const char *at = text + name_len;
	const json_t *value = member(row, text, name_len);
	char unit = 0, buf[32];

	if (*at == ':')
		unit = at[1], at += 2;
	if (unit == 'l')
		print_lines(out, json_string_value(value));
	else
		fprintf(out, "%*s", *at == ',' ? atoi(at + 1) : 0, value_text(value, unit, buf));
}

static bool holds(const json_t *value)
{
	return json_is_true(value) || json_integer_value(value) || json_string_length(value);
}

/* The length up to one of the ends that belongs to no inner brace. */
static size_t up_to(const char *text, size_t len, const char *ends)
{
	size_t i = 0;

	for (int depth = 0; i < len && (depth || !strchr(ends, text[i])); i++)
		depth += text[i] == '{' ? 1 : text[i] == '}' ? -1 : 0;
	return i;
}

static void expand(FILE *out, const char *text, size_t len, const json_t *row)
{
	size_t n, yes;

	for (; len; text += n, len -= n) {
		if (*text != '{') {
			n = 1;
			fputc(*text, out);
			continue;
		}
		n = up_to(text + 1, len - 1, "}") + 2;
		if (text[1] == '?') {
			size_t name_len = strcspn(text, ":") + 1;

			yes = up_to(text + name_len, n - name_len - 1, "|");
			if (holds(member(row, text + 2, name_len - 3)))
				expand(out, text + name_len, yes, row);
			else if (text[name_len + yes] == '|')
				expand(out, text + name_len + yes + 1, n - name_len - yes - 2, row);
		} else {
			print_member(out, text + 1, row);
		}
	}
}

/* With a newline, unless nothing comes of it. */
static void print(FILE *out, const char *text, const json_t *row)
{
	char *line = NULL;
	size_t len;
	FILE *f = text ? open_memstream(&line, &len) : NULL;

	if (!f)
		return;
	expand(f, text, strlen(text), row);
	if (!fclose(f) && len)
		fprintf(out, "%s%s", line, line[len - 1] == '\n' ? "" : "\n");
	if (line)
		explicit_bzero(line, len); /* it may be a password */
	free(line);
}

void cli_print_answer(const struct verb *v, const json_t *answer)
{
	const struct verb_text *t = &v->text;
	const json_t *rows = t->list ? json_object_get(answer, t->list) : NULL, *row;
	const char *warning = json_string_value(json_object_get(answer, "warning"));
	size_t i, n = json_array_size(rows);

	if (warning)
		fprintf(stderr, "turnpike: warning: %s\n", cli_shown(warning));
	print(stderr, t->say, answer);
	if (n)
		print(stdout, t->head, answer);
	else
		print(stderr, t->none, answer);
	for (i = 0; i < n; i++) {
		row = json_array_get(rows, i);
		print(stdout, t->line, row);
	}
	print(stdout, t->print, answer);
}

int cli_print_json(json_t *value, struct why *why)
{
	/* Nothing in it commands a terminal. */
	const size_t flags = JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII;
	char *text = value ? json_dumps(value, flags) : NULL;

	json_decref(value);
	if (!text)
		return why_set(why, CLI_EXIT_FAIL, "out of memory");
	puts(text);
	free(text);
	return 0;
}

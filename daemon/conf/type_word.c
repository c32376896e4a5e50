/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Types of options that are numbers, or one of a few words.
 */
#include "daemon/conf/conf_internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int parse_int(const struct conf_option *o, const char *text, void *m, struct why *why)
{
	size_t digits = strspn(text, "0123456789");
	long long v;

	if (!digits || text[digits] || digits > 18)
		return why_set(why, -E_PARSE,
		               "\"%s\" is not a number: write %" PRId64 " to %" PRId64, text,
		               o->min, o->max);
	v = strtoll(text, NULL, 10);
	if (v < o->min || v > o->max)
		return why_set(why, -E_PARSE, "%lld is out of range: write %" PRId64 " to %" PRId64,
		               v, o->min, o->max);
	*(int64_t *)m = v;
	return 0;
}

static void print_int(FILE *out, const struct conf_option *o, const void *m, size_t i)
{
	(void)o;
	(void)i;
	fprintf(out, "%" PRId64, *(const int64_t *)m);
}

static void document_range(const struct conf_option *o, char text[CONF_BOUNDS_MAX])
{
	snprintf(text, CONF_BOUNDS_MAX, "%" PRId64 " to %" PRId64 "%s%s", o->min, o->max,
	         *o->unit ? " " : "", o->unit);
}

static int parse_bool(const struct conf_option *o, const char *text, void *m, struct why *why)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
	    {"yes", true}, {"no", false},  {"true", true}, {"false", false},
	    {"on", true},  {"off", false}, {"1", true},    {"0", false},
	};

	(void)o;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (!strcasecmp(text, words[i].word)) {
			*(bool *)m = words[i].value;
			return 0;
		}
	}
	return why_set(why, -E_PARSE, "\"%s\" is neither yes nor no", text);
}

static void print_bool(FILE *out, const struct conf_option *o, const void *m, size_t i)
{
	(void)o;
	(void)i;
	fputs(*(const bool *)m ? "yes" : "no", out);
}

/* "local|yes|no" as "local, yes or no" */
static int refuse_word(const char *words, const char *text, struct why *why)
{
	char list[CONF_BOUNDS_MAX] = "";
	size_t len = 0;

	for (; *words && len + 4 < sizeof(list); words++) {
		const char *between = strchr(words + 1, '|') ? ", " : " or ";

		if (*words == '|')
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s", between);
		else
			list[len++] = *words;
	}
	return why_set(why, -E_PARSE, "\"%s\" is not known: write %s", text, list);
}

/* The metavar has the words in the order of the enum. */
static int parse_word(const struct conf_option *o, const char *text, void *m, struct why *why)
{
	size_t len = strlen(text);
	const char *word = o->metavar;

	for (unsigned i = 0;; i++) {
		size_t n = strcspn(word, "|");

		if (n == len && !strncmp(word, text, n)) {
			memcpy(m, &i, sizeof(i));
			return 0;
		}
		if (!word[n])
			break;
		word += n + 1;
	}
	return refuse_word(o->metavar, text, why);
}

static void print_word(FILE *out, const struct conf_option *o, const void *m, size_t i)
{
	const char *word = o->metavar;
	unsigned skip;

	(void)i;
	for (memcpy(&skip, m, sizeof(skip)); skip; skip--)
		word += strcspn(word, "|") + 1;
	fprintf(out, "%.*s", (int)strcspn(word, "|"), word);
}

static void document_words(const struct conf_option *o, char text[CONF_BOUNDS_MAX])
{
	snprintf(text, CONF_BOUNDS_MAX, "%s", o->metavar);
}

/* The bit of the word of that length, or 0. */
static unsigned right_bit(const char *words, const char *word, size_t len)
{
	for (unsigned bit = 1;; bit <<= 1) {
		size_t n = strcspn(words, ",");

		if (n == len && !strncmp(words, word, n))
			return bit;
		if (!words[n])
			return 0;
		words += n + 1;
	}
}

/* "call,list", in any order. */
static int parse_rights(const struct conf_option *o, const char *text, void *m, struct why *why)
{
	unsigned rights = 0, bit;

	for (const char *at = text; strcmp(text, "none") != 0;) {
		size_t n = strcspn(at, ",");

		bit = right_bit(o->metavar, at, n);
		if (!bit)
			return why_set(
			    why, -E_PARSE,
			    "\"%s\" is not known: write some of %s, with commas, or none", text,
			    o->metavar);
		rights |= bit;
		if (!at[n])
			break;
		at += n + 1;
	}
	memcpy(m, &rights, sizeof(rights));
	return 0;
}

static void print_rights(FILE *out, const struct conf_option *o, const void *m, size_t i)
{
	const char *word = o->metavar, *between = "";
	unsigned rights;

	(void)i;
	memcpy(&rights, m, sizeof(rights));
	if (!rights)
		fputs("none", out);
	for (; rights; rights >>= 1) {
		size_t n = strcspn(word, ",");

		if (rights & 1) {
			fprintf(out, "%s%.*s", between, (int)n, word);
			between = ",";
		}
		word += n + 1;
	}
}

static int parse_ports(const struct conf_option *o, const char *text, void *m, struct why *why)
{
	struct conf_ports *ports = m;
	unsigned min, max;
	int end = 0;

	if (!isdigit((unsigned char)*text) || strlen(text) > 11 ||
	    sscanf(text, "%5u-%5u%n", &min, &max, &end) != 2 || text[end])
		return why_set(why, -E_PARSE,
		               "\"%s\" is not a range of ports: write MIN-MAX, like 49152-65535",
		               text);
	if ((int64_t)min < o->min || max > o->max)
		return why_set(why, -E_PARSE, "\"%s\": ports go from %" PRId64 " to %" PRId64, text,
		               o->min, o->max);
	if (min > max)
		return why_set(why, -E_PARSE,
		               "\"%s\": the lowest port is above the highest: write %u-%u", text,
		               max, min);
	ports->min = (uint16_t)min;
	ports->max = (uint16_t)max;
	return 0;
}

static void print_ports(FILE *out, const struct conf_option *o, const void *m, size_t i)
{
	const struct conf_ports *ports = m;

	(void)o;
	(void)i;
	fprintf(out, "%u-%u", ports->min, ports->max);
}

_Static_assert(sizeof(enum conf_guests) == sizeof(unsigned), "the words are read as unsigned");
_Static_assert(sizeof(enum conf_lock) == sizeof(unsigned), "the words are read as unsigned");
_Static_assert(sizeof(enum log_level) == sizeof(unsigned), "the words are read as unsigned");

#define WORD                                                                                       \
	{                                                                                          \
		.name = "one of the words", .parse = parse_word, .print = print_word,              \
		.document = document_words                                                         \
	}
const struct conf_type conf_type_GUESTS = WORD;
const struct conf_type conf_type_LOCK = WORD;
const struct conf_type conf_type_LEVEL = WORD;
const struct conf_type conf_type_RIGHTS = {.name = "some of the words, with commas, or none",
                                           .parse = parse_rights,
                                           .print = print_rights,
                                           .document = document_words};
const struct conf_type conf_type_INT = {.name = "number",
                                        .bounds_in_help = true,
                                        .parse = parse_int,
                                        .print = print_int,
                                        .document = document_range};
const struct conf_type conf_type_BOOL = {
    .name = "yes or no", .parse = parse_bool, .print = print_bool};
const struct conf_type conf_type_PORTS = {.name = "range of ports",
                                          .parse = parse_ports,
                                          .print = print_ports,
                                          .document = document_range};

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Values to texts: what conf_value.c reads, written again.
 */
#include "daemon/conf/conf_internal.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const void *member(const struct conf *conf, const struct conf_option *o)
{
	return (const char *)conf + o->offset;
}

static void print_texts(FILE *out, const struct conf_texts *texts)
{
	for (size_t i = 0; i < texts->n; i++)
		fprintf(out, "%s%s", i ? "," : "", texts->v[i]);
}

static void print_addrs(FILE *out, const struct conf_addrs *addrs, bool with_port)
{
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < addrs->n; i++)
		fprintf(out, "%s%s%s", i ? "," : "",
		        with_port ? addr_format(&addrs->v[i], text)
		                  : addr_format_ip(&addrs->v[i], text),
		        addrs->proxy >> i & 1 ? " proxy" : "");
}

static void print_prefixes(FILE *out, const struct conf_prefixes *prefixes)
{
	char text[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < prefixes->n; i++) {
		const struct prefix *p = &prefixes->v[i];

		fprintf(out, "%s%s/%u", i ? "," : "",
		        inet_ntop(p->family, p->ip, text, sizeof(text)), p->bits);
	}
}

static void print_mappings(FILE *out, const struct conf_mappings *mappings)
{
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < mappings->n; i++) {
		const struct conf_mapping *m = &mappings->v[i];

		fputs(i ? "," : "", out);
		if (addr_family(&m->local) != AF_UNSPEC)
			fprintf(out, "%s=", addr_format_ip(&m->local, text));
		fputs(addr_format_ip(&m->external, text), out);
	}
}

static void print_value(FILE *out, const struct conf_option *o, const void *m)
{
	static const char *const guests[] = {[GUESTS_LOCAL] = "local",
	                                     [GUESTS_YES] = "yes",
	                                     [GUESTS_PUBLIC] = "public",
	                                     [GUESTS_NO] = "no"};
	static const char *const levels[] = {[LOG_LEVEL_ERROR] = "error",
	                                     [LOG_LEVEL_WARN] = "warn",
	                                     [LOG_LEVEL_INFO] = "info",
	                                     [LOG_LEVEL_DEBUG] = "debug"};
	const struct conf_ports *ports = m;

	switch (o->type) {
	case CONF_TEXT:
	case CONF_PATH:
	case CONF_HOST:
		fputs(*(char *const *)m, out);
		break;
	case CONF_REALMS:
	case CONF_KEYS:
	case CONF_ORIGINS:
		print_texts(out, m);
		break;
	case CONF_INT:
		fprintf(out, "%" PRId64, *(const int64_t *)m);
		break;
	case CONF_BOOL:
		fputs(*(const bool *)m ? "yes" : "no", out);
		break;
	case CONF_GUESTS:
		fputs(guests[*(const enum conf_guests *)m], out);
		break;
	case CONF_LEVEL:
		fputs(levels[*(const enum log_level *)m], out);
		break;
	case CONF_PORTS:
		fprintf(out, "%u-%u", ports->min, ports->max);
		break;
	case CONF_ADDRS:
	case CONF_LISTEN:
	case CONF_IPS:
		print_addrs(out, m, o->type != CONF_IPS);
		break;
	case CONF_PREFIXES:
		print_prefixes(out, m);
		break;
	case CONF_MAPPINGS:
		print_mappings(out, m);
		break;
	}
}

char *conf_value_text(const struct conf *conf, const struct conf_option *o)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	print_value(out, o, member(conf, o));
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

/* The file's reader takes '#' after a blank for a comment and trims blanks. */
static bool wants_quotes(const char *text)
{
	size_t len = strlen(text);

	return len && (strchr(text, '#') || *text == ' ' || text[len - 1] == ' ');
}

void conf_print_values(FILE *out, const struct conf *conf, const struct conf_origin *origins)
{
	for (size_t i = 0; i < conf_row_n; i++) {
		const struct conf_option *o = conf_rows[i].option;
		const char *quote, *where;
		char *text;

		if (!o) {
			fprintf(out, "%s# %s\n", i ? "\n" : "", conf_rows[i].title);
			continue;
		}
		text = conf_value_text(conf, o);
		where = origins[o - conf_options].source == SOURCE_DEFAULT
		            ? "default"
		            : origins[o - conf_options].where;
		quote = text && wants_quotes(text) ? "\"" : "";
		if (o->secret && text && *text)
			fprintf(out, "%s = ********  # %s\n", o->name, where);
		else
			fprintf(out, "%s =%s%s%s%s  # %s\n", o->name, text && *text ? " " : "",
			        quote, text ? text : "(out of memory)", quote, where);
		if (text && o->secret)
			explicit_bzero(text, strlen(text));
		free(text);
	}
}

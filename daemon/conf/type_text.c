/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Types of options that are kept as texts, single or in lists.
 */
#include "base/host.h"
#include "daemon/conf/conf_internal.h"
#include "daemon/conf/hook.h"
#include "daemon/conf/oauth_key.h"
#include "daemon/conf/ticket_key.h"
#include "store/name.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int check_text(const struct conf_option *o, const char *text, struct why *why)
{
	return text_check(text, 0, (size_t)o->max, "the value", why);
}

static int check_path(const struct conf_option *o, const char *text, struct why *why)
{
	return text_check(text, *o->def ? 1 : 0, 4000, "the path", why);
}

static int check_host(const struct conf_option *o, const char *text, struct why *why)
{
	(void)o;
	if (*text && !host_valid(text))
		return why_set(why, -E_PARSE,
		               "\"%.260s\" is neither a host name nor an IP address: write it "
		               "without scheme, port and brackets",
		               text);
	return 0;
}

static int check_realm(const struct conf_option *o, const char *text, struct why *why)
{
	(void)o;
	return realm_check(text, why);
}

static int check_key(const struct conf_option *o, const char *text, struct why *why)
{
	(void)o;
	return oauth_key_parse(text, NULL, why);
}

static int check_ticket_key(const struct conf_option *o, const char *text, struct why *why)
{
	(void)o;
	return ticket_key_read_option(text, NULL, why);
}

bool conf_origin_valid(const char *origin)
{
	const char *host = strstr(origin, "://");
	char name[CONF_VALUE_MAX];
	size_t len;

	if (!strcmp(origin, "*"))
		return true;
	if (!host || host == origin || strlen(origin) >= sizeof(name) ||
	    strspn(origin, "abcdefghijklmnopqrstuvwxyz0123456789+-.") != (size_t)(host - origin))
		return false;
	for (const char *c = origin; *c; c++) /* browsers send it so, and it is compared so */
		if (isupper((unsigned char)*c))
			return false;
	host += 3;
	len = *host == '[' ? strcspn(host, "]") : strcspn(host, ":");
	snprintf(name, sizeof(name), "%.*s", (int)(len - (*host == '[')), host + (*host == '['));
	if (!host_valid(name))
		return false;
	host += len + (*host == '[' && host[len]);
	return !*host || (*host == ':' && host[1] && strspn(host + 1, "0123456789") < 6 &&
	                  !host[1 + strspn(host + 1, "0123456789")]);
}

static int check_origin(const struct conf_option *o, const char *text, struct why *why)
{
	(void)o;
	return conf_origin_valid(text)
	           ? 0
	           : why_set(why, -E_PARSE,
	                     "\"%.200s\" is not an origin: write https://HOST or "
	                     "https://HOST:PORT, in lower case and without a path, or *",
	                     text);
}

static int check_url(const struct conf_option *o, const char *text, struct why *why)
{
	return !*text && !o->type->element ? 0 : hook_url_check(text, why);
}

static int check_hook_key(const struct conf_option *o, const char *text, struct why *why)
{
	(void)o;
	return hook_key_parse(text, NULL, why);
}

static int check_hook(const struct conf_option *o, const char *text, struct why *why)
{
	enum hook_what what;

	(void)o;
	return hook_parse(text, &what, why);
}

static int parse_text(const struct conf_option *o, const char *text, void *m, struct why *why)
{
	char **held = m, *copy = strdup(text);

	(void)o;
	if (!copy)
		return why_set(why, -E_NOMEM, "out of memory");
	free(*held);
	*held = copy;
	return 0;
}

static int add_text(const struct conf_option *o, const char *text, void *m, struct why *why)
{
	char *copy = strdup(text);
	int r = copy ? conf_list_add(o, m, &copy, why) : why_set(why, -E_NOMEM, "out of memory");

	if (r)
		free(copy);
	return r;
}

static void print_text(FILE *out, const struct conf_option *o, const void *m, size_t i)
{
	char *const *texts = o->type->element ? ((const struct conf_texts *)m)->v : m;

	fputs(texts[i], out);
}

static void clear_text(void *v, bool secret)
{
	char **text = v;

	if (secret && *text)
		explicit_bzero(*text, strlen(*text));
	free(*text);
}

static void document_text(const struct conf_option *o, char text[CONF_BOUNDS_MAX])
{
	snprintf(text, CONF_BOUNDS_MAX, "up to %" PRId64 " bytes", o->max);
}

#define SINGLE .parse = parse_text, .print = print_text, .clear = clear_text
#define LIST                                                                                       \
	.element = sizeof(char *), .parse = add_text, .print = print_text, .clear = clear_text,    \
	.document = conf_list_document

const struct conf_type conf_type_TEXT = {
    .name = "text", .check = check_text, .document = document_text, SINGLE};
const struct conf_type conf_type_PATH = {.name = "path", .check = check_path, SINGLE};
const struct conf_type conf_type_HOST = {
    .name = "host name or address", .check = check_host, SINGLE};
const struct conf_type conf_type_REALMS = {.name = "list of texts", .check = check_realm, LIST};
const struct conf_type conf_type_KEYS = {.name = "list of keys", .check = check_key, LIST};
const struct conf_type conf_type_JWTKEYS = {
    .name = "list of keys", .check = check_ticket_key, LIST};
const struct conf_type conf_type_ORIGINS = {.name = "list of origins", .check = check_origin, LIST};
const struct conf_type conf_type_URL = {.name = "URL", .check = check_url, SINGLE};
const struct conf_type conf_type_URLS = {.name = "list of URLs", .check = check_url, LIST};
const struct conf_type conf_type_SIGNING = {.name = "list of keys", .check = check_hook_key, LIST};
const struct conf_type conf_type_EVENTS = {.name = "list of words", .check = check_hook, LIST};

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Texts to values, one parser a type.
 */
#include "base/host.h"
#include "base/text.h"
#include "daemon/conf/conf_internal.h"
#include "daemon/oauth_key.h"
#include "store/name.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ELEMENT_MAX (REALM_MAX_LEN + 1) /* bytes of the longest element of a list */

static void *member(struct conf *conf, const struct conf_option *o)
{
	return (char *)conf + o->offset;
}

static int set_text(char **out, const char *text, struct why *why)
{
	char *copy = strdup(text);

	if (!copy)
		return why_set(why, -E_NOMEM, "out of memory");
	free(*out);
	*out = copy;
	return 0;
}

static int set_int(int64_t *out, const struct conf_option *o, const char *text, struct why *why)
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
	*out = v;
	return 0;
}

static int set_bool(bool *out, const char *text, struct why *why)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
	    {"yes", true}, {"no", false},  {"true", true}, {"false", false},
	    {"on", true},  {"off", false}, {"1", true},    {"0", false},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (!strcasecmp(text, words[i].word)) {
			*out = words[i].value;
			return 0;
		}
	}
	return why_set(why, -E_PARSE, "\"%s\" is neither yes nor no", text);
}

static int set_guests(enum conf_guests *out, const char *text, struct why *why)
{
	static const char *const words[] = {
	    [GUESTS_LOCAL] = "local",
	    [GUESTS_YES] = "yes",
	    [GUESTS_PUBLIC] = "public",
	    [GUESTS_NO] = "no",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (!strcmp(text, words[i])) {
			*out = (enum conf_guests)i;
			return 0;
		}
	}
	return why_set(why, -E_PARSE, "\"%s\" is not known: write local, yes, public or no", text);
}

static int set_ports(struct conf_ports *out, const char *text, struct why *why)
{
	unsigned min, max;
	int end = 0;

	if (!isdigit((unsigned char)*text) || strlen(text) > 11 ||
	    sscanf(text, "%5u-%5u%n", &min, &max, &end) != 2 || text[end])
		return why_set(why, -E_PARSE,
		               "\"%s\" is not a range of ports: write MIN-MAX, like 49152-65535",
		               text);
	if (!min || max > 65535)
		return why_set(why, -E_PARSE, "\"%s\": ports go from 1 to 65535", text);
	if (min > max)
		return why_set(why, -E_PARSE,
		               "\"%s\": the lowest port is above the highest: write %u-%u", text,
		               max, min);
	out->min = (uint16_t)min;
	out->max = (uint16_t)max;
	return 0;
}

/* v is the array's address. The new element comes zeroed. */
static void *append(void *v, size_t *n, size_t size)
{
	char **array = v, *mem = reallocarray(*array, *n + 1, size);

	if (!mem)
		return NULL;
	*array = mem;
	mem += size * (*n)++;
	memset(mem, 0, size);
	return mem;
}

static int parse_ip(struct addr *a, const char *text, struct why *why)
{
	if (addr_parse_ip(a, text, 0))
		return why_set(why, -E_PARSE,
		               "\"%s\" is not an IP address: write one like 192.0.2.1 or "
		               "2001:db8::1, without a port",
		               text);
	if (addr_is_any(a))
		return why_set(why, -E_PARSE, "\"%s\" stands for every address: name one", text);
	return 0;
}

static int parse_mapping(struct conf_mapping *m, const char *text, struct why *why)
{
	const char *equals = strchr(text, '=');
	char local[ELEMENT_MAX];
	int err;

	memset(m, 0, sizeof(*m));
	if (!equals)
		return parse_ip(&m->external, text, why);
	memcpy(local, text, (size_t)(equals - text));
	local[equals - text] = 0;
	if ((err = parse_ip(&m->local, local, why)) ||
	    (err = parse_ip(&m->external, equals + 1, why)))
		return err;
	if (addr_family(&m->local) != addr_family(&m->external))
		return why_set(why, -E_PARSE, "\"%s\" maps between IPv4 and IPv6: use one family",
		               text);
	return 0;
}

static bool is_texts(enum conf_type type)
{
	return type == CONF_REALMS || type == CONF_KEYS || type == CONF_ORIGINS;
}

bool conf_origin_valid(const char *origin)
{
	const char *host = strstr(origin, "://");
	char name[ELEMENT_MAX];
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

static int check_text(const struct conf_option *o, const char *text, struct why *why)
{
	if (o->type == CONF_KEYS)
		return oauth_key_parse(text, NULL, why);
	if (o->type == CONF_ORIGINS)
		return conf_origin_valid(text)
		           ? 0
		           : why_set(why, -E_PARSE,
		                     "\"%.200s\" is not an origin: write https://HOST or "
		                     "https://HOST:PORT, in lower case and without a path, or *",
		                     text);
	return realm_check(text, why) ? -E_PARSE : 0;
}

static int add_text_element(struct conf *conf, const struct conf_option *o, const char *text,
                            struct why *why)
{
	struct conf_texts *texts = member(conf, o);
	char *copy, **slot;
	int err = check_text(o, text, why);

	if (err)
		return err;
	if ((int64_t)texts->n >= o->max)
		return why_set(why, -E_PARSE, "more than %" PRId64 " values: remove some", o->max);
	copy = strdup(text);
	slot = copy ? append(&texts->v, &texts->n, sizeof(*slot)) : NULL;
	if (!slot) {
		free(copy);
		return why_set(why, -E_NOMEM, "out of memory");
	}
	*slot = copy;
	return 0;
}

static void clear_texts(struct conf_texts *texts, bool secret)
{
	for (size_t i = 0; i < texts->n; i++) {
		if (secret)
			explicit_bzero(texts->v[i], strlen(texts->v[i]));
		free(texts->v[i]);
	}
	free(texts->v);
	memset(texts, 0, sizeof(*texts));
}

/* Copies text to out, without the word at its end. Whether it was there. */
static bool take_word(const char *text, const char *word, char out[ELEMENT_MAX])
{
	size_t len = strlen(text), word_len = strlen(word);
	bool is = len > word_len && !strcmp(text + len - word_len, word) &&
	          strchr(" \t", text[len - word_len - 1]);

	len -= is ? word_len : 0;
	while (is && strchr(" \t", text[len - 1]))
		len--;
	memcpy(out, text, len);
	out[len] = 0;
	return is;
}

static int add_element(struct conf *conf, const struct conf_option *o, const char *text,
                       struct why *why)
{
	struct conf_addrs *addrs = member(conf, o);
	struct conf_prefixes *prefixes = member(conf, o);
	struct conf_mappings *mappings = member(conf, o);
	union {
		struct addr addr;
		struct prefix prefix;
		struct conf_mapping mapping;
	} v;
	char plain[ELEMENT_MAX];
	bool proxy = false;
	void *slot;
	size_t size;
	int err = 0;

	if (is_texts(o->type))
		return add_text_element(conf, o, text, why);
	memset(&v, 0, sizeof(v));
	switch (o->type) {
	case CONF_LISTEN:
		proxy = take_word(text, "proxy", plain);
		text = plain;
		/* fall through */
	case CONF_ADDRS:
		if (addr_parse(&v.addr, text))
			err = why_set(why, -E_PARSE,
			              "\"%s\" is not an address and a port: write one like "
			              "0.0.0.0:3478 or [::]:3478%s",
			              text,
			              o->type == CONF_LISTEN ? ", with the word proxy behind it or "
			                                       "nothing"
			                                     : "");
		break;
	case CONF_IPS:
		err = parse_ip(&v.addr, text, why);
		break;
	case CONF_PREFIXES:
		if (prefix_parse(&v.prefix, text))
			err = why_set(why, -E_PARSE,
			              "\"%s\" is not a prefix: write one like 10.0.0.0/8 or "
			              "2001:db8::/32",
			              text);
		break;
	default:
		err = parse_mapping(&v.mapping, text, why);
	}
	if (err)
		return err;
	if (o->type == CONF_PREFIXES) {
		if ((int64_t)prefixes->n >= o->max)
			goto full;
		size = sizeof(v.prefix);
		slot = append(&prefixes->v, &prefixes->n, size);
	} else if (o->type == CONF_MAPPINGS) {
		if ((int64_t)mappings->n >= o->max)
			goto full;
		size = sizeof(v.mapping);
		slot = append(&mappings->v, &mappings->n, size);
	} else {
		if ((int64_t)addrs->n >= o->max)
			goto full;
		addrs->proxy |= (uint64_t)proxy << addrs->n;
		size = sizeof(v.addr);
		slot = append(&addrs->v, &addrs->n, size);
	}
	if (!slot)
		return why_set(why, -E_NOMEM, "out of memory");
	memcpy(slot, &v, size);
	return 0;
full:
	return why_set(why, -E_PARSE, "more than %" PRId64 " values: remove some", o->max);
}

static int add_elements(struct conf *conf, const struct conf_option *o, const char *text,
                        struct why *why)
{
	char element[ELEMENT_MAX];
	int err = 0;

	/* An empty list is one, an empty element among others is a slip. */
	if (!text[strspn(text, " \t")])
		return is_texts(o->type) && o->min
		           ? why_set(why, -E_PARSE, "the value is empty: name one")
		           : 0;
	while (!err) {
		size_t len = strcspn(text, ","), skip = strspn(text, " \t"), n;

		n = skip < len ? len - skip : 0;
		while (n && (text[skip + n - 1] == ' ' || text[skip + n - 1] == '\t'))
			n--;
		if (!n)
			return why_set(why, -E_PARSE,
			               "an element of the list is empty: remove the "
			               "comma");
		if (n >= sizeof(element))
			return why_set(why, -E_PARSE, "\"%.40s...\" is too long", text + skip);
		memcpy(element, text + skip, n);
		element[n] = 0;
		err = add_element(conf, o, element, why);
		if (!text[len])
			break;
		text += len + 1;
	}
	return err;
}

int conf_value_set(struct conf *conf, const struct conf_option *o, const char *text,
                   struct why *why)
{
	void *m = member(conf, o);
	int err;

	if (!text_is_utf8(text, strlen(text)))
		return why_set(why, -E_PARSE, "the value is not valid UTF-8");
	switch (o->type) {
	case CONF_TEXT:
		err = text_check(text, 0, (size_t)o->max, "the value", why);
		return err ? -E_PARSE : set_text(m, text, why);
	case CONF_PATH:
		err = text_check(text, o->def[0] ? 1 : 0, 4000, "the path", why);
		return err ? -E_PARSE : set_text(m, text, why);
	case CONF_HOST:
		if (*text && !host_valid(text))
			return why_set(why, -E_PARSE,
			               "\"%.260s\" is neither a host name nor an IP address: write "
			               "it without scheme, port and brackets",
			               text);
		return set_text(m, text, why);
	case CONF_INT:
		return set_int(m, o, text, why);
	case CONF_BOOL:
		return set_bool(m, text, why);
	case CONF_GUESTS:
		return set_guests(m, text, why);
	case CONF_LEVEL:
		if (log_level_parse(text, m))
			return why_set(why, -E_PARSE,
			               "\"%s\" is not known: write error, warn, info or debug",
			               text);
		return 0;
	case CONF_PORTS:
		return set_ports(m, text, why);
	case CONF_REALMS:
	case CONF_KEYS:
	case CONF_ORIGINS:
	case CONF_ADDRS:
	case CONF_LISTEN:
	case CONF_IPS:
	case CONF_PREFIXES:
	case CONF_MAPPINGS:
		return add_elements(conf, o, text, why);
	}
	return -E_INVAL;
}

void conf_value_clear(struct conf *conf, const struct conf_option *o)
{
	void *m = member(conf, o);
	struct conf_addrs *addrs = m;
	struct conf_prefixes *prefixes = m;
	struct conf_mappings *mappings = m;
	char **text = m;

	switch (o->type) {
	case CONF_TEXT:
	case CONF_PATH:
	case CONF_HOST:
		if (*text && o->secret)
			explicit_bzero(*text, strlen(*text));
		free(*text);
		*text = NULL;
		break;
	case CONF_REALMS:
	case CONF_KEYS:
	case CONF_ORIGINS:
		clear_texts(m, o->secret);
		break;
	case CONF_ADDRS:
	case CONF_LISTEN:
	case CONF_IPS:
		free(addrs->v);
		memset(addrs, 0, sizeof(*addrs));
		break;
	case CONF_PREFIXES:
		free(prefixes->v);
		memset(prefixes, 0, sizeof(*prefixes));
		break;
	case CONF_MAPPINGS:
		free(mappings->v);
		memset(mappings, 0, sizeof(*mappings));
		break;
	case CONF_INT:
	case CONF_BOOL:
	case CONF_GUESTS:
	case CONF_LEVEL:
	case CONF_PORTS:
		break; /* plain values hold nothing */
	}
}

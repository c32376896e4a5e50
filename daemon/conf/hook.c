/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Webhooks' events, URLs and keys.
 */
#include "daemon/conf/hook.h"

#include "base/addr.h"
#include "base/text.h"

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define BASE64_MAX 88 /* of HOOK_KEY_MAX bytes */

#define X(name, text) [name] = text,
static const char *const texts[] = {HOOK_TABLE(X)};
#undef X
#define TEXT_N (sizeof(texts) / sizeof(*texts))

/* Networks that no stranger's router is in. */
static const char *const private_ranges[] = {"127.0.0.0/8",    "10.0.0.0/8",    "172.16.0.0/12",
                                             "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16",
                                             "::1/128",        "fc00::/7",      "fe80::/10"};
/* Names that only such a network has (RFC 6761, RFC 6762, RFC 8375, ICANN's "internal"). */
static const char *const private_domains[] = {".localhost", ".local", ".home.arpa", ".internal"};

const char *hook_text(enum hook_what what)
{
	return texts[what];
}

int hook_parse(const char *text, enum hook_what *out, struct why *why)
{
	char list[256] = "";
	size_t len = 0;

	for (size_t i = 0; i < TEXT_N; i++)
		if (!strcmp(texts[i], text)) {
			*out = (enum hook_what)i;
			return 0;
		}
	for (size_t i = 0; i < TEXT_N; i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
		                        !i               ? ""
		                        : i + 1 < TEXT_N ? ", "
		                                         : " or ",
		                        texts[i]);
	return why_set(why, -E_PARSE, "\"%.40s\" is no event: write %s", text, list);
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len > n && !strcasecmp(text + len - n, end);
}

static bool is_private(const char *host)
{
	struct prefix range;
	struct addr a;

	if (!addr_parse_ip(&a, host, 0)) {
		for (size_t i = 0; i < sizeof(private_ranges) / sizeof(*private_ranges); i++)
			if (!prefix_parse(&range, private_ranges[i]) && prefix_has(&range, &a))
				return true;
		return false;
	}
	for (size_t i = 0; i < sizeof(private_domains) / sizeof(*private_domains); i++)
		if (ends_with(host, private_domains[i]))
			return true;
	return !strchr(host, '.');
}

/* NULL, or what is wrong with it. */
static const char *fault_of(CURLU *u, const char *url)
{
	char *scheme = NULL, *host = NULL, *user = NULL, *fragment = NULL;
	const char *fault = NULL;

	if (curl_url_set(u, CURLUPART_URL, url, 0) ||
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) ||
	    curl_url_get(u, CURLUPART_HOST, &host, 0) ||
	    (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0))
		fault = "is not a URL: write https://HOST/PATH";
	else if (!curl_url_get(u, CURLUPART_USER, &user, 0))
		fault = "has a user name in it: the signature says who sends; remove it";
	else if (!curl_url_get(u, CURLUPART_FRAGMENT, &fragment, 0))
		fault = "has a fragment, which is never sent: remove # and what follows";
	else if (!strcmp(scheme, "http") && !is_private(host))
		fault = "would cross the Internet in the clear: write https:// (http:// is only "
		        "for this host and private networks)";
	curl_free(scheme);
	curl_free(host);
	curl_free(user);
	curl_free(fragment);
	return fault;
}

int hook_url_check(const char *url, struct why *why)
{
	const char *fault;
	CURLU *u;

	if (strlen(url) > HOOK_URL_MAX)
		return why_set(why, -E_PARSE, "\"%.40s...\" is too long: %d bytes at most", url,
		               HOOK_URL_MAX);
	for (const char *c = url; *c; c++)
		if (*c <= ' ' || *c > '~')
			return why_set(why, -E_PARSE,
			               "\"%.200s\" has a blank or a character beyond ASCII: "
			               "percent-encode it",
			               url);
	u = curl_url();
	if (!u)
		return why_set(why, -E_NOMEM, "out of memory");
	fault = fault_of(u, url);
	curl_url_cleanup(u);
	return fault ? why_set(why, -E_PARSE, "\"%.200s\" %s", url, fault) : 0;
}

int hook_key_parse(const char *text, struct hook_key *out, struct why *why)
{
	size_t begin = sizeof(HOOK_KEY_BEGIN) - 1, len = strlen(text), padding = 0;
	uint8_t raw[BASE64_MAX];
	int n = -1;

	if (len > begin && len <= begin + BASE64_MAX && !strncmp(text, HOOK_KEY_BEGIN, begin)) {
		n = EVP_DecodeBlock(raw, (const unsigned char *)text + begin, (int)(len - begin));
		padding = strlen(text) - strcspn(text, "=");
	}
	n = n > 0 && padding < 3 ? n - (int)padding : -1;
	if (n >= HOOK_KEY_MIN && n <= HOOK_KEY_MAX && out) {
		memcpy(out->bytes, raw, (size_t)n);
		out->len = (size_t)n;
	}
	OPENSSL_cleanse(raw, sizeof(raw));
	return n >= HOOK_KEY_MIN && n <= HOOK_KEY_MAX
	           ? 0
	           : why_set(why, -E_PARSE,
	                     "not of the form " HOOK_KEY_BEGIN "BASE64, with %d to %d bytes: make "
	                     "one with: echo " HOOK_KEY_BEGIN "$(openssl rand -base64 32)",
	                     HOOK_KEY_MIN, HOOK_KEY_MAX);
}

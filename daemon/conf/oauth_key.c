/* SPDX-License-Identifier: BSD-3-Clause
 *
 * KID:BASE64.
 */
#include "daemon/conf/oauth_key.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#define BASE64_MAX 64

/* The output of `echo KEY | base64` includes a line end that does not belong to the key. */
static size_t key_length(const uint8_t *raw, size_t len)
{
	if ((len == 17 || len == 33) && raw[len - 1] == '\n')
		len--;
	return len == 16 || len == 32 ? len : 0;
}

int oauth_key_parse(const char *text, struct oauth_key *out, struct why *why)
{
	const char *colon = strrchr(text, ':');
	uint8_t raw[BASE64_MAX];
	size_t kid_len, len = 0, padding;
	int n, r = -E_PARSE;

	if (!colon || colon == text || (size_t)(colon - text) > OAUTH_KID_MAX)
		return why_set(why, r, "not of the form KID:BASE64, with a KID of up to %d bytes",
		               OAUTH_KID_MAX);
	kid_len = (size_t)(colon - text);
	colon++;
	if (strlen(colon) > BASE64_MAX)
		goto out;
	n = EVP_DecodeBlock(raw, (const unsigned char *)colon, (int)strlen(colon));
	padding = strlen(colon) - strcspn(colon, "=");
	if (n > 0 && padding < 3)
		len = key_length(raw, (size_t)n - padding);
	if (!len)
		goto out;
	if (out) {
		memcpy(out->kid, text, kid_len);
		out->kid[kid_len] = 0;
		memcpy(out->key, raw, len);
		out->key_len = len;
	}
	r = 0;
out:
	OPENSSL_cleanse(raw, sizeof(raw));
	if (r)
		why_set(why, r,
		        "the key of \"%.*s\" is not base64 of 16 or 32 bytes: make one with "
		        "openssl rand -base64 32",
		        (int)kid_len, text);
	return r;
}

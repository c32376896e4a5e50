/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Time-limited TURN credentials (draft-uberti-behave-turn-rest-00).
 */
#include "store/credential.h"

#include "base/error.h"
#include "base/hmac.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

void credential_password(const void *secret, size_t secret_len, const char *username, size_t len,
                         char out[32])
{
	uint8_t mac[HMAC_SHA1_LEN];

	hmac(HMAC_SHA1, secret, secret_len, username, len, mac);
	EVP_EncodeBlock((unsigned char *)out, mac, sizeof(mac));
	OPENSSL_cleanse(mac, sizeof(mac));
}

int credential_make(const void *secret, size_t secret_len, const char *name, int64_t expires_at_s,
                    struct credential *out)
{
	size_t len = strlen(name);

	if (len > CREDENTIAL_NAME_MAX || expires_at_s < 0)
		return -E_INVAL;
	memset(out, 0, sizeof(*out));
	snprintf(out->username, sizeof(out->username), "%" PRId64 "%s%s", expires_at_s,
	         len ? ":" : "", name);
	out->expires_at_s = expires_at_s;
	credential_password(secret, secret_len, out->username, strlen(out->username),
	                    out->password);
	return 0;
}

int credential_parse(const char *username, size_t len, int64_t *expires_at_s, const char **name)
{
	int64_t expiry = 0;
	size_t i;

	for (i = 0; i < len && username[i] >= '0' && username[i] <= '9'; i++)
		if (__builtin_mul_overflow(expiry, 10, &expiry) ||
		    __builtin_add_overflow(expiry, username[i] - '0', &expiry))
			return -E_PARSE;
	if (!i || (i < len && username[i] != ':') || (i > 1 && username[0] == '0'))
		return -E_PARSE;
	*expires_at_s = expiry;
	*name = username + (i < len ? i + 1 : i);
	return 0;
}

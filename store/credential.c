/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Time-limited TURN credentials (draft-uberti-behave-turn-rest-00).
 */
#include "store/credential.h"

#include "base/error.h"
#include "base/hmac.h"
#include "base/username.h"

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

static int make(const void *secret, size_t secret_len, const char *mark, const char *name,
                int64_t expires_at_s, struct credential *out)
{
	if (strlen(name) > CREDENTIAL_NAME_MAX || expires_at_s < 0)
		return -E_INVAL;
	memset(out, 0, sizeof(*out));
	snprintf(out->username, sizeof(out->username), "%" PRId64 "%s%s%s", expires_at_s,
	         *mark || *name ? ":" : "", mark, name);
	out->expires_at_s = expires_at_s;
	credential_password(secret, secret_len, out->username, strlen(out->username),
	                    out->password);
	return 0;
}

int credential_make(const void *secret, size_t secret_len, const char *name, int64_t expires_at_s,
                    struct credential *out)
{
	if (username_is_marked(name, strlen(name)))
		return -E_INVAL;
	return make(secret, secret_len, "", name, expires_at_s, out);
}

int credential_make_locked(const void *secret, size_t secret_len, const char *name, uint64_t lock,
                           int64_t expires_at_s, struct credential *out)
{
	char mark[USERNAME_MARK_LEN + 1];

	username_mark(mark, lock);
	return make(secret, secret_len, mark, name, expires_at_s, out);
}

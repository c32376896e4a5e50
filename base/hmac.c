/* SPDX-License-Identifier: BSD-3-Clause
 *
 * HMAC.
 */
#include "base/hmac.h"

#include "base/env_libevent.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdlib.h>

static const struct {
	const char *name;
	size_t len;
} digests[] = {[HMAC_SHA1] = {"SHA1", HMAC_SHA1_LEN}, [HMAC_SHA256] = {"SHA256", HMAC_SHA256_LEN}};

#define DIGESTS (sizeof(digests) / sizeof(*digests))

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t of_thread[DIGESTS]; /* EVP_MAC_CTX */

static void free_context(void *context)
{
	EVP_MAC_CTX_free(context);
}

static void make_keys(void)
{
	for (size_t i = 0; i < DIGESTS; i++)
		if (pthread_key_create(&of_thread[i], free_context))
			abort(); /* there are a thousand */
}

static EVP_MAC_CTX *make_context(enum hmac_digest digest)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *context = mac ? EVP_MAC_CTX_new(mac) : NULL;
	const OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
	                                     (char *)(uintptr_t)digests[digest].name, 0),
	    OSSL_PARAM_construct_end()};

	EVP_MAC_free(mac); /* the context has a share of it */
	if (context && EVP_MAC_CTX_set_params(context, params) &&
	    !pthread_setspecific(of_thread[digest], context))
		return context;
	EVP_MAC_CTX_free(context);
	return NULL;
}

void hmac(enum hmac_digest digest, const void *key, size_t key_len, const void *data, size_t len,
          void *out)
{
	size_t size = digests[digest].len;
	EVP_MAC_CTX *context;

	pthread_once(&once, make_keys);
	context = pthread_getspecific(of_thread[digest]);
	if (!context)
		context = make_context(digest);
	/* without a pointer OpenSSL takes the key of the last time */
	if (!context || !EVP_MAC_init(context, key_len ? key : "", key_len, NULL) ||
	    !EVP_MAC_update(context, data, len) || !EVP_MAC_final(context, out, &size, size))
		env_libevent_random(out, digests[digest].len);
}

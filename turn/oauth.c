/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Self-contained tokens (RFC 7635 section 6.2), AES-GCM by OpenSSL.
 *
 *  | nonce length, 16 bits | nonce | encrypted block | tag, 128 bits |
 *
 * and the block, with the server's name as associated data:
 *
 *  | key length, 16 bits | mac_key | timestamp, 48 bits of seconds and 16 of 1/64000 s |
 *  | lifetime in seconds, 32 bits |
 */
#include "turn/oauth.h"

#include "base/error.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#define TAG_LEN   16
#define NONCE_MIN 12 /* RFC 5116 section 5.1; no AEAD of the registry has a shorter one */
#define NONCE_MAX 64
#define BLOCK_MIN (2 + 1 + 8 + 4)

struct parts {
	const uint8_t *nonce, *block, *tag;
	size_t nonce_len, block_len;
};

static int split(const uint8_t *token, size_t len, struct parts *p)
{
	if (len < 2 || len > TURN_OAUTH_TOKEN_MAX)
		return -E_PARSE;
	p->nonce_len = (size_t)token[0] << 8 | token[1];
	if (p->nonce_len < NONCE_MIN || p->nonce_len > NONCE_MAX ||
	    len < 2 + p->nonce_len + BLOCK_MIN + TAG_LEN)
		return -E_PARSE;
	p->nonce = token + 2;
	p->block = p->nonce + p->nonce_len;
	p->block_len = len - 2 - p->nonce_len - TAG_LEN;
	p->tag = p->block + p->block_len;
	return 0;
}

/* RFC 7635 section 7: "If the authenticated decrypt operation returns FAIL, then the STUN server
 * rejects the request with [...] 401". Nothing of the plaintext is looked at before. */
static int decrypt(const struct turn_oauth *o, const struct turn_oauth_key *k,
                   const struct parts *p, uint8_t *plain)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n, r = -E_DENIED;

	if (!c)
		return -E_NOMEM;
	if (EVP_DecryptInit_ex(c, k->key_len == 32 ? EVP_aes_256_gcm() : EVP_aes_128_gcm(), NULL,
	                       NULL, NULL) == 1 &&
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_IVLEN, (int)p->nonce_len, NULL) == 1 &&
	    EVP_DecryptInit_ex(c, NULL, NULL, k->key, p->nonce) == 1 &&
	    EVP_DecryptUpdate(c, NULL, &n, (const uint8_t *)o->oauth_server,
	                      (int)strlen(o->oauth_server)) == 1 &&
	    EVP_DecryptUpdate(c, plain, &n, p->block, (int)p->block_len) == 1 &&
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, (void *)(uintptr_t)p->tag) ==
	        1 &&
	    EVP_DecryptFinal_ex(c, plain + n, &n) == 1)
		r = 0;
	EVP_CIPHER_CTX_free(c);
	return r;
}

static uint64_t read_be(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

static int read_block(const uint8_t *plain, size_t len, int64_t now_s, struct turn_oauth_grant *out)
{
	size_t key_len = (size_t)read_be(plain, 2);
	int64_t made_s, lifetime_s;

	if (!key_len || key_len > STUN_KEY_MAX || len != 2 + key_len + 8 + 4)
		return -E_PARSE;
	made_s = (int64_t)read_be(plain + 2 + key_len, 6);
	lifetime_s = (int64_t)read_be(plain + 2 + key_len + 8, 4);
	/* RFC 7635 section 7: "lifetime + Delta > abs(RDnew - TS)" */
	if (lifetime_s + TURN_OAUTH_DELTA_S <= (now_s > made_s ? now_s - made_s : made_s - now_s))
		return -E_STALE;
	out->key.len = (uint8_t)key_len;
	memcpy(out->key.bytes, plain + 2, key_len);
	out->expires_at_s = made_s + lifetime_s + TURN_OAUTH_DELTA_S;
	return 0;
}

/* Identifies a key, also among keys of one id. 0 is no key's. */
static int64_t key_source_of(const struct turn_oauth_key *k)
{
	uint8_t text[sizeof(k->kid) + sizeof(k->key)] = {0}, digest[EVP_MAX_MD_SIZE];
	int64_t key_source = 0;

	memcpy(text, k->kid, strlen(k->kid));
	memcpy(text + sizeof(k->kid), k->key, k->key_len);
	if (EVP_Digest(text, sizeof(text), digest, NULL, EVP_sha256(), NULL))
		memcpy(&key_source, digest, sizeof(key_source));
	OPENSSL_cleanse(text, sizeof(text));
	return key_source;
}

bool turn_oauth_has(const struct turn_oauth *o, int64_t key_source)
{
	bool has = false;

	for (size_t i = 0; i < o->key_n; i++)
		has |= key_source_of(&o->key[i]) == key_source;
	return has;
}

int turn_oauth_open(const struct turn_oauth *o, const void *kid, size_t kid_len,
                    const uint8_t *token, size_t len, int64_t now_s, struct turn_oauth_grant *out)
{
	const struct turn_oauth_key *key = NULL;
	uint8_t plain[TURN_OAUTH_TOKEN_MAX];
	struct parts p;
	int r;

	for (size_t i = 0; i < o->key_n && !key; i++)
		if (strlen(o->key[i].kid) == kid_len && !memcmp(o->key[i].kid, kid, kid_len))
			key = &o->key[i];
	if (!key)
		return -E_NOTFOUND;
	r = split(token, len, &p);
	if (!r)
		r = decrypt(o, key, &p, plain);
	if (!r)
		r = read_block(plain, p.block_len, now_s, out);
	OPENSSL_cleanse(plain, sizeof(plain));
	if (!r)
		out->key_source = key_source_of(key);
	return r;
}

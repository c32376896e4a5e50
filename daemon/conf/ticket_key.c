/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Keys of tickets, in their forms. libjose and OpenSSL read and make them.
 */
#include "daemon/conf/ticket_key.h"

#include "store/name.h"

#include <jose/b64.h>
#include <jose/jwk.h>
#include <jose/openssl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_MIN_LEN 32 /* RFC 7518 section 3.2: no shorter than the hash */
#define SECRET_MAX     512
#define DER_MAX        512
#define KID_BYTES      9

static const char *const alg_texts[] = {[TICKET_HS256] = "HS256", [TICKET_ES256] = "ES256"};

const char *ticket_alg_text(enum ticket_alg alg)
{
	return alg_texts[alg];
}

int ticket_alg_parse(const char *text, enum ticket_alg *out, struct why *why)
{
	for (enum ticket_alg alg = TICKET_HS256; alg <= TICKET_ES256; alg++) {
		if (strcmp(text, alg_texts[alg]) != 0)
			continue;
		*out = alg;
		return 0;
	}
	return why_set(why, -E_PARSE, "\"%.32s\" is no alg of tickets: write HS256 or ES256", text);
}

/* The library reports to standard error unless it is told otherwise. */
static void silent(void *misc, const char *file, int line, uint64_t err, const char *fmt,
                   va_list ap)
{
	(void)misc;
	(void)file;
	(void)line;
	(void)err;
	(void)fmt;
	(void)ap;
}

struct jose_cfg *ticket_jose_new(void)
{
	jose_cfg_t *cfg = jose_cfg();

	if (cfg)
		jose_cfg_set_err_func(cfg, silent, NULL);
	return cfg;
}

void ticket_jose_free(struct jose_cfg *cfg)
{
	if (cfg)
		jose_cfg_decref(cfg);
}

/* ---- HS256 ---- */

static int take_secret(const void *secret, size_t len, struct ticket_key *out, struct why *why)
{
	json_t *k;

	if (len < SECRET_MIN_LEN || len > SECRET_MAX)
		return why_set(why, -E_PARSE,
		               "a secret of HS256 has %d to %d bytes, and this has %zu: make one "
		               "with openssl rand -base64 48",
		               SECRET_MIN_LEN, SECRET_MAX, len);
	k = jose_b64_enc(secret, len);
	out->jwk = k ? json_pack("{ss so ss}", "kty", "oct", "k", k, "alg", "HS256") : NULL;
	if (!out->jwk)
		return why_set(why, -E_NOMEM, "out of memory");
	out->alg = TICKET_HS256;
	out->signs = true;
	return 0;
}

static int take_oct(const json_t *jwk, struct ticket_key *out, struct why *why)
{
	uint8_t secret[SECRET_MAX];
	size_t len = jose_b64_dec(json_object_get(jwk, "k"), secret, sizeof(secret));
	int r = len == SIZE_MAX
	            ? why_set(why, -E_PARSE, "the JWK's k is not base64url of up to %d bytes",
	                      SECRET_MAX)
	            : take_secret(secret, len, out, why);

	OPENSSL_cleanse(secret, sizeof(secret));
	return r;
}

/* ---- ES256 ---- */

/* On its curve, and the private half, where there is one, belongs to the public one. */
static bool is_sound(EVP_PKEY *pkey, bool has_private)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
	bool sound =
	    ctx && EVP_PKEY_public_check(ctx) == 1 && (!has_private || EVP_PKEY_check(ctx) == 1);

	EVP_PKEY_CTX_free(ctx);
	return sound;
}

static int take_ec(jose_cfg_t *cfg, const json_t *jwk, struct ticket_key *out, struct why *why)
{
	const char *crv = json_string_value(json_object_get(jwk, "crv"));
	json_t *x = json_object_get(jwk, "x"), *y = json_object_get(jwk, "y"),
	       *d = json_object_get(jwk, "d");
	json_t *clean = NULL;
	EVP_PKEY *pkey;
	int r = 0;

	if (!crv || strcmp(crv, "P-256") != 0)
		return why_set(why, -E_PARSE,
		               "a key of ES256 is on the curve P-256: make one with "
		               "openssl ecparam -name prime256v1 -genkey -noout");
	clean = json_pack("{ss ss sO? sO? sO* ss}", "kty", "EC", "crv", crv, "x", x, "y", y, "d", d,
	                  "alg", "ES256");
	if (!clean)
		return why_set(why, -E_NOMEM, "out of memory");
	pkey = jose_openssl_jwk_to_EVP_PKEY(cfg, clean);
	if (!pkey || !is_sound(pkey, d))
		r = why_set(why, -E_PARSE, "the key is damaged: it is no point of P-256%s",
		            d ? ", or its halves do not belong together" : "");
	EVP_PKEY_free(pkey);
	if (r) {
		json_decref(clean);
		return r;
	}
	out->jwk = clean;
	out->alg = TICKET_ES256;
	out->signs = d;
	return 0;
}

static int take_pkey(jose_cfg_t *cfg, EVP_PKEY *pkey, struct ticket_key *out, struct why *why)
{
	json_t *jwk = pkey && EVP_PKEY_get_base_id(pkey) == EVP_PKEY_EC
	                  ? jose_openssl_jwk_from_EVP_PKEY(cfg, pkey)
	                  : NULL;
	int r = jwk ? take_ec(cfg, jwk, out, why)
	            : why_set(why, -E_PARSE,
	                      "the key cannot be read: it is for ES256 (P-256), "
	                      "without a password, as JWK or PEM");

	json_decref(jwk);
	return r;
}

/* ---- the forms ---- */

/* RFC 7517 section 4: what the JWK says about its use must allow this one. */
static int take_jwk(jose_cfg_t *cfg, const char *text, struct ticket_key *out, struct why *why)
{
	json_t *jwk = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	const char *kty = json_string_value(json_object_get(jwk, "kty"));
	const char *alg = json_string_value(json_object_get(jwk, "alg"));
	const char *use = json_string_value(json_object_get(jwk, "use"));
	const char *kid = json_string_value(json_object_get(jwk, "kid"));
	int r;

	if (kty && !strcmp(kty, "oct"))
		r = take_oct(jwk, out, why);
	else if (kty && !strcmp(kty, "EC"))
		r = take_ec(cfg, jwk, out, why);
	else
		r = why_set(why, -E_PARSE, "this is no JWK of kty oct or EC");
	if (!r && ((alg && strcmp(alg, ticket_alg_text(out->alg)) != 0) ||
	           (use && strcmp(use, "sig") != 0)))
		r = why_set(why, -E_PARSE,
		            "the JWK is for something else: its alg is not %s, or its use not sig",
		            ticket_alg_text(out->alg));
	if (!r && kid)
		r = shown_check(kid, 1, STORE_KID_MAX, "the JWK's kid", why) ? -E_PARSE : 0;
	if (!r && kid)
		snprintf(out->kid, sizeof(out->kid), "%s", kid);
	json_decref(jwk);
	return r;
}

/* PEM may ask at the terminal for a password: not here. */
static int no_password(char *buf, int size, int rwflag, void *u)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)u;
	return -1;
}

static int take_pem(jose_cfg_t *cfg, const char *text, struct ticket_key *out, struct why *why)
{
	BIO *bio = BIO_new_mem_buf(text, -1);
	bool is_private = strstr(text, "PRIVATE KEY-----");
	EVP_PKEY *pkey = NULL;
	int r;

	if (bio)
		pkey = is_private ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL)
		                  : PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL);
	r = take_pkey(cfg, pkey, out, why);
	EVP_PKEY_free(pkey);
	BIO_free(bio);
	return r;
}

static bool begins(const char *text, const char *with)
{
	return !strncmp(text + strspn(text, " \t\r\n"), with, strlen(with));
}

int ticket_key_read(const char *text, const enum ticket_alg *alg, struct ticket_key *out,
                    struct why *why)
{
	struct ticket_key k = {.jwk = NULL};
	jose_cfg_t *cfg = ticket_jose_new();
	int r;

	if (!cfg)
		return why_set(why, -E_NOMEM, "out of memory");
	if (begins(text, "{"))
		r = take_jwk(cfg, text, &k, why);
	else if (begins(text, "-----BEGIN"))
		r = take_pem(cfg, text, &k, why);
	else if (alg && *alg == TICKET_HS256)
		r = take_secret(text, strlen(text), &k, why);
	else
		r = why_set(why, -E_PARSE,
		            "this is no key: give a JWK or PEM, or say alg HS256 for the text of a "
		            "secret");
	if (!r && alg && *alg != k.alg)
		r = why_set(why, -E_PARSE, "this is a key of %s, not of %s", ticket_alg_text(k.alg),
		            ticket_alg_text(*alg));
	if (r)
		ticket_key_clear(&k);
	else
		*out = k;
	ticket_jose_free(cfg);
	return r;
}

/* Standard base64 with its padding. The number of bytes, or 0. */
static size_t decode(const char *text, uint8_t *out, size_t cap)
{
	size_t len = strlen(text), padding = len - strcspn(text, "=");
	int n;

	if (!len || len % 4 || len / 4 * 3 > cap || padding > 2)
		return 0;
	n = EVP_DecodeBlock(out, (const unsigned char *)text, (int)len);
	return n < 0 ? 0 : (size_t)n - padding;
}

static int take_option(jose_cfg_t *cfg, enum ticket_alg alg, const char *base64,
                       struct ticket_key *out, struct why *why)
{
	uint8_t raw[(DER_MAX / 3 + 1) * 3];
	const uint8_t *at = raw;
	size_t len = decode(base64, raw, sizeof(raw));
	EVP_PKEY *pkey;
	int r;

	if (!len)
		return why_set(why, -E_PARSE, "the key is not base64 of up to %d bytes", DER_MAX);
	if (alg == TICKET_HS256) {
		r = take_secret(raw, len, out, why);
	} else {
		pkey = d2i_PUBKEY(NULL, &at, (long)len);
		r = take_pkey(cfg, at == raw + len ? pkey : NULL, out, why);
		EVP_PKEY_free(pkey);
	}
	OPENSSL_cleanse(raw, sizeof(raw));
	return r;
}

int ticket_key_read_option(const char *text, struct ticket_key *out, struct why *why)
{
	static const char *const forms[] = {":HS256:", ":ES256:"};
	struct ticket_key k = {.jwk = NULL};
	const char *at = NULL;
	enum ticket_alg alg;
	jose_cfg_t *cfg;
	int r;

	for (alg = TICKET_HS256; alg <= TICKET_ES256 && !(at = strstr(text, forms[alg])); alg++)
		;
	if (!at || at == text || at - text > STORE_KID_MAX)
		return why_set(why, -E_PARSE,
		               "not of the form KID:HS256:BASE64 or KID:ES256:BASE64, with a KID "
		               "of up to %d bytes",
		               STORE_KID_MAX);
	snprintf(k.kid, sizeof(k.kid), "%.*s", (int)(at - text), text);
	if (shown_check(k.kid, 1, STORE_KID_MAX, "the KID", why))
		return -E_PARSE;
	cfg = ticket_jose_new();
	if (!cfg)
		return why_set(why, -E_NOMEM, "out of memory");
	r = take_option(cfg, alg, at + strlen(forms[alg]), &k, why);
	ticket_jose_free(cfg);
	k.signs = false; /* it is the other issuer's */
	if (r || !out)
		ticket_key_clear(&k);
	else
		*out = k;
	return r;
}

int ticket_key_make(enum ticket_alg alg, struct ticket_key *out, struct why *why)
{
	json_t *jwk = json_pack("{ss}", "alg", ticket_alg_text(alg));
	struct ticket_key k = {.jwk = NULL};
	uint8_t kid[KID_BYTES];
	jose_cfg_t *cfg = ticket_jose_new();
	int r = -E_NOMEM;

	if (jwk && cfg && RAND_bytes(kid, sizeof(kid)) == 1 && jose_jwk_gen(cfg, jwk)) {
		r = alg == TICKET_HS256 ? take_oct(jwk, &k, why) : take_ec(cfg, jwk, &k, why);
		k.kid[jose_b64_enc_buf(kid, sizeof(kid), k.kid, sizeof(k.kid) - 1)] = 0;
	} else {
		why_set(why, r, "cannot make a key: %s", error_text(r));
	}
	if (!r)
		*out = k;
	json_decref(jwk);
	ticket_jose_free(cfg);
	return r;
}

char *ticket_key_text(const struct ticket_key *k)
{
	return json_dumps(k->jwk, JSON_COMPACT);
}

void ticket_text_free(char *text)
{
	if (text)
		OPENSSL_cleanse(text, strlen(text));
	free(text);
}

void ticket_key_clear(struct ticket_key *k)
{
	json_decref(k->jwk);
	k->jwk = NULL;
}

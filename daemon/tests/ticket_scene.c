/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The stage for tests of tickets.
 */
#include "daemon/tests/ticket_scene.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <time.h>

void scene_reread(struct scene *s)
{
	struct store_snapshot *snap;

	assert_int_equal(store_snapshot_load(s->f->store, &snap, &s->f->why), 0);
	assert_int_equal(tickets_set_keys(s->t, snap, &s->f->why), 0);
	store_snapshot_unref(snap);
}

int64_t scene_add_key(struct scene *s, const char *kid, enum ticket_alg alg, const char *text)
{
	struct ticket_key k;
	int64_t id;
	char *jwk;

	if (ticket_key_read(text, &alg, &k, &s->f->why))
		fail_msg("%s", s->f->why.text);
	jwk = ticket_key_text(&k);
	assert_int_equal(
	    store_ticket_key_add(s->f->store,
	                         &(struct store_ticket_key){
	                             .kid = kid, .alg = ticket_alg_text(alg), .signs = k.signs},
	                         jwk, &id, &s->f->why),
	    0);
	ticket_text_free(jwk);
	ticket_key_clear(&k);
	return id;
}

void scene_pem_of(EVP_PKEY *key, char out[512])
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
	memset(out, 0, 512);
	assert_true(BIO_read(bio, out, 511) > 0);
	BIO_free(bio);
}

int scene_setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	s->f = fixture_new();
	s->now_s = time(NULL);
	assert_int_equal(store_open(s->f->data, NULL, &s->f->store, &s->f->why), 0);
	s->conf.ticket_issuer = s->conf.ticket_audience = "";
	s->conf.ticket_ttl = 3600;
	s->conf.max_ticket_ttl = 86400;
	s->t = tickets_new(&s->conf, NULL, s->f->store);
	assert_non_null(s->t);
	s->east = EVP_EC_gen("P-256");
	scene_pem_of(s->east, s->east_pem);
	s->north_id = scene_add_key(s, "north", TICKET_HS256, SECRET);
	scene_add_key(s, "east", TICKET_ES256, s->east_pem);
	scene_reread(s);
	*state = s;
	return 0;
}

int scene_teardown(void **state)
{
	struct scene *s = *state;
	void *fixture = s->f;

	tickets_free(s->t);
	EVP_PKEY_free(s->east);
	free(s);
	return fixture_teardown(&fixture);
}

/* ---- the forger ---- */

void forge_64(char *out, const void *bytes, size_t len)
{
	size_t at = strlen(out);

	EVP_EncodeBlock((unsigned char *)out + at, bytes, (int)len);
	for (char *c = out + at; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c == '=' ? 0 : *c;
}

void forge_hmac(char *out, const void *key, size_t len)
{
	unsigned char mac[32];
	size_t n = strlen(out);

	HMAC(EVP_sha256(), key, (int)len, (unsigned char *)out, n, mac, NULL);
	strcat(out, ".");
	forge_64(out, mac, sizeof(mac));
}

/* RFC 7518 section 3.4: R and S, 32 bytes each. */
void forge_ecdsa(char *out, EVP_PKEY *key)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char der[128], raw[64];
	const unsigned char *at = der;
	size_t len = sizeof(der);
	ECDSA_SIG *sig;

	assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
	assert_int_equal(EVP_DigestSign(ctx, der, &len, (unsigned char *)out, strlen(out)), 1);
	sig = d2i_ECDSA_SIG(NULL, &at, (long)len);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32), 32);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32), 32);
	ECDSA_SIG_free(sig);
	EVP_MD_CTX_free(ctx);
	strcat(out, ".");
	forge_64(out, raw, sizeof(raw));
}

void forge_head(char out[TEXT], const char *header, const char *claims)
{
	*out = 0;
	forge_64(out, header, strlen(header));
	strcat(out, ".");
	forge_64(out, claims, strlen(claims));
}

/* Claims that are good for an hour; more: further members, or "". */
const char *forge_claims_of(const struct scene *s, const char *more)
{
	static char text[TEXT + 100];

	snprintf(text, sizeof(text), "{\"sub\":\"alice\",\"exp\":%lld%s}",
	         (long long)s->now_s + 3600, more);
	return text;
}

const char *forge_hs(char out[TEXT], const char *header, const char *claims)
{
	forge_head(out, header, claims);
	forge_hmac(out, SECRET, strlen(SECRET));
	return out;
}

/* 0, or the code and s->why. */
int ticket_look(struct scene *s, const char *ticket)
{
	memset(&s->who, 'x', sizeof(s->who));
	s->why = NULL;
	return ticket_identify(s->t, ticket, &s->who, &s->why);
}

void ticket_takes(struct scene *s, const char *header, const char *more)
{
	char text[TEXT];

	if (ticket_look(s, forge_hs(text, header, forge_claims_of(s, more))))
		fail_msg("%s %s: %s", header, more, s->why);
}

/* Refused, out is untouched, and the reason holds the word. */
void ticket_refuses(struct scene *s, const char *ticket, const char *word)
{
	struct hub_identity before;

	memset(&before, 'x', sizeof(before));
	if (ticket_look(s, ticket) == 0)
		fail_msg("taken: %s", ticket);
	assert_memory_equal(&s->who, &before, sizeof(before));
	assert_non_null(s->why);
	if (!strstr(s->why, word))
		fail_msg("\"%s\" says nothing of %s: %s", s->why, word, ticket);
}

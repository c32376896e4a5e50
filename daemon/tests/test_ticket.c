/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Tickets: what is accepted, what is made, and their keys in every form.
 */
#include "daemon/tests/ticket_scene.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- what is accepted ---- */

static void a_ticket_proves_its_claims(void **state)
{
	struct scene *s = *state;

	ticket_takes(s, HS, "");
	assert_string_equal(s->who.sub, "alice");
	assert_string_equal(s->who.name, "alice");
	assert_true(s->who.any_room);
	assert_int_equal(s->who.may, TICKET_MAY_ALL);
	assert_int_equal(s->who.exp_s, s->now_s + 3600);
	ticket_takes(s, HS,
	             ",\"name\":\"Älice\",\"room\":\"a.B_c~1-2\",\"may\":[\"call\",\"list\"]");
	assert_string_equal(s->who.sub, "alice");
	assert_string_equal(s->who.name, "Älice");
	assert_false(s->who.any_room);
	assert_string_equal(s->who.room, "a.B_c~1-2");
	assert_int_equal(s->who.may, HUB_MAY_CALL | HUB_MAY_LIST);
	ticket_takes(s, HS, ",\"may\":[]");
	assert_int_equal(s->who.may, 0);
	ticket_takes(s, HS, ",\"jti\":\"1\",\"iat\":1,\"other\":{\"a\":[null]}");
}

static void both_algorithms_with_and_without_kid(void **state)
{
	struct scene *s = *state;
	char text[TEXT];

	ticket_takes(s, "{\"alg\":\"HS256\"}", "");
	forge_head(text, ES, forge_claims_of(s, ""));
	forge_ecdsa(text, s->east);
	assert_int_equal(ticket_look(s, text), 0);
	forge_head(text, "{\"typ\":\"jwt\",\"alg\":\"ES256\"}", forge_claims_of(s, ""));
	forge_ecdsa(text, s->east);
	assert_int_equal(ticket_look(s, text), 0);
}

static void each_live_key_verifies_until_it_is_retired(void **state)
{
	struct scene *s = *state;
	int64_t south = scene_add_key(s, "south", TICKET_HS256, SECRET2);
	char text[TEXT];

	scene_reread(s);
	ticket_takes(s, HS, "");
	forge_head(text, "{\"alg\":\"HS256\"}", forge_claims_of(s, ""));
	forge_hmac(text, SECRET2, strlen(SECRET2));
	assert_int_equal(ticket_look(s, text), 0);
	assert_int_equal(store_ticket_key_retire(s->f->store, s->north_id, 3600, NULL), 0);
	scene_reread(s);
	ticket_takes(s, HS, "");
	assert_int_equal(store_ticket_key_retire(s->f->store, s->north_id, 0, NULL), 0);
	scene_reread(s);
	assert_int_equal(ticket_look(s, text), 0);
	ticket_refuses(s, forge_hs(text, HS, forge_claims_of(s, "")), "known key");
	assert_int_equal(store_ticket_key_retire(s->f->store, south, 0, NULL), 0);
	scene_reread(s);
	forge_head(text, "{\"alg\":\"HS256\"}", forge_claims_of(s, ""));
	forge_hmac(text, SECRET2, strlen(SECRET2));
	ticket_refuses(s, text, "known key");
	assert_int_equal(store_ticket_key_retire(s->f->store, south, 0, NULL), -E_NOTFOUND);
}

/* What is made here is good here, and says no more than was asked for. */
static void ours_are_good(void **state)
{
	struct scene *s = *state;
	struct ticket_made made;
	const struct ticket_ask all = {.name = "bob"}, some = {.name = "Bob B.",
	                                                       .sub = "b-1",
	                                                       .room = "r1",
	                                                       .may = HUB_MAY_CHAT,
	                                                       .ttl_s = 60};

	assert_int_equal(ticket_make(s->t, &all, &made, NULL), 0);
	assert_int_equal(made.ttl_s, 3600);
	assert_int_equal(ticket_look(s, made.text), 0);
	assert_string_equal(s->who.sub, "bob");
	assert_string_equal(s->who.name, "bob");
	assert_true(s->who.any_room);
	assert_int_equal(s->who.may, TICKET_MAY_ALL);
	assert_int_equal(s->who.exp_s, made.expires_at_s);
	assert_int_equal(ticket_make(s->t, &some, &made, NULL), 0);
	assert_int_equal(ticket_look(s, made.text), 0);
	assert_string_equal(s->who.sub, "b-1");
	assert_string_equal(s->who.name, "Bob B.");
	assert_string_equal(s->who.room, "r1");
	assert_int_equal(s->who.may, HUB_MAY_CHAT);
	assert_true(s->who.exp_s <= s->now_s + 60 + 5);
}

static void asking_for_too_much(void **state)
{
	struct scene *s = *state;
	struct ticket_made made;
	static const struct ticket_ask asks[] = {
	    {.name = ""},
	    {.name = "a\x01"},
	    {.name = "\xe2\x80\xae"
	             "bob"},
	    {.name = "x2345678901234567890123456789012345678901234567890123456789012345"},
	    {.name = "a", .sub = ""},
	    {.name = "a", .room = ""},
	    {.name = "a", .room = "a b"},
	    {.name = "a", .room = "a/b"},
	    {.name = "a", .ttl_s = -1},
	    {.name = "a", .ttl_s = 86401},
	    {.name = "a", .sub = TICKET_ACCOUNT "ann"},
	    {.name = TICKET_ACCOUNT "ann"},
	};

	for (size_t i = 0; i < sizeof(asks) / sizeof(*asks); i++)
		assert_int_equal(ticket_make(s->t, &asks[i], &made, NULL), -E_INVAL);
	assert_int_equal(store_ticket_key_retire(s->f->store, s->north_id, 0, NULL), 0);
	scene_reread(s); /* east only verifies */
	assert_int_equal(ticket_make(s->t, &(struct ticket_ask){.name = "a"}, &made, NULL),
	                 -E_NOTFOUND);
}

static void an_es256_key_made_here_signs(void **state)
{
	struct scene *s = *state;
	struct ticket_made made;
	struct ticket_key k;
	char *jwk;

	assert_int_equal(ticket_key_make(TICKET_ES256, &k, &s->f->why), 0);
	assert_int_equal(strlen(k.kid), 12);
	jwk = ticket_key_text(&k);
	assert_int_equal(store_ticket_key_add(
	                     s->f->store,
	                     &(struct store_ticket_key){.kid = k.kid, .alg = "ES256", .signs = 1},
	                     jwk, NULL, &s->f->why),
	                 0);
	ticket_text_free(jwk);
	ticket_key_clear(&k);
	scene_reread(s);
	assert_int_equal(ticket_make(s->t, &(struct ticket_ask){.name = "a"}, &made, NULL), 0);
	assert_int_equal(ticket_look(s, made.text), 0);
	assert_int_equal(strncmp(made.text, "eyJhbGciOiJFUzI1NiI", 19), 0);
}

/* ---- keys ---- */

static void keys_that_are_none(void **state)
{
	static const char *const any[] = {
	    "",
	    "{}",
	    "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
	    "{\"kty\":\"oct\"}",
	    "{\"kty\":\"oct\",\"k\":\"c2hvcnQ\"}",
	    "{\"kty\":\"oct\",\"k\":\"*\"}",
	    "{\"kty\":\"oct\",\"k\":\"YS1zZWNyZXQtb2YtbW9yZS10aGFuLTMyLWJ5dGVzLTAxMjM0\",\"alg\":"
	    "\"HS512\"}",
	    "{\"kty\":\"oct\",\"k\":\"YS1zZWNyZXQtb2YtbW9yZS10aGFuLTMyLWJ5dGVzLTAxMjM0\",\"use\":"
	    "\"enc\"}",
	    "{\"kty\":\"oct\",\"k\":\"YS1zZWNyZXQtb2YtbW9yZS10aGFuLTMyLWJ5dGVzLTAxMjM0\",\"kid\":"
	    "\"\"}",
	    "{\"kty\":\"EC\",\"crv\":\"P-256\"}",
	    "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AQAB\",\"y\":\"AQAB\"}",
	    /* no point of the curve */
	    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
	    "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\","
	    "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}",
	    "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n",
	    "-----BEGIN CERTIFICATE-----\nMFkw\n-----END CERTIFICATE-----\n",
	    "-----BEGIN",
	    "not a key, and too short",
	};
	static const char *const options[] = {
	    "",
	    "a",
	    "a:HS256:",
	    ":HS256:YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh",
	    "a:HS512:YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh",
	    "a:HS256:c2hvcnQ=",
	    "a:HS256:%%%%",
	    "a:ES256:YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh",
	    "\x01:HS256:YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh"};
	struct scene *s = *state;
	struct ticket_key k;
	EVP_PKEY *p384 = EVP_EC_gen("P-384"), *rsa = EVP_RSA_gen(2048);
	char pem[1024];

	for (size_t i = 0; i < sizeof(any) / sizeof(*any); i++)
		for (int alg = -1; alg <= TICKET_ES256; alg++)
			if (!ticket_key_read(any[i], alg < 0 ? NULL : (enum ticket_alg *)&alg, &k,
			                     &s->f->why))
				fail_msg("taken: %s", any[i]);
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		assert_int_equal(ticket_key_read_option(options[i], &k, &s->f->why), -E_PARSE);
	memset(pem, 0, sizeof(pem));
	scene_pem_of(p384, pem);
	assert_int_equal(ticket_key_read(pem, NULL, &k, &s->f->why), -E_PARSE);
	scene_pem_of(rsa, pem);
	assert_int_equal(ticket_key_read(pem, NULL, &k, &s->f->why), -E_PARSE);
	EVP_PKEY_free(p384);
	EVP_PKEY_free(rsa);
}

static void pem_private(EVP_PKEY *key, char *out, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	memset(out, 0, size);
	assert_true(BIO_read(bio, out, (int)size - 1) > 0);
	BIO_free(bio);
}

/* A private key signs; one whose halves do not belong together is refused. */
static void keys_in_every_form(void **state)
{
	struct scene *s = *state;
	struct ticket_key k, other;
	char pem[1024], *text, option[512] = "east2:ES256:";
	unsigned char der[256], *at = der;
	int len = i2d_PUBKEY(s->east, &at);

	pem_private(s->east, pem, sizeof(pem));
	assert_int_equal(ticket_key_read(pem, NULL, &k, &s->f->why), 0);
	assert_true(k.signs);
	assert_int_equal(k.alg, TICKET_ES256);
	assert_string_equal(k.kid, "");
	text = ticket_key_text(&k); /* JWK: again */
	assert_int_equal(ticket_key_read(text, NULL, &other, &s->f->why), 0);
	assert_true(other.signs && json_equal(k.jwk, other.jwk));
	ticket_key_clear(&other);
	free(text);
	assert_int_equal(ticket_key_make(TICKET_ES256, &other, NULL), 0);
	json_object_set(k.jwk, "d", json_object_get(other.jwk, "d"));
	ticket_key_clear(&other);
	text = ticket_key_text(&k);
	assert_int_equal(ticket_key_read(text, NULL, &other, &s->f->why), -E_PARSE);
	free(text);
	ticket_key_clear(&k);
	EVP_EncodeBlock((unsigned char *)option + strlen(option), der, len);
	assert_int_equal(ticket_key_read_option(option, &k, &s->f->why), 0);
	assert_false(k.signs);
	assert_string_equal(k.kid, "east2");
	ticket_key_clear(&k);
	strcat(option, "AAAA"); /* more behind it */
	assert_int_equal(ticket_key_read_option(option, &k, &s->f->why), -E_PARSE);
}

/* The option's keys are good beside the store's, and make no tickets. */
static void keys_of_the_option(void **state)
{
	struct scene *s = *state;
	char option[256] = "west:HS256:", text[TEXT], *one = option;
	struct ticket_made made;

	EVP_EncodeBlock((unsigned char *)option + strlen(option), (unsigned char *)SECRET2,
	                (int)strlen(SECRET2));
	forge_head(text, "{\"alg\":\"HS256\",\"kid\":\"west\"}", forge_claims_of(s, ""));
	forge_hmac(text, SECRET2, strlen(SECRET2));
	ticket_refuses(s, text, "known key");
	s->conf.ticket_key = (struct conf_texts){.v = &one, .n = 1};
	scene_reread(s);
	assert_int_equal(ticket_look(s, text), 0);
	ticket_takes(s, HS, "");
	assert_int_equal(store_ticket_key_retire(s->f->store, s->north_id, 0, NULL), 0);
	scene_reread(s);
	assert_int_equal(ticket_look(s, text), 0);
	assert_int_equal(ticket_make(s->t, &(struct ticket_ask){.name = "a"}, &made, NULL),
	                 -E_NOTFOUND);
}

/* Standard error would be the server's log: the library writes nothing there. */
static void the_library_is_silent(void **state)
{
	struct scene *s = *state;
	int held = dup(STDERR_FILENO), pipes[2];
	struct ticket_key k;
	char said[64];

	assert_int_equal(pipe(pipes), 0);
	dup2(pipes[1], STDERR_FILENO);
	close(pipes[1]);
	ticket_look(s, forge_hs((char[TEXT]){0}, ES, forge_claims_of(s, "")));
	ticket_look(s, "e30.e30.AAAA");
	ticket_key_read("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"AAAA\"}", NULL,
	                &k, NULL);
	dup2(held, STDERR_FILENO);
	close(held);
	assert_int_equal(read(pipes[0], said, sizeof(said)), 0);
	close(pipes[0]);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, scene_setup, scene_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(a_ticket_proves_its_claims),
	    T(both_algorithms_with_and_without_kid),
	    T(each_live_key_verifies_until_it_is_retired),
	    T(ours_are_good),
	    T(asking_for_too_much),
	    T(an_es256_key_made_here_signs),
	    T(keys_that_are_none),
	    T(keys_in_every_form),
	    T(keys_of_the_option),
	    T(the_library_is_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

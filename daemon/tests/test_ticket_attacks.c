/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Each known attack on a verifier of JSON Web Tokens (RFC 8725), and whatever else a stranger may
 * send: it is refused.
 */
#include "daemon/tests/ticket_scene.h"
#include "store/account.h"

#include <openssl/ec.h>
#include <openssl/x509.h>
#include <stdlib.h>

static void refuses_header(struct scene *s, const char *header, const char *word)
{
	char text[TEXT];

	ticket_refuses(s, forge_hs(text, header, forge_claims_of(s, "")), word);
}

static void refuses_claims(struct scene *s, const char *claims, const char *word)
{
	char text[TEXT];

	ticket_refuses(s, forge_hs(text, HS, claims), word);
}

static void refuses_more(struct scene *s, const char *more, const char *word)
{
	refuses_claims(s, forge_claims_of(s, more), word);
}

static void no_algorithm(void **state)
{
	struct scene *s = *state;
	static const char *const headers[] = {"{\"alg\":\"none\"}",
	                                      "{\"alg\":\"None\",\"kid\":\"north\"}",
	                                      "{\"alg\":\"nOnE\"}",
	                                      "{\"alg\":\"none\",\"kid\":\"north\"}",
	                                      "{\"alg\":\"\"}",
	                                      "{\"alg\":\"hs256\"}",
	                                      "{\"alg\":\"HS512\"}",
	                                      "{\"alg\":\"HS384\",\"kid\":\"north\"}",
	                                      "{\"alg\":\"RS256\"}",
	                                      "{\"alg\":\"ES384\",\"kid\":\"east\"}",
	                                      "{\"alg\":\"A128KW\"}",
	                                      "{\"alg\":\"EdDSA\"}",
	                                      "{\"alg\":\"ES256\",\"kid\":\"north\"}"};
	static const char *const broken[] = {"{}",
	                                     "{\"kid\":\"north\"}",
	                                     "{\"alg\":null}",
	                                     "{\"alg\":1}",
	                                     "{\"alg\":[\"HS256\"]}",
	                                     "[\"HS256\"]",
	                                     "\"HS256\"",
	                                     "{\"alg\":\"HS256\",\"kid\":1}",
	                                     "{\"alg\":\"HS256\"",
	                                     "{\"alg\":\"none\",\"alg\":\"HS256\"}"};
	char text[TEXT];

	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		refuses_header(s, headers[i], "known key");
		forge_head(text, headers[i], forge_claims_of(s, ""));
		strcat(text, ".");
		ticket_refuses(s, text, "malformed"); /* an empty signature */
	}
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
		refuses_header(s, broken[i], "malformed");
}

/* The public key, which anybody has, as the secret of an HMAC. */
static void a_public_key_is_no_secret(void **state)
{
	static const char *const headers[] = {"{\"alg\":\"HS256\",\"kid\":\"east\"}",
	                                      "{\"alg\":\"HS256\"}", ES};
	struct scene *s = *state;
	unsigned char der[256], *at = der;
	int der_len = i2d_PUBKEY(s->east, &at);
	char text[TEXT], *trimmed = strdup(s->east_pem);

	trimmed[strlen(trimmed) - 1] = 0;
	for (size_t i = 0; i < 3; i++) {
		forge_head(text, headers[i], forge_claims_of(s, ""));
		forge_hmac(text, s->east_pem, strlen(s->east_pem));
		ticket_refuses(s, text, "known key");
		forge_head(text, headers[i], forge_claims_of(s, ""));
		forge_hmac(text, trimmed, strlen(trimmed));
		ticket_refuses(s, text, "known key");
		forge_head(text, headers[i], forge_claims_of(s, ""));
		forge_hmac(text, der, (size_t)der_len);
		ticket_refuses(s, text, "known key");
	}
	free(trimmed);
}

static void a_header_brings_no_key(void **state)
{
	static const char *const members[] = {
	    "\"jwk\":{\"kty\":\"oct\",\"k\":\"YS1zZWNyZXQtb2YtbW9yZS10aGFuLTMyLWJ5dGVzLTAxMjM0\"}",
	    "\"jku\":\"https://evil.example/keys\"",
	    "\"x5u\":\"https://evil.example/cert\"",
	    "\"x5c\":[\"MIIB\"]",
	    "\"crit\":[\"exp\"]",
	    "\"crit\":[]",
	    "\"b64\":false",
	    "\"zip\":\"DEF\"",
	    "\"enc\":\"A128GCM\"",
	    "\"typ\":\"at+jwt\"",
	    "\"typ\":1",
	};
	struct scene *s = *state;
	EVP_PKEY *mine = EVP_EC_gen("P-256");
	char header[512], text[TEXT];

	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		snprintf(header, sizeof(header), "{\"alg\":\"HS256\",\"kid\":\"north\",%s}",
		         members[i]);
		refuses_header(s, header, "malformed"); /* although rightly signed */
	}
	forge_head(text, ES, forge_claims_of(s, ""));
	forge_ecdsa(text, mine);
	ticket_refuses(s, text, "known key");
	EVP_PKEY_free(mine);
}

static void a_kid_is_only_a_name(void **state)
{
	static const char *const kids[] = {
	    "",         "/dev/null", "../../north", "north' OR '1'='1",
	    "%n%s%n%s", "NORTH",     "nort",        "north "};
	struct scene *s = *state;
	char header[256];

	for (size_t i = 0; i < sizeof(kids) / sizeof(*kids); i++) {
		snprintf(header, sizeof(header), "{\"alg\":\"HS256\",\"kid\":\"%s\"}", kids[i]);
		refuses_header(s, header, "known key");
	}
}

static void the_wrong_secret(void **state)
{
	struct scene *s = *state;
	char text[TEXT];

	forge_head(text, HS, forge_claims_of(s, ""));
	forge_hmac(text, SECRET2, strlen(SECRET2));
	ticket_refuses(s, text, "known key");
	forge_head(text, HS, forge_claims_of(s, ""));
	forge_hmac(text, "", 0);
	ticket_refuses(s, text, "known key");
}

/* ECDSA: zeros (CVE-2022-21449), DER instead of R and S, too short. */
static void no_signature(void **state)
{
	static const unsigned char zeros[64];
	struct scene *s = *state;
	char text[TEXT];

	for (size_t len = 1; len <= 64; len++) {
		forge_head(text, ES, forge_claims_of(s, ""));
		strcat(text, ".");
		forge_64(text, zeros, len);
		ticket_refuses(s, text, "known key");
		forge_head(text, HS, forge_claims_of(s, ""));
		strcat(text, ".");
		forge_64(text, zeros, len);
		ticket_refuses(s, text, "known key");
	}
}

/* Every byte of a good one, changed: it is refused, also where base64 has bits to spare. */
static void every_changed_letter_is_noticed(void **state)
{
	struct scene *s = *state;
	char good[TEXT], bad[TEXT];

	forge_hs(good, HS, forge_claims_of(s, ",\"room\":\"a\""));
	assert_int_equal(ticket_look(s, good), 0);
	for (size_t i = 0; good[i]; i++) {
		static const char others[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
		                             "uvwxyz0123456789-_.=+/ ";

		for (const char *c = others; *c; c++) {
			snprintf(bad, sizeof(bad), "%s", good);
			bad[i] = *c;
			if (*c != good[i])
				ticket_refuses(s, bad, "The ticket");
		}
		memcpy(bad, good, i); /* cut */
		bad[i] = 0;
		ticket_refuses(s, bad, "The ticket");
	}
}

static void another_form(void **state)
{
	struct scene *s = *state;
	char good[TEXT], text[2 * TEXT], *dot, *last;

	forge_hs(good, HS, forge_claims_of(s, ""));
	snprintf(text, sizeof(text), "%s.x", good);
	ticket_refuses(s, text, "malformed");
	snprintf(text, sizeof(text), ".%s", good);
	ticket_refuses(s, text, "malformed");
	snprintf(text, sizeof(text), "%s=", good);
	ticket_refuses(s, text, "malformed");
	snprintf(text, sizeof(text), " %s", good);
	ticket_refuses(s, text, "malformed");
	snprintf(text, sizeof(text), "%s\n", good);
	ticket_refuses(s, text, "malformed");
	ticket_refuses(s, "", "malformed");
	ticket_refuses(s, ".", "malformed");
	ticket_refuses(s, "..", "malformed");
	ticket_refuses(s, "...", "malformed");
	ticket_refuses(s, "eyJ", "malformed");
	/* JSON serialisation, flattened and with two signatures (RFC 7515 section 7.2). */
	dot = strchr(good, '.');
	last = strrchr(good, '.');
	snprintf(text, sizeof(text),
	         "{\"protected\":\"%.*s\",\"payload\":\"%.*s\",\"signature\":\"%s\"}",
	         (int)(dot - good), good, (int)(last - dot - 1), dot + 1, last + 1);
	ticket_refuses(s, text, "malformed");
	snprintf(
	    text, sizeof(text),
	    "{\"payload\":\"%.*s\",\"signatures\":[{\"protected\":\"%.*s\",\"signature\":\"AAAA\"},"
	    "{\"protected\":\"%.*s\",\"signature\":\"%s\"}]}",
	    (int)(last - dot - 1), dot + 1, (int)(dot - good), good, (int)(dot - good), good,
	    last + 1);
	ticket_refuses(s, text, "malformed");
	/* A detached payload (RFC 7797). */
	snprintf(text, sizeof(text), "%.*s.%s", (int)(dot - good), good, last);
	ticket_refuses(s, text, "malformed");
}

static void it_has_a_largest_size(void **state)
{
	struct scene *s = *state;
	char more[TEXT], text[2 * TEXT];
	size_t fill = 0, len;

	/* The largest that is allowed is taken; each larger one, also a huge one, is not. */
	for (fill = 2900; fill < 3100; fill++) {
		snprintf(more, sizeof(more), ",\"x\":\"%0*d\"", (int)fill, 0);
		len = strlen(forge_hs(text, HS, forge_claims_of(s, more)));
		assert_int_equal(ticket_look(s, text), len > TICKET_MAX_LEN ? -E_DENIED : 0);
		if (len > TICKET_MAX_LEN + 8)
			break;
	}
	assert_true(fill > 2900 && fill < 3100);
	memset(text, 'A', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	ticket_refuses(s, text, "malformed");
}

static void claims_of_another_form(void **state)
{
	static const char *const claims[] = {"",  "[]",        "null",  "1",   "\"a\"",
	                                     "{", "{\"sub\":", "{} {}", "\xff"};
	struct scene *s = *state;
	char text[TEXT];

	for (size_t i = 0; i < sizeof(claims) / sizeof(*claims); i++)
		refuses_claims(s, claims[i], "malformed");
	refuses_more(s, ",\"sub\":\"root\"", "malformed"); /* twice */
	refuses_more(s, ",\"room\":\"a\",\"room\":\"b\"", "malformed");
	refuses_more(s, ",\"n\":\"a\\u0000b\"", "malformed");
	refuses_more(s, ",\"n\":1e999", "malformed");
	snprintf(text, sizeof(text), "%.*s", 2000, "");
	memset(text, '[', 2500);
	text[2500] = 0;
	refuses_claims(s, text, "malformed");
}

static void its_time(void **state)
{
	struct scene *s = *state;
	long long now = (long long)s->now_s;
	char claims[256];
	static const char *const no_exp[] = {"",
	                                     ",\"exp\":null",
	                                     ",\"exp\":\"9999999999\"",
	                                     ",\"exp\":true",
	                                     ",\"exp\":[9999999999]",
	                                     ",\"exp\":1e300",
	                                     ",\"exp\":-1e300"};

	for (size_t i = 0; i < sizeof(no_exp) / sizeof(*no_exp); i++) {
		snprintf(claims, sizeof(claims), "{\"sub\":\"alice\"%s}", no_exp[i]);
		refuses_claims(s, claims, "exp");
	}
	for (int past = 0; past < 3; past++) {
		const long long exps[] = {now, 0, -now};

		snprintf(claims, sizeof(claims), "{\"sub\":\"alice\",\"exp\":%lld}", exps[past]);
		refuses_claims(s, claims, "expired");
		assert_int_equal(ticket_look(s, forge_hs((char[TEXT]){0}, HS, claims)), -E_STALE);
	}
	/* Not before the signature has been looked at. */
	snprintf(claims, sizeof(claims), "{\"sub\":\"alice\",\"exp\":1}");
	{
		char text[TEXT];

		forge_head(text, HS, claims);
		forge_hmac(text, SECRET2, strlen(SECRET2));
		ticket_refuses(s, text, "known key");
	}
	snprintf(claims, sizeof(claims), "{\"sub\":\"alice\",\"exp\":%lld}", now + 86400 + 60);
	refuses_claims(s, claims, "longer");
	snprintf(claims, sizeof(claims), "{\"sub\":\"alice\",\"exp\":9223372036854775807}");
	refuses_claims(s, claims, "exp");
	snprintf(claims, sizeof(claims), "{\"sub\":\"alice\",\"exp\":-9223372036854775808}");
	refuses_claims(s, claims, "exp");
	snprintf(claims, sizeof(claims), "{\"sub\":\"alice\",\"exp\":%lld.75}", now + 60);
	assert_int_equal(ticket_look(s, forge_hs((char[TEXT]){0}, HS, claims)), 0);
	assert_int_equal(s->who.exp_s, now + 60);
	snprintf(claims, sizeof(claims), ",\"nbf\":%lld", now + 30);
	ticket_takes(s, HS, claims);
	snprintf(claims, sizeof(claims), ",\"nbf\":%lld", now + 600);
	refuses_more(s, claims, "not valid yet");
	refuses_more(s, ",\"nbf\":\"soon\"", "number");
	refuses_more(s, ",\"nbf\":null", "number");
}

static void names_that_prove_nothing(void **state)
{
	static const char *const subs[] = {"null",
	                                   "1",
	                                   "\"\"",
	                                   "[\"alice\"]",
	                                   "{\"a\":1}",
	                                   "\"a\\u0007\"",
	                                   "\"\\u202ealice\"",
	                                   "\"al\\u200bice\"",
	                                   "\"al\\nice\""};
	struct scene *s = *state;
	char claims[700], more[700];

	snprintf(claims, sizeof(claims), "{\"exp\":%lld}", (long long)s->now_s + 60);
	refuses_claims(s, claims, "sub");
	for (size_t i = 0; i < sizeof(subs) / sizeof(*subs); i++) {
		snprintf(claims, sizeof(claims), "{\"sub\":%s,\"name\":\"a\",\"exp\":%lld}",
		         subs[i], (long long)s->now_s + 60);
		refuses_claims(s, claims, "sub");
		snprintf(more, sizeof(more), ",\"name\":%s", subs[i]);
		refuses_more(s, more, "name");
	}
	snprintf(claims, sizeof(claims), "{\"sub\":\"a\\u0000b\",\"exp\":%lld}",
	         (long long)s->now_s + 60);
	refuses_claims(s, claims, "malformed");
	snprintf(more, sizeof(more), ",\"name\":\"%0*d\"", HUB_NAME_MAX, 0);
	ticket_takes(s, HS, more);
	snprintf(more, sizeof(more), ",\"name\":\"%0*d\"", HUB_NAME_MAX + 1, 0);
	refuses_more(s, more, "name");
	snprintf(claims, sizeof(claims), "{\"sub\":\"%0*d\",\"name\":\"a\",\"exp\":%lld}",
	         HUB_SUB_MAX + 1, 0, (long long)s->now_s + 60);
	refuses_claims(s, claims, "sub");
	/* A sub that is too long for a name needs one. */
	snprintf(claims, sizeof(claims), "{\"sub\":\"%0*d\",\"exp\":%lld}", HUB_NAME_MAX + 1, 0,
	         (long long)s->now_s + 60);
	refuses_claims(s, claims, "name");
}

static void rooms_and_rights_of_another_form(void **state)
{
	static const char *const rooms[] = {"null", "1",     "\"\"",     "\"a b\"",    "\"a/b\"",
	                                    "[]",   "\"é\"", "\"a\\n\"", "[\"room\"]", "\"%2e\""};
	static const char *const mays[] = {"null",        "\"call\"",     "1",
	                                   "[\"calls\"]", "[\"call\",1]", "[\"CALL\"]",
	                                   "{}",          "[[\"call\"]]", "[\"\"]"};
	struct scene *s = *state;
	char more[256];

	for (size_t i = 0; i < sizeof(rooms) / sizeof(*rooms); i++) {
		snprintf(more, sizeof(more), ",\"room\":%s", rooms[i]);
		refuses_more(s, more, "room");
	}
	snprintf(more, sizeof(more), ",\"room\":\"%0*d\"", HUB_ROOM_MAX + 1, 0);
	refuses_more(s, more, "room");
	for (size_t i = 0; i < sizeof(mays) / sizeof(*mays); i++) {
		snprintf(more, sizeof(more), ",\"may\":%s", mays[i]);
		refuses_more(s, more, "may");
	}
}

static void of_another_service(void **state)
{
	struct scene *s = *state;
	struct ticket_made made;

	refuses_more(s, ",\"aud\":\"elsewhere\"", "another service");
	refuses_more(s, ",\"aud\":[]", "another service");
	ticket_takes(s, HS, ",\"iss\":\"anybody\"");
	s->conf.ticket_audience = "here";
	s->conf.ticket_issuer = "us";
	refuses_more(s, "", "another service");
	refuses_more(s, ",\"iss\":\"us\"", "another service");
	refuses_more(s, ",\"aud\":\"here\"", "another service");
	refuses_more(s, ",\"aud\":\"here\",\"iss\":\"US\"", "another service");
	refuses_more(s, ",\"aud\":\"her\",\"iss\":\"us\"", "another service");
	refuses_more(s, ",\"aud\":[\"a\",1],\"iss\":\"us\"", "another service");
	refuses_more(s, ",\"aud\":{\"here\":1},\"iss\":\"us\"", "another service");
	refuses_more(s, ",\"aud\":\"here\",\"iss\":[\"us\"]", "another service");
	ticket_takes(s, HS, ",\"aud\":\"here\",\"iss\":\"us\"");
	ticket_takes(s, HS, ",\"aud\":[\"a\",\"here\"],\"iss\":\"us\"");
	assert_int_equal(ticket_make(s->t, &(struct ticket_ask){.name = "a"}, &made, NULL), 0);
	assert_int_equal(ticket_look(s, made.text), 0);
}

static void an_accounts_ticket_ends_with_it(void **state)
{
	struct scene *s = *state;
	struct ticket_ask ask = {.name = "ann", .sub = TICKET_ACCOUNT "ann", .is_account = true};
	struct ticket_made made;
	enum store_role role;

	assert_int_equal(
	    store_account_add(s->f->store, "ann", "correct horse", STORE_ROLE_USER, NULL), 0);
	assert_int_equal(store_account_get(s->f->store, "ann", &role, &ask.password_at_s, NULL), 0);
	assert_int_equal(ticket_make(s->t, &ask, &made, NULL), 0);
	assert_int_equal(ticket_look(s, made.text), 0);
	assert_string_equal(s->who.name, "ann");
	assert_int_equal(store_account_set_password(s->f->store, "ann", "battery staple", NULL), 0);
	ticket_refuses(s, made.text, "account");
	assert_int_equal(ticket_make(s->t, &ask, &made, NULL), -E_DENIED); /* with the old one */
	assert_int_equal(store_account_get(s->f->store, "ann", &role, &ask.password_at_s, NULL), 0);
	assert_int_equal(ticket_make(s->t, &ask, &made, NULL), 0);
	assert_int_equal(ticket_look(s, made.text), 0);
	assert_int_equal(store_account_del(s->f->store, "ann", false, NULL), 0);
	ticket_refuses(s, made.text, "account");
	/* Another account of that name and that password, within the same second. */
	assert_int_equal(
	    store_account_add(s->f->store, "ann", "battery staple", STORE_ROLE_USER, NULL), 0);
	ticket_refuses(s, made.text, "account");
	/* An issuer elsewhere cannot speak for an account. */
	{
		char claims[256];

		snprintf(claims, sizeof(claims), "{\"sub\":\"" TICKET_ACCOUNT "ann\",\"exp\":%lld}",
		         (long long)s->now_s + 60);
		refuses_claims(s, claims, "account");
		refuses_more(s, ",\"turnpike_account\":\"00000000000000000000000000000000\"",
		             "account");
	}
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, scene_setup, scene_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(no_algorithm),
	    T(a_public_key_is_no_secret),
	    T(a_header_brings_no_key),
	    T(a_kid_is_only_a_name),
	    T(the_wrong_secret),
	    T(no_signature),
	    T(every_changed_letter_is_noticed),
	    T(another_form),
	    T(it_has_a_largest_size),
	    T(claims_of_another_form),
	    T(its_time),
	    T(names_that_prove_nothing),
	    T(rooms_and_rights_of_another_form),
	    T(of_another_service),
	    T(an_accounts_ticket_ends_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Tickets: what is accepted, and each known attack on a verifier of JSON Web Tokens (RFC 8725). The
 * forger here shares no code with the verifier: it signs with OpenSSL.
 */
#include "base/tests/test.h"
#include "daemon/conf/ticket_key.h"
#include "daemon/issue/ticket.h"
#include "store/account.h"
#include "store/tests/fixture.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SECRET  "a-secret-of-more-than-32-bytes-0123456789"
#define SECRET2 "another-secret-of-more-than-32-bytes-987"
#define TEXT    6000
#define HS      "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"north\"}"
#define ES      "{\"alg\":\"ES256\",\"kid\":\"east\"}"

/* Two keys: north (HS256) and east (ES256), of which only the public half is here. */
struct scene {
	struct fixture *f;
	struct conf conf;
	struct tickets *t;
	EVP_PKEY *east;
	char east_pem[512];
	int64_t north_id, now_s;
	struct hub_identity who;
	const char *why;
};

static void reread(struct scene *s)
{
	struct store_snapshot *snap;

	assert_int_equal(store_snapshot_load(s->f->store, &snap, &s->f->why), 0);
	assert_int_equal(tickets_set_keys(s->t, snap, &s->f->why), 0);
	store_snapshot_unref(snap);
}

static int64_t add_key(struct scene *s, const char *kid, enum ticket_alg alg, const char *text)
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

static void pem_of(EVP_PKEY *key, char out[512])
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
	memset(out, 0, 512);
	assert_true(BIO_read(bio, out, 511) > 0);
	BIO_free(bio);
}

static int setup(void **state)
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
	pem_of(s->east, s->east_pem);
	s->north_id = add_key(s, "north", TICKET_HS256, SECRET);
	add_key(s, "east", TICKET_ES256, s->east_pem);
	reread(s);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;
	void *fixture = s->f;

	tickets_free(s->t);
	EVP_PKEY_free(s->east);
	free(s);
	return fixture_teardown(&fixture);
}

/* ---- the forger ---- */

static void put64(char *out, const void *bytes, size_t len)
{
	size_t at = strlen(out);

	EVP_EncodeBlock((unsigned char *)out + at, bytes, (int)len);
	for (char *c = out + at; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c == '=' ? 0 : *c;
}

static void put_hmac(char *out, const void *key, size_t len)
{
	unsigned char mac[32];
	size_t n = strlen(out);

	HMAC(EVP_sha256(), key, (int)len, (unsigned char *)out, n, mac, NULL);
	strcat(out, ".");
	put64(out, mac, sizeof(mac));
}

/* RFC 7518 section 3.4: R and S, 32 bytes each. */
static void put_ecdsa(char *out, EVP_PKEY *key)
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
	put64(out, raw, sizeof(raw));
}

static void put_head(char out[TEXT], const char *header, const char *claims)
{
	*out = 0;
	put64(out, header, strlen(header));
	strcat(out, ".");
	put64(out, claims, strlen(claims));
}

/* Claims that are good for an hour; more: further members, or "". */
static const char *claims_of(const struct scene *s, const char *more)
{
	static char text[TEXT + 100];

	snprintf(text, sizeof(text), "{\"sub\":\"alice\",\"exp\":%lld%s}",
	         (long long)s->now_s + 3600, more);
	return text;
}

static const char *hs(char out[TEXT], const char *header, const char *claims)
{
	put_head(out, header, claims);
	put_hmac(out, SECRET, strlen(SECRET));
	return out;
}

/* 0, or the code and s->why. */
static int look(struct scene *s, const char *ticket)
{
	memset(&s->who, 'x', sizeof(s->who));
	s->why = NULL;
	return ticket_identify(s->t, ticket, &s->who, &s->why);
}

static void takes(struct scene *s, const char *header, const char *more)
{
	char text[TEXT];

	if (look(s, hs(text, header, claims_of(s, more))))
		fail_msg("%s %s: %s", header, more, s->why);
}

/* Refused, out is untouched, and the reason holds the word. */
static void refuses(struct scene *s, const char *ticket, const char *word)
{
	struct hub_identity before;

	memset(&before, 'x', sizeof(before));
	if (look(s, ticket) == 0)
		fail_msg("taken: %s", ticket);
	assert_memory_equal(&s->who, &before, sizeof(before));
	assert_non_null(s->why);
	if (!strstr(s->why, word))
		fail_msg("\"%s\" says nothing of %s: %s", s->why, word, ticket);
}

static void refuses_header(struct scene *s, const char *header, const char *word)
{
	char text[TEXT];

	refuses(s, hs(text, header, claims_of(s, "")), word);
}

static void refuses_claims(struct scene *s, const char *claims, const char *word)
{
	char text[TEXT];

	refuses(s, hs(text, HS, claims), word);
}

static void refuses_more(struct scene *s, const char *more, const char *word)
{
	refuses_claims(s, claims_of(s, more), word);
}

/* ---- what is accepted ---- */

static void a_ticket_proves_its_claims(void **state)
{
	struct scene *s = *state;

	takes(s, HS, "");
	assert_string_equal(s->who.sub, "alice");
	assert_string_equal(s->who.name, "alice");
	assert_true(s->who.any_room);
	assert_int_equal(s->who.may, TICKET_MAY_ALL);
	assert_int_equal(s->who.exp_s, s->now_s + 3600);
	takes(s, HS, ",\"name\":\"Älice\",\"room\":\"a.B_c~1-2\",\"may\":[\"call\",\"list\"]");
	assert_string_equal(s->who.sub, "alice");
	assert_string_equal(s->who.name, "Älice");
	assert_false(s->who.any_room);
	assert_string_equal(s->who.room, "a.B_c~1-2");
	assert_int_equal(s->who.may, HUB_MAY_CALL | HUB_MAY_LIST);
	takes(s, HS, ",\"may\":[]");
	assert_int_equal(s->who.may, 0);
	takes(s, HS, ",\"jti\":\"1\",\"iat\":1,\"other\":{\"a\":[null]}");
}

static void both_algorithms_with_and_without_kid(void **state)
{
	struct scene *s = *state;
	char text[TEXT];

	takes(s, "{\"alg\":\"HS256\"}", "");
	put_head(text, ES, claims_of(s, ""));
	put_ecdsa(text, s->east);
	assert_int_equal(look(s, text), 0);
	put_head(text, "{\"typ\":\"jwt\",\"alg\":\"ES256\"}", claims_of(s, ""));
	put_ecdsa(text, s->east);
	assert_int_equal(look(s, text), 0);
}

static void each_live_key_verifies_until_it_is_retired(void **state)
{
	struct scene *s = *state;
	int64_t south = add_key(s, "south", TICKET_HS256, SECRET2);
	char text[TEXT];

	reread(s);
	takes(s, HS, "");
	put_head(text, "{\"alg\":\"HS256\"}", claims_of(s, ""));
	put_hmac(text, SECRET2, strlen(SECRET2));
	assert_int_equal(look(s, text), 0);
	assert_int_equal(store_ticket_key_retire(s->f->store, s->north_id, 3600, NULL), 0);
	reread(s);
	takes(s, HS, "");
	assert_int_equal(store_ticket_key_retire(s->f->store, s->north_id, 0, NULL), 0);
	reread(s);
	assert_int_equal(look(s, text), 0);
	refuses(s, hs(text, HS, claims_of(s, "")), "known key");
	assert_int_equal(store_ticket_key_retire(s->f->store, south, 0, NULL), 0);
	reread(s);
	put_head(text, "{\"alg\":\"HS256\"}", claims_of(s, ""));
	put_hmac(text, SECRET2, strlen(SECRET2));
	refuses(s, text, "known key");
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
	assert_int_equal(look(s, made.text), 0);
	assert_string_equal(s->who.sub, "bob");
	assert_string_equal(s->who.name, "bob");
	assert_true(s->who.any_room);
	assert_int_equal(s->who.may, TICKET_MAY_ALL);
	assert_int_equal(s->who.exp_s, made.expires_at_s);
	assert_int_equal(ticket_make(s->t, &some, &made, NULL), 0);
	assert_int_equal(look(s, made.text), 0);
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
	reread(s); /* east only verifies */
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
	reread(s);
	assert_int_equal(ticket_make(s->t, &(struct ticket_ask){.name = "a"}, &made, NULL), 0);
	assert_int_equal(look(s, made.text), 0);
	assert_int_equal(strncmp(made.text, "eyJhbGciOiJFUzI1NiI", 19), 0);
}

/* ---- attacks ---- */

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
		put_head(text, headers[i], claims_of(s, ""));
		strcat(text, ".");
		refuses(s, text, "malformed"); /* an empty signature */
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
		put_head(text, headers[i], claims_of(s, ""));
		put_hmac(text, s->east_pem, strlen(s->east_pem));
		refuses(s, text, "known key");
		put_head(text, headers[i], claims_of(s, ""));
		put_hmac(text, trimmed, strlen(trimmed));
		refuses(s, text, "known key");
		put_head(text, headers[i], claims_of(s, ""));
		put_hmac(text, der, (size_t)der_len);
		refuses(s, text, "known key");
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
	put_head(text, ES, claims_of(s, ""));
	put_ecdsa(text, mine);
	refuses(s, text, "known key");
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

	put_head(text, HS, claims_of(s, ""));
	put_hmac(text, SECRET2, strlen(SECRET2));
	refuses(s, text, "known key");
	put_head(text, HS, claims_of(s, ""));
	put_hmac(text, "", 0);
	refuses(s, text, "known key");
}

/* ECDSA: zeros (CVE-2022-21449), DER instead of R and S, too short. */
static void no_signature(void **state)
{
	static const unsigned char zeros[64];
	struct scene *s = *state;
	char text[TEXT];

	for (size_t len = 1; len <= 64; len++) {
		put_head(text, ES, claims_of(s, ""));
		strcat(text, ".");
		put64(text, zeros, len);
		refuses(s, text, "known key");
		put_head(text, HS, claims_of(s, ""));
		strcat(text, ".");
		put64(text, zeros, len);
		refuses(s, text, "known key");
	}
}

/* Every byte of a good one, changed: it is refused, also where base64 has bits to spare. */
static void every_changed_letter_is_noticed(void **state)
{
	struct scene *s = *state;
	char good[TEXT], bad[TEXT];

	hs(good, HS, claims_of(s, ",\"room\":\"a\""));
	assert_int_equal(look(s, good), 0);
	for (size_t i = 0; good[i]; i++) {
		static const char others[] = "AQgwBZ_-.=+ ";

		for (const char *c = others; *c; c++) {
			snprintf(bad, sizeof(bad), "%s", good);
			bad[i] = *c;
			if (*c != good[i])
				refuses(s, bad, "ticket");
		}
		memcpy(bad, good, i); /* cut */
		bad[i] = 0;
		refuses(s, bad, "ticket");
	}
}

static void another_form(void **state)
{
	struct scene *s = *state;
	char good[TEXT], text[2 * TEXT], *dot, *last;

	hs(good, HS, claims_of(s, ""));
	snprintf(text, sizeof(text), "%s.x", good);
	refuses(s, text, "malformed");
	snprintf(text, sizeof(text), ".%s", good);
	refuses(s, text, "malformed");
	snprintf(text, sizeof(text), "%s=", good);
	refuses(s, text, "malformed");
	snprintf(text, sizeof(text), " %s", good);
	refuses(s, text, "malformed");
	snprintf(text, sizeof(text), "%s\n", good);
	refuses(s, text, "malformed");
	refuses(s, "", "malformed");
	refuses(s, ".", "malformed");
	refuses(s, "..", "malformed");
	refuses(s, "...", "malformed");
	refuses(s, "eyJ", "malformed");
	/* JSON serialisation, flattened and with two signatures (RFC 7515 section 7.2). */
	dot = strchr(good, '.');
	last = strrchr(good, '.');
	snprintf(text, sizeof(text),
	         "{\"protected\":\"%.*s\",\"payload\":\"%.*s\",\"signature\":\"%s\"}",
	         (int)(dot - good), good, (int)(last - dot - 1), dot + 1, last + 1);
	refuses(s, text, "malformed");
	snprintf(
	    text, sizeof(text),
	    "{\"payload\":\"%.*s\",\"signatures\":[{\"protected\":\"%.*s\",\"signature\":\"AAAA\"},"
	    "{\"protected\":\"%.*s\",\"signature\":\"%s\"}]}",
	    (int)(last - dot - 1), dot + 1, (int)(dot - good), good, (int)(dot - good), good,
	    last + 1);
	refuses(s, text, "malformed");
	/* A detached payload (RFC 7797). */
	snprintf(text, sizeof(text), "%.*s.%s", (int)(dot - good), good, last);
	refuses(s, text, "malformed");
}

static void it_has_a_largest_size(void **state)
{
	struct scene *s = *state;
	char more[TEXT], text[2 * TEXT];
	size_t fill = 0, len;

	/* The largest that is allowed is taken; each larger one, also a huge one, is not. */
	for (fill = 2900; fill < 3100; fill++) {
		snprintf(more, sizeof(more), ",\"x\":\"%0*d\"", (int)fill, 0);
		len = strlen(hs(text, HS, claims_of(s, more)));
		assert_int_equal(look(s, text), len > TICKET_MAX_LEN ? -E_DENIED : 0);
		if (len > TICKET_MAX_LEN + 8)
			break;
	}
	assert_true(fill > 2900 && fill < 3100);
	memset(text, 'A', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	refuses(s, text, "malformed");
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
		assert_int_equal(look(s, hs((char[TEXT]){0}, HS, claims)), -E_STALE);
	}
	/* Not before the signature has been looked at. */
	snprintf(claims, sizeof(claims), "{\"sub\":\"alice\",\"exp\":1}");
	{
		char text[TEXT];

		put_head(text, HS, claims);
		put_hmac(text, SECRET2, strlen(SECRET2));
		refuses(s, text, "known key");
	}
	snprintf(claims, sizeof(claims), "{\"sub\":\"alice\",\"exp\":%lld}", now + 86400 + 60);
	refuses_claims(s, claims, "longer");
	snprintf(claims, sizeof(claims), "{\"sub\":\"alice\",\"exp\":9223372036854775807}");
	refuses_claims(s, claims, "exp");
	snprintf(claims, sizeof(claims), "{\"sub\":\"alice\",\"exp\":-9223372036854775808}");
	refuses_claims(s, claims, "exp");
	snprintf(claims, sizeof(claims), "{\"sub\":\"alice\",\"exp\":%lld.75}", now + 60);
	assert_int_equal(look(s, hs((char[TEXT]){0}, HS, claims)), 0);
	assert_int_equal(s->who.exp_s, now + 60);
	snprintf(claims, sizeof(claims), ",\"nbf\":%lld", now + 30);
	takes(s, HS, claims);
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
	takes(s, HS, more);
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
	takes(s, HS, ",\"iss\":\"anybody\"");
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
	takes(s, HS, ",\"aud\":\"here\",\"iss\":\"us\"");
	takes(s, HS, ",\"aud\":[\"a\",\"here\"],\"iss\":\"us\"");
	assert_int_equal(ticket_make(s->t, &(struct ticket_ask){.name = "a"}, &made, NULL), 0);
	assert_int_equal(look(s, made.text), 0);
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
	assert_int_equal(look(s, made.text), 0);
	assert_string_equal(s->who.name, "ann");
	assert_int_equal(store_account_set_password(s->f->store, "ann", "battery staple", NULL), 0);
	refuses(s, made.text, "account");
	assert_int_equal(store_account_get(s->f->store, "ann", &role, &ask.password_at_s, NULL), 0);
	assert_int_equal(ticket_make(s->t, &ask, &made, NULL), 0);
	assert_int_equal(look(s, made.text), 0);
	assert_int_equal(store_account_del(s->f->store, "ann", false, NULL), 0);
	refuses(s, made.text, "account");
	/* An issuer elsewhere cannot speak for an account. */
	{
		char claims[256];

		snprintf(claims, sizeof(claims), "{\"sub\":\"" TICKET_ACCOUNT "ann\",\"exp\":%lld}",
		         (long long)s->now_s + 60);
		refuses_claims(s, claims, "account");
		refuses_more(s, ",\"turnpike_account\":{\"password_at\":1}", "account");
	}
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
	pem_of(p384, pem);
	assert_int_equal(ticket_key_read(pem, NULL, &k, &s->f->why), -E_PARSE);
	pem_of(rsa, pem);
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
	put_head(text, "{\"alg\":\"HS256\",\"kid\":\"west\"}", claims_of(s, ""));
	put_hmac(text, SECRET2, strlen(SECRET2));
	refuses(s, text, "known key");
	s->conf.ticket_key = (struct conf_texts){.v = &one, .n = 1};
	reread(s);
	assert_int_equal(look(s, text), 0);
	takes(s, HS, "");
	assert_int_equal(store_ticket_key_retire(s->f->store, s->north_id, 0, NULL), 0);
	reread(s);
	assert_int_equal(look(s, text), 0);
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
	look(s, hs((char[TEXT]){0}, ES, claims_of(s, "")));
	look(s, "e30.e30.AAAA");
	ticket_key_read("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"AAAA\"}", NULL,
	                &k, NULL);
	dup2(held, STDERR_FILENO);
	close(held);
	assert_int_equal(read(pipes[0], said, sizeof(said)), 0);
	close(pipes[0]);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(a_ticket_proves_its_claims),
	    T(both_algorithms_with_and_without_kid),
	    T(each_live_key_verifies_until_it_is_retired),
	    T(ours_are_good),
	    T(asking_for_too_much),
	    T(an_es256_key_made_here_signs),
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
	    T(keys_that_are_none),
	    T(keys_in_every_form),
	    T(keys_of_the_option),
	    T(the_library_is_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

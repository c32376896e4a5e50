/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The stage for tests of tickets: a store with two keys, north (HS256) and east (ES256), of which
 * only the public half is there; and a forger, who shares no code with the verifier and signs with
 * OpenSSL.
 */
#ifndef DAEMON_TESTS_TICKET_SCENE_H
#define DAEMON_TESTS_TICKET_SCENE_H

#include "base/tests/test.h"
#include "daemon/conf/ticket_key.h"
#include "daemon/issue/ticket.h"
#include "store/tests/fixture.h"

#include <openssl/evp.h>

#define SECRET  "a-secret-of-more-than-32-bytes-0123456789"
#define SECRET2 "another-secret-of-more-than-32-bytes-987"
#define TEXT    6000
#define HS      "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"north\"}"
#define ES      "{\"alg\":\"ES256\",\"kid\":\"east\"}"

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

/* For cmocka: *state is a struct scene. */
int scene_setup(void **state);
int scene_teardown(void **state);

/* As a server does when the store has changed. */
void scene_reread(struct scene *s);

/* Its number. */
int64_t scene_add_key(struct scene *s, const char *kid, enum ticket_alg alg, const char *text);
void scene_pem_of(EVP_PKEY *key, char out[512]);

/* Appends base64url without padding. */
void forge_64(char *out, const void *bytes, size_t len);

/* HEADER.CLAIMS, and then the signature of one of these. */
void forge_head(char out[TEXT], const char *header, const char *claims);
void forge_hmac(char *out, const void *key, size_t len);
void forge_ecdsa(char *out, EVP_PKEY *key);

/* Claims that are good for an hour; more: further members, or "". Until the next call. */
const char *forge_claims_of(const struct scene *s, const char *more);

/* A whole ticket, rightly signed by north; out. */
const char *forge_hs(char out[TEXT], const char *header, const char *claims);

/* 0, or the code and s->why. */
int ticket_look(struct scene *s, const char *ticket);

/* Fails the test unless these, rightly signed, are taken. */
void ticket_takes(struct scene *s, const char *header, const char *more);

/* Fails the test unless it is refused, out is untouched, and the reason holds the word. */
void ticket_refuses(struct scene *s, const char *ticket, const char *word);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A key of tickets: HS256 (a secret that both sides have) or ES256 (a private key that signs, or
 * only its public half, which verifies). RFC 7518 section 3; in JWK form, RFC 7517.
 */
#ifndef DAEMON_TICKET_KEY_H
#define DAEMON_TICKET_KEY_H

#include "base/error.h"
#include "store/ticket_key.h"

#include <jansson.h>
#include <stdbool.h>

#define TICKET_KEY_TEXT_MAX 8192 /* bytes of a key in any form */

/* libjose's context, silent: by itself the library reports to standard error. NULL when out of
 * memory. */
struct jose_cfg;
struct jose_cfg *ticket_jose_new(void);
void ticket_jose_free(struct jose_cfg *cfg); /* NULL is legal */

enum ticket_alg { TICKET_HS256, TICKET_ES256 };

struct ticket_key {
	char kid[STORE_KID_MAX + 1]; /* "": its text names none */
	enum ticket_alg alg;
	bool signs;
	int64_t id;  /* the store's number; 0: none */
	json_t *jwk; /* kty, alg and the key's own members, and no other */
};

const char *ticket_alg_text(enum ticket_alg alg); /* "HS256", "ES256" */

/* -E_PARSE. */
int ticket_alg_parse(const char *text, enum ticket_alg *out, struct why *why);

/* A new random key with a new kid. -E_NOMEM. */
int ticket_key_make(enum ticket_alg alg, struct ticket_key *out, struct why *why);

/* A JWK, a key in PEM, or the text of an HS256 secret itself. alg NULL: by the text, which is then
 * no bare secret. -E_PARSE with the fix in why (never the key), -E_NOMEM. */
int ticket_key_read(const char *text, const enum ticket_alg *alg, struct ticket_key *out,
                    struct why *why);

/* A value of the option ticket_key: KID:HS256:BASE64 of the secret, KID:ES256:BASE64 of the public
 * key in DER, which is the text between the lines of its PEM. out may be NULL. Codes as above. */
int ticket_key_read_option(const char *text, struct ticket_key *out, struct why *why);

/* The JWK's text, for the store; free it with ticket_text_free(). NULL: out of memory. */
char *ticket_key_text(const struct ticket_key *k);
void ticket_text_free(char *text); /* wipes it first; NULL is legal */

/* Of a key that was read or made. */
void ticket_key_clear(struct ticket_key *k);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Makes what the first start needs, so that one command is enough.
 */
#ifndef DAEMON_SETUP_H
#define DAEMON_SETUP_H

#include "daemon/conf/conf.h"
#include "store/store.h"

#include <limits.h>

struct setup_cert {
	char cert[PATH_MAX], key[PATH_MAX];
};

/* tls_cert and tls_key, else DATA/cert.pem and DATA/key.pem. */
void setup_cert_paths(const struct conf *conf, struct setup_cert *out);

/* Adds shared_secret, if one is set and not live yet; a random secret if there is none. -E_DENIED
 * if shared_secret was retired. Codes of store.h. */
int setup_secret(const struct conf *conf, struct store *store, struct why *why);

/* 0 or the code that setup_secret() would return. */
int setup_secret_check(const struct conf *conf, struct store *store, struct why *why);

/* Why clients may reject the certificate, as cert_doubt(); the server starts with it. */
int setup_cert_doubt(const struct conf *conf, struct why *why);

/* Report what the start would refuse: in the certificate (the given one, or that in the data
 * directory) and in the database with its secret; doubt() also gets setup_cert_doubt(). They change
 * nothing, and accept the absence of what the start makes by itself. */
void setup_check_cert(const struct conf *conf, void (*problem)(void *ctx, const char *text),
                      void (*doubt)(void *ctx, const char *text), void *ctx);
void setup_check_store(const struct conf *conf, void (*problem)(void *ctx, const char *text),
                       void *ctx);

/* Completes the open store of conf->data and the certificate: adds shared_secret if one is set, a
 * random secret if none is live, a key for tickets if none was ever made, an API token if none was
 * ever made (then *made is true and token holds it), a self-signed certificate if tls_cert is unset
 * and there is none, or the one there ends within 30 days. Checks a given certificate. Safe at
 * every start: existing things stay. -E_DENIED if shared_secret was retired. Codes of store.h and
 * cert.h. */
int setup_first_start(const struct conf *conf, struct store *store, char token[STORE_TOKEN_STRLEN],
                      bool *made, struct why *why);

#endif

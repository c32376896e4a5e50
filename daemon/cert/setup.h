/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the first start makes, so that one command is enough.
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

/* Adds shared_secret, if one is set and it is none that is live; a random secret if there is none.
 * -E_DENIED if shared_secret was retired. Codes of store.h. */
int setup_secret(const struct conf *conf, struct store *store, struct why *why);

/* Whether setup_secret() would take shared_secret: 0 or its codes. */
int setup_secret_check(const struct conf *conf, struct store *store, struct why *why);

/* What clients will not like about the certificate, as cert_doubt(); the server starts with it. */
int setup_cert_doubt(const struct conf *conf, struct why *why);

/* Tell what the start would refuse, of the certificate (the given one, or that in the data
 * directory) and of the database with its secret; doubt() also hears setup_cert_doubt(). They
 * change nothing, and what the start makes by itself may be missing. */
void setup_check_cert(const struct conf *conf, void (*problem)(void *ctx, const char *text),
                      void (*doubt)(void *ctx, const char *text), void *ctx);
void setup_check_store(const struct conf *conf, void (*problem)(void *ctx, const char *text),
                       void *ctx);

/* Completes the open store of conf->data and the certificate: shared_secret if one is set, a
 * random secret if none is live, an API token if none was ever made (*made says so, and only then
 * it is in token), a self-signed certificate if tls_cert is unset and there is none, or the one
 * there ends within 30 days. A given certificate is checked. Safe at every start: what is there,
 * stays. -E_DENIED if shared_secret was retired. Codes of store.h and cert.h. */
int setup_first_start(const struct conf *conf, struct store *store, char token[STORE_TOKEN_STRLEN],
                      bool *made, struct why *why);

#endif

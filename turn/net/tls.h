/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The TLS and DTLS contexts of the TURN server: versions, certificate and the ALPN identifiers of
 * STUN (RFC 7443). Made once and read by every worker; a new certificate is a new object.
 */
#ifndef TURN_NET_TLS_H
#define TURN_NET_TLS_H

#include "base/error.h"

#include <openssl/ssl.h>
#include <stdint.h>

struct net_tls;

/* Reads the PEM chain and its key. *out has one reference. -E_INVAL with why set, or -E_NOMEM. */
int net_tls_load(const char *cert_path, const char *key_path, struct net_tls **out,
                 struct why *why);

/* From any thread. NULL is legal for unref. */
struct net_tls *net_tls_ref(struct net_tls *tls);
void net_tls_unref(struct net_tls *tls);

/* Unix time at which the certificate ends; 0: unknown. */
int64_t net_tls_expires_at_s(const struct net_tls *tls);

SSL_CTX *net_tls_stream(const struct net_tls *tls);
SSL_CTX *net_tls_dgram(const struct net_tls *tls);

#endif

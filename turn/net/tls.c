/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TLS 1.2 and 1.3, DTLS 1.2.
 */
#include "turn/net/internal.h"

#include <openssl/err.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct net_tls {
	atomic_int refs;
	SSL_CTX *stream, *dgram;
};

/* RFC 7443 section 4, in the order of our preference. Over TLS HTTP comes here, too
 * (net_ops.http). */
#define PROTOCOLS "\x09stun.turn\x12stun.nat-discovery"
static const char over_dtls[] = PROTOCOLS, over_tls[] = PROTOCOLS "\x08http/1.1";

/* RFC 7301 section 3.2: "In the event that the server supports no protocols that the client
 * advertises, then the server SHALL respond with a fatal "no_application_protocol" alert." It also
 * keeps what is meant for a server of another protocol away from us. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned int in_len, void *arg)
{
	const char *protocols = arg;

	(void)ssl;
	if (SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_len,
	                          (const unsigned char *)protocols, (unsigned)strlen(protocols), in,
	                          in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

static int use_pair(SSL_CTX *ctx, const char *cert_path, const char *key_path, struct why *why)
{
	const char *fault = NULL;
	char text[160];

	if (SSL_CTX_use_certificate_chain_file(ctx, cert_path) != 1)
		fault = cert_path;
	else if (SSL_CTX_use_PrivateKey_file(ctx, key_path, SSL_FILETYPE_PEM) != 1)
		fault = key_path;
	if (!fault)
		return 0;
	ERR_error_string_n(ERR_get_error(), text, sizeof(text));
	ERR_clear_error();
	return why_set(why, -E_INVAL, "%s: cannot use it for TLS (%s)", fault, text);
}

static SSL_CTX *new_context(const SSL_METHOD *method, int min_version, const char *protocols)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (!ctx)
		return NULL;
	SSL_CTX_set_min_proto_version(ctx, min_version);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
	                             SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
	                             SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
	                          SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, (void *)(uintptr_t)protocols);
	return ctx;
}

int net_tls_load(const char *cert_path, const char *key_path, struct net_tls **out, struct why *why)
{
	struct net_tls *tls = calloc(1, sizeof(*tls));
	int r = why_set(why, -E_NOMEM, "out of memory");

	if (!tls)
		return r;
	atomic_init(&tls->refs, 1);
	tls->stream = new_context(TLS_server_method(), TLS1_2_VERSION, over_tls);
	tls->dgram = new_context(DTLS_server_method(), DTLS1_2_VERSION, over_dtls);
	if (!tls->stream || !tls->dgram)
		goto out;
	/* Browsers come back, with one connection for each request. And a client of TLS 1.3 that
	 * holds back what it has to say until its Finished is acknowledged (Nagle's algorithm)
	 * hears of that at once: without a ticket nothing answers it, and our side of TCP takes its
	 * 40 ms to acknowledge. */
	SSL_CTX_clear_options(tls->stream, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(tls->stream, 1);
	dtls_prepare(tls->dgram);
	r = use_pair(tls->stream, cert_path, key_path, why);
	if (!r)
		r = use_pair(tls->dgram, cert_path, key_path, why);
	if (r)
		goto out;
	*out = tls;
	return 0;
out:
	net_tls_unref(tls);
	return r;
}

struct net_tls *net_tls_ref(struct net_tls *tls)
{
	atomic_fetch_add(&tls->refs, 1);
	return tls;
}

void net_tls_unref(struct net_tls *tls)
{
	if (!tls || atomic_fetch_sub(&tls->refs, 1) > 1)
		return;
	SSL_CTX_free(tls->stream);
	SSL_CTX_free(tls->dgram);
	free(tls);
}

int64_t net_tls_expires_at_s(const struct net_tls *tls)
{
	const X509 *cert = SSL_CTX_get0_certificate(tls->stream);
	struct tm tm;

	return cert && ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) ? timegm(&tm) : 0;
}

SSL_CTX *net_tls_stream(const struct net_tls *tls)
{
	return tls->stream;
}

SSL_CTX *net_tls_dgram(const struct net_tls *tls)
{
	return tls->dgram;
}

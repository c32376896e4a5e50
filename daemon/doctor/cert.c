/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The certificate, as a browser would look at it.
 */
#include "daemon/cert/cert.h"

#include "daemon/cert/setup.h"
#include "daemon/doctor/doctor.h"

#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#define DAY_S     86400
#define WARN_DAYS 14

static X509 *read_chain(const char *path, STACK_OF(X509) * rest)
{
	FILE *f = fopen(path, "re");
	X509 *leaf = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL, *next;

	while (leaf && (next = PEM_read_X509(f, NULL, NULL, NULL)))
		if (!sk_X509_push(rest, next))
			X509_free(next);
	if (f)
		fclose(f);
	return leaf;
}

static void check_times(struct doctor *d, const X509 *cert, const char *path)
{
	int days = 0, seconds = 0;

	if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
		doctor_say(d, DOCTOR_FAIL, "certificate",
		           "%s is not valid yet\n"
		           "set the clock; or wait, if it was made for later",
		           path);
	if (!ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)))
		return;
	if (days < 0 || seconds < 0)
		doctor_say(
		    d, DOCTOR_FAIL, "certificate",
		    "%s expired %d days ago\nrenew it (certbot renew); the server picks it up "
		    "by itself",
		    path, -days);
	else if (days < WARN_DAYS)
		doctor_say(
		    d, DOCTOR_WARN, "certificate",
		    "%s ends in %d days\n"
		    "renew it (certbot renew), and find out why that did not happen by itself",
		    path, days);
	else
		doctor_say(d, DOCTOR_OK, "certificate", "%s is valid for %d days", path, days);
}

static void check_issuer(struct doctor *d, X509 *leaf, STACK_OF(X509) * rest, const char *path)
{
	X509_STORE *roots = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int err;

	if (!roots || !ctx || !X509_STORE_set_default_paths(roots) ||
	    !X509_STORE_CTX_init(ctx, roots, leaf, rest))
		goto out;
	/* its times have lines of their own */
	X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_NO_CHECK_TIME);
	err = X509_verify_cert(ctx) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
	if (err == X509_V_OK)
		doctor_say(d, DOCTOR_OK, "certificate",
		           "its chain ends at a root that this system trusts");
	else if (err == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT)
		doctor_say(
		    d, DOCTOR_WARN, "certificate",
		    "%s is self-signed: browsers refuse TURN over TLS with it\nset tls_cert and "
		    "tls_key to a certificate of a public authority (certbot certonly)",
		    path);
	else if (err == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY && !sk_X509_num(rest))
		doctor_say(d, DOCTOR_FAIL, "certificate",
		           "%s has no chain: the issuer's certificate is missing\n"
		           "name the file with the chain (certbot's fullchain.pem, not cert.pem)",
		           path);
	else
		doctor_say(d, DOCTOR_WARN, "certificate",
		           "its chain does not end at a root that this system trusts (%s)\n"
		           "this is fine for a private authority that all clients trust; otherwise "
		           "put the whole chain into %s",
		           X509_verify_cert_error_string(err), path);
out:
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(roots);
}

static void check_name(struct doctor *d, X509 *leaf)
{
	const char *host = d->conf->public_host;
	struct addr ip;
	bool covered;

	if (!*host)
		return;
	covered = addr_parse_ip(&ip, host, 0) ? X509_check_host(leaf, host, 0, 0, NULL) == 1
	                                      : X509_check_ip_asc(leaf, host, 0) == 1;
	if (covered)
		doctor_say(d, DOCTOR_OK, "certificate", "it is for %s (public_host)", host);
	else
		doctor_say(d, DOCTOR_FAIL, "certificate",
		           "it is not for %s (public_host)\nget one for that name, or set "
		           "public_host to a name in the certificate",
		           host);
}

void doctor_cert(struct doctor *d)
{
	STACK_OF(X509) *rest = sk_X509_new_null();
	struct setup_cert paths;
	struct why why = {{0}};
	X509 *leaf = NULL;
	int r;

	setup_cert_paths(d->conf, &paths);
	r = cert_check(paths.cert, paths.key, NULL, &why);
	if (r)
		doctor_say(
		    d, DOCTOR_FAIL, "certificate", "%s\n%s", why.text,
		    r == -E_NOTFOUND && !*d->conf->tls_cert ? "start the server once: it makes one"
		    : r == -E_INVAL ? "name the key that the certificate was made with (certbot's "
		                      "privkey.pem beside it)"
		                    : "correct tls_cert and tls_key, and let the server read them");
	leaf = rest ? read_chain(paths.cert, rest) : NULL;
	if (leaf) {
		check_times(d, leaf, paths.cert);
		check_issuer(d, leaf, rest, paths.cert);
		check_name(d, leaf);
	}
	X509_free(leaf);
	sk_X509_pop_free(rest, X509_free);
}

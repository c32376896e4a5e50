/* SPDX-License-Identifier: BSD-3-Clause
 *
 * OpenSSL's X.509, for one certificate.
 */
#include "harness/lab/selfcert.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#define WEEK_S 604800

static bool sign(X509 *x, EVP_PKEY *key, const char *name)
{
	X509_NAME *subject = X509_get_subject_name(x);

	return X509_set_version(x, X509_VERSION_3) &&
	       ASN1_INTEGER_set(X509_get_serialNumber(x), 1) &&
	       X509_gmtime_adj(X509_getm_notBefore(x), -3600) &&
	       X509_gmtime_adj(X509_getm_notAfter(x), WEEK_S) &&
	       X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name,
	                                  -1, -1, 0) &&
	       X509_set_issuer_name(x, subject) && X509_set_pubkey(x, key) &&
	       X509_sign(x, key, EVP_sha256());
}

int selfcert_write(const char *name, const char *cert_path, const char *key_path, struct why *why)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	/* A key is for its owner alone; servers refuse it otherwise. */
	int key_fd = open(key_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FILE *cert_file = fopen(cert_path, "we"), *key_file = fdopen(key_fd, "w");
	X509 *x = X509_new();
	bool ok = key && x && cert_file && key_file && sign(x, key, name) &&
	          PEM_write_X509(cert_file, x) &&
	          PEM_write_PrivateKey(key_file, key, NULL, NULL, 0, NULL, NULL);

	if (cert_file && fclose(cert_file) != 0)
		ok = false;
	if (key_file ? fclose(key_file) != 0 : key_fd >= 0 && close(key_fd) != 0)
		ok = false;
	X509_free(x);
	EVP_PKEY_free(key);
	return ok ? 0 : why_set(why, -E_IO, "cannot write a certificate to %s", cert_path);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Self-signed certificates, and a look at given ones.
 */
#include "daemon/cert/cert.h"

#include "base/addr.h"
#include "base/buf.h"
#include "base/host.h"
#include "daemon/conf/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAMES_MAX   4096 /* bytes of all subjectAltNames */
#define SERIAL_BITS 127  /* positive, and at most 20 octets (RFC 5280 section 4.1.2.2) */

static int add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	int ok = ext && X509_add_ext(cert, ext, -1);

	X509_EXTENSION_free(ext);
	return ok ? 0 : -E_NOMEM;
}

/* "DNS:localhost,IP:127.0.0.1"; the names were checked, so none holds a comma. */
static int add_names(X509 *cert, const char *const *names, size_t n)
{
	char text[NAMES_MAX];
	struct addr a;
	struct buf b;

	buf_init(&b, text, sizeof(text));
	for (size_t i = 0; i < n; i++)
		if (buf_printf(&b, "%s%s:%s", i ? "," : "",
		               addr_parse_ip(&a, names[i], 0) ? "DNS" : "IP", names[i]))
			return -E_ROOM;
	return add_extension(cert, NID_subject_alt_name, text);
}

static int set_serial(X509 *cert)
{
	BIGNUM *serial = BN_new();
	int ok = serial && BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
	         BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert));

	BN_free(serial);
	return ok ? 0 : -E_NOMEM;
}

static X509 *make_cert(EVP_PKEY *key, const char *const *names, size_t n, int64_t now_s)
{
	X509 *cert = X509_new();
	X509_NAME *subject;
	char common[65]; /* RFC 5280 appendix A: ub-common-name is 64 */

	if (!cert)
		return NULL;
	subject = X509_get_subject_name(cert);
	snprintf(common, sizeof(common), "%s", names[0]);
	if (!X509_set_version(cert, X509_VERSION_3) || set_serial(cert) ||
	    !ASN1_TIME_set(X509_getm_notBefore(cert), now_s - 3600) ||
	    !ASN1_TIME_set(X509_getm_notAfter(cert), now_s + (int64_t)CERT_DAYS * 86400) ||
	    !X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (unsigned char *)common, -1,
	                                -1, 0) ||
	    !X509_set_issuer_name(cert, subject) || !X509_set_pubkey(cert, key) ||
	    add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") ||
	    add_extension(cert, NID_key_usage, "critical,digitalSignature") ||
	    add_extension(cert, NID_ext_key_usage, "serverAuth") || add_names(cert, names, n) ||
	    !X509_sign(cert, key, EVP_sha256())) {
		X509_free(cert);
		return NULL;
	}
	return cert;
}

/* Writes beside path and renames, so that there never is half a file. */
static int write_pem(const char *path, mode_t mode, X509 *cert, EVP_PKEY *key, struct why *why)
{
	char *tmp = NULL;
	FILE *file = NULL;
	int fd, err = 0;

	if (asprintf(&tmp, "%s.tmp", path) < 0)
		return why_set(why, -E_NOMEM, "making a certificate: out of memory");
	unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd >= 0 && !(file = fdopen(fd, "w")))
		close(fd);
	if (!file || fchmod(fd, mode) ||
	    !(cert ? PEM_write_X509(file, cert)
	           : PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL)) ||
	    fflush(file) || fsync(fd) || rename(tmp, path)) {
		err = error_from_errno(errno ? errno : EIO);
		why_set(why, err, "cannot write %s: %s: let this user write to its directory", path,
		        strerror(errno));
	}
	if (file)
		fclose(file);
	if (err)
		unlink(tmp);
	free(tmp);
	return err;
}

int cert_make(const char *cert_path, const char *key_path, const char *const *names, size_t n,
              int64_t now_s, struct why *why)
{
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	int err;

	if (!n)
		return why_set(why, -E_INVAL, "cannot make a certificate: there is no name for it");
	for (size_t i = 0; i < n; i++)
		if (!host_valid(names[i]))
			return why_set(why, -E_INVAL,
			               "cannot make a certificate: \"%.64s\" is neither a host "
			               "name nor an IP address",
			               names[i]);
	key = EVP_EC_gen("P-256");
	if (key)
		cert = make_cert(key, names, n, now_s);
	if (!cert) {
		err = why_set(why, -E_NOMEM, "making a certificate: %s",
		              ERR_reason_error_string(ERR_peek_last_error())
		                  ? ERR_reason_error_string(ERR_peek_last_error())
		                  : "OpenSSL failed");
		goto out;
	}
	/* In this order, a certificate that is there always has its key. */
	unlink(cert_path);
	err = write_pem(key_path, 0600, NULL, key, why);
	if (!err)
		err = write_pem(cert_path, 0644, cert, NULL, why);
out:
	ERR_clear_error();
	X509_free(cert);
	EVP_PKEY_free(key);
	return err;
}

static FILE *open_pem(const char *path, int *err, struct why *why)
{
	struct stat st;
	FILE *file;

	/* A pipe would block the loop until data arrive. */
	if (!stat(path, &st) && !S_ISREG(st.st_mode)) {
		*err = why_set(why, -E_INVAL, "%s is not a regular file: correct the path", path);
		return NULL;
	}
	file = fopen(path, "re");
	if (!file)
		*err = why_set(why, error_from_errno(errno),
		               "cannot read %s: %s: correct the path, or let this user read "
		               "it",
		               path, strerror(errno));
	return file;
}

static const char *day_of(const struct tm *tm, char buf[16])
{
	return strftime(buf, 16, "%Y-%m-%d", tm) ? buf : "?";
}

int cert_doubt(const char *cert_path, const char *host, int64_t now_s, struct why *why)
{
	X509 *cert = NULL;
	FILE *file;
	struct tm begin, end;
	struct addr ip;
	char day[16];
	int err = 0;

	file = open_pem(cert_path, &err, NULL);
	if (file)
		cert = PEM_read_X509(file, NULL, NULL, NULL);
	err = 0;
	if (!cert || !ASN1_TIME_to_tm(X509_get0_notBefore(cert), &begin) ||
	    !ASN1_TIME_to_tm(X509_get0_notAfter(cert), &end))
		;
	else if (timegm(&end) <= now_s)
		err = why_set(why, -E_STALE,
		              "%s expired on %s, so no client accepts it: renew it (certbot renew)",
		              cert_path, day_of(&end, day));
	else if (timegm(&begin) > now_s)
		err = why_set(why, -E_LATER,
		              "%s is not valid before %s, so no client accepts it: set the clock, "
		              "or get a certificate that is valid now",
		              cert_path, day_of(&begin, day));
	else if (*host && (addr_parse_ip(&ip, host, 0) ? X509_check_host(cert, host, 0, 0, NULL)
	                                               : X509_check_ip_asc(cert, host, 0)) != 1)
		err = why_set(why, -E_INVAL,
		              "%s is not for %.128s (public_host): get one for that name, or set "
		              "public_host to a name in the certificate",
		              cert_path, host);
	ERR_clear_error();
	X509_free(cert);
	if (file)
		fclose(file);
	return err;
}

/* Refuses keys with a passphrase: a server cannot ask for one. */
static int no_passphrase(char *buf, int size, int rwflag, void *u)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)u;
	return -1;
}

int cert_check(const char *cert_path, const char *key_path, int64_t *expires_at_s, struct why *why)
{
	FILE *cert_file = NULL, *key_file = NULL;
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	struct stat st;
	struct tm tm;
	int err = 0;

	if (!(cert_file = open_pem(cert_path, &err, why)) ||
	    !(key_file = open_pem(key_path, &err, why)))
		goto out;
	cert = PEM_read_X509(cert_file, NULL, NULL, NULL);
	key = PEM_read_PrivateKey(key_file, NULL, no_passphrase, NULL);
	if (!cert)
		err = why_set(why, -E_PARSE, "%s holds no certificate in PEM form", cert_path);
	else if (!key)
		err = why_set(why, -E_PARSE, "%s holds no key in PEM form without a passphrase",
		              key_path);
	else if (!X509_check_private_key(cert, key))
		err =
		    why_set(why, -E_INVAL, "the key in %s does not belong to the certificate in %s",
		            key_path, cert_path);
	else if (!fstat(fileno(key_file), &st) && st.st_mode & S_IROTH)
		err = why_set(why, -E_DENIED,
		              "%s: everybody on this host can read this key: chmod o-r %s",
		              key_path, key_path);
	else if (!ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm))
		err = why_set(why, -E_PARSE, "%s has no readable end date", cert_path);
	else if (expires_at_s)
		*expires_at_s = timegm(&tm);
out:
	ERR_clear_error();
	X509_free(cert);
	EVP_PKEY_free(key);
	if (cert_file)
		fclose(cert_file);
	if (key_file)
		fclose(key_file);
	return err;
}

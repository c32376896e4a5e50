/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Makes and checks the server's certificate.
 */
#ifndef DAEMON_CERT_H
#define DAEMON_CERT_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define CERT_DAYS 825 /* the longest that Apple's clients accept */

/* Writes a self-signed P-256 certificate for names (host names and IP literals; at least one, the
 * first is the subject) to cert_path (0644) and its key to key_path (0600), replacing what is
 * there. Valid from an hour before now_s (Unix time). -E_INVAL, -E_DENIED, -E_IO, -E_NOMEM. */
int cert_make(const char *cert_path, const char *key_path, const char *const *names, size_t n,
              int64_t now_s, struct why *why);

/* Reads the pair and checks that key and certificate match. *expires_at_s (may be NULL) gets the
 * end of the first certificate's validity. -E_NOTFOUND for a missing file, -E_DENIED for an
 * unreadable one or a world-readable key, -E_PARSE for one that is not PEM, -E_INVAL for a key of
 * another certificate. */
int cert_check(const char *cert_path, const char *key_path, int64_t *expires_at_s, struct why *why);

/* Why clients may reject a certificate that the server can use: it has expired (-E_STALE), begins
 * later (-E_LATER), or is not for host (-E_INVAL; "": any host). 0 also for an unreadable one. */
int cert_doubt(const char *cert_path, const char *host, int64_t now_s, struct why *why);

#endif

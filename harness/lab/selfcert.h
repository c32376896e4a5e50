/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A self-made certificate for servers that want one to speak TLS.
 */
#ifndef LAB_SELFCERT_H
#define LAB_SELFCERT_H

#include "base/error.h"

/* Writes a new key and a certificate for it, both PEM, good for a week. */
int selfcert_write(const char *name, const char *cert_path, const char *key_path, struct why *why);

#endif

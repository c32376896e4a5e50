/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Has a renewed certificate loaded without being told: looks at the files (not
 * at their names, so that certbot's symbolic links count) every second.
 */
#ifndef DAEMON_CERT_WATCH_H
#define DAEMON_CERT_WATCH_H

#include "base/error.h"

struct cert_watch;
struct event_base;

#define CERT_WATCH_MS 1000

/* load reads the pair and puts it to use, or leaves all as it was. It is called once the files
 * have been the same for CERT_WATCH_MS (a pair is not written in one instant), and again until it
 * succeeds; each reason is logged once. NULL when out of memory. */
struct cert_watch *cert_watch_new(struct event_base *base, const char *cert_path,
                                  const char *key_path, int (*load)(void *ctx, struct why *why),
                                  void *ctx);

/* Before somebody else loads the pair from these files. */
void cert_watch_note(struct cert_watch *w, const char *cert_path, const char *key_path);

/* That did not work out, for why (which was logged): tries on. */
void cert_watch_retry(struct cert_watch *w, const struct why *why);

/* NULL is legal. */
void cert_watch_free(struct cert_watch *w);

#endif

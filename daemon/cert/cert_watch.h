/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Loads a renewed certificate by itself: checks the files (not their names, so that certbot's
 * symbolic links count) every second.
 */
#ifndef DAEMON_CERT_WATCH_H
#define DAEMON_CERT_WATCH_H

#include "base/error.h"

struct cert_watch;
struct event_base;

#define CERT_WATCH_MS 1000

/* load reads the pair and puts it to use, or changes nothing. It is called once the files have not
 * changed for CERT_WATCH_MS (a pair is not written in one instant), and again until it succeeds;
 * each reason is logged once. NULL when out of memory. */
struct cert_watch *cert_watch_new(struct event_base *base, const char *cert_path,
                                  const char *key_path, int (*load)(void *ctx, struct why *why),
                                  void *ctx);

/* Call it before loading the pair from these files elsewhere. */
void cert_watch_note(struct cert_watch *w, const char *cert_path, const char *key_path);

/* That load failed, for why (already logged): the watch tries again. */
void cert_watch_retry(struct cert_watch *w, const struct why *why);

/* NULL is legal. */
void cert_watch_free(struct cert_watch *w);

#endif

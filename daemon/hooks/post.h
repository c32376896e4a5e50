/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One signed POST of JSON, as the Standard Webhooks specification has it: webhook-id,
 * webhook-timestamp and webhook-signature, which is "v1," and the base64 of HMAC-SHA256 over
 * "ID.TIMESTAMP.BODY", once for each live key.
 *
 * TLS is verified, redirects are not followed, and the environment's proxies have no effect.
 */
#ifndef DAEMON_HOOKS_POST_H
#define DAEMON_HOOKS_POST_H

#include "daemon/conf/hook.h"

#include <curl/curl.h>
#include <stdbool.h>

#define HOOK_SIGNATURE_MAX (HOOK_KEYS_MAX * 48)
#define HOOK_ANSWER_MAX    16384 /* bytes that are read of an answer */

struct hook_post_conf {
	const char *url, *ca; /* ca: "" for the system's authorities */
	const struct hook_key *keys;
	size_t key_n;
	long timeout_ms; /* of the whole exchange */
};

struct hook_post; /* a connection that is kept, and the exchange on it */

struct hook_result {
	int status;            /* of HTTP; 0: no answer */
	int64_t retry_after_s; /* what the answer asks for; 0: nothing */
	char error[160];       /* if there is no answer, or it is no 2xx */
	const char *answer; /* its body, up to HOOK_ANSWER_MAX bytes; valid until the next begin */
	size_t answer_len;
};

/* NULL: out of memory. */
struct hook_post *hook_post_new(void);

/* Adds the exchange to multi. Copies all. 0 or -E_NOMEM. */
int hook_post_begin(struct hook_post *p, CURLM *multi, const struct hook_post_conf *conf,
                    const char *id, const char *body);

/* The post whose exchange multi says has ended. */
struct hook_post *hook_post_of(CURL *easy);

/* The exchange has ended with that code of curl's: takes it out of multi. */
void hook_post_end(struct hook_post *p, CURLM *multi, CURLcode code, struct hook_result *out);

/* Breaks off the exchange, if there is one. NULL is legal. */
void hook_post_free(struct hook_post *p, CURLM *multi);

/* "v1,... v1,..." */
void hook_sign(const struct hook_key *keys, size_t n, const char *id, int64_t at_s,
               const char *body, char out[HOOK_SIGNATURE_MAX]);

/* 0 when the file has certificates to trust; "" is fine. -E_INVAL, or the file's error. */
int hook_ca_check(const char *path, struct why *why);

#endif

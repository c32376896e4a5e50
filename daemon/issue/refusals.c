/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Refused logins in the log.
 */
#include "daemon/issue/refusals.h"

#include "base/clock.h"
#include "base/log.h"
#include "daemon/issue/issue_rate.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ALL      1 /* as a token of issue_rate: everybody together */
#define USER_MAX 128

struct refusals {
	struct issue_rate *rate;
	uint64_t left_out;
};

struct refusals *refusals_new(void)
{
	struct refusals *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->rate = issue_rate_new(REFUSALS_PER_MINUTE, REFUSALS_PER_SOURCE);
	if (!r->rate) {
		free(r);
		return NULL;
	}
	return r;
}

void refusals_free(struct refusals *r)
{
	if (!r)
		return;
	issue_rate_free(r->rate);
	free(r);
}

void refusals_log(struct refusals *r, const struct addr *client, const char *kind,
                  const char *reason, const char *user, size_t user_len)
{
	char name[USER_MAX + 1] = "";

	if (!r)
		return;
	/* The source first: its lines beyond the limit count against no other source. */
	if (issue_rate_take(r->rate, 0, client, clock_mono_ms()) ||
	    issue_rate_take(r->rate, ALL, client, clock_mono_ms())) {
		r->left_out++;
		return;
	}
	/* A zero byte must not hide what follows it. */
	for (size_t i = 0; i < user_len && i < USER_MAX; i++)
		name[i] = user[i] ? user[i] : '?';
	log_info(NULL, "login-refused", LOG_ADDR("client", client), LOG_STR("kind", kind),
	         LOG_STR("reason", reason), LOG_STR("user", name),
	         LOG_INT("left_out", r->left_out));
	r->left_out = 0;
}

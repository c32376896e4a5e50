/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Access to the relay in mid-call: a credential expires, a credential or a user is
 * revoked. What carries the call is asked of the server (turnpike sessions), not of the pages.
 */
#include "base/clock.h"
#include "harness/scenarios/call.h"
#include "harness/scenarios/facts.h"
#include "harness/scenarios/fault.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EXPIRIES    2
#define LATE_S      2 /* looked at so long after an expiry */
#define LOOK_MS     1000
#define LEAST       20 /* packets in that time, both ways: sound alone has a hundred */
#define REVOKED_MS  1000
#define LOG_LOOK_MS 20
#define LOG_BYTES   65536

/* An end's relayed bytes, by the expiry of the credentials that opened the allocation. */
struct relayed {
	int allocations;
	int64_t last_expiry_s;
	double packets_good, packets_expired;
};

/* Reads an end's present values: "expiry:name" separates its allocations from the other end's. */
static int read_relayed(struct stage *st, enum lab_side side, struct relayed *r, struct why *why)
{
	const char *const words[] = {"sessions", "--user", st->mark[side].name, "--json", NULL};
	json_t *answer = NULL, *s;
	size_t i;
	int err = appliance_verb(st->appliance, words, &answer, why);

	*r = (struct relayed){.allocations = 0};
	json_array_foreach (json_object_get(answer, "sessions"), i, s) {
		const char *user = json_string_value(json_object_get(s, "user"));
		int64_t expiry_s = user ? strtoll(user, NULL, 10) : 0;
		double packets =
		    facts_number(s, "to_peer_packets") + facts_number(s, "to_client_packets");

		r->allocations++;
		if (expiry_s > r->last_expiry_s)
			r->last_expiry_s = expiry_s;
		if (expiry_s > time(NULL))
			r->packets_good += packets;
		else
			r->packets_expired += packets;
	}
	json_decref(answer);
	return err;
}

static int read_both(struct stage *st, struct relayed r[LAB_SIDES], struct why *why)
{
	int err = 0;

	for (int i = 0; i < LAB_SIDES && err == 0; i++) {
		err = read_relayed(st, i, &r[i], why);
		if (err == 0 && r[i].allocations == 0)
			result_fail(st->result,
			            "%s should have an allocation on the relay, but has none.",
			            st->mark[i].name);
	}
	return err;
}

/* Until the moment has passed, or the call is over, which others judge. */
static int await_moment(struct stage *st, int64_t when_s, bool *over, struct why *why)
{
	struct pulse p[LAB_SIDES];
	int err = 0;

	*over = false;
	while (err == 0 && !*over && time(NULL) <= when_s) {
		clock_sleep_ms(LOOK_MS);
		err = fault_read_pulses(st, p, why);
		for (int i = 0; i < LAB_SIDES && err == 0; i++)
			*over |= !strcmp(p[i].call, "idle");
	}
	return err;
}

/* The last one's of both. */
static int await_expiry_of_both(struct stage *st, int *n, bool *over, struct why *why)
{
	struct relayed r[LAB_SIDES];
	int64_t last_s;
	int err = read_both(st, r, why);

	if (err != 0)
		return err;
	last_s = r[0].last_expiry_s > r[1].last_expiry_s ? r[0].last_expiry_s : r[1].last_expiry_s;
	stage_step(st, "waiting %" PRId64 " s for the end of credentials, number %d",
	           last_s - (int64_t)time(NULL), ++*n);
	return await_moment(st, last_s + LATE_S, over, why);
}

int await_expiry(struct stage *st, const struct fault *f, struct why *why)
{
	bool over;
	int n = 0;
	int err = fault_start_pulses(st, why);

	(void)f;
	return err ? err : await_expiry_of_both(st, &n, &over, why);
}

static int check_good(struct stage *st, struct why *why)
{
	struct relayed before[LAB_SIDES], after[LAB_SIDES];
	int err = read_both(st, before, why);

	clock_sleep_ms(LOOK_MS);
	if (err == 0)
		err = read_both(st, after, why);
	for (int i = 0; i < LAB_SIDES && err == 0; i++) {
		double good = after[i].packets_good - before[i].packets_good;
		double expired = after[i].packets_expired - before[i].packets_expired;

		if (good < LEAST || good < expired)
			result_fail(
			    st->result,
			    "%s's media should be relayed by what was opened with a "
			    "credential that is good, but in %.0f s it passed %.0f packets, "
			    "and %.0f by what was opened with an expired one; most likely: "
			    "the page does not renew its credential, or does not restart "
			    "ICE with it.",
			    st->mark[i].name, LOOK_MS / 1e3, good, expired);
	}
	return err;
}

int strike_expiries(struct stage *st, const struct fault *f, struct why *why)
{
	bool over = false;
	int n = 0, err = 0;

	(void)f;
	while (n < EXPIRIES && err == 0 && !over && st->result->state == RESULT_RUNNING) {
		err = await_expiry_of_both(st, &n, &over, why);
		if (err == 0 && !over)
			err = check_good(st, why);
	}
	return err;
}

/* How many allocations of the user the server's log calls revoked, from there on. */
static int revoked_n(int log_fd, off_t from, const char *user)
{
	static const char closed[] = "event=closed reason=revoked user=";
	char log[LOG_BYTES], name[80];
	ssize_t len = pread(log_fd, log, sizeof(log) - 1, from);
	int n = 0;

	log[len > 0 ? len : 0] = '\0';
	snprintf(name, sizeof(name), ":%.64s ", user);
	for (char *at = log; (at = strstr(at, closed));) {
		at += strlen(closed);
		at += strspn(at, "0123456789");
		n += !strncmp(at, name, strlen(name));
	}
	return n;
}

/* Revokes what the words say. The server has to close the caller's allocations, at once. */
static int take_back(struct stage *st, const struct fault *f, const char *const words[], int n,
                     struct why *why)
{
	const char *user = st->mark[CALLER].name;
	int log_fd = st->log_fd[STAGE_LOG_SERVER];
	off_t from = lseek(log_fd, 0, SEEK_END);
	int64_t deadline;
	int closed, err = appliance_verb(st->appliance, words, NULL, why);

	if (err != 0)
		return err;
	deadline = clock_mono_ms() + REVOKED_MS;
	while ((closed = revoked_n(log_fd, from, user)) < n && clock_mono_ms() < deadline)
		clock_sleep_ms(LOG_LOOK_MS);
	result_measure(st->result, "revoked_after",
	               (double)(clock_mono_ms() - deadline + REVOKED_MS), "ms");
	if (n == 0 || closed < n)
		result_fail(st->result,
		            "the server should close %s's %d allocations within %.0f s of %s, but "
		            "closed %d; most likely: its workers did not hear of it.",
		            user, n, REVOKED_MS / 1e3, f->what, closed);
	return 0;
}

int strike_revoke(struct stage *st, const struct fault *f, struct why *why)
{
	const char *const words[] = {"revoke", "--user", st->mark[CALLER].name, NULL};
	struct relayed had;
	int err = read_relayed(st, CALLER, &had, why);

	return err ? err : take_back(st, f, words, had.allocations, why);
}

int strike_revoke_credential(struct stage *st, const struct fault *f, struct why *why)
{
	char username[96];
	const char *const words[] = {"revoke", username, NULL};
	struct relayed had;
	int err = read_relayed(st, CALLER, &had, why);

	if (err != 0)
		return err;
	snprintf(username, sizeof(username), "%" PRId64 ":%s", had.last_expiry_s,
	         st->mark[CALLER].name);
	return take_back(st, f, words, had.allocations, why);
}

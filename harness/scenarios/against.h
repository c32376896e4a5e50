/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A deployed Turnpike, proven from where the harness runs: no lab, no rights,
 * the machine's own network. One cell for the server itself, one for a direct
 * call, one for each way to its relay, and one that says which ways are missing.
 */
#ifndef SCENARIOS_AGAINST_H
#define SCENARIOS_AGAINST_H

#include "harness/scenarios/plan.h"
#include "harness/scenarios/stage.h"

struct against {
	char url[512];                  /* "https://host:port", nothing behind it */
	char name[32];                  /* its host, for results */
	const char *api_token;          /* or NULL. Borrowed. Goes nowhere but to the server. */
	bool insecure;                  /* its certificate need not verify */
	bool expects[OFFER_TRANSPORTS]; /* over which it should offer its relay */
	struct target target;
	char no_relay[400]; /* why target.offer could not be learnt; "" if it was */
};

/* It then expects a relay over every transport. 0, or -E_INVAL: why says what is wrong with the
 * URL. */
int against_init(struct against *a, const char *url, const char *api_token, bool insecure,
                 struct why *why);

/* Asks the server for the ICE servers that a page would get. What comes of it lies in
 * target.offer and no_relay. */
void against_ask(struct against *a);

/* Plans the cells; of opt it uses only_n, repeat, shard and product. Codes as plan_make(). The plan
 * borrows a. */
int against_plan(struct plan *plan, const struct against *a, const struct plan_options *opt,
                 struct why *why);

/* The address of the page of this name ("" is the client page); returns buf. The API token is not
 * in it: addresses get into logs and messages. The page finds it in its storage (inject.js). */
const char *against_page(const struct against *a, const char *name, char *buf, size_t size);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What can break in mid-call, and how it heals.
 */
#include "harness/lab/proc.h"
#include "harness/scenarios/call.h"
#include "harness/scenarios/fault.h"

#include <stdio.h>

#define NFT_MS 20000

int strike_kill(struct stage *st, const struct fault *f, struct why *why)
{
	(void)f;
	return appliance_kill(st->appliance, why);
}

int heal_start(struct stage *st, const struct fault *f, struct why *why)
{
	(void)f;
	return appliance_again(st->appliance, why);
}

static int server_rules(struct stage *st, const char *rules, struct why *why)
{
	const char *const argv[] = {"nft", "-f", "-", NULL};

	return proc_run(argv, lab_server_ns(st->lab), rules, NFT_MS, why);
}

/* As a line of chat, which the other page and the hub pass on. Nobody waits for it to arrive. */
static int write_line(struct stage *st, enum lab_side side, struct why *why)
{
	int err = browser_type(st->browser[side], "#chat-input", "hello?", CALL_CLICK_MS, why);

	return err ? err : browser_click(st->browser[side], "#chat-send", CALL_CLICK_MS, why);
}

/* The side's addresses to the outside: of its router, and of a client without NAT. */
static const char *const outside[LAB_SIDES] = {
    "{ 203.0.113.21, 203.0.113.31 }",
    "{ 203.0.113.22, 203.0.113.32 }",
};

/* Each end is told of its own attempts only: the client by the input chain, the server by the
 * output chain. */
int strike_reset_tcp(struct stage *st, const struct fault *f, struct why *why)
{
	char rules[512];
	int err;

	snprintf(rules, sizeof(rules),
	         "table ip fault {\n"
	         " chain in { type filter hook input priority filter; policy accept;\n"
	         "  ip saddr %s meta l4proto tcp reject with tcp reset\n"
	         " }\n"
	         " chain out { type filter hook output priority filter; policy accept;\n"
	         "  ip daddr %s tcp flags & rst == 0 reject with tcp reset\n"
	         " }\n"
	         "}\n",
	         outside[f->side], outside[f->side]);
	err = server_rules(st, rules, why);
	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = write_line(st, i, why);
	return err;
}

int heal_tcp(struct stage *st, const struct fault *f, struct why *why)
{
	(void)f;
	return server_rules(st, "delete table ip fault\n", why);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The faults in mid-call, and how they heal.
 */
#include "base/clock.h"
#include "harness/lab/proc.h"
#include "harness/scenarios/call.h"
#include "harness/scenarios/fault.h"

#include <stdio.h>

#define NFT_MS      20000
#define DRAINING_MS 3000 /* looked at so long; less than the scenario's drain_timeout */
#define SILENT_MS   1500
#define END_MS      15000

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

/* Running calls go on, and a load balancer is told to look elsewhere. */
int strike_drain(struct stage *st, const struct fault *f, struct why *why)
{
	struct pulse p[LAB_SIDES];
	struct why gone;
	int status, err = appliance_drain(st->appliance, why);

	(void)f;
	if (err != 0)
		return err;
	clock_sleep_ms(DRAINING_MS);
	status = appliance_ask(st->appliance, "/readyz", &gone);
	if (status != 503)
		result_fail(st->result, "/readyz should answer 503 while it drains, but %s %d.",
		            status < 0 ? gone.text : "answers", status);
	status = appliance_ask(st->appliance, "/healthz", &gone);
	if (status != 200)
		result_fail(st->result, "/healthz should answer 200 while it drains, but %s %d.",
		            status < 0 ? gone.text : "answers", status);
	err = fault_read_pulses(st, p, why);
	for (int i = 0; i < LAB_SIDES && err == 0; i++) {
		if (p[i].picture.silent_ms > SILENT_MS || p[i].sound.silent_ms > SILENT_MS)
			result_fail(
			    st->result,
			    "%s's call should go on while the appliance drains, but nothing "
			    "came for %.1f s; most likely: the drain cuts what runs.",
			    st->mark[i].name, p[i].picture.silent_ms / 1e3);
	}
	return err;
}

int heal_drained(struct stage *st, const struct fault *f, struct why *why)
{
	int err = appliance_await_end(st->appliance, END_MS, why);

	return err ? err : heal_start(st, f, why);
}

int strike_block_udp(struct stage *st, const struct fault *f, struct why *why)
{
	return lab_block_udp(st->lab, f->side, true, why);
}

int strike_rebind(struct stage *st, const struct fault *f, struct why *why)
{
	return lab_rebind(st->lab, f->side, why);
}

int strike_client_address(struct stage *st, const struct fault *f, struct why *why)
{
	return lab_change_client_address(st->lab, f->side, why);
}

int strike_wan_address(struct stage *st, const struct fault *f, struct why *why)
{
	return lab_change_wan_address(st->lab, f->side, why);
}

int strike_cut(struct stage *st, const struct fault *f, struct why *why)
{
	return lab_cut_link(st->lab, f->side, true, why);
}

int heal_cut(struct stage *st, const struct fault *f, struct why *why)
{
	return lab_cut_link(st->lab, f->side, false, why);
}

int strike_link(struct stage *st, const struct fault *f, struct why *why)
{
	return lab_set_link(st->lab, f->side, &f->link, why);
}

static int server_rules(struct stage *st, const char *rules, struct why *why)
{
	const char *const argv[] = {"nft", "-f", "-", NULL};

	return proc_run(argv, lab_server_ns(st->lab), rules, NFT_MS, why);
}

/* Sends a line of chat, which the other page and the hub pass on. Does not wait for its arrival. */
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

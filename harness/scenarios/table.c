/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The scenarios. A new one is a row here, and a file if it plays something new.
 */
#include "harness/scenarios/scenario.h"

#include <string.h>

#define CALL_LIMIT_MS 120000

const struct scenario scenarios[] = {
    {
        .name = "call-direct",
        .purpose = "two peers with public addresses: media flows directly",
        .group = GROUP_CALLS,
        .kind = {"none", "none"},
        .play = scenario_call,
        .expect = {.path = PATH_DIRECT},
        .limit_ms = CALL_LIMIT_MS,
    },
    {
        .name = "call-port-restricted",
        .purpose = "two port-restricted NATs: STUN punches a hole and media flows directly",
        .group = GROUP_CALLS,
        .kind = {"port-restricted", "port-restricted"},
        .play = scenario_call,
        .expect = {.path = PATH_DIRECT},
        .limit_ms = CALL_LIMIT_MS,
    },
    {
        .name = "call-symmetric",
        .purpose = "two symmetric NATs: the relay carries the call, for one end at least",
        .group = GROUP_CALLS,
        .kind = {"symmetric-random", "symmetric-random"},
        .play = scenario_call,
        .expect = {.path = PATH_RELAY, .relay_protocol = {"udp", "udp"}},
        .limit_ms = CALL_LIMIT_MS,
    },
    {
        .name = "call-symmetric-relay",
        .purpose = "two symmetric NATs, both ends bound to their relays: relay/relay",
        .group = GROUP_CALLS,
        .kind = {"symmetric-random", "symmetric-random"},
        .page_query = "?relay=1",
        .play = scenario_call,
        .expect = {.path = PATH_RELAY, .relay_protocol = {"udp", "udp"}, .both_legs = true},
        .limit_ms = CALL_LIMIT_MS,
    },
    {
        .name = "call-udp-blocked",
        .purpose = "no UDP on one side: its leg to the relay runs over TCP",
        .group = GROUP_CALLS,
        .kind = {"udp-blocked", "port-restricted"},
        .play = scenario_call,
        .expect = {.path = PATH_RELAY},
        .limit_ms = CALL_LIMIT_MS,
    },
};

const size_t scenarios_n = sizeof(scenarios) / sizeof(*scenarios);

const struct scenario scenario_matrix = {
    .name = "matrix",
    .purpose = "a call between these two NAT kinds",
    .group = GROUP_MATRIX,
    .play = scenario_call,
    .limit_ms = CALL_LIMIT_MS,
};

const char *scenario_group_name(enum scenario_group group)
{
	static const char *const name[GROUPS] = {
	    [GROUP_CALLS] = "calls",
	    [GROUP_MATRIX] = "matrix",
	    [GROUP_FAULTS] = "faults",
	};

	return name[group];
}

const struct scenario *scenario_find(const char *name)
{
	for (size_t i = 0; i < scenarios_n; i++) {
		if (strcmp(scenarios[i].name, name) == 0)
			return &scenarios[i];
	}
	return NULL;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The scenarios. A new one is a row of one of the .def files, and a file if it plays something new.
 */
#include "harness/scenarios/appliance.h"
#include "harness/scenarios/check.h"
#include "harness/scenarios/crowd.h"
#include "harness/scenarios/fault.h"
#include "harness/scenarios/scenario.h"

#include <string.h>

#define CALL_LIMIT_MS  120000
#define FAULT_LIMIT_MS 150000

const struct scenario scenarios[] = {
#include "harness/scenarios/calls.def"
#include "harness/scenarios/checks.def"
#include "harness/scenarios/faults.def"
#include "harness/scenarios/foreign.def"
#include "harness/scenarios/signaling.def"
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
	    [GROUP_CALLS] = "calls",     [GROUP_MATRIX] = "matrix",   [GROUP_FAULTS] = "faults",
	    [GROUP_AGAINST] = "against", [GROUP_FOREIGN] = "foreign",
	};

	return name[group];
}

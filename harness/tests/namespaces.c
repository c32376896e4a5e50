/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Skips tests aloud where the machine cannot run them.
 */
#include "harness/tests/namespaces.h"

#include "harness/lab/contain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SKIP_TEST 77

static bool in_ci(void)
{
	const char *ci = getenv("CI");

	return ci && !strcmp(ci, "true");
}

bool tun_missing(const char *why)
{
	if (in_ci() || !strstr(why, "/dev/net/tun: "))
		return false;
	fprintf(stderr, "skipped here: %s\n", why);
	return true;
}

int namespaces_missing(void)
{
	struct why why;

	if (contain_supported(&why) == 0)
		return 0;
	fprintf(stderr, "no namespaces here: %s\n", why.text);
	return in_ci() ? 1 : SKIP_TEST;
}

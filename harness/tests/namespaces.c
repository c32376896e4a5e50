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

int namespaces_missing(void)
{
	const char *ci = getenv("CI");
	struct why why;

	if (contain_supported(&why) == 0)
		return 0;
	fprintf(stderr, "no namespaces here: %s\n", why.text);
	return ci && strcmp(ci, "true") == 0 ? 1 : SKIP_TEST;
}

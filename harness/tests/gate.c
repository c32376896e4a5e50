/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Runs a test program where this machine gives namespaces at all. Where it does
 * not, the test is skipped (77) aloud; in CI that is a failure.
 */
#include "harness/lab/contain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SKIP_TEST 77

int main(int argc, char **argv)
{
	const char *ci = getenv("CI");
	struct why why;

	if (argc < 2) {
		fprintf(stderr, "Usage: harness-gate PROGRAM [ARGUMENT]...\n");
		return 2;
	}
	if (contain_supported(&why) != 0) {
		fprintf(stderr, "no namespaces here: %s\n", why.text);
		return ci && strcmp(ci, "true") == 0 ? 1 : SKIP_TEST;
	}
	execv(argv[1], argv + 1);
	perror(argv[1]);
	return 1;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Runs a test program where this machine gives namespaces at all. Where it does
 * not, the test is skipped (77) aloud; in CI that is a failure.
 */
#include "harness/tests/namespaces.h"

#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int missing;

	if (argc < 2) {
		fprintf(stderr, "Usage: harness-gate PROGRAM [ARGUMENT]...\n");
		return 2;
	}
	missing = namespaces_missing();
	if (missing)
		return missing;
	execv(argv[1], argv + 1);
	perror(argv[1]);
	return 1;
}

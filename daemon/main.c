/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The program's entry: everything begins with a verb.
 */
#include "daemon/cli/cli.h"

#include <unistd.h>

int main(int argc, char **argv)
{
	return cli_main(argc, argv, environ);
}

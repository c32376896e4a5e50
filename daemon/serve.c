/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The server. Only its place so far.
 */
#include "daemon/serve.h"

#include <stdio.h>

int serve_main(const struct conf *conf)
{
	(void)conf;
	fprintf(stderr, "turnpike: serve is not built yet\n");
	return 1;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The command lines of the harness's programs.
 */
#include "base/args.h"

#include <errno.h>
#include <stdlib.h>

int args_parse(const struct argp *argp, const char *version, int argc, char **argv, void *input)
{
	argp_program_version = version;
	argp_err_exit_status = 2;
	return argp_parse(argp, argc, argv, 0, NULL, input);
}

double args_number(const struct argp_state *state, const char *option, const char *text,
                   double least, double most)
{
	char *end;
	double number;

	errno = 0;
	number = strtod(text, &end);
	if (errno || end == text || *end || !(number >= least && number <= most))
		argp_error(state, "--%s %s: not a number from %.10g to %.10g", option, text, least,
		           most);
	return number;
}

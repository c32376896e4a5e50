/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What command lines that argp parses share: its tables make the parser, --help
 * and, from that, the manual page.
 */
#ifndef BASE_ARGS_H
#define BASE_ARGS_H

#include <argp.h>
#include <stdbool.h>

/* Parses, with input for the parser. On misuse, --help and --version it does not return: it exits
 * with 2 after saying what is wrong, or with 0. version is static. 0, or an errno value. */
int args_parse(const struct argp *argp, const char *version, int argc, char **argv, void *input);

/* The number in text, of least to most, for the option called so; does not return for another. */
double args_number(const struct argp_state *state, const char *option, const char *text,
                   double least, double most);

#endif

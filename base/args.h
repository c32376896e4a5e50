/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared by the command lines that argp parses: its tables make the parser, --help and, from that,
 * the manual page.
 */
#ifndef BASE_ARGS_H
#define BASE_ARGS_H

#include <argp.h>
#include <stdbool.h>

/* Parses, with input for the parser. On misuse, --help and --version it does not return: it exits
 * with 2 after an error message, or with 0. version is static. 0, or an errno value. */
int args_parse(const struct argp *argp, const char *version, int argc, char **argv, void *input);

/* Reads the number in text, from least to most, for the option of that name; exits for anything
 * else. */
double args_number(const struct argp_state *state, const char *option, const char *text,
                   double least, double most);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The command line: verbs, their help, and the dispatch to them.
 */
#ifndef DAEMON_CLI_H
#define DAEMON_CLI_H

/* Runs one command; returns the exit status: 0, 1 for a failure, 2 for wrong usage. envp may be
 * NULL. Results go to standard output, everything else to standard error. argv is reordered. */
int cli_main(int argc, char **argv, char *const *envp);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Restricts the running server, enforced by the kernel: Landlock for files, seccomp for system
 * calls that it never needs. There is no way out.
 *
 * Landlock: writes go to the data directory; reads to the system's folders, the data directory, and
 * the folders of the named files (also of the links on the way to them, so that a renewed
 * certificate is found when a link is swapped). Nothing is executed.
 */
#ifndef DAEMON_SANDBOX_H
#define DAEMON_SANDBOX_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct sandbox_state {
	int landlock; /* ABI of the kernel, 0: there is none */
	bool seccomp;
};

/* Call it before the first thread, after privilege_drop(): Landlock binds this thread and those it
 * starts, and requires no_new_privs. data is the directory to write; read the files to be read
 * again (NULL and empty ones are skipped). A kernel that lacks one of the two is no failure: out
 * says which holds. -E_DENIED, -E_IO, -E_NOMEM. */
int sandbox_enter(const char *data, const char *const *read, size_t n, struct sandbox_state *out,
                  struct why *why);

/* The files that the environment's TURNPIKE_*_FILE and the command line's --config name: up to max
 * of them into out, borrowed. Returns how many. */
size_t sandbox_input_files(int argc, char *const *argv, char *const *envp, const char **out,
                           size_t max);

#endif

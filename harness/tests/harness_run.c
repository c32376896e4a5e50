/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The built harness as a child of a test.
 */
#include "harness/tests/harness_run.h"

#include "harness/lab/proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ARGS_MAX 30

int harness_start(struct harness_run *h, const char *const args[])
{
	const char *argv[ARGS_MAX] = {HARNESS_PROGRAM};
	struct proc_opt po = PROC_OPT_DEFAULT;
	struct why why;
	size_t n = 1;

	while (args[n - 1] && n < ARGS_MAX - 1) {
		argv[n] = args[n - 1];
		n++;
	}
	h->pid = -1;
	snprintf(h->tmp, sizeof(h->tmp), "/tmp/turnpike-harness-XXXXXX");
	h->out_fd = memfd_create("said", MFD_CLOEXEC);
	if (h->out_fd < 0 || !mkdtemp(h->tmp) || setenv("TMPDIR", h->tmp, 1) != 0)
		return -1;
	po.fd[1] = po.fd[2] = h->out_fd;
	if (proc_spawn(argv, &po, &h->pid, &why) != 0) {
		fprintf(stderr, "%s\n", why.text);
		return -1;
	}
	return 0;
}

int harness_end(struct harness_run *h, int64_t limit_ms)
{
	int status;
	ssize_t n;

	if (proc_wait(h->pid, limit_ms, &status) != 0) {
		proc_stop(h->pid, 0);
		status = -1;
	}
	n = pread(h->out_fd, h->said, sizeof(h->said) - 1, 0);
	h->said[n > 0 ? n : 0] = '\0';
	close(h->out_fd);
	return status;
}

int harness_clear(struct harness_run *h)
{
	return rmdir(h->tmp);
}

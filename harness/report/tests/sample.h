/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A run that never was, for tests of reports: a matrix against two servers
 * with every outcome, some calls, and the artifacts of a few cells.
 */
#ifndef REPORT_TESTS_SAMPLE_H
#define REPORT_TESTS_SAMPLE_H

#include "harness/report/result.h"

#define SAMPLE_KINDS 9

/* A log's and a page's worst: ends of scripts, markup, U+2028, bytes that are no UTF-8. */
#define SAMPLE_NASTY                                                                               \
	"</script><script>window.pwned = 1</script><img src=http://evil.example/x.png> "           \
	"<!-- \xe2\x80\xa8 \xe2\x80\xa9 \xff\xfe \xc3( \x1b[31m & \" ' \\ ]]> @DATA@"

struct sample {
	struct run run;
	struct result result[2 * SAMPLE_KINDS * (SAMPLE_KINDS + 1) / 2 + 8];
	char folder[64]; /* of artifacts; sample_free() removes it */
	int folder_fd;
	size_t failed_cell; /* index of a failed cell of the matrix with all evidence */
	size_t good_call;   /* index of a passed call with evidence */
};

/* 0 or -1. */
int sample_make(struct sample *s);
void sample_free(struct sample *s);

/* Writes an artifact of a result. 0 or -1. */
int sample_artifact(const struct sample *s, size_t result, const char *name, const void *data,
                    size_t len);

#endif

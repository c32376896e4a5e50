/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a test of the store stands on: a directory of its own, and the store that it opens there.
 */
#ifndef STORE_TESTS_FIXTURE_H
#define STORE_TESTS_FIXTURE_H

#include "store/store.h"
#include "store/tests/tmpdir.h"

struct fixture {
	char dir[64], data[80], db[96], copy[96]; /* the last three: in dir, not made */
	char text[4096];                          /* for what a test gathers; empty at first */
	struct store *store;                      /* NULL: closed */
	struct why why;
};

static inline struct fixture *fixture_new(void)
{
	struct fixture *f = calloc(1, sizeof(*f));

	tmpdir_make(f->dir);
	snprintf(f->data, sizeof(f->data), "%s/data", f->dir);
	snprintf(f->db, sizeof(f->db), "%s/turnpike.db", f->dir);
	snprintf(f->copy, sizeof(f->copy), "%s/copy", f->dir);
	return f;
}

/* The teardown of a cmocka test whose state is a fixture. */
static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	store_close(f->store);
	tmpdir_remove(f->dir);
	free(f);
	return 0;
}

#endif

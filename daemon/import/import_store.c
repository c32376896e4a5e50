/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The users and secrets that were read, put into a store.
 */
#include "daemon/import/import.h"

#include "base/text.h"
#include "store/coturn.h"
#include "store/store.h"

#include <string.h>

static int add_users(const struct import *im, struct store *s, struct why *why)
{
	size_t there = 0;
	int r = 0;

	for (size_t i = 0; !r && i < im->user_n; i++) {
		const struct import_user *u = &im->users[i];
		const char *realm = u->realm ? u->realm : im->realm ? im->realm : IMPORT_REALM;

		r = u->password ? store_user_add(s, realm, u->name, u->password, why)
		                : store_user_add_md5(s, realm, u->name, u->md5, why);
		if (r == -E_EXISTS) {
			there++;
			r = 0;
		}
		/* One name that is not allowed here must not keep the others out. */
		if (r == -E_INVAL) {
			char shown[256];

			text_show(shown, sizeof(shown), u->name, strlen(u->name), TEXT_SHOWN);
			fprintf(stderr, "turnpike: user %s: NOT TAKEN: %s\n", shown, why->text);
			r = 0;
		}
	}
	if (there)
		fprintf(stderr,
		        "note: %zu of the users are in the database already and stay unchanged\n",
		        there);
	return r;
}

int import_fill_store(const struct import *im, const char *data, struct why *why)
{
	struct store *s;
	int r = store_open(data, NULL, &s, why);

	if (r)
		return r;
	r = add_users(im, s, why);
	for (size_t i = 0; !r && i < im->secrets.n; i++) {
		r = store_secret_add(s, im->secrets.v[i], NULL, NULL, why);
		if (r == -E_EXISTS) {
			r = 0;
		} else if (r == -E_LIMIT || r == -E_INVAL) {
			fprintf(stderr, "turnpike: a secret: NOT TAKEN: %s\n", why->text);
			r = 0;
		}
	}
	store_close(s);
	return r;
}

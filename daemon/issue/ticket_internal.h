/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared by the two files of tickets.
 */
#ifndef DAEMON_TICKET_INTERNAL_H
#define DAEMON_TICKET_INTERNAL_H

#include "daemon/conf/ticket_key.h"
#include "daemon/issue/ticket.h"
#include "store/account.h"

#include <stddef.h>

/* The claim of an account's ticket: its mark (store/account.h). */
#define TICKET_ACCOUNT_CLAIM "turnpike_account"

struct tickets {
	const struct conf *conf;
	const struct wall *wall;
	struct store *store;
	struct jose_cfg *jose;
	struct ticket_key *keys; /* the store's, newest first, then the option's */
	size_t key_n;
};

#define TICKET_MARK_STRLEN (2 * ACCOUNT_MARK_LEN + 1)

/* An account's mark as it is now, in hexadecimal. -E_NOTFOUND, or the store's codes. */
int ticket_account_mark(const struct tickets *t, const char *name, char mark[TICKET_MARK_STRLEN]);

/* The bit of a word of may; 0 for one that is none. */
unsigned ticket_may_bit(const char *word, size_t len);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A ticket for an account: name and password in, a ticket out, with the counting of guesses that
 * the status page's login has (signin.h).
 */
#ifndef DAEMON_TICKET_LOGIN_H
#define DAEMON_TICKET_LOGIN_H

#include "daemon/admin/admin_http.h"

/* web_ops.ticket_login. The answer comes later. */
void ticket_login_answer(struct admin_http *h, const struct http_request *q,
                         struct http_response *r);

#endif

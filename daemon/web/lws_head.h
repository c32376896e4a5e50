/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A request's head for libwebsockets, without the lines that it misreads. It looks up a header's
 * name byte by byte in a table of those that it knows (and of methods). Where the name ends inside
 * of one, as X does in X-Real-IP, version 4.1 takes what follows for the name's rest, the next line
 * too; where it goes on behind one, as Patch-Level does, it takes the line for a request line.
 * RFC 9110 section 5.1: a header that a server does not know is to be ignored.
 */
#ifndef DAEMON_LWS_HEAD_H
#define DAEMON_LWS_HEAD_H

#include "daemon/listen/http_head.h"

/* Looks at what waits in a socket. *len 0: it stays there, for nothing would be misread, or there
 * is no whole head. Else the head has been read, but for its last, empty line, and head[0..*len)
 * stands for it: what is given to libwebsockets beside the socket must not end a head, since 4.1
 * would read it once more as the body. A frame that a client sends before its WebSocket is open
 * (against RFC 6455 section 4.1) may then get lost. 0 or -E_IO. */
int lws_head_take(int fd, char head[HTTP_HEAD_MAX], size_t *len);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/web/lws_head.h"

#include "base/error.h"

#include <libwebsockets.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

/* The table's texts are "name:", and "get " or "put". */
static bool is_misread(const char *name, size_t len)
{
	const char *text;
	bool misread = false;

	for (int i = 0; (text = (const char *)lws_token_to_string((enum lws_token_indexes)i));
	     i++) {
		size_t n = strlen(text);

		if (!n || strncasecmp(text, name, n < len ? n : len) != 0)
			continue;
		if (n == len + 1 && text[len] == ':')
			return false;
		misread = true;
	}
	return misread;
}

/* head[0..len): lines. Returns what is left of them. */
static size_t leave_out(char *head, size_t len)
{
	size_t left = 0, next;

	for (size_t at = 0; at < len; at = next) {
		const char *line = head + at, *colon;

		next = (size_t)((const char *)memchr(line, '\n', len - at) - head) + 1;
		colon = at ? memchr(line, ':', next - at) : NULL; /* not the request line */
		if (colon && colon > line && is_misread(line, (size_t)(colon - line)))
			continue;
		memmove(head + left, line, next - at);
		left += next - at;
	}
	return left;
}

int lws_head_take(int fd, char head[HTTP_HEAD_MAX], size_t *len)
{
	ssize_t n = recv(fd, head, HTTP_HEAD_MAX, MSG_PEEK | MSG_DONTWAIT);
	size_t lines = n > 0 ? http_head_end((const uint8_t *)head, (size_t)n) : 0, left;
	char read[HTTP_HEAD_MAX];

	if (lines)
		lines -= head[lines - 2] == '\r' ? 2 : 1; /* the empty one */
	left = leave_out(head, lines);
	*len = left < lines ? left : 0;
	return *len && recv(fd, read, lines, MSG_DONTWAIT) != (ssize_t)lines ? -E_IO : 0;
}

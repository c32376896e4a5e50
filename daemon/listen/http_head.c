/* SPDX-License-Identifier: BSD-3-Clause
 *
 * RFC 9112: the request line, and the lines behind it.
 */
#include "daemon/listen/http_head.h"

#include "base/error.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define BAD(text)                                                                                  \
	{                                                                                          \
		400, "bad-request", text                                                           \
	}

const struct http_fault http_head_late = {408, "timeout", "The request did not come in time."};

enum fault {
	NONE,
	LINE,
	METHOD,
	VERSION,
	PREFACE,
	TARGET,
	ESCAPE,
	LONG_TARGET,
	PARAMS,
	FIELD,
	FOLDED,
	MANY,
	LARGE,
	NO_HOST,
	HOSTS,
	LENGTHS,
	UPGRADE,
};

static const struct http_fault faults[] = {
    [LINE] = BAD("A request begins with METHOD TARGET HTTP/1.1."),
    [METHOD] = {501, "not-implemented", "This server does not know this method."},
    [VERSION] = {505, "version", "This server uses HTTP/1.1."},
    [PREFACE] = {505, "version", "This server uses HTTP/1.1, not HTTP/2."},
    [TARGET] =
        BAD("The request's target is not a path that begins with /, or has control characters."),
    [ESCAPE] =
        BAD("The request's target has a wrong escape: write % and two hex digits, but not of a "
            "NUL or of the end of a line."),
    [LONG_TARGET] = {414, "uri-too-long", "The request's target has more than 4096 bytes."},
    [PARAMS] = BAD("The query string has too many parameters."),
    [FIELD] = BAD("A line of the request's head is not \"Name: value\"."),
    [FOLDED] = BAD("A line of the request's head is folded."),
    [MANY] = {431, "head-too-large", "The request's head has more than 64 lines."},
    [LARGE] = {431, "head-too-large", "The request's head has more than 8192 bytes."},
    [NO_HOST] = BAD("A request of HTTP/1.1 needs a Host header."),
    [HOSTS] = BAD("There is more than one Host header."),
    [LENGTHS] =
        BAD("There is more than one Content-Length, or a Transfer-Encoding together with it."),
    [UPGRADE] = {426, "upgrade-unknown", "This server upgrades only to websocket."},
};

/* Text with a length; a line is without its end. */
struct text {
	const char *at;
	size_t len;
};

static bool equals(struct text t, const char *word)
{
	return t.len == strlen(word) && !strncasecmp(t.at, word, t.len);
}

/* RFC 9110 section 5.6.2 */
static bool is_token(struct text t)
{
	for (size_t i = 0; i < t.len; i++) {
		unsigned char c = (unsigned char)t.at[i];

		if (!isalnum(c) && (!c || !strchr("!#$%&'*+-.^_`|~", c)))
			return false;
	}
	return t.len;
}

/* The text before the first c, which is removed with it. len 0: no c. */
static struct text cut(struct text *t, char c)
{
	const char *found = memchr(t->at, c, t->len);
	struct text before = {t->at, found ? (size_t)(found - t->at) : 0};

	if (found) {
		t->at += before.len + 1;
		t->len -= before.len + 1;
	}
	return before;
}

static struct text trim(struct text t)
{
	for (; t.len && (*t.at == ' ' || *t.at == '\t'); t.at++)
		t.len--;
	while (t.len && (t.at[t.len - 1] == ' ' || t.at[t.len - 1] == '\t'))
		t.len--;
	return t;
}

/* The next line; false: the empty one that ends the head. */
static bool next_line(struct text *rest, struct text *line)
{
	*line = cut(rest, '\n');
	line->len -= line->len && line->at[line->len - 1] == '\r';
	return line->len;
}

/* As far as libwebsockets reads them; what it does not know is closed without an answer. */
static enum fault check_method(struct text method)
{
	static const char *const known[] = {"GET",   "HEAD",   "POST",    "PUT",
	                                    "PATCH", "DELETE", "OPTIONS", NULL};

	if (!is_token(method))
		return LINE;
	for (size_t i = 0; known[i]; i++)
		if (method.len == strlen(known[i]) && !memcmp(method.at, known[i], method.len))
			return NONE;
	return METHOD;
}

/* libwebsockets reads what is unescaped on as the head: an LF in there begins a header, which a
 * page of another site could write into an address. */
static bool is_bad_escape(const char *at, size_t len)
{
	if (len < 3 || !isxdigit((unsigned char)at[1]) || !isxdigit((unsigned char)at[2]))
		return true;
	return !strncasecmp(at, "%00", 3) || !strncasecmp(at, "%0a", 3) ||
	       !strncasecmp(at, "%0d", 3);
}

/* RFC 9112 section 3.2: the origin form. The absolute form, which a server should take, too,
 * libwebsockets answers with a page of its own. */
static enum fault check_target(struct text t)
{
	size_t params = 0;

	if (t.len > HTTP_TARGET_MAX)
		return LONG_TARGET;
	if (!t.len || (*t.at != '/' && !equals(t, "*")))
		return TARGET;
	for (size_t i = 0; i < t.len; i++) {
		unsigned char c = (unsigned char)t.at[i];

		if (c <= ' ' || c == 0x7f)
			return TARGET;
		if (c == '%' && is_bad_escape(t.at + i, t.len - i))
			return ESCAPE;
		params += c == '&';
	}
	return params < HTTP_PARAMS_MAX ? NONE : PARAMS;
}

/* *old: HTTP/1.0. */
static enum fault check_request_line(struct text line, bool *old)
{
	struct text method, target;

	if (equals(line, "PRI * HTTP/2.0"))
		return PREFACE;
	method = cut(&line, ' ');
	if (check_method(method) == LINE)
		return LINE;
	target = cut(&line, ' ');
	*old = equals(line, "HTTP/1.0");
	if (!target.len || line.len != 8 || memcmp(line.at, "HTTP/", 5) != 0)
		return LINE;
	if (!*old && memcmp(line.at, "HTTP/1.1", 8) != 0)
		return VERSION;
	return check_method(method) ? check_method(method) : check_target(target);
}

/* The facts from the lines so far. */
struct said {
	unsigned hosts, lengths, codings;
	bool upgrade_unknown;
};

static enum fault check_field(struct text line, struct said *said)
{
	struct text name = cut(&line, ':'), value = trim(line);

	if (!is_token(name))
		return FIELD;
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.at[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return FIELD;
	}
	said->hosts += equals(name, "Host");
	said->lengths += equals(name, "Content-Length");
	said->codings += equals(name, "Transfer-Encoding");
	/* h2c is an offer that is passed over (web.c); any other libwebsockets cannot. */
	if (equals(name, "Upgrade"))
		said->upgrade_unknown |=
		    value.len && !equals(value, "websocket") && !equals(value, "h2c");
	return NONE;
}

static enum fault check_fields(struct text rest, bool old)
{
	struct said said = {0};
	struct text line;
	size_t n = 0;

	while (next_line(&rest, &line)) {
		enum fault f = ++n > HTTP_LINES_MAX                  ? MANY
		               : *line.at == ' ' || *line.at == '\t' ? FOLDED
		                                                     : check_field(line, &said);

		if (f)
			return f;
	}
	if (said.hosts > 1)
		return HOSTS;
	if (!said.hosts && !old)
		return NO_HOST;
	if (said.lengths > 1 || (said.lengths && said.codings))
		return LENGTHS;
	return said.upgrade_unknown ? UPGRADE : NONE;
}

size_t http_head_end(const uint8_t *head, size_t len)
{
	const uint8_t *at = head;

	while ((at = memchr(at, '\n', len - (size_t)(at - head)))) {
		size_t next = (size_t)(++at - head);

		next += next < len && head[next] == '\r';
		if (next < len && head[next] == '\n')
			return next + 1;
	}
	return 0;
}

static enum fault check(const uint8_t *head, size_t len)
{
	size_t end = http_head_end(head, len);
	struct text rest = {(const char *)head, end}, line;
	bool old = false;
	enum fault f;

	if (!end || end > HTTP_HEAD_MAX) {
		/* For an unfinished target, says which part is too long. */
		return memchr(head, '\n', len < HTTP_HEAD_MAX ? len : HTTP_HEAD_MAX) ? LARGE
		                                                                     : LONG_TARGET;
	}
	next_line(&rest, &line);
	f = check_request_line(line, &old);
	return f ? f : check_fields(rest, old);
}

static bool is_preface(const uint8_t *head, size_t len)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n";

	return len >= sizeof(preface) - 1 && !memcmp(head, preface, sizeof(preface) - 1);
}

int http_head_check(const uint8_t *head, size_t len, struct http_fault *out, size_t *need)
{
	enum fault f;

	*need = len + 1;
	if (is_preface(head, len)) {
		*out = faults[PREFACE];
		return -E_PARSE;
	}
	if (!http_head_end(head, len) && len < HTTP_HEAD_MAX)
		return -E_LATER;
	f = check(head, len);
	if (!f)
		return 0;
	*out = faults[f];
	return -E_PARSE;
}

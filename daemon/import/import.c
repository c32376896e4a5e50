/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reading what coturn was configured with, line by line and row by row, with a
 * word on each.
 */
#include "daemon/import/import.h"

#include "base/text.h"
#include "store/coturn.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX    160
#define FILE_MAX_LEN (4 << 20)
#define COTURN_LINE  1024 /* its buffer: what is longer it reads as a line of its own */

void import_init(struct import *im, FILE *report)
{
	memset(im, 0, sizeof(*im));
	im->report = report;
	im->port = 3478;
	im->tls_port = 5349;
	im->min_port = 49152;
	im->max_port = 65535;
	im->total_quota = -1;
}

static void free_texts(struct import_texts *t)
{
	for (size_t i = 0; i < t->n; i++) {
		explicit_bzero(t->v[i], strlen(t->v[i]));
		free(t->v[i]);
	}
	free(t->v);
}

void import_free(struct import *im)
{
	for (size_t i = 0; i < conf_option_n; i++)
		free(im->value[i]);
	for (size_t i = 0; i < im->user_n; i++) {
		if (im->users[i].password)
			explicit_bzero(im->users[i].password, strlen(im->users[i].password));
		free(im->users[i].realm);
		free(im->users[i].name);
		free(im->users[i].password);
	}
	free(im->users);
	free_texts(&im->ips);
	free_texts(&im->aux);
	free_texts(&im->relay_ips);
	free_texts(&im->external);
	free_texts(&im->alternates);
	free_texts(&im->allowed);
	free_texts(&im->denied);
	free_texts(&im->secrets);
	free(im->realm);
	free(im->server_name);
	free(im->userdb);
	free(im->cert);
	free(im->key);
}

static void say(struct import *im, const char *verdict, const char *fmt, va_list ap)
{
	char text[1024], line[2048], shown[4096];

	vsnprintf(text, sizeof(text), fmt, ap);
	snprintf(line, sizeof(line), "%.300s: %.200s: %s%s%s%s%s", im->place, im->directive,
	         verdict, *text ? ": " : "", text, im->note ? "; " : "", im->note ? im->note : "");
	text_show(shown, sizeof(shown), line, strlen(line), TEXT_AGAIN);
	fprintf(im->report, "%s\n", shown);
}

void import_taken(struct import *im, const char *fmt, ...)
{
	va_list ap;

	im->taken++;
	va_start(ap, fmt);
	say(im, "taken", fmt, ap);
	va_end(ap);
}

void import_same(struct import *im, const char *fmt, ...)
{
	va_list ap;

	im->same++;
	va_start(ap, fmt);
	say(im, "not needed", fmt, ap);
	va_end(ap);
}

void import_left(struct import *im, const char *fmt, ...)
{
	va_list ap;

	im->left++;
	va_start(ap, fmt);
	say(im, "NOT TAKEN", fmt, ap);
	va_end(ap);
}

/* coturn's parse_arg_string(): blanks and '=' between name and value; a value that begins with a
 * quote loses it, and one at its end. Cuts line. */
static void split(char *line, char **name, char **value)
{
	char *end;

	*name = line;
	line += strcspn(line, " =\t");
	*value = line + strspn(line, " =\t");
	*line = 0;
	if (**value == '"') {
		++*value;
		end = *value + strlen(*value);
		if (end > *value && end[-1] == '"')
			end[-1] = 0;
	}
}

static void show(char out[SHOWN_MAX], const char *name, const char *value)
{
	bool secret = import_is_secret(name);

	/* A line without a name's form may be part of anything. */
	if (secret &&
	    name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-0123456789")])
		name = "********";
	snprintf(out, SHOWN_MAX, "%.60s%s%.90s", name, *value ? "=" : "",
	         secret && *value ? "********" : value);
}

/* Skips a form that keeps coturn from understanding the line, and that the writer did not intend.
 */
static char *skip_form(struct import *im, char *line)
{
	if (!strncmp(line, "\xef\xbb\xbf", 3)) {
		line += 3;
		im->ignored = true;
		im->note = "coturn ignores the line, because a byte order mark precedes it";
	}
	line += strspn(line, " \t\n");
	if (*line == '-') {
		line += strspn(line, "-");
		im->ignored = true;
		im->note = "coturn ignores the line, because hyphens precede it";
	}
	return line;
}

/* One line as coturn cuts them. users: only those, or only what is none. */
static void read_line(struct import *im, char *line, bool users)
{
	char shown[SHOWN_MAX], *name, *value, *end;

	im->note = NULL;
	im->ignored = false;
	line += strspn(line, " \t\n");
	end = line + strlen(line);
	while (end > line && isspace((unsigned char)end[-1]))
		*--end = 0;
	line = skip_form(im, line);
	if (!*line || *line == '#')
		return;
	split(line, &name, &value);
	if (!strcmp(name, "user") != users)
		return;
	show(shown, name, value);
	im->directive = shown;
	if (import_directive(im, name, value))
		im->known++;
	else
		import_left(im, "coturn 4.5 to 4.18 has no such directive: correct its name");
	im->directive = ""; /* what it showed ends here */
	im->note = NULL;
}

/* coturn reads the file twice: a user's key needs the realm, which may follow later. */
static int read_lines(struct import *im, const char *base, char *text, size_t len, bool users)
{
	FILE *file = fmemopen(text, len, "r");
	char line[COTURN_LINE], place[300];
	unsigned number = 1;

	if (!file)
		return -E_NOMEM;
	im->place = place;
	while (!im->failed && fgets(line, sizeof(line), file)) {
		bool whole = strchr(line, '\n') != NULL;

		snprintf(place, sizeof(place), "%.200s:%u", base, number);
		read_line(im, line, users);
		number += whole;
	}
	im->place = base;
	explicit_bzero(line, sizeof(line));
	fclose(file);
	return im->failed ? -E_NOMEM : 0;
}

/* The whole of it, which may also be a pipe. *text is for free(). */
static int slurp(const char *path, char **text, size_t *len, struct why *why)
{
	FILE *file = fopen(path, "re");
	char *all = file ? malloc(FILE_MAX_LEN + 1) : NULL;
	int r = 0;

	if (!file)
		return why_set(why, error_from_errno(errno),
		               "cannot read %s: %s: correct the path, or run this as root", path,
		               strerror(errno));
	*len = all ? fread(all, 1, FILE_MAX_LEN + 1, file) : 0;
	if (!all)
		r = why_set(why, -E_NOMEM, "out of memory");
	else if (ferror(file))
		r = why_set(why, errno == EISDIR ? -E_INVAL : -E_IO,
		            "cannot read %s: %s: give a turnserver.conf", path, strerror(errno));
	else if (*len > FILE_MAX_LEN)
		r = why_set(why, -E_PARSE,
		            "%s is too large for a turnserver.conf: give another file", path);
	else if (strspn(all, " \t\r\n") >= *len)
		r = why_set(why, -E_PARSE, "%s is empty: give a turnserver.conf", path);
	fclose(file);
	if (r)
		free(all);
	else
		*text = all;
	return r;
}

int import_file(struct import *im, const char *path, struct why *why)
{
	const char *base = strrchr(path, '/');
	char *text = NULL;
	size_t len = 0;
	int r = slurp(path, &text, &len, why);

	if (r)
		return r;
	base = base && base[1] ? base + 1 : path;
	r = read_lines(im, base, text, len, false);
	if (!r)
		r = read_lines(im, base, text, len, true);
	explicit_bzero(text, len);
	free(text);
	im->directive = "";
	if (r)
		return why_set(why, r, "out of memory");
	if (im->left && !im->known)
		return why_set(why, -E_PARSE,
		               "%s is not a turnserver.conf, because none of its lines is a "
		               "directive of coturn: give another file",
		               path);
	return 0;
}

static int on_row(void *ctx, enum coturn_table table, const char *const v[COTURN_COLUMNS])
{
	static const char *const what[] = {
	    [COTURN_USER] = "user",
	    [COTURN_SECRET] = "secret",
	    [COTURN_ALLOWED] = "allowed_peer_ip",
	    [COTURN_DENIED] = "denied_peer_ip",
	    [COTURN_ORIGIN] = "origin",
	    [COTURN_REALM_OPTION] = "realm option",
	    [COTURN_OAUTH] = "oauth_key",
	    [COTURN_ADMIN] = "admin user",
	};
	struct import *im = ctx;
	char shown[SHOWN_MAX];

	snprintf(shown, sizeof(shown), "%s %.60s%s%.60s", what[table],
	         table == COTURN_SECRET ? "********" : v[1], *v[0] ? " of realm " : "", v[0]);
	im->directive = shown;
	switch (table) {
	case COTURN_USER:
		import_user_key(im, v[0], v[1], v[2]);
		break;
	case COTURN_SECRET:
		if (im->auth_secret)
			import_secret_value(im, v[1]);
		else
			import_left(im, "coturn ignores it, because use-auth-secret is not set; to "
			                "use it here, run turnpike secret add --value-stdin");
		break;
	case COTURN_ALLOWED:
	case COTURN_DENIED:
		if (table == COTURN_ALLOWED && *v[0] &&
		    (!im->realm || strcmp(v[0], im->realm) != 0))
			import_left(im, "it would be open to all realms: if you want that, add it "
			                "to relay_allow");
		else
			import_range(im, table == COTURN_ALLOWED, v[1]);
		break;
	case COTURN_ORIGIN:
		import_left(im, "realms do not depend on the ORIGIN attribute, which browsers do "
		                "not send");
		break;
	case COTURN_REALM_OPTION:
		import_realm_option(im, v[0], v[1], v[2]);
		break;
	case COTURN_OAUTH:
		if (im->oauth)
			import_oauth_key(im, v[1], v[2]);
		else
			import_left(im, "oauth is not set");
		break;
	case COTURN_ADMIN:
		import_left(im, "its password is stored in a form that Turnpike cannot use: make "
		                "an account for /admin/ with turnpike account add NAME --admin");
		break;
	}
	im->directive = ""; /* what it showed ends here */
	return im->failed ? -E_NOMEM : 0;
}

int import_db(struct import *im, const char *path, struct why *why)
{
	int r;

	im->place = path;
	im->directive = "";
	why->text[0] = 0;
	r = coturn_db_read(path, on_row, im, why);
	return r && !why->text[0] ? why_set(why, r, "%s", error_text(r)) : r;
}

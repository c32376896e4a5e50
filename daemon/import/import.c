/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reading what coturn was configured with, line by line and row by row, with a
 * word on each.
 */
#include "daemon/import/import.h"

#include "store/coturn.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 160

void import_init(struct import *im, FILE *report)
{
	memset(im, 0, sizeof(*im));
	im->report = report;
	im->port = 3478;
	im->tls_port = 5349;
	im->min_port = 49152;
	im->max_port = 65535;
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
	free_texts(&im->allowed);
	free_texts(&im->denied);
	free_texts(&im->secrets);
	free(im->realm);
	free(im->server_name);
	free(im->userdb);
}

static void say(struct import *im, const char *verdict, const char *fmt, va_list ap)
{
	char text[1024];
	size_t i;

	vsnprintf(text, sizeof(text), fmt, ap);
	for (i = 0; text[i]; i++)
		if (iscntrl((unsigned char)text[i]))
			text[i] = '?';
	fprintf(im->report, "%s: %s: %s%s%s\n", im->place, im->directive, verdict,
	        *text ? ": " : "", text);
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

/* "name=value", "name value" or "name"; quotes around the value go. Cuts line. */
static void split(char *line, char **name, char **value)
{
	char *end;

	while (isspace((unsigned char)*line))
		line++;
	while (*line == '-') /* some write them as on the command line */
		line++;
	*name = line;
	line += strcspn(line, "= \t");
	*value = line + strspn(line, "= \t");
	*line = 0;
	end = *value + strlen(*value);
	while (end > *value && isspace((unsigned char)end[-1]))
		*--end = 0;
	if (end - *value >= 2 && **value == '"' && end[-1] == '"') {
		end[-1] = 0;
		++*value;
	}
}

static void show(char out[SHOWN_MAX], const char *name, const char *value)
{
	bool secret = import_is_secret(name);

	snprintf(out, SHOWN_MAX, "%.60s%s%.90s", name, *value ? "=" : "",
	         secret && *value ? "********" : value);
	for (char *p = out; *p; p++)
		if (iscntrl((unsigned char)*p))
			*p = '?';
}

/* What decides about lines that may come before it. */
static void look_ahead(struct import *im, FILE *file)
{
	char line[4096], *name, *value;

	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\r\n")] = 0;
		split(line, &name, &value);
		if (!strcmp(name, "static-auth-secret") ||
		    (!strcmp(name, "use-auth-secret") && !import_is_off(value)))
			im->auth_secret = true;
	}
	explicit_bzero(line, sizeof(line));
	rewind(file);
}

int import_file(struct import *im, const char *path, struct why *why)
{
	const char *base = strrchr(path, '/');
	char line[4096], place[300], shown[SHOWN_MAX], *name, *value;
	FILE *file = fopen(path, "re");
	int r = 0;

	if (!file)
		return why_set(why, error_from_errno(errno),
		               "cannot read %s: %s: correct the path, or run this as root", path,
		               strerror(errno));
	look_ahead(im, file);
	for (unsigned number = 1; !r && fgets(line, sizeof(line), file); number++) {
		size_t len = strlen(line);

		snprintf(place, sizeof(place), "%.200s:%u", base ? base + 1 : path, number);
		if ((!len || line[len - 1] != '\n') && !feof(file)) {
			r = why_set(why, -E_PARSE, "%s: the line is too long or not text", place);
			break;
		}
		line[strcspn(line, "\r\n")] = 0;
		split(line, &name, &value);
		if (!*name || *name == '#')
			continue;
		show(shown, name, value);
		im->place = place;
		im->directive = shown;
		if (!import_directive(im, name, value))
			import_left(im, "coturn 4.6 has no such directive: correct its name");
	}
	explicit_bzero(line, sizeof(line));
	fclose(file);
	if (!r && im->failed)
		r = why_set(why, -E_NOMEM, "out of memory");
	return r;
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
	for (char *p = shown; *p; p++)
		if (iscntrl((unsigned char)*p))
			*p = '?';
	im->directive = shown;
	switch (table) {
	case COTURN_USER:
		import_user_key(im, v[0], v[1], v[2]);
		break;
	case COTURN_SECRET:
		if (im->auth_secret)
			import_secret_value(im, v[1]);
		else
			import_left(im,
			            "use-auth-secret is not set: coturn does not heed it; if it is "
			            "meant, turnpike secret add --value-stdin");
		break;
	case COTURN_ALLOWED:
	case COTURN_DENIED:
		if (table == COTURN_ALLOWED && *v[0] &&
		    (!im->realm || strcmp(v[0], im->realm) != 0))
			import_left(im,
			            "it would be open to all realms: if that is meant, write it "
			            "into relay_allow");
		else
			import_range(im, table == COTURN_ALLOWED, v[1]);
		break;
	case COTURN_ORIGIN:
		import_left(im, "realms do not depend on the ORIGIN attribute, which browsers do "
		                "not send");
		break;
	case COTURN_REALM_OPTION:
		import_left(im, "limits are the same for all realms: realm_quota, user_quota, "
		                "session_bandwidth");
		break;
	case COTURN_OAUTH:
		if (im->oauth)
			import_oauth_key(im, v[1], v[2]);
		else
			import_left(im, "oauth is not set");
		break;
	case COTURN_ADMIN:
		import_left(im, "there is no web-admin: turnpike user, turnpike secret");
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

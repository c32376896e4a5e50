/* SPDX-License-Identifier: BSD-3-Clause
 *
 * coturn's users, realms, secrets, and keys of access tokens.
 */
#include "daemon/import/import_take.h"

#include "daemon/conf/oauth_key.h"
#include "store/name.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int hex_key(const char *text, uint8_t md5[16])
{
	if (strlen(text) != 32 || text[strspn(text, "0123456789abcdefABCDEF")])
		return -E_PARSE;
	for (int i = 0; i < 16; i++) {
		unsigned v;

		if (sscanf(text + 2 * i, "%2x", &v) != 1)
			return -E_PARSE;
		md5[i] = (uint8_t)v;
	}
	return 0;
}

static struct import_user *find_user(const struct import *im, const char *realm, const char *name)
{
	const char *whole = im->realm ? im->realm : "";

	for (size_t i = 0; i < im->user_n; i++) {
		struct import_user *u = &im->users[i];

		if (!strcmp(u->name, name) &&
		    !strcmp(u->realm ? u->realm : whole, realm && *realm ? realm : whole))
			return u;
	}
	return NULL;
}

static void free_password(struct import_user *u)
{
	if (u->password)
		explicit_bzero(u->password, strlen(u->password));
	free(u->password);
	u->password = NULL;
}

/* Of two users in the file the last one counts, and the file's before the database's, as in coturn.
 * True when that settles it. */
static bool is_again(struct import *im, const char *realm, const char *name, const char *password,
                     const struct import_user *now)
{
	struct import_user *u = find_user(im, realm, name);

	if (!u)
		return false;
	if (realm) {
		import_left(im, "a user of that name is in the file and counts");
		return true;
	}
	free_password(u);
	u->password = password ? import_copy(im, password) : NULL;
	memcpy(u->md5, now->md5, sizeof(u->md5));
	import_taken(im, "it replaces an earlier user of that name, as with coturn");
	return true;
}

/* Without a realm: that of the configuration, which may come later. key and password: one. */
static void add_user(struct import *im, const char *realm, const char *name, const char *password,
                     const char *key)
{
	struct import_user *users, u = {.realm = NULL};
	struct why why = {{0}};

	if (key && hex_key(key, u.md5)) {
		import_left(
		    im, "the key is not an MD5 key: give the user a password (turnpike user add)");
		return;
	}
	if ((password ? text_check(password, 1, PASSWORD_MAX_LEN, "the password", &why) : 0) ||
	    name_check(name, &why)) {
		import_left(im, "%s", why.text);
		return;
	}
	if (realm && *realm && (realm_check(realm, &why) || strchr(realm, ','))) {
		import_left(im, "%s", *why.text ? why.text : "a realm cannot have a comma here");
		return;
	}
	if (im->auth_secret) {
		import_left(im, "with use-auth-secret, coturn ignores users with a password; to "
		                "use this one here, run turnpike user add");
		return;
	}
	if (!im->keeps_users) {
		import_left(im, "users are in a database: give a folder for it with --write, or "
		                "use turnpike user add");
		return;
	}
	if (key && !(realm && *realm) && !im->realm) {
		import_left(im, "the key is bound to a realm, but the file has no realm: give the "
		                "user a password (turnpike user add)");
		return;
	}
	if (is_again(im, realm, name, password, &u))
		return;
	if (im->user_n == IMPORT_USERS) {
		import_left(im, "more than %d users", IMPORT_USERS);
		return;
	}
	users = reallocarray(im->users, im->user_n + 1, sizeof(*users));
	if (users)
		im->users = users;
	u.realm = realm && *realm ? import_copy(im, realm) : NULL;
	u.name = import_copy(im, name);
	u.password = password ? import_copy(im, password) : NULL;
	im->failed |= !users;
	if (im->failed) {
		free(u.realm);
		free(u.name);
		free(u.password);
		return;
	}
	im->users[im->user_n++] = u;
	if (realm && *realm)
		import_realm_name(im, realm);
	import_taken(im, key ? "a user with an MD5 key; as with coturn, the user's clients use "
	                       "SHA-1 integrity, not SHA-256, until the user gets a new password"
	                     : "a user");
}

void import_user(struct import *im, const char *value)
{
	const char *colon = strchr(value, ':'), *password;
	char name[512], key[33];

	im->has_login = true;
	if (!colon || (size_t)(colon - value) >= sizeof(name)) {
		import_left(im, "the value is not NAME:PASSWORD");
		return;
	}
	snprintf(name, sizeof(name), "%.*s", (int)(colon - value), value);
	password = colon + 1 + strspn(colon + 1, " \t");
	snprintf(key, sizeof(key), "%s", password + (strncmp(password, "0x", 2) != 0 ? 0 : 2));
	if (!strncmp(password, "0x", 2)) /* what follows the key, coturn does not look at */
		add_user(im, NULL, name, NULL, key);
	else
		add_user(im, NULL, name, password, NULL);
}

void import_user_key(struct import *im, const char *realm, const char *name, const char *key)
{
	add_user(im, realm, name, NULL, key);
}

void import_realm(struct import *im, const char *value)
{
	struct why why = {{0}};

	if (realm_check(value, &why) || !import_fits_file(value) || strchr(value, ',')) {
		import_left(im, "%s",
		            *why.text ? why.text
		                      : "a realm cannot have a comma or a quote here: clients that "
		                        "have its name need the new one");
		return;
	}
	if (strpbrk(value, " \t"))
		im->note = "blanks and a remark are part of it; coturn reads it the same way and "
		           "accepts nobody with it";
	free(im->realm);
	im->realm = import_copy(im, value);
	import_taken(im, "realm");
}

/* Another realm, of a user in the database. */
void import_realm_name(struct import *im, const char *realm)
{
	const char *all = im->value[OPTION_realm];
	size_t len = strlen(realm);

	if (im->realm && !strcmp(im->realm, realm))
		return;
	for (const char *at = all; at && *at; at += strspn(at, ",")) {
		size_t n = strcspn(at, ",");

		if (n == len && !strncmp(at, realm, n))
			return;
		at += n;
	}
	import_put(im, OPTION_realm, realm);
}

void import_secret_value(struct import *im, const char *value)
{
	const char *first = im->value[OPTION_shared_secret];
	struct why why = {{0}};

	if (text_check(value, 1, SECRET_MAX_LEN, "the secret", &why)) {
		import_left(im, "%s", why.text);
	} else if (!first && (import_fits_file(value) || !im->keeps_users)) {
		import_take(im, OPTION_shared_secret, value);
	} else if ((first && !strcmp(first, value)) || import_has(&im->secrets, value)) {
		import_same(im, "an earlier line has it");
	} else if (!im->keeps_users) {
		import_left(im, "further secrets are in the database: give a folder for it with "
		                "--write, or use turnpike secret add --value-stdin");
	} else {
		import_add(im, &im->secrets, value);
		import_taken(im, "a secret of the database");
	}
}

void import_secret(struct import *im, const char *value)
{
	im->auth_secret = im->has_login = true;
	if (strstr(value, " #"))
		im->note = "the remark is part of the secret, as with coturn";
	import_secret_value(im, value);
}

void import_auth_secret(struct import *im, const char *value)
{
	(void)value;
	im->auth_secret = im->has_login = true;
	import_same(im, "shared_secret is always accepted");
}

void import_login(struct import *im, const char *value)
{
	(void)value;
	im->has_login = true;
	import_same(im, "there is no other way in");
}

void import_other_db(struct import *im, const char *value)
{
	(void)value;
	im->other_db = true;
	import_left(im, "only coturn's SQLite database can be read: add the users with turnpike "
	                "user add, and the secrets with turnpike secret add --value-stdin");
}

void import_separator(struct import *im, const char *value)
{
	if (!*value || *value == ':')
		import_same(im, "the separator is ':'");
	else
		import_left(im, "the separator is ':': change the issuer of the credentials");
}

void import_userdb(struct import *im, const char *value)
{
	free(im->userdb);
	im->userdb = import_copy(im, value);
	import_taken(im, "used, unless --userdb names another");
}

void import_oauth(struct import *im, const char *value)
{
	(void)value;
	im->oauth = true;
	import_taken(im, "with the keys of the database");
}

void import_server_name(struct import *im, const char *value)
{
	free(im->server_name);
	im->server_name = import_copy(im, value);
	import_taken(im, "oauth_server, if there are keys");
}

void import_oauth_key(struct import *im, const char *kid, const char *key)
{
	struct why why = {{0}};
	char text[512];

	if ((size_t)snprintf(text, sizeof(text), "%s:%s", kid, key) >= sizeof(text) ||
	    oauth_key_parse(text, NULL, &why))
		import_left(im, "%s", *why.text ? why.text : "the key is too long");
	else
		import_take(im, OPTION_oauth_key, text);
	explicit_bzero(text, sizeof(text));
}

/* Ours hold for all realms: they are taken where there is one. */
void import_realm_option(struct import *im, const char *realm, const char *name, const char *value)
{
	if (im->realm && strcmp(realm, im->realm) != 0)
		import_left(im, "limits are the same for all realms: realm_quota, user_quota, "
		                "session_bandwidth");
	else if (!strcmp(name, "user-quota"))
		import_user_quota(im, value);
	else if (!strcmp(name, "total-quota"))
		import_total_quota(im, value);
	else if (!strcmp(name, "max-bps"))
		import_max_bps(im, value);
	else
		import_left(im, "a realm has no such option");
}

static void finish_quota(struct import *im, bool several)
{
	char text[32];

	if (im->total_quota < 0)
		return;
	im->directive = "total-quota";
	snprintf(text, sizeof(text), "%" PRId64, im->total_quota);
	if (import_put(im, several ? OPTION_realm_quota : OPTION_total_quota, text) && several)
		import_taken(im, "realm_quota, because there are several realms");
}

void import_finish_realm(struct import *im)
{
	char *others = im->value[OPTION_realm];

	im->value[OPTION_realm] = NULL;
	if (!im->realm && !others)
		im->realm =
		    import_copy(im, IMPORT_REALM); /* coturn's own would be the host's domain */
	im->directive = "realm";
	if (im->realm)
		import_put(im, OPTION_realm, im->realm);
	if (others && (!im->realm || strcmp(others, im->realm) != 0))
		import_put(im, OPTION_realm, others);
	finish_quota(im,
	             strchr(im->value[OPTION_realm] ? im->value[OPTION_realm] : "", ',') != NULL);
	free(others);
}

void import_cert(struct import *im, const char *value)
{
	free(im->cert);
	im->cert = import_copy(im, value);
	import_taken(im, "tls_cert");
}

void import_pkey(struct import *im, const char *value)
{
	free(im->key);
	im->key = import_copy(im, value);
	import_taken(im, "tls_key");
}

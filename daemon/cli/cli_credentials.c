/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The verb "credentials": what a client needs, made offline from the store.
 */
#include "daemon/cli/cli_internal.h"
#include "daemon/issue/endpoint.h"
#include "daemon/issue/ice.h"
#include "store/name.h"
#include "store/revoke.h"
#include "store/snapshot.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int parse_ttl(const struct cli *cli, int64_t *ttl_s, struct why *why)
{
	const char *text = cli_text(cli, "ttl");
	size_t digits;

	*ttl_s = cli->conf.credential_ttl;
	if (!text)
		return 0;
	digits = strspn(text, "0123456789");
	if (!digits || text[digits] || digits > 18 || !(*ttl_s = strtoll(text, NULL, 10)))
		return why_set(why, CLI_EXIT_USE,
		               "--ttl: \"%.64s\" is not a time: write seconds, 1 to %" PRId64, text,
		               cli->conf.max_credential_ttl);
	if (*ttl_s > cli->conf.max_credential_ttl)
		return why_set(why, CLI_EXIT_USE,
		               "--ttl: %" PRId64 " is above max_credential_ttl: write 1 to %" PRId64
		               ", or raise the maximum",
		               *ttl_s, cli->conf.max_credential_ttl);
	return 0;
}

/* With the newest live secret, so that older ones can be retired once theirs have expired. */
static int make_credential(struct cli *cli, const char *name, int64_t ttl_s, struct credential *out,
                           struct why *why)
{
	const struct store_options options = {.must_exist = true};
	struct store_snapshot *snap = NULL;
	struct store *s = NULL;
	const char *secret;
	size_t len;
	int status = CLI_EXIT_FAIL;

	if (store_open(cli->conf.data, &options, &s, why) || store_snapshot_load(s, &snap, why))
		goto out;
	if (!store_snapshot_secret_n(snap)) {
		why_set(why, -E_NOTFOUND, "%s has no live secret: make one with secret add",
		        store_path(s));
		goto out;
	}
	secret = store_snapshot_secret(snap, 0, &len);
	if (credential_make(secret, len, name, store_now_s(s) + ttl_s, out))
		why_set(why, -E_INVAL,
		        "a name that begins like the mark of a locked credential (lock=...:) "
		        "cannot have one");
	else if (store_snapshot_credential_revoked(snap, out->username))
		why_set(why, -E_INVAL, "%s was revoked: try again in a second", out->username);
	else if (store_snapshot_user_revoked(snap, name) && store_reissue(s, out->username, why))
		; /* the others were revoked, and it would be taken for one of them */
	else
		status = 0;
out:
	store_snapshot_unref(snap);
	store_close(s);
	return status;
}

int cli_credentials(struct cli *cli, struct why *why)
{
	struct ice_endpoint ep[ENDPOINT_MAX];
	struct ice_grant grant = {.uri_n = 0};
	const struct endpoint_for nobody = {.asked = NULL};
	char host[ICE_HOST_STRLEN];
	const char *name = cli_text(cli, "name");
	json_t *out;
	size_t n;
	int status = parse_ttl(cli, &grant.ttl_s, why);

	if (status)
		return status;
	if (shown_check(name, 0, CREDENTIAL_NAME_MAX, "the name", why))
		return CLI_EXIT_FAIL;
	n = endpoints(&cli->conf, ep);
	if (!n)
		return why_set(why, CLI_EXIT_FAIL,
		               "all ports of listen are chosen by the system: give one a number");
	status = make_credential(cli, name, grant.ttl_s, &grant.credential, why);
	if (status)
		return status;
	if (endpoint_host(&cli->conf, &nobody, host))
		return why_set(why, CLI_EXIT_FAIL,
		               "the server does not know the address at which clients reach it: "
		               "set public_host (--public-host HOST) or external_ip");
	if (ice_grant_add_uris(&grant, host, ep, n))
		return why_set(why, CLI_EXIT_FAIL, "no URI can be made for host %s", host);
	out = ice_grant_rest(&grant);
	if (out &&
	    (json_object_set_new(out, "credential", json_string(grant.credential.password)) ||
	     json_object_set_new(out, "expires", json_integer(grant.credential.expires_at_s)) ||
	     json_object_set_new(out, "iceServers", ice_grant_servers(&grant)))) {
		json_decref(out);
		out = NULL;
	}
	return cli_print_json(out, why);
}

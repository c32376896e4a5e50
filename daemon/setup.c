/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the first start makes.
 */
#include "daemon/setup.h"

#include "daemon/cert.h"
#include "store/snapshot.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#define CERT_NAMES_MAX 64
#define CERT_RENEW_S   (30 * 86400)

void setup_cert_paths(const struct conf *conf, struct setup_cert *out)
{
	if (*conf->tls_cert) {
		snprintf(out->cert, sizeof(out->cert), "%s", conf->tls_cert);
		snprintf(out->key, sizeof(out->key), "%s", conf->tls_key);
	} else {
		snprintf(out->cert, sizeof(out->cert), "%s/cert.pem", conf->data);
		snprintf(out->key, sizeof(out->key), "%s/key.pem", conf->data);
	}
}

struct names {
	const char *v[CERT_NAMES_MAX];
	char ip[CERT_NAMES_MAX][ADDR_STRLEN];
	size_t n;
};

static void add_name(struct names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (!strcasecmp(names->v[i], name))
			return;
	if (names->n < CERT_NAMES_MAX)
		names->v[names->n++] = name;
}

static void add_ip(struct names *names, const struct addr *a)
{
	if (names->n < CERT_NAMES_MAX && !addr_is_any(a))
		add_name(names, addr_format_ip(a, names->ip[names->n]));
}

static int make_cert(const struct conf *conf, const struct setup_cert *paths, int64_t now_s,
                     struct why *why)
{
	struct names names = {.n = 0};
	char host[HOST_NAME_MAX + 1] = "";

	if (*conf->public_host)
		add_name(&names, conf->public_host);
	add_name(&names, "localhost");
	add_name(&names, "127.0.0.1");
	add_name(&names, "::1");
	if (!gethostname(host, sizeof(host) - 1) && conf_host_valid(host))
		add_name(&names, host);
	for (size_t i = 0; i < conf->external_ip.n; i++)
		add_ip(&names, &conf->external_ip.v[i].external);
	for (size_t i = 0; i < conf->listen.n; i++)
		add_ip(&names, &conf->listen.v[i]);
	return cert_make(paths->cert, paths->key, names.v, names.n, now_s, why);
}

static int setup_cert(const struct conf *conf, struct why *why)
{
	int64_t now_s = (int64_t)time(NULL), expires_at_s = 0;
	struct setup_cert paths;
	int err;

	setup_cert_paths(conf, &paths);
	err = cert_check(paths.cert, paths.key, &expires_at_s, why);
	if (*conf->tls_cert)
		return err;
	/* One that cannot be read is somebody's: say so and leave it. */
	if (err && (err != -E_NOTFOUND || (!access(paths.cert, F_OK))))
		return err;
	if (!err && expires_at_s - now_s > CERT_RENEW_S)
		return 0;
	return make_cert(conf, &paths, now_s, why);
}

int setup_secret(const struct conf *conf, struct store *store, struct why *why)
{
	struct store_snapshot *snap;
	bool live = false;
	size_t n, len;
	int err = store_snapshot_load(store, &snap, why);

	if (err)
		return err;
	n = store_snapshot_secret_n(snap);
	for (size_t i = 0; i < n; i++)
		live |= !strcmp(store_snapshot_secret(snap, i, &len), conf->shared_secret);
	store_snapshot_unref(snap);
	if (*conf->shared_secret && !live) {
		err = store_secret_add(store, conf->shared_secret, NULL, NULL, why);
		if (err == -E_EXISTS)
			err = why_set(why, -E_DENIED,
			              "shared_secret is one that was retired: choose another, or "
			              "remove it to use the database's own");
	} else if (!n) {
		err = store_secret_add(store, NULL, NULL, NULL, why);
	}
	return err;
}

int setup_first_start(const struct conf *conf, struct store *store, char token[STORE_TOKEN_STRLEN],
                      bool *made, struct why *why)
{
	bool ever = true;
	int err;

	store_set_actor(store, "first start");
	if ((err = setup_cert(conf, why)) || (err = setup_secret(conf, store, why)) ||
	    (err = store_token_ever_made(store, &ever, why)))
		return err;
	if (!ever) {
		err = store_token_add(store, "first start", STORE_SCOPES_DEFAULT, 0, token, NULL,
		                      why);
		if (err)
			return err;
	}
	*made = !ever;
	return 0;
}

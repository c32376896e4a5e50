/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Makes what the first start needs.
 */
#include "daemon/cert/setup.h"

#include "base/host.h"
#include "base/wall.h"
#include "daemon/cert/cert.h"
#include "daemon/conf/ticket_key.h"
#include "store/belief.h"
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
	if (!gethostname(host, sizeof(host) - 1) && host_valid(host))
		add_name(&names, host);
	for (size_t i = 0; i < conf->external_ip.n; i++)
		add_ip(&names, &conf->external_ip.v[i].external);
	for (size_t i = 0; i < conf->listen.n; i++)
		add_ip(&names, &conf->listen.v[i]);
	return cert_make(paths->cert, paths->key, names.v, names.n, now_s, why);
}

/* Replaces our own certificate when it ends soon or does not count yet; but not on a wrong clock,
 * which would take it from the clients that trust it. */
static bool is_due(int64_t expires_at_s, const char *cert, struct store *store)
{
	int64_t now_s = store_now_s(store);
	struct belief b;

	if (expires_at_s - now_s > CERT_RENEW_S && cert_doubt(cert, "", now_s, NULL) != -E_LATER)
		return false;
	return !store_belief_get(store, &b, NULL) &&
	       belief_look(&b, now_s, wall_boot_s(), wall_is_synchronized());
}

static int setup_cert(const struct conf *conf, struct store *store, struct why *why)
{
	int64_t expires_at_s = 0;
	struct setup_cert paths;
	int err;

	setup_cert_paths(conf, &paths);
	err = cert_check(paths.cert, paths.key, &expires_at_s, why);
	if (*conf->tls_cert)
		return err;
	/* An unreadable certificate belongs to someone: report it and leave it. */
	if (err && (err != -E_NOTFOUND || (!access(paths.cert, F_OK))))
		return err;
	if (!err && !is_due(expires_at_s, paths.cert, store))
		return 0;
	return make_cert(conf, &paths, store_now_s(store), why);
}

int setup_cert_doubt(const struct conf *conf, struct why *why)
{
	struct setup_cert paths;

	setup_cert_paths(conf, &paths);
	return cert_doubt(paths.cert, conf->public_host, (int64_t)time(NULL), why);
}

/* Sets *add when shared_secret is not live yet, and *n to the number of live secrets. */
static int look_at_secrets(const struct conf *conf, struct store *store, bool *add, size_t *n,
                           struct why *why)
{
	struct store_snapshot *snap;
	size_t len;
	int err = store_snapshot_load(store, &snap, why);

	if (err)
		return err;
	*n = store_snapshot_secret_n(snap);
	*add = *conf->shared_secret;
	for (size_t i = 0; i < *n; i++)
		if (!strcmp(store_snapshot_secret(snap, i, &len), conf->shared_secret))
			*add = false;
	store_snapshot_unref(snap);
	return 0;
}

int setup_secret_check(const struct conf *conf, struct store *store, struct why *why)
{
	bool add = false;
	size_t n;
	int err = look_at_secrets(conf, store, &add, &n, why);

	if (!err && add)
		err = store_secret_may_add(store, conf->shared_secret, why);
	if (err == -E_EXISTS)
		err = why_set(why, -E_DENIED,
		              "shared_secret was retired: choose another, or remove it to use the "
		              "secrets in the database");
	return err;
}

int setup_secret(const struct conf *conf, struct store *store, struct why *why)
{
	bool add = false;
	size_t n = 0;
	int err = setup_secret_check(conf, store, why);

	if (!err)
		err = look_at_secrets(conf, store, &add, &n, why);
	if (!err && (add || !n))
		err = store_secret_add(store, add ? conf->shared_secret : NULL, NULL, NULL, why);
	return err;
}

/* The first one only: an operator who retires it may want none of ours. */
static int setup_ticket_key(struct store *store, struct why *why)
{
	struct ticket_key k;
	bool ever = false;
	char *jwk;
	int err = store_ticket_key_ever_made(store, &ever, why);

	if (err || ever)
		return err;
	err = ticket_key_make(TICKET_HS256, &k, why);
	if (err)
		return err;
	jwk = ticket_key_text(&k);
	err = jwk ? store_ticket_key_add(store,
	                                 &(struct store_ticket_key){.kid = k.kid,
	                                                            .alg = ticket_alg_text(k.alg),
	                                                            .signs = true},
	                                 jwk, NULL, why)
	          : why_set(why, -E_NOMEM, "out of memory");
	ticket_text_free(jwk);
	ticket_key_clear(&k);
	return err;
}

static int check_store(const struct conf *conf, struct why *why)
{
	const struct store_options options = {.must_exist = true, .no_migration = true};
	struct store *store;
	int err = store_open(conf->data, &options, &store, why);

	if (err == -E_NOTFOUND || err == -E_STALE) /* the start makes it, or makes it newer */
		return 0;
	if (err)
		return err;
	err = setup_secret_check(conf, store, why);
	store_close(store);
	return err;
}

void setup_check_cert(const struct conf *conf, void (*problem)(void *ctx, const char *text),
                      void (*doubt)(void *ctx, const char *text), void *ctx)
{
	struct setup_cert paths;
	struct why why;
	int err;

	setup_cert_paths(conf, &paths);
	err = cert_check(paths.cert, paths.key, NULL, &why);
	if (err && (*conf->tls_cert || err != -E_NOTFOUND || !access(paths.cert, F_OK)))
		problem(ctx, why.text);
	if (setup_cert_doubt(conf, &why))
		doubt(ctx, why.text);
}

void setup_check_store(const struct conf *conf, void (*problem)(void *ctx, const char *text),
                       void *ctx)
{
	struct why why;

	if (check_store(conf, &why))
		problem(ctx, why.text);
}

int setup_first_start(const struct conf *conf, struct store *store, char token[STORE_TOKEN_STRLEN],
                      bool *made, struct why *why)
{
	bool ever = true;
	int err;

	store_set_actor(store, "first start");
	if ((err = setup_cert(conf, store, why)) || (err = setup_secret(conf, store, why)) ||
	    (err = setup_ticket_key(store, why)) ||
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

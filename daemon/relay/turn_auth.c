/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Keys for the TURN server (RFC 8489 section 9.2.2 and 18.5: MD5 or SHA-256 of
 * user:realm:password).
 */
#include "daemon/relay/turn_auth.h"

#include "daemon/issue/refusals.h"
#include "store/credential.h"
#include "store/store.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

_Static_assert(TURN_KEYS_MAX >= STORE_SECRETS_MAX, "every live secret is tried");

static void set_key(struct stun_key *key, const void *bytes, size_t len)
{
	key->len = (uint8_t)len;
	memcpy(key->bytes, bytes, len);
}

/* MD5 or SHA-256 of user:realm:password. */
static void long_term_key(const struct turn_auth_query *q, const char *password,
                          struct stun_key *key)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned int len = 0;

	EVP_DigestInit_ex(md, q->sha256 ? EVP_sha256() : EVP_md5(), NULL);
	EVP_DigestUpdate(md, q->username, q->username_len);
	EVP_DigestUpdate(md, ":", 1);
	EVP_DigestUpdate(md, q->realm, strlen(q->realm));
	EVP_DigestUpdate(md, ":", 1);
	EVP_DigestUpdate(md, password, strlen(password));
	EVP_DigestFinal_ex(md, key->bytes, &len);
	key->len = (uint8_t)len;
	EVP_MD_CTX_free(md);
}

static int time_limited_keys(const struct turn_auth *auth, const struct turn_auth_query *q,
                             struct turn_auth_answer *out)
{
	size_t n = store_snapshot_secret_n(auth->users);

	if (!n)
		return -E_NOTFOUND;
	for (out->key_n = 0; out->key_n < n && out->key_n < TURN_KEYS_MAX; out->key_n++) {
		size_t len;
		const char *secret = store_snapshot_secret(auth->users, out->key_n, &len);
		char password[32];

		credential_password(secret, len, q->username, q->username_len, password);
		long_term_key(q, password, &out->key[out->key_n]);
		out->key_source[out->key_n] = store_snapshot_secret_id(auth->users, out->key_n);
	}
	return 0;
}

/* A hash can be looked up, not reversed: for a time-limited name, which is stored nowhere, it says
 * nothing. */
static const struct store_keys *static_user(const struct turn_auth *auth,
                                            const struct turn_auth_query *q,
                                            struct turn_auth_answer *out)
{
	if (q->username)
		return store_snapshot_user(auth->users, q->realm, q->username, q->username_len);
	return store_snapshot_user_by_hash(auth->users, q->realm, q->userhash, &out->username,
	                                   &out->username_len);
}

static int keys(void *ctx, const struct turn_auth_query *q, struct turn_auth_answer *out)
{
	const struct turn_auth *auth = ctx;
	const struct store_keys *user;
	struct username u;

	if (q->username && !username_parse(q->username, q->username_len, &u)) {
		if (store_snapshot_revoked(auth->users, q->username, q->username_len))
			return -E_NOTFOUND;
		/* Long ago; 0 would be never. */
		out->expires_at_s = u.expires_at_s ? u.expires_at_s : 1;
		out->locked = u.locked;
		out->lock = u.lock;
		/* The quota is the person's, not the credential's: a new one gives no new quota. */
		if (u.name_len) {
			out->quota_user = u.name;
			out->quota_user_len = u.name_len;
		}
		return time_limited_keys(auth, q, out);
	}
	user = static_user(auth, q, out);
	if (!user)
		return -E_NOTFOUND;
	out->quota_user = out->username;
	out->quota_user_len = out->username_len;
	out->expires_at_s = 0;
	out->key_n = 1;
	if (q->sha256)
		set_key(&out->key[0], user->sha256, sizeof(user->sha256));
	else
		set_key(&out->key[0], user->md5, sizeof(user->md5));
	return 0;
}

/* A key source is the number of the secret. A user who was deleted and added again between two
 * looks at the store is a different one, with another password. */
static bool alive(void *ctx, const struct turn_auth_session *s)
{
	const struct turn_auth *auth = ctx;
	const struct store_keys *user;
	struct username u;

	if (!username_parse(s->username, s->username_len, &u))
		return !store_snapshot_revoked(auth->users, s->username, s->username_len) &&
		       !store_snapshot_secret_ended(auth->users, s->key_source);
	user = store_snapshot_user(auth->users, s->realm, s->username, s->username_len);
	if (!user)
		return false;
	return s->key->len == sizeof(user->sha256)
	           ? !CRYPTO_memcmp(s->key->bytes, user->sha256, sizeof(user->sha256))
	           : !CRYPTO_memcmp(s->key->bytes, user->md5, sizeof(user->md5));
}

static void refused(void *ctx, const struct addr *client, const char *why, const char *username,
                    size_t len)
{
	const struct turn_auth *auth = ctx;

	refusals_log(auth->refusals, client, "turn", why, username, username ? len : 0);
}

static bool lock_waits(void *ctx)
{
	const struct turn_auth *auth = ctx;

	return atomic_load(&auth->locks_posted) != auth->locks_taken;
}

const struct turn_auth_ops turn_auth_ops = {
    .keys = keys, .alive = alive, .refused = refused, .lock_waits = lock_waits};

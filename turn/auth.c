/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The long-term credential mechanism on the server's side (RFC 8489 section 9.2.4).
 */
#include "turn/state.h"

#include "base/error.h"
#include "turn/oauth.h"

#include <openssl/evp.h>
#include <string.h>

#define ALGORITHM_SHA256  2 /* RFC 8489 section 18.5 */
#define TYPE_ACCESS_TOKEN 0x001B

static bool attr_equals(const struct stun_attr *a, const void *bytes, size_t len)
{
	return a->value && a->len == len && !memcmp(a->value, bytes, len);
}

/* RFC 8489 section 14.4: "userhash = SHA-256(OpaqueString(username) ":" OpaqueString(realm))" */
static bool is_hash_of(const struct stun_attr *hash, const char *name, size_t len,
                       const char *realm)
{
	char text[TURN_NAME_MAX + 1 + TURN_REALM_MAX];
	uint8_t want[EVP_MAX_MD_SIZE];
	size_t realm_len = strlen(realm);

	if (len + 1 + realm_len > sizeof(text))
		return false;
	memcpy(text, name, len);
	text[len] = ':';
	memcpy(text + len + 1, realm, realm_len);
	return EVP_Digest(text, len + 1 + realm_len, want, NULL, EVP_sha256(), NULL) &&
	       attr_equals(hash, want, STUN_USERHASH_LEN);
}

static bool is_alloc_user(const struct turn_request *rq)
{
	const struct stun_attr *name = &rq->msg.attr[STUN_ATTR_USERNAME];
	const struct turn_alloc *a = rq->alloc;

	if (!a || a->realm != rq->realm)
		return false;
	if (name->value)
		return attr_equals(name, a->username, a->username_len);
	return is_hash_of(&rq->msg.attr[STUN_ATTR_USERHASH], a->username, a->username_len,
	                  rq->turn->conf.realm[a->realm]);
}

/* A third party's client may use a new token, made with another key, at every Refresh (RFC 7635
 * section 4): USERNAME names that key, not the user. So the request must come from the allocation's
 * 5-tuple; from elsewhere, with a ticket or for a peer's connection, it must have the same key. */
static bool is_alloc_owner(const struct turn_request *rq)
{
	const struct turn_alloc *a = rq->alloc;

	if (!a || a->realm != rq->realm || a->third_party != rq->auth.third_party)
		return false;
	if (!a->third_party)
		return is_alloc_user(rq);
	return rq->key == &a->key || turn_alloc_find(rq->turn, &rq->tuple) == a;
}

/* The fuzzer's door: a build of its own has it, and no program. */
#ifdef TURN_FUZZ
extern bool turn_fuzz_open;
#define FUZZ_OPEN turn_fuzz_open
#else
#define FUZZ_OPEN false
#endif

/* Some clients of RFC 6062 bring the nonce of their control connection along to a data connection,
 * and give up at a 438. It does no harm there: the CONNECTION-ID in the same request is good once.
 */
static bool is_control_nonce(const struct turn_request *rq, struct turn_nonce *out)
{
	const struct turn *t = rq->turn;
	const struct stun_attr *nonce = &rq->msg.attr[STUN_ATTR_NONCE];

	return rq->msg.method == STUN_CONNECTION_BIND && rq->alloc &&
	       !memcmp(rq->alloc->tuple.ip, rq->tuple.ip, sizeof(rq->tuple.ip)) &&
	       turn_nonce_open(t->nonces, &rq->alloc->tuple, t->now_ms / 1000, nonce->value,
	                       nonce->len, out);
}

/* Is it one that we made for the sender, however old? */
static bool open_nonce(const struct turn_request *rq, struct turn_nonce *out)
{
	const struct turn *t = rq->turn;
	const struct stun_attr *nonce = &rq->msg.attr[STUN_ATTR_NONCE];

	return nonce->value && (turn_nonce_open(t->nonces, &rq->tuple, t->now_ms / 1000,
	                                        nonce->value, nonce->len, out) ||
	                        is_control_nonce(rq, out));
}

/* Was it made for this allocation, or for none yet? What is captured outlives the allocation
 * otherwise: an Allocate would make it anew, a last Refresh end the next one. */
static bool is_of_this_allocation(const struct turn_request *rq, uint16_t generation)
{
	const struct turn_nonces *n = rq->turn->nonces;

	if (rq->alloc) /* of another 5-tuple: it comes with what can be used once only */
		return memcmp(&rq->alloc->tuple, &rq->tuple, sizeof(rq->tuple)) ||
		       turn_nonce_is_since(generation, rq->alloc->nonces_since);
	return rq->msg.method != STUN_ALLOCATE ||
	       turn_nonce_is_since(generation, turn_nonces_since(n, &rq->tuple));
}

static bool nonce_ok(const struct turn_request *rq)
{
	const struct turn *t = rq->turn;
	struct turn_nonce nonce;

	if (FUZZ_OPEN)
		return true;
	return open_nonce(rq, &nonce) && nonce.features == t->features &&
	       nonce.age_s <= t->conf.nonce_lifetime_s &&
	       is_of_this_allocation(rq, nonce.generation);
}

/* True when the sender's address is proven: it has one of our nonces, or uses anything but plain
 * UDP. */
bool turn_knows_source(const struct turn_request *rq)
{
	struct turn_nonce nonce;

	return rq->path.side->protocol != TURN_UDP || open_nonce(rq, &nonce);
}

/* "If the MESSAGE-INTEGRITY-SHA256 attribute is present, compute the value for the message
 * integrity as described in Section 14.6 [...]. Otherwise [...] the MESSAGE-INTEGRITY attribute".
 * Section 14.6: "The value must be the full 32 bytes unless the STUN Usage explicitly specifies
 * that truncation is allowed"; TURN does not. Section 9.2.5: with PASSWORD-ALGORITHMS "all the
 * subsequent requests MUST be authenticated using MESSAGE-INTEGRITY-SHA256 only". */
static bool integrity_ok(const struct turn_request *rq, const struct stun_key *key)
{
	const struct stun_attr *sha256 = &rq->msg.attr[STUN_ATTR_MESSAGE_INTEGRITY_SHA256];

	if (FUZZ_OPEN)
		return true;
	if (sha256->value)
		return sha256->len == 32 && stun_msg_integrity_ok(&rq->msg, STUN_SHA256, key);
	return !stun_msg_has(&rq->msg, STUN_ATTR_PASSWORD_ALGORITHM) &&
	       stun_msg_integrity_ok(&rq->msg, STUN_SHA1, key);
}

/* A running session has proved its key once: neither expiry nor a retired secret ends it, unless
 * turn_is_alive() says so. */
static bool try_session_key(struct turn_request *rq)
{
	struct turn_alloc *a = rq->alloc;

	if (!a || a->realm != rq->realm || (!a->third_party && !is_alloc_user(rq)) ||
	    (!a->third_party && (a->key.len == STUN_KEY_SHA256_LEN) != rq->sha256) ||
	    !integrity_ok(rq, &a->key))
		return false;
	rq->key = &a->key;
	rq->key_source = a->key_source;
	rq->auth.expires_at_s = a->credential_expires_at_s;
	rq->auth.third_party = a->third_party;
	rq->auth.username = a->username;
	rq->auth.username_len = a->username_len;
	return true;
}

/* A 401, and why: for the journal and the counters, never for the client. */
static int fault(struct turn_request *rq, enum turn_fault why)
{
	rq->fault = (uint8_t)why;
	rq->turn->stats.faults[why]++;
	return 401;
}

/* "If the resulting value does not match the contents of the MESSAGE-INTEGRITY attribute or the
 * MESSAGE-INTEGRITY-SHA256 attribute, the server MUST reject the request with [...] 401" */
static int match_keys(struct turn_request *rq)
{
	for (size_t i = 0; i < rq->auth.key_n; i++) {
		if (integrity_ok(rq, &rq->auth.key[i])) {
			rq->key = &rq->auth.key[i];
			rq->key_source = rq->auth.key_source[i];
			return 0;
		}
	}
	return fault(rq, TURN_FAULT_PASSWORD);
}

/* RFC 7635 section 7: the key lies in the token, and USERNAME names the key of ours that opens it.
 * Every token is a user of its own: the authorization server decides how many each client gets. */
static int check_token(struct turn_request *rq)
{
	const struct turn *t = rq->turn;
	const struct stun_attr *kid = &rq->msg.attr[STUN_ATTR_USERNAME];
	const struct stun_attr *token = &rq->msg.attr[STUN_ATTR_ACCESS_TOKEN];
	uint8_t digest[EVP_MAX_MD_SIZE];
	struct turn_oauth_grant grant;

	if (!kid->value || turn_oauth_open(t->conf.oauth, kid->value, kid->len, token->value,
	                                   token->len, env_wall_s(t->env), &grant))
		return fault(rq, TURN_FAULT_TOKEN);
	if (!EVP_Digest(grant.key.bytes, grant.key.len, digest, NULL, EVP_sha256(), NULL))
		return 500;
	memcpy(rq->token_user, digest, sizeof(rq->token_user));
	rq->auth.quota_user = rq->token_user;
	rq->auth.quota_user_len = sizeof(rq->token_user);
	rq->auth.username = (const char *)kid->value;
	rq->auth.username_len = kid->len;
	rq->auth.expires_at_s = grant.expires_at_s;
	rq->auth.third_party = true;
	rq->auth.key_source[0] = rq->auth.key_source[1] = grant.key_source;
	rq->auth.key[rq->auth.key_n++] = grant.key;
	/* coturn's client signs with the first 16 bytes of a longer key, as its server expects. */
	if (grant.key.len > STUN_KEY_MD5_LEN) {
		grant.key.len = STUN_KEY_MD5_LEN;
		rq->auth.key[rq->auth.key_n++] = grant.key;
	}
	return match_keys(rq);
}

/* Finds the key that the integrity was made with. */
static int check_key(struct turn_request *rq)
{
	struct turn *t = rq->turn;
	const struct stun_attr *name = &rq->msg.attr[STUN_ATTR_USERNAME];
	struct turn_auth_query query = {.realm = t->conf.realm[rq->realm],
	                                .username = (const char *)name->value,
	                                .username_len = name->len,
	                                .userhash = rq->msg.attr[STUN_ATTR_USERHASH].value,
	                                .sha256 = rq->sha256,
	                                .ticket = t->tickets + 1};
	int r;

	rq->auth.key_n = 0;
	memset(rq->auth.key_source, 0, sizeof(rq->auth.key_source));
	rq->auth.expires_at_s = 0;
	rq->auth.third_party = rq->auth.locked = false;
	if (try_session_key(rq))
		return 0;
	if (t->conf.oauth && stun_msg_has(&rq->msg, STUN_ATTR_ACCESS_TOKEN))
		return check_token(rq);
	rq->auth.username = rq->auth.quota_user = query.username;
	rq->auth.username_len = rq->auth.quota_user_len = query.username_len;
	r = t->auth->keys(t->auth_ctx, &query, &rq->auth);
	if (r == -E_LATER) {
		if (!nonce_ok(rq)) /* memory only for clients that can hear us */
			return 438;
		return turn_park(rq, ++t->tickets) ? TURN_SILENT : turn_not_parked(rq);
	}
	/* "If the value of the USERNAME or USERHASH attribute is not valid [...] 401" */
	if (r)
		return fault(rq, TURN_FAULT_USER);
	return match_keys(rq);
}

/* "If the message does not contain a MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256 attribute, the
 * server MUST generate an error response with an error code of 401 (Unauthenticated)." */
static int check_integrity_present(struct turn_request *rq)
{
	return rq->msg.integrity_at ? 0 : fault(rq, TURN_FAULT_NO_CREDENTIAL);
}

/* "If the message contains a MESSAGE-INTEGRITY or a MESSAGE-INTEGRITY-SHA256 attribute, but is
 * missing either the USERNAME or USERHASH, REALM, or NONCE attribute, the server MUST generate an
 * error response with an error code of 400 (Bad Request)." */
static int check_complete(struct turn_request *rq)
{
	const struct stun_msg *m = &rq->msg;
	const struct stun_attr *name = &m->attr[STUN_ATTR_USERNAME];
	const struct stun_attr *hash = &m->attr[STUN_ATTR_USERHASH];

	if (!stun_msg_has(m, STUN_ATTR_REALM) || !stun_msg_has(m, STUN_ATTR_NONCE))
		return 400;
	if (!name->value == !hash->value) /* none, or two that may contradict each other */
		return 400;
	/* Section 14.3: USERNAME is shorter than 509 bytes; 14.4: USERHASH has 32. */
	if (name->value && (!name->len || name->len > TURN_NAME_MAX))
		return 400;
	return hash->value && hash->len != STUN_USERHASH_LEN ? 400 : 0;
}

/* "If the NONCE attribute starts with the "nonce cookie" with the STUN Security Feature "Password
 * algorithms" bit set to 1, the server performs these checks in the order specified:" */
static int check_algorithms(struct turn_request *rq)
{
	const struct stun_attr *nonce = &rq->msg.attr[STUN_ATTR_NONCE];
	const struct stun_attr *list = &rq->msg.attr[STUN_ATTR_PASSWORD_ALGORITHMS];
	const struct stun_attr *chosen = &rq->msg.attr[STUN_ATTR_PASSWORD_ALGORITHM];

	if (!(turn_nonce_features(nonce->value, nonce->len) & TURN_FEATURE_PASSWORD_ALGORITHMS))
		return 0;
	/* "If the request contains neither the PASSWORD-ALGORITHMS nor the PASSWORD-ALGORITHM
	 * algorithm, then the request is processed as though PASSWORD-ALGORITHM were MD5." */
	if (!list->value && !chosen->value)
		return 0;
	/* "Otherwise, unless (1) PASSWORD-ALGORITHM and PASSWORD-ALGORITHMS are both present," */
	if (!list->value || !chosen->value)
		return 400;
	/* "(2) PASSWORD-ALGORITHMS matches the value sent in the response that sent this NONCE," */
	if (!attr_equals(list, turn_password_algorithms, TURN_ALGORITHMS_LEN))
		return 400;
	/* "and (3) PASSWORD-ALGORITHM matches one of the entries in PASSWORD-ALGORITHMS, the server
	 * MUST generate an error response with an error code of 400 (Bad Request)." */
	if (!attr_equals(chosen, turn_password_algorithms, 4) &&
	    !attr_equals(chosen, turn_password_algorithms + 4, 4))
		return 400;
	rq->sha256 = chosen->value[1] == ALGORITHM_SHA256;
	return 0;
}

/* A realm that we do not serve has no users. */
static int check_realm(struct turn_request *rq)
{
	return rq->realm_known ? 0 : fault(rq, TURN_FAULT_REALM);
}

/* "If the NONCE is no longer valid, the server MUST generate an error response with an error code
 * of 438 (Stale Nonce)." */
static int check_nonce(struct turn_request *rq)
{
	return nonce_ok(rq) ? 0 : 438;
}

/* Expiry gates the birth of an allocation; a running call goes on, unless configured. */
static int check_expiry(struct turn_request *rq)
{
	const struct turn *t = rq->turn;

	if (!rq->auth.expires_at_s || rq->auth.expires_at_s >= env_wall_s(t->env))
		return 0;
	return rq->msg.method == STUN_ALLOCATE || rq->auth.third_party || t->conf.strict_expiry
	           ? fault(rq, TURN_FAULT_EXPIRED)
	           : 0;
}

static turn_check_fn *const credential_checks[] = {
    /* RFC 8489 section 9.2.4, in its order */
    check_integrity_present,
    check_complete,
    check_algorithms,
    check_realm,
    check_key,
    check_nonce,
    check_expiry,
};

/* Which of our realms the request names; the first for one that names none or another. */
static void find_realm(struct turn_request *rq)
{
	const struct turn_conf *conf = &rq->turn->conf;
	const struct stun_attr *name = &rq->msg.attr[STUN_ATTR_REALM];

	rq->realm = 0;
	rq->realm_known = false;
	for (unsigned int i = 0; i < conf->realm_n && !rq->realm_known; i++) {
		if (attr_equals(name, conf->realm[i], strlen(conf->realm[i]))) {
			rq->realm = i;
			rq->realm_known = true;
		}
	}
}

/* A client with a valid nonce is at its address; without one, over UDP, an attacker could put the
 * blame on another address. Reports guesses only: no request without a credential, and none for
 * another realm. */
static void tell_refused(const struct turn_request *rq)
{
#define X(what, text) text,
	static const char *const why[] = {TURN_FAULT_TABLE(X)};
#undef X
	const struct turn *t = rq->turn;
	const struct stun_attr *name = &rq->msg.attr[STUN_ATTR_USERNAME];

	if (!t->auth->refused || rq->fault < TURN_FAULT_USER || !nonce_ok(rq))
		return;
	t->auth->refused(t->auth_ctx, &rq->path.client, why[rq->fault], (const char *)name->value,
	                 name->len);
}

int turn_check_credentials(struct turn_request *rq)
{
	int r;

	find_realm(rq);
	r = turn_run_checks(rq, credential_checks,
	                    sizeof(credential_checks) / sizeof(*credential_checks));
	if (r == 401)
		tell_refused(rq);
	/* From now on the session goes by this key, whichever algorithm or secret made it. */
	if (!r && rq->alloc && rq->key != &rq->alloc->key && is_alloc_owner(rq)) {
		rq->alloc->key = *rq->key;
		rq->alloc->key_source = rq->key_source;
		rq->alloc->credential_expires_at_s = rq->auth.expires_at_s;
		rq->key = &rq->alloc->key;
	}
	return r;
}

/* RFC 8656 section 5: "all requests [...] MUST use the same username as that used to create the
 * allocation"; else 441. */
int turn_check_same_user(struct turn_request *rq)
{
	return is_alloc_owner(rq) ? 0 : 441;
}

bool turn_auth_keys_stay(void *ctx, const struct turn_auth_session *session)
{
	(void)ctx;
	(void)session;
	return true;
}

bool turn_holder_is_alive(const struct turn *t, const struct turn_holder *h)
{
	const struct turn_auth_session session = {.realm = t->conf.realm[h->realm],
	                                          .username = h->username,
	                                          .username_len = h->username_len,
	                                          .key = &h->key,
	                                          .key_source = h->key_source};

	if (h->third_party)
		return t->conf.oauth && turn_oauth_has(t->conf.oauth, h->key_source);
	return t->auth->alive(t->auth_ctx, &session);
}

struct turn_holder turn_holder_of(const struct turn_alloc *a)
{
	return (struct turn_holder){.quota_user = a->quota_user,
	                            .realm = a->realm,
	                            .third_party = a->third_party,
	                            .key = a->key,
	                            .key_source = a->key_source,
	                            .username = a->username,
	                            .username_len = a->username_len};
}

bool turn_is_alive(const struct turn_alloc *a)
{
	const struct turn_holder holder = turn_holder_of(a);

	return turn_holder_is_alive(a->turn, &holder);
}

/* RFC 7635 section 6: ACCESS-TOKEN is comprehension-required, and a server that takes no tokens
 * does not comprehend it. */
void turn_token_note_unknown(struct turn_request *rq)
{
	struct stun_msg *m = &rq->msg;

	if (!rq->turn->conf.oauth && stun_msg_has(m, STUN_ATTR_ACCESS_TOKEN) &&
	    m->unknown_n < STUN_UNKNOWN_MAX)
		m->unknown[m->unknown_n++] = TYPE_ACCESS_TOKEN;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Verifies tickets. libjose checks signatures and knows base64url and keys. What it
 * would leave open (RFC 8725) is decided here, before it sees the ticket: the compact form only,
 * one signature, and the algorithm of the key, whatever the header says.
 */
#include "daemon/issue/ticket_internal.h"

#include "base/log.h"
#include "base/wall.h"
#include "store/account.h"
#include "store/name.h"

#include <jose/b64.h>
#include <jose/jws.h>
#include <math.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A ticket being looked at. */
struct look {
	const struct tickets *t;
	int64_t now_s;
	json_t *jws, *header, *claims;
	const char *why;
	int64_t key; /* that has signed it */
};

static const char malformed[] = "The ticket is malformed.",
                  unsure[] = "The ticket is not signed with a known key.";

struct tickets *tickets_new(const struct conf *conf, const struct wall *wall, struct store *store)
{
	struct tickets *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	*t =
	    (struct tickets){.conf = conf, .wall = wall, .store = store, .jose = ticket_jose_new()};
	if (!t->jose) {
		free(t);
		return NULL;
	}
	return t;
}

static void free_keys(struct ticket_key *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ticket_key_clear(&keys[i]);
	free(keys);
}

void tickets_free(struct tickets *t)
{
	if (!t)
		return;
	free_keys(t->keys, t->key_n);
	ticket_jose_free(t->jose);
	free(t);
}

/* A key that cannot be read makes no ticket good; what else has changed in the store still counts.
 */
static int read_stored(const struct store_snapshot_ticket_key *from, struct ticket_key *k)
{
	enum ticket_alg alg;
	struct why why;
	int r = ticket_alg_parse(from->alg, &alg, &why);

	if (!r)
		r = ticket_key_read(from->jwk, &alg, k, &why);
	if (!r) {
		snprintf(k->kid, sizeof(k->kid), "%s", from->kid);
		k->signs &= from->signs;
		k->id = from->id;
	} else if (r != -E_NOMEM) {
		log_error(NULL, "ticket-key-unusable", LOG_INT("id", from->id),
		          LOG_STR("error", why.text));
	}
	return r;
}

int tickets_set_keys(struct tickets *t, const struct store_snapshot *snap, struct why *why)
{
	size_t stored = snap ? store_snapshot_ticket_key_n(snap) : 0, n = 0;
	struct ticket_key *keys = calloc(stored + t->conf->ticket_key.n + 1, sizeof(*keys));
	struct store_snapshot_ticket_key from;
	int r = keys ? 0 : -E_NOMEM;

	for (size_t i = 0; r != -E_NOMEM && i < stored; i++) {
		store_snapshot_ticket_key(snap, i, &from);
		r = read_stored(&from, &keys[n]);
		n += !r;
	}
	for (size_t i = 0; r != -E_NOMEM && i < t->conf->ticket_key.n; i++) {
		r = ticket_key_read_option(t->conf->ticket_key.v[i], &keys[n], NULL);
		n += !r;
	}
	if (r == -E_NOMEM) {
		free_keys(keys, n);
		return why_set(why, r, "out of memory");
	}
	free_keys(t->keys, t->key_n);
	t->keys = keys;
	t->key_n = n;
	return 0;
}

/* ---- the form ---- */

static bool refuse(struct look *l, const char *why)
{
	l->why = why;
	return false;
}

/* NULL unless the part is a JSON object, in which no name is there twice. */
static json_t *decode_object(const char *part, size_t len)
{
	uint8_t text[TICKET_MAX_LEN];
	size_t n = jose_b64_dec_buf(part, len, text, sizeof(text));
	json_t *value =
	    n == SIZE_MAX ? NULL : json_loadb((char *)text, n, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(value))
		return value;
	json_decref(value);
	return NULL;
}

/* HEADER.CLAIMS.SIGNATURE (RFC 7515 section 7.1), as libjose wants it. */
static bool take_apart(struct look *l, const char *text)
{
	size_t len = strnlen(text, TICKET_MAX_LEN + 1), header = strcspn(text, "."), claims, rest;
	uint8_t signature[TICKET_MAX_LEN];

	if (len > TICKET_MAX_LEN || header == len)
		return refuse(l, malformed);
	claims = strcspn(text + header + 1, ".");
	rest = header + 1 + claims + 1;
	if (rest >= len || strchr(text + rest, '.') ||
	    jose_b64_dec_buf(text + rest, len - rest, signature, sizeof(signature)) == SIZE_MAX)
		return refuse(l, malformed);
	l->header = decode_object(text, header);
	l->claims = decode_object(text + header + 1, claims);
	l->jws = json_pack("{ss% ss% ss%}", "protected", text, header, "payload", text + header + 1,
	                   claims, "signature", text + rest, len - rest);
	return (l->header && l->claims && l->jws) || refuse(l, malformed);
}

/* A header that brings its own key, or changes what is signed, or is of another kind of token. */
static bool header_is_plain(struct look *l)
{
	static const char *const never[] = {"crit", "b64", "zip", "enc", "jwk",
	                                    "jku",  "x5u", "x5c", NULL};
	json_t *typ = json_object_get(l->header, "typ"), *kid = json_object_get(l->header, "kid");

	for (size_t i = 0; never[i]; i++)
		if (json_object_get(l->header, never[i]))
			return refuse(l, malformed);
	if (typ && (!json_is_string(typ) || strcasecmp(json_string_value(typ), "JWT") != 0))
		return refuse(l, malformed);
	if ((kid && !json_is_string(kid)) || !json_is_string(json_object_get(l->header, "alg")))
		return refuse(l, malformed);
	return true;
}

/* ---- the signature ---- */

/* A key of the option has no number of its own: another key under the same kid has another. */
static int64_t number_of(const struct ticket_key *k)
{
	char *text = k->id ? NULL : ticket_key_text(k);
	uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */

	for (const char *c = k->kid; text && *c; c++)
		h = (h ^ (uint8_t)*c) * 0x100000001b3u;
	for (const char *c = text; c && *c; c++)
		h = (h ^ (uint8_t)*c) * 0x100000001b3u;
	ticket_text_free(text);
	return k->id ? k->id : -(int64_t)(h >> 1 | 1);
}

/* The key says the algorithm; a header that names another one is not tried with it. */
static bool is_signed(struct look *l)
{
	const char *alg = json_string_value(json_object_get(l->header, "alg"));
	const char *kid = json_string_value(json_object_get(l->header, "kid"));

	for (size_t i = 0; i < l->t->key_n; i++) {
		const struct ticket_key *k = &l->t->keys[i];

		if ((!kid || !strcmp(kid, k->kid)) && !strcmp(alg, ticket_alg_text(k->alg)) &&
		    jose_jws_ver(l->t->jose, l->jws, NULL, k->jwk, false)) {
			l->key = number_of(k);
			return true;
		}
	}
	return refuse(l, unsure);
}

/* ---- the claims ---- */

/* RFC 7519 section 2, NumericDate: seconds, maybe with a fraction. */
static bool get_time(const json_t *value, int64_t *out)
{
	double n = json_number_value(value);

	if (!json_is_number(value) || !(n > -1e15 && n < 1e15))
		return false;
	*out = json_is_integer(value) ? json_integer_value(value) : (int64_t)floor(n);
	return true;
}

static int check_times(struct look *l, struct hub_identity *out)
{
	const json_t *nbf = json_object_get(l->claims, "nbf");
	int64_t from_s = 0;
	int r = -E_DENIED;

	if (!get_time(json_object_get(l->claims, "exp"), &out->exp_s) ||
	    (nbf && !get_time(nbf, &from_s))) {
		l->why = "The ticket has no exp, or a time in it is no number.";
	} else if (out->exp_s <= l->now_s) {
		l->why = "The ticket has expired.";
		r = -E_STALE;
	} else if (from_s > l->now_s + TICKET_LEEWAY_S) {
		l->why = "The ticket is not valid yet.";
	} else if (out->exp_s - l->now_s > l->t->conf->max_ticket_ttl) {
		l->why = "The ticket would last longer than this server allows (max_ticket_ttl).";
	} else {
		r = 0;
	}
	return r;
}

/* RFC 7519 section 4.1.3: a ticket that names audiences is for these only. */
static bool is_for_us(const struct look *l)
{
	const struct conf *conf = l->t->conf;
	const char *iss = json_string_value(json_object_get(l->claims, "iss"));
	const json_t *aud = json_object_get(l->claims, "aud"), *one;
	size_t i;

	if (*conf->ticket_issuer && (!iss || strcmp(iss, conf->ticket_issuer) != 0))
		return false;
	if (!aud || !*conf->ticket_audience)
		return !aud && !*conf->ticket_audience;
	if (json_is_string(aud))
		return !strcmp(json_string_value(aud), conf->ticket_audience);
	json_array_foreach (aud, i, one)
		if (json_is_string(one) && !strcmp(json_string_value(one), conf->ticket_audience))
			return true;
	return false;
}

/* A text claim of 1 to max bytes that people may read. */
static bool get_text(const json_t *value, char *out, size_t max)
{
	const char *text = json_string_value(value);

	if (!text || strlen(text) != json_string_length(value) ||
	    shown_check(text, 1, max, "", NULL))
		return false;
	memcpy(out, text, strlen(text) + 1);
	return true;
}

static bool get_may(const json_t *value, unsigned *out)
{
	const json_t *word;
	size_t i;

	*out = value ? 0 : TICKET_MAY_ALL;
	if (value && !json_is_array(value))
		return false;
	json_array_foreach (value, i, word) {
		unsigned bit = json_is_string(word) ? ticket_may_bit(json_string_value(word),
		                                                     json_string_length(word))
		                                    : 0;

		if (!bit)
			return false;
		*out |= bit;
	}
	return true;
}

static bool get_identity(struct look *l, struct hub_identity *out)
{
	const json_t *name = json_object_get(l->claims, "name");
	const json_t *room = json_object_get(l->claims, "room");

	if (!get_text(json_object_get(l->claims, "sub"), out->sub, HUB_SUB_MAX))
		return refuse(l, "The ticket has no usable sub.");
	if (!get_text(name ? name : json_object_get(l->claims, "sub"), out->name, HUB_NAME_MAX))
		return refuse(l, "The ticket has no usable name.");
	out->any_room = !room;
	if (room && (!get_text(room, out->room, HUB_ROOM_MAX) || !hub_room_name_is_good(out->room)))
		return refuse(l, "The ticket's room is no room's name.");
	if (!get_may(json_object_get(l->claims, "may"), &out->may))
		return refuse(l, "The ticket's may is no list of call, chat, list and open.");
	return true;
}

/* An account's ticket is good as long as the account is the same, with the same password. Nobody
 * else's sub looks like that of an account. */
static bool account_stands(struct look *l, const char *sub)
{
	const char *mark = json_string_value(json_object_get(l->claims, TICKET_ACCOUNT_CLAIM));
	char now[TICKET_MARK_STRLEN];
	size_t prefix = strlen(TICKET_ACCOUNT);

	if (!mark && strncmp(sub, TICKET_ACCOUNT, prefix) != 0)
		return true;
	return (mark && !strncmp(sub, TICKET_ACCOUNT, prefix) &&
	        !ticket_account_mark(l->t, sub + prefix, now) &&
	        strlen(mark) == TICKET_MARK_STRLEN - 1 &&
	        !CRYPTO_memcmp(mark, now, TICKET_MARK_STRLEN - 1)) ||
	       refuse(l, "The ticket's account was deleted, or has another password now.");
}

static int look(struct look *l, const char *text, struct hub_identity *out)
{
	int r;

	if (!take_apart(l, text) || !header_is_plain(l) || !is_signed(l))
		return -E_DENIED;
	r = check_times(l, out);
	if (r)
		return r;
	if (!is_for_us(l)) {
		refuse(l, "The ticket is for another service, or of another issuer.");
		return -E_DENIED;
	}
	return get_identity(l, out) && account_stands(l, out->sub) ? 0 : -E_DENIED;
}

int ticket_identify(void *ctx, const char *text, struct hub_identity *out, const char **why)
{
	struct tickets *t = ctx;
	struct look l = {.t = t, .now_s = wall_now_s(t->wall)};
	struct hub_identity found = {.may = 0};
	int r = look(&l, text, &found);

	if (r)
		*why = l.why;
	found.key = l.key;
	if (!r)
		*out = found;
	json_decref(l.jws);
	json_decref(l.header);
	json_decref(l.claims);
	return r;
}

bool ticket_stands(const struct tickets *t, const struct store_snapshot *snap, int64_t key,
                   const char *sub)
{
	size_t prefix = strlen(TICKET_ACCOUNT);
	bool found = key > 0 && !store_snapshot_ticket_key_dead(snap, key);
	int64_t password_at_s;
	enum store_role role;

	for (size_t i = 0; key < 0 && !found && i < t->key_n; i++)
		found = !t->keys[i].id && number_of(&t->keys[i]) == key;
	return found && (strncmp(sub, TICKET_ACCOUNT, prefix) != 0 || !t->store ||
	                 store_account_get(t->store, sub + prefix, &role, &password_at_s, NULL) !=
	                     -E_NOTFOUND);
}

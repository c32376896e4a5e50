/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Makes tickets.
 */
#include "base/text.h"
#include "base/wall.h"
#include "daemon/issue/ticket_internal.h"
#include "store/name.h"

#include <jose/b64.h>
#include <jose/jws.h>
#include <stdio.h>
#include <string.h>

static const char *const may_words[] = {"call", "chat", "list", "open"};
#define MAY_N (sizeof(may_words) / sizeof(*may_words))

unsigned ticket_may_bit(const char *word, size_t len)
{
	for (size_t i = 0; i < MAY_N; i++)
		if (len == strlen(may_words[i]) && !memcmp(word, may_words[i], len))
			return 1u << i;
	return 0;
}

int ticket_may_parse(const char *text, unsigned *may, struct why *why)
{
	unsigned found = 0, bit;
	size_t len;

	for (const char *at = text;; at += len + 1) {
		len = strcspn(at, ",");
		bit = ticket_may_bit(at, len);
		if (!bit)
			return why_set(why, -E_INVAL,
			               "may: \"%.*s\" is none of call, chat, list and open: write "
			               "one, or several with commas between",
			               (int)(len < 64 ? len : 64), at);
		found |= bit;
		if (!at[len])
			break;
	}
	*may = found;
	return 0;
}

const char *ticket_may_text(unsigned may, char buf[TICKET_MAY_STRLEN])
{
	size_t at = 0;

	*buf = 0;
	for (size_t i = 0; i < MAY_N; i++)
		if (may & 1u << i)
			at += (size_t)snprintf(buf + at, TICKET_MAY_STRLEN - at, "%s%s",
			                       at ? "," : "", may_words[i]);
	return buf;
}

static int check_ask(const struct tickets *t, const struct ticket_ask *ask, int64_t ttl_s,
                     struct why *why)
{
	const char *sub = ask->sub ? ask->sub : ask->name;
	int r = shown_check(ask->name, 1, HUB_NAME_MAX, "the name", why);

	if (!r)
		r = shown_check(sub, 1, HUB_SUB_MAX, "the sub", why);
	if (!r && !ask->is_account && !strncmp(sub, TICKET_ACCOUNT, strlen(TICKET_ACCOUNT)))
		r = why_set(why, -E_INVAL,
		            "a sub that begins with " TICKET_ACCOUNT
		            " belongs to an account: choose another");
	if (!r && ask->room && !hub_room_name_is_good(ask->room))
		r = why_set(why, -E_INVAL, "a room's name has 1 to %d of A-Z a-z 0-9 . _ ~ -",
		            HUB_ROOM_MAX);
	if (!r && (ttl_s < 1 || ttl_s > t->conf->max_ticket_ttl))
		r = why_set(why, -E_INVAL, "a ticket lasts for 1 to %lld s (max_ticket_ttl)",
		            (long long)t->conf->max_ticket_ttl);
	return r;
}

static json_t *may_array(unsigned may)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < MAY_N; i++)
		if (may & 1u << i)
			json_array_append_new(array, json_string(may_words[i]));
	return array;
}

int ticket_account_mark(const struct tickets *t, const char *name, char mark[TICKET_MARK_STRLEN])
{
	uint8_t bytes[ACCOUNT_MARK_LEN];
	int r = t->store ? store_account_mark(t->store, name, bytes, NULL) : -E_NOTFOUND;

	if (!r)
		text_hex(mark, bytes, sizeof(bytes));
	return r;
}

/* The password may have been changed since it was found right. */
static int mark_account(const struct tickets *t, const struct ticket_ask *ask, json_t *claims)
{
	char mark[TICKET_MARK_STRLEN];
	int64_t password_at_s;
	enum store_role role;
	int r = ticket_account_mark(t, ask->name, mark);

	if (!r)
		r = store_account_get(t->store, ask->name, &role, &password_at_s, NULL);
	if (r == -E_NOTFOUND || (!r && password_at_s != ask->password_at_s))
		return -E_DENIED;
	if (!r && json_object_set_new(claims, TICKET_ACCOUNT_CLAIM, json_string(mark)))
		r = -E_NOMEM;
	return r;
}

/* NULL when out of memory. */
static json_t *make_claims(const struct tickets *t, const struct ticket_ask *ask, int64_t now_s,
                           int64_t ttl_s)
{
	const struct conf *conf = t->conf;
	json_t *c = json_pack("{ss ss ss* sI sI ss* ss*}", "sub", ask->sub ? ask->sub : ask->name,
	                      "name", ask->name, "room", ask->room, "iat", (json_int_t)now_s, "exp",
	                      (json_int_t)(now_s + ttl_s), "iss",
	                      *conf->ticket_issuer ? conf->ticket_issuer : NULL, "aud",
	                      *conf->ticket_audience ? conf->ticket_audience : NULL);

	if (c && ask->may && ask->may != TICKET_MAY_ALL)
		json_object_set_new(c, "may", may_array(ask->may));
	return c;
}

static const struct ticket_key *signing_key(const struct tickets *t)
{
	for (size_t i = 0; i < t->key_n; i++)
		if (t->keys[i].signs)
			return &t->keys[i];
	return NULL;
}

static int sign(const struct tickets *t, const struct ticket_key *k, const json_t *claims,
                char text[TICKET_MAX_LEN + 1])
{
	json_t *payload = jose_b64_enc_dump(claims);
	json_t *jws = payload ? json_pack("{so}", "payload", payload) : NULL;
	json_t *header = json_pack("{s{ss ss ss}}", "protected", "alg", ticket_alg_text(k->alg),
	                           "kid", k->kid, "typ", "JWT");
	const char *part[3];
	int len, r = -E_NOMEM;

	if (jws && header && jose_jws_sig(t->jose, jws, header, k->jwk) &&
	    !json_unpack(jws, "{ss ss ss}", "protected", &part[0], "payload", &part[1], "signature",
	                 &part[2])) {
		len = snprintf(text, TICKET_MAX_LEN + 1, "%s.%s.%s", part[0], part[1], part[2]);
		r = len > TICKET_MAX_LEN ? -E_ROOM : 0;
	}
	json_decref(header);
	json_decref(jws);
	return r;
}

int ticket_make(const struct tickets *t, const struct ticket_ask *ask, struct ticket_made *out,
                struct why *why)
{
	int64_t ttl_s = ask->ttl_s ? ask->ttl_s : t->conf->ticket_ttl, now_s = wall_now_s(t->wall);
	const struct ticket_key *k = signing_key(t);
	json_t *claims;
	int r;

	if (!ask->ttl_s && ttl_s > t->conf->max_ticket_ttl)
		ttl_s = t->conf->max_ticket_ttl;
	r = check_ask(t, ask, ttl_s, why);
	if (r)
		return r;
	if (!k)
		return why_set(why, -E_NOTFOUND,
		               "no live key can sign tickets: make one with turnpike ticket-key "
		               "add");
	claims = make_claims(t, ask, now_s, ttl_s);
	r = claims ? 0 : -E_NOMEM;
	if (!r && ask->is_account)
		r = mark_account(t, ask, claims);
	if (!r)
		r = sign(t, k, claims, out->text);
	json_decref(claims);
	if (r)
		return why_set(why, r, "the ticket cannot be signed: %s", error_text(r));
	out->ttl_s = ttl_s;
	out->expires_at_s = now_s + ttl_s;
	return 0;
}

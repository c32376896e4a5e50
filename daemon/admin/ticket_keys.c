/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Keys of tickets.
 */
#include "daemon/admin/verb.h"
#include "daemon/conf/ticket_key.h"

#include <jose/jwk.h>
#include <string.h>

#define MEMBER_ID    MEMBER("id", VERB_INTEGER, "Its number")
#define MEMBER_KID   MEMBER("kid", VERB_TEXT, "Its name in the header of tickets")
#define MEMBER_ALG   MEMBER("alg", VERB_TEXT, "HS256 or ES256")
#define MEMBER_SIGNS MEMBER("signs", VERB_BOOLEAN, "Whether it also makes tickets here")

static int each(void *ctx, const struct store_ticket_key *k)
{
	return rows_add(ctx, NULL,
	                json_pack("{sI so ss sb sb so so}", "id", (json_int_t)k->id, "kid",
	                          json_shown(k->kid, strlen(k->kid)), "alg", k->alg, "live",
	                          k->live, "signs", k->signs, "created_at",
	                          json_time(k->created_at_s), "retired_at",
	                          json_time(k->retired_at_s)));
}

static int list(struct admin_task *t, struct why *why)
{
	struct rows rows = {.array = json_array()};

	return rows_done(&rows, t, store_ticket_key_list(t->store, each, &rows, why), "keys", why);
}

/* The key of the arguments, or a new one; *made says which. */
static int get_key(const struct admin_task *t, struct ticket_key *k, bool *made, struct why *why)
{
	const char *given = task_text(t, "alg"), *value = task_text(t, "value");
	const char *public_key = task_text(t, "public_key");
	enum ticket_alg alg = public_key ? TICKET_ES256 : TICKET_HS256;
	int r = given ? ticket_alg_parse(given, &alg, why) : 0;

	*made = !value && !public_key;
	if (r)
		return r;
	if (value && public_key)
		return why_set(why, -E_PARSE,
		               "ticket-key add: value or public_key: one excludes the other");
	if (public_key && alg == TICKET_HS256)
		return why_set(why, -E_PARSE, "ticket-key add: a key of HS256 is never public");
	if (*made)
		return ticket_key_make(alg, k, why);
	r = ticket_key_read(value ? value : public_key, given || public_key ? &alg : NULL, k, why);
	if (!r && public_key && k->signs) {
		ticket_key_clear(k);
		r = why_set(why, -E_PARSE,
		            "this is the private key: give the public one, or, if tickets are to "
		            "be made here, the private one as the value");
	}
	return r;
}

static int name_key(const struct admin_task *t, struct ticket_key *k, struct why *why)
{
	const char *kid = task_text(t, "kid");
	struct ticket_key other;
	int r;

	if (kid)
		r = shown_check(kid, 1, STORE_KID_MAX, "the kid", why);
	else if (*k->kid)
		return 0;
	else
		r = ticket_key_make(TICKET_HS256, &other, why);
	if (r)
		return r;
	snprintf(k->kid, sizeof(k->kid), "%s", kid ? kid : other.kid);
	if (!kid)
		ticket_key_clear(&other);
	return 0;
}

/* What the other side needs: the JWK of a secret that was made, and the public half of a private
 * key. The caller frees it. */
static char *to_share(const struct ticket_key *k, bool made)
{
	struct ticket_key copy = *k;
	struct jose_cfg *jose = ticket_jose_new();
	char *text = NULL;

	copy.jwk = json_deep_copy(k->jwk);
	if (copy.jwk &&
	    (k->alg == TICKET_HS256 ? made : k->signs && jose && jose_jwk_pub(jose, copy.jwk)) &&
	    !json_object_set_new(copy.jwk, "kid", json_string(k->kid)))
		text = ticket_key_text(&copy);
	ticket_jose_free(jose);
	ticket_key_clear(&copy);
	return text;
}

static int add(struct admin_task *t, struct why *why)
{
	struct ticket_key k = {.jwk = NULL};
	char *text = NULL, *share = NULL;
	int64_t id;
	bool made;
	int r = get_key(t, &k, &made, why);

	if (r)
		return r;
	r = name_key(t, &k, why);
	if (!r && !(text = ticket_key_text(&k)))
		r = why_set(why, -E_NOMEM, "out of memory");
	if (!r)
		r = store_ticket_key_add(t->store,
		                         &(struct store_ticket_key){.kid = k.kid,
		                                                    .alg = ticket_alg_text(k.alg),
		                                                    .signs = k.signs},
		                         text, &id, why);
	if (!r) {
		share = to_share(&k, made);
		r = task_done(t,
		              json_pack("{sI so ss sb ss?}", "id", (json_int_t)id, "kid",
		                        json_shown(k.kid, strlen(k.kid)), "alg",
		                        ticket_alg_text(k.alg), "signs", k.signs, "jwk", share),
		              why);
	}
	ticket_text_free(share);
	ticket_text_free(text);
	ticket_key_clear(&k);
	return r;
}

static int retire(struct admin_task *t, struct why *why)
{
	int64_t id = task_number(t, "id", 0), after_s = task_number(t, "after", 0);
	int r = store_ticket_key_retire(t->store, id, after_s, why);

	return r ? r
	         : task_done(t,
	                     json_pack("{sI sb so}", "id", (json_int_t)id, "live", after_s > 0,
	                               "retired_at", json_time(store_now_s(t->store) + after_s)),
	                     why);
}

const struct verb ticket_keys_verbs[] = {
    {VERB("ticket-key add", VERB_ACTS, VERB_MAKES_STORE, add,
          "Add a key for tickets. Without a value the server makes one, and shows once what the "
          "other side needs. New tickets use the newest key that can sign; every live key "
          "verifies"),
     .args = {ARG_AS("alg", VERB_TEXT, 0, "HS256|ES256",
                     "Its algorithm: HS256 (a secret of both sides) or ES256 (a private key that "
                     "signs and a public one that verifies); by the key or HS256 if it is not "
                     "given"),
              ARG("kid", VERB_TEXT, 0,
                  "Its name in the header of tickets; that of the JWK, or a random one, if it is "
                  "not given"),
              ARG("value", VERB_SECRET, 0,
                  "The key: a JWK, a private or public key in PEM or, with alg HS256, the text of "
                  "a secret (32 bytes or more)"),
              ARG("public_key", VERB_FILE, 0,
                  "A public key, as JWK or PEM, whose private half signs tickets elsewhere")},
     .answer = MEMBERS(MEMBER_ID, MEMBER_KID, MEMBER_ALG, MEMBER_SIGNS,
                       MEMBER_OR_NULL("jwk", VERB_TEXT,
                                      "For the other side, as JWK: a secret that was made, this "
                                      "once, or the public key")),
     .text = {.say = "ticket key {id} ({alg}, kid {kid}) added{?jwk:; for the other side, shown "
                     "this once:}",
              .print = "{jwk}",
              .example = "{\"alg\":\"ES256\",\"kid\":\"2026-12\"}"}},
    {VERB("ticket-key list", VERB_READS, 0, list, "List the keys of tickets; never a secret"),
     .answer = MEMBERS(
         {"keys", VERB_ROWS, false, "The oldest first",
          MEMBERS(MEMBER_ID, MEMBER_KID, MEMBER_ALG,
                  MEMBER("live", VERB_BOOLEAN, "Whether it verifies"), MEMBER_SIGNS,
                  MEMBER("created_at", VERB_TIME, "When it was added"),
                  MEMBER_OR_NULL("retired_at", VERB_TIME, "When it was retired, or will be"))},
         MEMBER_NEXT),
     .text = {.list = "keys",
              .line = "{id}\t{alg}\t{?live:{?retired_at:retiring|live}|retired}\t{?signs:signs|"
                      "verifies only}\t{created_at}\t{kid}{?retired_at:\t{retired_at}}",
              .none = "no ticket keys"}},
    {VERB("ticket-key retire", VERB_ACTS, 0, retire,
          "Refuse tickets that were signed with a key, from now on or after a time. From now on, "
          "connections that signed in with one of them are closed, too; after a time they stay"),
     .args = {ARG_AS("id", VERB_INTEGER, ARG_REQUIRED | ARG_WORD, "ID", "The key's number"),
              ARG_AS("after", VERB_DURATION, 0, "TIME",
                     "Seconds until it is retired; 0 if it is not given")},
     .answer = MEMBERS(MEMBER_ID, MEMBER("live", VERB_BOOLEAN, "Whether it still verifies"),
                       MEMBER("retired_at", VERB_TIME, "When it was retired, or will be")),
     .text = {.say = "ticket key {id} {?live:retires at {retired_at}|retired}",
              .example = "{\"id\":2}"}},
    {0},
};

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Attempts and logins.
 */
#include "daemon/admin/signin.h"

#include "base/clock.h"
#include "base/env_libevent.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/admin/helper.h"
#include "daemon/issue/issue_rate.h"
#include "daemon/issue/refusals.h"
#include "store/store.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

#define LOGINS     64
#define ATTEMPTS   64 /* more than can be waiting for the helper */
#define ATTEMPT_S  60
#define KNOWN      64
#define SECRET_LEN 32

struct attempt {
	char secret[SIGNIN_SECRET_STRLEN];
	char name[NAME_MAX_LEN + 1];
	struct addr from;
	int64_t begun_s, password_at_s;
	bool done;
	int result;
	signin_done_fn *tell; /* NULL: it is claimed */
	void *ctx;
	struct attempt *prev, *next;
};

/* A password that is being looked at. */
struct check {
	struct helper_job job;
	struct signin *in;
	struct attempt *attempt;
	char name[NAME_MAX_LEN + 1];
	int64_t password_at_s;
	char *password, *new_password;
};

struct login {
	char secret[SIGNIN_SECRET_STRLEN]; /* "": free */
	char name[NAME_MAX_LEN + 1];
	int64_t opened_s, used_s, password_at_s;
};

/* An address from which a name has signed in: others' wrong guesses at the name do not count
 * there. */
struct known {
	char name[NAME_MAX_LEN + 1];
	struct addr from;
};

struct signin {
	struct helper *helper;
	struct issue_rate *rate;
	struct refusals *refusals;
	struct known known[KNOWN];
	size_t known_n;
	struct login logins[LOGINS];
	struct attempt *attempts;
	unsigned attempt_n;
	uint64_t refused;
};

static int64_t now_s(void)
{
	return clock_mono_ms() / 1000;
}

static void make_secret(char out[SIGNIN_SECRET_STRLEN])
{
	uint8_t bytes[SECRET_LEN];

	env_libevent_random(bytes, sizeof(bytes));
	text_hex(out, bytes, sizeof(bytes));
}

static bool same_secret(const char *known, const char *given)
{
	return strlen(given) == SIGNIN_SECRET_STRLEN - 1 && *known &&
	       !CRYPTO_memcmp(known, given, SIGNIN_SECRET_STRLEN - 1);
}

static void attempt_free(struct signin *in, struct attempt *t)
{
	DL_DELETE(in->attempts, t);
	in->attempt_n--;
	free(t);
}

static bool same_prefix(const struct addr *a, const struct addr *b, size_t bytes4, size_t bytes6)
{
	size_t a_len, b_len;
	const uint8_t *x = addr_ip(a, &a_len), *y = addr_ip(b, &b_len);

	return a_len == b_len && !memcmp(x, y, a_len == 4 ? bytes4 : bytes6);
}

/* As issue_rate.c counts them. */
static bool same_source(const struct addr *a, const struct addr *b)
{
	return same_prefix(a, b, 3, 8);
}

static bool is_known(const struct signin *in, const char *name, const struct addr *from)
{
	for (size_t i = 0; i < KNOWN && i < in->known_n; i++)
		if (!strcmp(in->known[i].name, name) && same_source(&in->known[i].from, from))
			return true;
	return false;
}

static void make_known(struct signin *in, const struct attempt *t)
{
	struct known *k = &in->known[in->known_n % KNOWN];

	if (is_known(in, t->name, &t->from))
		return;
	memcpy(k->name, t->name, sizeof(k->name));
	k->from = t->from;
	in->known_n++;
}

static int verify(struct check *c, struct store *store, const char *password, struct why *why)
{
	enum store_role role; /* it is read anew for each request */

	/* In this order: one that is changed in between is not taken for the new one. */
	if (store_account_get(store, c->name, &role, &c->password_at_s, NULL))
		c->password_at_s = 0;
	return store_account_check(store, c->name, password, NULL, why);
}

static int check(struct helper_job *j, struct store *store, struct why *why)
{
	struct check *c = (struct check *)j;
	char actor[STORE_ACTOR_MAX];
	int r = verify(c, store, c->password, why);

	if (r || !c->new_password)
		return r;
	signin_actor(c->name, actor);
	store_set_actor(store, actor);
	r = store_account_set_password(store, c->name, c->new_password, why);
	return r ? r : verify(c, store, c->new_password, why);
}

/* Ends an attempt that somebody waits for. */
static void tell(struct signin *in, struct attempt *t)
{
	in->refused += t->result == -E_DENIED;
	if (!t->result)
		make_known(in, t);
	t->tell(t->ctx, t->done ? t->result : -E_CLOSED, t->password_at_s);
	attempt_free(in, t);
}

static void on_checked(struct helper_job *j, int r, const struct why *why)
{
	const struct check *c = (struct check *)j;

	(void)why;
	if (r == -E_DENIED)
		refusals_log(c->in->refusals, &c->attempt->from, "account", "password", c->name,
		             strlen(c->name));
	c->attempt->result = r;
	c->attempt->password_at_s = c->password_at_s;
	c->attempt->done = true;
	if (c->attempt->tell)
		tell(c->in, c->attempt);
}

static void forget(char *password)
{
	if (password)
		OPENSSL_cleanse(password, strlen(password));
	free(password);
}

static void check_free(struct helper_job *j)
{
	struct check *c = (struct check *)j;

	forget(c->password);
	forget(c->new_password);
	free(c);
}

static int begin_check(struct signin *in, struct attempt *t, const struct signin_try *what)
{
	struct check *c = calloc(1, sizeof(*c));
	int r = -E_NOMEM;

	if (!c)
		return -E_NOMEM;
	c->job = (struct helper_job){.work = check, .done = on_checked, .release = check_free};
	c->in = in;
	c->attempt = t;
	memcpy(c->name, t->name, sizeof(c->name));
	c->password = strdup(what->password);
	c->new_password = what->new_password ? strdup(what->new_password) : NULL;
	if (c->password && (c->new_password || !what->new_password))
		r = helper_run(in->helper, &c->job);
	if (r)
		check_free(&c->job);
	return r;
}

int signin_start(struct helper *helper, struct refusals *refusals, struct signin **out,
                 struct why *why)
{
	struct signin *in = calloc(1, sizeof(*in));

	if (in) {
		in->rate = issue_rate_new(SIGNIN_NAME_PER_MINUTE, SIGNIN_PER_MINUTE);
		in->helper = helper;
		in->refusals = refusals;
	}
	if (!in || !in->rate) {
		signin_stop(in);
		return why_set(why, -E_NOMEM, "out of memory");
	}
	*out = in;
	return 0;
}

/* Deletes unclaimed attempts. Past max, the oldest makes room: unclaimed attempts must not keep
 * others out. */
static void forget_old(struct signin *in, unsigned max)
{
	struct attempt *t, *next;

	DL_FOREACH_SAFE(in->attempts, t, next)
	if (t->done && (now_s() - t->begun_s > ATTEMPT_S || in->attempt_n > max))
		attempt_free(in, t);
}

/* How many passwords from one prefix may wait to be checked. Rates are counted by the /64, but one
 * customer often has 65536 of these and must not fill the queue. */
static const struct {
	size_t bytes4, bytes6;
	unsigned places;
} shares[] = {
    {4, 8, SIGNIN_WAITING},      /* an address, a /64 */
    {3, 6, SIGNIN_WAITING_WIDE}, /* a /24, a /48 */
};

static bool has_share(const struct signin *in, const struct addr *from)
{
	unsigned n[sizeof(shares) / sizeof(*shares)] = {0};
	const struct attempt *t;

	DL_FOREACH (in->attempts, t) {
		/* A try whose answer was lost for lack of memory must not count for ever. */
		if (t->done || now_s() - t->begun_s > ATTEMPT_S)
			continue;
		for (size_t i = 0; i < sizeof(n) / sizeof(*n); i++) {
			n[i] += same_prefix(&t->from, from, shares[i].bytes4, shares[i].bytes6);
			if (n[i] >= shares[i].places)
				return false;
		}
	}
	return true;
}

/* Guessing one account's password from many addresses is slow, too. */
static int64_t number_of(const char *name)
{
	uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 0x100000001b3u;
	return (int64_t)(h >> 1 | 1);
}

static int try(struct signin *in, const struct addr *from, const struct signin_try *what,
               struct attempt **out, unsigned *retry_s)
{
	uint64_t now_ms = (uint64_t)now_s() * 1000;
	struct attempt *t;
	int r;

	forget_old(in, ATTEMPTS - 1);
	*retry_s = issue_rate_take(in->rate, 0, from, now_ms);
	if (!*retry_s && !has_share(in, from))
		*retry_s = 1; /* and no try of the name is counted */
	else if (!*retry_s && !is_known(in, what->name, from))
		*retry_s = issue_rate_take(in->rate, number_of(what->name), NULL, now_ms);
	if (*retry_s) {
		refusals_log(in->refusals, from, "account", "rate", what->name, strlen(what->name));
		return -E_LIMIT;
	}
	*retry_s = 1;
	if (in->attempt_n == ATTEMPTS)
		return -E_LIMIT;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -E_NOMEM;
	t->begun_s = now_s();
	t->from = *from;
	snprintf(t->name, sizeof(t->name), "%s", what->name);
	make_secret(t->secret);
	r = begin_check(in, t, what);
	if (r) {
		free(t);
		return r;
	}
	DL_APPEND(in->attempts, t);
	in->attempt_n++;
	*retry_s = 0;
	*out = t;
	return 0;
}

int signin_begin(struct signin *in, const struct addr *from, const struct signin_try *what,
                 char attempt[SIGNIN_SECRET_STRLEN], unsigned *retry_s)
{
	struct attempt *t;
	int r = try(in, from, what, &t, retry_s);

	if (!r)
		memcpy(attempt, t->secret, sizeof(t->secret));
	return r;
}

int signin_ask(struct signin *in, const struct addr *from, const struct signin_try *what,
               signin_done_fn *done, void *ctx, unsigned *retry_s)
{
	struct attempt *t;
	int r = try(in, from, what, &t, retry_s);

	if (!r) {
		t->tell = done;
		t->ctx = ctx;
	}
	return r;
}

/* A free place, or that of the login used longest ago. */
static struct login *place(struct signin *in)
{
	struct login *oldest = &in->logins[0];

	for (size_t i = 0; i < LOGINS; i++) {
		if (!*in->logins[i].secret)
			return &in->logins[i];
		if (in->logins[i].used_s < oldest->used_s)
			oldest = &in->logins[i];
	}
	return oldest;
}

int signin_claim(struct signin *in, struct store *store, const char *attempt,
                 char login[SIGNIN_SECRET_STRLEN])
{
	int64_t password_at_s = 0;
	enum store_role role;
	struct login *s;
	struct attempt *t;
	int r;

	forget_old(in, ATTEMPTS);
	DL_FOREACH (in->attempts, t)
		if (same_secret(t->secret, attempt))
			break;
	if (!t)
		return -E_DENIED;
	if (!t->done)
		return -E_LATER;
	r = t->result;
	if (!r)
		r = store_account_get(store, t->name, &role, &password_at_s, NULL);
	if (r == -E_NOTFOUND || (!r && password_at_s != t->password_at_s))
		r = -E_DENIED; /* it was changed since it was found right */
	if (!r) {
		make_known(in, t);
		s = place(in);
		memset(s, 0, sizeof(*s));
		make_secret(s->secret);
		memcpy(s->name, t->name, sizeof(s->name));
		s->password_at_s = password_at_s;
		s->opened_s = s->used_s = now_s();
		memcpy(login, s->secret, sizeof(s->secret));
	}
	in->refused += r == -E_DENIED;
	if (!r)
		log_info(NULL, "login", LOG_STR("account", t->name), LOG_ADDR("from", &t->from));
	attempt_free(in, t);
	return r;
}

static struct login *find(struct signin *in, const char *secret)
{
	struct login *found = NULL;

	for (size_t i = 0; i < LOGINS; i++)
		if (same_secret(in->logins[i].secret, secret))
			found = &in->logins[i];
	return found;
}

int signin_check(struct signin *in, struct store *store, const char *login, struct signin_who *who)
{
	struct login *s = find(in, login);
	int64_t now = now_s(), password_at_s = 0;
	int r = 0;

	if (!s)
		return -E_DENIED;
	if (now - s->opened_s <= SIGNIN_LIFE_S && now - s->used_s <= SIGNIN_IDLE_S)
		r = store_account_get(store, s->name, &who->role, &password_at_s, NULL);
	if (r && r != -E_NOTFOUND)
		return r; /* the store cannot be read just now: that ends no login */
	if (password_at_s != s->password_at_s) {
		memset(s, 0, sizeof(*s));
		return -E_DENIED;
	}
	s->used_s = now;
	memcpy(who->name, s->name, sizeof(who->name));
	return 0;
}

void signin_actor(const char *name, char actor[STORE_ACTOR_MAX])
{
	snprintf(actor, STORE_ACTOR_MAX, "account %.*s",
	         (int)utf8_fit(name, STORE_ACTOR_MAX - sizeof("account ")), name);
}

uint64_t signin_refused(const struct signin *in)
{
	return in->refused;
}

void signin_end(struct signin *in, const char *login)
{
	struct login *s = find(in, login);

	if (s)
		memset(s, 0, sizeof(*s));
}

void signin_stop(struct signin *in)
{
	if (!in)
		return;
	while (in->attempts) {
		if (in->attempts->tell)
			tell(in, in->attempts);
		else
			attempt_free(in, in->attempts);
	}
	issue_rate_free(in->rate);
	OPENSSL_cleanse(in->logins, sizeof(in->logins));
	free(in);
}

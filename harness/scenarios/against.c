/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Checks over HTTPS, and calls whose pages may use only one transport at a time.
 */
#include "harness/scenarios/against.h"

#include "base/clock.h"
#include "harness/scenarios/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define ASK_MS        10000
#define CALL_LIMIT_MS 120000
#define DAY_S         86400
#define DAYS_LEAST    3 /* a renewal by a program happens long before */

int against_init(struct against *a, const char *url, const char *api_token, bool insecure,
                 struct why *why)
{
	static const char scheme[] = "https://";
	const char *host = url + sizeof(scheme) - 1;
	size_t len, host_len;

	*a = (struct against){
	    .api_token = api_token, .insecure = insecure, .expects = {true, true, true}};
	/* The text may hold a password or a token: do not repeat it. */
	if (strncasecmp(url, scheme, sizeof(scheme) - 1) != 0)
		return why_set(why, -E_INVAL,
		               "--against wants https://HOST[:PORT]: browsers give camera and "
		               "microphone to no page of another scheme");
	len = strcspn(host, "/?#");
	host_len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#");
	if (host_len == 0 || host_len > len || (host[len] && strcmp(host + len, "/") != 0) ||
	    memchr(host, '@', len) || len > 300)
		return why_set(why, -E_INVAL,
		               "--against wants https://HOST[:PORT], and no user, path, query or "
		               "fragment (an API token is given with --key)");
	snprintf(a->url, sizeof(a->url), "%s%.*s", scheme, (int)len, host);
	snprintf(a->name, sizeof(a->name), "%.*s", (int)(host_len < 31 ? host_len : 31), host);
	a->target = (struct target){.own = true};
	snprintf(a->target.name, sizeof(a->target.name), "%s", a->name);
	return 0;
}

const char *against_page(const struct against *a, const char *name, char *buf, size_t size)
{
	snprintf(buf, size, "%s/%s", a->url, name);
	return buf;
}

/* *answer is the caller's to free. */
static int ask(const struct against *a, const char *path, const char *post, bool insecure,
               struct http_answer **answer, struct why *why)
{
	struct http_request req = {
	    .post = post, .api_token = a->api_token, .insecure = insecure, .limit_ms = ASK_MS};
	char url[sizeof(a->url) + 64];
	struct why detail = {""};
	int err;

	snprintf(url, sizeof(url), "%s%s", a->url, path);
	req.url = url;
	*answer = calloc(1, sizeof(**answer));
	err = *answer ? http_ask(&req, *answer, &detail) : -E_NOMEM;
	return err == 0 ? 0 : why_set(why, err, "%s: %s", url, detail.text);
}

static bool offers_relay(const struct offer *o)
{
	bool turn = false;

	for (size_t i = 0; i < o->n; i++)
		turn = turn || o->entry[i].turn;
	return turn;
}

void against_ask(struct against *a)
{
	struct http_answer *answer;
	struct why why;
	/* The certificate is judged in a cell of its own. */
	int err = ask(a, "/api/v1/ice-servers", "{}", true, &answer, &why);

	if (err != 0)
		snprintf(a->no_relay, sizeof(a->no_relay),
		         "does not answer: %.200s; most likely: it does not run. Look at: its log.",
		         why.text);
	else if (answer->status == 401 || answer->status == 403)
		snprintf(a->no_relay, sizeof(a->no_relay), "%s",
		         a->api_token
		             ? "refuses the API token; most likely: it is mistyped or "
		               "deleted. Look at: 'turnpike token list', and make another with "
		               "'turnpike token add'."
		             : "gives none to guests; most likely: guests need an API token: "
		               "give --key. Look at: 'turnpike token add', which makes one.");
	else if (answer->status / 100 != 2)
		snprintf(
		    a->no_relay, sizeof(a->no_relay),
		    "answers /api/v1/ice-servers with status %ld; most likely: it is no Turnpike. "
		    "Look at: what listens there.",
		    answer->status);
	else if (offer_parse_text(answer->body, &a->target.offer, NULL, &why) != 0)
		snprintf(a->no_relay, sizeof(a->no_relay),
		         "its answer is malformed: %.200s; most likely: it is no Turnpike. Look "
		         "at: what "
		         "listens there.",
		         why.text);
	else if (!offers_relay(&a->target.offer))
		snprintf(a->no_relay, sizeof(a->no_relay),
		         "there is no turn: URI among them; most likely: "
		         "it listens nowhere. Look at: its option listen.");
	free(answer);
}

/* ---- the server itself ---- */

static void judge_certificate(const struct against *a, const struct http_answer *answer,
                              struct result *r)
{
	long days = (long)((answer->cert_expires_s - time(NULL)) / DAY_S);

	if (!answer->cert_expires_s)
		return;
	result_measure(r, "certificate", (double)days, "days");
	snprintf(r->path, sizeof(r->path), "certificate %s in %ld days%s",
	         days < 0 ? "has expired:" : "expires", days, a->insecure ? ", not verified" : "");
	if (days < DAYS_LEAST)
		result_fail(r,
		            "The certificate should be good for %d days at least, but %s in %ld "
		            "days; most likely: its renewal does not run. Look at: what renews it, "
		            "and whether it has the server reload (SIGHUP).",
		            DAYS_LEAST, days < 0 ? "expired" : "expires", days);
}

static void ask_well(const struct against *a, const char *path, bool insecure,
                     struct http_answer **answer, struct result *r)
{
	struct why why;
	int err = ask(a, path, NULL, insecure, answer, &why);

	if (err == -E_DENIED && !insecure)
		result_fail(r,
		            "The certificate should verify, but it does not: %s; most likely: it "
		            "is self-made, or for another name, and guests' browsers refuse it. "
		            "Look at: tls_cert of the server; --insecure lets it pass.",
		            why.text);
	else if (err != 0)
		result_fail(r,
		            "%s should answer, but does not: %s; most likely: the server does not "
		            "run, or a firewall is in the way. Look at: its log, and whether this "
		            "port is open.",
		            path, why.text);
	else if ((*answer)->status == 503)
		result_fail(r,
		            "%s should answer 200, but answers 503; most likely: the server is "
		            "draining before it stops. Look at: who has sent it SIGTERM.",
		            path);
	else if ((*answer)->status != 200)
		result_fail(r,
		            "%s should answer 200, but answers %ld; most likely: another server "
		            "(or proxy) answers at this address. Look at: what listens there.",
		            path, (*answer)->status);
}

static void play_server(struct stage *st)
{
	const struct against *a = st->opt->against;
	struct http_answer *answer = NULL;
	int64_t start = clock_mono_ms();
	bool insecure = a->insecure;

	stage_step(st, "asking %s/healthz", a->url);
	ask_well(a, "/healthz", insecure, &answer, st->result);
	result_measure(st->result, "healthz", (double)(clock_mono_ms() - start), "ms");
	if (answer && answer->status == 200)
		judge_certificate(a, answer, st->result);
	free(answer);
	if (st->result->state == RESULT_FAILED)
		return; /* the rest would only say the same again */
	stage_step(st, "asking %s/readyz", a->url);
	ask_well(a, "/readyz", insecure, &answer, st->result);
	free(answer);
}

/* ---- calls ---- */

/* Adds the signs that a failure comes from the ICE servers that the page got. */
static void explain(struct stage *st)
{
	for (int i = 0; i < LAB_SIDES; i++) {
		json_t *value = NULL;
		const char *text;
		struct why why;

		if (!st->browser[i] ||
		    browser_eval(st->browser[i],
		                 "(() => { const n = document.querySelector('#notice');"
		                 " return n && !n.hidden ? n.textContent.trim() : ''; })()",
		                 ASK_MS, &value, &why) != 0)
			continue;
		text = json_string_value(value);
		if (text && *text)
			result_fail(st->result, "%s's page says: %.200s", st->mark[i].name, text);
		json_decref(value);
	}
}

static void play_call(struct stage *st)
{
	scenario_call(st);
	if (st->result->state == RESULT_FAILED)
		explain(st);
}

/* ---- the ways to its relay, as a whole ---- */

/* Why a server offers no way of this kind. */
static const struct {
	const char *cause, *look;
} no_way[OFFER_TRANSPORTS] = {
    [OFFER_UDP] = {"it listens nowhere on UDP", "its option listen"},
    [OFFER_TCP] = {"it does not listen on TCP where it does on UDP, so that nobody behind a "
                   "firewall that blocks UDP has a call",
                   "its option listen"},
    [OFFER_TLS] = {"it has no certificate from outside, without which it gives away no turns: URI",
                   "its option tls_cert or acme"},
};

static bool offers(const struct offer *o, enum offer_transport transport)
{
	for (size_t i = 0; i < o->n; i++) {
		if (o->entry[i].turn && o->entry[i].transport == transport)
			return true;
	}
	return false;
}

/* A call does not notice a transport that the page was never told of, so this asks for each by
 * itself. */
static void play_transports(struct stage *st)
{
	const struct against *a = st->opt->against;
	struct result *r = st->result;

	for (enum offer_transport t = 0; t < OFFER_TRANSPORTS; t++) {
		const char *word = offer_transport_word(t);
		size_t len = strlen(r->path);

		if (offers(&a->target.offer, t))
			snprintf(r->path + len, sizeof(r->path) - len, "%s%s",
			         len ? ", " : "relay over ", word);
		else if (a->expects[t])
			result_fail(r,
			            "The server should offer its relay over %s, but no TURN URI of "
			            "it does; most likely: %s. Look at: %s. If it is meant so, say "
			            "with --expect which ones there are.",
			            word, no_way[t].cause, no_way[t].look);
	}
}

static void play_no_relay(struct stage *st)
{
	result_fail(st->result,
	            "The server should give a page ICE servers for a relayed call, but %s",
	            st->opt->against->no_relay);
}

static const struct scenario server = {
    .name = "against-server",
    .purpose = "health, readiness and certificate",
    .group = GROUP_AGAINST,
    .play = play_server,
    .limit_ms = 3 * ASK_MS,
    .no_pages = true,
};

static const struct scenario transports = {
    .name = "against-transports",
    .purpose = "the relay is offered over every transport that is expected",
    .group = GROUP_AGAINST,
    .play = play_transports,
    .limit_ms = ASK_MS,
    .no_pages = true,
};

static const struct scenario direct = {
    .name = "against-direct",
    .purpose = "a call from here to here, signaled by the server",
    .group = GROUP_AGAINST,
    .play = play_call,
    .expect = {.path = PATH_DIRECT},
    .limit_ms = CALL_LIMIT_MS,
};

static const struct scenario check = {
    .name = "against-check",
    .purpose = "what the server's self-test page finds from here",
    .group = GROUP_AGAINST,
    .page_query = "check",
    .play = scenario_check_sound,
    .limit_ms = CALL_LIMIT_MS,
};

static const struct scenario relay = {
    .name = "against-relay",
    .purpose = "both ends bound to the relay, reached in this one way",
    .group = GROUP_AGAINST,
    .play = play_call,
    .limit_ms = CALL_LIMIT_MS,
};

static const struct scenario no_relay = {
    .name = "against-relay",
    .purpose = "calls over the relay",
    .group = GROUP_AGAINST,
    .play = play_no_relay,
    .limit_ms = CALL_LIMIT_MS,
    .no_pages = true,
};

static struct cell cell_of(const struct against *a, const struct scenario *s,
                           const struct plan_options *opt)
{
	struct cell c = {.scenario = s, .target = &a->target, .expect = s->expect};

	snprintf(c.name, sizeof(c.name), "%s", s->name);
	memcpy(c.product, opt->product, sizeof(c.product));
	return c;
}

static int add_relays(struct plan *plan, const struct against *a, const struct plan_options *opt,
                      struct why *why)
{
	int err = 0;

	for (size_t i = 0; i < a->target.offer.n && err == 0; i++) {
		const struct offer_entry *e = &a->target.offer.entry[i];
		const char *word = offer_transport_word(e->transport);
		struct cell c = cell_of(a, &relay, opt);

		if (!e->turn)
			continue;
		snprintf(c.name, sizeof(c.name), "%s-%s-%u", relay.name, word, e->port);
		for (size_t k = 0; k < plan->n; k++) {
			/* A server that is known by several names or addresses. */
			if (!strcmp(plan->cell[k].name, c.name))
				snprintf(c.name, sizeof(c.name), "%s-%s-%u-%zu", relay.name, word,
				         e->port, i);
		}
		c.only = e;
		c.expect = (struct call_expect){
		    .path = PATH_RELAY, .relay_protocol = {word, word}, .both_legs = true};
		err = plan_add(plan, &c, why);
	}
	return err;
}

int against_plan(struct plan *plan, const struct against *a, const struct plan_options *opt,
                 struct why *why)
{
	struct cell cell = cell_of(a, &server, opt);
	int err;

	*plan = (struct plan){.n = 0};
	err = plan_add(plan, &cell, why);
	cell = cell_of(a, &transports, opt);
	if (err == 0 && !a->no_relay[0])
		err = plan_add(plan, &cell, why);
	cell = cell_of(a, &direct, opt);
	if (err == 0)
		err = plan_add(plan, &cell, why);
	cell = cell_of(a, &no_relay, opt);
	if (err == 0 && a->no_relay[0])
		err = plan_add(plan, &cell, why);
	cell = cell_of(a, &check, opt);
	if (err == 0 && !a->no_relay[0])
		err = plan_add(plan, &cell, why);
	if (err == 0)
		err = add_relays(plan, a, opt, why);
	if (err == 0)
		err = plan_choose(plan, opt, why);
	if (err == -E_INVAL && a->no_relay[0]) {
		struct why detail = *why;

		why_set(why, err, "%.150s; of calls over the relay the server %.300s", detail.text,
		        a->no_relay);
	}
	if (err != 0)
		plan_free(plan);
	return err;
}

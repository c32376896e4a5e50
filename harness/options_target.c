/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From --target, --turn and --ice-servers to targets.
 */
#include "harness/options_target.h"

#include "harness/scenarios/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FETCH_MS 10000

/* The wanted path, or the first in PATH and where an ordinary user's PATH does not look. */
static int find_coturn(const char *wanted, char path[PATH_MAX])
{
	char dirs[4096], candidate[PATH_MAX];
	const char *env = getenv("PATH");
	char *save;

	if (wanted) {
		if (realpath(wanted, path) && access(path, X_OK) == 0)
			return EXIT_PASSED;
		return options_error("there is no program %s: name coturn's turnserver with "
		                     "--coturn",
		                     wanted);
	}
	snprintf(dirs, sizeof(dirs), "%s:/usr/bin:/usr/sbin", env ? env : "");
	for (char *d = strtok_r(dirs, ":", &save); d; d = strtok_r(NULL, ":", &save)) {
		snprintf(candidate, sizeof(candidate), "%.4000s/turnserver", d);
		if (access(candidate, X_OK) == 0 && realpath(candidate, path))
			return EXIT_PASSED;
	}
	return options_error("coturn is not installed: install the Debian package coturn, or name "
	                     "its turnserver with --coturn");
}

static int add_word(struct options *o, const struct said_target *said, const char *word)
{
	struct plan_options *p = &o->plan;
	struct target *t = &o->target[o->target_n];

	if (p->target_n == TARGETS_MAX)
		return options_error("--target names more than %d", TARGETS_MAX);
	for (size_t i = 0; i < p->target_n; i++) {
		if (!strcmp(p->target[i]->name, word))
			return options_error("--target names %s twice", word);
	}
	if (!strcmp(word, target_turnpike.name)) {
		p->target[p->target_n++] = &target_turnpike;
		return EXIT_PASSED;
	}
	if (strcmp(word, "coturn") != 0)
		return options_error("there is no target %s: say turnpike or coturn, or name any "
		                     "other server with --turn or --ice-servers",
		                     word);
	if (find_coturn(said->coturn, o->coturn) != EXIT_PASSED)
		return EXIT_USAGE;
	target_coturn(t, o->coturn);
	o->target_n++;
	p->target[p->target_n++] = t;
	return EXIT_PASSED;
}

/* Every user of the machine can read the command line in the list of processes. */
static void wipe(char *word)
{
	memset(word, '*', strlen(word));
}

/* ---- any other server ---- */

static json_t *servers_of_words(const struct said_target *said)
{
	json_t *urls = json_array(), *servers;

	for (size_t i = 0; i < said->turn_n; i++)
		json_array_append_new(urls, json_string(said->turn[i]));
	servers = json_pack("[{s:o, s:s, s:s}]", "urls", urls, "username", said->user, "credential",
	                    said->credential);
	wipe(said->credential);
	return servers;
}

/* *text is the caller's to free. */
static int read_file(const char *path, char **text, struct why *why)
{
	FILE *f = fopen(path, "re");
	size_t size = 0;
	int err = 0;

	if (!f)
		return why_set(why, -E_IO, "%s", strerror(errno));
	if (getdelim(text, &size, '\0', f) < 0)
		err = why_set(why, -E_IO, "%s", ferror(f) ? strerror(errno) : "it is empty");
	fclose(f);
	return err;
}

static int fetch(const char *url, char **text, struct why *why)
{
	struct http_request req = {.url = url, .limit_ms = FETCH_MS};
	struct http_answer *a = calloc(1, sizeof(*a));
	int err = a ? http_ask(&req, a, why) : why_set(why, -E_NOMEM, "out of memory");

	if (err == 0 && a->status != 200)
		err = why_set(why, -E_IO, "it answers with status %ld", a->status);
	if (err == 0 && !(*text = strdup(a->body)))
		err = why_set(why, -E_NOMEM, "out of memory");
	free(a);
	return err;
}

static int read_servers(const char *from, struct offer *offer, json_t **servers, struct why *why)
{
	bool url = !strncmp(from, "http://", 7) || !strncmp(from, "https://", 8);
	char *text = NULL;
	int err = url ? fetch(from, &text, why) : read_file(from, &text, why);

	if (err == 0)
		err = offer_parse_text(text, offer, servers, why);
	free(text);
	return err;
}

static int add_other(struct options *o, const struct said_target *said)
{
	struct target *t = &o->target[o->target_n];
	json_t *servers = NULL;
	struct offer offer;
	struct why why;
	int err;

	if (said->turn_n > 0 && said->ice_servers)
		return options_error("--turn and --ice-servers name two servers: give one of them");
	if (said->turn_n > 0 && (!said->user || !said->credential))
		return options_error("--turn needs --user and --credential");
	if (!said->start)
		return options_error("the lab has no way to servers outside: say with --start how "
		                     "to start this one in it (for a deployed Turnpike there is "
		                     "--against)");
	if (o->plan.target_n == TARGETS_MAX)
		return options_error("more than %d targets", TARGETS_MAX);
	if (said->turn_n > 0) {
		json_t *words = servers_of_words(said);

		err = offer_parse(words, &offer, &servers, &why);
		json_decref(words);
	} else {
		err = read_servers(said->ice_servers, &offer, &servers, &why);
	}
	if (err == 0 && offer.n == 0)
		err = why_set(&why, -E_PARSE, "no browser speaks what it offers");
	if (err != 0) {
		json_decref(servers);
		return options_error("%s%s%s", said->turn_n ? "--turn" : said->ice_servers, ": ",
		                     why.text);
	}
	target_command(t, said->start, servers, &offer);
	o->target_n++;
	o->plan.target[o->plan.target_n++] = t;
	return EXIT_PASSED;
}

static int expect_transports(struct against *a, char *words)
{
	char *save;

	memset(a->expects, 0, sizeof(a->expects));
	for (char *w = strtok_r(words, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		enum offer_transport t = 0;

		while (t < OFFER_TRANSPORTS && strcmp(w, offer_transport_word(t)) != 0)
			t++;
		if (t == OFFER_TRANSPORTS)
			return options_error("there is no transport %s to a relay: say udp, tcp or "
			                     "tls",
			                     w);
		a->expects[t] = true;
	}
	return EXIT_PASSED;
}

/* Questions that a deployed server answers otherwise than a lab. */
static int against(struct options *o, const struct said_target *said)
{
	char *api_token = said->api_token ? said->api_token : getenv("TURNPIKE_KEY");
	const struct plan_options *p = &o->plan;
	struct why why;

	if (said->targets || said->turn_n > 0 || said->ice_servers || said->start)
		return options_error("--against takes a deployed server as it is: no --target, "
		                     "--turn, --ice-servers or --start");
	for (int i = 0; i < GROUPS; i++) {
		if (p->group[i] || p->kinds_n > 0)
			return options_error("--against builds no lab: no --calls, --matrix, "
			                     "--faults, --all or --kinds");
	}
	o->against = malloc(sizeof(*o->against));
	if (!o->against)
		return options_error("out of memory");
	if (api_token && strlen(api_token) >= sizeof(o->api_token))
		return options_error("--key is longer than any API token");
	if (api_token) {
		snprintf(o->api_token, sizeof(o->api_token), "%s", api_token);
		wipe(api_token);
	}
	unsetenv("TURNPIKE_KEY"); /* no browser needs to inherit it */
	if (against_init(o->against, said->against, o->api_token[0] ? o->api_token : NULL,
	                 said->insecure, &why) != 0)
		return options_error("%s", why.text);
	return said->expect ? expect_transports(o->against, said->expect) : EXIT_PASSED;
}

int options_target(struct options *o, const struct said_target *said)
{
	bool other = said->turn_n > 0 || said->ice_servers;
	int status = EXIT_PASSED;
	char *save;

	if (said->against)
		return against(o, said);
	if (said->api_token || said->insecure || said->expect)
		return options_error("--key, --expect and --insecure belong to --against");
	if (!other && (said->user || said->credential || said->start))
		return options_error("--user, --credential and --start belong to --turn or "
		                     "--ice-servers");
	for (char *word = said->targets ? strtok_r(said->targets, ",", &save) : NULL;
	     word && status == EXIT_PASSED; word = strtok_r(NULL, ",", &save))
		status = add_word(o, said, word);
	if (status == EXIT_PASSED && said->targets && o->plan.target_n == 0)
		status = options_error("--target names none");
	if (status == EXIT_PASSED && other)
		status = add_other(o, said);
	return status;
}

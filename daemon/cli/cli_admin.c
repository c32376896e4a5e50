/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The verbs that ask the running server, through its admin socket.
 */
#include "base/text.h"
#include "daemon/admin/admin_socket.h"
#include "daemon/cli/cli_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PAGE 500

static json_int_t number(const json_t *of, const char *name)
{
	return json_integer_value(json_object_get(of, name));
}

static const char *raw(const json_t *of, const char *name)
{
	const char *s = json_string_value(json_object_get(of, name));

	return s ? s : "";
}

/* Whoever answers on the socket: nothing of it commands the terminal. */
static const char *text(const json_t *of, const char *name)
{
	return cli_shown(raw(of, name));
}

/* Exit status; *result is set when that is 0. Steals args. */
static int ask(const struct cli *cli, const char *verb, json_t *args, json_t **result,
               struct why *why)
{
	return admin_ask(cli->conf.data, verb, args, result, why) ? CLI_EXIT_FAIL : 0;
}

/* 1234567 bytes as "1.2 MB". */
static const char *bytes(json_int_t n, char buf[24])
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
	double x = (double)n;
	size_t u = 0;

	for (; x >= 1000 && u + 1 < sizeof(units) / sizeof(*units); u++)
		x /= 1000;
	snprintf(buf, 24, u ? "%.1f %s" : "%.0f %s", x, units[u]);
	return buf;
}

static const char *duration(json_int_t s, char buf[24])
{
	if (s < 60)
		snprintf(buf, 24, "%" JSON_INTEGER_FORMAT "s", s);
	else if (s < 3600)
		snprintf(buf, 24, "%" JSON_INTEGER_FORMAT "m%02ds", s / 60, (int)(s % 60));
	else
		snprintf(buf, 24, "%" JSON_INTEGER_FORMAT "h%02dm", s / 3600, (int)(s % 3600 / 60));
	return buf;
}

int cli_status(struct cli *cli, struct why *why)
{
	char a[24], b[24];
	json_t *r;
	int status = ask(cli, "status", NULL, &r, why);

	if (status)
		return status;
	if (cli->flags & FLAG_JSON)
		return cli_print_json(r, why);
	printf("turnpike %s, process %d, up %s, %d workers%s\n", text(r, "version"),
	       (int)number(r, "pid"), duration(number(r, "uptime_s"), a), (int)number(r, "workers"),
	       json_is_true(json_object_get(r, "draining")) ? ", draining" : "");
	printf("allocations  %" JSON_INTEGER_FORMAT " now, %" JSON_INTEGER_FORMAT
	       " since the start\n",
	       number(r, "allocations"), number(r, "allocations_made"));
	printf("signaling    %" JSON_INTEGER_FORMAT " connections, %" JSON_INTEGER_FORMAT
	       " calls\n",
	       number(r, "signal_connections"), number(r, "signal_calls"));
	printf("to peers     %s/s, %s since the start\n",
	       bytes(number(r, "to_peer_bytes_per_s"), a), bytes(number(r, "to_peer_bytes"), b));
	printf("to clients   %s/s, %s since the start\n",
	       bytes(number(r, "to_client_bytes_per_s"), a),
	       bytes(number(r, "to_client_bytes"), b));
	json_decref(r);
	return 0;
}

/* The address alone on standard output, for whoever hands it on. */
int cli_link(struct cli *cli, struct why *why)
{
	const char *elsewhere;
	json_t *r;
	int status = ask(cli, "link", NULL, &r, why);

	if (status)
		return status;
	if (cli->flags & FLAG_JSON)
		return cli_print_json(r, why);
	puts(text(r, "url"));
	elsewhere = text(r, "elsewhere");
	fputs(
	    "It lets one browser in, once, within an hour. The other end of a call needs a link of "
	    "its own.\n",
	    stderr);
	if (*elsewhere && strcmp(elsewhere, text(r, "url")) != 0)
		fprintf(stderr, "On another machine it is %s\n", elsewhere);
	json_decref(r);
	return 0;
}

/* Line by line as it is, but for what would command the terminal. */
int cli_metrics(struct cli *cli, struct why *why)
{
	const char *at, *end;
	json_t *r;
	int status = ask(cli, "metrics", NULL, &r, why);

	if (status)
		return status;
	for (at = raw(r, "text"); *at; at = end + (*end == '\n')) {
		end = at + strcspn(at, "\n");
		if (text_is_printable(at, (size_t)(end - at)))
			printf("%.*s\n", (int)(end - at), at);
	}
	json_decref(r);
	return 0;
}

static void print_session(const json_t *s)
{
	const char *relayed = json_string_value(json_array_get(json_object_get(s, "relayed"), 0));
	char age[24], up[24], down[24];

	printf("%-10s  %-24s  %-5s %-22s ", text(s, "id"), text(s, "user"), text(s, "transport"),
	       text(s, "client"));
	printf("%-22s %8s %5d %10s %10s\n", cli_shown(relayed ? relayed : ""),
	       duration(number(s, "age_s"), age), (int)number(s, "peers"),
	       bytes(number(s, "to_peer_bytes"), up), bytes(number(s, "to_client_bytes"), down));
}

/* All pages of them. */
int cli_get_sessions(struct cli *cli, const char *user, int64_t secret, json_t **out,
                     struct why *why)
{
	json_t *all = json_array(), *page, *args;
	char after[64] = "";
	bool complete = true;
	int status;

	do {
		args = json_pack("{si ss* ss*}", "limit", PAGE, "after", *after ? after : NULL,
		                 "user", user);
		if (args && secret)
			json_object_set_new(args, "secret", json_integer(secret));
		status = ask(cli, "sessions", args, &page, why);
		if (status) {
			json_decref(all);
			return status;
		}
		json_array_extend(all, json_object_get(page, "sessions"));
		complete &= json_is_true(json_object_get(page, "complete"));
		snprintf(after, sizeof(after), "%s", raw(page, "next"));
		json_decref(page);
	} while (*after);
	if (!complete)
		fputs("turnpike: a relay worker has not answered: its sessions are missing\n",
		      stderr);
	*out = all;
	return 0;
}

void cli_print_sessions(const json_t *sessions)
{
	json_t *s;
	size_t i;

	printf("%-10s  %-24s  %-5s %-22s %-22s %8s %5s %10s %10s\n", "session", "user", "by",
	       "client", "relayed", "age", "peers", "to peers", "to client");
	json_array_foreach (sessions, i, s)
		print_session(s);
}

int cli_sessions(struct cli *cli, struct why *why)
{
	json_t *all;
	int64_t secret = 0;
	int status = cli->secret ? cli_parse_id(cli->secret, "secret list", &secret, why) : 0;

	if (!status)
		status = cli_get_sessions(cli, cli->user, secret, &all, why);
	if (status)
		return status;
	if (cli->flags & FLAG_JSON)
		return cli_print_json(all, why);
	if (json_array_size(all))
		cli_print_sessions(all);
	else
		fputs("no sessions\n", stderr);
	json_decref(all);
	return 0;
}

/* Says the sentence, or prints the result. */
static int act(struct cli *cli, const char *verb, json_t *args, const char *done, struct why *why)
{
	json_t *r;
	int status = ask(cli, verb, args, &r, why);

	if (status)
		return status;
	if (cli->flags & FLAG_JSON)
		return cli_print_json(r, why);
	fprintf(stderr, "%s\n", done);
	json_decref(r);
	return 0;
}

int cli_close(struct cli *cli, struct why *why)
{
	char done[96];

	snprintf(done, sizeof(done), "session %.32s closed", cli->words[0]);
	return act(cli, "session close", json_pack("{ss}", "id", cli->words[0]), done, why);
}

int cli_drain(struct cli *cli, struct why *why)
{
	json_t *r;
	int status = ask(cli, "drain", NULL, &r, why);

	if (status)
		return status;
	if (cli->flags & FLAG_JSON)
		return cli_print_json(r, why);
	fprintf(stderr,
	        "draining: no new allocations, %" JSON_INTEGER_FORMAT
	        " go on; turnpike drain cancel ends it\n",
	        number(r, "allocations"));
	json_decref(r);
	return 0;
}

int cli_drain_cancel(struct cli *cli, struct why *why)
{
	return act(cli, "drain cancel", NULL, "new allocations are taken again", why);
}

int cli_log_level(struct cli *cli, struct why *why)
{
	return act(cli, "log level", json_pack("{ss}", "level", cli->words[0]),
	           "the log level is changed until the next reload or start", why);
}

/* "13:14:15.123", of today or whenever. */
static const char *clock_time(double at, char buf[24])
{
	time_t t = (time_t)at;
	struct tm tm;
	size_t n = localtime_r(&t, &tm) ? strftime(buf, 24, "%H:%M:%S", &tm) : 0;

	snprintf(buf + n, 24 - n, ".%03d", (int)((at - (double)t) * 1000));
	return buf;
}

static void print_event(const json_t *e)
{
	json_int_t count = number(e, "count");
	char at[24], last[24];

	printf("%s  %-9s  %-10s  %s", clock_time(json_number_value(json_object_get(e, "at")), at),
	       text(e, "source"), text(e, "of"), text(e, "text"));
	if (count > 1)
		printf(" (%" JSON_INTEGER_FORMAT " times, last %s)", count,
		       clock_time(json_number_value(json_object_get(e, "last_at")), last));
	putchar('\n');
}

int cli_explain(struct cli *cli, struct why *why)
{
	const char *session = cli->word_n ? cli->words[0] : NULL;
	json_t *r, *e;
	int status;
	size_t i;

	if (!!session + !!cli->user + !!cli->call != 1)
		return why_set(why, CLI_EXIT_USE,
		               "explain: write turnpike explain SESSION, --user NAME or --call ID; "
		               "turnpike sessions and turnpike calls list them");
	status = ask(
	    cli, "explain",
	    json_pack("{ss* ss* ss*}", "session", session, "user", cli->user, "call", cli->call),
	    &r, why);
	if (status)
		return status;
	if (cli->flags & FLAG_JSON)
		return cli_print_json(r, why);
	json_array_foreach (json_object_get(r, "events"), i, e)
		print_event(e);
	printf("\n%s\n", text(r, "verdict"));
	json_decref(r);
	return 0;
}

int cli_calls(struct cli *cli, struct why *why)
{
	json_t *r, *c;
	char at[24];
	size_t i;
	int status = ask(cli, "calls", NULL, &r, why);

	if (status)
		return status;
	if (cli->flags & FLAG_JSON)
		return cli_print_json(r, why);
	json_array_foreach (json_object_get(r, "calls"), i, c)
		printf("%-8s  %s  %s -> %s  %s, %d and %d candidates%s\n", text(c, "id"),
		       clock_time(json_number_value(json_object_get(c, "begun_at")), at),
		       text(c, "from"), text(c, "to"),
		       number(c, "answers") ? "answered" : "not answered",
		       (int)number(c, "candidates_from"), (int)number(c, "candidates_to"),
		       json_is_true(json_object_get(c, "live")) ? ", goes on" : "");
	if (!json_array_size(json_object_get(r, "calls")))
		fputs("no calls\n", stderr);
	json_decref(r);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The verbs of administration (daemon/admin/verb.h) on the command line: the running server is
 * asked, and where none runs, the verb's function works on the store.
 *
 * What is to be kept secret is printed alone on standard output; the words about it go to
 * standard error.
 */
#include "base/rights.h"
#include "daemon/admin/admin_socket.h"
#include "daemon/admin/verb.h"
#include "daemon/cli/cli_internal.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_SIZE 8192 /* of what is read */

const char *cli_actor(char buf[CLI_ACTOR_STRLEN])
{
	snprintf(buf, CLI_ACTOR_STRLEN, "cli uid %u", (unsigned)getuid());
	return buf;
}

/* A verb that only reads does not make a store in a mistyped directory. */
int cli_open_store(struct cli *cli, bool make, struct store **s, struct why *why)
{
	const struct store_options options = {.must_exist = !make};
	char path[PATH_MAX];
	bool is_new;

	snprintf(path, sizeof(path), "%s/turnpike.db", cli->conf.data);
	is_new = access(path, F_OK) && errno == ENOENT;
	if (store_open(cli->conf.data, &options, s, why))
		return CLI_EXIT_FAIL;
	store_set_actor(*s, cli_actor(cli->actor));
	/* Right before the first start; later it means that no server reads this directory. */
	if (is_new)
		fprintf(
		    stderr,
		    "turnpike: made the new database %s: if your server uses another directory, "
		    "name that with --data (or the server's file with --config)\n",
		    path);
	return 0;
}

/* All of it, without the newline at its end. Exit status. */
static int read_all(int fd, const char *from, char *buf, size_t cap, const char *what,
                    struct why *why)
{
	size_t len = 0;
	ssize_t n;

	while (len < cap) {
		n = read(fd, buf + len, cap - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return why_set(why, CLI_EXIT_FAIL, "cannot read the %s from %s: %s", what,
			               from, strerror(errno));
		if (!n)
			break;
		len += (size_t)n;
	}
	if (len == cap)
		return why_set(why, CLI_EXIT_FAIL, "the %s in %s is too long", what, from);
	buf[len] = 0;
	if (strlen(buf) != len)
		return why_set(why, CLI_EXIT_FAIL, "the %s in %s holds a NUL byte", what, from);
	if (len && buf[len - 1] == '\n')
		buf[--len] = 0;
	if (len && buf[len - 1] == '\r')
		buf[--len] = 0;
	return 0;
}

/* The exit status for an error code. */
static int exit_status(int r)
{
	return r == -E_PARSE ? CLI_EXIT_USE : r ? CLI_EXIT_FAIL : 0;
}

/* The caller named the file, so it is opened with their rights. */
static int read_file(const char *path, char *buf, size_t cap, const char *what, struct why *why)
{
	struct rights before = rights_raise();
	int fd = open(path, O_RDONLY | O_CLOEXEC), error = errno, status;

	rights_lower(before);
	if (fd < 0)
		return why_set(why, CLI_EXIT_FAIL, "%.300s: %s", path, strerror(error));
	status = read_all(fd, path, buf, cap, what, why);
	close(fd);
	return status;
}

static int read_text(const struct verb_arg *arg, const char *path, json_t **out, struct why *why)
{
	char text[TEXT_SIZE];
	int status = arg->type == VERB_FILE ? read_file(path, text, sizeof(text), arg->name, why)
	                                    : read_all(STDIN_FILENO, "standard input", text,
	                                               sizeof(text), arg->name, why);

	if (!status && !(*out = json_string(text)))
		status = why_set(why, CLI_EXIT_FAIL, "the %s is not valid UTF-8", arg->name);
	explicit_bzero(text, sizeof(text));
	return status;
}

/* Exit status; *out is new. */
static int make_args(const struct cli *cli, json_t **out, struct why *why)
{
	const struct verb *v = cli->verb;
	const struct verb_arg *arg;
	int status = 0;

	*out = json_object();
	for (size_t i = 0; !status && (arg = verb_arg(v, i)); i++) {
		const char *text = cli_text(cli, arg->name);
		json_t *value = NULL;

		if (arg->flags & ARG_REALM)
			text = cli->conf.realm.v[0];
		if (!text)
			continue;
		if (arg->type == VERB_SECRET || arg->type == VERB_FILE)
			status = read_text(arg, text, &value, why);
		else
			status = exit_status(verb_parse(v, arg, text, &value, why));
		if (!status)
			json_object_set_new(*out, arg->name, value);
	}
	return status ? status : exit_status(verb_check(v, *out, why));
}

/* Runs the verb here, without a server. */
static int call_here(struct cli *cli, const json_t *args, json_t **result, struct why *why)
{
	const struct verb *v = cli->verb;
	struct conf_live live = {.conf = cli->conf, .sources = cli->sources, .input = &cli->input};
	struct admin admin = {.live = &live};
	const struct admin_actor actor = {
	    .name = cli->actor, .role = STORE_ROLE_ADMIN, .on_host = true};
	struct admin_answer answer = {.result = NULL};
	int r;

	if (cli_open_store(cli, v->flags & VERB_MAKES_STORE, &admin.store, why))
		return -E_IO;
	r = admin_call(&admin, &actor, v->name, args, &answer);
	store_close(admin.store);
	if (r)
		*why = answer.why;
	*result = answer.result;
	return r;
}

static int call(struct cli *cli, json_t *args, json_t **result, struct why *why)
{
	int r = admin_ask(cli->conf.data, cli->verb->name, json_incref(args), result, why);

	return r == -E_CLOSED && !(cli->verb->flags & VERB_NEEDS_SERVER)
	           ? call_here(cli, args, result, why)
	           : r;
}

static bool has_pages(const struct verb *v)
{
	const struct verb_arg *arg;

	for (size_t i = 0; (arg = verb_arg(v, i)); i++)
		if (arg->flags & ARG_PAGE)
			return true;
	return false;
}

/* All pages as one. */
static int call_for_all(struct cli *cli, json_t *args, json_t **all, struct why *why)
{
	const char *list = cli->verb->text.list;
	bool pages = has_pages(cli->verb);
	json_t *next, *page;
	int r;

	*all = NULL;
	do {
		if (pages)
			json_object_set_new(args, "limit", json_integer(VERB_PAGE_MAX));
		r = call(cli, args, &page, why);
		if (r)
			break;
		next = json_object_get(page, "next");
		if (pages && json_is_string(next))
			json_object_set(args, "after", next);
		if (*all) {
			json_array_extend(json_object_get(*all, list), json_object_get(page, list));
			if (json_is_false(json_object_get(page, "complete")))
				json_object_set_new(*all, "complete", json_false());
		} else {
			*all = json_incref(page);
		}
		pages &= json_is_string(next);
		json_decref(page);
	} while (pages);
	if (!r && json_object_get(*all, "next"))
		json_object_set_new(*all, "next", json_null());
	return r;
}

int cli_run_verb(struct cli *cli, struct why *why)
{
	json_t *args = NULL, *answer = NULL;
	int status = make_args(cli, &args, why);

	if (!status)
		status = exit_status(call_for_all(cli, args, &answer, why));
	if (!status && cli->json)
		status = cli_print_json(json_incref(answer), why);
	else if (!status)
		cli_print_answer(cli->verb, answer);
	json_decref(answer);
	json_decref(args);
	return status;
}

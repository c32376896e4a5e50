/* SPDX-License-Identifier: BSD-3-Clause
 *
 * docs/admin.md: the table of verbs, and what one has to know about them.
 */
#include "daemon/admin/verb.h"

static const char head[] =
    "# Administration\n"
    "\n"
    "A running server is asked and told things by verbs, the same over four ways:\n"
    "\n"
    "- **The status page**, `https://HOST/admin/`, for people: sign in with an account.\n"
    "- **The command line**, on the server's host: `turnpike status`, `sessions`, `close ID`, "
    "`explain`, `drain`, `drain cancel`,\n"
    "  `log-level`, `reload`. It speaks through the socket `admin.sock` in the data directory "
    "(mode 0600); only root and the\n"
    "  server's own user are served, whatever the file's mode has become. What changes the store "
    "(`user`, `secret`, `token`,\n"
    "  `revoke`, ...) works without a server, too: see turnpike(8).\n"
    "- **The socket itself**: a JSON object a line, an answer a line.\n"
    "- **HTTPS**: the verb `session close` is `POST /api/v1/admin/session/close`, with a JSON "
    "object of arguments. What only\n"
    "  looks is a GET, too, with the arguments in the query.\n"
    "\n"
    "Every act lands in the audit (`turnpike audit`) with its actor: `cli uid 0`, `socket uid 0`, "
    "`token 3 grafana`,\n"
    "`account alice`. What is no business of the store's (drain, reload, close, log-level) is done "
    "even while it cannot be\n"
    "written, and then is in the log alone (`event=not-in-the-audit`).\n"
    "\n"
    "## Who may\n"
    "\n"
    "| who | how | what |\n"
    "|---|---|---|\n"
    "| root, the server's user | the socket | everything |\n"
    "| a token of scope `admin` | `Authorization: Bearer tp_...` (`turnpike token add --scope "
    "admin`) | everything |\n"
    "| an account of role admin | signs in (`turnpike account add NAME "
    "--admin`) | everything |\n"
    "| an account of role user | the same (`turnpike account add NAME`) | looks, without tokens, "
    "accounts, audit and configuration |\n"
    "\n"
    "A login ends after 12 hours, after an hour without use, with a new password, and when the "
    "server restarts. Its cookie is\n"
    "HttpOnly, SameSite=Strict, Secure over HTTPS, and works only for requests from our own page, "
    "in JSON. Ten tries a minute\n"
    "are taken from one address (IPv4 /24, IPv6 /64), and sixty for one name from addresses that "
    "it has not signed in from.\n"
    "Of sixteen that may wait for their turn, one address or /64 has two, a /24 or /48 four (429: "
    "try "
    "again in a second).\n"
    "\n"
    "Signing in takes two steps, since a password takes its time: `POST login` with `name` and "
    "`password` gives a `ticket`\n"
    "(202); `POST login/claim` with the `ticket` gives 202 until the password is checked, then 200 "
    "and the cookie, or 401.\n"
    "`POST logout` ends it, `GET whoami` tells who one is. `POST password` with `current` and "
    "`password` changes one's own,\n"
    "of any role, in the same two steps: the claim gives a new cookie, and all other logins of the "
    "account end.\n"
    "\n"
    "## The status page\n"
    "\n"
    "`/admin/` on every port that speaks HTTP. The first account is made on the server's host: "
    "`turnpike account add NAME --admin`.\n"
    "\n"
    "| view | shows | does (role admin) |\n"
    "|---|---|---|\n"
    "| Overview | load now; bandwidth, allocations and calls over ten minutes or a day | |\n"
    "| Sessions | live allocations, the newest first, of all or of one user; what happened to each "
    "| "
    "ends one |\n"
    "| Calls | the last calls that were signaled here, and what happened to each | |\n"
    "| Users | static TURN users | adds, enables, disables, revokes, deletes |\n"
    "| Access | shared secrets, API tokens (role admin), revocations | adds, retires, deletes, "
    "revokes, undoes |\n"
    "| Usage | who relayed how much on which day | |\n"
    "| Server (role admin) | configuration in effect, accounts, audit | drains, reloads, sets the "
    "log level, adds accounts, gives them new passwords, deletes them |\n"
    "\n"
    "What is made (a password, a secret, a token) is shown once. Characters that cannot be seen, "
    "or "
    "that turn the text around\n"
    "them, are shown by their number in every name. Over plain HTTP nobody signs in: a password "
    "could be read on its way. It takes https, a proxy\n"
    "in `trusted_proxy` that says that it spoke https (`X-Forwarded-Proto`), or, on the server's "
    "own "
    "machine, a browser that has used a link (`turnpike link`). While somebody looks at it, it "
    "asks every second or so: "
    "the login is in "
    "use. It holds no secret itself, runs no script but its own, and cannot be "
    "framed; "
    "to keep it from strangers,\n"
    "let the proxy in front of it refuse `/admin` and `/api/v1/admin/`.\n"
    "\n"
    "## Verbs\n"
    "\n";

static const char tail[] =
    "\n"
    "Answers are JSON objects. Over HTTP a failure is a status and "
    "`{\"error\":{\"code\":...,\"message\":...}}`: 400 `bad-request`,\n"
    "401 `unauthorized`, 403 `forbidden`, 404 `not-found`, 409 `exists` or `limit`, 503 "
    "`unavailable`; over the socket it is\n"
    "`{\"ok\":false,\"error\":{...}}`.\n"
    "\n"
    "`account add` and `account password` hash a password, some 100 ms each and one after the "
    "other: their answer takes that long,\n"
    "and nobody else's does. `account del` keeps the last account of role admin (409 `limit`); on "
    "the server's host\n"
    "`turnpike account del` deletes that one, too.\n"
    "\n"
    "`sessions` gives a page; while there is a `next`, the next page is asked for with `after=` "
    "it. `complete` is false when a\n"
    "relay worker did not answer within half a second.\n"
    "\n"
    "## Examples\n"
    "\n"
    "```sh\n"
    "TOKEN=$(turnpike --data /var/lib/turnpike token add ops --scope admin)\n"
    "curl -H \"Authorization: Bearer $TOKEN\" https://turn.example.org/api/v1/admin/status\n"
    "curl -H \"Authorization: Bearer $TOKEN\" "
    "'https://turn.example.org/api/v1/admin/sessions?limit=20&user=alice'\n"
    "curl -H \"Authorization: Bearer $TOKEN\" --json '{\"id\":\"t0-1f\"}' "
    "https://turn.example.org/api/v1/admin/session/close\n"
    "curl -H \"Authorization: Bearer $TOKEN\" --json '{\"user\":\"mallory\"}' "
    "https://turn.example.org/api/v1/admin/revoke\n"
    "curl -H \"Authorization: Bearer $TOKEN\" --json '{}' "
    "https://turn.example.org/api/v1/admin/drain\n"
    "echo '{\"verb\":\"status\"}' | socat - UNIX-CONNECT:/var/lib/turnpike/admin.sock\n"
    "```\n"
    "\n"
    "`drain` takes no new allocations (508, or 300 to `alternate_server`) and turns `/readyz` to "
    "503; it does not stop the\n"
    "server: that is SIGTERM, which drains by itself. `drain cancel` takes it back.\n";

static void print_members(FILE *out, const struct verb_member *m)
{
	for (const char *comma = ""; m && m->name; m++, comma = ", ") {
		fprintf(out, "%s`%s`", comma, m->name);
		if (!m->of)
			continue;
		fputs(" (", out);
		print_members(out, m->of);
		fputs(")", out);
	}
}

static void print_verbs(FILE *out)
{
	const struct verb_arg *arg;
	char path[VERB_PATH_STRLEN];
	const struct verb *v;

	fputs("| verb | over HTTPS | who | arguments | answer | |\n|---|---|---|---|---|---|\n",
	      out);
	for (size_t i = 0; (v = verb_at(i)); i++) {
		fprintf(out, "| `%s` | %s `%s` | %s | ", v->name,
		        v->access == VERB_ACTS ? "POST" : "GET", verb_path(v, path),
		        v->access == VERB_LOOKS ? "all" : "admin");
		for (size_t k = 0; (arg = verb_arg(v, k)); k++)
			fprintf(out, "%s`%s`%s", k ? ", " : "", arg->name,
			        arg->flags & ARG_REQUIRED ? "" : " (optional)");
		fputs(" | ", out);
		print_members(out, v->answer);
		fprintf(out, " | %s |\n", v->help);
	}
}

void admin_print_markdown(FILE *out)
{
	fputs(head, out);
	print_verbs(out);
	fputs(tail, out);
}

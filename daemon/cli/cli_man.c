/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The manual page, turnpike(8): what does not come from a table.
 */
#include "daemon/cli/cli_internal.h"

#include <string.h>

void cli_print_man(FILE *out)
{
	fputs(
	    ".\\\" Made by: turnpike help man\n"
	    ".TH TURNPIKE 8\n"
	    ".SH NAME\n"
	    "turnpike \\- STUN/TURN relay, WebRTC signaling and credentials in one process\n"
	    ".SH SYNOPSIS\n"
	    "\\fBturnpike\\fR [\\fIOPTION\\fR ...] \\fIVERB\\fR [\\fIARGUMENT\\fR ...]\n"
	    ".SH DESCRIPTION\n"
	    "Relays media for WebRTC and other ICE clients (RFC 8489, RFC 8656), passes signaling\n"
	    "messages between browsers over WebSocket, serves a page to call from, and issues\n"
	    "time-limited TURN credentials. Every port understands every protocol.\n"
	    ".SH VERBS\n",
	    out);
}

void cli_print_man_verb(FILE *out, const struct verb *v)
{
	char args[CLI_USAGE_MAX];

	fprintf(out, ".TP\n\\fB%s\\fR%s%s\n%s.\n", v->name, *cli_usage(v, args) ? " " : "", args,
	        v->help);
	cli_print_args(out, v, ".br\n\\fI%s\\fR: %s.\n");
}

void cli_print_man_end(FILE *out)
{
	fputs(
	    ".SH SIGNALS\n"
	    ".TP\n\\fBSIGTERM\\fR, \\fBSIGINT\\fR\n"
	    "Drains the server: it refuses new allocations, waits up to drain_timeout for the\n"
	    "running ones, closes the signaling connections and exits. A second signal ends it at\n"
	    "once.\n"
	    ".TP\n\\fBSIGHUP\\fR\n"
	    "Reads file, environment, tls_cert and tls_key again. Existing connections keep their\n"
	    "certificate. The server also finds a renewed certificate without a signal, within "
	    "two\n"
	    "seconds.\n"
	    ".SH FILES\n"
	    ".TP\n\\fIDATA\\fR/turnpike.db\n"
	    "Users (keys only), shared secrets, hashes of API tokens; mode 0600.\n"
	    ".TP\n\\fIDATA\\fR/cert.pem, \\fIDATA\\fR/key.pem\n"
	    "The self-signed certificate, if tls_cert names no other.\n"
	    ".TP\n\\fIDATA\\fR/turnpike.lock\n"
	    "Locked while the server runs.\n"
	    ".TP\n\\fIDATA\\fR/served.json\n"
	    "The server's settings, for the other commands; no secrets.\n"
	    ".SH EXIT STATUS\n"
	    "0: success. 1: failure. 2: wrong usage.\n"
	    ".SH SEE ALSO\n"
	    "\\fBturnpike.conf\\fR(5), \\fBturnpike-harness\\fR(1)\n",
	    out);
}

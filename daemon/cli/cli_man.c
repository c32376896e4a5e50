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

void cli_print_man_verb(FILE *out, const char *name, const char *args, const char *help)
{
	fprintf(out, ".TP\n\\fB%s\\fR%s%s\n%s.\n", name, *args ? " " : "", args, help);
}

void cli_print_man_end(FILE *out)
{
	fputs(
	    ".SH SIGNALS\n"
	    ".TP\n\\fBSIGTERM\\fR, \\fBSIGINT\\fR\n"
	    "Drains: refuses new allocations, waits for the running ones up to drain_timeout, "
	    "says\n"
	    "goodbye to signaling clients and ends. A second one ends at once.\n"
	    ".TP\n\\fBSIGHUP\\fR\n"
	    "Reads file, environment, tls_cert and tls_key again; connections under way keep what "
	    "they\n"
	    "have. A renewed certificate is also found without a signal, within two seconds.\n"
	    ".SH FILES\n"
	    ".TP\n\\fIDATA\\fR/turnpike.db\n"
	    "Users (keys only), shared secrets, hashes of tokens; mode 0600.\n"
	    ".TP\n\\fIDATA\\fR/cert.pem, \\fIDATA\\fR/key.pem\n"
	    "The self-made certificate, where tls_cert names no other.\n"
	    ".TP\n\\fIDATA\\fR/turnpike.lock\n"
	    "Locked while the server runs.\n"
	    ".TP\n\\fIDATA\\fR/served.json\n"
	    "What the server was started with, for the other verbs; no secrets.\n"
	    ".SH EXIT STATUS\n"
	    "0: done. 1: it failed. 2: it was called wrongly.\n"
	    ".SH SEE ALSO\n"
	    "\\fBturnpike.conf\\fR(5), \\fBturnpike-harness\\fR(1)\n",
	    out);
}

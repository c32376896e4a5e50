/* SPDX-License-Identifier: BSD-3-Clause
 *
 * coturn's clients and libnice against the built server on real sockets. Every row of the
 * table is a test; all of them run at the same time, in one network namespace.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ECHO_PORT   3480
#define CLIENT_MS   60000
#define ABUSE_MS    8000
#define SECRET      "the-north-remembers-0123456789"
#define UCLIENT     "turnutils_uclient "
#define STATIC      UCLIENT "-u alice -w wonderland "
#define TO_PEER4    "-e " RIG_PEER4 " -r 3480 "
#define TO_PEER6    "-e " RIG_PEER6 " -r 3480 "
#define DISCOVER    "turnutils_natdiscovery -L 77.7.0.30 " OAUTH_PORT
#define SERVER      RIG_SERVER4
#define SERVER6     RIG_SERVER6
#define STRICT_PORT "-p 3479 "
#define OAUTH_PORT  "-p 3477 "

enum verdict {
	RELAYS,  /* every message comes back and none is lost */
	REFUSED, /* the client gives up */
	ABUSES,  /* it does as it likes and may hang; the server is to survive it */
};

struct row {
	const char *name;
	const char *command; /* %CREDENTIALS: what "turnpike credentials" gave */
	enum verdict verdict;
	int messages;     /* RELAYS: that come back */
	const char *says; /* somewhere in the output; NULL: anything */
};

static const struct row rows[] = {
    /* UDP, channels (uclient picks their numbers above 0x4FFF) */
    {"udp, channels", STATIC "-n 20 " TO_PEER4 SERVER, RELAYS, 40, NULL},
    {"udp, channels, no rtcp", STATIC "-c -n 20 " TO_PEER4 SERVER, RELAYS, 20, NULL},
    {"udp, channels, four clients", STATIC "-m 4 -n 20 " TO_PEER4 SERVER, RELAYS, 80, NULL},
    {"udp, channels, padded", STATIC "-D -l 101 -n 20 " TO_PEER4 SERVER, RELAYS, 40, NULL},
    {"udp, channels, long messages", STATIC "-l 1300 -n 20 " TO_PEER4 SERVER, RELAYS, 40, NULL},
    {"udp, channels, extra requests", STATIC "-G -n 20 " TO_PEER4 SERVER, RELAYS, 40, NULL},
    {"udp, client to client", STATIC "-y -n 20 " SERVER, RELAYS, 80, NULL},
    /* Send indications */
    {"udp, send", STATIC "-s -n 20 " TO_PEER4 SERVER, RELAYS, 40, NULL},
    {"udp, send, client to client", STATIC "-s -y -n 20 " SERVER, RELAYS, 80, NULL},
    {"udp, send, without legacy channels", STATIC "-s " STRICT_PORT "-n 20 " TO_PEER4 SERVER,
     RELAYS, 40, NULL},
    /* RFC 8656 section 12: "Any other number is reserved". The client draws from four times that
     * range: of a dozen draws one is refused, but for one run in ten million. */
    {"udp, channels, without legacy channels", STATIC STRICT_PORT "-v -m 12 " TO_PEER4 SERVER,
     REFUSED, 0, "error 400"},
    /* the other transports, all on one port */
    {"tcp, channels", STATIC "-t -n 20 " TO_PEER4 SERVER, RELAYS, 40, NULL},
    {"tcp, send", STATIC "-t -s -n 20 " TO_PEER4 SERVER, RELAYS, 40, NULL},
    {"tcp, odd lengths", STATIC "-t -l 101 -n 20 " TO_PEER4 SERVER, RELAYS, 40, NULL},
    {"tcp, client to client", STATIC "-t -y -n 20 " SERVER, RELAYS, 80, NULL},
    {"tcp6, channels", STATIC "-t -x -n 20 " TO_PEER6 SERVER6, RELAYS, 40, NULL},
    {"tcp, wrong password", UCLIENT "-t -u alice -w mad-hatter " TO_PEER4 SERVER, REFUSED, 0,
     "ERROR: Cannot complete Allocation"},
    {"tls, channels", STATIC "-t -S -p 3478 -n 20 " TO_PEER4 SERVER, RELAYS, 40, NULL},
    {"tls, send", STATIC "-t -S -p 3478 -s -n 20 " TO_PEER4 SERVER, RELAYS, 40, NULL},
    {"tls6, client to client", STATIC "-t -S -p 3478 -x -y -n 20 " SERVER6, RELAYS, 80, NULL},
    {"dtls, channels", STATIC "-S -p 3478 -n 20 " TO_PEER4 SERVER, RELAYS, 40, NULL},
    {"dtls, send", STATIC "-S -p 3478 -s -n 20 " TO_PEER4 SERVER, RELAYS, 40, NULL},
    {"dtls6, client to client", STATIC "-S -p 3478 -x -y -n 20 " SERVER6, RELAYS, 80, NULL},
    /* RFC 6062 */
    {"tcp relay", STATIC "-T -n 20 " SERVER, RELAYS, 40, NULL},
    /* its active end does not read what comes back, with coturn's server no more than with ours */
    {"tcp relay, passive", STATIC "-P -L 77.7.0.20 -n 20 " SERVER, RELAYS, 0,
     "tot_send_msgs=40, tot_recv_msgs=20"},
    {"tcp relay over tls", STATIC "-T -S -p 3478 -n 20 " SERVER, RELAYS, 40, NULL},
    {"tcp relay, ipv6", STATIC "-T -x -n 20 " SERVER6, RELAYS, 40, NULL},
    /* IPv6, and from one family to the other */
    {"udp6, channels", STATIC "-x -n 20 " TO_PEER6 SERVER6, RELAYS, 40, NULL},
    {"udp6, send", STATIC "-x -s -n 20 " TO_PEER6 SERVER6, RELAYS, 40, NULL},
    {"udp6 to an ipv4 relay", STATIC "-X -n 20 " TO_PEER4 SERVER6, RELAYS, 40, NULL},
    {"udp4 to an ipv6 relay", STATIC "-x -n 20 " TO_PEER6 SERVER, RELAYS, 40, NULL},
    /* RFC 8656: dual allocation, DONT-FRAGMENT */
    {"dual allocation", STATIC "-Z -n 20 " TO_PEER4 SERVER, RELAYS, 20, NULL},
    {"dual allocation, IPv6 peer", STATIC "-Z -n 20 " TO_PEER6 SERVER6, RELAYS, 20, NULL},
    {"DONT-FRAGMENT", STATIC "-g -n 20 " TO_PEER4 SERVER, RELAYS, 40, NULL},
    {"DONT-FRAGMENT, send", STATIC "-g -s -n 20 " TO_PEER4 SERVER, RELAYS, 40, NULL},
    /* RFC 8016: uclient moves to another socket after its first steps. It does so from an address
     * of its own: others leave allocations behind, whose ports the system may give out again, and
     * from the 5-tuple of another allocation no ticket is taken (437 or 400). */
    {"mobility", STATIC "-L 77.7.0.31 -M -n 20 " TO_PEER4 SERVER, RELAYS, 40, NULL},
    {"mobility, send", STATIC "-L 77.7.0.32 -M -s -n 20 " TO_PEER4 SERVER, RELAYS, 40, NULL},
    /* over connections the client falls at random by itself (a segmentation fault; writing to what
     * it has closed), with coturn's own server as well: turn/tests/test_mobility.c moves there */
    {"mobility over tcp", STATIC "-M -t -n 20 " TO_PEER4 SERVER, ABUSES, 0, NULL},
    {"mobility over tls", STATIC "-M -t -S -p 3478 -n 20 " TO_PEER4 SERVER, ABUSES, 0, NULL},
    {"mobility over dtls", STATIC "-M -S -p 3478 -n 20 " TO_PEER4 SERVER, ABUSES, 0, NULL},
    /* RFC 7635, with the keys that are built into uclient */
    {"access token", UCLIENT "-J " OAUTH_PORT "-n 20 " TO_PEER4 SERVER, RELAYS, 40, NULL},
    {"access token, send over tls", UCLIENT "-J -t -S -s " OAUTH_PORT "-n 20 " TO_PEER4 SERVER,
     RELAYS, 40, NULL},
    {"access token, where that is off", UCLIENT "-J -n 20 " TO_PEER4 SERVER, REFUSED, 0,
     "error 400"},
    {"password beside access tokens", STATIC OAUTH_PORT "-n 20 " TO_PEER4 SERVER, RELAYS, 40, NULL},
    /* what is wrong on purpose; the server is to survive it */
    {"negative tests", STATIC "-N -s -n 20 " TO_PEER4 SERVER, RELAYS, 40, NULL},
    {"negative tests, channels", STATIC "-N -n 20 " TO_PEER4 SERVER, ABUSES, 0, NULL},
    {"negative protocol tests", STATIC "-R -n 20 " TO_PEER4 SERVER, ABUSES, 0, NULL},
    {"random disconnects", STATIC "-B -m 8 -n 20 " TO_PEER4 SERVER, RELAYS, 0, NULL},
    /* who may */
    {"time-limited credentials from the secret",
     UCLIENT "-u bob -W " SECRET " -n 20 " TO_PEER4 SERVER, RELAYS, 40, NULL},
    {"time-limited credentials from the program", UCLIENT "%CREDENTIALS -n 20 " TO_PEER4 SERVER,
     RELAYS, 40, NULL},
    {"wrong password", UCLIENT "-u alice -w mad-hatter " TO_PEER4 SERVER, REFUSED, 0,
     "ERROR: Cannot complete Allocation"},
    {"unknown user", UCLIENT "-u nobody -w wonderland " TO_PEER4 SERVER, REFUSED, 0,
     "ERROR: Cannot complete Allocation"},
    {"wrong secret", UCLIENT "-u bob -W another-secret " TO_PEER4 SERVER, REFUSED, 0,
     "ERROR: Cannot complete Allocation"},
#ifdef NICE_CLIENT
    /* an ICE library: both ends behind relays */
    {"libnice over udp", NICE_CLIENT " udp " SERVER " 3478 alice wonderland 77.7.0.21", RELAYS, 0,
     "a got 50 messages, b got 50"},
    {"libnice over tcp", NICE_CLIENT " tcp " SERVER " 3478 alice wonderland 77.7.0.21", RELAYS, 0,
     "a got 50 messages, b got 50"},
#endif
    /* RFC 8489 */
    {"stunclient", "turnutils_stunclient " SERVER, RELAYS, 0,
     "UDP reflexive addr: " RIG_SERVER4 ":"},
    {"stunclient over ipv6", "turnutils_stunclient " SERVER6, RELAYS, 0,
     "UDP reflexive addr: " RIG_SERVER6 ":"},
    /* RFC 5780: two addresses, two ports */
    {"natdiscovery, mapping", DISCOVER "-m " SERVER, RELAYS, 0,
     "NAT with Endpoint Independent Mapping!"},
    {"natdiscovery, filtering", DISCOVER "-f " SERVER, RELAYS, 0,
     "Response origin: : " RIG_SERVER4B ":3476"},
    {"natdiscovery, hairpinning", DISCOVER "-H " SERVER, RELAYS, 0, "Received a request"},
    {"nmap, stun-info", "nmap -n -Pn -sU " OAUTH_PORT "--script +stun-info " SERVER, RELAYS, 0,
     "External IP: "},
    {"natdiscovery, padded", DISCOVER "-m -f -P " SERVER, RELAYS, 0,
     "NAT with Endpoint Independent Filtering!"},
};

#define ROWS (sizeof(rows) / sizeof(*rows))

struct running {
	const struct row *row;
	struct rig_program program;
};

static struct rig_server server, strict, oauth;
static struct rig_program echo;
static struct running running[ROWS];

static char *credentials(void)
{
	char *json = rig_verb(&server, "credentials carol --ttl 3600", NULL);
	char user[256], password[256], *args;
	const char *u = strstr(json, "\"username\""), *p = strstr(json, "\"credential\"");

	assert_non_null(u);
	assert_non_null(p);
	assert_int_equal(sscanf(u, "\"username\": \"%255[^\"]", user), 1);
	assert_int_equal(sscanf(p, "\"credential\": \"%255[^\"]", password), 1);
	assert_true(asprintf(&args, "-u %s -w %s", user, password) > 0);
	free(json);
	return args;
}

/* The keys that the third server trusts: those of uclient's -J. Secrets come from a file. */
static void start_oauth(void)
{
	static const char oauth_conf[] =
	    "oauth_server = north.gov\n"
	    "oauth_key = north:MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=,"
	    "union:MTIzNDU2Nzg5MDEyMzQ1Ng==,"
	    "oldempire:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n";
	char options[512];

	snprintf(options, sizeof(options),
	         "--config %s --workers 2 --legacy-channels --relay-ports 60000-64999 "
	         "--listen " RIG_SERVER4 ":3477 --listen " RIG_SERVER4B ":3477 "
	         "--listen " RIG_SERVER4 ":3476 --listen " RIG_SERVER4B ":3476",
	         rig_file("oauth.conf", "%s", oauth_conf));
	rig_server_start(&oauth, "oauth", options);
}

static void start_row(struct running *r, const char *with)
{
	const char *mark = "%CREDENTIALS", *at = strstr(r->row->command, mark);
	char command[1024];

	if (at)
		snprintf(command, sizeof(command), "%.*s%s%s", (int)(at - r->row->command),
		         r->row->command, with, at + strlen(mark));
	else
		snprintf(command, sizeof(command), "%s", r->row->command);
	rig_start(&r->program, command, NULL);
}

static int setup(void **state)
{
	char *with;

	(void)state;
	rig_server_prepare(&server, "legacy");
	rig_server_prepare(&strict, "strict");
	free(rig_verb(&server, "user add alice --password-stdin", "wonderland\n"));
	rig_server_prepare(&oauth, "oauth");
	free(rig_verb(&oauth, "user add alice --password-stdin", "wonderland\n"));
	free(rig_verb(&strict, "user add alice --password-stdin", "wonderland\n"));
	free(rig_verb(&server, "secret add --value-stdin", SECRET "\n"));
	rig_server_start(
	    &server, "legacy",
	    "--workers 3 --user-quota 0 --legacy-channels --mobility --relay-ports 50000-54999 "
	    "--listen " RIG_SERVER4 ":3478 --listen [" RIG_SERVER6 "]:3478");
	rig_server_start(&strict, "strict",
	                 "--workers 2 --relay-ports 55000-59999 --listen " RIG_SERVER4 ":3479");
	start_oauth();
	rig_echo_start(&echo, ECHO_PORT);
	with = credentials();
	for (size_t i = 0; i < ROWS; i++)
		start_row(&running[i], with);
	free(with);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_signal_and_wait(&echo, 9, CLIENT_MS);
	rig_server_stop(&server);
	rig_server_stop(&strict);
	rig_server_stop(&oauth);
	return 0;
}

/* The last such number is the sum of all sessions. */
static int received(const char *text)
{
	const char *at = NULL;

	for (const char *s = text; (s = strstr(s, "tot_recv_msgs=")); s++)
		at = s;
	return at ? atoi(at + strlen("tot_recv_msgs=")) : -1;
}

static void row_holds(void **state)
{
	struct running *r = *state;
	int status = rig_wait(&r->program, r->row->verdict == ABUSES ? ABUSE_MS : CLIENT_MS);
	char *text = rig_output(&r->program);
	const char *wrong = NULL;

	if (r->row->says && !strstr(text, r->row->says))
		wrong = "does not say what it should";
	switch (r->row->verdict) {
	case RELAYS:
		if (status)
			wrong = "fails";
		else if (r->row->messages && !strstr(text, "Total lost packets 0 ("))
			wrong = "lost packets";
		else if (r->row->messages && received(text) != r->row->messages)
			wrong = "got another number of messages";
		break;
	case REFUSED:
		if (!status)
			wrong = "was not refused";
		break;
	case ABUSES:
		break;
	}
	if (wrong)
		rig_fail(text, text, "%s: status %d: it %s", r->row->command, status, wrong);
	free(text);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ROWS];

	(void)argc;
	rig_enter(argv);
	for (size_t i = 0; i < ROWS; i++) {
		running[i].row = &rows[i];
		tests[i] = (struct CMUnitTest){
		    .name = rows[i].name, .test_func = row_holds, .initial_state = &running[i]};
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Starting the servers that Turnpike is compared with, as their operators
 * would: coturn with a certificate, static credentials, and port 443 beside
 * the usual two for guests behind strict firewalls.
 */
#include "harness/scenarios/target.h"

#include "base/clock.h"
#include "harness/lab/contain.h"
#include "harness/lab/proc.h"
#include "harness/lab/selfcert.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READY_MS 20000
#define STOP_MS  5000
#define ASK_MS   300
#define FOLDER   CONTAIN_WORK "/target"
#define CERT     FOLDER "/cert.pem"
#define KEY      FOLDER "/key.pem"

#define COTURN_USER     "harness"
#define COTURN_PASSWORD "lab-only"

struct target_server {
	const struct target *target;
	pid_t pid;
	int log_fd;
	int server_ns;
};

/* The ICE URIs that its hub tells a page (turns: only with a certificate from outside, which the
 * lab's appliance lacks). */
const struct target target_turnpike = {
    .name = "turnpike",
    .own = true,
    .offer = {.n = 4,
              .entry = {{.port = 3478, .transport = OFFER_UDP},
                        {.port = 3478, .transport = OFFER_UDP, .turn = true},
                        {.port = 3478, .transport = OFFER_TCP, .turn = true},
                        {.port = 443, .transport = OFFER_TCP, .turn = true}}},
};

static const char *const coturn_uris[] = {
    "stun:%s:3478",
    "turn:%s:3478?transport=udp",
    "turn:%s:3478?transport=tcp",
    "turns:%s:5349?transport=tcp",
    "turn:%s:443?transport=tcp",
    "turns:%s:443?transport=tcp",
};

static json_t *coturn_servers(const char *host)
{
	json_t *stun = json_array(), *turn = json_array();

	for (size_t i = 0; i < sizeof(coturn_uris) / sizeof(*coturn_uris); i++) {
		char uri[OFFER_URI];

		snprintf(uri, sizeof(uri), coturn_uris[i], host);
		json_array_append_new(!strncmp(uri, "stun", 4) ? stun : turn, json_string(uri));
	}
	return json_pack("[{s:o}, {s:o, s:s, s:s}]", "urls", stun, "urls", turn, "username",
	                 COTURN_USER, "credential", COTURN_PASSWORD);
}

void target_coturn(struct target *t, const char *program)
{
	json_t *servers = coturn_servers(LAB_TURN_NAME);
	struct why why;

	*t = (struct target){.name = "coturn", .program = program};
	if (offer_parse(servers, &t->offer, NULL, &why) != 0)
		abort(); /* our own words */
	json_decref(servers);
}

void target_command(struct target *t, const char *command, json_t *servers,
                    const struct offer *offer)
{
	*t = (struct target){.command = command, .servers = servers, .offer = *offer};
	snprintf(t->name, sizeof(t->name), "%.31s", offer->entry[0].host);
	/* It becomes part of file names. */
	for (char *p = t->name; *p; p++) {
		if (*p == ':' || *p == '/')
			*p = '-';
	}
}

void target_free(struct target *t)
{
	json_decref(t->servers);
	t->servers = NULL;
}

/* A client that knows the appliance by a literal or by its name should know the target likewise:
 * one without IPv4 has no use for a literal of that family. */
json_t *target_servers(const struct target *t, const char *host)
{
	if (t->own)
		return NULL;
	if (t->servers)
		return json_incref(t->servers);
	if (*host == '[')
		return coturn_servers("[" LAB_TURN_IP6 "]");
	return coturn_servers(!strcmp(host, LAB_SERVER_IP) ? LAB_TURN_IP : LAB_TURN_NAME);
}

/* ---- the process ---- */

static int spawn_coturn(struct target_server *s, const struct proc_opt *po, struct why *why)
{
	const char *const argv[] = {s->target->program,
	                            "-n", /* no configuration file of this machine's */
	                            "--listening-ip=" LAB_TURN_IP,
	                            "--listening-ip=" LAB_TURN_IP6,
	                            "--relay-ip=" LAB_TURN_IP,
	                            "--relay-ip=" LAB_TURN_IP6,
	                            "--listening-port=3478",
	                            "--tls-listening-port=5349",
	                            "--aux-server=" LAB_TURN_IP ":443",
	                            "--aux-server=[" LAB_TURN_IP6 "]:443",
	                            "--no-rfc5780",
	                            "--lt-cred-mech",
	                            "--fingerprint",
	                            "--realm=turnpike.test",
	                            "--user=" COTURN_USER ":" COTURN_PASSWORD,
	                            "--cert=" CERT,
	                            "--pkey=" KEY,
	                            "--no-cli",
	                            "--log-file=stdout",
	                            "--simple-log",
	                            "--pidfile=" FOLDER "/pid",
	                            "--userdb=" FOLDER "/users.db",
	                            NULL};

	return proc_spawn(argv, po, &s->pid, why);
}

static int spawn_command(struct target_server *s, const struct proc_opt *po, struct why *why)
{
	const char *const argv[] = {"env",
	                            "TURN_IP=" LAB_TURN_IP,
	                            "TURN_IP6=" LAB_TURN_IP6,
	                            "TURN_NAME=" LAB_TURN_NAME,
	                            "TURN_CERT=" CERT,
	                            "TURN_KEY=" KEY,
	                            "TURN_DIR=" FOLDER,
	                            "sh",
	                            "-c",
	                            s->target->command,
	                            NULL};

	return proc_spawn(argv, po, &s->pid, why);
}

/* A STUN Binding request (RFC 8489 section 5); any answer to it will do. */
static int ask_udp(int fd, const struct sockaddr *to, socklen_t len)
{
	static const unsigned char request[20] = {0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xa4,
	                                          0x42, 't',  'u',  'r',  'n',  'p',  'i',
	                                          'k',  'e',  'l',  'a',  'b',  '1'};
	struct pollfd p = {.fd = fd, .events = POLLIN};
	unsigned char answer[512];

	if (connect(fd, to, len) != 0 || send(fd, request, sizeof(request), 0) < 0)
		return -1;
	return poll(&p, 1, ASK_MS) == 1 && recv(fd, answer, sizeof(answer), 0) > 0 ? 0 : -1;
}

/* True when the first URI's port answers. Names mean the target's address here: the server
 * namespace has no DNS. */
static int ask(const struct target_server *s, struct why *why)
{
	const struct offer_entry *e = &s->target->offer.entry[0];
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)e->port)};
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons((uint16_t)e->port)};
	bool six = e->family == AF_INET6, udp = e->transport == OFFER_UDP;
	const struct sockaddr *to = six ? (const void *)&sin6 : (const void *)&sin;
	socklen_t len = six ? sizeof(sin6) : sizeof(sin);
	int fd =
	    lab_socket(s->server_ns, six ? AF_INET6 : AF_INET, udp ? SOCK_DGRAM : SOCK_STREAM, why);
	int err;

	if (fd < 0)
		return fd;
	inet_pton(AF_INET6, e->host, &sin6.sin6_addr);
	inet_pton(AF_INET, e->family == AF_INET ? e->host : LAB_TURN_IP, &sin.sin_addr);
	err = udp ? ask_udp(fd, to, len) : connect(fd, to, len);
	close(fd);
	return err == 0 ? 0 : why_set(why, -E_IO, "%s does not answer", e->uri);
}

int target_check(struct target_server *s, struct why *why)
{
	return proc_check(&s->pid, s->target->name, s->log_fd, why);
}

static int await(struct target_server *s, struct why *why)
{
	int64_t deadline = clock_mono_ms() + READY_MS;
	struct why silent;
	char said[300];
	int err = 0;

	while (err == 0 && ask(s, &silent) != 0) {
		err = target_check(s, why);
		if (err == 0 && clock_mono_ms() >= deadline) {
			proc_last_words(s->log_fd, said, sizeof(said));
			return why_set(why, -E_TIMEOUT,
			               "%.200s %d s after %s was started; its last words: %s",
			               silent.text, READY_MS / 1000, s->target->name, said);
		}
		if (err == 0)
			clock_sleep_ms(30);
	}
	return err;
}

int target_start(struct target_server **out, const struct target *t, const struct lab *lab,
                 int log_fd, struct why *why)
{
	struct target_server *s = calloc(1, sizeof(*s));
	struct proc_opt po = PROC_OPT_DEFAULT;
	int err = 0;

	if (!s)
		return why_set(why, -E_NOMEM, "out of memory");
	*s = (struct target_server){
	    .target = t, .pid = -1, .log_fd = log_fd, .server_ns = lab_server_ns(lab)};
	po.netns_fd = s->server_ns;
	po.fd[1] = po.fd[2] = log_fd;
	if (mkdir(FOLDER, 0700) != 0 && errno != EEXIST)
		err = why_set(why, error_from_errno(errno), "%s: %s", FOLDER, strerror(errno));
	if (err == 0)
		err = selfcert_write(LAB_TURN_NAME, CERT, KEY, why);
	if (err == 0)
		err = t->program ? spawn_coturn(s, &po, why) : spawn_command(s, &po, why);
	if (err == 0)
		err = await(s, why);
	if (err != 0) {
		target_stop(s);
		return err;
	}
	*out = s;
	return 0;
}

pid_t target_pid(const struct target_server *s)
{
	return s->pid > 0 ? s->pid : 0;
}

void target_stop(struct target_server *s)
{
	if (s)
		proc_stop(s->pid, STOP_MS);
	free(s);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A network of one's own for tests with real sockets: the test program moves
 * into a fresh network namespace whose loopback interface is the whole
 * Internet, and starts the built turnpike and foreign programs there. Whatever
 * it starts dies with it.
 */
#ifndef DAEMON_TESTS_RIG_H
#define DAEMON_TESTS_RIG_H

#include "base/tests/test.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Addresses that the host "has". All others are local, too, so that anybody can be reached (and
 * an IPv4 address be bound), but no interface lists them: to the server they are strangers. None
 * is special-purpose. */
#define RIG_SERVER4  "45.45.0.1"
#define RIG_SERVER4B "45.45.0.2"
#define RIG_SERVER6  "2a0a:4545::1"
#define RIG_PEER4    "77.7.0.9"
#define RIG_PEER6    "2a0a:7777::9"

#define RIG_ARGS_MAX   64
#define RIG_OUT_MAX    262144
#define RIG_TOKEN_MAX  64
#define RIG_LINK_MAX   256
#define RIG_COOKIE_MAX 128

/* First thing in main(). Comes back inside the namespace; where this host cannot make one, says
 * why and exits with 77 (skipped), or with 1 under CI=true. */
void rig_enter(char **argv);

/* The same for a test that must change users: real root stays root. Exits with 77 without root,
 * too. */
void rig_enter_as_root(char **argv);

/* The lab's scratch folder; removed at exit. */
const char *rig_dir(void);

/* Writes a file of that name there, mode 0600. Its path, until the next call. */
const char *rig_file(const char *name, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Milliseconds, monotonic; and a pause. */
unsigned long long rig_now_ms(void);
void rig_sleep_ms(unsigned int ms);

/* A program under way. Its output, stdout and stderr together, goes to a file. */
struct rig_program {
	pid_t pid; /* 0: has ended */
	int status;
	char output_path[128];
};

/* Starts it. The command is split at blanks; "in" (may be NULL) is its standard input. Fails the
 * test when it cannot be started. */
void rig_start(struct rig_program *p, const char *command, const char *in);
/* Waits up to limit_ms; past it, kills it. Returns the exit status, 128 + signal, or -1 when it
 * had to be killed. */
int rig_wait(struct rig_program *p, unsigned int limit_ms);
int rig_signal_and_wait(struct rig_program *p, int signal_number, unsigned int limit_ms);
/* The program's output so far, for free(). */
char *rig_output(const struct rig_program *p);
/* Waits until its output holds the text; false when it ends or the time is up first. */
bool rig_wait_output(const struct rig_program *p, const char *text, unsigned int limit_ms);
/* Fails the test with the message and a program's output from "from" on; frees the output. */
void rig_fail(char *output, const char *from, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Starts, waits, fails the test unless it exits with 0; returns the output, for free(). */
char *rig_run(const char *command, const char *in);

/* The built turnpike with a data folder of its own. */
struct rig_server {
	struct rig_program program;
	char data[96];
};

/* Starts "turnpike serve" with the options and waits until it is ready. */
void rig_server_start(struct rig_server *s, const char *name, const char *options);
/* TERM; fails the test unless it exits with 0 in time. Reports what a sanitizer found. */
void rig_server_stop(struct rig_server *s);
/* The same as the teardown of a group whose *state is the server: unless a test has stopped it. */
int rig_server_end(void **state);
/* Waits until its workers have read their mail: what was changed before is in effect then. */
void rig_server_settle(const struct rig_server *s);
/* Waits until it counts so many allocations: its workers tell them now and then. */
void rig_wait_allocations(const struct rig_server *s, unsigned int n);
/* Resident set size in KiB. */
long rig_server_rss_kib(const struct rig_server *s);
/* Waits until somebody has the UDP port. */
void rig_wait_port(const char *address, uint16_t port);
/* Echoes what it gets at RIG_PEER4 and RIG_PEER6; comes back when it does. To be started after the
 * servers, who would take its IPv6 address for the host's. */
void rig_echo_start(struct rig_program *p, uint16_t port);
/* A verb on the data folder, as in "user add alice --password-stdin". Output for free(). */
char *rig_verb(const struct rig_server *s, const char *verb, const char *in);
/* One that may fail: its exit status, as rig_wait(). *out is for free(). */
int rig_try_verb(const struct rig_server *s, const char *verb, const char *in, char **out);
/* A new one, for a guest. */
void rig_link(const struct rig_server *s, char url[RIG_LINK_MAX]);
/* A browser that has used a link: its request header, "Cookie: ...". url: the server's. */
void rig_guest(const struct rig_server *s, const char *url, char header[RIG_COOKIE_MAX]);
/* "token add" and the words: the new API token. */
void rig_token_add(const struct rig_server *s, char token[RIG_TOKEN_MAX], const char *words, ...)
    __attribute__((format(printf, 3, 4)));
/* The same before the server runs: makes the data folder of that name. */
void rig_server_prepare(struct rig_server *s, const char *name);

#endif

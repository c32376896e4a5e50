/* SPDX-License-Identifier: BSD-3-Clause
 *
 * `turnpike doctor`: shared by its parts. Each part examines one side of the server from the
 * outside, as its user, and reports its findings.
 */
#ifndef DAEMON_DOCTOR_DOCTOR_H
#define DAEMON_DOCTOR_DOCTOR_H

#include "base/rights.h"
#include "daemon/conf/conf.h"
#include "daemon/listen/topology.h"
#include "store/credential.h"

#include <jansson.h>
#include <sys/types.h>

enum doctor_level { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

#define DOCTOR_TARGETS_MAX 16

/* A real address behind an entry of "listen". */
struct doctor_target {
	struct addr local;  /* to ask from this host */
	struct addr public; /* the address that clients use */
};

struct doctor {
	const struct conf *conf;
	struct topology topo;
	pid_t server; /* 0: none runs on the data directory */
	struct rights
	    owner;        /* the data directory's owner: files there are opened with their rights */
	bool silent;      /* it runs, and answers no request */
	const char *stun; /* HOST:PORT of a server outside, or NULL */
	json_t *findings; /* NULL: they are printed */
	unsigned count[3];
	struct doctor_target target[DOCTOR_TARGETS_MAX];
	size_t target_n;
	bool has_credential;
	struct credential credential; /* a fresh one */
	bool answers;                 /* some target answers over UDP */
};

/* Examines the server that this configuration describes. Prints a line per finding or, if findings
 * is a JSON array, appends an object to it. count: the number of findings per level. stun:
 * HOST:PORT of another STUN server, or NULL. */
void doctor_run(const struct conf *conf, const char *stun, json_t *findings, unsigned count[3]);

/* Adds one finding. After a newline in the text comes the fix: required except for DOCTOR_OK. */
void doctor_say(struct doctor *d, enum doctor_level level, const char *check, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The name of a process, or "another user's process". Returns buf. */
const char *doctor_process(pid_t pid, char buf[64]);

/* The n-th number of a file of /proc; -1 when there is none. */
long long doctor_proc_number(const char *path, int n);

/* ---- the parts, in this order ---- */

void doctor_files(struct doctor *d); /* data directory, database, credential */
void doctor_cert(struct doctor *d);
void doctor_host(struct doctor *d);    /* limits, clock, kernel */
void doctor_ports(struct doctor *d);   /* and their owners */
void doctor_answers(struct doctor *d); /* Binding over each transport; own and outside addresses */
void doctor_relay(struct doctor *d);   /* Allocate and an echo over each transport */

#endif

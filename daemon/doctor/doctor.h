/* SPDX-License-Identifier: BSD-3-Clause
 *
 * `turnpike doctor`: what its parts share. Each looks at one side of the
 * server from the outside, as its user, and says what it finds.
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

/* An address that a listener answers on, of those that "listen" stands for. */
struct doctor_target {
	struct addr local;  /* to ask from this host */
	struct addr public; /* what clients call it */
};

struct doctor {
	const struct conf *conf;
	struct topology topo;
	pid_t server;        /* 0: none runs on the data directory */
	struct rights owner; /* of the data directory: what is opened there is by his */
	bool silent;         /* it runs, and answers nobody */
	const char *stun;    /* HOST:PORT of somebody outside, or NULL */
	json_t *findings;    /* NULL: they are printed */
	unsigned count[3];
	struct doctor_target target[DOCTOR_TARGETS_MAX];
	size_t target_n;
	bool has_credential;
	struct credential credential; /* a fresh one */
	bool answers;                 /* some target does, over UDP */
};

/* Examines the server that this configuration describes. Prints a line a finding, or, where
 * findings is a JSON array, appends an object there. count: how many of each level. stun: HOST:PORT
 * of another STUN server, or NULL. */
void doctor_run(const struct conf *conf, const char *stun, json_t *findings, unsigned count[3]);

/* One line. What follows a newline in the text is the fix: required but for DOCTOR_OK. */
void doctor_say(struct doctor *d, enum doctor_level level, const char *check, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The name of a process, "" for one that is none of ours. Returns buf. */
const char *doctor_process(pid_t pid, char buf[64]);

/* A number from a file of /proc; -1 when there is none. n is which of its words. */
long long doctor_proc_number(const char *path, int n);

/* ---- the parts, in this order ---- */

void doctor_files(struct doctor *d); /* data directory, database, credential */
void doctor_cert(struct doctor *d);
void doctor_host(struct doctor *d);    /* limits, clock, kernel */
void doctor_ports(struct doctor *d);   /* who has them */
void doctor_answers(struct doctor *d); /* Binding over each transport; own and outside addresses */
void doctor_relay(struct doctor *d);   /* Allocate and an echo over each transport */

#endif

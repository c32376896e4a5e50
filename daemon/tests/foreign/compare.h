/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Two servers, one script: what each of them answers, field by field.
 */
#ifndef DAEMON_TESTS_FOREIGN_COMPARE_H
#define DAEMON_TESTS_FOREIGN_COMPARE_H

#include "daemon/tests/server/talker.h"

#define COMPARE_STEPS_MAX 256
#define COMPARE_ATTRS_MAX 24

/* An answer, without what chance and clock put into it. */
struct answer {
	char step[96];
	int code; /* 0: success; TALKER_SILENCE */
	uint16_t type;
	size_t attr_n;
	uint16_t attr[COMPARE_ATTRS_MAX]; /* sorted, each once */
	char integrity[8];                /* "none", "right", "wrong" */
	char lifetime[16];                /* seconds, rounded up to tens, or "none" */
	char mapped[8];                   /* XOR-MAPPED-ADDRESS: "none", "right", "wrong" */
	char unknown[64];                 /* UNKNOWN-ATTRIBUTES */
	char sound[8];                    /* "yes": attributes in bounds, padding zero */
};

/* One server's part in the conversation. */
struct talk {
	const char *server; /* address and port */
	bool stream;        /* over TCP; the steps' names then begin with "tcp: " */
	struct talker c;
	struct answer answers[COMPARE_STEPS_MAX];
	size_t n;
	int wait_ms; /* after that, silence is the answer */
};

/* Says the message as it is, or as a request with integrity, and notes what comes back. The
 * answer's code. */
int compare_say(struct talk *t, const char *step, const struct wire *m);
int compare_ask(struct talk *t, const char *step, struct wire *m);
/* Notes what the connection brought without being asked; TALKER_SILENCE: nothing. */
int compare_listen(struct talk *t, const char *step);

/* The scripts: each opens its own clients. compare_scripts.c */
struct script {
	const char *name;
	void (*run)(struct talk *t);
	bool udp, tcp; /* over which to say it */
};
extern const struct script compare_scripts[];
extern const size_t compare_script_n;

#endif

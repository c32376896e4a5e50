/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared by the tests of the hub: a hub, four clients, and their expectations.
 */
#ifndef SIGNAL_TESTS_HUB_HOUSE_H
#define SIGNAL_TESTS_HUB_HOUSE_H

#include "signal/hub.h"

#define FRAMES_MAX 128

/* A client: what the hub sent it, and the state of its queue. */
struct hub_client {
	struct hub_member *member;
	char *frame[FRAMES_MAX];
	unsigned n;
	unsigned seen;
	int send_rc;         /* what the next send() to it gives */
	bool busy;           /* has no room for what is only passed on */
	unsigned close_code; /* 0 while it is open */
};

struct house {
	struct hub *hub;
	struct hub_client a, b, c, d;
	int64_t now_ms;
	int ice_rc;
	bool ice_later;
	char ice_name[80];
	char ice_token[80];
	uint64_t ice_member;
	bool sent_first; /* a frame was sent while hub_ops.link had said nothing */
	char links[512]; /* what hub_ops.link said: "1>2 " is signaled, "1|2 " ended, "1=2 " moved,
	                  * "1x " gone */
	int64_t later_at_ms; /* when hub_list_due() is due; 0: not at all */
	char events[4096];   /* "what room name; ", of the rarer kinds */
	char calls[1024];    /* "begun alice bob; answered bob alice; ended alice bob reason seconds
	                      * answered; " */
};

/* For cmocka: *state is a struct house. */
int setup_with(void **state, const struct hub_conf *conf);
/* With the optional ops of more: identify, admit. ctx is the struct house. */
int setup_asking(void **state, const struct hub_conf *conf, const struct hub_ops *more);
int setup(void **state);
int setup_later(void **state); /* lists are gathered */
int teardown(void **state);

void join(struct house *h, struct hub_client *c);

/* By an address of 192.0.2.0/24 (host 0: none is known); room and ticket may be NULL. Its id is
 * forgotten. */
void join_from(struct house *h, struct hub_client *c, unsigned host, const char *room,
               const char *ticket);
void leave(struct hub_client *c);
void say(struct hub_client *c, const char *text);

/* alice, bob and carol are signed in; all they were told is forgotten. */
struct house *three(void **state);

/* As say(), with a username of these members: "\"name\":\"alice\"". */
void sign_in(struct hub_client *c, const char *members);

/* A ticket of this house: "SUB/NAME/ROOM/MAY", ROOM * for any, MAY as a number. "stale" has
 * expired; others are not valid. */

/* The next frame is exactly this; an error of this code; there is none. */
void expect(struct hub_client *c, const char *text);
void expect_error(struct hub_client *c, const char *code);
void expect_nothing(struct hub_client *c);
void forget_frames(struct hub_client *c);

/* Answers the last request for ICE servers. */
void answer(struct house *h);

#endif

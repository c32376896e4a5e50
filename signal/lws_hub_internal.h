/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared by the files of the binding. No other file includes it.
 *
 * Work is done in turns (lws_hub_turn()). A turn has three parts, each bounded in time: frames that
 * wait to be written, messages that wait to be read by the hub, and libwebsockets' own run, in
 * which a message goes to the hub at once while there is time. The rest waits for the next turn, in
 * the order in which it came, each connection with its share. Between two turns everything else on
 * the thread has its own.
 */
#ifndef SIGNAL_LWS_HUB_INTERNAL_H
#define SIGNAL_LWS_HUB_INTERNAL_H

#include "signal/lws_hub.h"

#define BEATS 20 /* groups of connections that are pinged one after another */

struct frame {
	struct frame *prev, *next;
	enum hub_frame kind;
	struct hub_text *text;
};

/* A whole message that the hub has not read yet. */
struct kept {
	struct kept *prev, *next;
	size_t len;
	char text[];
};

/* The lists that a connection can be in. */
enum conn_list {
	LIST_BEAT,   /* of its group; always */
	LIST_WRITE,  /* there is something to write, or to close */
	LIST_READ,   /* has kept messages, and its turn comes */
	LIST_PAUSED, /* has sent more than it may: the hub does not read its messages for a while */
	LIST_FULL,   /* keeps so much that no more is to be read from its socket */
	LIST_CLOSING, /* on its way out */
	LIST_N
};

struct conn {
	struct lws_hub *hub;
	struct lws *wsi;
	struct hub_member *member; /* NULL once it has left the hub; LWS may still be closing */
	struct caller caller;
	char id[24];
	int64_t came_at_ms;
	struct conn_link {
		struct conn *prev, *next;
		struct conn **in; /* the head of the list; NULL: in none */
	} link[LIST_N];

	char *rx; /* the fragments so far */
	size_t rx_len;
	size_t rx_cap;
	struct kept *kept;
	size_t kept_bytes;
	int64_t paused_until_ms;
	uint64_t turn_no; /* its share of that turn */
	unsigned turn_n;
	bool held; /* LWS was told not to read */

	struct frame *queue;
	size_t queue_bytes;
	unsigned queue_frames;
	int64_t progress_at_ms; /* when the queue was last empty or a frame was written */

	uint64_t ping_no;    /* what the last ping said, and its pong has to */
	bool ping;           /* is to be sent when the queue is empty */
	int64_t asked_at_ms; /* when a pong was asked for that has not come; 0: none is */
	int64_t heard_at_ms;

	bool stuck;
	bool broken;          /* a write has failed */
	bool ended;           /* the client has closed: nothing more is written */
	bool leaving;         /* LWS was told to close it */
	unsigned close_code;  /* 0 while it is open */
	unsigned client_code; /* that the client has sent; 0: none yet */
	const char *close_reason;
	int64_t close_by_ms; /* then it is gone, whatever the client does */
};

struct lws_hub {
	struct lws_hub_conf conf;
	struct lws_hub_ops ops;
	void *ctx;
	struct hub *core;
	struct conn *beat[BEATS], *write, *read, *paused, *full, *closing;
	unsigned conn_n;
	struct conn *inside; /* its callback is running */
	uint64_t turn_no;
	int64_t until_us;   /* the end of the running part of the turn */
	int64_t now_ms;     /* when the turn began */
	int64_t beat_at_ms; /* the timers; 0: not set */
	int64_t pause_at_ms;
	int64_t tick_at_ms;
	int64_t list_at_ms;
	unsigned beat_no;
};

/* ---- lws_hub.c ---- */

/* In a list already: it keeps its place. */
void conn_put(struct conn *c, enum conn_list which, struct conn **head);
void conn_take(struct conn *c, enum conn_list which);

/* The time of this part of the turn is over. */
bool turn_is_over(const struct lws_hub *b);

/* hub_ops.close */
void conn_close(void *ctx, void *conn, enum hub_close code, const char *reason);

/* ---- lws_read.c ---- */

/* What LWS has received. The callback's result. */
int read_receive(struct conn *c, const char *in, size_t len);

/* The hub reads what waits: all of one connection; of all connections, as far as time allows. */
void read_rest(struct conn *c);
void read_turn(struct lws_hub *b);

/* LWS stops to read from connections that keep enough; those whose pause is over have their turn
 * again. */
void read_hold(struct lws_hub *b);
void read_unpause(struct lws_hub *b);
void read_free(struct conn *c);

/* ---- lws_write.c ---- */

/* hub_ops.send */
int write_send(void *ctx, void *conn, enum hub_frame kind, struct hub_text *text);

/* Soon, outside of LWS's callbacks: writes what waits, pings, closes. */
void write_soon(struct conn *c);

/* LWS can write. The callback's result. */
int write_ready(struct conn *c);

void write_turn(struct lws_hub *b);
void write_drop_all(struct conn *c);
void write_unsent(const struct conn *c); /* tells the hub of what waits */

/* ---- lws_beat.c ---- */

void beat_join(struct conn *c);
void beat_turn(struct lws_hub *b);
void beat_pong(struct conn *c, const void *in, size_t len);

#endif

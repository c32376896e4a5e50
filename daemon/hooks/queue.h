/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The queue of webhooks on disk: DIR/hooks.db (SQLite, WAL, mode 0600). An event is kept once, and
 * for each URL as a letter, which waits to be sent there or is dead: refused, or too old. A letter
 * that was delivered is deleted, and its event with the last of them.
 *
 * A handle belongs to one thread; several may use the file at once. Times are Unix milliseconds.
 * Every function may return -E_TIMEOUT (locked), -E_CORRUPT, -E_IO (also for a full disk),
 * -E_NOMEM.
 */
#ifndef DAEMON_HOOKS_QUEUE_H
#define DAEMON_HOOKS_QUEUE_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define HOOK_ID_STRLEN    37 /* "evt_", 32 hexadecimal digits, and NUL */
#define HOOK_ERROR_STRLEN 200

struct hook_queue;

/* For each URL, and for all dead letters together. */
struct hook_limits {
	int64_t events, bytes;
};

struct hook_event {
	const char *what;
	const char *members; /* of its JSON object, without braces: "room":"default",... */
	int64_t at_ms;
};

struct hook_letter {
	int64_t seq, at_ms, since_ms; /* since_ms: it waits since then */
	int64_t dead_ms;              /* 0: it waits */
	int tries;
	char id[HOOK_ID_STRLEN];
	const char *url, *what, *error; /* error: of the last try */
	const char *members;
};

struct hook_count {
	int64_t letters, bytes,
	    oldest_ms; /* that wait; oldest_ms: since when the first does, 0: none */
	int64_t dead;
};

/* Makes the file if it is missing. -E_SCHEMA for one of a newer version. */
int hook_queue_open(const char *dir, int busy_timeout_ms, struct hook_queue **out, struct why *why);
void hook_queue_close(struct hook_queue *q);

/* Adds n events, with a letter for each URL. They are on the disk when it returns 0. What is beyond
 * the limits dies, the oldest first; *dropped grows by their number. */
int hook_queue_add(struct hook_queue *q, char *const *urls, size_t url_n,
                   const struct hook_event *events, size_t n, const struct hook_limits *limits,
                   uint64_t *dropped, struct why *why);

/* Calls each with the first waiting letter of url. -E_NOTFOUND: there is none. */
typedef int hook_letter_fn(void *ctx, const struct hook_letter *l);
int hook_queue_first(struct hook_queue *q, const char *url, hook_letter_fn *each, void *ctx,
                     struct why *why);

/* Was delivered. */
int hook_queue_done(struct hook_queue *q, const char *url, int64_t seq, struct why *why);

/* Was tried in vain, and waits on. */
int hook_queue_tried(struct hook_queue *q, const char *url, int64_t seq, const char *error,
                     struct why *why);

/* Dies; and so do all letters of url that wait since before that time. *died grows. */
int hook_queue_kill(struct hook_queue *q, const char *url, int64_t seq, const char *error,
                    struct why *why);
int hook_queue_kill_old(struct hook_queue *q, const char *url, int64_t before_ms, const char *error,
                        uint64_t *died, struct why *why);

/* The waiting letters of any other URL die. */
int hook_queue_keep(struct hook_queue *q, char *const *urls, size_t n, struct why *why);

int hook_queue_count(struct hook_queue *q, const char *url, struct hook_count *out,
                     struct why *why);

/* Calls each with the dead letters behind that number and URL (0 and "": from the first), by
 * number. What it returns other than 0 ends the walk, and is returned. */
int hook_queue_dead(struct hook_queue *q, int64_t seq, const char *url, hook_letter_fn *each,
                    void *ctx, struct why *why);

/* The dead letters of url with that id (NULL: all) wait again, with all their tries before them.
 * *n grows by their number. */
int hook_queue_retry(struct hook_queue *q, const char *url, const char *id, int64_t *n,
                     struct why *why);

#endif

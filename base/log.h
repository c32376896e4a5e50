/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Structured log lines (logfmt), one write(2) a line, safe from every thread. After log_start() no
 * logging thread waits for the reader: a line that finds the queue full is lost and counted, and
 * the count is logged (event=log-lines-lost) when the reader is back.
 *
 *   ts=2026-11-22T09:30:00.123Z level=info id=a1b2 event=allocate user=alice port=49160
 *
 * Values are quoted when they need it, and unprintable characters (text.h) are escaped, so text
 * from the network cannot forge a field or a line. Never pass a secret. Never log on the packet
 * path.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log_field {
	const char *key;
	enum { LOG_FIELD_STR, LOG_FIELD_TEXT, LOG_FIELD_INT, LOG_FIELD_ADDR } type;
	const char *str;
	int64_t num; /* of a text: its length */
	const struct addr *addr;
};

/* Field constructors: LOG_STR("user", name), LOG_TEXT("user", name, len) for any bytes,
 * LOG_INT("port", 49160), LOG_ADDR("client", &a). */
#define LOG_STR(k, v)                                                                              \
	{                                                                                          \
		.key = (k), .type = LOG_FIELD_STR, .str = (v)                                      \
	}
#define LOG_TEXT(k, v, len)                                                                        \
	{                                                                                          \
		.key = (k), .type = LOG_FIELD_TEXT, .str = (v), .num = (int64_t)(len)              \
	}
#define LOG_INT(k, v)                                                                              \
	{                                                                                          \
		.key = (k), .type = LOG_FIELD_INT, .num = (int64_t)(v)                             \
	}
#define LOG_ADDR(k, v)                                                                             \
	{                                                                                          \
		.key = (k), .type = LOG_FIELD_ADDR, .addr = (v)                                    \
	}

/* log_at(LEVEL, id or NULL, "event", fields...) */
#define log_at(level, id, event, ...)                                                              \
	do {                                                                                       \
		const struct log_field log_f_[] = {{.key = NULL}, ##__VA_ARGS__};                  \
		log_write(level, id, event, log_f_ + 1, sizeof(log_f_) / sizeof(*log_f_) - 1);     \
	} while (0)
#define log_error(id, event, ...) log_at(LOG_LEVEL_ERROR, id, event, ##__VA_ARGS__)
#define log_warn(id, event, ...)  log_at(LOG_LEVEL_WARN, id, event, ##__VA_ARGS__)
#define log_info(id, event, ...)  log_at(LOG_LEVEL_INFO, id, event, ##__VA_ARGS__)
#define log_debug(id, event, ...) log_at(LOG_LEVEL_DEBUG, id, event, ##__VA_ARGS__)

void log_write(enum log_level level, const char *id, const char *event,
               const struct log_field *fields, size_t n);

/* Lines below the level are dropped. Set before threads start. */
void log_set_level(enum log_level level);

/* 0 or -E_PARSE; names: error, warn, info, debug. */
int log_level_parse(const char *name, enum log_level *level);

/* Starts a thread that writes the lines. 0 or -E_NOMEM. log_stop() waits a second, at most, until
 * the queue is written; then the program may end. */
int log_start(void);
void log_stop(void);

/* Lines lost since the start of the program. */
uint64_t log_lost(void);

/* Sets the output; the default is standard output. Call it before threads start. */
void log_set_fd(int fd);

/* True when that descriptor is the journal's, according to systemd's JOURNAL_STREAM. */
bool log_is_journal(int fd);

/* Begins each line with its level in the journal's form, "<4>" (sd-daemon(3)), which sets its
 * priority there. Call it before threads start. */
void log_tell_journal(void);

#endif

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The log sink: the one global of the program.
 */
#include "base/log.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/log_queue.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOG_VALUE_MAX 512
#define STOP_MS       1000 /* for a slow reader; an absent one must not hold us */

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

/* syslog(3) */
static const int priorities[] = {
    [LOG_LEVEL_ERROR] = 3,
    [LOG_LEVEL_WARN] = 4,
    [LOG_LEVEL_INFO] = 6,
    [LOG_LEVEL_DEBUG] = 7,
};

static bool to_journal;
static _Atomic enum log_level sink_level = LOG_LEVEL_INFO; /* a reload may change it */
static int sink_fd = STDOUT_FILENO;

void log_set_level(enum log_level level)
{
	sink_level = level;
}

void log_set_fd(int fd)
{
	sink_fd = fd;
}

bool log_is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && !fstat(fd, &st) &&
	       st.st_dev == (dev_t)device && st.st_ino == (ino_t)inode;
}

void log_tell_journal(void)
{
	to_journal = log_is_journal(sink_fd);
}

int log_level_parse(const char *name, enum log_level *level)
{
	for (size_t i = 0; i < sizeof(level_names) / sizeof(*level_names); i++) {
		if (!strcmp(name, level_names[i])) {
			*level = (enum log_level)i;
			return 0;
		}
	}
	return -E_PARSE;
}

static bool is_plain(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
			return false;
	}
	return len;
}

static void put_value(struct buf *b, const char *s, size_t len)
{
	char shown[LOG_VALUE_MAX + 1];

	if (is_plain(s, len) && len < LOG_VALUE_MAX) {
		buf_add(b, s, len);
		return;
	}
	text_show(shown, sizeof(shown), s, len, TEXT_QUOTED);
	buf_printf(b, "\"%s\"", shown);
}

static void put_str(struct buf *b, const char *s)
{
	put_value(b, s ? s : "", s ? strlen(s) : 0);
}

/* Into line, with its newline; its length. */
static size_t format(char line[LOG_LINE_MAX], enum log_level level, const char *id,
                     const char *event, const struct log_field *fields, size_t n)
{
	char text[ADDR_STRLEN];
	struct buf b;
	struct timespec ts;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	buf_init(&b, line, LOG_LINE_MAX - 1);
	if (to_journal)
		buf_printf(&b, "<%d>", priorities[level]);
	buf_printf(&b, "ts=%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ level=%s", tm.tm_year + 1900,
	           tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
	           ts.tv_nsec / 1000000, level_names[level]);
	if (id) {
		buf_printf(&b, " id=");
		put_str(&b, id);
	}
	buf_printf(&b, " event=");
	put_str(&b, event);
	for (size_t i = 0; i < n; i++) {
		buf_printf(&b, " %s=", fields[i].key);
		switch (fields[i].type) {
		case LOG_FIELD_STR:
			put_str(&b, fields[i].str);
			break;
		case LOG_FIELD_TEXT:
			put_value(&b, fields[i].str, (size_t)fields[i].num);
			break;
		case LOG_FIELD_INT:
			buf_printf(&b, "%" PRId64, fields[i].num);
			break;
		case LOG_FIELD_ADDR:
			buf_printf(&b, "%s", addr_format(fields[i].addr, text));
			break;
		}
	}
	line[b.len] = '\n';
	return b.len + 1;
}

static size_t format_lost(char line[LOG_LINE_MAX], uint64_t lines)
{
	const struct log_field fields[] = {LOG_INT("lines", lines),
	                                   LOG_STR("hint", "the reader of this log was too slow")};

	return format(line, LOG_LEVEL_WARN, NULL, "log-lines-lost", fields, 2);
}

void log_write(enum log_level level, const char *id, const char *event,
               const struct log_field *fields, size_t n)
{
	char line[LOG_LINE_MAX];

	if (level <= sink_level)
		log_queue_put(sink_fd, line, format(line, level, id, event, fields, n));
}

int log_start(void)
{
	return log_queue_start(sink_fd, format_lost);
}

void log_stop(void)
{
	log_queue_stop(STOP_MS);
}

uint64_t log_lost(void)
{
	return log_queue_lost();
}

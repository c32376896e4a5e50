/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The queue in front of the log. O_NONBLOCK would work without a thread, but it belongs to the open
 * file, which other programs may share; and neither a disk nor a terminal obeys it.
 */
#include "base/log_queue.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/thread.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_BYTES (1024 * 1024) /* untouched pages cost nothing */
#define DIRECT_MS   1000
#define LEN_BYTES   2 /* in front of each line */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t filled, emptied;
	bool made; /* the conditions */
	bool running, stopping;
	bool stuck;  /* the last line that was written directly found no reader */
	bool broken; /* the last write failed: a report would be lost in turn */
	int fd;
	log_lost_fn *report;
	uint64_t lost, told;
	size_t head, used;
	unsigned char ring[QUEUE_BYTES];
} q = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- the ring; the caller has the lock ---- */

static void ring_add(const void *bytes, size_t len)
{
	size_t at = (q.head + q.used) % QUEUE_BYTES;
	size_t first = QUEUE_BYTES - at < len ? QUEUE_BYTES - at : len;

	memcpy(q.ring + at, bytes, first);
	memcpy(q.ring, (const unsigned char *)bytes + first, len - first);
	q.used += len;
}

static void ring_take(void *bytes, size_t len)
{
	size_t first = QUEUE_BYTES - q.head < len ? QUEUE_BYTES - q.head : len;

	memcpy(bytes, q.ring + q.head, first);
	memcpy((unsigned char *)bytes + first, q.ring, len - first);
	q.head = (q.head + len) % QUEUE_BYTES;
	q.used -= len;
}

static bool add_line(const char *line, size_t len)
{
	uint16_t n = (uint16_t)len;

	if (QUEUE_BYTES - q.used < LEN_BYTES + len)
		return false;
	ring_add(&n, LEN_BYTES);
	ring_add(line, len);
	return true;
}

/* Reports lost lines in the place where they are missing. */
static bool add_report(void)
{
	char line[LOG_LINE_MAX];

	if (q.lost == q.told || q.broken)
		return true;
	if (!add_line(line, q.report(line, q.lost - q.told)))
		return false;
	q.told = q.lost;
	return true;
}

/* ---- writing, without the lock ---- */

/* False when it was not written: the reader has gone, or the disk is full. */
static bool write_whole(int fd, const char *line, size_t len)
{
	while (len) {
		ssize_t n = write(fd, line, len);
		struct pollfd p = {.fd = fd, .events = POLLOUT};

		if (n < 0 && errno == EAGAIN) /* another program has made it so */
			poll(&p, 1, -1);
		else if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			line += n;
			len -= (size_t)n;
		}
	}
	return true;
}

static void write_directly(int fd, const char *line, size_t len)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	q.stuck = poll(&p, 1, q.stuck ? 0 : DIRECT_MS) == 0;
	if (q.stuck || !write_whole(fd, line, len))
		q.lost++;
}

static void *run(void *arg)
{
	char line[LOG_LINE_MAX];

	(void)arg;
	pthread_setname_np(pthread_self(), "log");
	pthread_mutex_lock(&q.lock);
	for (;;) {
		bool written;
		uint16_t len;

		if (!q.used)
			add_report();
		if (!q.used) {
			pthread_cond_broadcast(&q.emptied);
			if (q.stopping)
				break;
			pthread_cond_wait(&q.filled, &q.lock);
			continue;
		}
		ring_take(&len, LEN_BYTES);
		ring_take(line, len);
		pthread_mutex_unlock(&q.lock);
		written = write_whole(q.fd, line, len);
		pthread_mutex_lock(&q.lock);
		q.broken = !written;
		q.lost += q.broken;
	}
	q.running = false;
	pthread_cond_broadcast(&q.emptied);
	pthread_mutex_unlock(&q.lock);
	return NULL;
}

int log_queue_start(int fd, log_lost_fn *lost)
{
	pthread_condattr_t monotonic;
	pthread_t thread;
	int r;

	pthread_mutex_lock(&q.lock);
	if (!q.made) {
		pthread_condattr_init(&monotonic);
		pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
		pthread_cond_init(&q.filled, &monotonic);
		pthread_cond_init(&q.emptied, &monotonic);
		pthread_condattr_destroy(&monotonic);
		q.made = true;
	}
	q.fd = fd;
	q.report = lost;
	q.stopping = false;
	r = q.running ? 0 : thread_start(&thread, run, NULL);
	q.running = !r;
	pthread_mutex_unlock(&q.lock);
	if (!r)
		pthread_detach(thread); /* it may hang in a write(2) for good */
	return r ? -E_NOMEM : 0;
}

void log_queue_put(int fd, const char *line, size_t len)
{
	pthread_mutex_lock(&q.lock);
	if (!q.running)
		write_directly(fd, line, len);
	else if (!add_report() || !add_line(line, len))
		q.lost++;
	else
		pthread_cond_signal(&q.filled);
	pthread_mutex_unlock(&q.lock);
}

void log_queue_stop(unsigned int wait_ms)
{
	const struct timespec until = clock_deadline(wait_ms);

	pthread_mutex_lock(&q.lock);
	q.stopping = true;
	pthread_cond_signal(&q.filled);
	while (q.made && q.running && !pthread_cond_timedwait(&q.emptied, &q.lock, &until))
		;
	pthread_mutex_unlock(&q.lock);
}

uint64_t log_queue_lost(void)
{
	uint64_t n;

	pthread_mutex_lock(&q.lock);
	n = q.lost;
	pthread_mutex_unlock(&q.lock);
	return n;
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The watch over the certificate's files. A look every second costs nothing and
 * survives what inotify does not: renamed folders, swapped links, mounts.
 */
#include "daemon/cert/cert_watch.h"

#include "base/log.h"

#include <event2/event.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Identifies one state of the files. */
struct look {
	struct {
		dev_t dev;
		ino_t ino;
		off_t size;
		struct timespec mtime, ctime;
	} file[2];
};

struct cert_watch {
	struct event *tick;
	char path[2][PATH_MAX];
	struct look used, last; /* what was loaded; what was there a tick ago */
	bool failed;            /* the last try, for why */
	struct why why;
	int (*load)(void *ctx, struct why *why);
	void *ctx;
};

static void look(const struct cert_watch *w, struct look *out)
{
	memset(out, 0, sizeof(*out)); /* a missing file is a state, too */
	for (int i = 0; i < 2; i++) {
		struct stat st;

		if (stat(w->path[i], &st))
			continue;
		out->file[i].dev = st.st_dev;
		out->file[i].ino = st.st_ino;
		out->file[i].size = st.st_size;
		out->file[i].mtime = st.st_mtim;
		out->file[i].ctime = st.st_ctim;
	}
}

static bool same(const struct look *a, const struct look *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct cert_watch *w = arg;
	struct why why = {{0}};
	struct look now;
	bool settled;

	(void)fd;
	(void)what;
	look(w, &now);
	settled = same(&now, &w->last);
	w->last = now;
	if (same(&now, &w->used) || !settled)
		return;
	if (w->load(w->ctx, &why)) {
		if (!w->failed || strcmp(why.text, w->why.text) != 0)
			log_error(
			    NULL, "certificate-kept", LOG_STR("error", why.text),
			    LOG_STR(
			        "hint",
			        "the server keeps the old certificate until the files are right"));
		w->failed = true;
		w->why = why;
		return;
	}
	w->used = now;
	w->failed = false;
	log_info(NULL, "certificate-reloaded", LOG_STR("file", w->path[0]));
}

struct cert_watch *cert_watch_new(struct event_base *base, const char *cert_path,
                                  const char *key_path, int (*load)(void *ctx, struct why *why),
                                  void *ctx)
{
	struct timeval every = {.tv_sec = CERT_WATCH_MS / 1000};
	struct cert_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->load = load;
	w->ctx = ctx;
	w->tick = event_new(base, -1, EV_PERSIST, on_tick, w);
	if (!w->tick || event_add(w->tick, &every)) {
		cert_watch_free(w);
		return NULL;
	}
	cert_watch_note(w, cert_path, key_path);
	return w;
}

void cert_watch_note(struct cert_watch *w, const char *cert_path, const char *key_path)
{
	snprintf(w->path[0], sizeof(w->path[0]), "%s", cert_path);
	snprintf(w->path[1], sizeof(w->path[1]), "%s", key_path);
	look(w, &w->used);
	w->last = w->used;
	w->failed = false;
}

void cert_watch_retry(struct cert_watch *w, const struct why *why)
{
	memset(&w->used, 0xff, sizeof(w->used));
	w->failed = true;
	w->why = *why;
}

void cert_watch_free(struct cert_watch *w)
{
	if (!w)
		return;
	if (w->tick)
		event_free(w->tick);
	free(w);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The state of signaling in a file.
 */
#include "daemon/web/web_state.h"

#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define AGE_MAX_S 600 /* clients have given up by then */

static void complain(const char *path, const char *why)
{
	log_warn(NULL, "signal-state", LOG_STR("path", path), LOG_STR("error", why),
	         LOG_STR("hint", "clients sign in anew; calls that ring are lost"));
}

void web_state_save(const struct hub *h, const char *path)
{
	json_t *state = hub_save(h);
	char fresh[PATH_MAX];
	int fd = -1;

	if (!state || json_object_set_new(state, "saved_at", json_integer(time(NULL)))) {
		complain(path, error_text(E_NOMEM));
		json_decref(state);
		return;
	}
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	unlink(fresh); /* of a stop that was interrupted */
	errno = 0;
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || json_dumpfd(state, fd, JSON_COMPACT) || fsync(fd) || rename(fresh, path)) {
		complain(path, strerror(errno ? errno : EIO));
		unlink(fresh);
	}
	if (fd >= 0)
		close(fd);
	json_decref(state);
}

static void use(struct hub *h, const json_t *state, const char *path)
{
	json_int_t saved_s = json_integer_value(json_object_get(state, "saved_at"));
	json_int_t now_s = time(NULL);

	if (saved_s < now_s - AGE_MAX_S || saved_s > now_s)
		complain(path, "it is too old");
	else if (hub_load(h, state))
		complain(path, "it is of another version");
}

void web_state_load(struct hub *h, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); /* a FIFO waits */
	json_error_t fault;
	json_t *state;

	if (fd < 0) {
		if (errno != ENOENT)
			complain(path, strerror(errno));
		return;
	}
	state = json_loadfd(fd, JSON_REJECT_DUPLICATES, &fault);
	close(fd);
	/* Before it is used: what is taken twice would come to life twice. */
	if (unlink(path))
		complain(path, strerror(errno));
	else if (!json_is_object(state))
		complain(path, "it is damaged");
	else
		use(h, state, path);
	json_decref(state);
}

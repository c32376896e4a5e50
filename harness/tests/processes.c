/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reads /proc.
 */
#include "harness/tests/processes.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct entry {
	struct process p;
	pid_t parent;
	bool zombie;
};

static unsigned long net_ns_of(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

static void read_command(pid_t pid, char *buf, size_t size)
{
	char path[64];
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, buf, size - 1);
		close(fd);
	}
	buf[n > 0 ? n : 0] = '\0';
	for (ssize_t i = 0; i < n - 1; i++) {
		if (buf[i] == '\0')
			buf[i] = ' ';
	}
}

static bool read_entry(pid_t pid, struct entry *e)
{
	char path[64], text[1024], state;
	const char *after;
	int ppid;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	after = strrchr(text, ')'); /* the name may hold anything */
	if (!after ||
	    sscanf(after,
	           ") %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
	           "%llu",
	           &state, &ppid, &e->p.started) != 3)
		return false;
	e->p.pid = pid;
	e->parent = ppid;
	e->zombie = state == 'Z' || state == 'X';
	return true;
}

/* Calls fn for each process of the machine. */
static void each_process(void (*fn)(pid_t pid, void *arg), void *arg)
{
	DIR *d = opendir("/proc");
	struct dirent *de;

	while (d && (de = readdir(d)) != NULL) {
		pid_t pid = atoi(de->d_name);

		if (pid > 0)
			fn(pid, arg);
	}
	if (d)
		closedir(d);
}

struct snapshot {
	size_t n;
	struct entry at[4096];
};

static void take(pid_t pid, void *arg)
{
	struct snapshot *s = arg;

	if (s->n < sizeof(s->at) / sizeof(*s->at) && read_entry(pid, &s->at[s->n]))
		s->n++;
}

void processes_below(pid_t root, struct processes *out)
{
	struct snapshot *s = calloc(1, sizeof(*s));
	bool grew = true;

	out->n = 0;
	if (!s)
		return;
	each_process(take, s);
	/* A child may be listed before its parent: go round until nothing is new. */
	while (grew) {
		grew = false;
		for (size_t i = 0; i < s->n; i++) {
			bool ours = s->at[i].parent == root;

			for (size_t k = 0; k < out->n && !ours; k++)
				ours = s->at[i].parent == out->at[k].pid;
			if (!ours || s->at[i].zombie || out->n == PROCESSES_MAX)
				continue;
			s->at[i].p.net_ns = net_ns_of(s->at[i].p.pid);
			read_command(s->at[i].p.pid, s->at[i].p.command,
			             sizeof(s->at[i].p.command));
			out->at[out->n++] = s->at[i].p;
			s->at[i].parent = -1; /* taken */
			grew = true;
		}
	}
	free(s);
}

const struct process *processes_find(const struct processes *ps, const char *part, const char *no)
{
	for (size_t i = 0; i < ps->n; i++) {
		if (strstr(ps->at[i].command, part) && (!no || !strstr(ps->at[i].command, no)))
			return &ps->at[i];
	}
	return NULL;
}

size_t processes_alive(const struct processes *ps)
{
	size_t n = 0;

	for (size_t i = 0; i < ps->n; i++) {
		struct entry e;

		memset(&e, 0, sizeof(e));
		n += read_entry(ps->at[i].pid, &e) && !e.zombie && e.p.started == ps->at[i].started;
	}
	return n;
}

struct census {
	const struct processes *ps;
	unsigned long own;
	size_t n;
};

static void count(pid_t pid, void *arg)
{
	struct census *c = arg;
	unsigned long ns = net_ns_of(pid);

	for (size_t i = 0; ns && ns != c->own && i < c->ps->n; i++) {
		if (c->ps->at[i].net_ns == ns) {
			c->n++;
			return;
		}
	}
}

size_t processes_in_their_namespaces(const struct processes *ps)
{
	struct census c = {.ps = ps, .own = net_ns_of(getpid())};

	each_process(count, &c);
	return c.n;
}

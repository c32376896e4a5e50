/* SPDX-License-Identifier: BSD-3-Clause
 *
 * libpcap in a child process, which lives in the namespace and ends when its
 * lifeline does: asked to, or with the harness.
 */
#include "harness/scenarios/capture.h"

#include "harness/lab/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <pcap/pcap.h>

#define STOP_MS      2000
#define BUFFER_BYTES (2 << 20) /* for bursts, in the kernel */
#define FILE_HEAD    24
#define RECORD_HEAD  16

struct capture {
	pid_t pid;
	int lifeline_fd; /* closing it ends the child */
};

/* The child's descriptors: all that it keeps of the parent's. */
enum { FD_NETNS = 3, FD_FILE, FD_LIFELINE, FD_REPORT, FD_END };

struct writer {
	pcap_dumper_t *dumper;
	size_t room; /* bytes left of the bound */
	bool full;
};

/* Other children must see their pipes close when the parent closes them. */
static void keep_only(const int fds[FD_END - FD_NETNS])
{
	int high[FD_END - FD_NETNS];

	for (int i = 0; i < FD_END - FD_NETNS; i++)
		high[i] = fcntl(fds[i], F_DUPFD, FD_END);
	for (int i = 0; i < FD_END - FD_NETNS; i++)
		dup2(high[i], FD_NETNS + i);
	syscall(SYS_close_range, FD_END, ~0U, 0);
}

static void on_packet(u_char *arg, const struct pcap_pkthdr *head, const u_char *data)
{
	struct writer *w = (struct writer *)arg;
	size_t size = RECORD_HEAD + head->caplen;

	w->full = w->full || size > w->room;
	if (w->full)
		return;
	w->room -= size;
	pcap_dump((u_char *)w->dumper, head, data);
}

__attribute__((format(printf, 1, 2), noreturn)) static void give_up(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vdprintf(FD_REPORT, fmt, ap);
	va_end(ap);
	_exit(1);
}

static pcap_t *open_any(void)
{
	char text[PCAP_ERRBUF_SIZE] = "";
	pcap_t *p = pcap_create("any", text);
	int err;

	if (!p)
		give_up("%s", text);
	pcap_set_snaplen(p, CAPTURE_SNAPLEN);
	pcap_set_buffer_size(p, BUFFER_BYTES);
	pcap_set_immediate_mode(p, 1); /* nothing is held back when it ends */
	err = pcap_activate(p);
	if (err < 0)
		give_up("%s (%s)", pcap_statustostr(err), pcap_geterr(p));
	if (pcap_setnonblock(p, 1, text) != 0)
		give_up("%s", text);
	return p;
}

/* Until the lifeline is closed, the file is full, or cannot be written. */
static void copy_packets(pcap_t *p, struct writer *w)
{
	struct pollfd fds[] = {{.fd = pcap_get_selectable_fd(p), .events = POLLIN},
	                       {.fd = FD_LIFELINE, .events = POLLIN}};

	while (!w->full) {
		poll(fds, 2, -1);
		if (pcap_dispatch(p, -1, on_packet, (u_char *)w) < 0 ||
		    pcap_dump_flush(w->dumper) != 0)
			_exit(1);
		if (fds[1].revents)
			return;
	}
}

__attribute__((noreturn)) static void child(size_t max_bytes)
{
	struct writer w = {.room = max_bytes > FILE_HEAD ? max_bytes - FILE_HEAD : 0};
	pcap_t *p;
	FILE *f;

	setpgid(0, 0);
	if (setns(FD_NETNS, CLONE_NEWNET) != 0)
		give_up("cannot enter the namespace: %s", strerror(errno));
	p = open_any();
	f = fdopen(FD_FILE, "w");
	w.dumper = f ? pcap_dump_fopen(p, f) : NULL;
	if (!w.dumper || pcap_dump_flush(w.dumper) != 0)
		give_up("cannot write the file: %s", strerror(errno));
	close(FD_REPORT);
	copy_packets(p, &w);
	_exit(0); /* flushed; no destructors of the parent's here */
}

int capture_start(struct capture **out, int netns_fd, int fd, size_t max_bytes, struct why *why)
{
	struct capture *c = calloc(1, sizeof(*c));
	int report[2], lifeline[2];
	char said[256];
	ssize_t n;

	if (!c)
		return why_set(why, -E_NOMEM, "out of memory");
	if (pipe2(report, O_CLOEXEC) != 0 || pipe2(lifeline, O_CLOEXEC) != 0) {
		free(c);
		return why_set(why, -E_IO, "pipe: %s", strerror(errno));
	}
	c->lifeline_fd = lifeline[1];
	c->pid = fork();
	if (c->pid == 0) {
		const int keep[] = {netns_fd, fd, lifeline[0], report[1]};

		keep_only(keep);
		child(max_bytes);
	}
	close(lifeline[0]);
	close(report[1]);
	/* It closes its end when it captures, and says why it does not before it ends. */
	n = c->pid < 0 ? 0 : read(report[0], said, sizeof(said) - 1);
	close(report[0]);
	if (c->pid > 0 && n == 0) {
		*out = c;
		return 0;
	}
	said[n > 0 ? n : 0] = '\0';
	why_set(why, -E_IO, "packets cannot be captured: %s", n > 0 ? said : strerror(errno));
	capture_stop(c, NULL);
	return strstr(said, "ermi") ? -E_DENIED : -E_IO;
}

int capture_stop(struct capture *c, struct why *why)
{
	int status = 0, err = 0;

	if (!c)
		return 0;
	close(c->lifeline_fd);
	if (c->pid > 0 && proc_wait(c->pid, STOP_MS, &status) != 0) {
		proc_stop(c->pid, 0);
		err = why_set(why, -E_IO, "the capture did not end when asked to");
	} else if (status != 0) {
		err = why_set(why, -E_IO, "the capture is incomplete: is the disk full?");
	}
	free(c);
	return err;
}

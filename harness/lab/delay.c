/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Delay and jitter. The router queues what passes its WAN (NFQUEUE 1 out, 2
 * in) to this process, which gives each packet its verdict when it is due.
 * Forked, not executed: nothing more to install. netem is not in every kernel.
 */
#include "harness/lab/inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define QUEUES   2
#define HELD_MAX 16384 /* the kernel drops what is more, as a full router would */
#define NL_BUF   65536

struct held {
	uint32_t id;
	int64_t due_us;
};

struct queue {
	struct mnl_socket *nl;
	uint16_t num;
	struct held *held; /* a ring: packets keep their order */
	size_t head, n;
	int64_t last_due_us;
};

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int send_config(struct queue *q, struct nlmsghdr *nlh)
{
	return mnl_socket_sendto(q->nl, nlh, nlh->nlmsg_len) < 0 ? -1 : 0;
}

/* Sends the last configuration message with a request for an answer, and reads it. */
static int confirm_config(struct queue *q, struct nlmsghdr *nlh)
{
	char buf[512];
	ssize_t n;

	nlh->nlmsg_flags |= NLM_F_ACK;
	if (send_config(q, nlh) != 0)
		return -1;
	n = mnl_socket_recvfrom(q->nl, buf, sizeof(buf));
	return n < 0 ? -1 : mnl_cb_run(buf, (size_t)n, 0, 0, NULL, NULL) < 0 ? -1 : 0;
}

static int open_queue(struct queue *q, uint16_t num)
{
	char buf[512];
	struct nlmsghdr *nlh;
	int room = 4 << 20;

	q->num = num;
	q->held = calloc(HELD_MAX, sizeof(*q->held));
	q->nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!q->held || !q->nl || mnl_socket_bind(q->nl, 0, MNL_SOCKET_AUTOPID) < 0)
		return -1;
	setsockopt(mnl_socket_get_fd(q->nl), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	nlh = nfq_nlmsg_put(buf, NFQNL_MSG_CONFIG, num);
	nfq_nlmsg_cfg_put_cmd(nlh, AF_UNSPEC, NFQNL_CFG_CMD_BIND);
	if (confirm_config(q, nlh) != 0)
		return -1;
	nlh = nfq_nlmsg_put(buf, NFQNL_MSG_CONFIG, num);
	/* The packets themselves stay in the kernel; large ones are not cut up for us. */
	nfq_nlmsg_cfg_put_params(nlh, NFQNL_COPY_META, 0);
	nfq_nlmsg_cfg_put_qmaxlen(nlh, HELD_MAX);
	mnl_attr_put_u32(nlh, NFQA_CFG_FLAGS, htonl(NFQA_CFG_F_GSO));
	mnl_attr_put_u32(nlh, NFQA_CFG_MASK, htonl(NFQA_CFG_F_GSO));
	return confirm_config(q, nlh);
}

struct arrival {
	struct queue *q;
	const struct lab_link *link;
};

static int on_packet(const struct nlmsghdr *nlh, void *data)
{
	struct nlattr *attr[NFQA_MAX + 1] = {0};
	const struct nfqnl_msg_packet_hdr *hdr;
	struct arrival *a = data;
	struct queue *q = a->q;
	uint32_t chance = 0;
	int64_t due;

	if (nfq_nlmsg_parse(nlh, attr) < 0 || !attr[NFQA_PACKET_HDR] || q->n == HELD_MAX)
		return MNL_CB_OK;
	hdr = mnl_attr_get_payload(attr[NFQA_PACKET_HDR]);
	due = now_us() + (int64_t)a->link->delay_ms * 1000;
	if (a->link->jitter_ms > 0 && getrandom(&chance, sizeof(chance), 0) == sizeof(chance))
		due += chance % (a->link->jitter_ms * 1000 + 1);
	if (due < q->last_due_us)
		due = q->last_due_us;
	q->last_due_us = due;
	q->held[(q->head + q->n++) % HELD_MAX] = (struct held){ntohl(hdr->packet_id), due};
	return MNL_CB_OK;
}

static void release_due(struct queue *q, int64_t now)
{
	char buf[256];

	while (q->n > 0 && q->held[q->head].due_us <= now) {
		struct nlmsghdr *nlh = nfq_nlmsg_put(buf, NFQNL_MSG_VERDICT, q->num);

		nfq_nlmsg_verdict_put(nlh, (int)q->held[q->head].id, NF_ACCEPT);
		(void)send_config(q, nlh);
		q->head = (q->head + 1) % HELD_MAX;
		q->n--;
	}
}

static void wait_next(struct queue *q, struct pollfd *fds)
{
	int64_t next = INT64_MAX, left;
	struct timespec ts;

	for (int i = 0; i < QUEUES; i++) {
		if (q[i].n > 0 && q[i].held[q[i].head].due_us < next)
			next = q[i].held[q[i].head].due_us;
	}
	left = next == INT64_MAX ? 1000000 : next - now_us();
	if (left < 0)
		left = 0;
	ts = (struct timespec){left / 1000000, left % 1000000 * 1000};
	ppoll(fds, QUEUES, &ts, NULL);
}

__attribute__((noreturn)) static void hold_packets(struct queue *q, const struct lab_link *link)
{
	static char buf[NL_BUF];
	struct pollfd fds[QUEUES];

	for (;;) {
		for (int i = 0; i < QUEUES; i++)
			fds[i] = (struct pollfd){mnl_socket_get_fd(q[i].nl), POLLIN, 0};
		wait_next(q, fds);
		for (int i = 0; i < QUEUES; i++) {
			struct arrival a = {&q[i], link};
			ssize_t n;

			if (fds[i].revents) {
				n = recv(fds[i].fd, buf, sizeof(buf), MSG_DONTWAIT);
				if (n > 0)
					mnl_cb_run(buf, (size_t)n, 0, 0, on_packet, &a);
			}
			release_due(&q[i], now_us());
		}
	}
}

/* Nothing of the harness may live on in here: a browser would wait for the end of a pipe. */
static void drop_descriptors(const struct queue *q, int ready_fd)
{
	int max = ready_fd, fd;

	for (int i = 0; i < QUEUES; i++) {
		fd = mnl_socket_get_fd(q[i].nl);
		max = fd > max ? fd : max;
	}
	for (fd = 0; fd <= max; fd++) {
		if (fd != ready_fd && fd != mnl_socket_get_fd(q[0].nl) &&
		    fd != mnl_socket_get_fd(q[1].nl))
			close(fd);
	}
	syscall(SYS_close_range, max + 1, ~0U, 0);
}

__attribute__((noreturn)) static void delay_child(int router_ns, const struct lab_link *link,
                                                  int ready_fd)
{
	struct queue q[QUEUES] = {{0}};
	sigset_t none;
	int err = 0;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || setpgid(0, 0) != 0 ||
	    setns(router_ns, CLONE_NEWNET) != 0 || open_queue(&q[0], 1) != 0 ||
	    open_queue(&q[1], 2) != 0)
		err = errno ? errno : EIO;
	if (write(ready_fd, &err, sizeof(err)) != sizeof(err) || err != 0)
		_exit(1);
	drop_descriptors(q, ready_fd);
	close(ready_fd);
	hold_packets(q, link);
}

int delay_start(int router_ns, const struct lab_link *link, pid_t *pid, struct why *why)
{
	struct lab_link copy = *link;
	int ready[2], child_err = 0;
	ssize_t n;
	pid_t p;

	if (pipe2(ready, O_CLOEXEC) != 0)
		return why_set(why, error_from_errno(errno), "pipe: %s", strerror(errno));
	p = fork();
	if (p == 0)
		delay_child(router_ns, &copy, ready[1]);
	close(ready[1]);
	if (p < 0) {
		close(ready[0]);
		return why_set(why, error_from_errno(errno), "fork: %s", strerror(errno));
	}
	do {
		n = read(ready[0], &child_err, sizeof(child_err));
	} while (n < 0 && errno == EINTR);
	close(ready[0]);
	*pid = p;
	if (n == sizeof(child_err) && child_err == 0)
		return 0;
	return why_set(why, -E_UNSUPPORTED,
	               "this kernel gives no packet queue for delay and jitter: %s (kernel module "
	               "nfnetlink_queue)",
	               n == sizeof(child_err) ? strerror(child_err) : "the helper died");
}

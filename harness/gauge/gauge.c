/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The gauge's thread: allocations, a peer that sends everything back, and an
 * echo in a second thread.
 *
 * A datagram, in 4-byte words:
 *   magic | flow | number | a pattern made of the two, up to its length
 */
#include "harness/gauge/gauge.h"

#include "base/thread.h"
#include "harness/gauge/client.h"
#include "harness/gauge/track.h"
#include "harness/lab/lab.h"
#include "harness/lab/proc.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS    32   /* each flow sends one datagram in it */
#define NUMBERS    4096 /* of a flow; then it is silent: some two minutes */
#define MAGIC      0x54504755u
#define SHORT      120
#define LONG       1000 /* every fourth: as a picture's packets are */
#define DRAIN_MS   400  /* what has not come for so long, since the last that came, will not */
#define DRAIN_MOST 3000
#define SAMPLE_MS  100
#define OVER_UDP   5
#define OVER_TCP   2
#define SENT_LEAST 200 /* before it says anything, if it can in time */
#define MORE_MS    3000
#define SERVER_MAX 8 /* processes */

struct flow {
	struct gauge_client client;
	struct gauge *g;
	enum gauge_leg leg;
	bool up;
	uint32_t sent;
	double sent_ms[NUMBERS];
	uint8_t came[NUMBERS], back[NUMBERS]; /* how often: to the peer, and back */
};

struct gauge {
	struct gauge_options opt;
	pthread_t thread, echo_thread;
	atomic_bool stop, echo_stop;
	bool started;
	int peer_fd, echo_fd, control_fd;
	struct addr peer, echo_addr;
	struct flow *flow[GAUGE_FLOWS];
	size_t flow_n;
	struct track way[GAUGE_LEGS], all, echo;
	unsigned changed[GAUGE_LEGS], changed_peer;
	pid_t server[SERVER_MAX];
	size_t server_n;
	struct climb waited;
	double from_ms, to_ms, came_ms;
	uint32_t echoes;
	long overflows;
	struct gauge_facts facts;
};

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* ---- datagrams ---- */

static size_t length_of(uint32_t number)
{
	return number % 4 == 3 ? LONG : SHORT;
}

static size_t compose(uint8_t buf[LONG], uint32_t flow, uint32_t number)
{
	size_t len = length_of(number);
	uint32_t word[3] = {htonl(MAGIC), htonl(flow), htonl(number)};
	uint32_t x = flow * 2654435761u ^ (number + 1) * 40503u ^ MAGIC;

	memcpy(buf, word, sizeof(word));
	for (size_t i = sizeof(word); i < len; i++) {
		x = x * 1664525u + 1013904223u;
		buf[i] = (uint8_t)(x >> 24);
	}
	return len;
}

/* Reads the flow from a datagram. False: it was changed on the way. */
static bool read_datagram(const struct gauge *g, const uint8_t *data, size_t len, uint32_t *flow,
                          uint32_t *number)
{
	uint8_t whole[LONG];
	uint32_t word[3];

	if (len < sizeof(word))
		return false;
	memcpy(word, data, sizeof(word));
	*flow = ntohl(word[1]);
	*number = ntohl(word[2]);
	return ntohl(word[0]) == MAGIC && *flow < g->flow_n && *number < g->flow[*flow]->sent &&
	       compose(whole, *flow, *number) == len && !memcmp(whole, data, len);
}

static void count(uint8_t *times)
{
	if (*times < UINT8_MAX)
		(*times)++;
}

/* From the peer, over the channel. */
static void on_back(void *arg, const uint8_t *data, size_t len)
{
	struct flow *f = arg;
	struct gauge *g = f->g;
	uint32_t flow, number;

	g->came_ms = now_ms();
	if (!read_datagram(g, data, len, &flow, &number) || g->flow[flow] != f) {
		g->changed[f->leg]++;
		return;
	}
	count(&f->back[number]);
	track_add(&g->way[f->leg], g->came_ms, g->came_ms - f->sent_ms[number]);
	track_add(&g->all, g->came_ms, g->came_ms - f->sent_ms[number]);
}

/* At the peer: what comes goes back where it came from, whole or not. */
static void on_peer(struct gauge *g)
{
	uint8_t data[2 * LONG];
	uint32_t flow, number;
	struct addr from;
	socklen_t size = sizeof(from);
	ssize_t n;

	while ((n = recvfrom(g->peer_fd, data, sizeof(data), MSG_DONTWAIT, &from.sa, &size)) >= 0) {
		size = sizeof(from);
		if (!read_datagram(g, data, (size_t)n, &flow, &number)) {
			g->changed_peer++;
			continue;
		}
		count(&g->flow[flow]->came[number]);
		(void)!sendto(g->peer_fd, data, (size_t)n, MSG_DONTWAIT, &from.sa, addr_len(&from));
	}
}

static void on_echo(struct gauge *g)
{
	double sent, now = now_ms();

	while (recv(g->control_fd, &sent, sizeof(sent), MSG_DONTWAIT) == sizeof(sent))
		track_add(&g->echo, now, now - sent);
}

/* ---- the echo: a thread that is woken by each datagram, as the relay is ---- */

static void *run_echo(void *arg)
{
	struct gauge *g = arg;

	while (!atomic_load(&g->echo_stop)) {
		struct pollfd p = {.fd = g->echo_fd, .events = POLLIN};
		struct addr from;
		socklen_t size = sizeof(from);
		double stamp;

		if (poll(&p, 1, 100) == 1 &&
		    recvfrom(g->echo_fd, &stamp, sizeof(stamp), MSG_DONTWAIT, &from.sa, &size) > 0)
			(void)!sendto(g->echo_fd, &stamp, sizeof(stamp), 0, &from.sa, size);
	}
	return NULL;
}

static int open_socket(const char *ip, struct addr *local, struct why *why)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(local->in);

	addr_parse_ip(local, ip, 0);
	gauge_widen(fd);
	if (fd >= 0 && bind(fd, &local->sa, addr_len(local)) == 0 &&
	    getsockname(fd, &local->sa, &len) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return why_set(why, -E_IO, "the harness has no UDP socket on %s", ip);
}

static int open_echo(struct gauge *g, struct why *why)
{
	struct addr local;

	g->echo_fd = open_socket("127.0.0.1", &g->echo_addr, why);
	g->control_fd = g->echo_fd < 0 ? -1 : open_socket("127.0.0.1", &local, why);
	if (g->control_fd < 0)
		return -E_IO;
	if (thread_start(&g->echo_thread, run_echo, g) != 0)
		return why_set(why, -E_NOMEM, "the harness cannot start a thread");
	g->started = true;
	return 0;
}

/* ---- allocations ---- */

static int open_flow(struct gauge *g, enum gauge_leg leg, struct why *why)
{
	struct flow *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return why_set(why, -E_NOMEM, "out of memory");
	f->g = g;
	f->leg = leg;
	err = gauge_client_open(&f->client, leg, &g->opt, on_back, f, why);
	if (err == 0)
		err = gauge_client_do(&f->client, GAUGE_ALLOCATE, NULL, why);
	if (err == 0)
		err = gauge_client_do(&f->client, GAUGE_PERMIT, &g->peer, why);
	if (err == 0)
		err = gauge_client_do(&f->client, GAUGE_BIND, &g->peer, why);
	f->up = err == 0;
	g->flow[g->flow_n++] = f;
	return err;
}

/* Relays that do not serve every port often tell them apart by parity: RTP's and RTCP's. */
static bool all_ports_alike(const struct gauge *g)
{
	for (size_t i = 1; i < g->flow_n; i++) {
		if ((addr_port(&g->flow[i]->client.talker.relayed) ^
		     addr_port(&g->flow[0]->client.talker.relayed)) &
		    1)
			return false;
	}
	return true;
}

static int open_flows(struct gauge *g, struct why *why)
{
	static const size_t wanted[GAUGE_LEGS] = {OVER_UDP, OVER_TCP};
	int err = 0;

	for (int leg = 0; leg < GAUGE_LEGS; leg++) {
		for (size_t i = 0; i < wanted[leg] && g->opt.port[leg] && err == 0; i++)
			err = open_flow(g, leg, why);
	}
	while (err == 0 && g->flow_n < GAUGE_FLOWS && all_ports_alike(g))
		err = open_flow(g, g->flow[0]->leg, why);
	return err;
}

static int renew(struct flow *f, const struct addr *peer, struct why *why)
{
	int err = gauge_client_do(&f->client, GAUGE_REFRESH, NULL, why);

	if (err == 0)
		err = gauge_client_do(&f->client, GAUGE_PERMIT, peer, why);
	return err ? err : gauge_client_do(&f->client, GAUGE_BIND, peer, why);
}

static void end_flows(struct gauge *g)
{
	struct why why;

	for (size_t i = 0; i < g->flow_n; i++) {
		struct flow *f = g->flow[i];

		if (f->up && !g->facts.renewal[0] && renew(f, &g->peer, &why) != 0)
			snprintf(g->facts.renewal, sizeof(g->facts.renewal), "%.150s", why.text);
		/* If the server answers no Refresh at all, do not wait for this one either. */
		if (f->up && !g->facts.release[0] && !f->client.closed &&
		    gauge_client_do(&f->client, GAUGE_RELEASE, NULL, &why) != 0)
			snprintf(g->facts.release, sizeof(g->facts.release), "%.150s", why.text);
		talker_close(&f->client.talker);
	}
}

/* ---- measuring ---- */

static double waited_by(pid_t pid)
{
	char path[64], file[320];
	struct dirent *e;
	double sum = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		unsigned long long ran, waited;
		FILE *f;

		snprintf(file, sizeof(file), "%s/%.200s/schedstat", path, e->d_name);
		f = e->d_name[0] != '.' ? fopen(file, "re") : NULL;
		if (f && fscanf(f, "%llu %llu", &ran, &waited) == 2)
			sum += (double)waited / 1e6;
		if (f)
			fclose(f);
	}
	if (dir)
		closedir(dir);
	return sum;
}

/* How long the server's threads have waited for a core (schedstat's second figure, ns). */
static double waited_ms(const struct gauge *g)
{
	double sum = 0;

	for (size_t i = 0; i < g->server_n; i++)
		sum += waited_by(g->server[i]);
	return sum;
}

static void send_all(struct gauge *g)
{
	uint8_t data[LONG];
	double now = now_ms();

	(void)!sendto(g->control_fd, &now, sizeof(now), MSG_DONTWAIT, &g->echo_addr.sa,
	              addr_len(&g->echo_addr));
	for (size_t i = 0; i < g->flow_n; i++) {
		struct flow *f = g->flow[i];

		if (f->sent == NUMBERS)
			continue;
		f->sent_ms[f->sent] = now_ms();
		f->sent++;
		gauge_client_send(&f->client, data, compose(data, (uint32_t)i, f->sent - 1));
	}
}

/* Takes what comes until a moment. */
static void take_until(struct gauge *g, double until_ms)
{
	struct pollfd p[GAUGE_FLOWS + 2];
	double left;

	do {
		for (size_t i = 0; i < g->flow_n; i++)
			p[i] = (struct pollfd){
			    .fd = g->flow[i]->client.closed ? -1 : g->flow[i]->client.talker.fd,
			    .events = POLLIN};
		p[g->flow_n] = (struct pollfd){.fd = g->peer_fd, .events = POLLIN};
		p[g->flow_n + 1] = (struct pollfd){.fd = g->control_fd, .events = POLLIN};
		left = until_ms - now_ms();
		if (poll(p, g->flow_n + 2, left > 0 ? (int)left + 1 : 0) <= 0)
			continue;
		on_peer(g);
		on_echo(g);
		for (size_t i = 0; i < g->flow_n; i++) {
			if (p[i].revents)
				gauge_client_take(&g->flow[i]->client);
		}
	} while (now_ms() < until_ms);
}

/* A call may be over before there is anything to tell. */
static bool may_stop(const struct gauge *g)
{
	size_t sent = 0;

	for (size_t i = 0; i < g->flow_n; i++)
		sent += g->flow[i]->sent;
	return atomic_load(&g->stop) && (sent >= SENT_LEAST || now_ms() - g->from_ms > MORE_MS);
}

static void measure(struct gauge *g)
{
	double next = now_ms(), sample_at = 0, drained_from;

	g->from_ms = next;
	while (!may_stop(g)) {
		double now = now_ms();

		if (now >= sample_at) {
			climb_add(&g->waited, now, waited_ms(g));
			sample_at = now + SAMPLE_MS;
		}
		send_all(g);
		next += TICK_MS;
		/* After a time without a core there is no crowd: it would be a load of its own. */
		if (next < now_ms())
			next = now_ms() + TICK_MS;
		take_until(g, next);
	}
	g->to_ms = drained_from = g->came_ms = now_ms();
	while (now_ms() - g->came_ms < DRAIN_MS && now_ms() - drained_from < DRAIN_MOST)
		take_until(g, now_ms() + TICK_MS);
	climb_add(&g->waited, now_ms(), waited_ms(g));
}

/* ---- what it says ---- */

static unsigned passed(const struct flow *f)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < f->sent; i++)
		n += f->back[i] > 0;
	return n;
}

static void sum_flow(struct gauge_facts *out, const struct flow *f)
{
	struct gauge_passage *p = &out->passage[f->leg];
	unsigned n = passed(f);

	out->ports++;
	p->flows++;
	if (n == 0 && f->sent > 0) {
		out->deaf++;
		out->deaf_port = addr_port(&f->client.talker.relayed);
		out->deaf_odd += out->deaf_port & 1;
		return;
	}
	p->sent += f->sent;
	p->lost += f->sent - n;
	for (uint32_t i = 0; i < f->sent; i++) {
		/* A datagram doubled on the way there also comes back twice. */
		unsigned there = f->came[i] > 1 ? f->came[i] - 1u : 0;
		unsigned back = f->back[i] > 1 ? f->back[i] - 1u : 0;

		p->doubled += there > back ? there : back;
	}
}

static void sum_up(struct gauge *g)
{
	struct gauge_facts *out = &g->facts;
	struct gap gap;

	for (size_t i = 0; i < g->flow_n; i++)
		sum_flow(out, g->flow[i]);
	for (int leg = 0; leg < GAUGE_LEGS; leg++) {
		struct gauge_passage *p = &out->passage[leg];

		p->changed = g->changed[leg];
		p->quick_ms = track_quantile(&g->way[leg], 0.25);
		p->slow_ms = track_quantile(&g->way[leg], 0.9);
	}
	/* The peer cannot tell the flow of a changed datagram. */
	out->passage[out->passage[GAUGE_UDP].flows ? GAUGE_UDP : GAUGE_TCP].changed +=
	    g->changed_peer;
	for (int leg = 0; leg < GAUGE_LEGS; leg++) {
		struct gauge_passage *p = &out->passage[leg];

		p->lost -= p->changed < p->lost ? p->changed : p->lost;
	}
	out->echo_quick_ms = track_quantile(&g->echo, 0.25);
	out->echo_slow_ms = track_quantile(&g->echo, 0.9);
	track_worst_gap(&g->all, &g->echo, g->from_ms, g->to_ms, &gap);
	out->gap_ms = gap.ms;
	out->gap_echo_ms = gap.echo_ms;
	out->gap_waited_ms = climb_between(&g->waited, gap.from_ms, gap.from_ms + gap.ms);
	out->ran = out->ports > 0;
}

static void *run(void *arg)
{
	struct gauge *g = arg;
	struct why why;
	int err;

	g->peer_fd = open_socket(g->opt.peer_ip, &g->peer, &why);
	err = g->peer_fd < 0 ? g->peer_fd : open_echo(g, &why);
	if (err == 0)
		err = open_flows(g, &why);
	if (err != 0)
		snprintf(g->facts.refused, sizeof(g->facts.refused), "%.150s", why.text);
	else
		measure(g);
	end_flows(g);
	if (err == 0)
		sum_up(g);
	g->facts.ran = true;
	atomic_store(&g->echo_stop, true);
	if (g->started)
		pthread_join(g->echo_thread, NULL);
	return NULL;
}

struct gauge *gauge_start(const struct gauge_options *opt)
{
	struct gauge *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->opt = *opt;
	g->server_n = proc_group(opt->server_pid, g->server, SERVER_MAX);
	g->peer_fd = g->echo_fd = g->control_fd = -1;
	g->overflows = opt->server_ns >= 0 ? lab_udp_overflows(opt->server_ns) : -1;
	if (thread_start(&g->thread, run, g) != 0) {
		free(g);
		return NULL;
	}
	return g;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void gauge_stop(struct gauge *g, struct gauge_facts *facts)
{
	long after;

	*facts = (struct gauge_facts){.ran = false};
	if (!g)
		return;
	atomic_store(&g->stop, true);
	pthread_join(g->thread, NULL);
	after = g->opt.server_ns >= 0 ? lab_udp_overflows(g->opt.server_ns) : -1;
	if (g->overflows >= 0 && after > g->overflows)
		g->facts.overflows = (unsigned)(after - g->overflows);
	*facts = g->facts;
	for (size_t i = 0; i < g->flow_n; i++)
		free(g->flow[i]);
	close_fd(g->peer_fd);
	close_fd(g->echo_fd);
	close_fd(g->control_fd);
	free(g);
}

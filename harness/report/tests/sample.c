/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Making up a run. What is drawn from it looks as a real one does.
 */
#include "harness/report/tests/sample.h"

#include "harness/lab/proc.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#define T0 1790000000000LL /* Unix ms of the run's start */

static const char *const kinds[SAMPLE_KINDS] = {
    "none", "full-cone",   "address-restricted", "port-restricted", "symmetric",
    "cgn",  "udp-blocked", "tls-only",           "ipv6-only",
};

/* O open, P punchable, S symmetric, U and T blocked, as theory has them. */
static const char classes[SAMPLE_KINDS + 1] = "OOOPSPUTO";

/* A picture of 4 x 3 grey pixels. */
static const unsigned char png[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44,
    0x52, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x00, 0x00, 0x91,
    0x9f, 0xf1, 0x1a, 0x00, 0x00, 0x00, 0x0f, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0x48,
    0x28, 0x68, 0x98, 0xc0, 0x00, 0x27, 0x00, 0x29, 0x4f, 0x05, 0xa1, 0x28, 0x2e, 0xe3, 0x45,
    0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};

int sample_artifact(const struct sample *s, size_t result, const char *name, const void *data,
                    size_t len)
{
	char path[256];
	bool good;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", s->folder, s->result[result].name);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/%s/%s", s->folder, s->result[result].name, name);
	f = fopen(path, "we");
	if (!f)
		return -1;
	good = fwrite(data, 1, len, f) == len;
	return fclose(f) == 0 && good ? 0 : -1;
}

static int add_text(const struct sample *s, size_t result, const char *name, const char *text)
{
	return sample_artifact(s, result, name, text, strlen(text));
}

static struct result *add_result(struct sample *s, const char *name, const char *group,
                                 const char *purpose)
{
	struct result *r = &s->result[s->run.result_n++];

	result_init(r, name, purpose);
	snprintf(r->group, sizeof(r->group), "%s", group);
	r->started_ms = T0 + 1000 * (int64_t)s->run.result_n;
	r->duration_ms = 8200 + 17 * (int64_t)(s->run.result_n % 40);
	return r;
}

static void expect_path(struct result *r, char a, char b)
{
	bool blocked = strchr("UT", a) || strchr("UT", b);
	const char *leg = a == 'T' || b == 'T' ? "tls" : blocked ? "tcp" : "udp";

	if (blocked || (a == 'S' && strchr("PS", b)) || (b == 'S' && strchr("PS", a))) {
		snprintf(r->expected, sizeof(r->expected), "relayed over %s", leg);
		snprintf(r->path, sizeof(r->path), "relay %s, relay/prflx and prflx/relay", leg);
	} else {
		snprintf(r->expected, sizeof(r->expected), "direct");
		snprintf(r->path, sizeof(r->path), "direct, srflx/srflx and srflx/srflx");
	}
	result_measure(r, "connected", !strcmp(r->expected, "direct") ? 214 : 408, "ms");
	result_measure(r, "rtt", 1.4, "ms");
	result_measure(r, "picture_delay", 84, "ms");
	result_measure(r, "frame_rate_a", 9.8, "fps");
	result_measure(r, "frame_rate_b", 9.6, "fps");
}

static void add_matrix(struct sample *s, const char *target)
{
	char name[96];

	for (size_t a = 0; a < SAMPLE_KINDS; a++) {
		for (size_t b = a; b < SAMPLE_KINDS; b++) {
			bool coturn = !strcmp(target, "coturn");
			struct result *r;

			snprintf(name, sizeof(name), "%s+%s%s", kinds[a], kinds[b],
			         coturn ? "@coturn" : "");
			r = add_result(s, name, "matrix", "a call between these two kinds of NAT");
			snprintf(r->kind[0], sizeof(r->kind[0]), "%s", kinds[a]);
			snprintf(r->kind[1], sizeof(r->kind[1]), "%s", kinds[b]);
			strcpy(r->browser[0], "chromium");
			strcpy(r->browser[1], "chromium");
			snprintf(r->target, sizeof(r->target), "%s", target);
			expect_path(r, classes[a], classes[b]);
			if (a == 3 && b == 4 && !coturn)
				s->failed_cell = s->run.result_n - 1;
			if (a == 7 && b == 7 && coturn)
				result_fail(r, "alice should be connected, but its "
				               "connectionState is \"failed\"; most likely: it "
				               "gathered no relay candidate. Look at: whether "
				               "the server listens for TLS on port 443.");
			if (a == 5 && b == 6) {
				r->tries = 3;
				result_inconclusive(r, "The machine was too busy to judge: CPU "
				                       "pressure 87 %%.");
			}
			if (a == 8 && b == 8 && coturn)
				r->state = RESULT_WAITING;
		}
	}
}

static void add_calls(struct sample *s)
{
	struct result *r;

	r = add_result(s, "call-direct", "calls",
	               "two peers with public addresses: media flows directly");
	expect_path(r, 'O', 'O');
	strcpy(r->target, "turnpike");
	strcpy(r->browser[0], "chromium");
	strcpy(r->browser[1], "firefox");
	s->good_call = s->run.result_n - 1;
	r = add_result(s, "relay-restart", "faults",
	               "the relay is killed in mid-call and comes back: media flows again");
	expect_path(r, 'S', 'S');
	result_measure(r, "recovered", 5.7, "s");
	r = add_result(s, "client-moves", "faults", "a client changes its address");
	result_no_lab(r, "The kernel has no nf_tables: load the module nf_tables, or run where it "
	                 "is built in.");
	r = add_result(s, "nat-rebinding", "faults", "the NAT forgets its mappings");
	r->state = RESULT_INTERRUPTED;
	result_step(r, "flushing the mappings");
}

static json_t *candidate(int64_t t, const char *type, const char *relay, const char *address,
                         int port)
{
	return json_pack("{s:I, s:s, s:s, s:s, s:s, s:i, s:s}", "t", (json_int_t)t, "type", type,
	                 "protocol", "udp", "relayProtocol", relay, "address", address, "port",
	                 port, "url", strcmp(type, "host") != 0 ? "turn:203.0.113.10:3478" : "");
}

/* The series of a call from +2 s on; a failing one has none. */
static json_t *make_series(int64_t t0, bool fails, int end)
{
	json_t *rows = json_array();
	long in = 0, frames = 0, got = 0, lost = 0;

	for (int i = 0; i < 13 && !fails; i++) {
		in += 14000 + 2500 * ((i * 7 + end * 3) % 5);
		frames += 5 - (i % 6 == 5);
		got += 40;
		lost += i == 8 ? 3 : 0;
		json_array_append_new(
		    rows, json_pack("[I,i,i,i,i,i,f,f,f,i]", (json_int_t)(t0 + 2000 + 500 * i),
		                    (int)in, (int)in, (int)lost, (int)got, (int)frames,
		                    10.0 - (i % 6 == 5), 1.2 + (i * 5 % 7) * 0.3, 2.0, 0));
	}
	return json_pack("{s:[s,s,s,s,s,s,s,s,s,s], s:o}", "fields", "t", "in", "out", "lost",
	                 "received", "frames", "fps", "rtt", "jitter", "pc", "rows", rows);
}

static int add_evidence(const struct sample *s, size_t result, int end)
{
	static const struct {
		int at;
		const char *kind, *text;
	} seen[] = {
	    {420, "page", "loaded"},
	    {500, "hub", "open wss://203.0.113.10/ws"},
	    {1480, "click", "button#answer"},
	    {1500, "media", "getUserMedia: audio and video"},
	    {1520, "pc", "created"},
	    {1520, "connection", "new"},
	    {1530, "signaling", "have-local-offer"},
	    {1540, "candidate", "gathered host udp"},
	    {1560, "candidate", "gathered srflx udp"},
	    {1580, "ice", "checking"},
	    {1580, "connection", "connecting"},
	    {1610, "signaling", "stable"},
	};
	bool fails = result == s->failed_cell;
	json_t *events = json_array(), *top, *local, *remote, *pairs = json_array();
	int64_t t0 = s->result[result].started_ms;
	char *text, name[32];
	int err;

	for (size_t i = 0; i < sizeof(seen) / sizeof(*seen); i++)
		json_array_append_new(events,
		                      json_pack("{s:I, s:s, s:s}", "t",
		                                (json_int_t)(t0 + seen[i].at + 25 * end), "kind",
		                                seen[i].kind, "text", seen[i].text));
	if (fails)
		json_array_append_new(events, json_pack("{s:I, s:s, s:s, s:b}", "t",
		                                        (json_int_t)(t0 + 2100), "kind",
		                                        "candidate-error", "text",
		                                        "401 Unauthorized </script> "
		                                        "<!--<script>",
		                                        "bad", 1));
	json_array_append_new(events, json_pack("{s:I, s:s, s:s, s:b}", "t",
	                                        (json_int_t)(t0 + (fails ? 7300 : 1834) + end),
	                                        "kind", "connection", "text",
	                                        fails ? "failed" : "connected", "bad", fails));
	local = json_pack("[o, o]", candidate(t0 + 1540, "host", "", "192.168.1.2", 40112 + end),
	                  candidate(t0 + 1560, "srflx", "", "203.0.113.21", 20771 + end));
	remote = json_pack("[o]", candidate(t0 + 1600, "srflx", "", "203.0.113.22", 31008));
	if (!fails) {
		json_array_append_new(local,
		                      candidate(t0 + 1590, "relay", "udp", "203.0.113.10", 49300));
		json_array_append_new(pairs, json_pack("{s:O, s:O, s:b, s:s}", "local",
		                                       json_array_get(local, 1), "remote",
		                                       json_array_get(remote, 0), "selected", 1,
		                                       "state", "succeeded"));
	}
	top = json_pack("{s:I, s:o, s:{s:o, s:o}, s:o, s:o}", "started_ms", (json_int_t)t0,
	                "events", events, "candidates", "local", local, "remote", remote, "pairs",
	                pairs, "series", make_series(t0, fails, end));
	text = json_dumps(top, JSON_COMPACT);
	json_decref(top);
	if (!text)
		return -1;
	snprintf(name, sizeof(name), "evidence-%c.json", 'a' + end);
	err = add_text(s, result, name, text);
	free(text);
	return err;
}

/* As the server writes times. */
static const char *stamp(int64_t ms, char buf[32])
{
	time_t t = (time_t)(ms / 1000);
	struct tm tm;
	size_t n = strftime(buf, 32, "%Y-%m-%dT%H:%M:%S", gmtime_r(&t, &tm));

	snprintf(buf + n, 32 - n, ".%03dZ", (int)(ms % 1000));
	return buf;
}

static int add_artifacts(const struct sample *s, size_t result)
{
	static const char steps[] =
	    "+0.000 taking the lab\n+0.120 probing the NAT of side a\n"
	    "+0.310 opening the page\n+0.700 joining as alice\n"
	    "+0.900 joining as bob\n+1.300 waiting for bob in alice's list\n"
	    "+1.450 answering as bob\n+1.520 waiting for the connection\n"
	    "+1.900 watching the call\n+7.500 hanging up as alice\n";
	int64_t t0 = s->result[result].started_ms;
	char server[2048], when[3][32];
	int err = add_text(s, result, "steps.log", steps);

	snprintf(server, sizeof(server),
	         "ts=%s level=info event=starting\n"
	         "ts=%s level=info id=a1 event=turn.allocated port=49300\n%s\n"
	         "ts=%s level=warn id=a1 event=turn.refused code=401 text=\"%s\"\n",
	         stamp(t0 + 100, when[0]), stamp(t0 + 1600, when[1]), SAMPLE_NASTY,
	         stamp(t0 + 2040, when[2]), SAMPLE_NASTY);
	err |= add_text(s, result, "server.log", server);
	err |=
	    add_text(s, result, "console-a.log", "+0.512 log: joined\n+1.2 error: " SAMPLE_NASTY);
	err |= add_evidence(s, result, 0);
	err |= add_evidence(s, result, 1);
	err |= sample_artifact(s, result, "call-a.png", png, sizeof(png));
	err |= sample_artifact(s, result, "call-b.png", png, sizeof(png));
	err |= sample_artifact(s, result, "capture-a.pcap", "\xd4\xc3\xb2\xa1packets", 11);
	return err;
}

int sample_make(struct sample *s)
{
	struct result *r;

	memset(s, 0, sizeof(*s));
	s->folder_fd = -1;
	s->run = (struct run){.started_s = T0 / 1000, .duration_ms = 342000, .result = s->result};
	add_matrix(s, "turnpike");
	add_matrix(s, "coturn");
	add_calls(s);
	r = &s->result[s->failed_cell];
	result_fail(r, "alice should be connected, but its connectionState is \"failed\"; most "
	               "likely: the browser reports an ICE server error: 401 Unauthorized "
	               "(turn:203.0.113.10). Look at: the clock and the secret of the server.");
	result_fail(r, "bob said " SAMPLE_NASTY);
	r->path[0] = '\0';
	run_fact(&s->run, "turnpike", "0.1.0");
	run_fact(&s->run, "coturn", "4.6.1");
	run_fact(&s->run, "chromium", "156.0.7204.1");
	run_fact_machine(&s->run);
	snprintf(s->folder, sizeof(s->folder), "/tmp/turnpike-report-XXXXXX");
	if (!mkdtemp(s->folder))
		return -1;
	s->folder_fd = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->folder_fd < 0)
		return -1;
	return add_artifacts(s, s->failed_cell) | add_artifacts(s, s->good_call);
}

void sample_free(struct sample *s)
{
	const char *const argv[] = {"rm", "-rf", s->folder, NULL};

	if (s->folder_fd >= 0)
		close(s->folder_fd);
	if (s->folder[0])
		proc_run(argv, -1, NULL, 10000, NULL);
}

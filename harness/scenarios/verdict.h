/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The verdict over a call, from what both ends saw. Pure: facts in, sentences
 * out, so every sentence can be tested without a browser.
 */
#ifndef SCENARIOS_VERDICT_H
#define SCENARIOS_VERDICT_H

#include "harness/report/result.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define VERDICT_ENDS 2

enum path_class {
	PATH_DIRECT,
	PATH_RELAY,
	PATH_NONE, /* nothing that the server offers gets through: no call is possible */
};

/* One end of the selected candidate pair. */
struct candidate_view {
	char type[8]; /* host, srflx, prflx, relay */
	char protocol[8];
	char relay_protocol[8]; /* how a relay candidate's owner reaches the server */
	char address[64];       /* "" where the browser hides it */
};

/* One end's view of the window. */
struct end_view {
	int connections;        /* RTCPeerConnections that its page ever made */
	char state[16];         /* connectionState, or "none" */
	double connected_at_ms; /* Unix time; 0 if never */
	char signaling[24];     /* signalingState, or "none" */
	char error[200];        /* the icecandidateerror that says most, or "" */
	bool has_pair;
	struct candidate_view local, remote;
	double rtt_ms;
	int gathered_host, gathered_srflx, gathered_relay;
	double window_ms;
	int frames_before, frames_after;
	double audio_energy; /* gained over the window */
	int picture_reads;   /* looks at a picture that was there */
	int picture_coded;   /* of these, with a code that checks */
	int picture_end;     /* of this peer's picture; -1 if none */
	int picture_distinct;
	double picture_bright; /* 0..255, the brightest block of all looks */
	double picture_delay_ms;
	double tone_hz, tone_db;
	double echo_ms;   /* of the data channel, there and back; negative: none came */
	double paint_fps; /* how often it painted its own picture; 0: unknown */
	int servers;      /* URIs of ICE servers that its connection was given; -1: unknown */
	/* Seen from outside: the part of a core that the busiest main thread of its browser took;
	 * 0: unknown */
	double page_cpu;
};

struct call_expect {
	enum path_class path;
	/* udp, tcp or tls where that end relays; NULL: any */
	const char *relay_protocol[VERDICT_ENDS];
	bool both_legs; /* each end must send from a relay candidate of its own */
};

/* The ends' marks: what each paints and plays. */
struct end_mark {
	const char *name; /* as it joins */
	int id;
	double hz;
};

/* From harness.observe()'s JSON. What is missing stays empty. 0 or -E_PARSE. */
int end_view_parse(const json_t *json, struct end_view *v);

/* The class of the path between the two: both look at the same pair, and only its owner always
 * knows a relay candidate for what it is. */
enum path_class verdict_path(const struct end_view v[VERDICT_ENDS]);

/* True when path and relay protocols are the expected ones. */
bool verdict_path_fits(const struct call_expect *expect, const struct end_view v[VERDICT_ENDS]);

/* Notes failures, measures and the path in r. A failure that r has already is certain: no busy
 * machine excuses it. answered_at_ms: Unix time of the click on Answer.
 * False if there was no connection at all, be it as expected. */
bool verdict_judge(const struct call_expect *expect, const struct end_mark mark[VERDICT_ENDS],
                   const struct end_view v[VERDICT_ENDS], double answered_at_ms, struct result *r);

#endif

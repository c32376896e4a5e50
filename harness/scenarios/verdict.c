/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The verdict: each check is one function, run for each end in this order. A
 * failed one says what was expected, what happened, and the likeliest cause.
 */
#include "harness/scenarios/verdict.h"

#include "harness/scenarios/facts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TONE_TOLERANCE_HZ 25
#define TONE_FLOOR_DB     -70   /* quieter is noise */
#define BLACK_BELOW       40    /* of 255 */
#define PAINT_LEAST       5     /* of the 10 frames a second that a page paints of itself */
#define HOG_PAINT_S       0.025 /* of a core, for each picture: a good page needs an eighth */
#define HOG_CPU           0.08  /* of a core, at least: a good page needs half of it */
#define FPS_LEAST         2     /* a picture that crawls is broken, whatever the machine's load */

static void parse_candidate(const json_t *json, struct candidate_view *c)
{
	facts_copy(c->type, sizeof(c->type), json, "type");
	facts_copy(c->protocol, sizeof(c->protocol), json, "protocol");
	facts_copy(c->relay_protocol, sizeof(c->relay_protocol), json, "relayProtocol");
	facts_copy(c->address, sizeof(c->address), json, "address");
}

/* Chromium's words for a name that does not resolve. */
static bool is_of_dns(const char *error)
{
	return strstr(error, "host lookup") != NULL;
}

/* Of the icecandidateerrors the most informative one: an unreached server (701) is normal if one of
 * its transports is blocked, but not if its name is unknown. NULL if there is none. */
static const char *worst_error(const json_t *errors)
{
	const char *worst = json_string_value(json_array_get(errors, 0));
	json_t *error;
	size_t i;

	json_array_foreach (errors, i, error) {
		const char *text = json_string_value(error);

		if (text && strncmp(text, "701", 3) != 0)
			return text;
		if (text && is_of_dns(text))
			worst = text;
	}
	return worst;
}

int end_view_parse(const json_t *json, struct end_view *v)
{
	const json_t *pair = json_object_get(json, "pair");
	const json_t *gathered = json_object_get(json, "gathered");
	const json_t *picture = json_object_get(json, "picture");
	const json_t *tone = json_object_get(json, "tone");
	const char *error = worst_error(json_object_get(json, "errors"));

	if (!json_is_object(json) || !json_is_string(json_object_get(json, "state")))
		return -E_PARSE;
	memset(v, 0, sizeof(*v));
	v->connections = (int)facts_number(json, "connections");
	facts_copy(v->state, sizeof(v->state), json, "state");
	facts_copy(v->signaling, sizeof(v->signaling), json, "signaling");
	v->connected_at_ms = facts_number(json, "connectedAt");
	snprintf(v->error, sizeof(v->error), "%s", error ? error : "");
	v->has_pair = json_is_object(pair);
	parse_candidate(json_object_get(pair, "local"), &v->local);
	parse_candidate(json_object_get(pair, "remote"), &v->remote);
	v->rtt_ms = facts_number(pair, "rttMs");
	v->gathered_host = (int)facts_number(gathered, "host");
	v->gathered_srflx = (int)facts_number(gathered, "srflx");
	v->gathered_relay = (int)facts_number(gathered, "relay");
	v->window_ms = facts_number(json, "windowMs");
	v->frames_before = (int)facts_number(json, "framesBefore");
	v->frames_after = (int)facts_number(json, "framesAfter");
	v->audio_energy = facts_number(json, "audioEnergy");
	v->picture_reads = (int)facts_number(picture, "reads");
	v->picture_coded = (int)facts_number(picture, "coded");
	v->picture_end = picture ? (int)facts_number(picture, "peer") : -1;
	v->picture_distinct = (int)facts_number(picture, "distinct");
	v->picture_bright = facts_number(picture, "bright");
	v->picture_delay_ms = facts_number(picture, "delayMs");
	v->tone_hz = facts_number(tone, "hz");
	v->tone_db = tone ? facts_number(tone, "db") : -200;
	v->echo_ms = json_object_get(json, "echoMs") ? facts_number(json, "echoMs") : -1;
	v->paint_fps = facts_number(json, "paintFps");
	v->servers = json_object_get(json, "servers") ? (int)facts_number(json, "servers") : -1;
	return 0;
}

static bool relays(const struct end_view *v)
{
	return !strcmp(v->local.type, "relay") || !strcmp(v->remote.type, "relay");
}

enum path_class verdict_path(const struct end_view v[VERDICT_ENDS])
{
	return relays(&v[0]) || relays(&v[1]) ? PATH_RELAY : PATH_DIRECT;
}

static const char *path_text(enum path_class path)
{
	return path == PATH_NONE ? "impossible" : path == PATH_RELAY ? "relayed" : "direct";
}

/* The likeliest cause of a failure, and where to fix it. */
struct advice {
	const char *cause, *look;
};

/* The errors of an Allocate request (RFC 8656, RFC 8489), and those that browsers add. */
static const struct {
	const char *code;
	struct advice advice;
} ice_errors[] = {
    {"401",
     {"the TURN server refuses the credentials",
      "username and credential in the iceServers, whether they have expired, and that server and "
      "issuer share the secret and the time"}},
    {"438",
     {"the TURN server rejects each nonce as stale",
      "the clocks, and a load balancer that sends one client to several servers"}},
    {"403", {"the TURN server forbids the request", "its rules about clients and peers"}},
    {"437", {"the TURN server already has an allocation for this address and port", "its log"}},
    {"442", {"the TURN server does not relay this transport", "which transports it relays"}},
    {"440", {"the TURN server does not relay this address family", "its relay addresses"}},
    {"486",
     {"the user has used up its allocations",
      "the quota for each user, and allocations that earlier calls did not release"}},
    {"508",
     {"the TURN server has no port or no capacity left",
      "its relay ports and limits, and allocations that clients do not release"}},
    {"701",
     {"the server does not answer",
      "whether it listens on that port and transport, its firewall, and for turns: the "
      "certificate"}},
};

static const struct advice no_servers = {
    "the page got no ICE servers: its iceServers are empty",
    "what the server sends to the page after sign-in, and the options that decide about it: "
    "guests, API tokens, listen and external_ip"};
static const struct advice no_dns = {
    "the name of the ICE server does not resolve",
    "the name in the iceServers, and the DNS server of this client"};

static const struct advice no_answer_of_name = {
    "the server does not answer, or its name does not resolve",
    "the name and the DNS server of this client, whether the server listens on that port and "
    "transport, and for turns: the certificate"};

/* True when the server in the error's URI has an unknown name: Firefox does not say why it was not
 * reached. */
static bool is_about_name(const char *error)
{
	const char *uri = strrchr(error, '(');
	const char *host = uri ? strchr(uri, ':') : NULL;

	return host && host[1] != '[' && host[1 + strspn(host + 1, "0123456789.")] != ':' &&
	       !strchr("?)", host[1 + strspn(host + 1, "0123456789.")]);
}

static bool explain_error(const struct call_expect *expect, const struct end_view *v,
                          struct advice *advice)
{
	if (!v->error[0])
		return false;
	if (is_of_dns(v->error)) {
		*advice = no_dns;
		/* One family's name may be missing where the other's gave what is needed. */
		return expect->path == PATH_RELAY ? v->gathered_relay == 0
		                                  : v->gathered_srflx + v->gathered_relay == 0;
	}
	*advice = (struct advice){"the browser reports an ICE server error",
	                          "the server's log, and its responses to a client"};
	for (size_t i = 0; i < sizeof(ice_errors) / sizeof(*ice_errors); i++) {
		if (!strncmp(v->error, ice_errors[i].code, 3))
			*advice = ice_errors[i].advice;
	}
	if (!strncmp(v->error, "701", 3) && is_about_name(v->error))
		*advice = no_answer_of_name;
	/* One transport's silence explains nothing where another gave a relay, or none is needed.
	 */
	return strncmp(v->error, "701", 3) != 0 ||
	       (expect->path == PATH_RELAY && v->gathered_relay == 0);
}

/* Why a call may have come to nothing, from what was and was not gathered. */
static struct advice explain_no_connection(const struct call_expect *expect,
                                           const struct end_view *v)
{
	struct advice advice;

	if (v->connections == 0)
		return (struct advice){
		    "the page made no RTCPeerConnection: the call did not reach "
		    "this end, or the page failed first",
		    "this end's console log, and whether its WebSocket stayed open"};
	if (!strcmp(v->signaling, "have-local-offer"))
		return (struct advice){
		    "it got no answer to its offer: signaling lost the offer or the answer",
		    "the other end's console log, and the hub's lines in the server's log"};
	if (v->servers == 0)
		return no_servers;
	if (explain_error(expect, v, &advice))
		return advice;
	if (v->gathered_host + v->gathered_srflx + v->gathered_relay == 0)
		return (struct advice){
		    "it gathered no candidates at all: the page did not apply the offer or answer",
		    "this end's console log"};
	if (expect->path == PATH_RELAY && v->gathered_relay == 0)
		return (struct advice){"it gathered no relay candidate: the page got no TURN "
		                       "servers, or the relay does not answer",
		                       "the iceServers that the page got (event \"pc\" of its "
		                       "timeline), and the TURN listeners"};
	if (expect->path == PATH_RELAY)
		return (struct advice){
		    "it has a relay candidate, so the relay allocates but does not pass packets "
		    "(permissions, channels, or the peer policy), or candidates did not reach the "
		    "other end",
		    "the relay's address that the other end sees, denied peers in the server's "
		    "log, "
		    "and the candidates that the other end got"};
	if (v->gathered_srflx == 0 && v->gathered_relay == 0)
		return (struct advice){
		    "it learned no reflexive address: the STUN server does not answer",
		    "the STUN listener, and UDP from this end to it"};
	return (struct advice){"candidates did not reach the other end, or the checks get no "
	                       "response",
	                       "the candidates that the other end got, and the capture of its NAT"};
}

static bool check_connected(const struct call_expect *expect, const struct end_mark *me,
                            const struct end_view *v, struct result *r)
{
	struct advice advice;

	if (!strcmp(v->state, "connected") && v->has_pair)
		return true;
	advice = explain_no_connection(expect, v);
	result_fail(r,
	            "%s should be connected, but its connectionState is \"%s\" after it gathered "
	            "%d host, %d srflx and %d relay candidates%s%s; most likely: %s. Look at: %s.",
	            me->name, v->state, v->gathered_host, v->gathered_srflx, v->gathered_relay,
	            v->error[0] ? " and saw the error " : "", v->error, advice.cause, advice.look);
	return false;
}

static struct advice explain_path(enum path_class path, const struct end_view v[VERDICT_ENDS])
{
	for (int i = 0; i < VERDICT_ENDS; i++) {
		if (path != PATH_DIRECT && is_of_dns(v[i].error) && v[i].gathered_srflx == 0)
			return no_dns;
	}
	if (path == PATH_DIRECT)
		return (struct advice){"the lab has a path around the NATs that its prober did "
		                       "not find",
		                       "the addresses of the selected pair"};
	return (struct advice){"the direct checks fail: wrong reflexive addresses from STUN, or "
	                       "candidates that arrive late or not at all",
	                       "the srflx candidates, which should be the NATs' WAN addresses"};
}

static void check_path(const struct call_expect *expect, const struct end_mark mark[VERDICT_ENDS],
                       const struct end_view v[VERDICT_ENDS], struct result *r)
{
	enum path_class path = verdict_path(v);
	struct advice advice = explain_path(path, v);

	if (path == expect->path)
		return;
	result_fail(r,
	            "the call should be %s, but it is %s (%s: %s/%s, %s: %s/%s); most likely: %s. "
	            "Look at: %s.",
	            path_text(expect->path), path_text(path), mark[0].name, v[0].local.type,
	            v[0].remote.type, mark[1].name, v[1].local.type, v[1].remote.type, advice.cause,
	            advice.look);
}

/* A call may come up without them, and would not elsewhere. */
static void check_servers(const struct end_mark *me, const struct end_view *v, struct result *r)
{
	if (v->servers == 0)
		result_fail(
		    r,
		    "%s's connection should have ICE servers, but has none; most likely: %s. "
		    "Look at: %s.",
		    me->name, no_servers.cause, no_servers.look);
}

/* The two ends must tell one story of the one path they share. */
static void check_ends_agree(const struct end_mark mark[VERDICT_ENDS],
                             const struct end_view v[VERDICT_ENDS], struct result *r)
{
	for (int i = 0; i < VERDICT_ENDS; i++) {
		const char *seen = v[!i].remote.type;

		if (strcmp(v[i].local.type, "relay") != 0 || !strcmp(seen, "relay") ||
		    !strcmp(seen, "prflx"))
			continue;
		result_fail(r,
		            "%s sends from a relay candidate, so %s should see a relay (or prflx) "
		            "one, but sees %s; most likely: the harness read the pairs while "
		            "ICE was still switching. Look at: when each end selected its pair.",
		            mark[i].name, mark[!i].name, seen);
	}
}

/* The relay sends from the relayed address that it announces. Otherwise the pair works only through
 * NATs that accept packets from any address. A browser may hide the address of an end if signaling
 * did not bring it. */
static void check_relayed_address(const struct end_mark mark[VERDICT_ENDS],
                                  const struct end_view v[VERDICT_ENDS], struct result *r)
{
	for (int i = 0; i < VERDICT_ENDS; i++) {
		const char *told = v[i].local.address, *seen = v[!i].remote.address;

		if (strcmp(v[i].local.type, "relay") != 0 || !*told || !*seen ||
		    !strcmp(told, seen))
			continue;
		result_fail(r,
		            "%s should get packets from %s's relayed address %s, but gets them "
		            "from %s; most likely: the server's external_ip is the address of "
		            "another host. Look at: external_ip, and the public address of its "
		            "host.",
		            mark[!i].name, mark[i].name, told, seen);
	}
}

static void check_both_legs(const struct call_expect *expect, const struct end_mark *me,
                            const struct end_view *v, struct result *r)
{
	if (!expect->both_legs || !strcmp(v->local.type, "relay"))
		return;
	result_fail(
	    r,
	    "%s should send from a relay candidate, but sends from %s; most likely: the page "
	    "did not set iceTransportPolicy to relay. Look at: how the page makes its "
	    "RTCPeerConnection.",
	    me->name, v->local.type);
}

static bool reaches_relay_over(const char *protocol, const struct end_view *v)
{
	return !protocol || strcmp(v->local.type, "relay") != 0 ||
	       !strcmp(v->local.relay_protocol, protocol);
}

bool verdict_path_fits(const struct call_expect *expect, const struct end_view v[VERDICT_ENDS])
{
	return verdict_path(v) == expect->path &&
	       reaches_relay_over(expect->relay_protocol[0], &v[0]) &&
	       reaches_relay_over(expect->relay_protocol[1], &v[1]);
}

/* Browsers prefer the first that works. */
static int worse(const char *protocol)
{
	static const char *const order[] = {"udp", "tcp", "tls"};
	int i = 0;

	while (i < 3 && strcmp(order[i], protocol) != 0)
		i++;
	return i;
}

static void check_relay_protocol(const char *expect, const struct end_mark *me,
                                 const struct end_view *v, struct result *r)
{
	struct advice advice = {"the better transport's listener does not answer",
	                        "which TURN URIs the page got, and whether the server listens for "
	                        "each"};

	if (reaches_relay_over(expect, v))
		return;
	if (worse(v->local.relay_protocol) < worse(expect))
		advice = (struct advice){"the NAT leaks: it should drop the packets of the better "
		                         "transport, but passes them",
		                         "the rules of this end's router, and the capture of its "
		                         "NAT (--capture)"};
	result_fail(r,
	            "%s should reach its relay over %s, but reaches it over %s; most likely: %s. "
	            "Look at: %s.",
	            me->name, expect, v->local.relay_protocol, advice.cause, advice.look);
}

static void check_frames(const struct end_mark *me, const struct end_mark *other,
                         const struct end_view *v, struct result *r)
{
	int gained = v->frames_after - v->frames_before;
	double seconds = v->window_ms / 1000;

	if (v->frames_after == 0)
		result_fail(
		    r,
		    "%s should decode %s's video, but decoded no frame; most likely: the "
		    "ends negotiated no video track, or no media passes although ICE does. Look "
		    "at: the tracks of the timeline, and bytes received over time.",
		    me->name, other->name);
	else if (seconds > 0 && gained < FPS_LEAST * seconds)
		result_fail(
		    r,
		    "%s's decoded frames should rise steadily, but rose by %d in %.1f "
		    "s (to %d); most likely: media stopped flowing after the start. Look at: "
		    "loss and round trip over time, and refreshes of permissions and "
		    "channels in the server's log.",
		    me->name, gained, seconds, v->frames_after);
}

/* A picture without a code in it. */
static struct advice explain_picture(const struct end_view *v)
{
	if (v->picture_bright >= BLACK_BELOW)
		return (struct advice){"the other end sent another source", "the page's picture"};
	if (v->frames_after > v->frames_before)
		return (struct advice){
		    "the decoded frames are black: the other end sends no picture "
		    "(a muted or ended track)",
		    "the other end's tracks in the timeline"};
	return (struct advice){"the browser decoded no video packet", "bytes received over time"};
}

static void check_picture(const struct end_mark *me, const struct end_mark *other,
                          const struct end_view *v, struct result *r)
{
	struct advice advice = explain_picture(v);

	if (v->picture_reads == 0)
		result_fail(
		    r,
		    "%s should see %s in #received_video, but there is no picture; most "
		    "likely: the page did not set srcObject, or playback did not start. Look "
		    "at: the page's console log and picture.",
		    me->name, other->name);
	else if (v->picture_coded == 0)
		result_fail(r,
		            "%s should see %s's code in #received_video, but sees %s; most likely: "
		            "%s. Look at: %s.",
		            me->name, other->name,
		            v->picture_bright < BLACK_BELOW ? "black" : "something else",
		            advice.cause, advice.look);
	else if (v->picture_end == me->id)
		result_fail(r,
		            "%s should see %s, but sees itself; most likely: the page shows the "
		            "local stream in #received_video. Look at: the page's track handler.",
		            me->name, other->name);
	else if (v->picture_end != other->id)
		result_fail(r,
		            "%s should see %s (code %d), but sees code %d; most likely: signaling "
		            "joined the wrong peers. Look at: from and to in the hub's messages.",
		            me->name, other->name, other->id, v->picture_end);
	else if (v->picture_distinct < 2)
		result_fail(
		    r,
		    "%s's picture of %s should move, but stood still for %.1f s; most "
		    "likely: media stopped flowing after the start. Look at: bytes received "
		    "over time.",
		    me->name, other->name, v->window_ms / 2 / 1000);
}

static void check_tone(const struct end_mark *me, const struct end_mark *other,
                       const struct end_view *v, struct result *r)
{
	if (v->tone_db < TONE_FLOOR_DB || v->audio_energy <= 0)
		result_fail(r,
		            "%s should hear %s's tone of %.0f Hz, but hears nothing; most likely: "
		            "the ends negotiated no audio track, or it is muted. Look at: the "
		            "tracks of the timeline.",
		            me->name, other->name, other->hz);
	else if (fabs(v->tone_hz - other->hz) > TONE_TOLERANCE_HZ)
		result_fail(r,
		            "%s should hear %s's tone of %.0f Hz, but hears %.0f Hz; most likely: "
		            "%s. Look at: which stream the page plays.",
		            me->name, other->name, other->hz, v->tone_hz,
		            fabs(v->tone_hz - me->hz) <= TONE_TOLERANCE_HZ
		                ? "the page plays back the local stream"
		                : "the other end sent another source");
}

static void check_echo(const struct end_mark *me, const struct end_mark *other,
                       const struct end_view *v, struct result *r)
{
	if (v->echo_ms < 0)
		result_fail(
		    r,
		    "%s should get its data channel message back from %s, but it does not "
		    "arrive; most likely: the path passes media, but not SCTP over DTLS "
		    "(large packets lost?). Look at: the MTU of the path, and events of the "
		    "data channel.",
		    me->name, other->name);
}

/* "relay udp" where the relaying ends reach it alike, else "relay tcp/tls", side a first. */
static void note_path(const struct end_view v[VERDICT_ENDS], struct result *r)
{
	char over[sizeof(v->local.relay_protocol) * VERDICT_ENDS + 2] = "";

	for (int i = 0; i < VERDICT_ENDS; i++) {
		const char *leg = v[i].local.relay_protocol;

		if (!strcmp(v[i].local.type, "relay") && strcmp(over, leg) != 0)
			snprintf(over + strlen(over), sizeof(over) - strlen(over), "%s%s",
			         over[0] ? "/" : "", leg);
	}
	snprintf(r->path, sizeof(r->path), "%s%s%s, %s/%s and %s/%s",
	         verdict_path(v) == PATH_RELAY ? "relay" : "direct", *over ? " " : "", over,
	         v[0].local.type, v[0].remote.type, v[1].local.type, v[1].remote.type);
}

static double greater(double a, double b)
{
	return a > b ? a : b;
}

static void note_measures(const struct end_view v[VERDICT_ENDS], double answered_at_ms,
                          struct result *r)
{
	double seconds[VERDICT_ENDS] = {v[0].window_ms / 1000, v[1].window_ms / 1000};

	result_measure(r, "connected",
	               greater(v[0].connected_at_ms, v[1].connected_at_ms) - answered_at_ms, "ms");
	result_measure(r, "rtt", greater(v[0].rtt_ms, v[1].rtt_ms), "ms");
	result_measure(r, "picture_delay", greater(v[0].picture_delay_ms, v[1].picture_delay_ms),
	               "ms");
	result_measure(r, "echo", greater(v[0].echo_ms, v[1].echo_ms), "ms");
	for (int i = 0; i < VERDICT_ENDS; i++) {
		if (seconds[i] > 0)
			result_measure(r, i ? "frame_rate_b" : "frame_rate_a",
			               (v[i].frames_after - v[i].frames_before) / seconds[i],
			               "fps");
		if (v[i].page_cpu > 0)
			result_measure(r, i ? "page_cpu_b" : "page_cpu_a", v[i].page_cpu * 100,
			               "%");
	}
}

/* True when it gets its core, but uses it for something else. On a busy machine a hog gets only its
 * share; its CPU time per picture tells it from a starved one. */
static bool hogs(const struct end_view *v)
{
	return v->paint_fps > 0 && v->paint_fps < PAINT_LEAST && v->page_cpu >= HOG_CPU &&
	       v->page_cpu >= HOG_PAINT_S * v->paint_fps;
}

static void check_thread(const struct end_mark *me, const struct end_view *v, struct result *r)
{
	if (!hogs(v))
		return;
	result_fail(r,
	            "%s's page should paint its own picture 10 times a second, but painted it %.1f "
	            "times, though its thread had %.0f %% of a core; most likely: a script of the "
	            "page blocks its thread. Look at: loops and timers in the page's scripts.",
	            me->name, v->paint_fps, v->page_cpu * 100);
}

/* A page that could not even paint its own picture in time cannot show what the network does. */
static void excuse_busy_machine(const struct end_view v[VERDICT_ENDS], struct result *r)
{
	for (int i = 0; i < VERDICT_ENDS; i++) {
		if (r->state != RESULT_FAILED || v[i].paint_fps == 0 ||
		    v[i].paint_fps >= PAINT_LEAST || hogs(&v[0]) || hogs(&v[1]))
			continue;
		result_inconclusive(r,
		                    "The machine was too busy to judge: a page painted its own "
		                    "picture %.1f times a second instead of 10.",
		                    v[i].paint_fps);
	}
}

/* Theory sees no path: the cell proves that there is none. */
static void judge_no_way(const struct end_mark mark[VERDICT_ENDS],
                         const struct end_view v[VERDICT_ENDS], struct result *r)
{
	bool both = true;

	for (int i = 0; i < VERDICT_ENDS; i++) {
		both = both && !strcmp(v[i].state, "connected");
		if (v[i].connections == 0)
			result_fail(r,
			            "%s should try to connect (in vain), but made no "
			            "RTCPeerConnection; most likely: the call did not reach this "
			            "end. Look at: the page's console and the server's log.",
			            mark[i].name);
	}
	if (both)
		result_fail(r,
		            "The server's URIs should allow no connection, but the ends connected "
		            "(%s: %s/%s, %s: %s/%s); most likely: the NATs pass packets that they "
		            "should drop, or the server listens on a port that is not in its URIs. "
		            "Look at: the candidate pair, and the server's log.",
		            mark[0].name, v[0].local.type, v[0].remote.type, mark[1].name,
		            v[1].local.type, v[1].remote.type);
	else
		snprintf(r->path, sizeof(r->path), "none, as expected");
}

/* ICE stops gathering with the first pair that works (libwebrtc's "gather once"). In a lab without
 * distances that may be one by way of a relay, or of TCP, milliseconds before the better one is
 * there. A call that is worse than it could be, and well otherwise, is worth another try; one that
 * is better than theory allows is not. */
static bool lost_a_race(const struct end_view v[VERDICT_ENDS], const struct result *r,
                        size_t of_path)
{
	return r->state == RESULT_FAILED && r->failure_n == of_path &&
	       verdict_path(v) == PATH_RELAY;
}

/* How the call runs. Without ICE servers, what way it finds tells nothing more. True if only the
 * way is wrong, if anything. */
static bool judge_way(const struct call_expect *expect, const struct end_mark mark[VERDICT_ENDS],
                      const struct end_view v[VERDICT_ENDS], struct result *r)
{
	size_t before = r->failure_n;

	for (int i = 0; i < VERDICT_ENDS; i++)
		check_servers(&mark[i], &v[i], r);
	if (r->failure_n > before)
		return false;
	check_path(expect, mark, v, r);
	for (int i = 0; i < VERDICT_ENDS; i++)
		check_relay_protocol(expect->relay_protocol[i], &mark[i], &v[i], r);
	return before == 0;
}

static void judge_media(const struct call_expect *expect, const struct end_mark mark[VERDICT_ENDS],
                        const struct end_view v[VERDICT_ENDS], struct result *r)
{
	check_ends_agree(mark, v, r);
	check_relayed_address(mark, v, r);
	for (int i = 0; i < VERDICT_ENDS; i++) {
		check_both_legs(expect, &mark[i], &v[i], r);
		check_frames(&mark[i], &mark[!i], &v[i], r);
		check_picture(&mark[i], &mark[!i], &v[i], r);
		check_tone(&mark[i], &mark[!i], &v[i], r);
		check_echo(&mark[i], &mark[!i], &v[i], r);
	}
}

bool verdict_judge(const struct call_expect *expect, const struct end_mark mark[VERDICT_ENDS],
                   const struct end_view v[VERDICT_ENDS], double answered_at_ms, struct result *r)
{
	bool connected = true, may_race;
	size_t before = r->failure_n, of_path;

	if (expect->path == PATH_NONE) {
		judge_no_way(mark, v, r);
		return false;
	}
	/* First: it may be why the rest is wrong. */
	for (int i = 0; i < VERDICT_ENDS; i++)
		check_thread(&mark[i], &v[i], r);
	for (int i = 0; i < VERDICT_ENDS; i++)
		connected = check_connected(expect, &mark[i], &v[i], r) && connected;
	if (!connected) {
		if (before == 0)
			excuse_busy_machine(v, r);
		return false; /* the rest would only say the same again */
	}
	note_path(v, r);
	note_measures(v, answered_at_ms, r);
	may_race = judge_way(expect, mark, v, r);
	of_path = r->failure_n;
	judge_media(expect, mark, v, r);
	r->raced = may_race && lost_a_race(v, r, of_path);
	if (before == 0)
		excuse_busy_machine(v, r);
	return true;
}

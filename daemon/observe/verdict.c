/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From events to a sentence: the first that applies, the most telling first.
 */
#include "daemon/observe/verdict.h"

#include "turn/stun_msg.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct turn_event *find(const struct turn_record *r, enum turn_event_what what)
{
	for (size_t i = 0; i < r->event_n; i++)
		if (r->event[i].what == what)
			return &r->event[i];
	return NULL;
}

/* The latest refusal. */
static const struct turn_event *refusal(const struct turn_record *r)
{
	const struct turn_event *last = NULL;

	for (size_t i = 0; i < r->event_n; i++)
		if (r->event[i].what == TURN_EVENT_REFUSED &&
		    (!last || r->event[i].last_ms >= last->last_ms))
			last = &r->event[i];
	return last;
}

static const char *duration(int64_t s, char buf[32])
{
	if (s < 120)
		snprintf(buf, 32, "%lld s", (long long)s);
	else if (s < 7200)
		snprintf(buf, 32, "%lld min", (long long)(s / 60));
	else
		snprintf(buf, 32, "%lld h", (long long)(s / 3600));
	return buf;
}

__attribute__((format(printf, 2, 3))) static const char *say(char *buf, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(buf, VERDICT_STRLEN, format, ap);
	va_end(ap);
	return buf;
}

static const char *refused(const struct turn_record *r, const struct turn_event *e, char *buf)
{
	int64_t at_s = r->begun_at_s + (int64_t)(e->last_ms - r->begun_ms) / 1000;
	char ago[32];

	switch ((enum turn_fault)e->fault) {
	case TURN_FAULT_EXPIRED:
		return say(buf,
		           "The credential expired %s before the Allocate: the client has to fetch "
		           "a new one, or credential_ttl is too short.",
		           duration(at_s - r->credential_expires_at_s, ago));
	case TURN_FAULT_PASSWORD:
		return say(buf, "The password is wrong (401): client and server do not share the "
		                "secret, it was retired, or the password was mistyped.");
	case TURN_FAULT_USER:
		return say(buf, "The user is unknown, disabled or revoked (401).");
	case TURN_FAULT_REALM:
		return say(buf, "The client asked for a realm that this server does not have "
		                "(401): see the option realm.");
	case TURN_FAULT_TOKEN:
		return say(buf, "No key of this server opens the access token (401): it was made "
		                "with another oauth_key, for another oauth_server, or is too old.");
	case TURN_FAULT_NONE:
	case TURN_FAULT_NO_CREDENTIAL:
		break;
	}
	switch (e->code) {
	case 300:
		return say(buf, "The client was sent to another server (300, alternate_server).");
	case 486:
		return say(buf,
		           "A quota was reached (486): user_quota, realm_quota or total_quota.");
	case 508:
		return say(buf, "The server had no capacity (508): it was draining, or had no "
		                "relay port left (relay_ports).");
	case 442:
		return say(buf, "The client asked for a transport that is not relayed (442).");
	default:
		return say(buf, "The Allocate was refused with %u.", e->code);
	}
}

/* The missing event that would have let it talk to a peer; 403 is an event of its own. */
static const struct turn_event *unpermitted(const struct turn_record *r)
{
	for (size_t i = 0; i < r->event_n; i++)
		if (r->event[i].what == TURN_EVENT_REFUSED &&
		    (r->event[i].method == STUN_CHANNEL_BIND ||
		     r->event[i].method == STUN_CREATE_PERMISSION))
			return &r->event[i];
	return NULL;
}

/* No data came to the client. */
static const char *nothing_came(const struct turn_record *r, const struct explain_call *call,
                                char *buf)
{
	const struct turn_event *denied = find(r, TURN_EVENT_PEER_DENIED);
	const struct turn_event *locked = find(r, TURN_EVENT_PEER_LOCKED);
	const struct turn_event *stranger = find(r, TURN_EVENT_STRANGER);
	bool permitted = find(r, TURN_EVENT_PERMITTED) || find(r, TURN_EVENT_BOUND);
	const struct turn_event *no = unpermitted(r);
	char peer[ADDR_STRLEN];

	if (stranger)
		return say(
		    buf,
		    "The client allocated, but never asked for a permission for the peer that "
		    "answered (%s): that peer's candidate did not arrive through signaling.",
		    addr_format(&stranger->addr, peer));
	if (locked && !permitted)
		return say(buf,
		           "The credential is locked to its holder's calls, and the client asked "
		           "for a peer (%s) that the other end has not signaled (relay_lock): the "
		           "credential was used outside of a call, or is from before a restart.",
		           addr_format_ip(&locked->addr, peer));
	if (denied && !permitted)
		return say(buf,
		           "The client asked for a peer that is denied (%u Forbidden IP, %s): the "
		           "other side offered only private addresses, or relay_allow is missing.",
		           denied->code, addr_format_ip(&denied->addr, peer));
	if (!permitted && no && no->method == STUN_CHANNEL_BIND && no->code == 400)
		return say(buf, "The client's ChannelBind is malformed (400): an old client, whose "
		                "channels are above 0x4FFF, needs the option legacy_channels.");
	if (!permitted && no)
		return say(buf,
		           "The server refused all permissions that the client asked for (%u).",
		           no->code);
	if (!permitted && call && !explain_count(call, HUB_EVENT_ANSWER, -1))
		return say(buf, "The client allocated, but the call was never answered.");
	if (!permitted && call &&
	    (!explain_count(call, HUB_EVENT_CANDIDATE, 0) ||
	     !explain_count(call, HUB_EVENT_CANDIDATE, 1)))
		return say(buf,
		           "The client allocated but asked for no permission, and %s sent no "
		           "candidate: candidates did not arrive.",
		           call->name[explain_count(call, HUB_EVENT_CANDIDATE, 0) ? 1 : 0]);
	if (!permitted)
		return say(buf, "The client allocated but asked for no permission: no candidate of "
		                "a peer reached it, or ICE found a way without the relay.");
	if (find(r, TURN_EVENT_UNPERMITTED) && !find(r, TURN_EVENT_TO_PEER))
		return say(buf, "The client sent only to a peer that it has no permission for.");
	if (!find(r, TURN_EVENT_TO_PEER))
		return say(buf,
		           "The client asked for permissions but sent nothing: ICE found a way "
		           "without the relay, or gave up.");
	return say(buf, "The client's data went out to its peer, but nothing came back: the peer "
	                "was gone, or its NAT or firewall drops packets from the relay.");
}

/* It has relayed, at least to the client. */
static const char *came(const struct turn_record *r, char *buf)
{
	const struct turn_event *no = refusal(r);
	const char *how = find(r, TURN_EVENT_TO_PEER)
	                      ? "Data flowed both ways"
	                      : "Data from peers reached the client, which sent nothing back";

	if (!r->close_reason)
		return say(buf, "%s; the session goes on.", how);
	if (no && !strcmp(r->close_reason, "expired"))
		return say(buf, "%s, until the session expired after a refusal (%u).", how,
		           no->code);
	if (!strcmp(r->close_reason, "deleted"))
		return say(buf, "%s; the client ended the session.", how);
	if (!strcmp(r->close_reason, "expired"))
		return say(buf,
		           "%s, until the client no longer refreshed: its page was closed, or it "
		           "lost its network.",
		           how);
	if (!strcmp(r->close_reason, "disconnected"))
		return say(buf, "%s, until the client's connection broke.", how);
	return say(buf, "%s, until the server ended it (%s).", how, r->close_reason);
}

static const char *without_session(const struct explain_call *call, char *buf)
{
	if (explain_count(call, HUB_EVENT_UNREACHED, -1) &&
	    !explain_count(call, HUB_EVENT_OFFER, -1))
		return say(buf, "%s was not there.", call->name[1]);
	if (!call->answered && !strcmp(call->reason, "declined"))
		return say(buf, "%s declined the call.", call->name[1]);
	if (!call->answered && !strcmp(call->reason, "busy"))
		return say(buf, "%s was busy.", call->name[1]);
	if (!call->answered && !call->ended_by)
		return say(buf, "%s gave up before %s answered.", call->name[0], call->name[1]);
	if (!call->answered)
		return say(buf, "%s never answered.", call->name[1]);
	return say(buf, "The call was answered and used no relay here: it went directly, or the "
	                "clients had no TURN credentials.");
}

const char *verdict(const struct turn_record *r, const struct explain_call *call,
                    char buf[VERDICT_STRLEN])
{
	const struct turn_event *no;

	if (!r)
		return call ? without_session(call, buf)
		            : say(buf, "The server knows nothing about it.");
	no = refusal(r);
	if (!*r->id)
		return no ? refused(r, no, buf) : say(buf, "The client was refused.");
	if (r->close_reason && !strcmp(r->close_reason, "revoked"))
		return say(buf,
		           "The user or the credential was revoked, disabled or deleted, which "
		           "ended the session.");
	if (r->close_reason && !strcmp(r->close_reason, "operator"))
		return say(buf, "The operator closed the session.");
	if (!find(r, TURN_EVENT_TO_CLIENT))
		return nothing_came(r, call, buf);
	return came(r, buf);
}

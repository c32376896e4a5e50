/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Clients of other projects, as they are published, over our signaling and our relay: PeerJS, and
 * y-webrtc. Their scripts are run in a page of ours, so that they have its origin.
 */
#include "harness/scenarios/call.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define LOAD_MS  20000
#define REACH_MS 40000

/* What both clients get: our ICE servers, as any page asks for them. */
#define SERVERS                                                                                    \
	"fetch('/api/v1/ice-servers', {method: 'POST'}).then(r => r.json())"                       \
	".then(r => ({iceServers: r.iceServers}))"

static int load(struct stage *st, enum lab_side side, const char *file, struct why *why)
{
	char path[4096], *text = NULL;
	size_t size = 0;
	ssize_t len;
	FILE *f;
	int err;

	if (!st->opt->clients)
		return why_set(why, -E_NOTFOUND,
		               "no --clients DIR (./dev test makes build/clients)");
	snprintf(path, sizeof(path), "%s/%s", st->opt->clients, file);
	f = fopen(path, "re");
	len = f ? getdelim(&text, &size, '\0', f) : -1;
	if (f)
		fclose(f);
	stage_step(st, "loading %s as %s", file, st->mark[side].name);
	err = len > 0 ? browser_eval(st->browser[side], text, LOAD_MS, NULL, why)
	              : why_set(why, -E_NOTFOUND, "%s cannot be read", path);
	free(text);
	return err;
}

static int runs(struct stage *st, enum lab_side side, const char *what, const char *js,
                struct why *why)
{
	stage_step(st, "%s as %s", what, st->mark[side].name);
	return browser_eval(st->browser[side], js, CALL_JS_MS, NULL, why);
}

static int sees(struct stage *st, enum lab_side side, const char *what, const char *js,
                struct why *why)
{
	stage_step(st, "waiting until %s %s", st->mark[side].name, what);
	return browser_wait_for(st->browser[side], js, REACH_MS, why);
}

/* Between two symmetric NATs there is no other way. One leg may do. */
static const char relayed_js[] =
    "(async () => { for (const {pc} of harness.connections) {"
    " const stats = await pc.getStats(), pair = harness.selectedPair(stats);"
    " if (pair && [pair.localCandidateId, pair.remoteCandidateId].some(id =>"
    " stats.get(id)?.candidateType === 'relay')) return true; } return false; })()";

static int both_relayed(struct stage *st, struct why *why)
{
	int err = 0;

	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = sees(st, i, "uses the relay", relayed_js, why);
	return err;
}

static void end(struct stage *st, int err, const struct why *why)
{
	if (err)
		result_fail(st->result, "The two should reach each other, but: %s.", why->text);
	call_check_pages(st);
}

static const char peer_js[] =
    SERVERS ".then(config => { window.heard = [];"
            "window.peer = new Peer('%s', {host: location.hostname,"
            " port: location.port || 443, path: '/', secure: true, config});"
            "peer.on('error', e => heard.push(`error ${e.type}`));"
            "peer.on('connection', c => c.on('data', d => { heard.push(d); c.send(`echo ${d}`);"
            "}));})";

void scenario_peerjs(struct stage *st)
{
	char js[1024];
	struct why why;
	int err = 0;

	for (int i = 0; i < LAB_SIDES && err == 0; i++) {
		err = load(st, i, "peerjs.js", &why);
		snprintf(js, sizeof(js), peer_js, st->mark[i].name);
		if (err == 0)
			err = runs(st, i, "signing in with PeerJS", js, &why);
		if (err == 0)
			err = sees(st, i, "is open", "window.peer?.open", &why);
	}
	snprintf(js, sizeof(js),
	         "(c => { c.on('open', () => c.send('hello')); c.on('data', d => heard.push(d)); })"
	         "(peer.connect('%s'))",
	         st->mark[CALLEE].name);
	if (err == 0)
		err = runs(st, CALLER, "connecting", js, &why);
	if (err == 0)
		err = sees(st, CALLEE, "hears the other", "heard.includes('hello')", &why);
	if (err == 0)
		err = sees(st, CALLER, "hears the answer", "heard.includes('echo hello')", &why);
	if (err == 0)
		err = both_relayed(st, &why);
	if (err == 0)
		err = runs(st, CALLER, "calling nobody", "void peer.connect('nobody')", &why);
	if (err == 0)
		err = sees(st, CALLER, "hears that nobody is not there",
		           "heard.includes('error peer-unavailable')", &why);
	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = runs(st, i, "leaving", "void peer.destroy()", &why);
	end(st, err, &why);
}

static const char provider_js[] =
    SERVERS ".then(config => { window.doc = new Y.Doc();"
            "window.provider = new WebrtcProvider('harness', doc, {"
            "signaling: [`wss://${location.host}/topics`], filterBcConns: false,"
            "peerOpts: {config}}); })";

void scenario_y_webrtc(struct stage *st)
{
	struct why why;
	int err = 0;

	for (int i = 0; i < LAB_SIDES && err == 0; i++) {
		err = load(st, i, "y-webrtc.js", &why);
		if (err == 0)
			err = runs(st, i, "opening the document", provider_js, &why);
	}
	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = runs(st, i, "writing",
		           i == CALLER ? "doc.getArray('lines').push(['one'])"
		                       : "doc.getArray('lines').push(['two'])",
		           &why);
	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = sees(st, i, "has both lines",
		           "doc.getArray('lines').toArray().sort().join() === 'one,two'", &why);
	if (err == 0)
		err = both_relayed(st, &why);
	for (int i = 0; i < LAB_SIDES && err == 0; i++)
		err = runs(st, i, "leaving", "void provider.destroy()", &why);
	end(st, err, &why);
}

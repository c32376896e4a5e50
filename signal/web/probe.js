// Finds out about a browser's network and about ICE servers. No DOM, and no opinion: check-words.js
// says what the findings mean.

const GATHER_MS = 11000; // Chromium tells 701 of a silent server after 9.5 s
const JOIN_MS = 9000;
const PINGS = 8;
const LOAD_MS = 1200;
const LOAD_BYTES = 1000; // of a packet
const LOAD_PACKETS = 240;
const LATE_MS = 800;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// RFC 7064, RFC 7065. null for any other text.
export function parseUrl(url) {
	const m = /^(stuns?|turns?):(\[[0-9a-f:.]+\]|[^:?[\]\s/@]+)(?::(\d+))?(?:\?transport=(\w+))?$/i.exec(url);

	if (!m)
		return null;
	const scheme = m[1].toLowerCase(), over = (m[4] ?? "").toLowerCase();
	const secure = scheme.endsWith("s"), relay = scheme.startsWith("turn");
	const transport = secure ? (over === "udp" ? "dtls" : "tls") : (over || "udp");

	return { url, relay, transport, host: m[2], port: Number(m[3] ?? (secure ? 5349 : 3478)) };
}

// iceServers as one entry per URL: {url, relay, transport, host, port, server}. Skips URLs that do
// not parse.
export function entriesOf(servers) {
	return servers.flatMap(({ urls, url, username, credential }) =>
		[urls ?? url ?? []].flat().map(parseUrl).filter(Boolean).map((entry) => ({
			...entry,
			server: entry.relay ? { urls: entry.url, username, credential }
			                    : { urls: entry.url },
		})));
}

export const familyOf = (address) => (address.includes(":") ? 6 : 4);

function describe(candidate, ms) {
	const address = candidate.address ?? "", base = candidate.relatedAddress || address;

	return { type: candidate.type, protocol: candidate.protocol, address, port: candidate.port ?? 0,
	         family: familyOf(address), baseFamily: familyOf(base),
	         hidden: address.endsWith(".local"), ms };
}

// Gathers candidates until lingerMs after enough(candidate), until all servers have answered or
// were given up, or until limitMs. {candidates, errors: [{code, text, url}], complete, ms};
// refused: the browser does not take these servers at all, and why.
export function gather(configuration,
                       { limitMs = GATHER_MS, lingerMs = 0, enough = () => false } = {}) {
	const out = { candidates: [], errors: [], complete: false, ms: 0 };
	const started = performance.now();
	let pc;

	try {
		pc = new RTCPeerConnection(configuration);
		pc.createDataChannel("check");
	} catch (e) {
		return Promise.resolve({ ...out, refused: e.message });
	}
	return new Promise((resolve) => {
		const finish = () => {
			clearTimeout(timer);
			pc.onicecandidate = pc.onicecandidateerror = null;
			pc.close();
			out.ms = Math.round(performance.now() - started);
			resolve(out);
		};
		let timer = setTimeout(finish, limitMs);

		pc.onicecandidateerror = (e) =>
			out.errors.push({ code: e.errorCode, text: e.errorText ?? "", url: e.url ?? "" });
		pc.onicecandidate = ({ candidate }) => {
			if (candidate?.candidate) {
				const c = describe(candidate, Math.round(performance.now() - started));

				out.candidates.push(c);
				if (enough(c)) {
					clearTimeout(timer);
					timer = setTimeout(finish, lingerMs);
				}
			} else if (!candidate) {
				out.complete = true;
				finish();
			}
		};
		pc.setLocalDescription().catch((e) => {
			out.refused = e.message;
			finish();
		});
	});
}

/* ---- this device and its NAT ---- */

// The device's own candidates: {count, hidden, addresses}. Browsers hide local addresses from pages
// that may not use the camera.
export async function hostCandidates() {
	const found = await gather({ iceServers: [] });
	const host = found.candidates.filter((c) => c.type === "host" && c.protocol === "udp");

	return { count: host.length, hidden: host.some((c) => c.hidden), refused: found.refused ?? null,
	         addresses: host.filter((c) => !c.hidden).map((c) => c.address) };
}

const reflexive = (found) => found.candidates.filter((c) => c.type === "srflx");
const countOf = (list, family) => list.filter((c) => c.family === family).length;

// One STUN server: {url, answered, address, port, ms, families, error: {code, text}, counts};
// families: of this device's own sockets, which behind NAT64 are others than seen from outside;
// none where the browser hides them.
// Where there is no NAT, a browser may tell of no reflexive candidate: then it has answered without
// an error.
export async function askStun(url, limitMs = GATHER_MS) {
	const found = await gather({ iceServers: [{ urls: url }] },
		{ limitMs, lingerMs: 400, enough: (c) => c.type === "srflx" });
	const mapped = reflexive(found), best = mapped[0];
	const silent = !best && !found.errors.length && found.complete;
	const bases = silent ? found.candidates.filter((c) => c.type === "host" && !c.hidden) : mapped;

	return { url, answered: Boolean(best) || silent, natless: silent,
	         address: best?.address ?? "", port: best?.port ?? 0, ms: best?.ms ?? null,
	         addresses: [...new Set(mapped.map((c) => c.address))],
	         families: [...new Set(bases.map((c) => c.baseFamily))],
	         error: best || silent ? null : worst(found),
	         counts: { 4: countOf(mapped, 4), 6: countOf(mapped, 6) } };
}

// Whether one socket has one outside port towards all of them: "same", "changes", or "unknown".
// answers: of askStun(), those that answered. A socket that is seen under as many ports as it asked
// servers is behind a symmetric NAT; several interfaces make several candidates by themselves.
export async function mapping(answers) {
	const found = answers.length < 2 ? null
		: await gather({ iceServers: [{ urls: answers.map((a) => a.url) }] }, { limitMs: 3000 });
	const mapped = found ? reflexive(found) : [];

	if (!mapped.length)
		return { kind: "unknown", ports: [] };
	const changes = [4, 6].some((family) => countOf(mapped, family) >
		Math.max(...answers.map((a) => a.counts[family])));
	return { kind: changes ? "changes" : "same", ports: mapped.map((c) => c.port) };
}

/* ---- the relay ---- */

// The most telling error: a server's word before "not reached".
function worst(found) {
	const said = found.errors.filter((e) => e.code !== 701);

	if (found.refused)
		return { code: 0, text: found.refused };
	// Chromium is silent of some for longer than we wait.
	return said[0] ?? found.errors[0] ??
		{ code: 701, text: "", silentMs: found.complete ? 0 : found.ms };
}

// One TURN URL: {relay: {address, port, ms}} or {error: {code, text}}.
export async function allocate(entry) {
	const found = await gather({ iceServers: [entry.server], iceTransportPolicy: "relay" },
		{ enough: (c) => c.type === "relay" });
	const c = found.candidates.find((x) => x.type === "relay");

	return c ? { relay: { address: c.address, port: c.port, ms: c.ms }, error: null }
	         : { relay: null, error: worst(found) };
}

/* ---- does it carry anything? ---- */

const bare = ({ type, sdp }) => ({ type, sdp: sdp.replace(/^a=candidate:.*\r\n/gm, "") });

// Two connections of this page, of these configurations, joined by a data channel that loses
// packets as UDP does. Resolves to {a, b, channel, far, ms, error, close()}; channel is null if they
// did not come together, and error is then what a server said against it, or null.
export async function join(configA, configB, limitMs = JOIN_MS) {
	const started = performance.now();
	const a = new RTCPeerConnection(configA), b = new RTCPeerConnection(configB);
	const link = { a, b, channel: null, far: null, ms: 0, error: null,
	               close: () => (a.close(), b.close()) };
	const near = a.createDataChannel("check", { ordered: false, maxRetransmits: 0 });
	let described;
	const ready = new Promise((resolve) => { described = resolve; });
	const trickle = (from, to) => {
		from.onicecandidate = ({ candidate }) =>
			ready.then(() => candidate && to.addIceCandidate(candidate)).catch(() => {});
		from.onicecandidateerror = ({ errorCode, errorText }) => {
			if (errorCode !== 701)
				link.error = { code: errorCode, text: errorText ?? "" };
		};
	};

	trickle(a, b);
	trickle(b, a);
	const open = new Promise((resolve) => {
		const both = () => link.far && near.readyState === "open" && resolve(true);

		near.onopen = both;
		b.ondatachannel = ({ channel }) => {
			link.far = channel;
			both();
		};
		sleep(limitMs).then(() => resolve(false));
	});
	try {
		await a.setLocalDescription();
		await b.setRemoteDescription(bare(a.localDescription));
		await b.setLocalDescription();
		await a.setRemoteDescription(bare(b.localDescription));
		described();
		if (await open)
			link.channel = near;
	} catch (e) {
		link.error = { code: 0, text: e.message };
	}
	link.ms = Math.round(performance.now() - started);
	return link;
}

// How a sees b: "srflx" or "host" (by a candidate that b knew), "prflx" (from a port that nobody
// knew before), or "".
export async function seenAs(link) {
	const stats = await link.a.getStats();
	const all = [...stats.values()];
	const id = all.find((s) => s.type === "transport")?.selectedCandidatePairId;
	const pair = id ? stats.get(id)
		: all.find((s) => s.type === "candidate-pair" && (s.selected || s.nominated));

	return stats.get(pair?.remoteCandidateId)?.candidateType ?? "";
}

const PAIRS_MS = 2000;

// Whether what b sends to this relayed address of a's is answered. That the two came together does
// not say so: a's packets may come from another address, and b then answers that one. {ok, from}:
// from is where they come from, "" where the browser hides it.
export async function reaches(link, relayed) {
	for (let waited = 0; ; waited += 100) {
		const stats = await link.b.getStats();
		const live = [...stats.values()].filter((s) => s.type === "candidate-pair" &&
			(s.state === "succeeded" || s.responsesReceived > 0));
		const ends = live.map((s) => stats.get(s.remoteCandidateId)).filter(Boolean);

		if (ends.some((c) => c.candidateType === "relay" || c.address === relayed))
			return { ok: true, from: relayed };
		if (waited >= PAIRS_MS)
			return { ok: false, from: ends.find((c) => c.address)?.address ?? "" };
		await sleep(100);
	}
}

const median = (list) => [...list].sort((x, y) => x - y)[Math.floor(list.length / 2)];

// Sends packets there and back over a joined pair: first a few at leisure for the round trip, then
// a short load. {rttMs, jitterMs, sent, back, lossPercent, kbps}; rttMs is null if nothing came.
export async function echo(link) {
	const { channel, far } = link;
	const sentAt = new Map(), rtt = [];
	let back = 0, lastAt = 0;

	far.binaryType = channel.binaryType = "arraybuffer";
	far.onmessage = ({ data }) => far.readyState === "open" && far.send(data);
	channel.onmessage = ({ data }) => {
		const n = new DataView(data).getUint32(0);

		lastAt = performance.now();
		back++;
		if (n < PINGS)
			rtt.push(lastAt - sentAt.get(n));
	};
	const send = (n) => {
		const packet = new DataView(new ArrayBuffer(n < PINGS ? 64 : LOAD_BYTES));

		packet.setUint32(0, n);
		sentAt.set(n, performance.now());
		channel.send(packet.buffer);
	};
	const open = () => channel.readyState === "open";

	for (let n = 0; n < PINGS && open(); n++) {
		send(n);
		await sleep(40);
	}
	for (let t = 0; rtt.length < PINGS && t < LATE_MS; t += 50)
		await sleep(50);
	const pings = back, started = performance.now();
	let sent = 0;
	// A timer may come late: what is due by now is sent now. A full buffer means a thin line.
	while (performance.now() - started < LOAD_MS && pings && open()) {
		const due = Math.min(LOAD_PACKETS, (performance.now() - started) / LOAD_MS * LOAD_PACKETS);

		while (sent < due && channel.bufferedAmount < 32 * LOAD_BYTES)
			send(PINGS + sent++);
		await sleep(10);
	}
	for (let t = 0; back - pings < sent && t < LATE_MS; t += 50)
		await sleep(50);
	const arrived = Math.min(sent, back - pings), took = Math.max(1, lastAt - started);
	return {
		rttMs: rtt.length ? Math.round(median(rtt) * 10) / 10 : null,
		jitterMs: rtt.length ? Math.round((Math.max(...rtt) - Math.min(...rtt)) * 10) / 10 : null,
		sent, back: arrived,
		lossPercent: sent ? Math.round((sent - arrived) / sent * 1000) / 10 : null,
		kbps: sent ? Math.round(arrived * LOAD_BYTES * 8 / took) : 0,
	};
}

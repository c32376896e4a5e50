// SPDX-License-Identifier: BSD-3-Clause
//
// The self-test page: asks, shows as it goes, and sums up.
//
// window.checkResult: {state: "running" | "done", verdict: {level, code, title, text}, rows,
// facts, report}. Tests and tickets read it; there is no secret in it.

import { explain, reportOf, rowsOf, verdictOf } from "./check-words.js";
import { allocate, askStun, echo, entriesOf, familyOf, hostCandidates, join, mapping,
         parseUrl, reaches, seenAs } from "./probe.js";

const HUB_MS = 8000;
const GUESS_MS = 2500; // for a STUN server that may not exist
const RELAYS_MAX = 8;
const $ = (id) => document.getElementById(id);

/* ---- what the page was given ---- */

const settings = {
	get: (k) => { try { return localStorage.getItem(`turnpike.${k}`); } catch { return null; } },
	set: (k, v) => { try { localStorage.setItem(`turnpike.${k}`, v); } catch { /* private mode */ } },
};
let key = null; // the API token
let own = null; // iceServers that the visitor has brought

function readKeyFromHash() {
	const given = new URLSearchParams(location.hash.slice(1)).get("key");

	if (given) {
		settings.set("key", given);
		history.replaceState(null, "", location.pathname + location.search);
	}
	key = given ?? key ?? settings.get("key");
}

/* ---- showing ---- */

let facts = null;

function showMedia(level, text) {
	$("media-text").dataset.level = level;
	$("media-text").textContent = text;
}

const LEVEL_TEXT = { ok: "Good", warn: "Warning", bad: "Fault", none: "Not judged", running: "Running" };

function paintRow(li, r) {
	const [mark, label, title, text, hint] = li.querySelectorAll(".mark, .hidden-label, strong, p");

	li.dataset.level = r.level;
	mark.title = label.textContent = LEVEL_TEXT[r.level];
	title.textContent = r.title;
	text.textContent = r.text;
	hint.textContent = r.hint;
}

function newRow(id) {
	const li = document.createElement("li"), div = document.createElement("div");
	const make = (tag, name) => Object.assign(document.createElement(tag), { className: name });
	const mark = make("span", "mark");

	li.dataset.row = id;
	mark.setAttribute("aria-hidden", "true");
	div.append(make("span", "hidden-label"), make("strong", ""), make("p", ""), make("p", "hint"));
	li.append(mark, div);
	return li;
}

function paint() {
	const rows = rowsOf(facts);
	const known = new Map([...$("rows").children].map((li) => [li.dataset.row, li]));

	$("rows").replaceChildren(...rows.map((r) => {
		const li = known.get(r.id) ?? newRow(r.id);

		paintRow(li, r);
		return li;
	}));
	window.checkResult = { state: "running", verdict: null, rows, facts, report: "" };
}

function paintVerdict({ level, code, title, text }) {
	Object.assign($("verdict").dataset, { level, code });
	$("verdict-title").textContent = title;
	$("verdict-text").textContent = text;
}

/* ---- the server ---- */

// Over the WebSocket, as the call page does, but without a name: nobody sees us there. Resolves to
// {signaling, answer}: answer is the server's message, or null.
function askHub() {
	const scheme = location.protocol === "https:" ? "wss" : "ws";
	const signaling = { ok: false, scheme, host: location.host, rttMs: null, why: "" };

	return new Promise((resolve) => {
		let asked = 0;
		const socket = new WebSocket(`${scheme}://${location.host}/ws`, "json");
		const finish = (why, answer = null) => {
			clearTimeout(timer);
			socket.onmessage = socket.onclose = null;
			socket.close();
			resolve({ signaling: { ...signaling, why }, answer });
		};
		const timer = setTimeout(() => finish("no answer in time"), HUB_MS);

		socket.onclose = (e) => finish(`it was closed (${e.code}${e.reason ? ` ${e.reason}` : ""})`);
		socket.onmessage = ({ data }) => {
			const m = JSON.parse(data);

			if (m.type === "id" && !asked) {
				asked = performance.now();
				socket.send(JSON.stringify(key ? { type: "ice-servers", key } : { type: "ice-servers" }));
			} else if (m.type === "ice-servers" || (m.type === "error" && m.for === "ice-servers")) {
				signaling.ok = true;
				signaling.rttMs = Math.round(performance.now() - asked);
				finish("", m);
			}
		};
	});
}

// The same by HTTP, where no WebSocket gets through. An answer in the hub's shape.
async function askHttp() {
	try {
		const r = await fetch("api/v1/ice-servers", { method: "POST",
			headers: key ? { Authorization: `Bearer ${key}` } : {} });
		const body = await r.json();

		if (r.ok)
			return { type: "ice-servers", iceServers: body.iceServers };
		return { code: r.status === 401 ? "api-token-needed" : body.error?.code,
		         message: body.error?.message };
	} catch (e) {
		return { code: "unreachable", message: e.message };
	}
}

async function fetchServers() {
	const { signaling, answer } = await askHub();

	facts.signaling = signaling;
	if (own) {
		facts.servers = { source: "own", refused: null, urls: entriesOf(own).map((e) => e.url) };
		return own;
	}
	const got = answer ?? await askHttp();
	const source = answer ? "hub" : "http";

	if (got.type === "ice-servers") {
		facts.servers = { source, refused: null, urls: entriesOf(got.iceServers).map((e) => e.url) };
		return got.iceServers;
	}
	const refused = got.code === "api-token-needed" && key ? "api-token-refused" : got.code ?? "refused";
	facts.servers = { source, refused, message: got.message ?? "", urls: [] };
	return [];
}

/* ---- the network ---- */

// Servers of this kind usually answer STUN over UDP on all their ports. If they do, it shows
// whether the NAT's mapping depends on the port; if not, nothing is lost.
function guesses(entries, listed) {
	const urls = entries.filter((e) => e.relay).map((e) => `stun:${e.host}:${e.port}`);

	return [...new Set(urls)].filter((u) => !listed.includes(u)).slice(0, 3);
}

async function lookAtNat(entries) {
	const listed = [...new Set(entries.filter((e) => !e.relay && e.transport === "udp")
		.map((e) => `stun:${e.host}:${e.port}`))].slice(0, 4);
	const answers = await Promise.all([
		...listed.map((url) => askStun(url)),
		...guesses(entries, listed).map((url) => askStun(url, GUESS_MS).then((a) => ({ ...a, guessed: true }))),
	]);
	const live = answers.filter((a) => a.answered);

	facts.stun = answers.map((a) => ({ ...a, ...parseUrl(a.url) }));
	if (!live.length)
		facts.nat = { kind: "blocked", ports: [] };
	else if (live.every((a) => a.natless))
		facts.nat = { kind: "none", ports: [] };
	else
		facts.nat = await mapping(live);
	paint();
}

async function askRelay(r) {
	const found = r.skipped ? {} : await allocate(r);

	Object.assign(facts.relays[r.i], found);
	paint();
}

// The echoes themselves come one after the other: they would take each other's room.
let turn = Promise.resolve();

// True when anything came through.
async function tryEcho(r) {
	const config = { iceServers: [r.server], iceTransportPolicy: "relay" };
	const link = await join(config, config), found = facts.relays[r.i];

	if (link.channel) {
		turn = turn.then(() => echo(link)).catch(() => ({ rttMs: null }));
		found.echo = await turn;
	} else if (link.error) { // it gave one relayed address, but not two
		found.relay = null;
		found.error = link.error;
	} else {
		found.echo = { rttMs: null };
	}
	link.close();
	paint();
	return found.echo?.rttMs != null;
}

function whyNotOutside(r) {
	const live = facts.stun.filter((s) => s.answered);
	const family = r && familyOf(facts.relays[r.i].relay.address);

	if (!r)
		return "There is no relayed address to test.";
	if (!live.length)
		return "This cannot be tested without UDP.";
	if (live.some((s) => s.families.length) && !live.some((s) => s.families.includes(family)))
		return `The relayed address is an IPv${family} address. This network has no IPv${family}.`;
	return null;
}

// RFC 1918, RFC 6598, RFC 4193 and this host itself.
const PRIVATE = /^(10|127|169\.254|192\.168|172\.(1[6-9]|2\d|3[01])|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\.|^\[?(f[cd]|fe[89ab]|::1)/i;

// It did not come through. Is there a better reason than a fault of the server?
function whyPerhapsNotOutside(relayed) {
	const seen = facts.stun.flatMap((s) => s.addresses);

	if ([...seen, ...(facts.host?.addresses ?? [])].includes(relayed))
		return `This device is the server's own host (${relayed}). A relay does not send to its own host (403 Forbidden). Test from another device.`;
	if (seen.length && seen.every((a) => PRIVATE.test(a)))
		return `The server sees this device at ${seen[0]}, a private address. A relay does not send to private addresses (403 Forbidden). Test from outside the server's network.`;
	if (facts.nat.kind === "none" && !facts.stun.some((s) => s.families.length))
		return "The packets did not arrive. The browser does not say whether this network can send there at all.";
	return null;
}

// As the peer behind the relay sees us: under the port that STUN has told, or another one.
const MAPPING_SEEN = { srflx: "same", prflx: "changes" };

// One end behind the relay, the other not: it sends to the relayed address from outside. What the
// first sees of it also shows whether the NAT took another port for that.
async function tryOutside(relays) {
	const r = relays.find((x) => facts.relays[x.i].relay), skipped = whyNotOutside(r);
	const stun = facts.stun.filter((s) => s.answered).map((s) => s.url);

	if (skipped) {
		facts.outside = { ok: false, skipped };
		return;
	}
	const relayed = facts.relays[r.i].relay.address;
	const link = await join({ iceServers: [r.server], iceTransportPolicy: "relay" },
		{ iceServers: [{ urls: stun }] });
	const ok = Boolean(link.channel), seen = ok ? await seenAs(link) : "";

	const way = ok ? await reaches(link, relayed) : null;
	const excuse = ok ? null
		: link.error ? explain(link.error, r).text : whyPerhapsNotOutside(relayed);

	link.close();
	facts.outside = excuse ? { ok, skipped: excuse }
		: { ok: Boolean(way?.ok), ms: link.ms, seen, address: relayed, from: way?.from ?? null };
	if (facts.nat.kind === "unknown" && MAPPING_SEEN[seen])
		facts.nat = { kind: MAPPING_SEEN[seen], ports: [] };
	paint();
}

const DTLS = "Browsers do not support TURN over DTLS.";

async function probe(entries) {
	const relays = entries.filter((e) => e.relay).slice(0, RELAYS_MAX).map((e, i) => ({ ...e, i }));

	// The server and its password stay out of the facts.
	facts.relays = relays.map(({ url, transport, host, port }) =>
		({ url, transport, host, port, relay: null, error: null, echo: null,
		   skipped: transport === "dtls" ? DTLS : null }));
	paint();
	await Promise.all([lookAtNat(entries),
	                   ...relays.filter((r) => r.transport !== "dtls").map(askRelay)]);
	// With few allocations at a time, for there may be a quota; but what fails takes its time, and
	// after one that did the others are tried at once.
	const live = relays.filter((r) => facts.relays[r.i].relay);
	let n = 0;
	while (n < live.length && await tryEcho(live[n]))
		n++;
	await Promise.all([relays.length && tryOutside(relays), ...live.slice(n + 1).map(tryEcho)]);
}

/* ---- all of it ---- */

function describeBrowser() {
	const c = navigator.connection;

	return { webrtc: "RTCPeerConnection" in window, secure: window.isSecureContext,
	         agent: navigator.userAgent,
	         network: [c?.type, c?.effectiveType].filter(Boolean).join(", ") };
}

function begin() {
	facts = { page: location.origin, date: new Date().toISOString(), browser: describeBrowser(),
	          stun: [], relays: [] };
	paintVerdict({ level: "running", code: "", title: "Checking this network…",
	               text: "This takes about ten seconds, or longer if something is blocked." });
	$("key-form").hidden = $("report").hidden = true;
	$("again").disabled = $("copy").disabled = true;
	$("copied").textContent = "";
	$("use-this").hidden = !own;
	paint();
}

function finish() {
	const rows = rowsOf(facts), verdict = verdictOf(facts);
	const report = reportOf(facts, verdict, rows);

	paint();
	paintVerdict(verdict);
	$("report").value = report;
	$("again").disabled = $("copy").disabled = false;
	$("key-form").hidden = !["api-token-needed", "api-token-refused"].includes(facts.servers?.refused);
	window.checkResult = { state: "done", verdict, rows, facts, report };
}

let running = false;

async function run() {
	if (running)
		return;
	running = true;
	begin();
	try {
		const [servers] = await Promise.all([
			fetchServers(),
			facts.browser.webrtc && hostCandidates().then((h) => { facts.host = h; paint(); }),
		]);

		paint();
		if (facts.browser.webrtc && facts.servers.urls.length)
			await probe(entriesOf(servers));
	} catch (e) {
		facts.failure = `${e.name}: ${e.message}`;
	}
	running = false;
	finish();
}

/* ---- the visitor ---- */

async function copyReport() {
	$("report").hidden = false;
	$("report").select();
	try {
		await navigator.clipboard.writeText($("report").value);
		$("copied").textContent = "Copied.";
	} catch {
		// No clipboard over http: the text is selected.
		$("copied").textContent = document.execCommand("copy") ? "Copied." : "Select the report below and copy it.";
	}
}

// JSON in any of the usual shapes, or one URL a line. Throws with a sentence.
function readOwn(text, username, credential) {
	let list;

	if (/^\s*[[{]/.test(text)) {
		try {
			const value = JSON.parse(text);

			list = Array.isArray(value) ? value : [value.iceServers ?? value].flat();
		} catch {
			throw new Error("This is not JSON. JSON needs double quotes around names.");
		}
	} else {
		list = [{ urls: text.split(/[\s,]+/).filter(Boolean) }];
	}
	list = list.filter((s) => s && typeof s === "object");
	const urls = list.flatMap((s) => [s.urls ?? s.url ?? []].flat());
	const wrong = urls.find((u) => typeof u !== "string" || !parseUrl(u));

	if (!urls.length)
		throw new Error("Enter at least one URL.");
	if (wrong !== undefined)
		throw new Error(`This is not the URL of an ICE server: ${wrong}`);
	return list.map((s) => ({ urls: s.urls ?? s.url, username: s.username || username,
	                          credential: s.credential || credential }));
}

const MEDIA_ERROR = {
	NotAllowedError: "Not allowed. Click the lock beside the page's address and allow camera and microphone. On a phone, allow them in the system's settings, too.",
	NotFoundError: "Not found. Is it plugged in?",
	NotReadableError: "Another program is using it.",
};

async function tryMedia() {
	if (!navigator.mediaDevices?.getUserMedia) {
		showMedia("bad", "Open this page over https: browsers do not allow camera and microphone on http pages.");
		return;
	}
	const said = [];
	let level = "ok";

	for (const [what, wish] of [["Microphone", { audio: true }], ["Camera", { video: true }]]) {
		try {
			const stream = await navigator.mediaDevices.getUserMedia(wish);

			said.push(`${what}: ${stream.getTracks()[0].label || "works"}.`);
			stream.getTracks().forEach((t) => t.stop());
		} catch (e) {
			level = "bad";
			said.push(`${what}: ${MEDIA_ERROR[e.name] ?? `${e.name}.`}`);
		}
	}
	showMedia(level, said.join(" "));
}

$("again").addEventListener("click", run);
$("copy").addEventListener("click", copyReport);
$("media").addEventListener("click", tryMedia);
$("key-form").addEventListener("submit", (e) => {
	e.preventDefault();
	key = $("key").value.trim();
	settings.set("key", key);
	$("key").value = "";
	run();
});
$("own-form").addEventListener("submit", (e) => {
	e.preventDefault();
	$("own-error").textContent = "";
	try {
		own = readOwn($("own-servers").value, $("own-user").value, $("own-password").value);
	} catch (error) {
		$("own-error").textContent = error.message;
		return;
	}
	run();
});
$("use-this").addEventListener("click", () => {
	own = null;
	run();
});
addEventListener("hashchange", () => {
	readKeyFromHash();
	run();
});

readKeyFromHash();
run();

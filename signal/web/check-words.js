// SPDX-License-Identifier: BSD-3-Clause
//
// What the findings of the self-test mean: rows, and one verdict. The causes have the names and the
// remedies of docs/troubleshooting.md. Nothing here asks anybody anything.
//
// facts: {browser, signaling, servers, host, stun: [], nat, relays: [], outside}, as check.js
// fills them in. What is not known yet is absent.

const WAY = { udp: "UDP", tcp: "TCP", tls: "TLS", dtls: "DTLS" };

const where = (r) => `${WAY[r.transport] ?? r.transport}, port ${r.port}`;
const carries = (r) => r.echo?.rttMs != null;

const NOT_ITS_OWN = "The server gives away an address that is not its own. For the operator: external_ip has to be the address under which others see this host; without one-to-one NAT, leave it out.";
const LOST = "Most often a firewall over the server's relay ports. For the operator: open UDP relay_ports (49152-65535), in the provider's panel as well, and check external_ip.";

/* ---- errors of an ICE server ---- */

const LOOKUP = /lookup|resolve|dns/i;

// {cause, text, hint} of an icecandidateerror. The causes are the headings of
// docs/troubleshooting.md.
export function explain(error, entry) {
	const { code, text } = error;

	switch (code) {
	case 701:
		return notReached(error, entry);
	case 401:
		return { cause: "credentials-refused", text: "Credentials are refused (401).",
		         hint: "Expired, revoked, or made with another secret than the server's; or a clock is wrong. Fetch new ones." };
	case 403:
		return { cause: "forbidden", text: "The server forbids it (403).",
		         hint: "This user or address may not use the relay: ask whoever runs the server." };
	case 437:
		return { cause: "mismatch", text: "The server knows another allocation of this address (437).",
		         hint: "Wait a minute and check again." };
	case 438:
		return { cause: "stale-nonce", text: "Stale nonce, again and again (438).",
		         hint: "Two servers behind one name or balancer: give each its own name, or balance by source address." };
	case 486:
		return { cause: "quota", text: "The quota of this user is reached (486).",
		         hint: "Close other calls and pages. Where many share one user, give everybody credentials of their own, or raise user_quota." };
	case 508:
		return { cause: "no-capacity", text: "The server has no room (508).",
		         hint: "It drains, or its relay_ports are used up." };
	case 0:
		return { cause: "browser-refuses", text: `The browser does not take this server: ${text}`,
		         hint: "Look for a mistake in the URL, the user name and the credential." };
	default:
		return { cause: "refused", text: `The server refuses (${code}${text ? ` ${text}` : ""}).`,
		         hint: "The server's log has the reason." };
	}
}

function notReached({ text, silentMs }, entry) {
	const say = silentMs ? `No answer within ${Math.round(silentMs / 1000)} s (a browser's 701).`
		: `Not reached (701${text ? `: ${text.replace(/\.$/, "")}` : ""}).`;

	if (LOOKUP.test(text))
		return { cause: "name-unknown", text: say,
		         hint: `The name ${entry.host} is not found: DNS, or a mistake in it.` };
	if (entry.transport === "udp")
		return { cause: "not-reached", text: say,
		         hint: `This network blocks UDP, or the server's firewall (the provider's, too) has UDP ${entry.port} closed.` };
	const name = /^\[|^[\d.]+$/.test(entry.host) ? "" : `, or the name ${entry.host} is not found`;
	if (entry.transport === "tls")
		return { cause: "not-reached", text: say,
		         hint: `TCP ${entry.port} is closed here or there, or the certificate is none that browsers accept${name}.` };
	return { cause: "not-reached", text: say,
	         hint: `TCP ${entry.port} is closed: by this network, or by a firewall of the server${name}.` };
}

/* ---- rows: {id, level, title, text, hint, cause} ---- */

const row = (id, level, title, text = "", hint = "", cause = "") =>
	({ id, level, title, text, hint, cause });

function browserRow({ browser: b, host }) {
	if (!b.webrtc)
		return row("browser", "bad", "No WebRTC in this browser",
			"It is switched off, by a setting, an extension or a policy.",
			"Try another browser, or without extensions.");
	if (!host)
		return row("browser", "running", "This device");
	if (host.refused || !host.count)
		return row("browser", "warn", "The browser offers none of this device's addresses",
			host.refused ?? "A setting, an extension, a policy or a proxy holds them back; or there is no network.",
			"Calls then need the relay.");
	const addresses = host.addresses.length ? host.addresses.join(", ")
		: `${host.count} network ${host.count === 1 ? "address" : "addresses"}, names only: ` +
		  "browsers hide local addresses until the camera is allowed";
	return row("browser", b.secure ? "ok" : "warn", "This browser can make calls", `${addresses}.`,
		b.secure ? "" : "This page came over http: camera and microphone are only to be had over https.");
}

function signalingRow({ signaling: s }) {
	if (!s)
		return row("signaling", "running", "Signaling");
	if (s.ok)
		return row("signaling", "ok", "Signaling works",
			`${s.scheme.toUpperCase()} to ${s.host}, round trip ${s.rttMs} ms.`);
	return row("signaling", "bad", "Signaling does not work",
		`The page came through, but the WebSocket (${s.scheme}://${s.host}/ws) did not: ${s.why}.`,
		"A proxy between here and the server does not pass WebSockets on. Try https; the operator finds the lines for proxies in docs/reverse-proxy.md.");
}

const REFUSED = {
	"access-key-needed": ["The relay needs an API token or a link", "This browser has neither.",
		"Enter a token on this page, or open it as …/check#key=TOKEN, or ask the operator for a link (turnpike link)."],
	"key-refused": ["The API token is refused", "It is wrong, expired, or not for this (scope issue).",
		"Enter another one, or none to be a guest; the operator sees them with: turnpike token list."],
	"rate-limited": ["Too many requests for credentials", "", "Wait a minute and check again."],
};

function serversRow({ servers: s }) {
	if (!s)
		return row("servers", "running", "ICE servers");
	if (s.refused) {
		const [title, text, hint] = REFUSED[s.refused] ??
			["The server gives no ICE servers", `${s.message ?? s.refused}.`, "Its log has the reason."];

		return row("servers", s.refused === "access-key-needed" ? "warn" : "bad", title, text, hint,
			s.refused);
	}
	const title = s.source === "own" ? "ICE servers of your own" : "ICE servers and credentials received";
	return row("servers", s.urls.length ? "ok" : "bad", title, s.urls.join(" · ") || "An empty list.");
}

function stunRow({ stun, nat }) {
	const listed = stun.filter((s) => !s.guessed);
	const good = stun.find((s) => s.answered);

	if (!nat)
		return row("stun", "running", "STUN over UDP");
	if (!listed.length && !good)
		return row("stun", "none", "STUN over UDP", "No STUN server is listed.");
	if (!good) {
		const e = explain(listed[0].error, listed[0]);

		return row("stun", "bad", "No answer over UDP", e.text, e.hint, e.cause);
	}
	const seen = good.natless ? `${good.url} answers.`
		: `Seen from outside, this device is ${good.addresses.join(" and ")} (${good.url}, ${good.ms} ms).`;
	const silent = listed.filter((s) => !s.answered).map((s) => s.url);

	if (silent.length)
		return row("stun", "warn", "UDP gets through, but not to all STUN servers", seen,
			`No answer from ${silent.join(", ")}: wrong, down, or behind a firewall.`, "not-reached");
	return row("stun", "ok", "UDP gets through", seen);
}

function natRow({ stun, nat }) {
	const hosts = new Set(stun.filter((s) => s.answered).map((s) => s.host));

	if (!nat)
		return row("nat", "running", "NAT");
	switch (nat.kind) {
	case "blocked":
		return row("nat", "none", "NAT", "Cannot be seen without UDP.");
	case "none":
		return row("nat", "ok", "No NAT", "This device has a public address.");
	case "same":
		return row("nat", "ok", "One outside port for everybody",
			`No NAT, or one with endpoint-independent mapping${hosts.size > 1 ? "" : ", as far as one server shows"}: others can send here directly in most cases.`);
	case "changes":
		return row("nat", "warn", "The NAT is symmetric",
			"It takes another outside port for each destination: nobody can foretell it.",
			"Direct calls work only with people whose own NAT is lenient; the others need the relay.");
	default:
		return row("nat", "none", "NAT",
			`One STUN server (${stun.find((s) => s.answered)?.url}) cannot show whether the outside port changes.`);
	}
}

function echoText(e) {
	const rate = e.kbps >= 1000 ? `${(e.kbps / 1000).toFixed(1)} Mbit/s` : `${e.kbps} kbit/s`;
	const loss = e.sent ? ` ${e.lossPercent} % of ${e.sent} packets lost at ${rate}.` : "";

	return `Echo through two relays: ${e.rttMs} ms (± ${e.jitterMs}).${loss}`;
}

function relayRow(r, i, all) {
	const twins = all.filter((x) => x.transport === r.transport && x.port === r.port);
	const id = `relay-${r.transport}-${r.port}${twins.length > 1 ? `-${i}` : ""}`;
	const title = `Relay over ${where(r)}${twins.length > 1 ? ` of ${r.host}` : ""}`;

	if (r.skipped)
		return row(id, "none", title, r.skipped);
	if (!r.relay && !r.error)
		return row(id, "running", title, r.url);
	if (r.error) {
		const e = explain(r.error, r);

		return row(id, "bad", title, `${r.url}: ${e.text}`, e.hint, e.cause);
	}
	const got = `${r.relay.address}:${r.relay.port} after ${r.relay.ms} ms.`;
	if (!r.echo)
		return row(id, "running", title, `${got} Sending through it…`);
	if (!carries(r))
		return row(id, "bad", title, `${got} But nothing that is sent through it arrives.`, LOST,
			"relayed-packets-lost");
	if (r.echo.lossPercent > 5)
		return row(id, "warn", title, `${got} ${echoText(r.echo)}`,
			"Much is lost: pictures will freeze. A thin or busy line, or a limit of the server (session_bandwidth).");
	return row(id, "ok", title, `${got} ${echoText(r.echo)}`);
}

function outsideRow({ outside: o }) {
	const title = "Relay ports from outside";

	if (!o)
		return row("outside", "running", title);
	if (o.skipped)
		return row("outside", "none", title, o.skipped);
	if (o.ok)
		return row("outside", "ok", title, `UDP from here to the relayed address arrives (${o.ms} ms).`);
	if (o.from !== null)
		return row("outside", "bad", title,
			`UDP from here to the relayed address (${o.address}) is not answered: the relay's own packets come from ${o.from || "another address"}.`,
			NOT_ITS_OWN, "relayed-address-wrong");
	return row("outside", "bad", title,
		`UDP from here straight to a relayed address (${o.address}) does not arrive.`,
		`${LOST} If only this network has the fault, it lets UDP out to few ports.`,
		"relay-ports-closed");
}

// All rows, in the order in which they are shown.
export function rowsOf(f) {
	const rows = [browserRow(f), signalingRow(f), serversRow(f)];

	if (!f.browser.webrtc || !f.servers || f.servers.refused || !f.servers.urls.length)
		return rows;
	rows.push(stunRow(f), natRow(f), ...f.relays.map(relayRow));
	if (f.relays.length)
		rows.push(outsideRow(f));
	return rows;
}

/* ---- the verdict: {level, code, title, text} ---- */

const say = (level, code, title, text = "") => ({ level, code, title, text });

// Of those that work, the one that a call would take.
function bestRelay(relays) {
	return ["udp", "tcp", "tls"].map((t) => relays.find((r) => r.transport === t && carries(r)))
		.find(Boolean);
}

function withoutIt({ kind }) {
	if (kind === "blocked")
		return "Without it no call works from here.";
	return kind === "changes" ? "Behind this symmetric NAT few calls work without it."
	                          : "Calls that find a direct way work all the same.";
}

function withoutRelay(f) {
	const tried = f.relays.filter((r) => r.error);
	const first = tried.find((r) => r.error.code !== 701) ?? tried[0];
	const { cause, text, hint } = first ? explain(first.error, first) : {};
	const direct = withoutIt(f.nat);

	if (!tried.length)
		return say(f.nat.kind === "blocked" ? "bad" : "warn", "no-relay",
			"No relay is offered", `The list holds no TURN server that browsers can use. ${direct}`);
	if (cause === "not-reached" && tried.every((r) => r.error.code === 701))
		return say("bad", "relay-not-reached", "The relay cannot be reached",
			`None of its ${tried.length} ways gets through, from this network at least. ${direct}`);
	return say("bad", `relay-${cause}`, `The relay cannot be used: ${text.replace(/\.$/, "")}`, `${hint} ${direct}`);
}

function throughRelay(f, best) {
	const by = `over ${WAY[best.transport]}`;

	if (f.outside && !f.outside.skipped && !f.outside.ok && f.outside.from !== null)
		return say("warn", "relayed-address-wrong",
			"The relay gives away an address that is not its own",
			`Calls in which one end alone uses the relay fail for many. ${NOT_ITS_OWN}`);
	if (f.outside && !f.outside.skipped && !f.outside.ok)
		return say("warn", "relay-ports-closed",
			"The relay works only between those who both use it",
			`What is sent to a relayed address from outside does not come through. ${LOST}`);
	if (best.transport !== "udp" && f.nat.kind === "blocked")
		return say("warn", "udp-blocked",
			`UDP is blocked here: calls go through the relay ${by}, port ${best.port}`,
			"They work, with some more delay where packets get lost. Nothing needs to be done on this device.");
	if (f.nat.kind === "changes")
		return say("ok", "symmetric",
			`Calls from this network will work: through the relay ${by} in most cases`,
			"The NAT here is symmetric: only some calls find a direct way.");
	if (f.nat.kind === "blocked")
		return say("ok", "relayed", `Calls from this network will work: through the relay ${by}`);
	return say("ok", "direct",
		`Calls from this network will work: directly in most cases, and through the relay ${by}`);
}

export function verdictOf(f) {
	if (f.failure)
		return say("bad", "check-failed", "The check itself failed", `${f.failure}.`);
	if (!f.browser.webrtc)
		return say("bad", "no-webrtc", "This browser cannot make calls",
			"WebRTC is switched off in it, by a setting, an extension or a policy.");
	if (f.servers.refused) {
		const [title, text, hint] = REFUSED[f.servers.refused] ??
			["The server gives no ICE servers", `${f.servers.message ?? f.servers.refused}.`, ""];

		return say(f.servers.refused === "access-key-needed" ? "warn" : "bad", f.servers.refused,
			title, [text, hint].filter(Boolean).join(" "));
	}
	if (!f.signaling.ok && f.servers.source !== "own")
		return say("bad", "signaling-lost", "Signaling does not get through: no call can begin",
			"The page loads, but WebSockets do not: a proxy between here and the server swallows them.");
	if (!f.servers.urls.length)
		return say("bad", "no-servers", "There is no ICE server to check", "The list is empty.");
	const best = bestRelay(f.relays);

	if (best)
		return throughRelay(f, best);
	if (!f.relays.some((r) => r.relay))
		return withoutRelay(f);
	if (f.outside?.ok)
		return say("warn", "relay-one-legged",
			"The relay carries nothing between two who both use it",
			"From outside packets come in, but not from one relayed address to another: the server's host or firewall does not reach its own public address.");
	return say("bad", "relayed-packets-lost", "The relay can be reached, but packets do not come through it",
		`${LOST} ${withoutIt(f.nat)}`);
}

/* ---- the report, for a ticket: no secrets ---- */

const WORD = { ok: "ok  ", warn: "warn", bad: "FAIL", none: "-   ", running: "... " };

export function reportOf(f, verdict, rows) {
	const lines = [
		`Turnpike network check of ${f.page}, ${f.date}`,
		`Verdict: ${[verdict.title, verdict.text].filter(Boolean).join(". ")} [${verdict.code}]`,
		"",
		...rows.flatMap((r) => [`${WORD[r.level]}  ${r.title}`,
			...[r.text, r.hint && `-> ${r.hint}`].filter(Boolean).map((t) => `      ${t}`)]),
		"",
		`Browser: ${f.browser.agent}`,
		`Network: ${f.browser.network || "unknown"}; page over ${f.browser.secure ? "a secure context" : "http"}`,
	];
	return `${lines.join("\n")}\n`;
}

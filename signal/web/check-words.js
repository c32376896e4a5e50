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

const NOT_ITS_OWN = "The server tells clients an address that is not its own. For the operator: set external_ip to the address at which others see this host, or, without a one-to-one NAT, remove it.";
const LOST = "The usual cause is a firewall that blocks the server's relay ports. For the operator: open UDP relay_ports (49152-65535), also in the provider's panel, and check external_ip.";

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
		return { cause: "credentials-refused", text: "The server refuses the credentials (401).",
		         hint: "They are expired, revoked, or made with a secret that the server does not have; or a clock is wrong. Fetch new ones." };
	case 403:
		return { cause: "forbidden", text: "The server does not allow this (403).",
		         hint: "This user or address may not use the relay. Ask the operator of the server." };
	case 437:
		return { cause: "mismatch", text: "The server still has another allocation for this address (437).",
		         hint: "Wait a minute and check again." };
	case 438:
		return { cause: "stale-nonce", text: "The server reports a stale nonce again and again (438).",
		         hint: "For the operator: two servers share one name or balancer. Give each server its own name, or balance by source address." };
	case 486:
		return { cause: "quota", text: "This user has reached the quota (486).",
		         hint: "Close other calls and pages. For the operator: if many clients share one user, give each of them credentials of its own, or raise user_quota." };
	case 508:
		return { cause: "no-capacity", text: "The server has no room (508).",
		         hint: "It is draining, or all its relay_ports are in use." };
	case 0:
		return { cause: "browser-refuses", text: `The browser does not accept this server: ${text}`,
		         hint: "Check the URL, the user name and the credential for mistakes." };
	default:
		return { cause: "refused", text: `The server refuses the request (${code}${text ? ` ${text}` : ""}).`,
		         hint: "The server's log has the reason." };
	}
}

function notReached({ text, silentMs }, entry) {
	const say = silentMs ? `No answer within ${Math.round(silentMs / 1000)} s (browsers report this as 701).`
		: `The server was not reached (701${text ? `: ${text.replace(/\.$/, "")}` : ""}).`;

	if (LOOKUP.test(text))
		return { cause: "name-unknown", text: say,
		         hint: `The name ${entry.host} was not found. Check its spelling and the DNS.` };
	if (entry.transport === "udp")
		return { cause: "not-reached", text: say,
		         hint: `This network blocks UDP, or a firewall of the server or its provider blocks UDP ${entry.port}.` };
	const name = /^\[|^[\d.]+$/.test(entry.host) ? "" : `, or the name ${entry.host} was not found`;
	if (entry.transport === "tls")
		return { cause: "not-reached", text: say,
		         hint: `A firewall here or at the server blocks TCP ${entry.port}, or browsers do not accept the certificate${name}.` };
	return { cause: "not-reached", text: say,
	         hint: `This network or a firewall of the server blocks TCP ${entry.port}${name}.` };
}

/* ---- rows: {id, level, title, text, hint, cause} ---- */

const row = (id, level, title, text = "", hint = "", cause = "") =>
	({ id, level, title, text, hint, cause });

function browserRow({ browser: b, host }) {
	if (!b.webrtc)
		return row("browser", "bad", "No WebRTC in this browser",
			"A setting, an extension or a policy has turned it off.",
			"Try another browser, or turn off extensions.");
	if (!host)
		return row("browser", "running", "This device");
	if (host.refused || !host.count)
		return row("browser", "warn", "The browser hides all addresses of this device",
			host.refused ?? "The cause is a setting, an extension, a policy or a proxy, or there is no network.",
			"Calls then need the relay.");
	const addresses = host.addresses.length ? host.addresses.join(", ")
		: `${host.count} network ${host.count === 1 ? "address" : "addresses"}, hidden: ` +
		  "browsers show local addresses only after you have allowed the camera";
	return row("browser", b.secure ? "ok" : "warn", "This browser can make calls", `${addresses}.`,
		b.secure ? "" : "This page came over http. Browsers allow camera and microphone only on https pages.");
}

function signalingRow({ signaling: s }) {
	if (!s)
		return row("signaling", "running", "Signaling");
	if (s.ok)
		return row("signaling", "ok", "Signaling works",
			`${s.scheme.toUpperCase()} to ${s.host}, round trip ${s.rttMs} ms.`);
	return row("signaling", "bad", "Signaling does not work",
		`The page loaded, but the WebSocket (${s.scheme}://${s.host}/ws) failed: ${s.why}.`,
		"A proxy between this device and the server does not pass WebSockets. Try https. For the operator: docs/reverse-proxy.md has the settings for proxies.");
}

const REFUSED = {
	"api-token-needed": ["The relay needs an API token or a link", "This browser has neither.",
		"Enter a token on this page, or open it as …/check#key=TOKEN, or ask the operator for a link (turnpike link)."],
	"api-token-refused": ["The server refuses the API token", "It is wrong or expired, or it has not the scope issue.",
		"Enter another one, or leave the field empty to be a guest. For the operator: turnpike token list shows the tokens."],
	"rate-limited": ["Too many requests for credentials", "", "Wait a minute and check again."],
};

function serversRow({ servers: s }) {
	if (!s)
		return row("servers", "running", "ICE servers");
	if (s.refused) {
		const [title, text, hint] = REFUSED[s.refused] ??
			["The server offers no ICE servers", `${s.message ?? s.refused}.`, "The server's log has the reason."];

		return row("servers", s.refused === "api-token-needed" ? "warn" : "bad", title, text, hint,
			s.refused);
	}
	const title = s.source === "own" ? "Your own ICE servers" : "ICE servers and credentials received";
	return row("servers", s.urls.length ? "ok" : "bad", title, s.urls.join(" · ") || "The list is empty.");
}

function stunRow({ stun, nat }) {
	const listed = stun.filter((s) => !s.guessed);
	const good = stun.find((s) => s.answered);

	if (!nat)
		return row("stun", "running", "STUN over UDP");
	if (!listed.length && !good)
		return row("stun", "none", "STUN over UDP", "The list has no STUN server.");
	if (!good) {
		const e = explain(listed[0].error, listed[0]);

		return row("stun", "bad", "No answer over UDP", e.text, e.hint, e.cause);
	}
	const seen = good.natless ? `${good.url} answers.`
		: `From outside, this device is seen at ${good.addresses.join(" and ")} (${good.url}, ${good.ms} ms).`;
	const silent = listed.filter((s) => !s.answered).map((s) => s.url);

	if (silent.length)
		return row("stun", "warn", "UDP gets through, but not to all STUN servers", seen,
			`No answer from ${silent.join(", ")}: the address is wrong, the server is down, or a firewall blocks it.`, "not-reached");
	return row("stun", "ok", "UDP gets through", seen);
}

function natRow({ stun, nat }) {
	const hosts = new Set(stun.filter((s) => s.answered).map((s) => s.host));

	if (!nat)
		return row("nat", "running", "NAT");
	switch (nat.kind) {
	case "blocked":
		return row("nat", "none", "NAT", "This cannot be tested without UDP.");
	case "none":
		return row("nat", "ok", "No NAT", "This device has a public address.");
	case "same":
		return row("nat", "ok", "The same outside port for all destinations",
			`There is no NAT, or one with endpoint-independent mapping${hosts.size > 1 ? "" : ", as far as one server shows"}. In most cases others can send here directly.`);
	case "changes":
		return row("nat", "warn", "The NAT is symmetric",
			"It uses another outside port for each destination, which nobody can predict.",
			"Direct calls work only to users whose own NAT is less strict. All others need the relay.");
	default:
		return row("nat", "none", "NAT",
			`One STUN server (${stun.find((s) => s.answered)?.url}) cannot show whether the outside port changes.`);
	}
}

function echoText(e) {
	const rate = e.kbps >= 1000 ? `${(e.kbps / 1000).toFixed(1)} Mbit/s` : `${e.kbps} kbit/s`;
	const loss = e.sent ? ` ${e.lossPercent} % of ${e.sent} packets lost at ${rate}.` : "";

	return `Round trip through two allocations: ${e.rttMs} ms (± ${e.jitterMs}).${loss}`;
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
		return row(id, "running", title, `${got} Sending test packets…`);
	if (!carries(r))
		return row(id, "bad", title, `${got} But no packet that is sent through it arrives.`, LOST,
			"relayed-packets-lost");
	if (r.echo.lossPercent > 5)
		return row(id, "warn", title, `${got} ${echoText(r.echo)}`,
			"Many packets are lost, so video will freeze. The line is slow or busy, or the server limits the bandwidth (session_bandwidth).");
	return row(id, "ok", title, `${got} ${echoText(r.echo)}`);
}

function outsideRow({ outside: o }) {
	const title = "Relay ports from outside";

	if (!o)
		return row("outside", "running", title);
	if (o.skipped)
		return row("outside", "none", title, o.skipped);
	if (o.ok)
		return row("outside", "ok", title, `UDP packets from here reach the relayed address (${o.ms} ms).`);
	if (o.from !== null)
		return row("outside", "bad", title,
			`UDP packets from here to the relayed address (${o.address}) get no answer. The relay's own packets come from ${o.from || "another address"}.`,
			NOT_ITS_OWN, "relayed-address-wrong");
	return row("outside", "bad", title,
		`UDP packets from here do not reach the relayed address (${o.address}).`,
		`${LOST} If other networks do not have this problem, this network allows UDP to few ports only.`,
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

// The working relay that a call would take.
function bestRelay(relays) {
	return ["udp", "tcp", "tls"].map((t) => relays.find((r) => r.transport === t && carries(r)))
		.find(Boolean);
}

function withoutIt({ kind }) {
	if (kind === "blocked")
		return "Without the relay no call works from here.";
	return kind === "changes" ? "Behind this symmetric NAT few calls work without the relay."
	                          : "Calls that find a direct way still work.";
}

function withoutRelay(f) {
	const tried = f.relays.filter((r) => r.error);
	const first = tried.find((r) => r.error.code !== 701) ?? tried[0];
	const { cause, text, hint } = first ? explain(first.error, first) : {};
	const direct = withoutIt(f.nat);

	if (!tried.length)
		return say(f.nat.kind === "blocked" ? "bad" : "warn", "no-relay",
			"No relay is offered", `The list has no TURN server that browsers can use. ${direct}`);
	if (cause === "not-reached" && tried.every((r) => r.error.code === 701))
		return say("bad", "relay-not-reached", "The relay cannot be reached",
			`None of its ${tried.length} URLs can be reached from this network. ${direct}`);
	return say("bad", `relay-${cause}`, `The relay cannot be used: ${text.replace(/\.$/, "")}`, `${hint} ${direct}`);
}

function throughRelay(f, best) {
	const by = `over ${WAY[best.transport]}`;

	if (f.outside && !f.outside.skipped && !f.outside.ok && f.outside.from !== null)
		return say("warn", "relayed-address-wrong",
			"The relay tells clients an address that is not its own",
			`Many calls in which only one side uses the relay fail. ${NOT_ITS_OWN}`);
	if (f.outside && !f.outside.skipped && !f.outside.ok)
		return say("warn", "relay-ports-closed",
			"The relay works only if both sides of a call use it",
			`Packets from outside do not reach a relayed address. ${LOST}`);
	if (best.transport !== "udp" && f.nat.kind === "blocked")
		return say("warn", "udp-blocked",
			`UDP is blocked here: calls go through the relay ${by}, port ${best.port}`,
			"Calls work, with more delay if packets are lost. You need not change anything on this device.");
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
			"A setting, an extension or a policy has turned off WebRTC.");
	if (f.servers.refused) {
		const [title, text, hint] = REFUSED[f.servers.refused] ??
			["The server offers no ICE servers", `${f.servers.message ?? f.servers.refused}.`, ""];

		return say(f.servers.refused === "api-token-needed" ? "warn" : "bad", f.servers.refused,
			title, [text, hint].filter(Boolean).join(" "));
	}
	if (!f.signaling.ok && f.servers.source !== "own")
		return say("bad", "signaling-lost", "Signaling does not get through: no call can begin",
			"The page loads, but WebSockets fail: a proxy between this device and the server blocks them.");
	if (!f.servers.urls.length)
		return say("bad", "no-servers", "There is no ICE server to check", "The list is empty.");
	const best = bestRelay(f.relays);

	if (best)
		return throughRelay(f, best);
	if (!f.relays.some((r) => r.relay))
		return withoutRelay(f);
	if (f.outside?.ok)
		return say("warn", "relay-one-legged",
			"The relay does not work if both sides of a call use it",
			"Packets from outside reach a relayed address, but packets from one relayed address to another do not: the server's host cannot reach its own public address.");
	return say("bad", "relayed-packets-lost", "The relay can be reached, but it carries no packets",
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

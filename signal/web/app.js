// SPDX-License-Identifier: BSD-3-Clause
//
// The page around turnpike.js.

import { Call, IceServers, Signaling } from "./turnpike.js";

const RING_MS = 45000;
const ENDED_KEPT = 32;
const $ = (id) => document.getElementById(id);
const params = new URLSearchParams(location.search);
const relayOnly = params.get("relay") === "1";
const hub = new Signaling(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`,
                          { room: params.get("room"), ticket: readTicketFromHash() });

let call = null; // the Call, while there is one
let inviting = false; // between the click and the call
let ringing = null; // {offer, candidates, timer} of an incoming call
let crossing = null; // {offer, candidates} of the one we are inviting, who was faster
let statsTimer = 0;
const endedCalls = []; // ids: what is still under way for them is late

/* ---- API token, ticket and settings ---- */

// A ticket is for one visit: it is not remembered.
function readTicketFromHash() {
	return new URLSearchParams(location.hash.slice(1)).get("ticket");
}

const settings = {
	get: (k) => { try { return localStorage.getItem(`turnpike.${k}`); } catch { return null; } },
	set: (k, v) => { try { localStorage.setItem(`turnpike.${k}`, v); } catch { /* private mode */ } },
};

function readKeyFromHash() {
	const key = new URLSearchParams(location.hash.slice(1)).get("key");
	if (key)
		settings.set("key", key);
	if (key || readTicketFromHash()) {
		history.replaceState(null, "", location.pathname + location.search);
	}
}

/* ---- small helpers ---- */

const LINK_TEXT = { connecting: "connecting", open: "signing in", "signed-in": "online", closed: "offline" };
const CALL_TEXT = { idle: "no call", calling: "calling", ringing: "incoming call", connecting: "connecting",
                    connected: "connected", reconnecting: "reconnecting" };

function notice(text, askForKey = false, offerCheck = askForKey) {
	$("notice-text").textContent = text;
	$("key-form").hidden = !askForKey;
	$("notice-check").hidden = !offerCheck;
	$("notice").hidden = false;
}

function clearNotice() {
	$("notice").hidden = true;
}

function paintAvatar(element, name) {
	let hash = 0;
	for (const c of name)
		hash = (hash * 31 + c.codePointAt(0)) >>> 0;
	element.className = element.className.replace(/ ?hue-\d/, "") + ` hue-${hash % 8}`;
	element.textContent = [...name][0] ?? "?";
}

function setCallState(state, peer = "") {
	const text = peer && state !== "idle" ? `${CALL_TEXT[state]}: ${peer}` : CALL_TEXT[state];

	$("call-state").dataset.state = state;
	$("call-state").textContent = text;
	$("stage").dataset.call = state === "idle" || state === "ringing" ? "idle" : state;
	$("hangup-button").disabled = !call && !inviting;
	document.title = state === "idle" ? "Turnpike" : `${text} · Turnpike`;
	showUsers(hub.users);
}

/* ---- people ---- */

function showUsers(users) {
	const busy = call !== null || inviting || ringing !== null;
	const items = users.map((name) => {
		const li = document.createElement("li");
		const own = name === hub.name;
		const row = document.createElement(own ? "div" : "button");
		const avatar = document.createElement("span");
		const who = document.createElement("span");

		avatar.className = "avatar";
		avatar.setAttribute("aria-hidden", "true");
		paintAvatar(avatar, name);
		who.className = "who";
		who.textContent = own ? `${name} (you)` : name;
		row.append(avatar, who);
		if (hub.people.get(name)?.proven) {
			const proven = document.createElement("span");

			proven.className = "proven";
			proven.title = "A ticket proves this name";
			proven.textContent = "✓";
			proven.setAttribute("role", "img");
			proven.setAttribute("aria-label", "proven");
			row.append(proven);
		}
		if (own) {
			row.className = "self";
		} else {
			const label = document.createElement("span");

			label.className = "do";
			label.textContent = "Call";
			row.append(label);
			row.type = "button";
			row.dataset.name = name;
			row.disabled = busy;
			row.addEventListener("click", () => invite(name));
		}
		li.append(row);
		return li;
	});
	const others = users.filter((n) => n !== hub.name).length;

	$("users").replaceChildren(...items);
	$("people-count").textContent = users.length ? `· ${users.length}` : "";
	$("alone").hidden = others > 0 || hub.state !== "signed-in";
}

/* ---- chat ---- */

function addLine(name, text, date) {
	const p = document.createElement("p");
	const who = document.createElement("span");
	const time = document.createElement("time");
	const when = new Date(Number.isFinite(date) ? date : Date.now());
	const atEnd = $("chat").scrollHeight - $("chat").scrollTop - $("chat").clientHeight < 60;

	p.classList.toggle("own", name === hub.name);
	p.classList.toggle("operator", name === ""); // nobody else can have no name
	who.className = "who";
	who.textContent = name === "" ? "From the operator:" : name;
	time.textContent = when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
	p.append(who, text, time);
	$("chat").append(p);
	while ($("chat").childElementCount > 500)
		$("chat").firstElementChild.remove();
	if (atEnd || name === hub.name)
		p.scrollIntoView({ block: "end" });
}

$("chat-form").addEventListener("submit", (e) => {
	e.preventDefault();
	const text = $("chat-input").value.trim();
	if (text && hub.say(text))
		$("chat-input").value = "";
});

/* ---- camera and microphone ---- */

function explainMediaError(e) {
	switch (e.name) {
	case "NotFoundError":
		notice("The call cannot start: no camera or microphone was found.");
		break;
	case "SecurityError":
	case "PermissionDeniedError":
	case "NotAllowedError":
		break; // as if the user had cancelled the call
	default:
		notice(`The camera or microphone cannot be used: ${e.message}`);
	}
}

async function openMedia() {
	if (!navigator.mediaDevices?.getUserMedia)
		throw new Error("open this page over https.");
	const wishes = [{ audio: true, video: true }, { audio: true }, { video: true }];
	for (const wish of wishes) {
		try {
			return await navigator.mediaDevices.getUserMedia(wish);
		} catch (e) {
			// One of the two may be missing.
			if (e.name !== "NotFoundError" || wish === wishes.at(-1))
				throw e;
		}
	}
}

// The servers, right before each call, which then renews their credential in time.
async function fetchIceServers() {
	const servers = new IceServers(() => hub.iceServers(settings.get("key")));

	try {
		await servers.renew();
	} catch (e) {
		if (e.code === "api-token-needed")
			notice("The relay needs an API token, or a link that this browser has opened. " +
			       "This call will try to connect without the relay.", true);
		else
			notice(`No relay for this call: ${e.message}`, false, true);
	}
	return servers;
}

/* ---- calls ---- */

function refuse(offer, reason) {
	const message = { name: hub.name, target: offer.name, type: "hang-up", reason };
	if (offer.call)
		message.call = offer.call;
	hub.send(message);
}

function startCall(peer, options) {
	call = new Call(hub, peer, { iceTransportPolicy: relayOnly ? "relay" : "all", ...options });
	const mine = call;

	$("failed-check").hidden = true;
	$("local_video").srcObject = options.stream;
	$("stage").dataset.video = "no";
	paintAvatar($("avatar"), peer);
	$("mic-button").disabled = !options.stream.getAudioTracks().length;
	$("camera-button").disabled = !options.stream.getVideoTracks().length;
	mine.addEventListener("state", ({ detail }) => {
		if (detail !== "ended")
			setCallState(detail, peer);
		$("placeholder-text").textContent =
			detail === "calling" ? `Calling ${peer}…` : `Connecting to ${peer}…`;
	});
	mine.addEventListener("track", ({ detail }) => showRemote(detail));
	mine.addEventListener("log", ({ detail }) => console.info(`[call ${peer}] ${detail}`));
	mine.addEventListener("ended", ({ detail }) => closeCall(mine, detail));
	statsTimer = setInterval(showRoute, 1000);
	return mine;
}

function showRemote(stream) {
	const video = $("received_video");

	if (video.srcObject !== stream)
		video.srcObject = stream;
	video.play().catch(() => {
		// No sound without a click, in some browsers.
		document.addEventListener("click", () => video.play().catch(() => {}), { once: true });
	});
}

$("received_video").addEventListener("resize", () => {
	$("stage").dataset.video = $("received_video").videoWidth ? "yes" : "no";
});

function closeCall(which, reason) {
	if (which !== call)
		return;
	if (call.id) {
		endedCalls.push(call.id);
		endedCalls.splice(0, endedCalls.length - ENDED_KEPT);
	}
	call = null;
	clearInterval(statsTimer);
	for (const id of ["received_video", "local_video"]) {
		$(id).pause();
		$(id).srcObject = null;
	}
	for (const id of ["mic-button", "camera-button"]) {
		$(id).disabled = true;
		$(id).setAttribute("aria-pressed", "false");
	}
	$("stage").dataset.video = "no";
	$("route").hidden = true;
	$("route").dataset.route = "";
	delete $("route").dataset.rtt;
	$("failed-check").hidden = !/connection/.test(reason ?? "");
	$("placeholder-text").textContent = reason ? `${reason} Click a name to call.`
	                                           : "Click a name to call.";
	setCallState("idle");
}

async function invite(name) {
	if (call || inviting || ringing) {
		notice("You are in a call already. End it first.");
		return;
	}
	if (name === hub.name) {
		notice("You cannot call yourself.");
		return;
	}
	clearNotice();
	inviting = name;
	setCallState("calling", name);
	let stream = null;
	try {
		stream = await openMedia();
		const iceServers = await fetchIceServers();

		if (inviting !== name) { // given up, or another call came in meanwhile
			stream.getTracks().forEach((t) => t.stop());
			return;
		}
		inviting = false;
		if (crossing) { // they have called us meanwhile
			const { offer, candidates } = crossing;

			crossing = null;
			startCall(name, { stream, iceServers, offer }).accept(candidates);
		} else {
			startCall(name, { stream, iceServers }).start();
		}
	} catch (e) {
		stream?.getTracks().forEach((t) => t.stop());
		dropCrossing("failed");
		if (inviting !== name && (inviting || ringing || call))
			return; // given up meanwhile for another call
		inviting = false;
		explainMediaError(e);
		setCallState("idle");
	}
}

$("hangup-button").addEventListener("click", () => {
	if (call) {
		call.end("");
	} else if (inviting) {
		inviting = false;
		dropCrossing("declined");
		setCallState("idle");
	}
});

function toggle(button, kind) {
	const off = button.getAttribute("aria-pressed") !== "true";

	call?.stream.getTracks().filter((t) => t.kind === kind).forEach((t) => { t.enabled = !off; });
	button.setAttribute("aria-pressed", String(off));
}
$("mic-button").addEventListener("click", () => toggle($("mic-button"), "audio"));
$("camera-button").addEventListener("click", () => toggle($("camera-button"), "video"));

async function showRoute() {
	const mine = call;
	const r = await mine?.route().catch(() => null);

	if (!r || mine !== call)
		return;
	const by = r.protocol ? ` over ${r.protocol.toUpperCase()}` : " on the other side";
	const text = r.route === "relay" ? `relayed${by}` : "direct";

	$("route").hidden = false;
	$("route").dataset.route = r.route === "relay" ? `relay-${r.protocol ?? "remote"}` : "direct";
	if (r.rttMs !== null)
		$("route").dataset.rtt = r.rttMs;
	$("route").textContent = r.rttMs === null ? text : `${text} · ${r.rttMs} ms`;
	$("route").title = `${r.local} to ${r.remote}`;
}

/* ---- ringing ---- */

function dropCrossing(reason) {
	if (crossing)
		refuse(crossing.offer, reason);
	crossing = null;
}

function ring(offer) {
	ringing = { offer, candidates: [], timer: setTimeout(() => decline("no-answer"), RING_MS) };
	$("ringing-text").textContent = `${offer.name} is calling. Do you want to answer?`;
	paintAvatar($("ringing-avatar"), offer.name);
	setCallState("ringing", offer.name);
	$("ringing").showModal();
	$("answer").focus();
}

function stopRinging() {
	const was = ringing;

	clearTimeout(was.timer);
	ringing = null;
	$("ringing").close();
	return was;
}

function decline(reason) {
	if (!ringing)
		return;
	refuse(stopRinging().offer, reason);
	setCallState("idle");
}

async function answer() {
	if (!ringing)
		return;
	const { offer, candidates } = ringing;
	let stream = null;

	clearTimeout(ringing.timer);
	clearNotice();
	$("ringing").close();
	setCallState("connecting", offer.name);
	try {
		stream = await openMedia();
		const iceServers = await fetchIceServers();

		if (ringing?.offer !== offer) { // the caller has given up meanwhile
			stream.getTracks().forEach((t) => t.stop());
			return;
		}
		ringing = null;
		startCall(offer.name, { stream, iceServers, offer }).accept(candidates);
	} catch (e) {
		stream?.getTracks().forEach((t) => t.stop());
		if (ringing?.offer !== offer)
			return;
		ringing = null;
		refuse(offer, "failed");
		explainMediaError(e);
		setCallState("idle");
	}
}

$("answer").addEventListener("click", answer);
$("decline").addEventListener("click", () => decline("declined"));
$("ringing").addEventListener("cancel", (e) => {
	e.preventDefault();
	decline("declined");
});

// A message of a call, from its peer; the hub vouches for m.name.
function onSignal(m) {
	if (ringing && m.name === ringing.offer.name) {
		onSignalWhileRinging(m);
	} else if (call && m.name === call.peer) {
		onSignalInCall(m);
	} else if (m.type === "video-offer") {
		if (endedCalls.includes(m.call) || call || ringing || (inviting && inviting !== m.name))
			refuse(m, endedCalls.includes(m.call) ? "cancelled" : "busy");
		else if (inviting)
			crossing = { offer: m, candidates: [] }; // both want this call: no question
		else
			ring(m);
	} else if (crossing && m.name === crossing.offer.name) {
		if (m.type === "new-ice-candidate")
			crossing.candidates.push(m);
		else if (m.type === "hang-up")
			crossing = null;
	}
}

function onSignalWhileRinging(m) {
	switch (m.type) {
	case "new-ice-candidate":
		ringing.candidates.push(m);
		break;
	case "video-offer": // they started over
		ringing.offer.sdp = m.sdp;
		ringing.offer.call = m.call;
		ringing.candidates.length = 0;
		break;
	case "renamed":
		ringing.offer.name = m.to;
		$("ringing-text").textContent = `${m.to} is calling. Do you want to answer?`;
		break;
	case "hang-up":
		notice(m.reason === "taken" ? "You have taken the call on another device."
		                            : `You missed a call from ${m.name}.`);
		stopRinging();
		setCallState("idle");
		break;
	}
}

function onSignalInCall(m) {
	if (m.call && call.id && m.call !== call.id) {
		if (m.type !== "video-offer")
			return; // of an earlier call
		if (call.state === "calling") {
			// Both called at once. Both ends compare the same two names.
			if (hub.name < m.name)
				call.giveWay(m);
			return;
		} else {
			// The peer has started anew: its page was loaded again.
			closeCallQuietly();
			onSignal(m);
			return;
		}
	}
	call.receive(m);
}

function closeCallQuietly() {
	call.receive({ type: "hang-up" });
}

/* ---- the hub ---- */

// Why a WebSocket is refused, no browser tells its page; the path itself does.
async function explainRefusal() {
	try {
		const answer = await fetch("/ws");
		if (answer.status === 421)
			notice((await answer.json()).error.message);
	} catch { /* it does not answer at all: the state says so */ }
}

let wasIn = false;
hub.addEventListener("state", ({ detail }) => {
	wasIn ||= detail === "signed-in";
	if (detail === "closed" && !wasIn)
		explainRefusal();
	$("link-state").dataset.state = detail;
	$("link-state").textContent = LINK_TEXT[detail];
	for (const id of ["chat-input", "chat-send"])
		$(id).disabled = detail !== "signed-in" || !hub.may.includes("chat");
});
// The hub says which calls it knows us in.
hub.addEventListener("signed-in", ({ detail }) => {
	const known = (name) => detail.calls?.find((c) => c.name === name);

	if (ringing && detail.calls && !known(ringing.offer.name)) {
		notice(`You missed a call from ${ringing.offer.name}.`);
		stopRinging();
	}
	if (call && detail.calls && !known(call.peer))
		call.offerAgain();
	if (!detail.reloaded)
		return;
	for (const { name, state, caller } of detail.calls ?? []) {
		if (state === "ringing" && !caller)
			hub.send({ name: hub.name, target: name, type: "ring-again" });
		else
			hub.send({ name: hub.name, target: name, type: "hang-up", reason: "gone" });
	}
});
hub.addEventListener("name", ({ detail }) => {
	$("own-name").textContent = detail;
	document.body.dataset.view = "home";
	if (!ringing && !inviting) // these outlive a change of the connection
		setCallState(call ? call.state : "idle", call?.peer);
	call?.networkChanged();
});
hub.addEventListener("users", ({ detail }) => showUsers(detail));
hub.addEventListener("chat", ({ detail }) => addLine(detail.name, detail.text, detail.date));
hub.addEventListener("signal", ({ detail }) => onSignal(detail));
hub.addEventListener("error", ({ detail }) => {
	const ours = call && detail.target === call.peer;

	if (ours && detail.for === "video-offer" && call.state === "calling")
		call.end(detail.message);
	else if (ours)
		console.info(`[call ${call.peer}] ${detail.for}: ${detail.message}`); // it tries again
	else if (detail.code === "ice-servers-stale")
		console.info(detail.message); // the call sees to it
	else if (detail.for !== "new-ice-candidate" && detail.for !== "hang-up")
		notice(detail.message ?? "The server refused a message.");
	if (detail.code === "bad-name" || detail.for === "username" || hub.state === "closed")
		document.body.dataset.view = "sign-in";
});
addEventListener("online", () => hub.reconnect());
addEventListener("pagehide", () => call?.end(""));

/* ---- sign-in ---- */

function join(name) {
	settings.set("name", name);
	clearNotice();
	hub.signIn(name);
}

$("join-form").addEventListener("submit", (e) => {
	e.preventDefault();
	const name = $("name").value.trim();
	if (name)
		join(name);
});
$("key-form").addEventListener("submit", (e) => {
	e.preventDefault();
	settings.set("key", $("key").value.trim());
	$("key").value = "";
	notice("Your next call will use this token.");
});
$("notice-close").addEventListener("click", clearNotice);

if (readTicketFromHash() && !params.get("name"))
	addEventListener("load", () => hub.signIn("")); // it has the name
readKeyFromHash();
addEventListener("hashchange", readKeyFromHash);
setCallState("idle");
if (!window.isSecureContext) {
	$("insecure").hidden = false;
	$("secure-link").href = `https://${location.host}${location.pathname}${location.search}`;
}
$("name").value ||= params.get("name") ?? settings.get("name") ?? ""; // the user may be typing
$("join").disabled = false;
if (params.get("name"))
	join(params.get("name"));

// SPDX-License-Identifier: BSD-3-Clause
//
// Signaling and calls over a Turnpike hub (and any server that speaks MDN's chat protocol).
// No DOM in here: a page of your own can use both classes.
//
//   const hub = new Signaling("wss://host/ws");
//   hub.addEventListener("users", (e) => show(e.detail));
//   hub.signIn("alice");
//   const call = new Call(hub, "bob", { stream, iceServers });
//   call.addEventListener("track", (e) => (video.srcObject = e.detail));
//   call.start();

const RETRY_MS = [500, 1000, 2000, 4000, 8000, 15000];
const ICE_SERVERS_WAIT_MS = 6000;
const OUTBOX_MAX = 200;

function randomId() {
	const bytes = crypto.getRandomValues(new Uint8Array(16));
	return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

class Emitter extends EventTarget {
	emit(type, detail) {
		this.dispatchEvent(new CustomEvent(type, { detail }));
	}
}

// The connection to the hub. It comes back by itself and claims its name again.
//
// Events: "state" (connecting, open, signed-in, closed), "name" (the one we were given),
// "users" (names), "chat" ({name, text, date}), "signal" (a message of a call), "error" (of the
// server: {code, message, target, for}).
export class Signaling extends Emitter {
	#url;
	#socket = null;
	#replaced = null; // the socket before this one, while both are open
	#wanted = null; // the name the user asked for
	#tries = 0;
	#timer = 0;
	#outbox = []; // messages of a call that waits for the connection
	#iceRequest = null;
	// Proves to the hub that a new connection is the old one: it then takes over its name and
	// its calls at once, instead of after the old one's timeout.
	#resume = randomId();

	id = null;
	name = null;
	users = [];
	state = "closed";

	constructor(url) {
		super();
		this.#url = url;
	}

	signIn(name) {
		this.#wanted = name;
		if (this.state === "open" || this.state === "signed-in")
			this.#claim();
		else if (!this.#socket)
			this.#connect();
	}

	close() {
		this.#wanted = null;
		clearTimeout(this.#timer);
		this.#socket?.close();
	}

	// A message of a call; kept while the connection is away.
	send(message) {
		if (this.state === "signed-in")
			this.#write(message);
		else if (this.#outbox.length < OUTBOX_MAX)
			this.#outbox.push(message);
	}

	forget(callId) {
		this.#outbox = this.#outbox.filter((m) => m.call !== callId);
	}

	say(text) {
		if (this.state !== "signed-in")
			return false;
		this.#write({ text, type: "message", id: this.id, date: Date.now() });
		return true;
	}

	// Resolves to {iceServers, ttl}; rejects with an Error that has the server's code.
	iceServers(key) {
		this.#iceRequest?.reject(new Error("asked again"));
		return new Promise((resolve, reject) => {
			const timer = setTimeout(
				() => reject(new Error("the server did not answer")), ICE_SERVERS_WAIT_MS);
			this.#iceRequest = {
				resolve: (v) => (clearTimeout(timer), resolve(v)),
				reject: (e) => (clearTimeout(timer), reject(e)),
			};
			if (this.state === "signed-in")
				this.#write(key ? { type: "ice-servers", key } : { type: "ice-servers" });
			else
				this.#iceRequest.reject(new Error("not connected"));
		});
	}

	#write(message) {
		this.#socket.send(JSON.stringify(message));
	}

	#enter(state) {
		if (this.state === state)
			return;
		this.state = state;
		this.emit("state", state);
	}

	#connect() {
		this.#enter("connecting");
		const socket = new WebSocket(this.#url, "json");
		this.#socket = socket;
		socket.onmessage = (e) => socket === this.#socket && this.#receive(e.data);
		socket.onclose = (e) => socket === this.#socket && this.#closed(e);
	}

	// A new connection at once: after a change of network the old one may be dead without
	// knowing it.
	reconnect() {
		if (this.#wanted === null || this.state === "connecting")
			return;
		clearTimeout(this.#timer);
		// The old one stays until the new one has taken over: were it closed first, the hub
		// would end our calls.
		this.#replaced ??= this.#socket;
		this.id = null;
		this.#connect();
	}

	#closed(event) {
		this.#socket = null;
		this.id = null;
		this.users = [];
		this.#iceRequest?.reject(new Error("the connection was lost"));
		this.#iceRequest = null;
		this.#enter("closed");
		this.emit("users", []);
		if (this.#wanted === null)
			return;
		const base = RETRY_MS[Math.min(this.#tries++, RETRY_MS.length - 1)];
		const wait = event.code === 1008 ? RETRY_MS.at(-1) : base;
		this.#timer = setTimeout(() => this.#connect(), wait * (0.8 + 0.4 * Math.random()));
	}

	#claim() {
		this.#write({
			name: this.#wanted,
			date: Date.now(),
			id: this.id,
			type: "username",
			resume: this.#resume,
		});
	}

	#receive(text) {
		let m;
		try {
			m = JSON.parse(text);
		} catch {
			return;
		}
		switch (m.type) {
		case "id":
			this.id = m.id;
			this.name = null;
			this.#enter("open");
			if (this.#wanted !== null)
				this.#claim();
			break;
		case "rejectusername":
			this.name = m.name;
			if (this.state === "signed-in") // somebody else's list came in between
				this.emit("name", this.name);
			break;
		case "userlist":
			this.#onUsers(m.users);
			break;
		case "message":
			this.emit("chat", { name: m.name, text: m.text, date: m.date });
			break;
		case "ice-servers":
			this.#iceRequest?.resolve({ iceServers: m.iceServers, ttl: m.ttl });
			this.#iceRequest = null;
			break;
		case "error":
			this.#onError(m);
			break;
		default:
			this.emit("signal", m);
		}
	}

	#onUsers(users) {
		// The first list after our username: the name was accepted as it is, or a
		// rejectusername came before.
		if (this.state === "open") {
			this.name ??= this.#wanted;
			if (users.includes(this.name)) {
				this.#tries = 0;
				this.#enter("signed-in");
				this.#replaced?.close();
				this.#replaced = null;
				this.emit("name", this.name);
				this.#outbox.splice(0).forEach((m) => this.#write(m));
			} else {
				this.name = null; // somebody else's list overtook our claim
			}
		}
		this.users = users;
		this.emit("users", users);
	}

	#onError(m) {
		if (m.for === "ice-servers" && this.#iceRequest) {
			this.#iceRequest.reject(Object.assign(new Error(m.message), { code: m.code }));
			this.#iceRequest = null;
			return;
		}
		if (m.code === "bad-name")
			this.#wanted = null;
		this.emit("error", m);
	}
}

const ANSWER_WAIT_MS = 60000; // for the other end to answer
const FIRST_CONNECTION_MS = 45000;
const LOST_CONNECTION_MS = 90000;
const RESTART_MS = [3000, 4000, 6000, 10000];
const RESTART_PAUSE_MS = 2000; // both ends notice at about the same time: one restart is enough

// One call to one peer: MDN's perfect negotiation, with the callee as the polite end.
//
// Options: stream (ours), iceServers, iceTransportPolicy, offer (the message that rang, for the
// callee), callId.
// Events: "state" (calling, connecting, connected, reconnecting, ended), "track" (their stream),
// "ended" (the reason, a sentence), "log" (a line).
export class Call extends Emitter {
	#hub;
	#pc;
	#polite;
	#makingOffer = false;
	#ignoreOffer = false;
	#settingAnswer = false;
	#chain = Promise.resolve(); // messages are handled one after the other
	#offer;
	#answerTimer = 0;
	#restartTimer = 0;
	#restarts = 0;
	#restartedAt = -Infinity;
	#offers = 0; // the number of our last offer; its answer carries the same
	#downSince = 0;
	#wasConnected = false;

	peer;
	id;
	state = "new";

	constructor(hub, peer, options) {
		super();
		this.#hub = hub;
		this.peer = peer;
		this.#offer = options.offer ?? null;
		this.#polite = this.#offer !== null;
		// MDN's clients have no call ids; ours tell a restart of a call from a new one.
		this.id = options.offer ? (options.offer.call ?? null) : randomId();
		this.stream = options.stream;
		this.#pc = new RTCPeerConnection({
			iceServers: options.iceServers ?? [],
			iceTransportPolicy: options.iceTransportPolicy ?? "all",
		});
		this.#listen();
	}

	get connection() {
		return this.#pc;
	}

	// Offers, as the caller.
	start() {
		this.#enter("calling");
		this.#answerTimer = setTimeout(() => this.end("There was no answer."), ANSWER_WAIT_MS);
		this.#addTracks(); // fires negotiationneeded
	}

	// Answers, as the callee. candidates: those that came while it rang.
	accept(candidates) {
		this.#enter("connecting");
		this.#downSince = performance.now();
		this.#queue(async () => {
			await this.#pc.setRemoteDescription(this.#offer.sdp);
			// Behind the offer: the tracks take the places it made for them, and one
			// exchange is enough.
			this.#addTracks();
			await this.#pc.setLocalDescription();
			this.#sendAnswer(this.#offer);
		});
		candidates.forEach((m) => this.receive(m));
	}

	// A message of the hub that came from our peer.
	receive(m) {
		switch (m.type) {
		case "video-offer":
		case "video-answer":
			this.#queue(() => this.#onDescription(m));
			break;
		case "new-ice-candidate":
			this.#queue(() => this.#onCandidate(m.candidate));
			break;
		case "ice-restart":
			if (!this.#polite)
				this.#restartIce();
			break;
		case "hang-up":
			this.#finish(this.#whyTheyLeft());
			break;
		}
	}

	#whyTheyLeft() {
		switch (this.state) {
		case "calling":
			return `${this.peer} did not take the call.`;
		case "reconnecting": // they, or the hub in their name, have given up
			return "The connection was lost.";
		default:
			return `${this.peer} has hung up.`;
		}
	}

	// Both ends called each other at once: this one takes the other's call, by its id.
	giveWay(callId) {
		this.#polite = true;
		this.#hub.forget(this.id);
		this.id = callId;
	}

	// Hangs up, and says why to our own user.
	end(reason) {
		if (this.state === "ended")
			return;
		this.#hub.forget(this.id);
		this.#send("hang-up", {});
		this.#finish(reason);
	}

	// After the hub came back: the network may be another one.
	networkChanged() {
		if (this.#wasConnected && this.#pc.connectionState !== "connected")
			this.#restart();
	}

	#send(type, fields) {
		const message = { name: this.#hub.name, target: this.peer, type, ...fields };
		if (this.id)
			message.call = this.id;
		this.#hub.send(message);
	}

	#enter(state) {
		if (this.state === state || this.state === "ended")
			return;
		this.state = state;
		this.emit("state", state);
	}

	#queue(step) {
		this.#chain = this.#chain.then(async () => {
			if (this.state === "ended")
				return;
			try {
				await step();
			} catch (e) {
				if (this.state !== "ended")
					this.emit("log", `${e.name}: ${e.message}`);
			}
		});
	}

	#addTracks() {
		for (const track of this.stream?.getTracks() ?? [])
			this.#pc.addTrack(track, this.stream);
		// Without a camera and a microphone we still want to see and hear.
		if (!this.#polite) {
			for (const kind of ["audio", "video"]) {
				if (!this.stream?.getTracks().some((t) => t.kind === kind))
					this.#pc.addTransceiver(kind, { direction: "recvonly" });
			}
		}
	}

	async #negotiate() {
		// The callee's first word is an answer.
		if (this.#polite && !this.#pc.remoteDescription)
			return;
		try {
			this.#makingOffer = true;
			this.#offers++; // what still comes for the one before is late now
			await this.#pc.setLocalDescription();
			this.#sendOffer();
		} catch (e) {
			this.emit("log", `${e.name}: ${e.message}`);
		} finally {
			this.#makingOffer = false;
		}
	}

	#sendOffer() {
		this.#send("video-offer", { sdp: this.#pc.localDescription, offer: this.#offers });
	}

	#sendAnswer(offer) {
		const number = offer.offer === undefined ? {} : { offer: offer.offer };

		this.#send("video-answer", { sdp: this.#pc.localDescription, ...number });
	}

	// An offer that was sent twice is answered twice, and the second answer may come when the
	// next offer is on its way.
	#isLateAnswer(m) {
		return m.sdp.type === "answer" && m.offer !== undefined &&
			(m.offer !== this.#offers || this.#pc.signalingState !== "have-local-offer");
	}

	async #onDescription(m) {
		const description = m.sdp;

		if (this.#isLateAnswer(m))
			return;
		const ready = !this.#makingOffer &&
			(this.#pc.signalingState === "stable" || this.#settingAnswer);
		const collision = description.type === "offer" && !ready;

		this.#ignoreOffer = !this.#polite && collision;
		if (this.#ignoreOffer)
			return;
		this.#settingAnswer = description.type === "answer";
		try {
			await this.#pc.setRemoteDescription(description);
		} finally {
			this.#settingAnswer = false;
		}
		clearTimeout(this.#answerTimer);
		if (this.state === "calling") {
			this.#downSince = performance.now();
			this.#enter("connecting");
		}
		if (description.type === "offer") {
			await this.#pc.setLocalDescription();
			this.#sendAnswer(m);
		}
	}

	async #onCandidate(candidate) {
		try {
			await this.#pc.addIceCandidate(candidate ?? undefined);
		} catch (e) {
			if (!this.#ignoreOffer)
				throw e;
		}
	}

	#listen() {
		const pc = this.#pc;

		pc.onnegotiationneeded = () => this.#negotiate();
		pc.onicecandidate = ({ candidate }) => {
			if (candidate)
				this.#send("new-ice-candidate", { candidate });
		};
		pc.onicecandidateerror = (e) =>
			this.emit("log", `ICE server ${e.url}: ${e.errorCode} ${e.errorText}`);
		pc.ontrack = ({ streams, track }) => {
			const stream = streams[0] ?? new MediaStream([track]);

			// Once the last track is gone, so is the call.
			stream.onremovetrack = () => {
				if (!stream.getTracks().length)
					this.end(`${this.peer} has hung up.`);
			};
			this.emit("track", stream);
		};
		pc.onicegatheringstatechange = () =>
			this.emit("log", `gathering: ${pc.iceGatheringState}`);
		pc.onsignalingstatechange = () => {
			if (pc.signalingState === "closed")
				this.#finish("The call has ended.");
		};
		pc.onconnectionstatechange = () => this.#onConnectionState(pc.connectionState);
	}

	#onConnectionState(state) {
		this.emit("log", `connection: ${state}`);
		switch (state) {
		case "connected":
			clearTimeout(this.#restartTimer);
			this.#wasConnected = true;
			this.#restarts = 0;
			this.#downSince = 0;
			this.#enter("connected");
			break;
		case "disconnected":
			// Often heals by itself: give it a moment.
			this.#goDown(2000);
			break;
		case "failed":
			this.#goDown(0);
			break;
		}
	}

	#goDown(wait) {
		this.#downSince ||= performance.now();
		this.#enter(this.#wasConnected ? "reconnecting" : "connecting");
		clearTimeout(this.#restartTimer);
		this.#restartTimer = setTimeout(() => this.#restart(), wait);
	}

	// Again and again: a restart that meets a server which is down stays dead.
	#restart() {
		const patience = this.#wasConnected ? LOST_CONNECTION_MS : FIRST_CONNECTION_MS;

		clearTimeout(this.#restartTimer);
		if (this.state === "ended" || this.#pc.connectionState === "connected")
			return;
		this.#downSince ||= performance.now();
		if (performance.now() - this.#downSince > patience) {
			this.end(this.#wasConnected ? "The connection was lost."
			                            : "No connection could be made.");
			return;
		}
		this.#restartIce();
		if (this.#restarts === 2)
			this.#hub.reconnect(); // nobody answers: perhaps nobody hears us
		const wait = RESTART_MS[Math.min(this.#restarts++, RESTART_MS.length - 1)];
		this.#restartTimer = setTimeout(() => this.#restart(), wait);
	}

	// Only the caller offers: were both to, the callee would have to take its own offer back, and
	// then Chromium shows no more of the other's picture. (MDN's clients do not know the question.)
	#restartIce() {
		if (this.#polite && this.id) {
			this.emit("log", "asking for an ICE restart");
			this.#send("ice-restart", {});
			return;
		}
		// Nobody answered the last offer: it was lost with the connection that should carry
		// it. It may be stale by now, but only its answer makes room for the next one.
		const unanswered = this.#pc.signalingState === "have-local-offer" && !this.#makingOffer;

		if (!unanswered && performance.now() - this.#restartedAt < RESTART_PAUSE_MS)
			return;
		this.emit("log", "ICE restart");
		this.#restartedAt = performance.now();
		this.#pc.restartIce();
		if (unanswered)
			this.#sendOffer();
	}

	#finish(reason) {
		if (this.state === "ended")
			return;
		const pc = this.#pc;

		clearTimeout(this.#answerTimer);
		clearTimeout(this.#restartTimer);
		for (const name of ["negotiationneeded", "icecandidate", "icecandidateerror", "track",
		                    "icegatheringstatechange", "signalingstatechange",
		                    "connectionstatechange"])
			pc[`on${name}`] = null;
		for (const transceiver of pc.getTransceivers())
			transceiver.stop?.();
		pc.close();
		this.stream?.getTracks().forEach((t) => t.stop());
		this.#enter("ended");
		this.emit("ended", reason);
	}

	// How the media travel: {route, protocol, rttMs}; route is "direct" or "relay", protocol
	// what our relay is reached over (udp, tcp, tls), or null when only they use one.
	// null while there is no connection.
	async route() {
		const stats = await this.#pc.getStats();
		let pair = null;

		for (const s of stats.values()) {
			if (s.type === "transport" && s.selectedCandidatePairId)
				pair = stats.get(s.selectedCandidatePairId);
		}
		// Firefox
		for (const s of stats.values()) {
			if (!pair && s.type === "candidate-pair" && s.state === "succeeded" &&
			    (s.selected || s.nominated))
				pair = s;
		}
		const local = pair && stats.get(pair.localCandidateId);
		const remote = pair && stats.get(pair.remoteCandidateId);

		if (!local || !remote)
			return null;
		const relayed = local.candidateType === "relay" || remote.candidateType === "relay";
		return {
			route: relayed ? "relay" : "direct",
			protocol: local.candidateType === "relay" ? (local.relayProtocol ?? "udp")
			        : relayed ? null : local.protocol,
			local: local.candidateType,
			remote: remote.candidateType,
			rttMs: pair.currentRoundTripTime === undefined
				? null : Math.round(pair.currentRoundTripTime * 1000),
		};
	}
}

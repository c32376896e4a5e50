// SPDX-License-Identifier: BSD-3-Clause
//
// Calls over a Turnpike hub (and any server that speaks MDN's chat protocol). No DOM in here: a
// page of your own can use it, with the modules that it imports beside it.
//
//   const hub = new Signaling("wss://host/ws");
//   hub.addEventListener("users", (e) => show(e.detail));
//   hub.signIn("alice");
//   const call = new Call(hub, "bob", { stream, iceServers: () => hub.iceServers() });
//   call.addEventListener("track", (e) => (video.srcObject = e.detail));
//   call.start();
//
// iceServers is an array, or a function that fetches {iceServers, ttl, strict} whenever the call
// wants new ones: before it begins, well before the ttl (in seconds) is over, and before ICE
// restarts. So a call outlives its credential. strict: true says that the TURN server ends what
// was opened with a credential when that expires (Turnpike: strict_expiry); a call over its relay
// then moves to a new one in time. From a server of your own:
//
//   iceServers: async () => (await fetch("/my/ice-servers")).json()

import { Emitter, randomId } from "./base.js";
import { IceServers } from "./ice.js";
import { Signaling } from "./signaling.js";

export { IceServers, Signaling };

const ANSWER_WAIT_MS = 60000; // for the other end to answer
const FIRST_CONNECTION_MS = 45000;
const LOST_CONNECTION_MS = 90000;
const RESTART_MS = [3000, 4000, 6000, 10000];
const RESTART_PAUSE_MS = 2000; // both ends notice at about the same time: one restart is enough
const MOVE_TRIES = 3; // to another relay,
const MOVE_MS = 5000; // each with so much time
const CLOSE_MS = 10000; // for the last candidates
const REVOKED = "credentials-revoked"; // the hub's code
const STALE = "ice-servers-stale"; // the hub's code

// One call to one peer: MDN's perfect negotiation, with the callee as the polite end.
//
// Options: stream (ours), iceServers (an array, a function, or IceServers that have been fetched),
// iceTransportPolicy, offer (the message that rang, for the callee).
// Events: "state" (calling, connecting, connected, reconnecting, ended), "track" (their stream),
// "ended" (the reason, a sentence), "log" (a line).
export class Call extends Emitter {
	#hub;
	#servers;
	#policy;
	#pc;
	#polite;
	#started = false;
	#offerDue = false; // before the start there was something to offer already
	#makingOffer = false;
	#ignoreOffer = false;
	#settingAnswer = false;
	#chain = Promise.resolve(); // messages are handled one after the other
	#offer;
	#answerTimer = 0;
	#restartTimer = 0;
	#moveTimer = 0;
	#restarts = 0;
	#restartedAt = -Infinity;
	#offers = 0; // the number of our last offer; its answer carries the same
	#downSince = 0;
	#wasConnected = false;

	peer;
	id;
	state = "new";
	endedBy = null; // the code of the hang-up, if it had one

	constructor(hub, peer, options) {
		super();
		this.#hub = hub;
		this.peer = peer;
		this.#offer = options.offer ?? null;
		this.#polite = this.#offer !== null;
		// MDN's clients have no call ids; ours tell a restart of a call from a new one.
		this.id = options.offer ? (options.offer.call ?? null) : randomId();
		this.stream = options.stream;
		this.#servers = options.iceServers instanceof IceServers
			? options.iceServers : new IceServers(options.iceServers);
		this.#policy = options.iceTransportPolicy ?? "all";
		this.#pc = new RTCPeerConnection(this.#configuration());
		this.#listen();
		this.#watchServers();
	}

	get connection() {
		return this.#pc;
	}

	#configuration() {
		return { iceServers: this.#servers.list, iceTransportPolicy: this.#policy };
	}

	// Offers, as the caller.
	async start() {
		this.#enter("calling");
		this.#answerTimer = setTimeout(() => this.end("There was no answer.", "no-answer"), ANSWER_WAIT_MS);
		await this.#servers.freshen();
		if (this.state !== "calling")
			return; // ended, or it gave way
		this.#started = true;
		this.#addTracks(); // fires negotiationneeded, unless a data channel has done so before
		if (this.#offerDue)
			this.#negotiate();
	}

	// Answers, as the callee. candidates: those that came while it rang.
	accept(candidates) {
		this.#enter("connecting");
		this.#downSince = performance.now();
		this.#queue(async () => {
			await this.#servers.freshen();
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
		case "ring-again": // their page was loaded again before they could answer
			if (this.state === "calling" && this.#offers)
				this.#sendOffer();
			break;
		case "renamed":
			this.peer = m.to;
			break;
		case "hang-up":
			this.#finish(this.#whyTheyLeft(m.reason), m.reason);
			break;
		}
	}

	// The hub does not know of this call any more (it was killed): it rings again.
	offerAgain() {
		if (this.state === "calling" && this.#offers)
			this.#sendOffer();
	}

	#whyTheyLeft(reason) {
		switch (reason) {
		case "declined":
			return `${this.peer} has declined.`;
		case "busy":
			return `${this.peer} is busy.`;
		case "no-answer":
			return "There was no answer.";
		case "failed":
			return this.state === "calling" ? `${this.peer} could not take the call.`
			                                : "The connection was lost.";
		case "revoked":
			return `${this.peer}'s access was revoked.`;
		case "gone":
			return this.state === "reconnecting" ? "The connection was lost."
			                                     : `${this.peer} has left.`;
		}
		switch (this.state) {
		case "calling":
			return `${this.peer} did not take the call.`;
		case "reconnecting": // they have given up
			return "The connection was lost.";
		default:
			return `${this.peer} has hung up.`;
		}
	}

	// Both ends called each other at once: this one takes the other's call, whose offer this is.
	// A new connection does: if the old one takes its own offer back, Chromium at times finds
	// no candidates any more.
	giveWay(offer) {
		clearTimeout(this.#answerTimer);
		this.#hub.forget(this.id);
		this.id = offer.call ?? null;
		this.#polite = true;
		this.#offer = offer;
		this.#offers = 0;
		this.#makingOffer = this.#offerDue = false;
		this.#closeConnection();
		this.#pc = new RTCPeerConnection(this.#configuration());
		this.#listen();
		this.accept([]);
	}

	// Hangs up, and says why to our own user. code tells the other end: declined, busy,
	// no-answer, cancelled, failed, revoked, gone.
	end(reason, code) {
		if (this.state === "ended")
			return;
		code ??= this.state === "calling" ? "cancelled" : undefined;
		this.#hub.forget(this.id);
		this.#send("hang-up", code ? { reason: code } : {});
		this.#finish(reason, code);
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
		if (!this.#polite && !this.#started) {
			this.#offerDue = true;
			return;
		}
		const pc = this.#pc;

		try {
			this.#makingOffer = true;
			this.#offers++; // what still comes for the one before is late now
			await pc.setLocalDescription();
			if (pc === this.#pc)
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
			await this.#servers.freshen(); // most likely an ICE restart
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
		pc.onicecandidateerror = (e) => {
			this.emit("log", `ICE server ${e.url}: ${e.errorCode} ${e.errorText}`);
			if (e.errorCode === 401)
				this.#servers.spoil();
		};
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

	#watchServers() {
		const servers = this.#servers;

		servers.addEventListener("change", () => {
			if (this.state === "ended")
				return;
			try {
				this.#pc.setConfiguration(this.#configuration()); // from the next restart on
			} catch (e) {
				this.emit("log", `${e.name}: ${e.message}`);
			}
		});
		servers.addEventListener("renewed", () => {
			if (servers.strict)
				this.#leaveRelay();
		});
		servers.addEventListener("failed", ({ detail }) => {
			this.emit("log", `no new ICE servers: ${detail.message}`);
			if (detail.code === REVOKED && this.#wasConnected)
				this.#onRevoked();
		});
		this.#hub.addEventListener("error", this.#onHubError);
	}

	#onHubError = ({ detail }) => {
		if (detail.code === REVOKED) {
			this.#onRevoked();
		} else if (detail.code === STALE) {
			// One credential was taken back, and the relay that it opened is gone.
			this.#servers.spoil();
			this.#leaveRelay();
		}
	};

	// Our relay was opened with a credential that was taken back. A direct call needs none.
	async #onRevoked() {
		const route = await this.route().catch(() => null);

		if (this.state === "ended" || (route && route.local !== "relay"))
			return;
		this.end("Your access was revoked.", "revoked");
	}

	// The relay that carries the call ends with the old credential: the media move to one that was
	// opened with the new, if possible while the old one still lives.
	async #leaveRelay(tries = MOVE_TRIES, old = null) {
		const route = await this.route().catch(() => null);

		if (this.state !== "connected" || route?.local !== "relay" ||
		    (old !== null && route.localId !== old))
			return;
		this.#restartIce();
		if (tries > 1)
			this.#moveTimer = setTimeout(() => this.#leaveRelay(tries - 1, route.localId), MOVE_MS);
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
			                            : "No connection could be made.", "failed");
			return;
		}
		this.#restartIce();
		if (this.#restarts === 2)
			this.#hub.reconnect(); // no answer: perhaps the server does not hear us
		const wait = RESTART_MS[Math.min(this.#restarts++, RESTART_MS.length - 1)];
		this.#restartTimer = setTimeout(() => this.#restart(), wait);
	}

	// Only the caller offers: were both to, the callee would have to take its own offer back, and
	// then Chromium shows no more of the other's picture. (MDN's clients do not know the question.)
	async #restartIce() {
		if (this.#polite && this.id) {
			this.emit("log", "asking for an ICE restart");
			this.#send("ice-restart", {});
			return;
		}
		if (!this.#isUnanswered() && performance.now() - this.#restartedAt < RESTART_PAUSE_MS)
			return;
		this.emit("log", "ICE restart");
		this.#restartedAt = performance.now();
		await this.#servers.freshen();
		if (this.state === "ended")
			return;
		const unanswered = this.#isUnanswered();

		this.#pc.restartIce();
		if (unanswered)
			this.#sendOffer();
	}

	// The last offer got no answer: it was lost with its connection. It may be stale by now,
	// but only its answer makes room for the next one.
	#isUnanswered() {
		return this.#pc.signalingState === "have-local-offer" && !this.#makingOffer;
	}

	#closeConnection() {
		const pc = this.#pc;

		for (const name of ["negotiationneeded", "icecandidate", "icecandidateerror", "track",
		                    "icegatheringstatechange", "signalingstatechange",
		                    "connectionstatechange"])
			pc[`on${name}`] = null;
		for (const transceiver of pc.getTransceivers())
			transceiver.stop?.();
		// A relay that is being asked for an allocation would keep one that nobody has.
		if (pc.iceGatheringState !== "gathering") {
			pc.close();
			return;
		}
		pc.onicegatheringstatechange = () => pc.close();
		setTimeout(() => pc.close(), CLOSE_MS);
	}

	#finish(reason, code = null) {
		if (this.state === "ended")
			return;
		clearTimeout(this.#answerTimer);
		clearTimeout(this.#restartTimer);
		clearTimeout(this.#moveTimer);
		this.#servers.close();
		this.#hub.removeEventListener("error", this.#onHubError);
		this.#closeConnection();
		this.stream?.getTracks().forEach((t) => t.stop());
		this.#enter("ended");
		this.endedBy = code;
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
			localId: local.id,
			remote: remote.candidateType,
			rttMs: pair.currentRoundTripTime === undefined
				? null : Math.round(pair.currentRoundTripTime * 1000),
		};
	}
}

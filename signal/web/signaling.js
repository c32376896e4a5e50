// SPDX-License-Identifier: BSD-3-Clause
//
// The connection to a Turnpike hub, or to any server that speaks MDN's chat protocol.

import { Emitter } from "./base.js";
import { Session } from "./session.js";

const RETRY_MS = [2000, 2000, 4000, 8000, 15000];
const RETRY_MIN_MS = 100;
const ICE_SERVERS_WAIT_MS = 6000;
const OUTBOX_MAX = 200;
const CONFIRM_EACH = 16; // numbered messages
const CONFIRM_MS = 5000;
// Close codes of the hub after which only the user can say whether to come back.
const FINAL = {
	4001: ["replaced", "You are signed in from another tab or window, which has taken over."],
	4002: ["kicked", "The operator has removed you."],
	4003: ["banned", "The operator has banned you for a while."],
	4004: ["room-closed", "The operator has closed this room."],
	4005: ["ticket-revoked", "Your ticket is not good any more."],
};
// Errors about a username after which the same one has no chance.
const HOPELESS = ["bad-name", "bad-room", "room-full", "too-many-rooms", "room-closed", "bad-ticket",
                  "ticket-needed", "banned", "refused", "not-allowed"];

// The connection to the hub. It comes back by itself, under the same name, and hears what it
// missed meanwhile.
//
// Options: room; ticket (a string, or a function that fetches one); storage (a name, below which
// the tab remembers who it is; null: it does not, then a reload is a stranger) and store (where:
// sessionStorage).
//
// Events: "state" (connecting, open, signed-in, closed), "name" (the one we were given),
// "signed-in" ({name, room, proven, may, resumed, reloaded, missed, lost, calls}; an MDN server gives only
// the name), "users" (names), "chat" ({name, text, date}), "signal" (a message of a call), "error" (of the
// server: {code, message, target, for}).
export class Signaling extends Emitter {
	#url;
	#room;
	#ticket;
	#session;
	#socket = null;
	#replaced = null; // the socket before this one, while both are open
	#wanted = null; // the name the user asked for
	#tries = 0;
	#timer = 0;
	#outbox = []; // messages of a call that waits for the connection
	#sent = []; // messages that the server has not acknowledged
	#iceRequest = null;
	#unconfirmed = 0;
	#confirmTimer = 0;
	#version = -1; // of the list of users

	id = null;
	name = null;
	room = null;
	proven = false;
	may = ["call", "chat", "list"];
	users = [];
	people = new Map(); // name: {name, proven, devices}
	state = "closed";

	constructor(url, { room = null, ticket = null, storage = "turnpike.session",
	                   store = globalThis.sessionStorage } = {}) {
		super();
		this.#url = url;
		this.#room = room;
		this.#ticket = ticket;
		this.#session = new Session(storage, store);
	}

	// name may be "" if a ticket proves it.
	signIn(name) {
		this.#wanted = name;
		if (this.state === "open" || this.state === "signed-in")
			this.#claim();
		else if (!this.#socket)
			this.#connect();
	}

	// For good: others see at once that we have left.
	close() {
		this.#wanted = null;
		clearTimeout(this.#timer);
		this.#session.forget();
		this.#socket?.close(1000);
	}

	// A message of a call; kept while the connection is away.
	send(message) {
		if (this.state === "signed-in")
			this.#writeKept(message);
		else if (this.#outbox.length < OUTBOX_MAX)
			this.#outbox.push(message);
	}

	forget(callId) {
		const other = (m) => m.call !== callId;

		this.#outbox = this.#outbox.filter(other);
		this.#sent = this.#sent.filter(other);
	}

	say(text) {
		if (this.state !== "signed-in")
			return false;
		this.#writeKept({ text, type: "message", id: this.id, date: Date.now() });
		return true;
	}

	// Resolves to {iceServers, ttl, strict}; rejects with an Error that has the server's code.
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

	// What the server has not acknowledged is sent again over the next connection.
	#writeKept(message) {
		if (this.#session.counts) {
			message = { ...message, ack: this.#session.nextAck() };
			this.#sent.push(message);
			this.#sent.splice(0, this.#sent.length - OUTBOX_MAX);
		}
		this.#write(message);
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
		// The old one stays until the new one has taken over.
		this.#replaced ??= this.#socket;
		this.id = null;
		this.#connect();
	}

	#closed(event) {
		this.#socket = null;
		this.id = null;
		this.users = [];
		this.#version = -1;
		this.#iceRequest?.reject(new Error("the connection was lost"));
		this.#iceRequest = null;
		this.#enter("closed");
		this.emit("users", []);
		if (this.#wanted === null)
			return;
		if (FINAL[event.code]) {
			const [code, message] = FINAL[event.code];

			this.#wanted = null;
			this.#session.forget();
			this.emit("error", { code, message });
			return;
		}
		// Thousands lose a server that restarts at the same moment: they come back spread out.
		const most = event.code === 1008 ? RETRY_MS.at(-1)
		                                 : RETRY_MS[Math.min(this.#tries, RETRY_MS.length - 1)];

		this.#tries++;
		this.#timer = setTimeout(() => this.#connect(),
		                         RETRY_MIN_MS + (most - RETRY_MIN_MS) * Math.random());
	}

	async #claim() {
		const socket = this.#socket;
		const session = await this.#session.open();
		let ticket;

		try {
			ticket = typeof this.#ticket === "function" ? await this.#ticket() : this.#ticket;
		} catch (e) {
			this.emit("error", { code: "bad-ticket", message: `No ticket: ${e.message}`, for: "username" });
			return;
		}
		if (socket !== this.#socket || this.#wanted === null)
			return;
		const message = {
			name: this.#wanted,
			date: Date.now(),
			id: this.id,
			type: "username",
			presence: "delta",
			...session,
		};
		if (this.#room)
			message.room = this.#room;
		if (ticket)
			message.ticket = ticket;
		this.#write(message);
	}

	#receive(text) {
		let m;

		if (this.#wanted === null)
			return; // we have left
		try {
			m = JSON.parse(text);
		} catch {
			return;
		}
		if (m.seq !== undefined && this.state === "signed-in" && !this.#isNew(m.seq))
			return;
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
			if (this.state === "signed-in") // a list for another member came in between
				this.emit("name", this.name);
			break;
		case "signed-in":
			this.#onSignedIn(m);
			break;
		case "userlist":
			this.#onUsers(m.users);
			break;
		case "presence":
			this.#onPresence(m);
			break;
		case "ack":
			this.#sent = this.#sent.filter((sent) => sent.ack !== m.ack);
			break;
		case "message":
			this.emit("chat", { name: m.name, text: m.text, date: m.date });
			break;
		case "ice-servers":
			this.#iceRequest?.resolve({ iceServers: m.iceServers, ttl: m.ttl, strict: m.strict });
			this.#iceRequest = null;
			break;
		case "error":
			this.#onError(m);
			break;
		default:
			this.emit("signal", m);
		}
	}

	// Numbered messages come once; what we have is confirmed now and then.
	#isNew(seq) {
		if (seq <= this.#session.seen)
			return false;
		this.#session.saw(seq);
		if (++this.#unconfirmed >= CONFIRM_EACH)
			this.#confirm();
		else
			this.#confirmTimer ||= setTimeout(() => this.#confirm(), CONFIRM_MS);
		return true;
	}

	#confirm() {
		clearTimeout(this.#confirmTimer);
		this.#confirmTimer = 0;
		this.#unconfirmed = 0;
		if (this.state === "signed-in")
			this.#write({ type: "seen", seq: this.#session.seen });
	}

	#onSignedIn(m) {
		const reloaded = this.#session.reloaded;

		this.name = m.name;
		this.room = m.room;
		this.proven = m.proven;
		this.may = m.may;
		this.#session.signedIn(m.resumed);
		if (!m.resumed)
			this.#sent = []; // an answer to them can come no more
		this.#isIn();
		this.emit("signed-in", { ...m, reloaded });
		// The server says the last that it has taken of us.
		for (const sent of this.#sent.filter((sent) => sent.ack > (m.last ?? Infinity)))
			this.#write(sent);
	}

	#isIn() {
		if (this.state === "signed-in") {
			this.emit("name", this.name); // another one than before
			return;
		}
		this.#tries = 0;
		this.#enter("signed-in");
		this.#replaced?.close();
		this.#replaced = null;
		this.emit("name", this.name);
		this.#outbox.splice(0).forEach((m) => this.#writeKept(m));
	}

	#onUsers(users) {
		// MDN's server. The first list after our username: the name was accepted as it is, or a
		// rejectusername came before.
		if (this.state === "open") {
			this.name ??= this.#wanted;
			if (users.includes(this.name)) {
				this.#isIn();
				this.emit("signed-in", { name: this.name });
			} else {
				this.name = null; // a list for another member overtook our claim
			}
		}
		this.people = new Map(users.map((name) => [name, { name }]));
		this.#tellUsers();
	}

	// The whole list, or what has changed since the version before.
	#onPresence(m) {
		if (m.users) {
			this.people = new Map(m.users.map((u) => [u.name, u]));
		} else if (m.from !== this.#version) {
			this.#write({ type: "presence" });
			return;
		} else {
			for (const name of m.left ?? [])
				this.people.delete(name);
			for (const [from, to] of m.renamed ?? []) {
				this.people.set(to, { ...this.people.get(from), name: to });
				this.people.delete(from);
			}
			for (const u of m.joined ?? [])
				this.people.set(u.name, u);
		}
		this.#version = m.version;
		this.#tellUsers();
	}

	#tellUsers() {
		this.users = [...this.people.keys()];
		this.emit("users", this.users);
	}

	#onError(m) {
		this.#sent = this.#sent.filter((sent) => m.ack === undefined || sent.ack !== m.ack);
		if (m.for === "ice-servers" && this.#iceRequest) {
			this.#iceRequest.reject(Object.assign(new Error(m.message), { code: m.code }));
			this.#iceRequest = null;
			return;
		}
		if (m.code === "bad-name" || (m.for === "username" && HOPELESS.includes(m.code)))
			this.#wanted = null;
		this.emit("error", m);
	}
}

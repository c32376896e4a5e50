// SPDX-License-Identifier: BSD-3-Clause
//
// The connection to a Turnpike hub, or to any server that speaks MDN's chat protocol.

const RETRY_MS = [500, 1000, 2000, 4000, 8000, 15000];
const ICE_SERVERS_WAIT_MS = 6000;
const OUTBOX_MAX = 200;

export function randomId() {
	const bytes = crypto.getRandomValues(new Uint8Array(16));
	return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

export class Emitter extends EventTarget {
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
			if (this.state === "signed-in") // a list for another member came in between
				this.emit("name", this.name);
			break;
		case "userlist":
			this.#onUsers(m.users);
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
				this.name = null; // a list for another member overtook our claim
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

// SPDX-License-Identifier: BSD-3-Clause
//
// The page's library against the server, over real WebSockets, without a browser: sign-in, rooms, delivery,
// coming back, tickets, a restart. Each message of either side must fit docs/signaling.schema.json.
// usage: NODE_PATH=/usr/share/nodejs node library.mjs TURNPIKE WEB_DIR SCHEMA
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [program, webDir, schemaFile] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const WS = require("ws");
const Ajv = require("ajv");
const WAIT_MS = 20000;

const dir = mkdtempSync(join(tmpdir(), "library-"));
const ajv = new Ajv({ allErrors: true });
const schema = JSON.parse(readFileSync(schemaFile));
ajv.addSchema(schema, "signaling");
const fits = {
	client: ajv.compile({ $ref: "signaling#/definitions/client" }),
	server: ajv.compile({ $ref: "signaling#/definitions/server" }),
};
const seen = { client: new Set(), server: new Set() };

function check(from, text) {
	const m = JSON.parse(text);

	seen[from].add(m.type);
	if (!fits[from](m)) {
		const why = ajv.errorsText(fits[from].errors.filter((e) => e.keyword !== "const")).slice(0, 600);
		throw new Error(`this message of the ${from} does not fit the schema: ${text}\n${why}`);
	}
}

let fault = null;
const dead = new Set(); // URLs of tabs that have crashed
class CheckedSocket extends WS {
	constructor(url, protocol) {
		super(dead.has(url) ? "ws://127.0.0.1:1" : url, protocol);
		this.wanted = url;
		CheckedSocket.all.add(this);
		this.on("message", (data) => this.#try("server", String(data)));
		this.on("error", () => {});
	}

	send(text) {
		if (!JSON.parse(text).wrong) // on purpose
			this.#try("client", text);
		super.send(text);
	}

	#try(from, text) {
		try { check(from, text); } catch (e) { fault ??= e; }
	}

	static all = new Set();
}
globalThis.WebSocket = CheckedSocket;
const channels = [];
globalThis.BroadcastChannel = class extends BroadcastChannel {
	constructor(name) {
		super(name);
		channels.push(this);
	}
};

class Storage {
	#kept = new Map();
	getItem(k) { return this.#kept.get(k) ?? null; }
	setItem(k, v) { this.#kept.set(k, String(v)); }
	removeItem(k) { this.#kept.delete(k); }
	copy() { const s = new Storage(); s.#kept = new Map(this.#kept); return s; }
}
cpSync(webDir, join(dir, "web"), { recursive: true });
writeFileSync(join(dir, "web", "package.json"), '{"type":"module"}');
const { Signaling } = await import(join(dir, "web", "signaling.js"));

/* ---- the server ---- */

const port = await new Promise((resolve) => {
	const s = createServer().listen(0, "127.0.0.1", () => {
		const { port } = s.address();

		s.close(() => resolve(port));
	});
});
let server = null;

async function start(...more) {
	server = spawn(program, ["serve", "--data", join(dir, "data"), "--listen", `127.0.0.1:${port}`,
	                         "--workers", "1", ...more],
	               { stdio: ["ignore", "pipe", "pipe"] });
	server.exited = new Promise((resolve) => server.on("exit", (code, signal) => resolve(code ?? signal)));
	for (const pipe of [server.stdout, server.stderr])
		pipe.on("data", (d) => { log += d; });
	const deadline = Date.now() + WAIT_MS;

	for (;;) {
		const ok = await fetch(`http://127.0.0.1:${port}/healthz`).then((r) => r.ok, () => false);

		if (ok)
			return;
		if (Date.now() > deadline)
			throw new Error(`the server does not start: ${log}`);
		await new Promise((r) => setTimeout(r, 50));
	}
}
let log = "";

async function stop(signal = "SIGTERM") {
	server.kill(signal);
	return server.exited;
}

const verb = (...args) =>
	execFileSync(program, ["--data", join(dir, "data"), ...args], { encoding: "utf8" });

/* ---- clients ---- */

class Tab {
	heard = [];
	constructor(name, options = {}, storage = new Storage()) {
		const path = options.path ?? "/ws";

		this.storage = storage;
		this.url = `ws://127.0.0.1:${port}${path}${path.includes("?") ? "&" : "?"}tab=${++Tab.count}`;
		this.hub = new Signaling(this.url, { store: storage, ...options });
		for (const type of ["state", "name", "signed-in", "chat", "signal", "error"])
			this.hub.addEventListener(type, ({ detail }) => this.heard.push({ type, detail }));
		this.name = name;
	}
	static count = 0;

	async join() {
		const from = channels.length;

		this.hub.signIn(this.name);
		await this.until(() => this.hub.state === "signed-in", "to be signed in");
		this.channels = channels.slice(from);
		return this;
	}

	// The tab is gone, without a word.
	crash() {
		dead.add(this.url);
		this.channels.forEach((c) => c.close());
		for (const s of CheckedSocket.all) {
			if (s.wanted === this.url)
				s.terminate();
		}
	}

	async until(test, what) {
		const deadline = Date.now() + WAIT_MS;

		while (!test()) {
			if (fault)
				throw fault;
			if (Date.now() > deadline)
				throw new Error(`${this.name} waits for ever ${what}; heard ${JSON.stringify(this.heard)}\n${log}`);
			await new Promise((r) => setTimeout(r, 10));
		}
	}

	async hear(type, like, what = `to hear ${type} ${JSON.stringify(like)}`) {
		const fit = (h) => h.type === type &&
			Object.entries(like).every(([k, v]) => JSON.stringify(h.detail?.[k]) === JSON.stringify(v));

		await this.until(() => this.heard.some(fit), what);
		return this.heard.find(fit).detail;
	}

	deaf(type, like) {
		const fit = (h) => h.type === type &&
			Object.entries(like).every(([k, v]) => JSON.stringify(h.detail?.[k]) === JSON.stringify(v));

		assert.equal(this.heard.filter(fit).length, 0, `${this.name} must not hear ${JSON.stringify(like)}`);
	}
}

// Cuts every connection as a network would.
function cut() {
	for (const s of CheckedSocket.all)
		s.terminate();
	CheckedSocket.all.clear();
}

/* ---- what is tested ---- */

const sdp = (type) => ({ type, sdp: "v=0\r\n" });
const tests = {
	async "list and chat stay in the room"() {
		const alice = await new Tab("alice", { room: "red" }).join();
		const bob = await new Tab("bob", { path: "/ws/red" }).join();
		const eve = await new Tab("eve", { path: "/ws?room=blue" }).join();

		await alice.until(() => alice.hub.users.length === 2, "for bob in the list");
		assert.deepEqual(alice.hub.users, ["alice", "bob"]);
		assert.deepEqual(eve.hub.users, ["eve"]);
		bob.hub.say("hello");
		await alice.hear("chat", { name: "bob", text: "hello" });
		await bob.hear("chat", { name: "bob", text: "hello" });
		eve.deaf("chat", {});
		eve.hub.send({ type: "video-offer", target: "alice", sdp: sdp("offer") });
		await eve.hear("error", { code: "unknown-target", for: "video-offer", target: "alice" });
		return [alice, bob, eve];
	},

	async "what was missed comes once and in order"() {
		const alice = await new Tab("alice", { room: "missed" }).join();
		const bob = await new Tab("bob", { room: "missed" }).join();
		let n = 0;

		bob.hub.send({ type: "note", target: "alice", n: n++ });
		await alice.hear("signal", { n: 0 });
		cut();
		// Both are away; each sends into the gap.
		for (; n < 20; n++)
			bob.hub.send({ type: "note", target: "alice", n });
		await alice.hear("signed-in", { resumed: true });
		await bob.hear("signed-in", { resumed: true });
		await alice.hear("signal", { n: 19 });
		const got = alice.heard.filter((h) => h.type === "signal").map((h) => h.detail.n);
		assert.deepEqual(got, [...Array(20).keys()]);
		return [alice, bob];
	},

	async "a reload comes back under its name, a duplicated tab does not fight"() {
		const alice = await new Tab("alice", { room: "reload" }).join();
		const bob = await new Tab("bob", { room: "reload" }).join();
		const twin = await new Tab("alice", { room: "reload" },
		                           alice.storage.copy()).join();

		assert.equal(twin.hub.name, "alice1");
		assert.equal(alice.hub.state, "signed-in");
		bob.hub.send({ type: "video-offer", target: "alice", sdp: sdp("offer"), call: "c1" });
		await alice.hear("signal", { type: "video-offer", name: "bob" });
		await alice.until(() => JSON.parse(alice.storage.getItem("turnpike.session")).seen > 0, "to have counted");
		alice.crash();
		const again = await new Tab("alice", { room: "reload" }, alice.storage).join();

		assert.equal(again.hub.name, "alice");
		const told = await again.hear("signed-in", { resumed: true, reloaded: true });
		assert.deepEqual(told.calls, [{ name: "bob", state: "ringing", caller: false }]);
		return [again, bob, twin];
	},

	async "a restart loses neither names nor messages nor calls"() {
		const alice = await new Tab("alice", { room: "restart" }).join();
		const bob = await new Tab("bob", { room: "restart" }).join();

		bob.hub.send({ type: "video-offer", target: "alice", sdp: sdp("offer"), call: "c2" });
		await alice.hear("signal", { type: "video-offer" });
		await stop();
		bob.hub.send({ type: "note", target: "alice", n: 1 });
		await start();
		await alice.hear("signed-in", { resumed: true });
		await bob.hear("signed-in", { resumed: true });
		await alice.hear("signal", { n: 1 });
		alice.hub.send({ type: "video-answer", target: "bob", sdp: sdp("answer") });
		await bob.hear("signal", { type: "video-answer", name: "alice" });
		return [alice, bob];
	},

	async "after a kill names are claimed anew"() {
		const alice = await new Tab("alice", { room: "kill" }).join();

		await stop("SIGKILL");
		await start();
		await alice.hear("signed-in", { resumed: false, name: "alice" });
		await alice.until(() => alice.heard.filter((h) => h.type === "signed-in").length === 2, "to be back");
		return [alice];
	},

	async "each message is acknowledged or refused, once"() {
		const alice = await new Tab("alice", { room: "acks" }).join();
		const bob = await new Tab("bob", { room: "acks" }).join();

		for (const target of [["bob"], 7, { a: 1 }, true])
			alice.hub.send({ type: "note", target, n: 1, wrong: true });
		await alice.until(() => alice.heard.filter((h) => h.detail?.code === "bad-target").length === 4,
		                  "for four refusals");
		bob.deaf("signal", { n: 1 });
		alice.hub.send({ type: "note", target: "nobody" });
		await alice.hear("error", { code: "unknown-target" });
		await alice.until(() => alice.hub.users.length === 2, "for bob in the list");
		bob.hub.close();
		await alice.until(() => alice.hub.users.length === 1, "for bob to be gone");
		alice.hub.send({ type: "note", target: "bob" });
		await alice.until(() => alice.heard.filter((h) => h.detail?.code === "unknown-target").length === 2,
		                  "for the refusal");
		return [alice];
	},

	async "the operator has no name"() {
		const alice = await new Tab("alice", { room: "told" }).join();

		verb("send", "--room", "told", "We close.");
		await alice.hear("chat", { name: "", text: "We close." });
		return [alice];
	},

	async "a ticket proves the name"() {
		const guest = await new Tab("ann", { room: "proven" }).join();
		const ticket = verb("ticket", "ann", "--room", "proven").trim();
		const ann = await new Tab("", { path: "/ws", ticket: () => Promise.resolve(ticket) }).join();

		assert.equal(ann.hub.name, "ann");
		assert.equal(ann.hub.room, "proven");
		assert.equal(ann.hub.proven, true);
		await guest.until(() => guest.hub.name !== "ann", "to lose the name");
		await guest.until(() => guest.hub.people.get("ann")?.proven, "to see that it is proven");
		const phone = await new Tab("", { room: "proven", ticket }).join();

		assert.equal(phone.hub.name, "ann");
		guest.hub.send({ type: "video-offer", target: "ann", sdp: sdp("offer"), call: "c3" });
		await ann.hear("signal", { type: "video-offer" });
		await phone.hear("signal", { type: "video-offer" });
		phone.hub.send({ type: "video-answer", target: guest.hub.name, sdp: sdp("answer") });
		await ann.hear("signal", { type: "hang-up", reason: "taken" });
		await guest.hear("signal", { type: "video-answer", name: "ann" });
		const bad = new Tab("bad", { room: "proven", ticket: `${ticket}x` });

		bad.hub.signIn("bad");
		await bad.hear("error", { code: "bad-ticket" });
		const other = new Tab("", { room: "other", ticket });

		other.hub.signIn("");
		await other.until(() => other.heard.some((h) => /bad-(ticket|room)/.test(h.detail?.code)), "to be refused");
		return [guest, ann, phone, bad, other];
	},
};

let failed = 0;
try {
	await start();
	for (const [name, test] of Object.entries(tests)) {
		try {
			const tabs = await test();

			for (const tab of tabs)
				tab.hub.close();
			if (fault)
				throw fault;
			console.log(`ok    ${name}`);
		} catch (e) {
			failed++;
			console.log(`FAIL  ${name}: ${e.stack}`);
			fault = null;
			cut();
		}
	}
	const ended = await stop();

	if (ended !== 0) {
		failed++;
		console.log(`FAIL  the server ended with ${ended}: ${log}`);
	}
} finally {
	server?.kill("SIGKILL");
	rmSync(dir, { recursive: true, force: true });
}
console.log(`types of clients: ${[...seen.client].sort()}\ntypes of the server: ${[...seen.server].sort()}`);
process.exit(failed ? 1 : 0);

// SPDX-License-Identifier: BSD-3-Clause
//
// Who this tab is to the hub: a secret that proves that a new connection is the old one, and the
// number of the last message that it has seen. The tab's sessionStorage (or another Storage) keeps both,
// so that a reload or a crash is not the end.

import { randomId } from "./base.js";

const DUPLICATE_WAIT_MS = 150;

export class Session {
	#storage; // the name in the store, or null
	#store;
	#state = null; // {resume, seen, acks}
	#channel = null;
	#opened = null;

	reloaded = false; // the page has lost what it knew of its calls
	counts = false; // the server numbers and acknowledges messages

	constructor(storage, store) {
		this.#storage = storage;
		this.#store = store;
	}

	get seen() {
		return this.#state?.seen ?? 0;
	}

	// Resolves to what a username says of it.
	async open() {
		await (this.#opened ??= this.#load());
		const said = { resume: this.#state.resume, seen: this.#state.seen };

		return this.reloaded ? { ...said, reloaded: true } : said;
	}

	saw(seq) {
		this.#state.seen = seq;
		this.#keep();
	}

	nextAck() {
		this.#state.acks++;
		this.#keep();
		return this.#state.acks;
	}

	// The server knows us from now on. Not resumed: it begins to count anew.
	signedIn(resumed) {
		this.counts = true;
		this.reloaded = false;
		if (!resumed)
			this.#state.seen = 0;
		this.#keep();
	}

	forget() {
		this.#channel?.close();
		this.#channel = null;
		this.#opened = null;
		this.#state = null;
		try { this.#store.removeItem(this.#storage); } catch { /* there is none */ }
	}

	async #load() {
		this.#state = this.#read();
		if (this.#state && await this.#isTaken(this.#state.resume))
			this.#state = null; // a browser copies the storage into a duplicated tab
		this.reloaded = this.#state !== null;
		this.#state ??= { resume: randomId(), seen: 0, acks: 0 };
		this.#guard();
		this.#keep();
	}

	#read() {
		try {
			const kept = JSON.parse(this.#store.getItem(this.#storage));

			return typeof kept?.resume === "string" && Number.isInteger(kept.seen) &&
			       Number.isInteger(kept.acks) ? kept : null;
		} catch {
			return null;
		}
	}

	#keep() {
		if (this.#storage === null)
			return;
		try { this.#store.setItem(this.#storage, JSON.stringify(this.#state)); } catch { /* full */ }
	}

	// Another tab of this site has the same secret.
	async #isTaken(resume) {
		if (typeof BroadcastChannel === "undefined")
			return false;
		const channel = new BroadcastChannel("turnpike.session");
		const taken = await new Promise((resolve) => {
			channel.onmessage = ({ data }) => data.mine === resume && resolve(true);
			setTimeout(() => resolve(false), DUPLICATE_WAIT_MS);
			channel.postMessage({ whose: resume });
		});

		channel.close();
		return taken;
	}

	#guard() {
		if (typeof BroadcastChannel === "undefined" || this.#storage === null)
			return;
		this.#channel = new BroadcastChannel("turnpike.session");
		this.#channel.onmessage = ({ data }) => {
			if (data.whose !== undefined && data.whose === this.#state?.resume)
				this.#channel.postMessage({ mine: data.whose });
		};
	}
}

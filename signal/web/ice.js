// SPDX-License-Identifier: BSD-3-Clause
//
// The ICE servers of a call. Their credential is good for a limited time: it is renewed before
// that is over.

import { Emitter } from "./base.js";

const RENEW_AT = 0.6; // of its life; the rest is for tries that fail
const RENEW_SPREAD = 0.15; // and up to so much later: not all calls at once
const YOUNG = 0.3; // of its life: until then there is nothing to gain by another one
const RETRY_MS = [1000, 2000, 4000, 8000, 15000, 30000, 60000];
const ANSWER_MS = 10000; // of the source
const PAUSE_MS = 2000; // after a refusal
const WAIT_MS = 3000; // an ICE restart waits no longer for a new one
const TIMER_MAX_MS = 0x7fffffff; // of setTimeout()

function within(ms, promise) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error("no ICE servers came in time")), ms);
	});

	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// source: an array, which stays as it is, or a function that fetches {iceServers, ttl, strict}
// (or an array); ttl in seconds.
//
// Events: "change" (there are new ones), "renewed" (so it is because of the old ones' age),
// "failed" (the Error of a renewal; the next try comes by itself).
export class IceServers extends Emitter {
	#fetch = null;
	#asking = null; // the promise of a request under way
	#timer = 0;
	#tries = 0;
	#staleAt = 0; // Date.now(): a credential ages while the machine sleeps
	#closed = false;

	list = [];
	strict = false;

	constructor(source = []) {
		super();
		if (typeof source === "function")
			this.#fetch = source;
		else
			this.list = source;
	}

	// Asks for new ones. Rejects as the source does, and keeps what it has.
	renew() {
		if (!this.#fetch)
			return Promise.resolve();
		this.#asking ??= this.#ask().catch((e) => {
			this.#staleAt = Date.now() + PAUSE_MS;
			throw e;
		}).finally(() => { this.#asking = null; });
		return this.#asking;
	}

	// ICE is about to use them, so they should last: asks for new ones, unless they are young.
	// Never rejects.
	async freshen() {
		if (!this.#fetch || this.#closed || Date.now() < this.#staleAt)
			return;
		await within(WAIT_MS, this.renew()).catch((e) => this.emit("failed", e));
	}

	// A server has refused them.
	spoil() {
		this.#staleAt = 0;
	}

	close() {
		this.#closed = true;
		clearTimeout(this.#timer);
	}

	async #ask() {
		const got = await within(ANSWER_MS, this.#fetch());
		const lifeMs = (got.ttl ?? 0) * 1000;

		if (this.#closed)
			return;
		this.list = got.iceServers ?? got;
		this.strict = got.strict === true;
		this.#tries = 0;
		this.#staleAt = Date.now() + lifeMs * YOUNG;
		clearTimeout(this.#timer);
		if (lifeMs > 0)
			this.#wait(lifeMs * (RENEW_AT + RENEW_SPREAD * Math.random()));
		this.emit("change");
	}

	#wait(ms) {
		this.#timer = setTimeout(() => this.#renewAged(), Math.min(ms, TIMER_MAX_MS));
	}

	async #renewAged() {
		try {
			await this.renew();
			if (!this.#closed)
				this.emit("renewed");
		} catch (e) {
			if (this.#closed)
				return;
			const base = RETRY_MS[Math.min(this.#tries++, RETRY_MS.length - 1)];

			this.#wait(base * (0.8 + 0.4 * Math.random()));
			this.emit("failed", e);
		}
	}
}

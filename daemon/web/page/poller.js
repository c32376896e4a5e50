// SPDX-License-Identifier: BSD-3-Clause
//
// Has a view ask the server again and again: only while the page is seen, one
// question at a time, and more slowly while nobody answers.

import { Away, Refused } from "./api.js";

const SLOWEST_MS = 30000;

// on: {away(error, nextMs), back(), refused(error)}; refused() says whether to go on.
export class Poller {
	#on;
	#task = null;
	#periodMs = 0;
	#timer = 0;
	#failures = 0;
	#running = false;
	#again = false;

	constructor(on) {
		this.#on = on;
		document.addEventListener("visibilitychange", () => this.now());
		addEventListener("online", () => this.now());
	}

	// periodMs 0: once. task null: nothing any more.
	set(task, periodMs) {
		this.#task = task;
		this.#periodMs = periodMs;
		return this.now();
	}

	async now() {
		clearTimeout(this.#timer);
		if (!this.#task || document.hidden)
			return;
		if (this.#running) {
			this.#again = true;
			return;
		}
		const task = this.#task;

		this.#running = true;
		const goOn = await this.#try(task);
		this.#running = false;
		if (this.#again || this.#task !== task) {
			this.#again = false;
			this.now();
		} else if (goOn) {
			this.#plan();
		}
	}

	async #try(task) {
		try {
			await task();
		} catch (e) {
			if (task !== this.#task)
				return false; // of a view that is gone
			if (e instanceof Refused && e.status < 500)
				return this.#on.refused(e);
			if (!(e instanceof Refused || e instanceof Away))
				reportError(e); // our own mistake
			this.#failures++;
			this.#on.away(e, this.#waitMs());
			return true;
		}
		if (this.#failures) {
			this.#failures = 0;
			this.#on.back();
		}
		return true;
	}

	#waitMs() {
		return this.#failures ? Math.min(1000 * 2 ** (this.#failures - 1), SLOWEST_MS) : this.#periodMs;
	}

	#plan() {
		if (this.#waitMs())
			this.#timer = setTimeout(() => this.now(), this.#waitMs());
	}
}

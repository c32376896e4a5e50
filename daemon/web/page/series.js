// SPDX-License-Identifier: BSD-3-Clause
//
// Samples over time, as they come from the verb "samples": columns, the oldest
// first. Asked for piece by piece.

import { unixTime } from "./text.js";

export class Series {
	constructor(stepS, spanS) {
		this.stepS = stepS;
		this.spanS = spanS;
		this.clear();
	}

	clear() {
		this.at = [];
		this.columns = {};
	}

	get last() {
		return this.at.at(-1) ?? 0;
	}

	// Adds what is later than what there is, forgets what is out of the span.
	take({ at: times, ...answer }, now) {
		const at = times.map(unixTime);
		const from = at.findIndex((t) => t > this.last);
		const columns = Object.entries(answer).filter(([, v]) => Array.isArray(v));

		if (from >= 0) {
			this.at.push(...at.slice(from));
			for (const [name, values] of columns)
				(this.columns[name] ??= []).push(...values.slice(from));
		}
		this.#forget(now - this.spanS);
	}

	#forget(before) {
		let n = this.at.findIndex((t) => t >= before);

		if (n < 0)
			n = this.at.length;
		// The server's clock was set back: what lies before belongs to another time.
		for (let i = n + 1; i < this.at.length; i++)
			if (this.at[i] <= this.at[i - 1])
				n = i;
		if (!n)
			return;
		this.at.splice(0, n);
		for (const values of Object.values(this.columns))
			values.splice(0, n);
	}

	// The sample nearest to a time; -1 when there is none.
	nearest(t) {
		let low = 0, high = this.at.length - 1;

		while (low < high) {
			const middle = (low + high) >> 1;

			if (this.at[middle] < t)
				low = middle + 1;
			else
				high = middle;
		}
		return low > 0 && t - this.at[low - 1] < this.at[low] - t ? low - 1 : high < 0 ? -1 : low;
	}

	// [from, to) of the stretches without a gap.
	stretches() {
		const out = [];
		let from = 0;

		for (let i = 1; i <= this.at.length; i++) {
			if (i === this.at.length || this.at[i] - this.at[i - 1] > 2.5 * this.stepS) {
				out.push([from, i]);
				from = i;
			}
		}
		return out;
	}
}

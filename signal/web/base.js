// SPDX-License-Identifier: BSD-3-Clause
//
// What the modules share.

export function randomId() {
	const bytes = crypto.getRandomValues(new Uint8Array(16));
	return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

export class Emitter extends EventTarget {
	emit(type, detail) {
		this.dispatchEvent(new CustomEvent(type, { detail }));
	}
}

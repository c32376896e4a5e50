// SPDX-License-Identifier: BSD-3-Clause
//
// How the server is: numbers of now, and lines over time.

import { look } from "./api.js";
import { Chart } from "./chart.js";
import { $, el, hashOf, setText } from "./dom.js";
import { Series } from "./series.js";
import { bitRate, bytes, count, dateTime, duration, unixTime } from "./text.js";

const RANGES = {
	minutes: { label: "10 minutes", stepS: 1, spanS: 600, everyS: 1 },
	day: { label: "A day", stepS: 60, spanS: 86400, everyS: 15 },
};

const TILES = [
	["to-peers", "To peers", (s) => bitRate(s.to_peer_bytes_per_s), (s) => `${bytes(s.to_peer_bytes)} since the start`],
	["to-clients", "To clients", (s) => bitRate(s.to_client_bytes_per_s), (s) => `${bytes(s.to_client_bytes)} since the start`],
	["allocations", "Allocations", (s) => count(s.allocations), (s) => `${count(s.allocations_made)} made`],
	["calls", "Calls", (s) => count(s.signal_calls), (s) => `${count(s.signal_connections)} signaling connections`],
	["uptime", "Up for", (s) => duration(s.uptime_s), (s) => `since ${dateTime(s.started_at)}`],
	["version", "Version", (s) => s.version, (s) => `${s.workers} ${s.workers === 1 ? "worker" : "workers"}, realm ${s.realm}`],
];

function makeTiles() {
	const tiles = TILES.map(([id, label, main, more]) => {
		const value = el("dd", { id: `tile-${id}` }), note = el("dd", { class: "note" });

		return { element: el("div", { class: "tile" }, el("dt", {}, label), value, note),
		         show: (s) => { setText(value, main(s)); setText(note, more(s)); } };
	});

	return { element: el("dl", { class: "tiles" }, ...tiles.map((t) => t.element)),
	         show: (s) => tiles.forEach((t) => t.show(s)) };
}

export function showDraining(draining) {
	$("draining").hidden = !draining;
}

// One range at a time: its series, and when it was last asked for.
function makeRange(name) {
	const range = RANGES[name];
	let series = new Series(range.stepS, range.spanS), startedAt = 0, askedAt = 0;

	return async ({ started_at, uptime_s }) => {
		const now = unixTime(started_at) + uptime_s;

		// A new server, or its clock was set back.
		if (started_at !== startedAt || now < series.last - 2) {
			series = new Series(range.stepS, range.spanS);
			askedAt = 0;
		}
		if (!askedAt || now - askedAt >= range.everyS || now < askedAt) {
			series.take(await look("samples", { step: range.stepS, since: series.last ? new Date(series.last * 1000).toISOString() : null }), now);
			startedAt = started_at;
			askedAt = now;
		}
		return { series, now };
	};
}

export function overview(root, { params, refresh }) {
	const tiles = makeTiles();
	let range;
	const charts = [
		new Chart("Bandwidth", [{ column: "to_peer_bytes_per_s", label: "to peers" },
		                        { column: "to_client_bytes_per_s", label: "to clients" }],
		          { format: bitRate, scale: 8 }),
		new Chart("Allocations", [{ column: "allocations", label: "allocations" },
		                          { column: "calls", label: "calls" }],
		          { format: count, whole: true }),
	];
	const choice = el("div", { class: "segments", role: "group", "aria-label": "Time span" },
		...Object.entries(RANGES).map(([key, { label }]) =>
			el("button", { class: "small", data: { range: key }, click: () => {
				choose(key);
				history.replaceState(null, "", hashOf("overview", { range: key }));
				refresh();
			} }, label)));

	function choose(name) {
		range = makeRange(name);
		for (const b of choice.children)
			b.setAttribute("aria-pressed", String(b.dataset.range === name));
	}
	choose(Object.hasOwn(RANGES, params.range) ? params.range : "minutes");
	root.append(tiles.element, el("section", { class: "panel charts" },
		el("div", { class: "head" }, el("h2", {}, "Over time"), choice), ...charts.map((c) => c.element)));
	return {
		periodMs: 1000,
		async refresh() {
			const status = await look("status");

			tiles.show(status);
			showDraining(status.draining);
			const { series, now } = await range(status);

			charts.forEach((c) => c.show(series, now));
		},
		close: () => charts.forEach((c) => c.resizes.disconnect()),
	};
}

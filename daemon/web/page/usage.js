// Each user's relayed traffic per day.

import { look } from "./api.js";
import { el, field, form, linkTo, nameOf, setText } from "./dom.js";
import { Table } from "./table.js";
import { bytes, count, duration } from "./text.js";

const SHOWN = 500;
const PAGE = 1000, PAGES = 5;
const DAYS = 31; // where no day is named

const dayAgo = (n) => new Date(Date.now() - n * 86400000).toISOString().slice(0, 10);

// {usage, next}: of so many pages at most.
async function lookAll(args) {
	let all = [], next = "";

	for (let i = 0; i < PAGES && next !== null; i++) {
		const page = await look("usage", { ...args, limit: PAGE, after: next });

		all = all.concat(page.usage);
		next = page.next;
	}
	return { usage: all, next };
}

export function usage(root, ctx) {
	const { user = "", from = "", to = "" } = ctx.params;
	const more = el("p", { class: "hint" }), sum = el("p", { class: "hint" });
	const table = new Table("usage", { label: "Usage", key: (u) => `${u.day} ${u.user}`,
		empty: "Nothing was relayed in this period.", columns: [
			{ head: "Day (UTC)", text: (u) => u.day },
			{ head: "User", class: "wide", make: (u) => linkTo("usage", { user: u.user, from, to }, nameOf(u.user)) },
			{ head: "Sessions", number: true, text: (u) => count(u.sessions) },
			{ head: "Idle", number: true, text: (u) => count(u.idle_allocations) },
			{ head: "Relayed for", number: true, text: (u) => duration(u.relayed_s) },
			{ head: "Allocated for", number: true, text: (u) => duration(u.allocated_s) },
			{ head: "To peers", number: true, text: (u) => bytes(u.to_peer_bytes) },
			{ head: "To clients", number: true, text: (u) => bytes(u.to_client_bytes) },
		] });

	root.append(el("section", { class: "panel" }, el("h2", {}, "Usage"),
		form({ class: "row", id: "usage-form" }, (v) => ctx.go("usage", v),
			field({ label: "User", name: "user", value: user, type: "search", placeholder: "all" }),
			field({ label: "From", name: "from", value: from, type: "date" }),
			field({ label: "To", name: "to", value: to, type: "date" }),
			el("button", { class: "small" }, "Show")),
		sum, table.element, more));
	return {
		periodMs: 10000,
		async refresh() {
			const told = await lookAll({ user, from: from || (to ? "" : dayAgo(DAYS)), to }), rows = told.usage.toReversed();
			const total = (name) => rows.reduce((n, u) => n + u[name], 0);

			table.show(rows.slice(0, SHOWN));
			setText(sum, rows.length ? `${from || to ? "In this period" : `In the last ${DAYS} days`}: ` +
				`${count(total("sessions"))} sessions, ${duration(total("relayed_s"))} relayed, ` +
				`${bytes(total("to_peer_bytes"))} to peers, ${bytes(total("to_client_bytes"))} to clients.` : "");
			more.hidden = rows.length <= SHOWN && !told.next;
			setText(more, `The latest ${SHOWN} of ${told.next ? "more than " : ""}${count(rows.length)} rows: ` +
				"choose a user or a shorter period.");
		},
	};
}

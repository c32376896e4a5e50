// The story of a session, a user or a call: the verdict and the timeline of the verb "explain".

import { look } from "./api.js";
import { callColumns } from "./calls.js";
import { el, linkTo, nameOf, panel, setText } from "./dom.js";
import { Table } from "./table.js";
import { bytes, clock, dateTime, unixTime, visible } from "./text.js";

const sessionColumns = [
	{ head: "Session", make: (s) => s.id ? linkTo("story", { session: s.id }, s.id) : "refused" },
	{ head: "User", class: "wide", make: (s) => linkTo("story", { user: s.user }, nameOf(s.user)) },
	{ head: "Client", text: (s) => s.client },
	{ head: "Transport", text: (s) => s.transport },
	{ head: "Begun", text: (s) => dateTime(s.begun_at) },
	{ head: "To peers", number: true, text: (s) => bytes(s.to_peer_bytes) },
	{ head: "To client", number: true, text: (s) => bytes(s.to_client_bytes) },
	{ head: "State", text: (s) => s.live ? "live" : s.close_reason ? `closed: ${s.close_reason}` : "refused" },
];

const eventColumns = [
	{ head: "Time", text: (e) => clock(e.at) },
	{ head: "By", text: (e) => e.source },
	{ head: "Of", text: (e) => e.of },
	{ head: "What", class: "what", text: (e) =>
		visible(e.text) + (e.last_at ? ` (${e.count} times, last at ${clock(e.last_at)})` : "") },
];

// The times are reckoned back from now by the server, and differ in the last digits.
const eventKey = (e) => `${e.of} ${e.event} ${Math.round(unixTime(e.at) * 10)} ${e.text}`;

export function story(root, { params }) {
	const what = ["session", "call", "user"].find((w) => params[w]) ?? "session";
	const verdict = el("p", { id: "verdict", "aria-live": "polite" });
	const make = (name, label, columns, key) => new Table(name, { label, columns, key, empty: `No ${label.toLowerCase()}.` });
	const events = make("events", "Events", eventColumns, eventKey);
	const sessionTable = make("sessions", "Sessions", sessionColumns, (s) => `${s.id} ${s.client} ${Math.round(unixTime(s.begun_at))}`);
	const callTable = make("calls", "Calls", callColumns, (c) => c.id);

	root.append(
		el("section", { class: "panel" }, el("h2", {}, `What happened to ${what} `, nameOf(params[what] ?? "")), verdict),
		panel("Timeline", events.element), panel("Sessions", sessionTable.element), panel("Calls", callTable.element));
	return {
		periodMs: 2000,
		async refresh() {
			let told;

			try {
				told = await look("explain", { [what]: params[what] });
			} catch (e) {
				if (e.status !== 404 && e.status !== 400)
					throw e;
				told = { verdict: e.message, events: [], sessions: [], calls: [] };
			}
			setText(verdict, visible(told.verdict));
			events.show(told.events);
			sessionTable.show(told.sessions);
			callTable.show(told.calls);
		},
	};
}

// SPDX-License-Identifier: BSD-3-Clause
//
// Live allocations of all workers, the newest first, a page at a time.

import { act, look } from "./api.js";
import { ask } from "./dialogs.js";
import { el, field, form, linkTo, nameOf, setText } from "./dom.js";
import { Table } from "./table.js";
import { bytes, count, duration, visible } from "./text.js";

const LIMIT = 50;

// As in the server's usage: idle means that nothing was ever relayed.
const used = (s) => s.to_peer_packets + s.to_client_packets > 0;

async function close(session, ctx) {
	const sure = await ask({ title: `End ${session.id}?`, yes: "End it",
		text: `This ends the allocation of ${visible(session.user) || "an unnamed user"} at ${session.client}. ` +
		      "The client may make a new one." });

	if (sure)
		await ctx.doing(() => act("session close", { id: session.id }), `Session ${session.id} was closed.`);
}

function columns(ctx) {
	return [
		{ head: "Session", make: (s) => linkTo("story", { session: s.id }, s.id) },
		{ head: "User", class: "wide", make: (s) => linkTo("sessions", { user: s.user }, nameOf(s.user)) },
		{ head: "Client", text: (s) => s.client },
		{ head: "Transport", text: (s) => s.transport },
		{ head: "Relayed", text: (s) => s.relayed.join(", ") },
		{ head: "Age", number: true, text: (s) => duration(s.age_s) },
		{ head: "To peers", number: true, text: (s) => bytes(s.to_peer_bytes) },
		{ head: "To client", number: true, text: (s) => bytes(s.to_client_bytes) },
		{ head: "State", make: () => el("span", { class: "pill" }),
		  update: (cell, s) => {
			setText(cell.firstChild, used(s) ? "used" : "idle");
			cell.firstChild.classList.toggle("good", used(s));
			cell.title = `${s.peers} permitted peers, ${s.channels} channels; expires in ` +
			             `${duration(s.expires_in_s)} unless the client refreshes it`;
		  } },
		ctx.isAdmin && { head: "", class: "acts", make: (s, latest) =>
			el("button", { class: "small", "aria-label": `End session ${s.id}`, data: { act: "close" },
			               click: () => close(latest(), ctx) }, "End") },
	].filter(Boolean);
}

export function sessions(root, ctx) {
	const { user = "", after = "" } = ctx.params;
	const table = new Table("sessions", { label: "Live sessions", columns: columns(ctx), key: (s) => s.id,
		empty: user ? "This user has no live session." : "There are no live sessions." });
	const total = el("span", { class: "count" });
	const older = linkTo("sessions", { user }, "Older →"), partly = el("p", { class: "hint warn" });

	partly.hidden = older.hidden = true;
	partly.textContent = "A relay worker did not answer in time. Its sessions are missing here.";
	root.append(el("section", { class: "panel" },
		el("div", { class: "head" }, el("h2", {}, "Sessions ", total),
			form({ class: "filter", role: "search" }, (v) => ctx.go("sessions", { user: v.user }),
				field({ label: "User", name: "user", value: user, type: "search", maxlength: 513,
				        placeholder: "exact name" }),
				el("button", { class: "small" }, "Show"))),
		partly, table.element,
		el("div", { class: "pages" },
			after ? linkTo("sessions", { user }, "← Newest") : null,
			user ? linkTo("story", { user }, "What happened to this user") : null,
			user ? linkTo("sessions", {}, "All users") : null,
			el("span", { class: "spacer" }), older)));
	return {
		periodMs: 2000,
		async refresh() {
			const page = await look("sessions", { limit: LIMIT, after, user });

			table.show(page.sessions);
			setText(total, `· ${count(page.sessions.length)}${page.next || after ? " on this page" : ""}`);
			partly.hidden = page.complete;
			older.hidden = !page.next;
			older.href = `#sessions?${new URLSearchParams({ ...(user && { user }), after: page.next ?? "" })}`;
		},
	};
}

// SPDX-License-Identifier: BSD-3-Clause
//
// The last calls that were signaled here.

import { look } from "./api.js";
import { el, linkTo, nameOf, panel, setText } from "./dom.js";
import { Table } from "./table.js";
import { dateTime } from "./text.js";

export const callColumns = [
	{ head: "Call", make: (c) => linkTo("story", { call: c.id }, c.id) },
	{ head: "From", class: "wide", make: (c) => linkTo("story", { user: c.from }, nameOf(c.from)) },
	{ head: "To", class: "wide", make: (c) => linkTo("story", { user: c.to }, nameOf(c.to)) },
	{ head: "Room", text: (c) => c.room },
	{ head: "Begun", text: (c) => dateTime(c.begun_at) },
	{ head: "Answered", text: (c) => c.answered ? "yes" : "no" },
	{ head: "Candidates", number: true, text: (c) => `${c.candidates_from} + ${c.candidates_to}` },
	{ head: "State", make: () => el("span", { class: "pill" }),
	  update: (cell, c) => {
		setText(cell.firstChild, c.live ? "live" : c.reason ?? "ended");
		cell.firstChild.classList.toggle("good", c.live);
	  } },
];

export function calls(root) {
	const table = new Table("calls", { label: "Calls", columns: callColumns, key: (c) => c.id,
		empty: "No calls were signaled here recently. Calls of other signaling servers appear as sessions only." });

	root.append(panel("Calls", table.element));
	return {
		periodMs: 3000,
		refresh: async () => table.show((await look("calls")).calls),
	};
}

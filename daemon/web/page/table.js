// SPDX-License-Identifier: BSD-3-Clause
//
// A table that is told its rows again and again. Rows and their buttons are
// kept by key, so that focus, scrolling and selection outlive a refresh.

import { el, setText } from "./dom.js";

// columns: {head, text(row)} for a text, {head, make(row, latest)} for elements made once a row;
// latest() gives the row as it is now. number: to the right. update(cell, row): on each refresh.
export class Table {
	#rows = new Map(); // key to {tr, row}
	#columns;
	#key;
	#body = el("tbody");
	#empty;

	constructor(name, { label, columns, key, empty }) {
		const heads = columns.map((c) => el("th", { scope: "col", class: c.number ? "number" : null }, c.head));

		this.#columns = columns;
		this.#key = key;
		this.#empty = el("p", { class: "hint" }, empty);
		this.scroller = el("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": label },
			el("table", { data: { table: name } }, el("thead", {}, el("tr", {}, ...heads)), this.#body));
		this.element = el("div", { class: "table" }, this.scroller, this.#empty);
		this.#empty.hidden = true;
	}

	show(rows) {
		const seen = new Set();
		const focused = this.#body.contains(document.activeElement);
		let at;

		for (const row of rows)
			seen.add(String(this.#key(row)));
		for (const [key, { tr }] of this.#rows) {
			if (!seen.has(key)) {
				tr.remove();
				this.#rows.delete(key);
			}
		}
		at = this.#body.firstElementChild;
		for (const row of rows) {
			const { tr } = this.#update(String(this.#key(row)), row);

			if (tr === at)
				at = at.nextElementSibling;
			else
				this.#body.insertBefore(tr, at);
		}
		// Focus in a row that is gone stays at the table.
		if (focused && !this.#body.contains(document.activeElement))
			this.scroller.focus({ preventScroll: true });
		this.#empty.hidden = rows.length > 0;
		this.scroller.hidden = !rows.length;
	}

	#update(key, row) {
		let kept = this.#rows.get(key);

		if (!kept) {
			kept = { tr: el("tr", { data: { key } }), row };
			this.#rows.set(key, kept);
			for (const c of this.#columns)
				kept.tr.append(el("td", { class: [c.number && "number", c.class].filter(Boolean).join(" ") || null,
				                          data: { head: c.head } },
				                  ...(c.make ? [c.make(row, () => kept.row)].flat() : [])));
		}
		kept.row = row;
		this.#columns.forEach((c, i) => {
			if (c.text)
				setText(kept.tr.cells[i], c.text(row));
			c.update?.(kept.tr.cells[i], row);
		});
		return kept;
	}
}

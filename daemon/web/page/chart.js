// SPDX-License-Identifier: BSD-3-Clause
//
// Lines over time, in SVG: axes with units, a readout under the pointer or by
// the arrow keys.

import { el, setText } from "./dom.js";
import { clock } from "./text.js";

const HEIGHT = 190;
const MARGIN = { top: 8, right: 12, bottom: 24, left: 74 };
const TICK_STEPS_S = [60, 120, 300, 600, 1800, 3600, 7200, 14400, 21600];
const TICK_PX = 72; // room for a tick's text

function svg(tag, attributes = {}) {
	const e = document.createElementNS("http://www.w3.org/2000/svg", tag);

	for (const [name, value] of Object.entries(attributes))
		e.setAttribute(name, value);
	return e;
}

// The axis for values up to n: its end, one of 1, 2, 5, 10, 20, ..., and in how many parts.
function axisOf(n, whole) {
	const power = 10 ** Math.floor(Math.log10(n));
	const [factor, parts] = [[1, 5], [2, 4], [5, 5], [10, 5]].find(([f]) => f * power >= n * 0.999);
	const end = factor * power;

	return { end, parts: whole ? Math.min(parts, end) : parts };
}

export class Chart {
	#series = null; // a Series
	#lines; // [{column, label, path, area, dot, value}]
	#format;
	#scale;
	#whole;
	#axis = { end: 1, parts: 1 }; // in the columns' unit
	#to = 0; // the right end, Unix time
	#cursor = null; // the time that is read out; null: the last
	#svg = svg("svg", { class: "plot", tabindex: "0", role: "slider" });
	#grid = svg("g", { class: "grid" });
	#hair = svg("line", { class: "hair", visibility: "hidden" });
	#when = el("span", { class: "when" });

	// lines: [{column, label}]. format(n): a value's text. scale: of the axis' unit in the column's.
	// whole: there are no parts of one.
	constructor(label, lines, { format, scale = 1, whole = false }) {
		this.#format = format;
		this.#scale = scale;
		this.#whole = whole;
		this.#lines = lines.map((line, i) => ({
			...line,
			area: svg("path", { class: `area line-${i}` }),
			path: svg("path", { class: `line line-${i}`, "data-column": line.column }),
			dot: svg("circle", { class: `dot line-${i}`, r: 3.5, visibility: "hidden" }),
			value: el("b"),
		}));
		this.#svg.setAttribute("aria-label", label);
		this.#svg.append(this.#grid, ...this.#lines.flatMap((l) => [l.area, l.path]), this.#hair,
		                 ...this.#lines.map((l) => l.dot));
		this.element = el("figure", { class: "chart" },
			el("figcaption", {}, el("span", { class: "caption" }, label), this.#when,
			   ...this.#lines.map((l, i) => el("span", { class: `key line-${i}` }, l.label, l.value))),
			this.#svg);
		this.#svg.addEventListener("pointermove", (e) => this.#point(e));
		this.#svg.addEventListener("pointerleave", () => this.#read(null));
		this.#svg.addEventListener("blur", () => this.#read(null));
		this.#svg.addEventListener("keydown", (e) => this.#step(e));
		this.resizes = new ResizeObserver(() => this.#draw());
		this.resizes.observe(this.element);
	}

	show(series, now) {
		this.#series = series;
		this.#to = Math.max(now, series.last);
		this.#draw();
	}

	#x(t) {
		return MARGIN.left + (1 - (this.#to - t) / this.#series.spanS) * this.#width;
	}

	#y(n) {
		return MARGIN.top + (1 - n / this.#axis.end) * (HEIGHT - MARGIN.top - MARGIN.bottom);
	}

	get #width() {
		return Math.max(this.#svg.clientWidth - MARGIN.left - MARGIN.right, 50);
	}

	#setAxis() {
		let most = 0;

		for (const l of this.#lines)
			for (const n of this.#series.columns[l.column] ?? [])
				most = Math.max(most, n);
		const { end, parts } = axisOf(most * this.#scale || (this.#whole ? 1 : 1000), this.#whole);

		this.#axis = { end: end / this.#scale, parts };
	}

	#draw() {
		if (!this.#series || !this.#svg.clientWidth)
			return;
		this.#setAxis();
		this.#drawGrid();
		for (const l of this.#lines)
			this.#drawLine(l);
		this.#read(this.#cursor);
	}

	#drawGrid() {
		const left = MARGIN.left, right = left + this.#width, items = [];
		const text = (x, y, anchor, said) => {
			const t = svg("text", { x, y, "text-anchor": anchor });

			t.textContent = said;
			items.push(t);
		};

		for (let i = 0; i <= this.#axis.parts; i++) {
			const n = this.#axis.end * i / this.#axis.parts, y = Math.round(this.#y(n)) + 0.5;

			items.push(svg("line", { x1: left, x2: right, y1: y, y2: y, class: i ? "" : "base" }));
			text(left - 8, y + 4, "end", this.#format(n));
		}
		for (const t of this.#ticks()) {
			const x = Math.round(this.#x(t)) + 0.5;

			items.push(svg("line", { x1: x, x2: x, y1: HEIGHT - MARGIN.bottom, y2: HEIGHT - MARGIN.bottom + 4 }));
			text(x, HEIGHT - 6, "middle", clock(t, false));
		}
		this.#grid.replaceChildren(...items);
	}

	// Whole minutes or hours of the reader's clock, as many as there is room for.
	#ticks() {
		const zone = new Date(this.#to * 1000).getTimezoneOffset() * 60;
		const from = this.#to - this.#series.spanS, out = [];
		const room = Math.max(this.#width / TICK_PX, 1);
		const step = TICK_STEPS_S.find((s) => this.#series.spanS / s <= room) ?? 43200;

		for (let t = Math.ceil((from - zone) / step) * step + zone; t <= this.#to; t += step)
			if (this.#x(t) > MARGIN.left + 10 && this.#x(t) < MARGIN.left + this.#width - 10)
				out.push(t);
		return out;
	}

	#drawLine(l) {
		const { at } = this.#series, values = this.#series.columns[l.column] ?? [];
		const floor = this.#y(0).toFixed(1);
		let line = "", area = "";

		for (const [from, to] of this.#series.stretches()) {
			const points = [];

			for (let i = from; i < to; i++)
				points.push(`${this.#x(at[i]).toFixed(1)} ${this.#y(values[i]).toFixed(1)}`);
			// A single one is a dot: a line without length, with round ends.
			line += `M${points.join("L")}${points.length === 1 ? "h.01" : ""}`;
			area += `M${this.#x(at[from]).toFixed(1)} ${floor}L${points.join("L")}` +
			        `L${this.#x(at[to - 1]).toFixed(1)} ${floor}Z`;
		}
		l.path.setAttribute("d", line);
		l.area.setAttribute("d", area);
	}

	/* ---- the readout ---- */

	#point(e) {
		const x = e.clientX - this.#svg.getBoundingClientRect().left;

		if (this.#series)
			this.#read(this.#to - (1 - (x - MARGIN.left) / this.#width) * this.#series.spanS);
	}

	#step(e) {
		const by = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10 }[e.key];
		const at = this.#series?.at ?? [];

		if (e.key === "Escape")
			this.#read(null);
		if (!by || !at.length)
			return;
		e.preventDefault();
		const i = this.#series.nearest(this.#cursor ?? this.#series.last);

		this.#read(at[Math.max(0, Math.min(at.length - 1, i + by))]);
	}

	#read(t) {
		const i = this.#series ? this.#series.nearest(t ?? this.#series.last) : -1;
		const shown = t !== null && i >= 0;

		this.#cursor = t;
		setText(this.#when, i < 0 ? "no samples yet" : t === null ? "now" : clock(this.#series.at[i]));
		for (const l of this.#lines) {
			const n = this.#series?.columns[l.column]?.[i];

			setText(l.value, n === undefined ? "–" : this.#format(n));
			l.dot.setAttribute("visibility", shown ? "visible" : "hidden");
			if (shown) {
				l.dot.setAttribute("cx", this.#x(this.#series.at[i]));
				l.dot.setAttribute("cy", this.#y(n));
			}
		}
		this.#hair.setAttribute("visibility", shown ? "visible" : "hidden");
		if (shown)
			for (const [name, value] of Object.entries({ x1: this.#x(this.#series.at[i]), y1: MARGIN.top,
			                                             x2: this.#x(this.#series.at[i]), y2: HEIGHT - MARGIN.bottom }))
				this.#hair.setAttribute(name, value);
		this.#tellReader(i);
	}

	#tellReader(i) {
		const n = this.#series?.at.length ?? 0;

		for (const [name, value] of Object.entries({
			"aria-valuemin": 0, "aria-valuemax": Math.max(n - 1, 0), "aria-valuenow": Math.max(i, 0),
			"aria-valuetext": `${this.#when.textContent}: ` +
				this.#lines.map((l) => `${l.label} ${l.value.textContent}`).join(", ") }))
			this.#svg.setAttribute(name, value);
	}
}

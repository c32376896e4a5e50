// SPDX-License-Identifier: BSD-3-Clause
//
// Elements, made from JavaScript alone: a string is a text, never markup.

import { given } from "./api.js";
import { visible } from "./text.js";

export const $ = (id) => document.getElementById(id);

// el("button", {class: "small", click: f, disabled: true}, "Text", otherElement)
export function el(tag, props = {}, ...children) {
	const e = document.createElement(tag);

	for (const [name, value] of Object.entries(props)) {
		if (typeof value === "function")
			e.addEventListener(name, value);
		else if (name === "data")
			Object.assign(e.dataset, value);
		else if (value !== false && value !== null && value !== undefined)
			e.setAttribute(name, value === true ? "" : value);
	}
	e.append(...children.filter((c) => c !== null && c !== undefined && c !== false));
	return e;
}

// Writes only what is new: a text that is being selected or read aloud stays.
export function setText(e, text) {
	if (e.textContent !== text)
		e.textContent = text;
}

// A name of anybody's choice: in a direction of its own, all of it visible.
export function nameOf(text) {
	return el("bdi", { class: "name" }, visible(text) || "–");
}

// An address of a view: #sessions?user=alice
export function hashOf(view, params = {}) {
	const query = String(new URLSearchParams(given(params)));

	return `#${view}${query && `?${query}`}`;
}

export function linkTo(view, params, ...children) {
	return el("a", { href: hashOf(view, params) }, ...children);
}

// A field with its label: {label, name, type, ...attributes}. Options make it a select.
export function field({ label, options, ...attributes }) {
	const input = options
		? el("select", attributes, ...options.map(([value, text]) => el("option", { value }, text)))
		: el("input", { autocomplete: "off", ...attributes });

	return el("label", { class: "field" }, el("span", {}, label), input);
}

// In a password each character counts.
function valueOf(input) {
	if (input.type === "checkbox")
		return input.checked;
	return input.type === "password" ? input.value : input.value.trim();
}

export function valuesOf(form) {
	return Object.fromEntries([...form.elements].filter((i) => i.name).map((i) => [i.name, valueOf(i)]));
}

// A form that gives its fields' values to submit(), and is deaf until that is done.
export function form(props, submit, ...children) {
	const f = el("form", { ...props, submit: async (e) => {
		e.preventDefault();
		if (f.dataset.busy)
			return;
		f.dataset.busy = "yes";
		try {
			await submit(valuesOf(f), f);
		} finally {
			delete f.dataset.busy;
		}
	} }, ...children);
	return f;
}

export function panel(title, ...children) {
	return el("section", { class: "panel" }, el("h2", {}, title), ...children);
}

// SPDX-License-Identifier: BSD-3-Clause
//
// Asking whether one is sure, and showing what is shown only once.

import { $, valuesOf } from "./dom.js";

// Resolves to null (no) or to the fields' values. fields: elements with inputs of a name.
export function ask({ title, text, yes, danger = true, fields = [] }) {
	const dialog = $("ask");

	$("ask-title").textContent = title;
	$("ask-text").textContent = text;
	$("ask-yes").textContent = yes;
	$("ask-yes").className = danger ? "danger" : "primary";
	$("ask-fields").replaceChildren(...fields);
	return new Promise((done) => {
		const end = (answer) => {
			$("ask-form").onsubmit = $("ask-no").onclick = dialog.oncancel = null;
			dialog.close();
			$("ask-fields").replaceChildren(); // there may be a password in them
			done(answer);
		};

		$("ask-form").onsubmit = (e) => {
			e.preventDefault();
			end(valuesOf($("ask-form")));
		};
		$("ask-no").onclick = () => end(null);
		dialog.oncancel = (e) => {
			e.preventDefault();
			end(null);
		};
		dialog.showModal();
		(fields[0]?.querySelector("input, select") ?? $("ask-no")).focus();
	});
}

async function copy() {
	const field = $("once-value");

	field.select();
	try {
		await navigator.clipboard.writeText(field.value);
		$("once-copy").textContent = "Copied";
	} catch {
		// Over plain HTTP there is no clipboard but this old one.
		$("once-copy").textContent = document.execCommand("copy") ? "Copied" : "Press Ctrl+C";
	}
}

// Resolves when the reader confirms. Escape would lose it.
export function tellOnce({ title, text, value }) {
	const dialog = $("once");

	$("once-title").textContent = title;
	$("once-text").textContent = text;
	$("once-value").value = value;
	$("once-copy").textContent = "Copy";
	return new Promise((done) => {
		$("once-copy").onclick = copy;
		dialog.oncancel = (e) => e.preventDefault();
		dialog.onclose = () => {
			$("once-value").value = "";
			done();
		};
		$("once-done").onclick = () => dialog.close();
		dialog.showModal();
		$("once-copy").focus();
	});
}

// When the session has ended meanwhile.
export function closeDialogs() {
	for (const dialog of document.querySelectorAll("dialog[open]")) {
		if (dialog.id === "ask")
			$("ask-no").click();
		else
			dialog.close();
	}
}

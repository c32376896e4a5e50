// SPDX-License-Identifier: BSD-3-Clause
//
// Running the server: drain, reload, log level; and the audit.

import { accountPanel } from "./accounts.js";
import { act, look } from "./api.js";
import { ask } from "./dialogs.js";
import { el, field, form, nameOf, panel, setText } from "./dom.js";
import { showDraining } from "./overview.js";
import { Table } from "./table.js";
import { dateTime, visible } from "./text.js";

const LEVELS = ["error", "warn", "info", "debug"].map((l) => [l, l]);

function drainRow(ctx) {
	const said = el("p", { id: "drain-state" }), button = el("button", { id: "drain-button", class: "small" });
	let draining = false;

	button.addEventListener("click", async () => {
		if (draining)
			await ctx.doing(() => act("drain cancel"));
		else if (await ask({ title: "Drain this server?", yes: "Drain",
			text: "It then takes no new allocations, and /readyz tells balancers so. Existing allocations go on. " +
			      "The server does not stop, and you can undo this." }))
			await ctx.doing(() => act("drain"));
	});
	return { element: el("div", { class: "operate" }, el("h3", {}, "Drain"), said, button),
	         show(status) {
			draining = status.draining;
			setText(said, draining ? `Draining: ${status.allocations} allocations are left.`
			                       : `Serving, with ${status.allocations} allocations.`);
			setText(button, draining ? "Take new allocations again" : "Drain…");
	         } };
}

function reloadRow(ctx) {
	const said = el("output", { id: "reload-said" });

	return el("div", { class: "operate" }, el("h3", {}, "Reload"),
		el("p", {}, "Read configuration and certificates again. No call is dropped. The server refuses a bad configuration."),
		said, el("button", { id: "reload-button", class: "small", click: async () => {
			setText(said, "");
			try {
				setText(said, visible((await act("reload")).text).replaceAll("⟨U+000A⟩", "\n"));
				said.className = "good";
			} catch (e) {
				if (ctx.lost(e))
					return;
				setText(said, visible(e.message));
				said.className = "bad";
			}
			ctx.refresh();
		} }, "Reload"));
}

function levelRow(ctx) {
	const level = field({ label: "Level", name: "level", options: LEVELS });
	let begun = false;

	return { element: form({ class: "operate", id: "level-form" },
		(v) => ctx.doing(() => act("log level", { level: v.level }), `The log level is ${v.level} now.`),
		el("h3", {}, "Log level"), el("p", {}, "This lasts until the next reload or start."), level,
		el("button", { class: "small" }, "Set")),
	         // With what is configured, before the reader chooses.
	         begin(configured) {
			if (!begun && configured)
				level.querySelector("select").value = configured;
			begun = true;
	         } };
}

const audit = () => new Table("audit", { label: "Audit", key: (a) => a.id, empty: "Nothing yet.", columns: [
	{ head: "Time", text: (a) => dateTime(a.at) },
	{ head: "By", class: "wide", make: (a) => nameOf(a.actor) },
	{ head: "Act", text: (a) => a.act },
	{ head: "Of", class: "wide", make: (a) => nameOf(a.object) },
] });

const settings = () => new Table("config", { label: "Configuration", key: (c) => c.name,
	empty: "All options have their defaults.", columns: [
		{ head: "Option", text: (c) => c.name },
		{ head: "Value", class: "wide", text: (c) => visible(c.value) },
		{ head: "From", class: "wide", text: (c) => visible(c.source === "default" ? "default" : c.where) },
		{ head: "Reload", text: (c) => c.reloadable ? "applied" : "needs a restart" },
	] });

export function server(root, ctx) {
	if (!ctx.isAdmin) {
		root.append(el("p", { class: "hint" }, "Only admins can see this."));
		return { periodMs: 0, refresh: async () => {} };
	}
	const drain = drainRow(ctx), level = levelRow(ctx), accounts = accountPanel(ctx);
	const tables = { audit: audit(), config: settings() };
	const all = el("input", { type: "checkbox", change: () => ctx.refresh() });

	root.append(
		panel("Operate", el("div", { class: "operates" }, drain.element, reloadRow(ctx), level.element)),
		panel("Configuration in effect", el("label", { class: "tick" }, all, "include defaults"), tables.config.element),
		accounts.element,
		panel("Audit", tables.audit.element));
	return {
		periodMs: 3000,
		async refresh() {
			const status = await look("status"), config = await look("config");

			drain.show(status);
			showDraining(status.draining);
			level.begin(config.log_level?.value);
			await accounts.refresh();
			tables.audit.show((await look("audit", { last: 100 })).audit.toReversed());
			tables.config.show(Object.entries(config).map(([name, c]) => ({ name, ...c }))
				.filter((c) => all.checked || c.source !== "default"));
		},
	};
}

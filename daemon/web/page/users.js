// SPDX-License-Identifier: BSD-3-Clause
//
// Static TURN users.

import { act, look } from "./api.js";
import { ask, tellOnce } from "./dialogs.js";
import { el, field, form, linkTo, nameOf, setText } from "./dom.js";
import { Table } from "./table.js";
import { dateTime, visible } from "./text.js";

const LIMIT = 100;

// {verb, args(user), yes, title(name), text}
const ACTS = {
	disable: { verb: "user disable", yes: "Disable", title: (n) => `Disable ${n}?`,
	           text: "This user's calls end, and the user cannot relay until you enable them again." },
	revoke: { verb: "revoke", yes: "Revoke", title: (n) => `Revoke all credentials of ${n}?`,
	          text: "All credentials that this user has got so far stop working, static users of that name are " +
	                "disabled in all realms, and their calls end." },
	delete: { verb: "user del", yes: "Delete", title: (n) => `Delete ${n}?`,
	          text: "This user's calls end, and the password stops working." },
};

async function run(name, user, ctx) {
	const { verb, yes, title, text } = ACTS[name];
	const args = verb === "revoke" ? { user: user.name } : { name: user.name, realm: user.realm };

	if (await ask({ title: title(visible(user.name)), text, yes }))
		await ctx.doing(() => act(verb, args));
}

function button(name, label, click, props = {}) {
	return el("button", { class: "small", data: { act: name }, click, ...props }, label);
}

function acts(user, latest, ctx) {
	const onOff = button("disable", "Disable", async () => {
		if (!latest().enabled)
			await ctx.doing(() => act("user enable", { name: user.name, realm: user.realm }));
		else
			await run("disable", user, ctx);
	});

	return [onOff, " ", button("revoke", "Revoke", () => run("revoke", user, ctx)), " ",
	        button("delete", "Delete", () => run("delete", user, ctx))];
}

async function add({ name, password, realm }, f, ctx) {
	const made = await ctx.doing(() => act("user add", { name, password, realm }));

	if (!made)
		return;
	f.reset();
	if (made.password)
		await tellOnce({ title: `The password of ${visible(made.name)}`, value: made.password,
		                 text: `For TURN in the realm ${visible(made.realm)}.` });
}

export function users(root, ctx) {
	const { after = "" } = ctx.params;
	const next = linkTo("users", {}, "More →");
	const table = new Table("users", { label: "Users", key: (u) => `${u.realm}\t${u.name}`,
		empty: "No static users. Time-limited credentials need none.",
		columns: [
			{ head: "Name", class: "wide", make: (u) => nameOf(u.name) },
			{ head: "Realm", text: (u) => visible(u.realm) },
			{ head: "Since", text: (u) => dateTime(u.created_at) },
			{ head: "State", make: () => el("span", { class: "pill" }),
			  update: (cell, u) => {
				setText(cell.firstChild, u.enabled ? "enabled" : "disabled");
				cell.firstChild.classList.toggle("good", u.enabled);
			  } },
			{ head: "See", make: (u) => [linkTo("sessions", { user: u.name }, "sessions"), " ",
			                             linkTo("usage", { user: u.name }, "usage"), " ",
			                             linkTo("story", { user: u.name }, "explain")] },
			ctx.isAdmin && { head: "", class: "acts", make: (u, latest) => acts(u, latest, ctx),
				update: (cell, u) => setText(cell.firstChild, u.enabled ? "Disable" : "Enable") },
		].filter(Boolean) });

	next.hidden = true;
	root.append(el("section", { class: "panel" }, el("h2", {}, "Static users"),
		ctx.isAdmin ? form({ id: "user-form", class: "row" }, (v, f) => add(v, f, ctx),
			field({ label: "Name", name: "name", required: true, maxlength: 255, spellcheck: "false" }),
			field({ label: "Password", name: "password", type: "password", maxlength: 512,
			        placeholder: "empty: make one", autocomplete: "new-password" }),
			field({ label: "Realm", name: "realm", maxlength: 127, placeholder: "empty: the first realm" }),
			el("button", { class: "primary small" }, "Add user")) : null,
		table.element,
		el("div", { class: "pages" }, after ? linkTo("users", {}, "← First") : null,
			el("span", { class: "spacer" }), next)));
	return {
		periodMs: 5000,
		async refresh() {
			const page = await look("users", { limit: LIMIT, after });

			table.show(page.users);
			next.hidden = !page.next;
			next.href = `#users?${new URLSearchParams({ after: page.next ?? "" })}`;
		},
	};
}

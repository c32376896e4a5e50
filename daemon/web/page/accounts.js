// SPDX-License-Identifier: BSD-3-Clause
//
// Accounts that may sign in here.

import { act, look } from "./api.js";
import { ask, tellOnce } from "./dialogs.js";
import { el, field, form, nameOf, panel } from "./dom.js";
import { Table } from "./table.js";
import { dateTime, visible } from "./text.js";

const ROLES = [["user", "user: can only read"], ["admin", "admin: can do everything"]];

function tellPassword({ name, password }) {
	return tellOnce({ title: `The password of ${visible(name)}`, value: password,
	                  text: "Use it to sign in here. Change it then with Password, at the top." });
}

async function add(v, f, ctx) {
	const made = await ctx.doing(() => act("account add", v));

	if (!made)
		return;
	f.reset();
	if (made.password)
		await tellPassword(made);
}

async function renew({ name }, ctx) {
	if (!await ask({ title: `New password for ${visible(name)}?`, yes: "Make a new password",
	                 text: "The old password stops working, and the account is signed out everywhere." }))
		return;
	const made = await ctx.doing(() => act("account password", { name }));

	if (made)
		await tellPassword(made);
}

async function remove({ name }, ctx) {
	if (await ask({ title: `Delete the account ${visible(name)}?`, yes: "Delete",
	                text: name === ctx.myName ? "It is your own account. You will be signed out."
	                                          : "The account is signed out everywhere." }))
		await ctx.doing(() => act("account del", { name }));
}

function acts(account, ctx) {
	const button = (name, label, click) => el("button", { class: "small", data: { act: name }, click }, label);

	// Your own is changed at the top: a new one would sign you out before you have read it.
	return [account.name === ctx.myName ? null : button("password", "New password", () => renew(account, ctx)), " ",
	        button("delete", "Delete", () => remove(account, ctx))].filter(Boolean);
}

export function accountPanel(ctx) {
	const table = new Table("accounts", { label: "Accounts", key: (a) => a.name, empty: "No accounts.", columns: [
		{ head: "Account", class: "wide", make: (a) => nameOf(a.name) },
		{ head: "Role", text: (a) => a.role },
		{ head: "Since", text: (a) => dateTime(a.created_at) },
		{ head: "", class: "acts", make: (a) => acts(a, ctx) },
	] });

	return { element: panel("Accounts", el("p", { class: "hint" }, "These accounts can sign in here."),
		form({ id: "account-form", class: "row" }, (v, f) => add(v, f, ctx),
			field({ label: "Name", name: "name", required: true, maxlength: 255, spellcheck: "false" }),
			field({ label: "Role", name: "role", options: ROLES }),
			field({ label: "Password", name: "password", type: "password", maxlength: 512,
			        placeholder: "empty: make one", autocomplete: "new-password" }),
			el("button", { class: "primary small" }, "Add account")), table.element),
	         refresh: async () => table.show((await look("accounts")).accounts) };
}

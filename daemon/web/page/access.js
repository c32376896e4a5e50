// Makes and revokes credentials: secrets, tokens, revocations.

import { act, look } from "./api.js";
import { ask, tellOnce } from "./dialogs.js";
import { el, field, form, nameOf, panel, setText } from "./dom.js";
import { Table } from "./table.js";
import { dateTime, visible } from "./text.js";

const RETIRE_AFTER = [["0", "now; calls go on"], ["now", "now, and end its calls"], ["3600", "in an hour"], ["86400", "in a day"], ["604800", "in a week"],
                      ["2592000", "in 30 days"]];
const EXPIRES = [["", "never"], ["86400", "in a day"], ["2592000", "in 30 days"], ["31536000", "in a year"]];

function small(name, label, click) {
	return el("button", { class: "small", data: { act: name }, click }, label);
}

/* ---- secrets ---- */

function secretState(s) {
	if (!s.retired_at)
		return "live";
	if (s.ended)
		return `ended ${dateTime(s.retired_at)}`;
	return s.live ? `live until ${dateTime(s.retired_at)}` : `retired ${dateTime(s.retired_at)}`;
}

function lives(s) {
	return s.allocations === 1 ? "1 allocation uses it." : `${s.allocations} allocations use it.`;
}

async function retire(secret, ctx) {
	const answer = await ask({ title: `Retire secret ${secret.id}?`, yes: "Retire",
		text: "From then on its credentials open no new allocations. Give your issuers another secret first. " +
		      `${lives(secret)} Calls go on unless you end them, as you should after a leak.`,
		fields: [field({ label: "When", name: "after", options: RETIRE_AFTER })] });

	if (answer)
		await ctx.doing(() => act("secret retire", answer.after === "now" ? { id: secret.id, now: true }
			: { id: secret.id, after: Number(answer.after) }));
}

async function end(secret, ctx) {
	if (await ask({ title: `End the allocations of secret ${secret.id}?`, yes: "End them", text: lives(secret) }))
		await ctx.doing(() => act("secret retire", { id: secret.id, now: true }));
}

async function addSecret(v, f, ctx) {
	const made = await ctx.doing(() => act("secret add", { value: v.value.trim() }));

	if (!made)
		return;
	f.reset();
	if (made.value)
		await tellOnce({ title: `Shared secret ${made.id}`, value: made.value,
		                 text: "Give it to the program that makes time-limited credentials. coturn calls it static-auth-secret." });
}

function secretPanel(ctx) {
	const table = new Table("secrets", { label: "Secrets", key: (s) => s.id, empty: "No secrets.", columns: [
		{ head: "Secret", text: (s) => String(s.id) },
		{ head: "Since", text: (s) => dateTime(s.created_at) },
		{ head: "State", text: secretState },
		{ head: "Allocations", text: (s) => String(s.allocations) },
		ctx.isAdmin && { head: "", class: "acts",
			make: (s, latest) => el("span", {}, small("retire", "Retire", () => retire(latest(), ctx)),
				small("end", "End", () => end(latest(), ctx))),
			update: (cell, s) => {
				cell.querySelector("[data-act=retire]").hidden = !s.live;
				cell.querySelector("[data-act=end]").hidden = s.live || !s.allocations;
			} },
	].filter(Boolean) });

	return { element: panel("Shared secrets",
		ctx.isAdmin ? form({ id: "secret-form", class: "row" }, (v, f) => addSecret(v, f, ctx),
			field({ label: "Value", name: "value", type: "password", maxlength: 256, autocomplete: "new-password",
			        placeholder: "empty: make one" }),
			el("button", { class: "primary small" }, "Add secret")) : null, table.element),
	         refresh: async () => table.show((await look("secrets")).secrets) };
}

/* ---- tokens ---- */

async function addToken(v, f, ctx) {
	const scope = ["issue", "ticket", "metrics", "admin"].filter((s) => v[s]).join(",");
	const made = await ctx.doing(() => act("token add", { label: v.label, scope,
		expires: v.expires ? Number(v.expires) : null }));

	if (!made)
		return;
	f.reset();
	await tellOnce({ title: `API token ${made.id}`, value: made.token, text: `Scopes: ${made.scope}.` });
}

async function deleteToken(token, ctx) {
	if (await ask({ title: `Delete token ${token.id}?`, yes: "Delete",
	                text: `The server will refuse programs that use it (${visible(token.label) || "no label"}).` }))
		await ctx.doing(() => act("token del", { id: token.id }));
}

function tick(name, checked) {
	return el("label", { class: "tick" }, el("input", { type: "checkbox", name, checked }), name);
}

function tokenPanel(ctx) {
	const table = new Table("tokens", { label: "Tokens", key: (t) => t.id, empty: "No tokens.", columns: [
		{ head: "Token", text: (t) => String(t.id) },
		{ head: "Label", class: "wide", make: (t) => nameOf(t.label) },
		{ head: "May", text: (t) => t.scope },
		{ head: "Since", text: (t) => dateTime(t.created_at) },
		{ head: "Until", text: (t) => t.expires_at ? dateTime(t.expires_at) : "for ever" },
		{ head: "Last used", text: (t) => t.last_used_at ? dateTime(t.last_used_at) : "never" },
		{ head: "", class: "acts", make: (t) => small("delete", "Delete", () => deleteToken(t, ctx)) },
	] });

	return { element: panel("API tokens", form({ id: "token-form", class: "row" }, (v, f) => addToken(v, f, ctx),
		field({ label: "Label", name: "label", maxlength: 128 }),
		el("fieldset", {}, el("legend", {}, "May"), tick("issue", true), tick("ticket", false), tick("metrics", true), tick("admin", false)),
		field({ label: "Expires", name: "expires", options: EXPIRES }),
		el("button", { class: "primary small" }, "Add token")), table.element),
	         refresh: async () => table.show((await look("tokens")).tokens) };
}

/* ---- revocations ---- */

async function revoke({ what, name }, f, ctx) {
	const text = what === "user"
		? "All credentials that this user has got so far stop working, static users of that name are " +
		  "disabled, and their calls end."
		: "This one credential stops working, and its calls end.";

	if (await ask({ title: `Revoke ${visible(name)}?`, text, yes: "Revoke" }) &&
	    await ctx.doing(() => act("revoke", { [what]: name })))
		f.reset();
}

async function undo(r, ctx) {
	if (await ask({ title: `Let ${visible(r.name)} in again?`, yes: "Undo the revocation", danger: false,
	                text: "A static user that the revocation disabled stays disabled. Enable it under Users." }))
		await ctx.doing(() => act("unrevoke", { [r.what]: r.name }));
}

function revocationPanel(ctx) {
	const table = new Table("revocations", { label: "Revocations", key: (r) => `${r.what} ${r.name}`,
		empty: "Nothing is revoked.", columns: [
			{ head: "What", text: (r) => r.what },
			{ head: "Name", class: "wide", make: (r) => nameOf(r.name) },
			{ head: "Revoked", text: (r) => dateTime(r.revoked_at) },
			{ head: "Kept until", make: () => el("span"), update: (cell, r) => setText(cell.firstChild, dateTime(r.until)) },
			ctx.isAdmin && { head: "", class: "acts", make: (r) => small("undo", "Undo", () => undo(r, ctx)) },
		].filter(Boolean) });

	return { element: panel("Revocations",
		ctx.isAdmin ? form({ id: "revoke-form", class: "row" }, (v, f) => revoke(v, f, ctx),
			field({ label: "Revoke", name: "what", options: [["user", "all credentials of a user"], ["credential", "one credential"]] }),
			field({ label: "Name", name: "name", required: true, maxlength: 513, spellcheck: "false",
			        placeholder: "alice, or 1795326215:alice" }),
			el("button", { class: "danger small" }, "Revoke")) : null, table.element),
	         refresh: async () => table.show((await look("revocations")).revocations) };
}

export function access(root, ctx) {
	const panels = [secretPanel(ctx), ctx.isAdmin && tokenPanel(ctx), revocationPanel(ctx)].filter(Boolean);

	root.append(...panels.map((p) => p.element));
	return {
		periodMs: 5000,
		async refresh() {
			for (const p of panels)
				await p.refresh();
		},
	};
}

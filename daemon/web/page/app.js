// SPDX-License-Identifier: BSD-3-Clause
//
// The status page: its login, its views, what went wrong.

import { access } from "./access.js";
import { changePassword, signOut, whoAmI } from "./api.js";
import { calls } from "./calls.js";
import { ask, closeDialogs } from "./dialogs.js";
import { $, el, field, hashOf } from "./dom.js";
import { overview, showDraining } from "./overview.js";
import { Poller } from "./poller.js";
import { server } from "./server.js";
import { sessions } from "./sessions.js";
import { prepareSignIn, showSignIn } from "./sign_in.js";
import { story } from "./story.js";
import { visible } from "./text.js";
import { usage } from "./usage.js";
import { users } from "./users.js";

// A view fills its element and returns {periodMs, refresh(), close()}.
const VIEWS = {
	overview: { title: "Overview", open: overview },
	sessions: { title: "Sessions", open: sessions },
	calls: { title: "Calls", open: calls },
	story: { title: "Explain", open: story, under: "sessions" },
	users: { title: "Users", open: users },
	access: { title: "Access", open: access },
	usage: { title: "Usage", open: usage },
	server: { title: "Server", open: server, admin: true },
};

let me = null; // {name, role}
let view = null;
let countdown = 0;
const poller = new Poller({ away: showAway, back: showBack, refused: onRefused });

/* ---- what went wrong ---- */

function notice(text) {
	$("notice-text").textContent = visible(text);
	$("notice").hidden = false;
}

function clearNotice() {
	$("notice").hidden = true;
}

function showAway(error, nextMs) {
	const until = Date.now() + nextMs;
	const tell = () => {
		const s = Math.max(0, Math.ceil((until - Date.now()) / 1000));

		$("away-text").textContent = `${error.message} This page shows old values. ` +
			(s ? `Next try in ${s} s.` : "Trying…");
	};

	clearInterval(countdown);
	tell();
	countdown = setInterval(tell, 500);
	$("away").hidden = false;
	document.body.classList.add("stale");
}

function showBack() {
	clearInterval(countdown);
	$("away").hidden = true;
	document.body.classList.remove("stale");
}

// True when the page should go on asking.
function onRefused(error) {
	if (lost(error))
		return false;
	notice(error.message);
	return error.status === 429;
}

// True when the login has ended; then shows the sign-in form.
function lost(error) {
	if (error.status !== 401)
		return false;
	leave("Your session has ended. Sign in again.");
	return true;
}

// Runs an act, and shows at once what it changed. Its answer, or null.
async function doing(act, said) {
	let answer = null;

	clearNotice();
	try {
		answer = await act();
		if (said)
			notice(said);
	} catch (e) {
		if (!lost(e))
			notice(e.message);
	}
	poller.now();
	return answer;
}

/* ---- views ---- */

function readHash() {
	const [, name, query] = /^#?([a-z]*)\??(.*)$/s.exec(location.hash) ?? [];

	return { name: Object.hasOwn(VIEWS, name) ? name : "overview",
	         params: Object.fromEntries(new URLSearchParams(query)) };
}

function go(name, params) {
	const hash = hashOf(name, params);

	if (hash === location.hash)
		poller.now();
	else
		location.hash = hash;
}

function makeNav() {
	const mine = Object.entries(VIEWS).filter(([, v]) => !v.under && (!v.admin || me.role === "admin"));

	$("nav").replaceChildren(...mine.map(([name, v]) => el("a", { href: `#${name}` }, v.title)));
	$("nav").hidden = false;
}

function markNav(current) {
	for (const a of $("nav").children) {
		if (a.hash === `#${current}`)
			a.setAttribute("aria-current", "page");
		else
			a.removeAttribute("aria-current");
	}
	$("nav").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function openView() {
	if (!me)
		return;
	const { name, params } = readHash();
	const field = document.activeElement?.closest("#view form")?.elements[0].name;

	closeView();
	clearNotice();
	document.body.dataset.view = name;
	document.title = `${VIEWS[name].title} · Turnpike status`;
	markNav(VIEWS[name].under ?? name);
	view = VIEWS[name].open($("view"), { params, go, doing, lost, isAdmin: me.role === "admin", myName: me.name,
	                                     refresh: () => poller.now() });
	// After a form, focus is in the form again; after a link, at the top.
	if (field)
		$("view").querySelector(`[name="${CSS.escape(field)}"]`)?.focus();
	else if (document.activeElement === document.body)
		$("view").focus({ preventScroll: true });
	scrollTo(0, 0);
	poller.set(view.refresh, view.periodMs);
}

function closeView() {
	view?.close?.();
	view = null;
	poller.set(null, 0);
	$("view").replaceChildren();
}

/* ---- who ---- */

function enter(who) {
	me = who;
	$("who").replaceChildren(el("bdi", {}, visible(who.name)), ` · ${who.role}`);
	$("who").hidden = $("own-password").hidden = $("sign-out").hidden = false;
	makeNav();
	openView();
}

function leave(why) {
	me = null;
	closeDialogs();
	closeView();
	showBack();
	clearNotice();
	showDraining(false);
	$("who").hidden = $("own-password").hidden = $("sign-out").hidden = $("nav").hidden = true;
	document.body.dataset.view = "sign-in";
	document.title = "Turnpike status";
	showSignIn(why);
}

async function ownPassword() {
	const password = (label, name, autocomplete) =>
		field({ label, name, type: "password", maxlength: 512, required: true, autocomplete });
	const given = await ask({ title: "Your password", yes: "Change it", danger: false,
		text: "You stay signed in here, and are signed out everywhere else.",
		fields: [password("Current password", "current", "current-password"),
		         password("New password", "next", "new-password"), password("New password again", "again", "new-password")] });

	if (!given)
		return;
	if (given.next !== given.again) {
		notice("The two new passwords differ. Your password was not changed.");
		return;
	}
	closeView(); // what it asks with the old login would be refused
	$("own-password").disabled = true;
	try {
		enter(await changePassword(given.current, given.next));
		notice("Your password was changed.");
	} catch (e) {
		openView();
		notice(e.status === 401 ? "The current password is wrong. Your password was not changed." : e.message);
	} finally {
		$("own-password").disabled = false;
	}
}

// A login outlives a reload of the page.
async function begin() {
	try {
		const who = await whoAmI();

		showBack();
		enter(who);
	} catch (e) {
		if (e.status !== 401)
			throw e;
		leave();
	}
}

prepareSignIn(enter);
$("own-password").addEventListener("click", ownPassword);
$("sign-out").addEventListener("click", async () => {
	try {
		await signOut();
		leave("You have signed out.");
	} catch (e) {
		notice(`You are still signed in: ${e.message}`);
	}
});
$("notice-close").addEventListener("click", clearNotice);
$("away-now").addEventListener("click", () => poller.now());
addEventListener("hashchange", openView);
if (!window.isSecureContext) {
	$("insecure").hidden = false;
	$("secure-link").href = `https://${location.host}${location.pathname}${location.hash}`;
}
poller.set(begin, 0);

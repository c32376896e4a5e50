// SPDX-License-Identifier: BSD-3-Clause
//
// The verbs of docs/admin.md, as promises.

const BASE = "/api/v1/admin/";
const LIMIT_MS = 10000;

// The server has answered, and the answer is no.
export class Refused extends Error {
	constructor(status, code, message, retryS) {
		super(message);
		this.status = status;
		this.code = code;
		this.retryS = retryS;
	}
}

// No answer, or a proxy's in its stead.
export class Away extends Error {}

async function exchange(path, options) {
	let response, body;

	try {
		response = await fetch(BASE + path, { cache: "no-store", redirect: "error",
		                                      signal: AbortSignal.timeout(LIMIT_MS), ...options });
		body = await response.json().catch(() => null);
	} catch (e) {
		throw new Away(e.name === "TimeoutError" ? "The server takes too long to answer."
		                                         : "The server does not answer.");
	}
	if (body === null)
		throw new Away(`Another program answers in place of the server (${response.status}).`);
	if (!response.ok)
		throw new Refused(response.status, body.error?.code, body.error?.message ?? "Refused.",
		                  Number(response.headers.get("Retry-After")) || 0);
	return { status: response.status, body };
}

const pathOf = (verb) => verb.replaceAll(" ", "/");

function post(path, args) {
	return exchange(path, { method: "POST", headers: { "Content-Type": "application/json" },
	                        body: JSON.stringify(args) });
}

// Arguments that are "", null or undefined are not sent.
export const given = (args) => Object.fromEntries(
	Object.entries(args).filter(([, v]) => v !== "" && v !== null && v !== undefined));

// A verb that only reads.
export async function look(verb, args = {}) {
	return (await exchange(`${pathOf(verb)}?${new URLSearchParams(given(args))}`)).body;
}

// A verb that changes something.
export async function act(verb, args = {}) {
	return (await post(pathOf(verb), given(args))).body;
}

// A password takes the server its time: it gives a ticket, and is asked until it knows.
async function claim({ body: { ticket } }) {
	for (;;) {
		const { status, body } = await post("login/claim", { ticket });

		if (status === 200)
			return body;
		await new Promise((done) => setTimeout(done, 200));
	}
}

export const signIn = async (name, password) => claim(await post("login", { name, password }));
// The account's own: {name, role}, signed in anew.
export const changePassword = async (current, password) => claim(await post("password", { current, password }));
export const signOut = () => post("logout", {});
export const whoAmI = () => look("whoami");

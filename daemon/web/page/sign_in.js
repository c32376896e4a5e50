// SPDX-License-Identifier: BSD-3-Clause
//
// The form to sign in with.

import { Refused, signIn } from "./api.js";
import { $ } from "./dom.js";

let timer = 0;

// Too many tries: counts down, and allows no try before.
function holdBack(seconds, message) {
	clearInterval(timer);
	const tell = () => {
		$("sign-in-error").textContent = seconds ? `${message} You can try again in ${seconds} s.` : "";
		$("sign-in-button").disabled = seconds > 0;
		if (!seconds--)
			clearInterval(timer);
	};

	tell();
	timer = setInterval(tell, 1000);
}

// on: what to do with {name, role}.
export function prepareSignIn(on) {
	$("sign-in-form").addEventListener("submit", async (e) => {
		e.preventDefault();
		if ($("sign-in-button").disabled)
			return;
		$("sign-in-button").disabled = true;
		$("sign-in-button").textContent = "Signing in…";
		$("sign-in-error").textContent = "";
		try {
			const me = await signIn($("name").value.trim(), $("password").value);

			$("password").value = "";
			$("sign-in-button").disabled = false;
			on(me);
		} catch (error) {
			$("sign-in-button").disabled = false;
			if (error instanceof Refused && error.status === 429)
				holdBack(error.retryS || 1, error.message);
			else
				$("sign-in-error").textContent = error.message;
			if (error.status === 401)
				$("password").select();
		} finally {
			$("sign-in-button").textContent = "Sign in";
		}
	});
}

export function showSignIn(why) {
	$("sign-in-why").textContent = why ?? "Watch and operate this server.";
	$("sign-in-error").textContent = "";
	$("password").value = "";
	($("name").value ? $("password") : $("name")).focus();
}

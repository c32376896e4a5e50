// SPDX-License-Identifier: BSD-3-Clause
//
// Numbers and times as people read them; names as they are.

function scaled(n, units) {
	let i = 0;

	while (n >= 999.5 && i < units.length - 1) {
		n /= 1000;
		i++;
	}
	return `${n < 9.95 && i ? n.toFixed(1).replace(/\.0$/, "") : Math.round(n)} ${units[i]}`;
}

export const bytes = (n) => scaled(n, ["B", "kB", "MB", "GB", "TB", "PB"]);
export const bitRate = (bytesPerS) => scaled(bytesPerS * 8, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"]);
export const count = (n) => n.toLocaleString("en");

// 75 becomes "1 min 15 s": the two largest units.
export function duration(s) {
	const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
	const first = units.findIndex(([, size]) => s >= size);

	if (first < 0)
		return "0 s";
	return units.slice(first, first + 2).map(([name, size], i) => {
		const n = Math.floor((i ? s % units[first][1] : s) / size);
		return n || !i ? `${n} ${name}` : "";
	}).filter(Boolean).join(" ");
}

const pad = (n) => String(n).padStart(2, "0");

// For the server's times (RFC 3339) or Unix times, in the browser's time zone.
const dateOf = (at) => new Date(typeof at === "number" ? at * 1000 : at);

export const unixTime = (at) => Date.parse(at) / 1000;

export function clock(at, seconds = true) {
	const d = dateOf(at);

	return `${pad(d.getHours())}:${pad(d.getMinutes())}${seconds ? `:${pad(d.getSeconds())}` : ""}`;
}

export function dateTime(at) {
	const d = dateOf(at);

	return at ? `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())} ${clock(at)}` : "–";
}

// Shows invisible characters, and those that change the direction of text, by their number: an
// attacker's name must not look like another.
const EMOJI = "\\p{Extended_Pictographic}[\\uFE0F\\p{Emoji_Modifier}]*";
const UNSEEN = "[\\p{Cc}\\p{Cf}\\p{Co}\\p{Zl}\\p{Zp}\\p{Default_Ignorable_Code_Point}\\u2800]|(?! )\\p{Zs}";
const PARTS = new RegExp(`(${EMOJI}(?:\\u200D${EMOJI})*)|(${UNSEEN})`, "gu"); // an emoji may be several, joined

export function visible(text) {
	return String(text).replace(PARTS, (c, emoji) =>
		emoji ?? `⟨U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Draws the report from the JSON blocks of the same file: its head, the
 * failures, the matrix. All text goes in as text, never as markup: much of it
 * was written by the programs under test.
 */
const $ = id => document.getElementById(id);
const data = JSON.parse($('run').textContent);
const ENDS = ['a', 'b'];
const FIRST_FAILURES = 25;

/* el('p', 'class', child, ...): children are elements, texts, lists of them, or null. */
const el = (tag, attrs, ...children) => {
	const e = document.createElement(tag);
	for (const [key, value] of Object.entries(typeof attrs === 'string' ? {class: attrs} : attrs || {}))
		if (key.startsWith('on'))
			e.addEventListener(key.slice(2), value);
		else if (value !== null && value !== undefined && value !== false)
			e.setAttribute(key, value);
	e.append(...children.flat(9).filter(c => c !== null && c !== undefined && c !== false));
	return e;
};

/* ---- what a result is called ---- */

const OUTCOMES = {
	'failed': 'failed', 'no-lab': 'no lab', 'interrupted': 'interrupted',
	'inconclusive': 'inconclusive', 'skipped': 'left out', 'not-run': 'not run',
	'direct': 'direct', 'relay-udp': 'relay, over UDP', 'relay-tcp': 'relay, over TCP',
	'relay-tls': 'relay, over TLS', 'relay': 'relay', 'no-way': 'no way, as expected', 'passed': 'passed',
};
const MEANING = {
	'direct': 'direct', 'relay-udp': 'relayed, reached over UDP',
	'relay-tcp': 'relayed, a leg over TCP', 'relay-tls': 'relayed, a leg over TLS',
	'relay': 'relayed', 'no-way': 'none: no call is possible, as theory says', 'passed': 'passed', 'failed': 'failed',
	'inconclusive': 'busy: the machine was too loaded to judge', 'no-lab': 'lab: could not be built',
	'interrupted': 'cut: stopped from outside', 'skipped': 'out: left out, for this machine lacks something',
	'not-run': '– not run',
};
const SEVERITY = ['failed', 'no-lab', 'interrupted', 'inconclusive', 'skipped', 'not-run'];

const outcome = r => {
	if (r.result === 'waiting' || r.result === 'running')
		return 'not-run';
	if (r.result !== 'passed')
		return r.result;
	const word = r.path_word;
	return !word ? 'passed' : word === 'none' ? 'no-way' : word === 'direct' || word === 'relay' ? word : `relay-${word}`;
};
const SHORT = {
	'failed': 'failed', 'no-lab': 'lab', 'interrupted': 'cut', 'inconclusive': 'busy',
	'skipped': 'out', 'not-run': '–', 'direct': 'direct', 'relay-udp': 'udp', 'relay-tcp': 'tcp',
	'relay-tls': 'tls', 'relay': 'relay', 'no-way': 'none', 'passed': 'ok',
};
const severity = o => SEVERITY.includes(o) ? SEVERITY.length - SEVERITY.indexOf(o) : 0;
const isTrouble = r => ['failed', 'no-lab', 'interrupted'].includes(outcome(r));
const tag = o => el('span', `tag ${o}`, OUTCOMES[o]);

const isCell = r => r.group === 'matrix' && r.kinds[0] && r.kinds[1];
const title = r => isCell(r) ? `${r.kinds[0]} × ${r.kinds[1]}` : r.name;
const browsers = r => r.browsers[0] ? r.browsers[0] === r.browsers[1] ? r.browsers[0]
	: `${r.browsers[0]} ↔ ${r.browsers[1]}` : '';
const about = r => [r.target, browsers(r), r.group && !isCell(r) ? r.group : ''].filter(Boolean).join(' · ');

const many = (n, word) => `${n} ${word}${n === 1 ? '' : 's'}`;
const seconds = ms => ms < 60000 ? `${(ms / 1000).toFixed(1)} s`
	: `${Math.floor(ms / 60000)} min ${Math.round(ms % 60000 / 1000)} s`;
const bytes = n => n < 1024 ? `${n} B` : n < 1048576 ? `${Math.round(n / 1024)} KB` : `${(n / 1048576).toFixed(1)} MB`;
const number = x => Math.abs(x) >= 100 || Number.isInteger(x) ? String(Math.round(x)) : x.toFixed(1);
const measure = (r, name) => r.measures[name] ? `${number(r.measures[name].value)} ${r.measures[name].unit}` : '';

/* ---- the sentences of a failure ---- */

const sentence = text => {
	const m = /^(.*?)(?:;\s*most likely:\s*(.*?))?(?:\s+Look at:?\s+(.*))?$/is.exec(text);
	const [, what, cause, look] = m || [0, text];
	const upper = s => s.charAt(0).toUpperCase() + s.slice(1);
	const full = s => /[.!?…]$/.test(s) ? s : `${s}.`;
	return el('div', 'sentence', upper(full(what)),
		cause && el('span', 'cause', el('b', '', 'Most likely '), upper(full(cause))),
		look && el('span', 'look', el('b', '', 'Look at '), full(look)));
};

const story = r => {
	if (!r.failures.length)
		return null;
	return el('div', isTrouble(r) ? 'story' : 'story soft-story', r.failures.map(sentence));
};

/* ---- head ---- */

const byOutcome = list => {
	const counts = {};
	for (const r of list)
		counts[outcome(r)] = (counts[outcome(r)] || 0) + 1;
	return Object.keys(OUTCOMES).filter(o => counts[o]).map(o => [o, counts[o]]);
};

const drawHead = () => {
	const {run, results} = data;
	const bad = results.some(isTrouble), all = run.passed === run.total && run.total > 0;
	$('verdict').className = bad ? 'failed' : all ? 'passed' : 'other';
	const when = new Date(run.started * 1000);
	$('when').textContent = `${when.toLocaleString(undefined, {dateStyle: 'long', timeStyle: 'short'})}, took ${seconds(run.duration_ms)}`;
	const counts = byOutcome(results);
	$('bar').hidden = !results.length;
	$('bar').append(...counts.map(([o, n]) => {
		const part = el('span', {class: o, title: `${n} ${OUTCOMES[o]}`});
		part.style.flexGrow = n;
		return part;
	}));
	$('counts').append(...counts.map(([o, n]) => el('li', '', el('i', `swatch ${o}`), el('b', '', n), ` ${OUTCOMES[o]}`)));
	if (run.played_again)
		$('counts').append(el('li', 'again', el('b', '', run.played_again), ' played more than once'));
	$('facts').append(...run.facts.map(f =>
		el('div', '', el('dt', '', f.name), el('dd', '', f.text))));
};

/* ---- failures first ---- */

const open = r => { location.hash = `cell-${r.id}`; };

/* Shows failures with the same words once. */
const alike = list => {
	const groups = new Map();
	for (const r of list) {
		const key = r.failures.length ? JSON.stringify([outcome(r), r.failures]) : `only ${r.id}`;
		groups.set(key, [...groups.get(key) || [], r]);
	}
	return [...groups.values()];
};

const card = ([r, ...others]) => el('article', `card ${outcome(r)}-card`,
	el('header', '', el('b', '', title(r)), tag(outcome(r)), el('span', 'soft small', about(r)),
		el('button', {class: 'open link', type: 'button', onclick: () => open(r)}, r.started_ms || r.duration_ms ? 'timeline and evidence' : 'details')),
	others.length ? el('p', 'others small', `and in the same words ${many(others.length, 'other')}: `, others.map((o, i) =>
		[i ? ', ' : '', el('button', {class: 'link', type: 'button', onclick: () => open(o)},
			title(o) + (o.target !== r.target ? ` (${o.target})` : ''))])) : null,
	r.expected && !others.length && el('p', 'small soft', `Theory expects: ${r.expected}.`),
	r.failures.length ? r.failures.slice(0, 3).map(sentence)
		: el('p', 'sentence', `${r.purpose} – ${OUTCOMES[outcome(r)]}${r.step ? ` while ${r.step}` : ''}.`),
	r.failures.length > 3 && el('p', 'soft small more', `and ${many(r.failures.length - 3, 'more check')} of this cell`));

const drawFailures = () => {
	const bad = data.results.filter(isTrouble).sort((x, y) => severity(outcome(y)) - severity(outcome(x)));
	if (!bad.length)
		return;
	const section = $('failures');
	section.hidden = false;
	section.append(el('h2', '', bad.length === 1 ? 'What failed' : `What failed (${bad.length})`));
	const groups = alike(bad);
	section.append(...groups.slice(0, FIRST_FAILURES).map(card));
	if (groups.length > FIRST_FAILURES)
		section.append(el('button', {class: 'button', type: 'button', onclick: e =>
			e.target.replaceWith(...groups.slice(FIRST_FAILURES).map(card))},
		`Show the other ${groups.length - FIRST_FAILURES}`));
};

/* ---- matrix ---- */

const pairKey = r => JSON.stringify(r.kinds);
const worst = list => list.reduce((w, r) => severity(outcome(r)) > severity(outcome(w)) ? r : w);

const drawGrid = (name, list, differing) => {
	const kinds = [];
	for (const r of list)
		for (const k of r.kinds)
			if (!kinds.includes(k))
				kinds.push(k);
	const at = new Map();
	for (const r of list)
		at.set(pairKey(r), [...at.get(pairKey(r)) || [], r]);
	const button = (row, col) => {
		const plays = at.get(JSON.stringify([row, col]));
		if (!plays)
			return null;
		const r = worst(plays), o = outcome(r), differs = differing.has(pairKey(r));
		const text = `${row} × ${col}: ${OUTCOMES[o]}${r.expected ? `; expected ${r.expected}` : ''}` +
			(r.tries > 1 ? `; try ${r.tries}` : '');
		return el('button', {type: 'button', class: `cell ${o}${differs ? ' differs' : ''}`, title: text,
			'aria-label': text, 'data-cell': r.id, onclick: () => open(r)},
		SHORT[o], plays.length > 1 && el('sup', '', `×${plays.length}`));
	};
	const heads = kinds.map(k => el('th', {scope: 'col'}, el('span', '', k)));
	const rows = kinds.map(row => el('tr', '', el('th', {scope: 'row'}, row),
		kinds.map(col => el('td', '', button(row, col)))));
	const light = on => e => {
		const td = e.target.closest('td');
		if (!td || !td.firstChild)
			return;
		td.parentNode.firstChild.classList.toggle('lit', on);
		heads[td.cellIndex - 1].classList.toggle('lit', on);
	};
	return el('div', 'grid', name && el('h3', '', name),
		el('div', 'scroll', el('table', {onmouseover: light(true), onmouseout: light(false)},
			el('thead', '', el('tr', '', el('td'), heads)), el('tbody', '', rows))));
};

/* Pairs of kinds that came out differently against two servers; the same browsers only. */
const findDifferences = cells => {
	const seen = new Map();
	for (const r of cells) {
		const key = JSON.stringify([r.kinds, r.browsers]);
		const of = seen.get(key) || new Map();
		of.set(r.target, [...of.get(r.target) || [], r]);
		seen.set(key, of);
	}
	return [...seen.values()].map(of => [...of.values()].map(worst))
		.filter(list => list.every(r => !['not-run', 'skipped'].includes(outcome(r))) &&
			new Set(list.map(outcome)).size > 1);
};

const drawMatrix = () => {
	const cells = data.results.filter(isCell);
	if (!cells.length)
		return;
	const section = $('matrix'), grids = new Map();
	for (const r of cells) {
		const name = [r.target, browsers(r)].filter(Boolean).join(' · ');
		grids.set(name, [...grids.get(name) || [], r]);
	}
	const differences = findDifferences(cells);
	const differing = new Set(differences.map(list => pairKey(list[0])));
	const used = new Set(cells.map(outcome));
	section.hidden = false;
	section.append(el('h2', '', 'Matrix: who could call whom, and how'),
		el('div', 'grids', [...grids].map(([name, list]) => drawGrid(grids.size > 1 || name ? name : '', list, differing))),
		el('ul', 'legend', Object.keys(OUTCOMES).filter(o => used.has(o)).map(o =>
			el('li', '', el('i', `swatch ${o}`), MEANING[o])),
		differences.length ? el('li', '', '≠ the servers differ here') : null));
	if (differences.length)
		section.append(el('div', 'differences', el('b', '', `${many(differences.length, 'cell')} came out differently:`),
			el('ul', '', differences.slice(0, 30).map(list => el('li', '', `${title(list[0])}: `,
				list.map((r, i) => [i ? ', ' : '', el('button', {class: 'link', type: 'button', onclick: () => open(r)},
					`${r.target} ${OUTCOMES[outcome(r)]}`)]))))));
};

/* ---- other groups ---- */

const drawGroup = (name, list) => {
	const row = r => el('tr', {tabindex: 0, 'data-cell': r.id, onclick: () => open(r),
		onkeydown: e => { if (e.key === 'Enter') open(r); }},
	el('td', '', el('b', '', r.name), el('div', 'purpose', r.purpose)),
	el('td', 'state', tag(r.result === 'passed' ? 'passed' : outcome(r)), r.tries > 1 && el('div', 'purpose', `try ${r.tries}`)),
	el('td', 'path', r.path || el('span', 'soft', '–'), about(r) && el('div', 'purpose', [r.target, browsers(r)].filter(Boolean).join(' · '))),
	el('td', 'num', measure(r, 'connected') || '–'), el('td', 'num', measure(r, 'rtt') || '–'),
	el('td', 'num', seconds(r.duration_ms)));
	return el('section', '', el('h2', '', name), el('table', 'list',
		el('thead', '', el('tr', '', ['Scenario', 'Result', 'Path'].map(h => el('th', {scope: 'col'}, h)),
			['Connected after', 'RTT', 'Took'].map(h => el('th', {scope: 'col', class: 'num'}, h)))),
		el('tbody', '', list.map(row))));
};

const drawGroups = () => {
	const groups = new Map();
	for (const r of data.results.filter(r => !isCell(r)))
		groups.set(r.group, [...groups.get(r.group) || [], r]);
	const name = g => g ? g.charAt(0).toUpperCase() + g.slice(1) : 'Scenarios';
	$('groups').append(...[...groups].map(([g, list]) => drawGroup(name(g), list)));
};

const drawNotes = () => {
	if (!data.left_out.length)
		return;
	$('notes').hidden = false;
	const total = data.left_out.reduce((n, x) => n + x.size, 0);
	$('notes').append(el('h2', '', 'What is not in this file'), el('div', 'panel',
		el('p', '', `${many(data.left_out.length, 'file')} (${bytes(total)}) did not fit: a report stays below ${bytes(data.limit)}, and the largest evidence of passing cells goes first. Run with --keep to have them all.`),
		el('details', '', el('summary', '', 'Which'), el('pre', '', data.left_out.map(x => `${x.cell}/${x.name}  ${bytes(x.size)}`).join('\n')))));
};

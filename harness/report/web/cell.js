/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The second half of report.js: the sheet of one cell, everything on one clock.
 */
const SVG = 'http://www.w3.org/2000/svg';
const svg = (tag, attrs, ...children) => {
	const e = document.createElementNS(SVG, tag);
	for (const [key, value] of Object.entries(attrs || {}))
		e.setAttribute(key, value);
	e.append(...children.flat(9).filter(c => c !== null && c !== undefined));
	return e;
};

const load = r => {
	const block = $(`cell-data-${r.id}`);
	const empty = {steps: [], logs: [], evidence: {}, shots: [], captures: []};
	return block ? {...empty, ...JSON.parse(block.textContent)} : empty;
};

/* Zero of the cell's clock, Unix ms: what the harness noted, else the first thing seen. */
const zero = (r, c) => {
	for (const end of ENDS)
		if (c.evidence[end] && c.evidence[end].started_ms)
			return c.evidence[end].started_ms;
	if (r.started_ms)
		return r.started_ms;
	const times = ENDS.flatMap(end => (c.evidence[end] && c.evidence[end].events || []).map(e => e.t));
	return times.length ? Math.min(...times) : 0;
};

const STAMP = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)/;

const collect = (r, c) => {
	const t0 = zero(r, c), all = [];
	for (const line of c.steps) {
		const m = /^\+(\d+(?:\.\d+)?) (.*)$/.exec(line);
		if (m)
			all.push({t: m[1] * 1000, who: 'harness', text: m[2]});
	}
	for (const end of ENDS)
		for (const e of c.evidence[end] && c.evidence[end].events || [])
			all.push({t: e.t - t0, who: end, kind: String(e.kind), text: String(e.text), bad: e.bad});
	for (const log of c.logs)
		if (/^(server|turn)/.test(log.name) && t0)
			for (const line of log.lines) {
				const m = STAMP.exec(line);
				if (m)
					all.push({t: Date.parse(m[0]) - t0, who: 'server', bad: /level=(error|warn)/.test(line),
						text: line.replace(m[0], '').replace(/^\s*ts=\s*/, '').trim()});
			}
	const steps = all.filter(e => e.who === 'harness');
	const until = Math.max(r.duration_ms, ...all.filter(e => e.who !== 'server').map(e => e.t), 1000);
	return {t0, steps, until, all: all.filter(e => e.t >= -5000 && e.t <= until + 60000)
		.sort((x, y) => x.t - y.t)};
};

/* The states one end's newest connection went through, as spans. */
const spans = (all, end, until) => {
	const out = [];
	for (const e of all)
		if (e.who === end && e.kind === 'connection') {
			if (out.length)
				out.at(-1).to = e.t;
			out.push({from: e.t, to: until, state: e.text});
		}
	return out;
};

const LEFT = 104, RIGHT = 12;
const niceStep = (span, n) => {
	const raw = span / n, power = 10 ** Math.floor(Math.log10(raw));
	return [1, 2, 5, 10].map(m => m * power).find(s => s >= raw);
};
const clip = (text, width) => {
	const n = Math.floor(width / 6.1);
	return n < 3 ? '' : text.length <= n ? text : `${text.slice(0, n - 1)}…`;
};

const drawAxis = (g, x, range, top, bottom) => {
	const step = niceStep(range[1] - range[0], Math.max(3, Math.floor((x(range[1]) - LEFT) / 110)));
	for (let t = Math.ceil(range[0] / step) * step; t <= range[1]; t += step)
		g.append(svg('line', {class: 'gridline', x1: x(t), x2: x(t), y1: top, y2: bottom}),
			svg('text', {x: x(t), y: bottom + 13, 'text-anchor': 'middle'},
				`${+(t / 1000).toFixed(3)} s`));
};

const drawTimeline = (view, range, width, names) => {
	const x = t => LEFT + (t - range[0]) / (range[1] - range[0]) * (width - LEFT - RIGHT);
	const inside = (from, to) => to >= range[0] && from <= range[1];
	const H = 30, hasServer = view.all.some(e => e.who === 'server');
	const lanes = ['harness', ...ENDS, ...hasServer ? ['server'] : []];
	const bottom = 6 + lanes.length * H;
	const g = svg('svg', {viewBox: `0 0 ${width} ${bottom + 18}`, height: bottom + 18, role: 'img',
		'aria-label': 'timeline of the harness, both ends and the server'});
	const box = (from, to, y, h, cls, text, tip, textCls) => {
		const x1 = Math.max(x(from), LEFT), x2 = Math.min(x(to), width - RIGHT);
		if (!inside(from, to) || x2 - x1 < .3)
			return;
		g.append(svg('g', {}, svg('title', {}, tip),
			svg('rect', {class: cls, x: x1, y, width: Math.max(1, x2 - x1), height: h, rx: 3}),
			svg('text', {class: textCls, x: x1 + 5, y: y + h / 2 + 3.6}, clip(text, x2 - x1 - 8))));
	};
	drawAxis(g, x, range, 4, bottom);
	lanes.forEach((lane, i) => {
		const y = 8 + i * H;
		g.append(svg('text', {class: 'name', x: 0, y: y + 16}, names[lane] || lane));
		if (lane === 'harness')
			view.steps.forEach((s, k) => box(s.t, k + 1 < view.steps.length ? view.steps[k + 1].t : view.until,
				y, 20, 'step', s.text, `+${(s.t / 1000).toFixed(3)} s: ${s.text}`, 'step-text'));
		else if (lane !== 'server')
			for (const s of spans(view.all, lane, view.until))
				box(s.from, s.to, y + 6, 14, `state ${s.state}`, s.state,
					`${s.state} from +${(s.from / 1000).toFixed(3)} s`, `state-text ${s.state}`);
		for (const e of view.all)
			if (e.who === lane && lane !== 'harness' && inside(e.t, e.t))
				g.append(svg('line', {class: `tick ${lane}${e.bad ? ' bad' : ''}`, x1: x(e.t), x2: x(e.t),
					y1: lane === 'server' ? y + 2 : y - 3, y2: lane === 'server' ? y + 18 : y + (e.bad ? 21 : 4)},
				svg('title', {}, `+${(e.t / 1000).toFixed(3)} s ${e.kind || ''} ${e.text}`)));
	});
	return g;
};

/* ---- stats over time ---- */

const CHARTS = [
	{name: 'received', unit: 'kbit/s', least: 100, of: (p, q, dt) => (q.in - p.in) * 8 / dt},
	{name: 'frames', unit: 'fps', least: 10, of: (p, q, dt) => (q.frames - p.frames) * 1000 / dt},
	{name: 'round trip', unit: 'ms', least: 10, of: (p, q) => q.rtt},
	{name: 'lost', unit: '%', least: 5, of: (p, q) => {
		const lost = q.lost - p.lost, got = q.received - p.received;
		return lost + got > 0 ? Math.max(0, 100 * lost / (lost + got)) : null;
	}},
];

const readSeries = (evidence, t0) => {
	const s = evidence && evidence.series;
	return s ? s.rows.map(row => {
		const o = Object.fromEntries(s.fields.map((f, i) => [f, row[i]]));
		return {...o, t: o.t - t0};
	}) : [];
};

const points = (rows, chart) => rows.slice(1).map((q, i) => {
	const p = rows[i], dt = q.t - p.t;
	/* Counters of another connection begin again. */
	const v = p.pc === q.pc && dt > 0 ? chart.of(p, q, dt) : null;
	return {t: q.t, v: v === null || v === undefined || !(v >= 0) ? null : v};
});

const drawChart = (chart, lines, range, width, last) => {
	const H = 62, x = t => LEFT + (t - range[0]) / (range[1] - range[0]) * (width - LEFT - RIGHT);
	const shown = lines.map(l => l.filter(p => p.t >= range[0] && p.t <= range[1]));
	const top = Math.max(chart.least, ...shown.flat().map(p => p.v || 0)) * 1.08;
	const y = v => 8 + (1 - v / top) * (H - 12);
	const g = svg('svg', {viewBox: `0 0 ${width} ${H + (last ? 18 : 4)}`, height: H + (last ? 18 : 4), role: 'img',
		'aria-label': `${chart.name} in ${chart.unit} over time`});
	if (last)
		drawAxis(g, x, range, 4, H);
	g.append(svg('line', {class: 'gridline', x1: LEFT, x2: width - RIGHT, y1: y(0), y2: y(0)}),
		svg('text', {class: 'name', x: 0, y: 18}, chart.name), svg('text', {x: 0, y: 32}, chart.unit),
		svg('text', {x: LEFT - 5, y: 16, 'text-anchor': 'end'}, number(top / 1.08)),
		svg('text', {x: LEFT - 5, y: y(0) + 3, 'text-anchor': 'end'}, '0'));
	shown.forEach((line, i) => {
		let d = '', pen = false;
		for (const p of line) {
			if (p.v !== null)
				d += `${pen ? 'L' : 'M'}${x(p.t).toFixed(1)} ${y(p.v).toFixed(1)}`;
			pen = p.v !== null;
		}
		g.append(svg('path', {class: `line ${ENDS[i]}`, d}));
	});
	const cross = svg('line', {class: 'cross', y1: 4, y2: H, visibility: 'hidden'});
	const read = svg('text', {class: 'read', x: width - RIGHT, y: 14, 'text-anchor': 'end'});
	g.append(cross, read);
	/* The values next to a moment, or none. */
	g.show = t => {
		cross.setAttribute('visibility', t === null ? 'hidden' : 'visible');
		read.textContent = '';
		if (t === null)
			return;
		cross.setAttribute('x1', x(t));
		cross.setAttribute('x2', x(t));
		read.textContent = shown.map((line, i) => {
			const near = line.filter(p => p.v !== null && Math.abs(p.t - t) < 1500)
				.sort((p, q) => Math.abs(p.t - t) - Math.abs(q.t - t))[0];
			return near ? `${ENDS[i]} ${number(near.v)}` : '';
		}).filter(Boolean).join('   ');
	};
	return g;
};

/* ---- the parts of a cell's sheet ---- */

const endNames = r => Object.fromEntries(ENDS.map((end, i) => [end, `${end}: ${['alice', 'bob'][i]}`]));

const drawTime = (r, c) => {
	const view = collect(r, c);
	if (!view.all.length)
		return null;
	const series = ENDS.map(end => readSeries(c.evidence[end], view.t0));
	const charts = CHARTS.filter(() => series.some(s => s.length > 1));
	const pageEvents = view.all.filter(e => ENDS.includes(e.who));
	const made = pageEvents.find(e => e.kind === 'pc');
	const joined = pageEvents.findLast(e => e.kind === 'connection' && ['connected', 'failed'].includes(e.text));
	const whole = [0, view.until];
	const setup = made && joined && joined.t > made.t ? [Math.max(0, made.t - 150), joined.t + 250] : null;
	let range = whole;
	const stage = el('div'), tools = el('div', 'tools');
	const draw = () => {
		const width = Math.max(300, stage.clientWidth);
		const graphs = charts.map((chart, i) => drawChart(chart, series.map(s => points(s, chart)), range, width, i === charts.length - 1));
		stage.replaceChildren(drawTimeline(view, range, width, endNames(r)), ...graphs);
		stage.onpointermove = e => {
			const px = (e.clientX - stage.getBoundingClientRect().left) / stage.clientWidth * width;
			const t = px < LEFT ? null : range[0] + (px - LEFT) / (width - LEFT - RIGHT) * (range[1] - range[0]);
			graphs.forEach(g => g.show(t));
		};
		stage.onpointerleave = () => graphs.forEach(g => g.show(null));
	};
	const choose = (name, to) => el('button', {type: 'button', class: 'button', 'aria-pressed': to === range, onclick: e => {
		range = to;
		for (const b of tools.children)
			b.setAttribute('aria-pressed', b === e.currentTarget);
		draw();
	}}, name);
	if (setup)
		tools.append(choose('whole cell', whole), choose(`until ${joined.text}`, setup));
	let width = 0;
	new ResizeObserver(() => {
		if (stage.clientWidth !== width && stage.clientWidth > 0) {
			width = stage.clientWidth;
			requestAnimationFrame(draw); /* not within the observer: it may change sizes again */
		}
	}).observe(stage);
	const ends = ENDS.map(end => {
		const i = el('i', end);
		i.style.setProperty('--c', `var(--end-${end})`);
		return el('span', '', i, endNames(r)[end]);
	});
	const rows = view.all.map(e => el('tr', `${e.who}${e.bad ? ' bad' : ''}`,
		el('td', '', `+${(e.t / 1000).toFixed(3)}`), el('td', '', e.who),
		el('td', '', e.kind ? `${e.kind}: ${e.text}` : e.text)));
	return el('section', '', el('div', 'axis-head', el('h3', '', 'Timeline'), el('div', 'ends', ends), tools), stage,
		el('details', {class: 'all-events'}, el('summary', '', `All of it in order `, el('span', '', many(rows.length, 'event'))),
			el('div', 'events', el('table', '', el('tbody', '', rows)))));
};

const over = c => c.type === 'relay' && c.relayProtocol ? `relay over ${c.relayProtocol}` : c.type || '?';
const where = c => !c.address ? 'hidden by the browser' : `${c.address.includes(':') ? `[${c.address}]` : c.address}:${c.port}`;
const same = (c, d) => c && d && c.type === d.type && c.port === d.port && (c.address || '') === (d.address || '') &&
	(c.relayProtocol || '') === (d.relayProtocol || '');

const drawCandidates = (r, c) => {
	const t0 = zero(r, c);
	const table = (list, chosen) => el('table', 'cands',
		el('thead', '', el('tr', '', ['Type', 'Address', 'Server', 'At'].map(h => el('th', '', h)))),
		el('tbody', '', list.map(k => el('tr', same(k, chosen) ? 'chosen' : '',
			el('td', '', over(k), k.protocol && k.type !== 'relay' ? ` ${k.protocol}` : ''), el('td', 'mono', where(k)),
			el('td', 'mono', k.url || ''), el('td', 'mono', k.t ? `+${((k.t - t0) / 1000).toFixed(3)}` : '')))));
	const part = end => {
		const e = c.evidence[end];
		if (!e)
			return null;
		const pair = (e.pairs || []).findLast(p => p.selected);
		const count = e.candidates.local.length;
		return el('div', '', el('h3', '', `${endNames(r)[end]} `, el('span', 'soft small', `gathered ${count || 'none'}`)),
			el('p', 'chosen-pair', pair ? ['chosen: ', el('b', '', over(pair.local)), ' ', el('span', 'mono', where(pair.local)),
				' → ', el('b', '', over(pair.remote)), ' ', el('span', 'mono', where(pair.remote))]
				: el('span', 'soft', 'no pair was chosen')),
			table(e.candidates.local, pair && pair.local),
			el('details', '', el('summary', '', 'From the other end ', el('span', '', many(e.candidates.remote.length, 'candidate'))),
				table(e.candidates.remote, pair && pair.remote)));
	};
	const parts = ENDS.map(part).filter(Boolean);
	return parts.length ? el('section', '', el('h3', '', 'Candidates'), el('div', 'two', parts)) : null;
};

const drawShots = (r, c) => {
	if (!c.shots.length)
		return null;
	const box = el('div', 'two shots', c.shots.map(s => el('figure', '',
		el('img', {src: `data:image/png;base64,${s.data}`, alt: s.name, onclick: () => box.classList.toggle('zoomed')}),
		el('figcaption', '', s.name))));
	return el('section', '', el('h3', '', 'What the pages showed'), box);
};

const save = capture => {
	const raw = atob(capture.data), out = new Uint8Array(raw.length);
	for (let i = 0; i < raw.length; i++)
		out[i] = raw.charCodeAt(i);
	const a = el('a', {href: URL.createObjectURL(new Blob([out], {type: 'application/vnd.tcpdump.pcap'})), download: capture.name});
	document.body.append(a);
	a.click();
	a.remove();
};

const drawFiles = (r, c) => {
	const logs = c.logs.filter(l => l.lines.length).map(l => el('details', '',
		el('summary', '', l.name, ' ', el('span', '', l.cut ? `the last ${l.lines.length} lines of ${bytes(l.size)}` : many(l.lines.length, 'line'))),
		el('pre', '', l.lines.join('\n'))));
	const captures = c.captures.map(p => el('p', '', p.data
		? el('button', {type: 'button', class: 'link capture', onclick: () => save(p)}, p.name)
		: el('span', '', p.name), ` ${bytes(p.size)}${p.data ? ', for Wireshark' : ': too large to lie in the report; see the artifacts (--keep)'}`));
	if (!logs.length && !captures.length)
		return null;
	return el('section', '', captures.length ? el('div', 'files', el('h3', '', 'Packets'), captures) : null,
		logs.length ? el('div', 'files', el('h3', '', 'Logs'), logs) : null);
};

const NAMES = {
	connected: 'Connected after', rtt: 'Round trip', echo: 'Echo after', picture_delay: 'Picture delay',
	frame_rate_a: 'Frame rate at a', frame_rate_b: 'Frame rate at b', cpu_pressure: 'CPU pressure',
	lab: 'Lab built in', probe: 'NATs proven in', appliance_ready: 'Server ready after',
};

const drawKeys = r => {
	const rows = [['Took', seconds(r.duration_ms)], ...Object.keys(r.measures).map(name =>
		[NAMES[name] || name.replace(/_/g, ' '), measure(r, name)])];
	return el('dl', 'keys', r.expected && el('div', 'wide', el('dt', '', 'Theory expects'), el('dd', '', r.expected)),
		r.path && el('div', 'wide', el('dt', '', 'It ran'), el('dd', '', r.path)),
		r.tries > 1 && el('div', 'wide again', el('dt', '', `Played ${r.tries} times`), el('dd', '', r.played_again || 'its lab or browsers failed')),
		rows.map(([k, v]) => el('div', '', el('dt', '', k), el('dd', '', v))));
};

/* Evidence is what a page under test said: where it makes no sense, the rest is still shown. */
const part = (r, c) => draw => {
	try {
		return draw(r, c);
	} catch (e) {
		return el('p', 'soft', `A part of this cell's evidence cannot be drawn: ${e.message}.`);
	}
};

const drawSheet = r => {
	const c = load(r), to = d => data.results[(r.id + d + data.results.length) % data.results.length];
	const left = data.left_out.filter(x => x.id === r.id);
	$('sheet').replaceChildren(
		el('div', 'sheet-top', el('h2', {id: 'sheet-title', tabindex: -1, autofocus: ''}, title(r)), tag(outcome(r)), el('span', 'soft small', about(r)),
			el('nav', '', el('button', {class: 'button', type: 'button', title: 'previous cell', 'aria-label': 'previous cell', onclick: () => open(to(-1))}, '←'),
				el('button', {class: 'button', type: 'button', title: 'next cell', 'aria-label': 'next cell', onclick: () => open(to(1))}, '→'),
				el('button', {class: 'button close', type: 'button', onclick: () => $('sheet').close()}, 'Close'))),
		el('div', 'sheet-body', el('p', 'purpose', r.purpose), story(r) ||
			(r.result === 'interrupted' && r.step ? el('p', 'story', `It was stopped while ${r.step}.`) : ''),
		drawKeys(r), [drawTime, drawCandidates, drawShots, drawFiles].map(part(r, c)),
		left.length ? el('p', 'soft small', `Not in this report: ${left.map(x => `${x.name} (${bytes(x.size)})`).join(', ')}.`) : ''));
};

const follow = () => {
	const m = /^#cell-(\d+)$/.exec(location.hash), r = m && data.results[m[1]];
	if (!r) {
		if ($('sheet').open)
			$('sheet').close();
		return;
	}
	drawSheet(r);
	if (!$('sheet').open)
		$('sheet').showModal();
	$('sheet').scrollTop = 0;
	document.body.classList.add('reading');
};

$('sheet').addEventListener('close', () => {
	document.body.classList.remove('reading');
	$('sheet').replaceChildren();
	if (location.hash)
		history.replaceState(null, '', location.pathname + location.search);
});
$('sheet').addEventListener('click', e => { if (e.target === $('sheet')) $('sheet').close(); });
addEventListener('hashchange', follow);

data.results.forEach((r, id) => { r.id = id; });
drawHead();
drawFailures();
drawMatrix();
drawGroups();
drawNotes();
follow();

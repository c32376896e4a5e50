/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Runs in every page before inject.js, which lies behind it in one script.
 * Keeps a diary of what the page does, without its help: events, candidates,
 * and the connection's stats twice a second. harness.evidence() reads it, also
 * when the call is long over. All of it is bounded.
 */
(() => {
	'use strict';
	const FIRST_EVENTS = 250, LAST_EVENTS = 150; /* what lies between is counted only */
	const SAMPLES = 600, SAMPLE_MS = 500;
	const CANDIDATES = 150, PAIRS = 40;
	const RESTART = 'ICE restart asked for';
	const FIELDS = ['t', 'pc', 'in', 'out', 'lost', 'received', 'frames', 'fps', 'rtt', 'jitter', 'pair'];
	const harness = {};
	Object.defineProperty(window, 'harness', {value: harness});

	/* ---- the diary ---- */

	const first = [], last = [];
	let skipped = 0;

	/* Notes what happened now. bad: it should not have. */
	harness.note = (kind, text, bad) => {
		const event = {t: Date.now(), kind, text: String(text).slice(0, 300)};
		if (bad)
			event.bad = true;
		if (first.length < FIRST_EVENTS) {
			first.push(event);
			return;
		}
		last.push(event);
		if (last.length > LAST_EVENTS) {
			last.shift();
			skipped++;
		}
	};
	const {note} = harness;

	const name = e => {
		if (!e || !e.tagName)
			return 'the page';
		const own = e.closest('[id], [data-name], button, a') || e;
		return own.tagName.toLowerCase() + (own.id ? `#${own.id}` : '') +
			(own.dataset.name ? `[${own.dataset.name}]` : '');
	};
	addEventListener('click', e => note('click', name(e.target)), true);
	addEventListener('DOMContentLoaded', () => note('page', `parsed ${location.pathname}`));
	addEventListener('load', () => note('page', 'loaded'));
	addEventListener('pagehide', () => note('page', 'left'));
	addEventListener('error', e => note('exception', e.message || 'a resource did not load', true), true);
	addEventListener('unhandledrejection', e => note('exception', e.reason, true));
	addEventListener('online', () => note('page', 'online'));
	addEventListener('offline', () => note('page', 'offline'));

	/* The hub's connection, and any other. leave(): the page is not to come back under its name, as it
	 * may after it was loaded again. Those who speak other protocols ask for no subprotocol. */
	const sockets = new Set();
	harness.leave = () => sockets.forEach(s => s.readyState === 1 && s.protocol === 'json' &&
		s.send('{"type":"leave"}'));
	if (window.WebSocket) {
		const Native = window.WebSocket;
		window.WebSocket = class WebSocket extends Native {
			constructor(...args) {
				super(...args);
				sockets.add(this);
				note('websocket', `connecting to ${this.url}`);
				this.addEventListener('open', () => note('websocket', 'open'));
				this.addEventListener('error', () => note('websocket', 'error', true));
				this.addEventListener('close', e => note('websocket',
					`closed ${e.code}${e.reason ? ` ${e.reason}` : ''}`, ![1000, 1001, 1005].includes(e.code)));
			}
		};
	}

	/* ---- connections ---- */

	const entries = []; /* {pc, n, local, remote, pairs, told: id of the pair noted last} */

	const describe = c => ({
		type: c.candidateType || c.type || '', protocol: c.protocol || '',
		relayProtocol: c.relayProtocol || '', address: c.address || '', port: c.port || 0,
		url: c.url || '',
	});
	const words = c => !c ? '?' : c.type + (c.relayProtocol ? `-${c.relayProtocol}` : '');
	const place = c => c.address ? ` ${c.address}:${c.port}` : '';

	const keep = (list, c, n) => {
		if (list.length < CANDIDATES)
			list.push({t: Date.now(), pc: n, ...describe(c)});
	};

	const parse = line => {
		try {
			return new RTCIceCandidate({candidate: line, sdpMid: '0'});
		} catch (e) {
			return null;
		}
	};

	const addRemote = (entry, c) => {
		if (!c || !c.type)
			return;
		note('remote candidate', `${c.type} ${c.protocol}${place(c)}`);
		keep(entry.remote, c, entry.n);
	};

	/* ---- stats: Chromium and Firefox name the chosen pair differently ---- */

	harness.selectedPair = stats => {
		const all = [...stats.values()];
		const transport = all.find(s => s.type === 'transport' && s.selectedCandidatePairId);
		const pairs = all.filter(s => s.type === 'candidate-pair');
		return (transport && stats.get(transport.selectedCandidatePairId)) ||
			pairs.find(p => p.selected) ||
			pairs.filter(p => p.nominated && p.state === 'succeeded')
				.sort((p, q) => (q.bytesReceived || 0) - (p.bytesReceived || 0))[0] || null;
	};

	const withStats = (entry, stats) => {
		const selected = harness.selectedPair(stats);
		const pairs = [];
		for (const s of stats.values()) {
			if (s.type !== 'candidate-pair')
				continue;
			const local = stats.get(s.localCandidateId), remote = stats.get(s.remoteCandidateId);
			if (local && remote)
				pairs.push({pc: entry.n, local: describe(local), remote: describe(remote), state: s.state,
					nominated: !!s.nominated, selected: !!selected && s.id === selected.id,
					in: s.bytesReceived || 0, out: s.bytesSent || 0});
		}
		/* The chosen one and those that worked first: they are what is looked for. */
		const rank = p => p.selected ? 0 : p.state === 'succeeded' ? 1 : 2;
		entry.pairs = pairs.sort((p, q) => rank(p) - rank(q)).slice(0, PAIRS);
		/* An RTCIceCandidate may not say how its relay is reached; the stats do. */
		for (const s of stats.values()) {
			if (s.type !== 'local-candidate')
				continue;
			const known = entry.local.find(c => c.type === s.candidateType && c.port === s.port &&
				c.protocol === s.protocol && (!c.address || !s.address || c.address === s.address) &&
				(!c.relayProtocol || !s.relayProtocol || c.relayProtocol === s.relayProtocol));
			if (known) {
				known.relayProtocol = known.relayProtocol || s.relayProtocol || '';
				known.url = known.url || s.url || '';
			}
		}
		const chosen = entry.pairs.find(p => p.selected);
		const told = chosen ? `${words(chosen.local)}${place(chosen.local)} to ${words(chosen.remote)}${place(chosen.remote)}` : '';
		if (told && selected.id !== entry.told)
			note('chosen pair', told);
		entry.told = told ? selected.id : entry.told;
		return chosen;
	};

	const row = (entry, stats, chosen) => {
		const selected = harness.selectedPair(stats) || {};
		const sum = {in: 0, out: 0, lost: 0, received: 0, frames: 0, fps: 0, jitter: 0};
		let rtt = selected.currentRoundTripTime, carrier = selected;
		for (const s of stats.values()) {
			if (s.type === 'transport' && s.bytesReceived !== undefined)
				carrier = s;
			if (s.type === 'remote-inbound-rtp' && !rtt && s.roundTripTime !== undefined)
				rtt = s.roundTripTime; /* Firefox measures it here */
			if (s.type === 'outbound-rtp')
				sum.out += s.bytesSent || 0;
			if (s.type !== 'inbound-rtp')
				continue;
			sum.in += s.bytesReceived || 0;
			sum.lost += s.packetsLost || 0;
			sum.received += s.packetsReceived || 0;
			sum.jitter = Math.max(sum.jitter, s.jitter || 0);
			if (s.kind === 'video') {
				sum.frames += s.framesDecoded || 0;
				sum.fps += s.framesPerSecond || 0;
			}
		}
		const tenth = x => x === undefined ? null : Math.round(x * 10) / 10;
		return [Date.now(), entry.n, carrier.bytesReceived || sum.in, carrier.bytesSent || sum.out,
			sum.lost, sum.received, sum.frames, tenth(sum.fps),
			rtt === undefined ? null : tenth(rtt * 1000), tenth(sum.jitter * 1000),
			chosen ? `${words(chosen.local)}/${words(chosen.remote)}` : ''];
	};

	let series = [], stride = 1, sampledAt = 0, sampling = false, timer = 0;

	const newest = () => entries.filter(e => e.pc.connectionState !== 'closed').at(-1);

	const sample = async entry => {
		const stats = await entry.pc.getStats();
		const chosen = withStats(entry, stats);
		/* Samples between two beats were for the pair only. */
		if (entry.pc.connectionState === 'closed' || Date.now() - sampledAt < SAMPLE_MS * stride * 0.7)
			return;
		sampledAt = Date.now();
		series.push(row(entry, stats, chosen));
		if (series.length > SAMPLES) {
			/* Every other one goes, and from now on half as many come. */
			series = series.filter((_, i) => i % 2 === 0);
			stride *= 2;
		}
	};

	const tick = async () => {
		const entry = newest();
		if (!entry) {
			clearInterval(timer);
			timer = 0;
			return;
		}
		if (sampling)
			return;
		sampling = true;
		try {
			await sample(entry);
		} catch (e) {
			/* It was closed meanwhile. */
		}
		sampling = false;
	};

	const watchTrack = track => {
		for (const what of ['mute', 'unmute', 'ended'])
			track.addEventListener(what, () => note('track', `${track.kind} ${what}`));
	};

	const watchChannel = channel => {
		for (const what of ['open', 'closing', 'close'])
			channel.addEventListener(what, () => note('data channel', `${channel.label} ${what}`));
		channel.addEventListener('error', e =>
			note('data channel', `${channel.label} ${e.error ? e.error.message : 'error'}`, true));
	};

	/* If the browser reports the change of the pair itself, records it to the millisecond. */
	const watchTransports = pc => {
		for (const sender of pc.getSenders()) {
			const ice = sender.transport && sender.transport.iceTransport;
			if (!ice || ice.harnessWatched)
				continue;
			ice.harnessWatched = true;
			ice.addEventListener('selectedcandidatepairchange', () => { tick(); });
		}
	};

	if (window.RTCPeerConnection) {
		const Native = window.RTCPeerConnection;
		window.RTCPeerConnection = class RTCPeerConnection extends Native {
			#entry;
			constructor(...args) {
				super(...args);
				const n = entries.length, entry = {pc: this, n, local: [], remote: [], pairs: [], told: ''};
				const servers = (args[0] && args[0].iceServers || []).flatMap(s => s.urls || s.url || []);
				this.#entry = entry;
				entries.push(entry);
				note('pc', `made${n ? `, number ${n + 1}` : ''}, ${servers.length ? servers.join(' ') : 'no ICE servers'}`);
				note('connection', 'new');
				this.addEventListener('signalingstatechange', () => {
					note('signaling', this.signalingState);
					watchTransports(this);
				});
				this.addEventListener('icegatheringstatechange', () => note('gathering', this.iceGatheringState));
				this.addEventListener('iceconnectionstatechange', () =>
					note('ice', this.iceConnectionState, ['failed', 'disconnected'].includes(this.iceConnectionState)));
				this.addEventListener('connectionstatechange', () => {
					note('connection', this.connectionState, ['failed', 'disconnected'].includes(this.connectionState));
					tick();
				});
				this.addEventListener('icecandidate', e => {
					if (!e.candidate || !e.candidate.type)
						return;
					note('local candidate', `${words(e.candidate)} ${e.candidate.protocol}${place(e.candidate)}`);
					keep(entry.local, {...describe(e.candidate), url: e.candidate.url || e.url || ''}, n);
				});
				this.addEventListener('icecandidateerror', e =>
					note('candidate error', `${e.errorCode} ${e.errorText} (${e.url})`, true));
				this.addEventListener('negotiationneeded', () => note('pc', 'negotiation needed'));
				this.addEventListener('track', e => {
					note('track', `${e.track.kind} from the other end`);
					watchTrack(e.track);
				});
				this.addEventListener('datachannel', e => {
					note('data channel', `${e.channel.label} from the other end`);
					watchChannel(e.channel);
				});
				timer = timer || setInterval(tick, SAMPLE_MS);
			}
			addIceCandidate(c, ...rest) {
				const line = c && c.candidate;
				if (line)
					addRemote(this.#entry, parse(line));
				return super.addIceCandidate(c, ...rest);
			}
			setRemoteDescription(description, ...rest) {
				const sdp = description && description.sdp || '';
				for (const [, line] of sdp.matchAll(/^a=(candidate:[^\r\n]*)/gm))
					addRemote(this.#entry, parse(line));
				return super.setRemoteDescription(description, ...rest);
			}
			createDataChannel(...args) {
				const channel = super.createDataChannel(...args);
				watchChannel(channel);
				return channel;
			}
			restartIce() {
				note('pc', RESTART);
				super.restartIce();
			}
			close() {
				if (this.connectionState !== 'closed')
					note('connection', 'closed');
				super.close();
			}
		};
	}

	/* The candidates of the newest connection that signaling should carry and has carried, and
	 * those that it should not have carried since a moment (Unix ms). */
	harness.tally = (since = 0) => {
		const entry = entries.at(-1);
		const told = list => [...new Set(list.map(c =>
			`${c.type} ${c.protocol.toLowerCase()} ${c.address}:${c.port}`))];
		const late = [...first, ...last].filter(e => e.t >= since);
		/* Before, ICE may have failed for want of candidates that were still to come. */
		const up = late.find(e => e.kind === 'connection' && e.text === 'connected');
		return {
			sent: entry ? told(entry.local) : [], got: entry ? told(entry.remote) : [],
			full: !!entry && entry.remote.length === CANDIDATES, /* more came than is known */
			websocket: late.filter(e => e.bad && e.kind === 'websocket').map(e => e.text),
			restarts: late.filter(e => up && e.t > up.t && e.kind === 'pc' && e.text === RESTART).length,
		};
	};

	/* The observations since a moment (Unix ms), for the report. */
	harness.evidence = async (since = 0) => {
		await tick();
		const late = list => list.filter(x => x.t >= since);
		const gap = skipped ? [{t: last[0].t, kind: 'diary', text: `${skipped} events before this one are left out`}] : [];
		return {
			events: late([...first, ...gap, ...last]),
			candidates: {local: late(entries.flatMap(e => e.local)), remote: late(entries.flatMap(e => e.remote))},
			pairs: entries.slice(-8).flatMap(e => e.pairs),
			series: {fields: FIELDS, rows: series.filter(r => r[0] >= since)},
		};
	};
})();

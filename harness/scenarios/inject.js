/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Runs in every page before the page's own scripts. Watches the page without
 * its help: records each RTCPeerConnection, and stands in for camera and
 * microphone with a picture and a tone that say whose they are.
 *
 * The picture is 8 x 4 blocks, black for 0 and white for 1, first bit top left:
 *   8 bits peer, 18 bits of the clock in ms, 6 bits check
 */
(config => {
	'use strict';
	if (!navigator.mediaDevices)
		return; /* about:blank, between two pages: it has no calls */
	/* The page's place for an API token that its user has typed once. */
	if (config.token && new URL(config.token.url).origin === location.origin)
		localStorage.setItem('turnpike.key', config.token.text);
	const WIDTH = 320, HEIGHT = 240, COLS = 8, ROWS = 4;
	const CLOCK_MASK = 0x3ffff;
	const FLOWING = 3; /* frames */
	const harness = Object.assign(window.harness, {connections: [], lastClickAt: 0}); /* evidence.js made it */

	document.addEventListener('click', () => { harness.lastClickAt = Date.now(); }, true);

	/* ---- a data channel beside the page's own media ---- */

	/* Both ends make it, so that it needs no announcement. Messages come back as they were. */
	const echoChannel = pc => {
		const channel = pc.createDataChannel('harness', {negotiated: true, id: 1000});
		channel.onmessage = e => {
			const [kind, text] = e.data.split(' ');
			if (kind === 'ask')
				channel.send(`answer ${text}`);
			else
				channel.dispatchEvent(new CustomEvent('answer', {detail: text}));
		};
		return channel;
	};

	/* Milliseconds there and back, or -1. Longer than a packet may be: fragments must pass, too. */
	const echo = (channel, ms) => new Promise(done => {
		const text = `${Math.random()}${'.'.repeat(4000)}`;
		const started = performance.now();
		const ask = () => channel.send(`ask ${text}`);
		setTimeout(() => done(-1), ms);
		channel.addEventListener('answer', e => {
			if (e.detail === text)
				done(performance.now() - started);
		});
		if (channel.readyState === 'open')
			ask();
		else
			channel.addEventListener('open', ask);
	});

	/* ---- every connection of the page ---- */

	/* The harness's overrides: `servers` instead of the page's ICE servers, `only` this one URI
	 * of them, `policy` instead of its iceTransportPolicy. */
	let ice = {};
	harness.setIce = wanted => {
		ice = wanted;
		return true;
	};

	/* The URIs that the page itself was given, and the names and passwords for them. */
	harness.given = [];
	let servers = -1; /* the number of URIs that its newest connection may use, from any source */
	harness.secrets = new Set();
	const urlsOf = server => [].concat(server.urls || server.url || []);

	const adapt = configuration => {
		const out = {...configuration};
		const given = out.iceServers || [];
		servers = (ice.servers || given).flatMap(urlsOf).length;
		harness.given = given.flatMap(urlsOf);
		given.flatMap(s => [s.username, s.credential]).forEach(s => s && harness.secrets.add(s));
		out.iceServers = (ice.servers || given)
			.map(s => ({...s, urls: urlsOf(s).filter(u => !ice.only || u === ice.only)}))
			.filter(s => s.urls.length);
		if (ice.policy)
			out.iceTransportPolicy = ice.policy;
		return out;
	};

	const Native = window.RTCPeerConnection;
	window.RTCPeerConnection = class RTCPeerConnection extends Native {
		constructor(configuration, ...more) {
			super(adapt(configuration), ...more);
			const entry = {pc: this, connectedAt: 0, failedAt: 0, errors: [],
				channel: echoChannel(this)};
			harness.connections.push(entry);
			this.addEventListener('connectionstatechange', () => {
				if (this.connectionState === 'connected' && !entry.connectedAt)
					entry.connectedAt = Date.now();
				if (this.connectionState === 'failed')
					entry.failedAt = Date.now();
			});
			this.addEventListener('icecandidateerror', e => {
				entry.errors.push(`${e.errorCode} ${e.errorText} (${e.url})`);
			});
		}

		setConfiguration(configuration) {
			super.setConfiguration(adapt(configuration));
		}
	};

	/* The one a call runs on: the newest that is not closed, else the newest. */
	const current = () => {
		const open = harness.connections.filter(c => c.pc.connectionState !== 'closed');
		return open.at(-1) || harness.connections.at(-1) || null;
	};

	/* ---- camera and microphone ---- */

	const check = (peer, clock) =>
		((peer & 63) ^ (peer >> 6) ^ (clock & 63) ^ (clock >> 6 & 63) ^ (clock >> 12) ^ 0x2a) & 63;

	let paints = 0;

	const paint = g => {
		paints++;
		const clock = Date.now() & CLOCK_MASK;
		const bits = [];
		const push = (value, n) => {
			for (let i = n - 1; i >= 0; i--)
				bits.push(value >> i & 1);
		};
		push(config.peer, 8);
		push(clock, 18);
		push(check(config.peer, clock), 6);
		bits.forEach((bit, i) => {
			g.fillStyle = bit ? '#fff' : '#000';
			g.fillRect(i % COLS * WIDTH / COLS, Math.floor(i / COLS) * HEIGHT / ROWS,
				WIDTH / COLS, HEIGHT / ROWS);
		});
	};

	const localTracks = [];

	const videoTrack = () => {
		const canvas = document.createElement('canvas');
		canvas.width = WIDTH;
		canvas.height = HEIGHT;
		const g = canvas.getContext('2d');
		paint(g);
		const track = canvas.captureStream(config.fps).getVideoTracks()[0];
		const timer = setInterval(() => {
			if (track.readyState === 'ended')
				clearInterval(timer);
			else
				paint(g);
		}, 1000 / config.fps);
		return track;
	};

	let audio = null;
	const audioContext = () => audio || (audio = new AudioContext());

	const audioTrack = () => {
		const context = audioContext();
		const tone = context.createOscillator();
		const level = context.createGain();
		const out = context.createMediaStreamDestination();
		tone.frequency.value = config.hz;
		level.gain.value = 0.3;
		tone.connect(level).connect(out);
		tone.start();
		return out.stream.getAudioTracks()[0];
	};

	const getUserMedia = async wanted => {
		const stream = new MediaStream();
		if (!wanted || (!wanted.video && !wanted.audio))
			throw new TypeError('neither audio nor video was asked for');
		if (wanted.video)
			stream.addTrack(videoTrack());
		if (wanted.audio)
			stream.addTrack(audioTrack());
		harness.note('media', stream.getTracks().map(t => t.kind).join(' and '));
		localTracks.push(...stream.getTracks());
		return stream;
	};
	/* A page without a secure context has none, as Firefox's first, empty one. */
	if (navigator.mediaDevices)
		navigator.mediaDevices.getUserMedia = getUserMedia;

	/* ---- what arrives ---- */

	const screen = document.createElement('canvas');
	screen.width = WIDTH;
	screen.height = HEIGHT;
	const look = screen.getContext('2d', {willReadFrequently: true});

	/* One look at the received picture: {bright, peer, clock}; peer is -1 where no code is seen. */
	const readPicture = () => {
		const video = document.querySelector('#received_video');
		if (!video || !video.srcObject || video.readyState < 2)
			return null;
		look.drawImage(video, 0, 0, WIDTH, HEIGHT);
		let bright = 0;
		const bits = [];
		for (let i = 0; i < COLS * ROWS; i++) {
			const x = (i % COLS + 0.5) * WIDTH / COLS, y = (Math.floor(i / COLS) + 0.5) * HEIGHT / ROWS;
			const d = look.getImageData(x - 4, y - 4, 8, 8).data;
			let sum = 0;
			for (let k = 0; k < d.length; k += 4)
				sum += d[k];
			bright = Math.max(bright, sum / 64);
			bits.push(sum / 64 > 127 ? 1 : 0);
		}
		const pull = n => bits.splice(0, n).reduce((v, bit) => v << 1 | bit, 0);
		const peer = pull(8), clock = pull(18), sum = pull(6);
		return sum === check(peer, clock) ? {bright, peer, clock} : {bright, peer: -1, clock: -1};
	};

	const listen = () => {
		const video = document.querySelector('#received_video');
		const tracks = video && video.srcObject ? video.srcObject.getAudioTracks() : [];
		if (!tracks.length)
			return () => ({hz: 0, db: -200});
		const context = audioContext();
		const source = context.createMediaStreamSource(new MediaStream(tracks));
		const analyser = context.createAnalyser();
		analyser.fftSize = 8192;
		analyser.smoothingTimeConstant = 0;
		source.connect(analyser);
		const bins = new Float32Array(analyser.frequencyBinCount);
		return () => {
			analyser.getFloatFrequencyData(bins);
			let peak = 0;
			for (let i = 1; i < bins.length; i++)
				if (bins[i] > bins[peak])
					peak = i;
			const db = bins[peak];
			return {hz: peak * context.sampleRate / analyser.fftSize,
				db: Number.isFinite(db) ? db : -200};
		};
	};

	/* ---- what the connection says of itself ---- */

	const candidate = c => c && {
		type: c.candidateType, protocol: c.protocol, relayProtocol: c.relayProtocol || '',
		address: c.address || '', port: c.port || 0,
	};

	const readStats = async pc => {
		const out = {pair: null, framesDecoded: 0, audioEnergy: 0, audioPackets: 0, audioLost: 0,
			gathered: {host: 0, srflx: 0, relay: 0}};
		const stats = await pc.getStats();
		for (const s of stats.values()) {
			if (s.type === 'transport' && s.selectedCandidatePairId) {
				const pair = stats.get(s.selectedCandidatePairId);
				out.pair = pair && {
					local: candidate(stats.get(pair.localCandidateId)),
					remote: candidate(stats.get(pair.remoteCandidateId)),
					rttMs: (pair.currentRoundTripTime || 0) * 1000,
					rttTotalMs: (pair.totalRoundTripTime || 0) * 1000,
					rttTimes: pair.responsesReceived || 0,
				};
			} else if (s.type === 'inbound-rtp' && s.kind === 'video') {
				out.framesDecoded += s.framesDecoded || 0;
			} else if (s.type === 'inbound-rtp' && s.kind === 'audio') {
				out.audioEnergy += s.totalAudioEnergy || 0;
				out.audioPackets += s.packetsReceived || 0;
				out.audioLost += s.packetsLost || 0;
			} else if (s.type === 'local-candidate' && s.candidateType in out.gathered) {
				out.gathered[s.candidateType]++;
			}
		}
		return out;
	};

	/* Picture and sound have begun: a decoder starts when it gets a core. */
	harness.flows = async () => {
		const c = current();
		const s = c ? await readStats(c.pc) : {framesDecoded: 0, audioEnergy: 0};
		return s.framesDecoded >= FLOWING && s.audioEnergy > 0;
	};

	const sleep = ms => new Promise(done => setTimeout(done, ms));
	const median = list => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];

	/* Looks at the call for so long and tells everything a verdict needs. */
	harness.observe = async ms => {
		const c = current();
		const view = {connections: harness.connections.length,
			state: c ? c.pc.connectionState : 'none',
			servers, signaling: c ? c.pc.signalingState : 'none', connectedAt: c ? c.connectedAt : 0,
			errors: c ? c.errors.slice(0, 16) : []};
		if (!c)
			return view;
		const hear = listen();
		const echoed = echo(c.channel, ms);
		const paintsBefore = paints;
		const before = await readStats(c.pc);
		const started = Date.now();
		const reads = [], tones = [];
		/* Media that stops soon after the start has to show: what moves and sounds is asked of
		 * the second half, silence included. */
		const isLate = () => Date.now() - started >= ms / 2;
		while (Date.now() - started < ms) {
			await sleep(100);
			const read = readPicture(), tone = hear();
			if (read)
				reads.push({...read, age: Date.now() - read.clock & CLOCK_MASK,
					late: isLate()});
			if (isLate())
				tones.push(tone);
		}
		const after = await readStats(c.pc);
		const coded = reads.filter(r => r.peer >= 0);
		view.state = c.pc.connectionState;
		view.windowMs = Date.now() - started;
		view.paintFps = (paints - paintsBefore) * 1000 / view.windowMs;
		view.echoMs = await echoed;
		view.pair = after.pair;
		view.gathered = after.gathered;
		view.framesBefore = before.framesDecoded;
		view.framesAfter = after.framesDecoded;
		view.audioEnergy = after.audioEnergy - before.audioEnergy;
		view.picture = {reads: reads.length, coded: coded.length,
			peer: coded.length ? median(coded.map(r => r.peer)) : -1,
			distinct: new Set(coded.filter(r => r.late).map(r => r.clock)).size,
			bright: reads.length ? Math.max(...reads.map(r => r.bright)) : 0,
			delayMs: coded.length ? median(coded.map(r => r.age)) : -1};
		view.tone = {hz: tones.length ? median(tones.map(t => t.hz)) : 0,
			db: tones.length ? median(tones.map(t => t.db)) : -200};
		return view;
	};

	/* Starts to look, so that both ends can look at the same time; await harness.observed. */
	harness.startObserving = ms => {
		harness.observed = harness.observe(ms);
		return true;
	};

	/* ---- many calls in one page ---- */

	const observeAll = async ms => {
		const at = Date.now();
		let last = at, ownGapMs = 0;
		const timer = setInterval(() => {
			ownGapMs = Math.max(ownGapMs, Date.now() - last - 100);
			last = Date.now();
		}, 100);
		const ends = await Promise.all(harness.connections.map(async c => {
			const before = await readStats(c.pc);
			const echoed = echo(c.channel, ms);
			await sleep(ms);
			const after = await readStats(c.pc);
			return {state: c.pc.connectionState, pair: pairText(after.pair),
				relayOnly: c.pc.getConfiguration().iceTransportPolicy === 'relay',
				frames: after.framesDecoded - before.framesDecoded,
				packets: after.audioPackets - before.audioPackets, echoMs: await echoed};
		}));
		clearInterval(timer);
		return {ends, ownGapMs};
	};

	/* As startObserving(), for every connection of the page; {ends, ownGapMs}. */
	harness.startObservingAll = ms => {
		harness.observed = observeAll(ms);
		return true;
	};

	/* ---- how steadily media flows, while something breaks ---- */

	const PULSE_MS = 100;
	const GAP_MS = 1000; /* less is jitter on a busy machine */

	/* One flow, known by a counter that rises while it lives. */
	class Flow {
		constructor(now) {
			this.count = -1;
			this.last = now; /* when it rose last */
			this.longestMs = 0;
			this.gaps = 0;
			this.resumedAt = 0; /* the end of its last gap */
		}
		see(count, now) {
			if (count <= this.count) /* a new connection counts from 0 */
				return void (this.count = count);
			this.count = count;
			this.#close(now);
			this.last = now;
		}
		#close(now) {
			const ms = now - this.last;
			this.longestMs = Math.max(this.longestMs, ms);
			if (ms < GAP_MS)
				return;
			this.gaps++;
			this.resumedAt = now;
		}
		tell(now) {
			const ms = now - this.last;
			return {longestMs: Math.max(this.longestMs, ms), resumedAt: this.resumedAt,
				gaps: this.gaps, silentMs: ms};
		}
	}

	const pairText = pair => pair && pair.local && pair.remote ?
		`${pair.local.type === 'relay' ? pair.local.relayProtocol + ' ' : ''}` +
		`${pair.local.type}/${pair.remote.type}` : '';

	let pulse = null;

	const beat = async p => {
		const c = current();
		const now = Date.now();
		/* Time that this page itself was given no core. */
		p.ownGapMs = Math.max(p.ownGapMs, now - p.beatAt - PULSE_MS);
		p.beatAt = now;
		if (c && c.pc.connectionState !== 'closed') {
			const s = await readStats(c.pc);
			p.picture.see(s.framesDecoded, Date.now());
			p.sound.see(s.audioPackets, Date.now());
			p.first ||= s;
			p.stats = s;
			if (p.pairs.at(-1) !== pairText(s.pair) && s.pair)
				p.pairs.push(pairText(s.pair));
		}
		if (c && p.states.at(-1) !== c.pc.connectionState)
			p.states.push(c.pc.connectionState);
	};

	harness.startPulse = () => {
		const now = Date.now();
		const p = pulse = {startedAt: now, beatAt: now, ownGapMs: 0, picture: new Flow(now),
			sound: new Flow(now), first: null, stats: null, pairs: [], states: []};
		(async () => {
			while (pulse === p) {
				await beat(p).catch(() => {});
				await sleep(PULSE_MS);
			}
		})();
		return true;
	};

	const dataset = (selector, key) => {
		const e = document.querySelector(selector);
		return e ? e.dataset[key] || '' : '';
	};
	const shown = selector => {
		const e = document.querySelector(selector);
		return e && e.getClientRects().length ? e.textContent : '';
	};

	/* Media since startPulse(), and the page's present state. */
	harness.pulse = () => {
		const p = pulse, now = Date.now(), c = current();
		const {first, stats} = p;
		const since = (key) => stats && first ? stats[key] - first[key] : 0;
		const rtts = stats && first && stats.pair && first.pair ?
			stats.pair.rttTimes - first.pair.rttTimes : 0;
		const packets = since('audioPackets') + since('audioLost');
		return {
			now, ownGapMs: p.ownGapMs, picture: p.picture.tell(now), sound: p.sound.tell(now),
			state: c ? c.pc.connectionState : 'none', states: p.states.join(' '),
			pairs: p.pairs.join(', '),
			lossPercent: packets > 0 ? 100 * since('audioLost') / packets : 0,
			/* For the pair in use; a later pair has its own count. */
			rttMs: rtts > 0 ? (stats.pair.rttTotalMs - first.pair.rttTotalMs) / rtts :
				stats && stats.pair ? stats.pair.rttMs : 0,
			call: dataset('#call-state', 'state'), link: dataset('#link-state', 'state'),
			reason: shown('#placeholder-text'), notice: shown('#notice-text'),
			lines: document.querySelectorAll('#chat p').length,
		};
	};

	harness.state = async () => {
		const c = current();
		if (!c)
			return {state: 'none', pair: null};
		const {pair} = await readStats(c.pc);
		return {state: c.pc.connectionState, pair};
	};

	/* The reasons why the page is not yet out of a call, in words; empty when it is. */
	harness.busy = () => {
		const why = [];
		const open = harness.connections.filter(c => c.pc.connectionState !== 'closed').length;
		if (open)
			why.push(`${open} RTCPeerConnection not closed`);
		if (localTracks.some(t => t.readyState === 'live'))
			why.push('camera or microphone still running');
		const video = document.querySelector('#received_video');
		if (video && video.srcObject)
			why.push('#received_video still has a stream');
		const button = document.querySelector('#hangup-button');
		if (button && !button.disabled && button.getClientRects().length)
			why.push('#hangup-button can still be clicked');
		const state = document.querySelector('#call-state');
		if (state && state.dataset.state && state.dataset.state !== 'idle')
			why.push(`#call-state says ${state.dataset.state}`);
		return why;
	};
})

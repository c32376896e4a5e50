/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Many peers in one page: each a Signaling and a Call of the page's own module, so
 * that a crowd of calls costs two browsers. Picture and sound are tiny. Every other call is
 * bound to its relay, so that both ways are proven side by side.
 */
(async wanted => {
	'use strict';
	const {side, other, calls} = wanted;
	const {Signaling, Call} = await import('/turnpike.js');
	const crowd = harness.crowd = {signedIn: 0, ended: []};
	const context = new AudioContext();
	const canvas = document.createElement('canvas');
	canvas.width = 64;
	canvas.height = 48;
	const g = canvas.getContext('2d');
	setInterval(() => {
		g.fillStyle = `hsl(${Date.now() / 10 % 360}, 80%, 50%)`;
		g.fillRect(0, 0, 64, 48);
	}, 200);
	const tone = context.createOscillator();
	const out = context.createMediaStreamDestination();
	tone.connect(out);
	tone.start();
	const stream = new MediaStream([canvas.captureStream(5).getVideoTracks()[0],
		out.stream.getAudioTracks()[0]]);

	const options = (hub, i) => ({stream: stream.clone(),
		iceTransportPolicy: i % 2 ? 'relay' : 'all',
		iceServers: () => hub.iceServers()});
	const watch = (call, i) => {
		call.addEventListener('ended', e => crowd.ended.push(`${side}${i}: ${e.detail}`));
		return call;
	};

	/* Answers every caller. */
	const answer = (hub, i) => {
		let call = null;
		hub.addEventListener('signal', ({detail: m}) => {
			if (call) {
				call.receive(m);
			} else if (m.type === 'video-offer') {
				call = watch(new Call(hub, m.name, {...options(hub, i), offer: m}), i);
				call.accept([]);
			}
		});
	};

	const hubs = Array.from({length: calls}, (_, i) => {
		const hub = new Signaling(`wss://${location.host}/ws`);
		hub.addEventListener('name', () => crowd.signedIn++);
		answer(hub, i);
		hub.signIn(`${side}${i}`);
		return hub;
	});

	/* All at once. */
	crowd.call = () => hubs.map((hub, i) => {
		const call = watch(new Call(hub, `${other}${i}`, options(hub, i)), i);
		hub.addEventListener('signal', ({detail: m}) => call.receive(m));
		call.start();
	}).length;
	crowd.connected = () =>
		harness.connections.filter(c => c.pc.connectionState === 'connected').length;
	return true;
})

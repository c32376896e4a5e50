/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lives of IceServers of signal/web/ice.js on a clock of our own; each tells what happened when, in
 * seconds. Given the texts of the two modules.
 */
(async (base, ice) => {
	'use strict';
	const load = text => URL.createObjectURL(new Blob([text], {type: 'text/javascript'}));
	const {IceServers} = await import(load(ice.replace('./base.js', load(base))));

	let now = 0, timers = [];
	Date.now = () => now;
	Math.random = () => 0.5;
	window.setTimeout = (run, ms) => {
		const timer = {run, at: now + ms};
		timers.push(timer);
		return timer;
	};
	window.clearTimeout = timer => { timers = timers.filter(t => t !== timer); };
	const settle = async () => {
		for (let i = 0; i < 50; i++)
			await null;
	};
	const until = async s => {
		for (;;) {
			await settle();
			const next = timers.reduce((a, b) => !a || b.at < a.at ? b : a, null);
			if (!next || next.at > s * 1000)
				break;
			now = next.at;
			clearTimeout(next);
			next.run();
		}
		now = s * 1000;
	};

	/* answers: what the source does, one after the other; the last one for ever */
	const life = async (answers, live) => {
		const told = [];
		const tell = what => told.push(`${what}@${Math.round(now / 100) / 10}`);
		let n = 0;
		now = 0;
		timers = [];
		const source = () => {
			const answer = answers[Math.min(n++, answers.length - 1)];
			tell('ask');
			return answer === 'hang' ? new Promise(() => {}) :
				answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
		};
		const servers = new IceServers(Array.isArray(answers) ? source : answers.fixed);
		for (const what of ['change', 'renewed', 'failed'])
			servers.addEventListener(what, () => tell(what));
		await live(servers, tell);
		servers.close();
		tell(`left:${timers.length}`);
		return told.join(' ');
	};
	const good = {iceServers: [{urls: 'turn:a'}], ttl: 1000, strict: true};
	const away = new Error('not connected');

	return {
		renewed: await life([good], async s => {
			await s.renew();
			await until(1400);
		}),
		hubAway: await life([good, away, away, away, good], async (s, tell) => {
			await s.renew();
			await until(680);
			tell(`has:${s.list.length}`); /* what it had */
			await until(1000);
		}),
		away: await life([good, away], async s => {
			await s.renew();
			await until(900);
		}),
		freshen: await life([good], async (s, tell) => {
			await s.freshen();
			await until(299);
			await s.freshen();
			tell('young');
			await until(301);
			await s.freshen();
			await until(310);
			s.spoil();
			await s.freshen();
		}),
		refused: await life([away, away, good], async (s, tell) => {
			await s.freshen();
			await until(1);
			await s.freshen();
			tell('waits');
			await until(3);
			await s.freshen();
			await until(6);
			await s.freshen();
		}),
		hangs: await life(['hang', good], async (s, tell) => {
			s.freshen().then(() => tell('goes-on'));
			await until(5);
			s.freshen().then(() => tell('goes-on'));
			await until(13);
			await s.freshen();
		}),
		fixed: await life({fixed: good.iceServers}, async (s, tell) => {
			await s.renew();
			await s.freshen();
			await until(100000);
			tell(`has:${s.list.length}`);
		}),
		year: await life([{...good, ttl: 31536000}], async s => {
			await s.renew();
			await until(2147484);
		}),
		closed: await life([good], async s => {
			const asking = s.renew();
			s.close();
			await asking;
		}),
		bare: await life([good.iceServers], async (s, tell) => {
			await s.renew();
			await until(5000);
			tell(`has:${s.list.length}`);
		}),
	};
})

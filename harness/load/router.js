// SPDX-License-Identifier: BSD-3-Clause
//
// A signaling server as it is usually written with Node's ws: MDN's sample in short, with a table of names
// instead of its search. turnpike-load starts it to compare Turnpike with.
// node router.js PORT TLS-PORT CERT KEY [LIE]
"use strict";
const fs = require("fs");
const http = require("http");
const https = require("https");
const { WebSocketServer } = require("ws");

const PING_MS = 20000;
const [port, tlsPort, cert, key, lie] = process.argv.slice(2);
const users = new Map();
let nextId = 1;
let routed = 0;

function sendList() {
  const names = [...users.keys()];
  if (lie === "list") names.pop(); // the newest is never told
  if (lie === "namesake" && names.length > 1) names[0] = names[1];
  const text = JSON.stringify({ type: "userlist", users: names });
  for (const socket of users.values()) socket.send(text);
}

function signIn(socket, name) {
  let free = name;
  for (let i = 1; users.has(free); i++) free = name + i;
  if (free !== name) socket.send(JSON.stringify({ type: "rejectusername", id: socket.id, name: free }));
  if (socket.name) users.delete(socket.name);
  socket.name = free;
  users.set(free, socket);
  sendList();
}

function route(message) {
  routed++;
  if (lie === "drop" && routed % 2000 === 0) return;
  if (lie === "double" && routed % 100 === 0) users.get(message.target)?.send(JSON.stringify(message));
  if (lie === "close" && routed === 100) users.get(message.target)?.close(1008);
  users.get(message.target)?.send(JSON.stringify(message));
}

function onMessage(socket, data) {
  const message = JSON.parse(data);
  if (message.type === "username") {
    signIn(socket, message.name);
    return;
  }
  message.name = socket.name;
  if (message.target) {
    route(message);
    return;
  }
  const text = JSON.stringify(message);
  for (const other of users.values()) other.send(text);
}

function onConnection(socket) {
  socket.id = nextId++;
  if (lie === "refuse" && socket.id === 5) {
    socket.terminate();
    return;
  }
  if (lie === "close-idle" && socket.id === 5) setTimeout(() => socket.close(1008), 3000);
  socket.alive = true;
  socket.on("message", (data) => onMessage(socket, data));
  socket.on("pong", () => (socket.alive = true));
  socket.on("error", () => socket.terminate());
  socket.on("close", () => {
    if (users.get(socket.name) === socket && users.delete(socket.name)) sendList();
  });
  socket.send(JSON.stringify({ type: "id", id: socket.id }));
}

function serve(server, at) {
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", onConnection);
  setInterval(() => {
    for (const socket of sockets.clients) {
      if (!socket.alive) socket.terminate();
      socket.alive = false;
      socket.ping();
    }
  }, PING_MS);
  server.listen({ port: Number(at), host: "127.0.0.1", backlog: 4096 });
}

serve(http.createServer(), port);
serve(https.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }), tlsPort);

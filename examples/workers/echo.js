#!/usr/bin/env node
// A worker in Node (docs/worker-protocol.md): fairforge run --dataset tests.jsonl --worker 'node examples/workers/echo.js'
//
// Sixteen turns at once, and each can be cancelled. `answer` is where your system goes: what it throws becomes the error of its turn.
// console.log goes to standard error, because standard output belongs to the protocol.
'use strict';

const readline = require('readline');

const CONCURRENCY = 16;
const running = new Map(); // id -> AbortController
console.log = console.error;

function say(message) {
  process.stdout.write(JSON.stringify(message) + '\n');
}

async function answer(turn, signal) {
  signal.throwIfAborted(); // pass the signal on to fetch and the like
  return 'You said: ' + turn.query;
}

async function take(turn) {
  const controller = new AbortController();
  running.set(turn.id, controller);
  try {
    say({ id: turn.id, answer: await answer(turn, controller.signal) });
  } catch (e) {
    say({ id: turn.id, error: String(e && e.message ? e.message : e) });
  } finally {
    running.delete(turn.id);
  }
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const message = JSON.parse(line);
  if (message.type === 'hello') {
    say({ type: 'welcome', protocol: 1, name: 'echo.js', concurrency: CONCURRENCY, cancel: true });
  } else if (message.type === 'turn') {
    take(message);
  } else if (message.type === 'cancel' && running.has(message.id)) {
    running.get(message.id).abort();
  }
}).on('close', () => process.exit(0)); // the end of input: nobody waits for anything any more

// How many requests a second a guest serves on loopback, beside `jco serve` with the same component: each behind a Node server in a process of its own, asked in
// turns by this one over connections that stay open. Not quite like for like: Gloveport meters the guest and holds it to its limits, jco does not.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createNetServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { guest, starlingGuest } from '../../guest-examples/build.ts';
import { Cap, compile, Sandbox } from '../../src/index.ts';
import { nodeHandler } from '../../guest-examples/node-handler.ts';
import { median } from '../metering/statistics.ts';

const ROUNDS = 7;
const WARM_UP = 1;
const ROUND_MS = 1_500;
const CONNECTIONS = [1, 16];

const JCO = fileURLToPath(new URL('../../node_modules/@bytecodealliance/jco/dist/jco.js', import.meta.url));

/** Serves `file` until the process ends. */
async function serve(file: string, port: number): Promise<void> {
  const guest = await new Sandbox({ grant: Cap.CONSOLE | Cap.TIME | Cap.RANDOM, limits: 'permissive' }).load(await compile(file));
  createServer(nodeHandler(guest, console.error)).listen(port, '127.0.0.1');
}

interface Contender {
  readonly name: string;
  readonly port: number;
  readonly process: ChildProcess;
}

async function contender(name: string, args: (port: number) => readonly string[]): Promise<Contender> {
  const port = await freePort();
  // In a group of its own: jco serves from a process below.
  const child = spawn(process.execPath, args(port), { stdio: ['ignore', 'ignore', 'inherit'], detached: true });
  for (let tries = 0; tries < 600; tries++) {
    const socket = connect(port, '127.0.0.1');
    const isUp = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'error').then(() => false)]).catch(() => false);
    socket.destroy();
    if (isUp) return { name, port, process: child };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${name} does not listen`);
}

async function freePort(): Promise<number> {
  const server = createNetServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** Requests a second over `connections`, for about a round. */
async function rate(port: number, connections: number): Promise<number> {
  const sockets = await Promise.all(Array.from({ length: connections }, () => opened(port)));
  const start = performance.now();
  const counts = await Promise.all(sockets.map((socket) => ask(socket, start + ROUND_MS)));
  const seconds = (performance.now() - start) / 1_000;
  for (const socket of sockets) socket.destroy();
  return counts.reduce((sum, count) => sum + count, 0) / seconds;
}

async function opened(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  return socket;
}

// One request after the other, by hand: a client of Node's would take longer than what it asks.
function ask(socket: Socket, until: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let count = 0;
    let received = '';
    const next = (): void => {
      if (performance.now() < until) socket.write('GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n');
      else resolve(count);
    };
    socket.on('data', (piece: Buffer) => {
      received += piece.toString('latin1');
      if (!isWhole(received)) return;
      if (!received.startsWith('HTTP/1.1 200 ') || !received.includes('hello')) reject(new Error(`not what was asked for: ${received}`));
      received = '';
      count++;
      next();
    });
    socket.on('close', () => reject(new Error('the server closed a connection')));
    next();
  });
}

function isWhole(received: string): boolean {
  const end = received.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(received.slice(0, end + 2))?.[1];
  return length === undefined ? received.endsWith('0\r\n\r\n') : received.length === end + 4 + Number(length);
}

type Row = Readonly<Record<string, number>>;

async function compare(file: string): Promise<Map<number, Row>> {
  const own = fileURLToPath(import.meta.url);
  const contenders = [
    await contender('gloveport', (port) => [own, 'serve', file, String(port)]),
    await contender('jco serve', (port) => [JCO, 'serve', file, '--host', '127.0.0.1', '--port', String(port)]),
  ];
  const rows = new Map<number, Row>();
  try {
    for (const connections of CONNECTIONS) {
      const rates = contenders.map((): number[] => []);
      for (let round = 0; round < WARM_UP + ROUNDS; round++) {
        for (const [index, { port }] of contenders.entries()) {
          const found = await rate(port, connections);
          if (round >= WARM_UP) rates[index]?.push(found);
        }
      }
      const [ours, theirs] = rates.map(median) as [number, number];
      rows.set(connections, {
        'gloveport, requests/s': Math.round(ours),
        'jco serve, requests/s': Math.round(theirs),
        ratio: Number((ours / theirs).toPrecision(3)),
      });
    }
  } finally {
    for (const one of contenders) process.kill(-(one.process.pid as number));
  }
  return rows;
}

async function main(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'gloveport-bench-'));
  try {
    const guests = {
      text: await guest('hello-http'),
      JavaScript: await starlingGuest(new URL('../../test/wasi/http-guest/', import.meta.url), 'exports'),
    };
    const table: Record<string, Row> = {};
    for (const [name, bytes] of Object.entries(guests)) {
      const file = join(directory, `${name}.wasm`);
      await writeFile(file, bytes);
      for (const [connections, row] of await compare(file)) table[`${name}, ${connections} connection${connections === 1 ? '' : 's'}`] = row;
    }
    console.table(table);
  } finally {
    await rm(directory, { recursive: true });
  }
}

if (process.argv[2] === 'serve') await serve(process.argv[3] as string, Number(process.argv[4]));
else await main();

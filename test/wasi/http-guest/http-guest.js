// A guest that makes HTTP requests as it is told, and serves some paths, both with the interfaces of wasi:http themselves.
import { handle } from 'wasi:http/outgoing-handler@0.2.10';
import { Fields, IncomingBody, OutgoingBody, OutgoingRequest, OutgoingResponse, RequestOptions, ResponseOutparam, httpErrorCode } from 'wasi:http/types@0.2.10';

export const client = {
  send(request) {
    return described(() => receive(start(request)));
  },

  sendAll(requests) {
    const attempt = (step) => {
      try {
        return described(step);
      } catch (error) {
        return error.payload;
      }
    };
    const started = requests.map((request) => attempt(() => start(request)));
    return started.map((future) => (typeof future === 'string' ? future : attempt(() => String(receive(future).status))));
  },

  follow(request, hops) {
    return described(() => {
      let next = request;
      for (let hop = 0; hop <= hops; hop++) {
        const response = receive(start(next));
        const location = response.headers.find(([name]) => name.toLowerCase() === 'location');
        if (location === undefined) return response;
        const [, scheme, authority, path] = /^([a-z]+):\/\/([^/]*)(.*)$/.exec(location[1]) ?? [null, next.scheme, next.authority, location[1]];
        next = { ...next, scheme, authority, path };
      }
      throw new Failure('too many hops');
    });
  },
};

export const incomingHandler = {
  handle(request, out) {
    const [path, query] = request.pathWithQuery().split('?');
    const route = ROUTES[path] ?? (() => respond(out, 404, [], 'not found'));
    try {
      route({ request, out, query });
    } catch (error) {
      // Whoever asked has gone.
      if (!(error instanceof Failure) || !error.message.includes('closed')) throw error;
    }
    request[Symbol.dispose]();
  },
};

const ENCODER = new TextEncoder();

const ROUTES = {
  '/hello': ({ out }) => respond(out, 200, [['content-type', 'text/plain']], 'hello'),
  '/request': ({ request, out }) => {
    const headers = request.headers();
    const entries = entriesOf(headers);
    headers[Symbol.dispose]();
    const described = { method: request.method(), scheme: request.scheme(), authority: request.authority(), path: request.pathWithQuery(), entries };
    respond(out, 200, [], JSON.stringify(described));
  },
  '/status': ({ out, query }) => {
    const headers = [
      ['x-a', '\xe9'],
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ];
    respond(out, Number(query), headers, 'body');
    last = 'finished';
  },
  '/length': ({ out, query }) => {
    try {
      respond(out, 200, [['content-length', query]], 'four');
    } catch (error) {
      last = error.message;
    }
  },
  '/bodiless': ({ out, query }) => ResponseOutparam.set(out, { tag: 'ok', val: new OutgoingResponse(fieldsOf([['content-length', query]])) }),
  '/work': ({ out }) => {
    let sum = 0;
    for (let index = 0; index < 100_000; index++) sum += index % 7;
    respond(out, 200, [], sum > 0 ? 'worked' : '');
  },
  '/set': ({ out, query }) => {
    last = query;
    respond(out, 200, [], '');
  },
  '/error': ({ out }) => ResponseOutparam.set(out, { tag: 'err', val: { tag: 'loop-detected' } }),
  '/never': () => undefined,
  '/early': ({ out }) => {
    respond(out, 200, [], 'early');
    for (;;);
  },
  '/spin': () => {
    for (;;);
  },
  '/half': ({ out, query }) => {
    const { body, stream } = open(out, 200, []);
    // More than can wait for who reads it.
    write(stream, new Uint8Array(query === 'waits' ? 2 ** 21 : 1));
    stream[Symbol.dispose]();
    body[Symbol.dispose]();
  },
  '/stop': ({ out }) => {
    const { stream } = open(out, 200, []);
    stream.blockingWriteAndFlush(bytes('half'));
    for (;;);
  },
  '/many': ({ out, query }) => {
    const { body, stream } = open(out, 200, []);
    const piece = new Uint8Array(4096).fill(65);
    let written = 0;
    try {
      for (; written < Number(query); written += piece.length) stream.blockingWriteAndFlush(piece);
      last = `${written} finished`;
    } catch (error) {
      last = `${written} ${describe('write', error)}`;
    }
    stream[Symbol.dispose]();
    OutgoingBody.finish(body, undefined);
  },
  '/last': ({ out }) => respond(out, 200, [], last),
  '/read': ({ request, out }) => {
    const incoming = request.consume();
    const input = incoming.stream();
    let size = 0;
    try {
      checked('read', () =>
        readAll(input, (piece) => {
          size += piece.length;
        }),
      );
      last = `${size} bytes`;
    } catch (error) {
      last = error.message;
    }
    input[Symbol.dispose]();
    incoming[Symbol.dispose]();
    respond(out, 200, [], last);
  },
  '/keep': ({ request, out, query }) => {
    const incoming = request.consume();
    if (query === 'finished') kept.push(IncomingBody.finish(incoming));
    else kept.push(incoming, incoming.stream());
    respond(out, 200, [], 'kept');
  },
  '/kept': ({ out }) => {
    try {
      checked('read', () => kept.at(-1).read(1n));
    } catch (error) {
      last = error.message;
    }
    respond(out, 200, [], last);
  },
  '/echo': ({ request, out }) => {
    const { body, stream } = open(out, 200, []);
    const incoming = request.consume();
    const input = incoming.stream();
    readAll(input, (piece) => write(stream, piece));
    input[Symbol.dispose]();
    incoming[Symbol.dispose]();
    stream[Symbol.dispose]();
    OutgoingBody.finish(body, undefined);
  },
  '/trailers': ({ out }) => {
    const { body, stream } = open(out, 200, []);
    write(stream, bytes('with trailers'));
    stream[Symbol.dispose]();
    OutgoingBody.finish(body, Fields.fromList([['x-after', bytes('1')]]));
  },
};
let last = '';
const kept = [];

function start(request) {
  const outgoingRequest = checked('headers', () => new OutgoingRequest(fieldsOf(request.headers)));
  checked('method', () => outgoingRequest.setMethod({ tag: 'other', val: request.method }));
  checked('scheme', () => outgoingRequest.setScheme(SCHEMES[request.scheme] ?? { tag: 'other', val: request.scheme }));
  checked('authority', () => outgoingRequest.setAuthority(request.authority));
  checked('path', () => outgoingRequest.setPathWithQuery(request.path));
  const body = request.body === undefined ? undefined : checked('body', () => outgoingRequest.body());
  const options = new RequestOptions();
  options.setConnectTimeout(request.connectTimeout);
  options.setFirstByteTimeout(request.firstByteTimeout);
  options.setBetweenBytesTimeout(request.betweenBytesTimeout);
  const future = checked('handle', () => handle(outgoingRequest, options));
  if (body !== undefined) {
    const stream = checked('write', () => body.write());
    for (const piece of request.body) checked('write', () => write(stream, piece));
    stream[Symbol.dispose]();
    checked('finish', () => OutgoingBody.finish(body, request.trailers.length === 0 ? undefined : fieldsOf(request.trailers)));
  }
  return future;
}

const SCHEMES = { http: { tag: 'HTTP' }, https: { tag: 'HTTPS' } };

function receive(future) {
  const pollable = future.subscribe();
  pollable.block();
  pollable[Symbol.dispose]();
  const result = future.get().val;
  future[Symbol.dispose]();
  if (result.tag === 'err') throw new Failure(describe('response', result.val));
  const response = result.val;
  const headers = response.headers();
  const pieces = [];
  const body = response.consume();
  const stream = body.stream();
  checked('read', () => readAll(stream, (piece) => pieces.push(piece)));
  stream[Symbol.dispose]();
  const received = { status: response.status(), headers: entriesOf(headers), body: joined(pieces), trailers: trailersOf(body) };
  headers[Symbol.dispose]();
  response[Symbol.dispose]();
  return received;
}

function trailersOf(body) {
  const future = IncomingBody.finish(body);
  const pollable = future.subscribe();
  pollable.block();
  pollable[Symbol.dispose]();
  const result = future.get().val;
  future[Symbol.dispose]();
  if (result.tag === 'err') throw new Failure(describe('trailers', result.val));
  return result.val ? entriesOf(result.val) : [];
}

function respond(out, status, headers, content) {
  const { body, stream } = open(out, status, headers);
  checked('write', () => write(stream, ENCODER.encode(content)));
  stream[Symbol.dispose]();
  checked('finish', () => OutgoingBody.finish(body, undefined));
}

function open(out, status, headers) {
  const response = new OutgoingResponse(fieldsOf(headers));
  response.setStatusCode(status);
  const body = response.body();
  ResponseOutparam.set(out, { tag: 'ok', val: response });
  return { body, stream: body.write() };
}

function write(stream, piece) {
  for (let start = 0; start < piece.length; start += 4096) stream.blockingWriteAndFlush(piece.slice(start, start + 4096));
}

function readAll(stream, take) {
  try {
    for (;;) take(stream.blockingRead(65536n));
  } catch (error) {
    if (error.payload?.tag !== 'closed') throw error;
  }
}

// The error of a result.
class Failure extends Error {
  constructor(payload) {
    super(payload);
    this.payload = payload;
  }
}

function described(action) {
  try {
    return action();
  } catch (error) {
    throw error instanceof Failure ? error : new Failure(`${error} ${error.stack}`);
  }
}

function checked(step, action) {
  try {
    return action();
  } catch (error) {
    throw new Failure(describe(step, error));
  }
}

function describe(step, error) {
  const payload = error?.payload ?? error;
  const code = payload?.tag === 'last-operation-failed' ? httpErrorCode(payload.val) : payload;
  return `${step} ${JSON.stringify(code ?? 'failed', (_, value) => (typeof value === 'bigint' ? Number(value) : value))}`;
}

function fieldsOf(entries) {
  return Fields.fromList(entries.map(([name, value]) => [name, bytes(value)]));
}

function entriesOf(fields) {
  return fields.entries().map(([name, value]) => [name, text(value)]);
}

function joined(pieces) {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let position = 0;
  for (const piece of pieces) {
    all.set(piece, position);
    position += piece.length;
  }
  return all;
}

// Latin 1, as header fields have it.
const bytes = (string) => Uint8Array.from(string, (character) => character.charCodeAt(0));
const text = (array) => Array.from(array, (byte) => String.fromCharCode(byte)).join('');

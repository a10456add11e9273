// The resources of wasi:http/types by themselves: no server is asked for anything here.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { ComponentError } from '../../src/errors.ts';
import { limits } from '../../src/limits.ts';
import { ResponseOutparam } from '../../src/wasi/component/http-inbound.ts';
import { CLOSED, OutputStream, IoError } from '../../src/wasi/component/io.ts';
import { failureOf } from '../../src/wasi/sockets/errors.ts';
import { WasiContext } from '../../src/wasi/context.ts';
import { MAX_FIELDS, MAX_FIELDS_BYTES } from '../../src/wasi/http/fields.ts';
import { CONTENT_AHEAD_BYTES, IncomingContent } from '../../src/wasi/http/incoming-content.ts';
import { CONTENT_BUFFER_BYTES, OutgoingContent } from '../../src/wasi/http/outgoing-content.ts';
import type { ServedRequest } from '../../src/wasi/http/serving.ts';
import { MAX_PATH_LENGTH, MAX_WORD_LENGTH } from '../../src/wasi/http/request-line.ts';
import { isReady } from '../../src/wasi/waiting.ts';
import { entriesOf, HttpGuest } from './http.ts';
import { EVERYTHING } from './sockets.ts';
import { RecordingControl, stopOf, thrownBy } from './support.ts';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const contextOf = (hostBytes = limits.default.hostBytes): WasiContext => new WasiContext(0, { ...limits.default, hostBytes }, new RecordingControl());

describe('fields', () => {
  test('keep their order and their casing, and are found without regard to it', () => {
    const fields = new HttpGuest().fields([
      ['X-Two', 'b'],
      ['a', '1'],
      ['x-two', '\xfc'],
    ]);
    expect(entriesOf(fields)).toEqual([
      ['X-Two', 'b'],
      ['a', '1'],
      ['x-two', '\xfc'],
    ]);
    expect([fields.get('x-TWO').map(String), fields.has('A'), fields.has('b'), fields.get('b')]).toEqual([
      ['b', '\xfc'].map((one) => String(latin1(one))),
      true,
      false,
      [],
    ]);
  });

  test('are set, appended to and deleted, by the whole name', () => {
    const fields = new HttpGuest().fields([
      ['a', '1'],
      ['ab', '2'],
    ]);
    fields.append('A', latin1('3'));
    fields.set('ab', [latin1('4'), latin1('5')]);
    expect(entriesOf(fields)).toEqual([
      ['a', '1'],
      ['A', '3'],
      ['ab', '4'],
      ['ab', '5'],
    ]);
    fields.delete('a');
    fields.set('ab', []);
    fields.delete('none');
    expect(entriesOf(fields)).toEqual([]);
  });

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'then'])('have %s for a name like any other', (name) => {
    const guest = new HttpGuest();
    expect([guest.fields().has(name), guest.fields().get(name)]).toEqual([false, []]);
    expect(entriesOf(guest.fields([[name, 'data']]))).toEqual([[name, 'data']]);
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  });

  const each = (change: (guest: HttpGuest, name: string, value: Buffer) => unknown) => change;
  const CHANGES = [
    each((guest, name, value) => guest.types.Fields.fromList([[name, value]])),
    each((guest, name, value) => guest.fields().append(name, value)),
    each((guest, name, value) => guest.fields().set(name, [value])),
  ];

  test.each(['', ' ', 'a b', 'a:', 'a\r\nb', 'a\0', 'ä', 'a/b', '(a)', '\u212a'])('take no name such as %j', (name) => {
    const guest = new HttpGuest();
    for (const change of CHANGES) expect(thrownBy(() => change(guest, name, latin1('x')))).toEqual({ tag: 'invalid-syntax' });
    expect(thrownBy(() => guest.fields().delete(name))).toEqual({ tag: 'invalid-syntax' });
    expect([guest.fields().get(name), guest.fields().has(name)]).toEqual([[], false]);
  });

  test.each(['a\r\nb: c', 'a\nb', 'a\rb', '\0', '\x7f', '\x01'])('take no value such as %j', (value) => {
    for (const change of CHANGES) expect(thrownBy(() => change(new HttpGuest(), 'a', latin1(value)))).toEqual({ tag: 'invalid-syntax' });
  });

  test.each(['', ' a ', '\t', '\x80\xff', 'a"b'])('take a value such as %j', (value) => {
    expect(entriesOf(new HttpGuest().fields([['a', value]]))).toEqual([['a', value]]);
  });

  const FORBIDDEN = ['connection', 'host', 'http2-settings', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection'];
  test.each([...FORBIDDEN, 'transfer-encoding', 'upgrade', 'HOST', 'Transfer-Encoding'])('leave %s to the host', (name) => {
    const guest = new HttpGuest();
    for (const change of CHANGES) expect(thrownBy(() => change(guest, name, latin1('x')))).toEqual({ tag: 'forbidden' });
    expect(thrownBy(() => guest.fields().delete(name))).toEqual({ tag: 'forbidden' });
  });

  test('have one content-length, which is a number', () => {
    const guest = new HttpGuest();
    for (const value of ['', '-1', '1.5', '0x1', '1,1', ' 1', '1e3', '1'.repeat(16)]) {
      expect(thrownBy(() => guest.fields([['Content-Length', value]]))).toEqual({ tag: 'invalid-syntax' });
    }
    const fields = guest.fields([['Content-Length', '5']]);
    for (const value of ['5', '6']) expect(thrownBy(() => fields.append('content-length', latin1(value)))).toEqual({ tag: 'forbidden' });
    expect(thrownBy(() => fields.set('content-length', [latin1('5'), latin1('5')]))).toEqual({ tag: 'forbidden' });
    fields.set('CONTENT-LENGTH', [latin1('6')]);
    expect(entriesOf(fields)).toEqual([['CONTENT-LENGTH', '6']]);
  });

  test('of a message cannot be changed, and their clones can', () => {
    const guest = new HttpGuest();
    const { headers } = { headers: guest.request({ headers: [['a', '1']] }).headers() };
    for (const change of [() => headers.append('b', latin1('2')), () => headers.set('a', []), () => headers.delete('a')]) {
      expect(thrownBy(change)).toEqual({ tag: 'immutable' });
    }
    const clone = headers.clone();
    clone.append('b', latin1('2'));
    expect([entriesOf(headers), entriesOf(clone)]).toEqual([
      [['a', '1']],
      [
        ['a', '1'],
        ['b', '2'],
      ],
    ]);
  });

  test.each([
    ['of names of their own', (index: number) => `n${index}`],
    ['of one name', () => 'n'],
  ])('are bounded in number, %s', (_, name) => {
    const fields = new HttpGuest().fields();
    for (let index = 0; index < MAX_FIELDS; index++) fields.append(name(index), latin1(''));
    expect(thrownBy(() => fields.append(name(MAX_FIELDS), latin1('')))).toEqual({ tag: 'forbidden' });
    expect(fields.entries()).toHaveLength(MAX_FIELDS);
    fields.delete(name(0));
    fields.append(name(0), latin1(''));
  });

  test('are bounded in bytes', () => {
    const guest = new HttpGuest();
    const fields = guest.fields([['a', 'x'.repeat(MAX_FIELDS_BYTES - 1)]]);
    expect(thrownBy(() => fields.append('b', latin1('')))).toEqual({ tag: 'forbidden' });
    expect(thrownBy(() => guest.fields([['a', 'x'.repeat(MAX_FIELDS_BYTES)]]))).toEqual({ tag: 'forbidden' });
  });

  test('are not looked at when they are larger than there can be', () => {
    const guest = new HttpGuest();
    const fields = guest.fields();
    const [name, value] = ['n'.repeat(MAX_FIELDS_BYTES + 1), latin1('\0'.repeat(MAX_FIELDS_BYTES + 1))];
    for (const change of CHANGES) {
      expect(thrownBy(() => change(guest, name, latin1('')))).toEqual({ tag: 'forbidden' });
      expect(thrownBy(() => change(guest, 'a', value))).toEqual({ tag: 'forbidden' });
    }
    const many = Array<Buffer>(MAX_FIELDS + 1).fill(latin1('\0'));
    expect(thrownBy(() => fields.set('a', many))).toEqual({ tag: 'forbidden' });
    expect([fields.get(name), fields.has(name), thrownBy(() => fields.delete(name))]).toEqual([[], false, { tag: 'forbidden' }]);
  });

  test('count against hostBytes as long as anything holds them', () => {
    const guest = new HttpGuest(EVERYTHING, { hostBytes: 100_000 });
    const large = () => guest.fields([['a', 'x'.repeat(60_000)]]);
    for (let round = 0; round < 3; round++) large().close();
    const request = new guest.types.OutgoingRequest(large());
    const headers = request.headers();
    request.close();
    expect(stopOf(large)).toBe('MEMORY_EXCEEDED');
    headers.close();
    large().close();
    const clone = large();
    expect(stopOf(() => clone.clone())).toBe('MEMORY_EXCEEDED');
    clone.set('a', []);
    large().close();
  });

  test('cost fuel for each that is looked at', () => {
    const guest = new HttpGuest();
    const fields = guest.fields(Array.from({ length: 500 }, (_, index) => [`n${index}`, '']));
    const before = guest.control.units;
    fields.has('none');
    expect(guest.control.units - before).toBeGreaterThan(500);
  });
});

describe('an outgoing request', () => {
  test('is a GET over https of nothing in particular, until told otherwise', () => {
    const request = new new HttpGuest().types.OutgoingRequest(new HttpGuest().fields());
    expect([request.method(), request.scheme(), request.authority(), request.pathWithQuery()]).toEqual([{ tag: 'get' }, undefined, undefined, undefined]);
  });

  test.each([
    ['PUT', { tag: 'put' }],
    ['put', { tag: 'other', val: 'put' }],
    ['PURGE', { tag: 'other', val: 'PURGE' }],
    ['M-SEARCH', { tag: 'other', val: 'M-SEARCH' }],
    ['x'.repeat(MAX_WORD_LENGTH), { tag: 'other', val: 'x'.repeat(MAX_WORD_LENGTH) }],
    ['x'.repeat(MAX_WORD_LENGTH + 1), undefined],
    ['', undefined],
    ['bad\nmethod', undefined],
    ['GET /', undefined],
  ])('has the method %j', (text, method) => {
    const request = new HttpGuest().request({});
    const set = () => request.setMethod({ tag: 'other', val: text });
    if (method === undefined) expect(set).toThrow(ComponentError);
    else set();
    expect(request.method()).toEqual(method ?? { tag: 'get' });
  });

  test.each(['/', '', '*', '?a', '/a?b=c&d', '/%00', '//x', `/${'a'.repeat(MAX_PATH_LENGTH - 1)}`])('has the path %j', (path) => {
    const request = new HttpGuest().request({});
    request.setPathWithQuery(path);
    expect(request.pathWithQuery()).toBe(path);
    request.setPathWithQuery(undefined);
    expect(request.pathWithQuery()).toBeUndefined();
  });

  test.each(['a', 'http://x/', '/a b', '/a#b', '/a\r\nHost: x', '/a\0', '/ä', '**', ' /', `/${'a'.repeat(MAX_PATH_LENGTH)}`])('has no path %j', (path) => {
    const request = new HttpGuest().request({ path: '/before' });
    expect(() => request.setPathWithQuery(path)).toThrow(ComponentError);
    expect(request.pathWithQuery()).toBe('/before');
  });

  test.each(['', '1http', 'ht tp', 'http:', 'ä', 'h'.repeat(MAX_WORD_LENGTH + 1)])('has no scheme %j', (val) => {
    const request = new HttpGuest().request({});
    expect(() => request.setScheme({ tag: 'other', val })).toThrow(ComponentError);
    expect(request.scheme()).toEqual({ tag: 'HTTP' });
  });

  test('has one body, which has one stream, and both end with it', () => {
    const request = new HttpGuest().request({});
    const body = request.body();
    expect(() => request.body()).toThrow(ComponentError);
    const stream = body.write();
    expect(() => body.write()).toThrow(ComponentError);
    request.close();
    expect(thrownBy(() => stream.checkWrite())).toEqual(CLOSED);
  });

  test('has options in nanoseconds', () => {
    const options = new new HttpGuest().types.RequestOptions();
    expect([options.connectTimeout(), options.firstByteTimeout(), options.betweenBytesTimeout()]).toEqual([undefined, undefined, undefined]);
    options.setConnectTimeout(1n);
    options.setFirstByteTimeout(2n ** 64n - 1n);
    options.setBetweenBytesTimeout(0n);
    expect([options.connectTimeout(), options.firstByteTimeout(), options.betweenBytesTimeout()]).toEqual([1n, 2n ** 64n - 1n, 0n]);
  });

  test('counts as a handle, as everything that hangs on it does, and none is left', () => {
    const guest = new HttpGuest(EVERYTHING, { handles: 4 });
    for (let round = 0; round < 3; round++) {
      const request = new guest.types.OutgoingRequest(guest.fields());
      const [headers, body] = [request.headers(), request.body()];
      const stream = body.write();
      expect(stopOf(() => guest.fields())).toBe('HANDLES_EXCEEDED');
      for (const handle of [headers, stream, body, request]) handle.close();
    }
  });
});

describe('an outgoing response', () => {
  const response = () => {
    const guest = new HttpGuest();
    return new guest.types.OutgoingResponse(guest.fields());
  };

  test.each([200, 204, 404, 599])('has the status %i', (status) => {
    const made = response();
    made.setStatusCode(status);
    expect(made.statusCode()).toBe(status);
  });

  test.each([0, 99, 100, 101, 199, 600, 999, 65_535])('has no status %i', (status) => {
    const made = response();
    expect(() => made.setStatusCode(status)).toThrow(ComponentError);
    expect(made.statusCode()).toBe(200);
  });

  test('has one body', () => {
    const made = response();
    made.body();
    expect(() => made.body()).toThrow(ComponentError);
  });

  test.each([
    [100, undefined],
    [103, undefined],
    [101, 'HTTP-protocol-error'],
    [200, 'HTTP-protocol-error'],
    [99, 'HTTP-protocol-error'],
  ])('comes after informational ones, such as %i', (status, tag) => {
    const context = contextOf();
    const guest = new HttpGuest();
    const param = new ResponseOutparam(context, () => undefined);
    expect(thrownBy(() => param.sendInformational(status, guest.fields()))).toEqual(tag && { tag });
  });
});

test('http-error-code knows the errors of HTTP and no others', () => {
  const guest = new HttpGuest();
  const context = contextOf();
  expect(guest.types.httpErrorCode(new IoError(context, { tag: 'connection-refused' }))).toEqual({ tag: 'connection-refused' });
  expect(guest.types.httpErrorCode(new IoError(context, 'no-entry'))).toBeUndefined();
  expect(guest.types.httpErrorCode(new IoError(context, failureOf('connection-reset')))).toBeUndefined();
});

describe('a request that is served', () => {
  const served = (fields: readonly string[] = [], body: ReadableStream<Uint8Array> | null = null): ServedRequest => {
    const { signal } = new AbortController();
    return { method: 'POST', scheme: 'https', authority: 'guest.example', path: '/x', fields, body, signal };
  };

  test('leaves nothing with a guest that keeps its handles after the call', async () => {
    const guest = new HttpGuest();
    const kept: unknown[] = [];
    const whole = (): WeakRef<object>[] => {
      const request = served(['a', 'b'], new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1024)) }));
      const call = guest.host.incoming(request, () => undefined);
      const [incoming] = call.args;
      const body = incoming.consume();
      kept.push(incoming, body, body.stream());
      call.close();
      expect([incoming.authority(), entriesOf(incoming.headers())]).toEqual(['', []]);
      return [new WeakRef(request), new WeakRef(request.body as object)];
    };
    const references = whole();
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    for (let round = 0; round < 10; round++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      collect();
    }
    expect(kept.length).toBe(3);
    expect(references.map((reference) => reference.deref())).toEqual([undefined, undefined]);
  });

  test('shows its headers for fuel, by their number and their bytes', () => {
    const guest = new HttpGuest();
    const unitsFor = (fields: readonly string[]): number => {
      const [incoming] = guest.host.incoming(served(fields), () => undefined).args;
      const before = guest.control.units;
      incoming.headers();
      return guest.control.units - before;
    };
    expect(unitsFor(Array.from({ length: MAX_FIELDS }, (_, index) => [`n${index}`, 'v']).flat())).toBeGreaterThan(1e6);
    expect(unitsFor(['a', 'v'.repeat(MAX_FIELDS_BYTES - 1)])).toBeGreaterThan(4e5);
  });
});

test('an authority is checked for fuel, by its length', () => {
  const guest = new HttpGuest();
  const request = guest.request({});
  const before = guest.control.units;
  thrownBy(() => request.setAuthority('\uff41'.repeat(1_000)));
  expect(guest.control.units - before).toBeGreaterThan(5e5);
});

describe('content that comes in', () => {
  const received = (maxBytes?: number) => {
    const log: string[] = [];
    const content = new IncomingContent(contextOf(), { resume: () => log.push('resume'), cancel: () => log.push('cancel') }, maxBytes);
    return { content, log };
  };

  test('is read in the order in which it came, in whatever pieces', () => {
    const { content } = received();
    content.start();
    for (const text of ['ab', '', 'c', 'defg']) content.push(Buffer.from(text));
    expect([content.read(1), content.read(3), content.read(100), content.read(1)].map((bytes) => String(bytes && Buffer.from(bytes)))).toEqual([
      'a',
      'bcd',
      'efg',
      '',
    ]);
    content.finish();
    expect(content.read(1)).toBeUndefined();
  });

  test('is fetched when the guest has read what is there, and paused at the bound', () => {
    const { content, log } = received();
    content.start();
    const piece = Buffer.alloc(CONTENT_AHEAD_BYTES / 4);
    expect([1, 2, 3, 4].map(() => content.push(piece))).toEqual([true, true, true, false]);
    expect(log).toEqual(['resume']);
    content.read(CONTENT_AHEAD_BYTES - 1);
    expect(log).toEqual(['resume']);
    content.read(1);
    expect(log).toEqual(['resume', 'resume']);
  });

  test('takes up its room from when it is read until the guest has all, or gives up', () => {
    const context = contextOf(2 * CONTENT_AHEAD_BYTES);
    const contents = [1, 2, 3].map(() => new IncomingContent(context, { resume: () => undefined, cancel: () => undefined }));
    const [first, second, third] = contents as [IncomingContent, IncomingContent, IncomingContent];
    first.start();
    second.start();
    first.push(Buffer.from('abc'));
    first.finish();
    first.read(2);
    expect(context.hostBytesLeft()).toBe(0);
    expect(stopOf(() => third.start())).toBe('MEMORY_EXCEEDED');
    first.read(2);
    third.start();
    expect(context.hostBytesLeft()).toBe(0);
    second.discard();
    third.close();
    expect(context.hostBytesLeft()).toBe(2 * CONTENT_AHEAD_BYTES);
  });

  test('that is closed before it was read is not whole', () => {
    const { content } = received();
    content.start();
    content.push(Buffer.from('abc'));
    content.finish();
    content.close();
    expect(thrownBy(() => content.read(1))).toEqual({ tag: 'connection-terminated' });
  });

  test('in single bytes is paused long before as many are there', () => {
    const { content } = received();
    content.start();
    let count = 0;
    while (content.push(Buffer.alloc(1))) count++;
    expect(count).toBeLessThan(CONTENT_AHEAD_BYTES / 200);
  });

  test('shows a failure behind what came before it, and for ever', () => {
    const { content } = received();
    content.start();
    content.push(Buffer.from('a'));
    content.fail({ tag: 'HTTP-response-incomplete' });
    content.fail({ tag: 'connection-terminated' });
    content.finish();
    expect(content.read(10)).toHaveLength(1);
    for (const look of [() => content.read(1), () => content.read(1), () => content.trailers()]) {
      expect(thrownBy(look)).toEqual({ tag: 'HTTP-response-incomplete' });
    }
  });

  test('that is too long fails, and is not fetched on', () => {
    const { content, log } = received(10);
    content.start();
    content.push(Buffer.alloc(10));
    expect(isReady(content.ended)).toBe(false);
    content.push(Buffer.alloc(1));
    expect(log).toEqual(['resume', 'cancel']);
    expect(content.read(100)).toHaveLength(10);
    expect(thrownBy(() => content.read(1))).toEqual({ tag: 'HTTP-response-body-size', val: 10n });
  });

  test('that is discarded goes by, and its trailers come', () => {
    const { content, log } = received();
    content.push(Buffer.from('a'));
    content.discard();
    for (let index = 0; index < 10; index++) expect(content.push(Buffer.alloc(CONTENT_AHEAD_BYTES))).toBe(true);
    content.finish(['a', '1']);
    expect([content.trailers(), log]).toEqual([['a', '1'], ['resume']]);
    content.close();
    expect(log).toEqual(['resume']);
  });
});

describe('content that goes out', () => {
  const sent = (declared?: number, context = contextOf()) => new OutgoingContent(context, declared, 'HTTP-response-body-size');

  test('is taken in the order in which it was written, and ends behind that', () => {
    const content = sent();
    content.write(Buffer.from('a'));
    content.write(Buffer.from('b'));
    content.finish(['t', '1']);
    expect([content.end, String(content.take()), content.end, String(content.take()), content.take(), content.end, content.trailers]).toEqual([
      undefined,
      'a',
      undefined,
      'b',
      undefined,
      'finished',
      ['t', '1'],
    ]);
  });

  test('permits as much as there is room for, and more when some is taken', () => {
    const content = sent();
    content.write(new Uint8Array(CONTENT_BUFFER_BYTES - 1_000));
    const left = content.permit();
    expect(left).toBeGreaterThan(0);
    content.write(new Uint8Array(left));
    expect([content.permit(), isReady(content.ready)]).toEqual([0, false]);
    let woken = 0;
    content.ready.onChange(() => woken++);
    content.take();
    expect([content.permit() > 0, isReady(content.ready), woken]).toEqual([true, true, 1]);
  });

  test('takes a long write in few parts when little is taken at a time, and holds on to no more than these', () => {
    const content = sent(undefined, contextOf());
    const kept = new Set<ArrayBufferLike>();
    const stream = new OutputStream(contextOf(), {
      ready: content.ready,
      permit: () => content.permit(),
      write: (bytes) => {
        kept.add(bytes.buffer);
        content.write(bytes);
      },
    });
    while (content.permit() > 0) content.write(Buffer.alloc(1));
    let woken = 0;
    content.ready.onChange(() => woken++);
    for (let taken = 0; taken < 1_000; taken++) content.take();
    expect([content.permit(), isReady(content.ready), woken]).toEqual([0, false, 0]);
    while (content.permit() === 0) content.take();
    const permit = content.permit();
    expect([permit >= CONTENT_BUFFER_BYTES / 4, woken]).toEqual([true, 1]);
    expect(stopOf(() => stream.blockingWriteAndFlush(new Uint8Array(CONTENT_BUFFER_BYTES)))).toBe('UNSUPPORTED_FEATURE');
    expect([...kept].map(({ byteLength }) => byteLength)).toEqual([permit]);
  });

  test('has no room for a write without what the write takes up beside its bytes', () => {
    const context = contextOf();
    const content = sent(undefined, context);
    content.write(new Uint8Array(content.permit()));
    expect(limits.default.hostBytes - context.hostBytesLeft()).toBe(CONTENT_BUFFER_BYTES);
  });

  test('in single bytes takes up no more than it may', () => {
    const content = sent();
    let count = 0;
    for (; content.permit() > 0; count++) content.write(Buffer.alloc(1));
    expect(count).toBeLessThan(CONTENT_BUFFER_BYTES / 200);
  });

  test('is taken in as small parts as who sends it likes', () => {
    const context = contextOf(100_000);
    const content = sent(undefined, context);
    content.write(Buffer.from('abcde'));
    content.finish();
    expect([1, 2, 3].map(() => String(content.take(2)))).toEqual(['ab', 'cd', 'e']);
    expect([content.end, context.hostBytesLeft()]).toEqual(['finished', 100_000]);
  });

  test('that nobody wants is closed, and gives back what it held', () => {
    const context = contextOf(100_000);
    const content = sent(undefined, context);
    content.write(new Uint8Array(90_000));
    content.cancel();
    expect(thrownBy(() => content.permit())).toEqual(CLOSED);
    expect(thrownBy(() => content.write(new Uint8Array(1)))).toEqual(CLOSED);
    expect(context.hostBytesLeft()).toBe(100_000);
    content.finish();
    expect(content.end).toBe('finished');
  });

  test('that is thrown away goes on without bounds', () => {
    const context = contextOf(100_000);
    const content = sent(undefined, context);
    content.write(new Uint8Array(50_000));
    content.discard();
    for (let index = 0; index < 10; index++) content.write(new Uint8Array(90_000));
    content.finish();
    expect([content.end, context.hostBytesLeft()]).toEqual(['finished', 100_000]);
  });

  test.each([
    [3, undefined],
    [4, undefined],
    [5, { tag: 'HTTP-response-body-size', val: 5n }],
  ])('of a declared length of four may be written to byte %i', (size, error) => {
    const content = sent(4);
    expect(thrownBy(() => content.write(new Uint8Array(size)))).toEqual(error);
    const finished = size === 4 ? undefined : { tag: 'HTTP-response-body-size', val: BigInt(size) };
    expect(thrownBy(() => content.finish())).toEqual(finished);
    expect([content.fault, content.take()?.length]).toEqual([finished, size === 4 ? 4 : undefined]);
  });
});

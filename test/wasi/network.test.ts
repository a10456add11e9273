// The option `network` as a policy: how hosts may be spelt, which addresses are special, what entries open, and what is done with names.
import { describe, expect, test } from 'vitest';
import { Cap } from '../../src/capabilities.ts';
import { GloveportError, Sandbox } from '../../src/index.ts';
import { limits } from '../../src/limits.ts';
import { WasiContext } from '../../src/wasi/context.ts';
import { formatAddress, type IpAddress, ipv4, ipv6, isPublic, parseAddress, parsePrefix, partsOf } from '../../src/wasi/network/addresses.ts';
import { type Host, hostText, parseAuthority, parseHost } from '../../src/wasi/network/hosts.ts';
import { Network } from '../../src/wasi/network/network.ts';
import { NetworkPolicy, type NetworkOptions, resolveNetwork, type Scheme } from '../../src/wasi/network/policy.ts';
import type { Lookup } from '../../src/wasi/network/resolver.ts';
import { RecordingControl } from './support.ts';

function host(spelling: string): Host {
  const parsed = parseHost(spelling);
  if (parsed === undefined) throw new Error(`${spelling} is no host`);
  return parsed;
}

function address(text: string): IpAddress {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`${text} is no address`);
  return parsed;
}

const SCHEMES: readonly Scheme[] = ['http', 'https', 'tcp', 'udp'];

function permitted(hosts: NetworkOptions['hosts'], spelling: string, port = 80, scheme: Scheme = 'tcp'): boolean {
  return resolveNetwork({ hosts }).permits(scheme, host(spelling), port);
}

function networkOf(options: NetworkOptions, grants: number = Cap.NETWORK): { network: Network; context: WasiContext } {
  const context = new WasiContext(grants, limits.default, new RecordingControl());
  return { network: new Network(context, resolveNetwork(options)), context };
}

function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'fine',
    (error) => error.code,
  );
}

/** By a promise, whether that takes time or not. */
async function looked(network: Network, of: Host): Promise<readonly IpAddress[]> {
  return network.lookup(of);
}

describe('a host', () => {
  test.each([
    ['127.0.0.1', '127.0.0.1'],
    ['127.1', '127.0.0.1'],
    ['0x7f.1', '127.0.0.1'],
    ['0X7F.0x0.0x0.0x1', '127.0.0.1'],
    ['2130706433', '127.0.0.1'],
    ['0x7f000001', '127.0.0.1'],
    ['017700000001', '127.0.0.1'],
    ['0177.0.0.1', '127.0.0.1'],
    ['0', '0.0.0.0'],
    ['1.2.3.4.', '1.2.3.4'],
    ['１２７.０.０.１', '127.0.0.1'],
    ['127。0。0。1', '127.0.0.1'],
    ['[::1]', '[::1]'],
    ['[0:0:0:0:0:0:0:1]', '[::1]'],
    ['[::ffff:127.0.0.1]', '[::ffff:7f00:1]'],
    ['[2001:DB8::A]', '[2001:db8::a]'],
    ['localhost', 'localhost'],
    ['LOCALHOST', 'localhost'],
    ['localhost.', 'localhost'],
    ['ｌｏｃａｌｈｏｓｔ', 'localhost'],
    ['API.Example.COM.', 'api.example.com'],
    ['münchen.de', 'xn--mnchen-3ya.de'],
    ['xn--mnchen-3ya.de', 'xn--mnchen-3ya.de'],
    ['ex\u00adample.com', 'example.com'],
    ['a_b.example', 'a_b.example'],
  ])('spelt %j is %s', (spelling, canonical) => {
    expect(hostText(host(spelling))).toBe(canonical);
  });

  test.each([
    '',
    '.',
    '..',
    'a..b',
    '.a',
    'a..',
    'a b',
    ' a',
    'a\n',
    'a\tb',
    'a\0.example',
    'a%00.example',
    '%6cocalhost',
    'user@a',
    'user:word@a',
    '@a',
    'a@',
    'a/',
    'a\\b',
    'a?b',
    'a#b',
    'a:80',
    'a,b',
    '*.a',
    'a<b>',
    '[::1',
    '::1',
    '[::1]]',
    '[::1]:80',
    '[::1%25eth0]',
    '[fe80::1%1]',
    '[]',
    '1.2.3.4.5',
    '256.1.1.1',
    'a.256',
    '0x100000000',
    '\ud800',
    `${'a'.repeat(64)}.example`,
    `${'a.'.repeat(126)}aa`,
    'a'.repeat(100_000),
  ])('is not spelt %j', (spelling) => {
    expect(parseHost(spelling)).toBeUndefined();
  });

  test('has a name of up to 253 characters, in labels of up to 63', () => {
    expect(parseHost(`${'a.'.repeat(126)}a`)).toHaveLength(253);
    expect(parseHost(`${'a.'.repeat(126)}a.`)).toHaveLength(253);
    expect(parseHost(`${'a'.repeat(63)}.example`)).toHaveLength(71);
  });
});

describe('an authority', () => {
  test.each([
    ['example.com', 'example.com', undefined],
    ['example.com:8080', 'example.com', 8080],
    ['127.1:1', '127.0.0.1', 1],
    ['[::1]', '[::1]', undefined],
    ['[::1]:65535', '[::1]', 65_535],
    ['a:00080', 'a', 80],
  ])('%j has its host and port', (text, name, port) => {
    const parsed = parseAuthority(text);
    expect(parsed && [hostText(parsed.host), parsed.port]).toEqual([name, port]);
  });

  test.each([
    '',
    ':80',
    'a:',
    'a:65536',
    'a:-1',
    'a:+1',
    'a: 1',
    'a:1:2',
    'a:0x50',
    'a:８０',
    'allowed@evil',
    'allowed:x@evil:80',
    'allowed#@evil',
    'allowed\\@evil',
    'allowed%00.evil',
    'http://a',
    '::1',
    '::1:80',
    '[::1]80',
    '[::1]:',
  ])('is not %j', (text) => {
    expect(parseAuthority(text)).toBeUndefined();
  });
});

describe('an address', () => {
  test.each([
    ['0.0.0.0', [0, 0, 0, 0]],
    ['255.1.2.3', [255, 1, 2, 3]],
    ['::', [0, 0, 0, 0, 0, 0, 0, 0]],
    ['1:2:3:4:5:6:7:8', [1, 2, 3, 4, 5, 6, 7, 8]],
    ['2001:db8::1', [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]],
    ['::ffff:102:304', [0, 0, 0, 0, 0, 0xffff, 0x102, 0x304]],
    ['1::', [1, 0, 0, 0, 0, 0, 0, 0]],
  ])('%s is read, taken apart and written', (text, parts) => {
    expect(partsOf(address(text))).toEqual(parts);
    expect(parts.length === 4 ? ipv4(parts) : ipv6(parts)).toEqual(address(text));
    expect(formatAddress(address(text))).toBe(text);
  });

  test.each(['', '1.2.3', '01.2.3.4', '1.2.3.4/32', '0x7f.0.0.1', ' 1.2.3.4', ':::', '1::2::3', 'fe80::1%eth0', '[::1]', '1.2.3.4:80'])(
    'is not %j in its plain form',
    (text) => {
      expect(parseAddress(text)).toBeUndefined();
    },
  );

  test.each([
    ['0.0.0.0/0', 0],
    ['10.0.0.0/8', 8],
    ['1.2.3.4/32', 32],
    ['1.2.3.4', 32],
    ['::/0', 0],
    ['::1/128', 128],
  ])('prefix %s has %d bits', (text, length) => {
    expect(parsePrefix(text)?.length).toBe(length);
  });

  test.each(['1.2.3.4/33', '::/129', '10.0.0.1/8', '1.2.3.5/31', '10.0.0.0/', '10.0.0.0/08', '10.0.0.0/-1', '10.0.0.0/255.0.0.0', '/8', '2001:db8::1/32'])(
    'prefix is not %s',
    (text) => {
      expect(parsePrefix(text)).toBeUndefined();
    },
  );
});

const SPECIAL: readonly (readonly [kind: string, ...addresses: string[]])[] = [
  ['this network', '0.0.0.0', '0.255.255.255'],
  ['private', '10.0.0.0', '10.255.255.255', '172.16.0.0', '172.31.255.255', '192.168.0.0', '192.168.255.255'],
  ['shared by carriers', '100.64.0.0', '100.127.255.255'],
  ['loopback', '127.0.0.0', '127.0.0.1', '127.255.255.255', '::1'],
  ['link-local', '169.254.0.0', '169.254.169.254', 'fe80::', 'febf::1', 'fec0::1'],
  ['for protocols', '192.0.0.0', '192.0.0.255', '2001:1ff::1'],
  ['for documentation', '192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '3fff::1', '3fff:fff::1'],
  ['for benchmarks', '198.18.0.0', '198.19.255.255', '2001:2::1'],
  ['relays of 6to4', '192.88.99.1'],
  ['multicast', '224.0.0.1', '239.255.255.255', 'ff02::1', 'ffff::1'],
  ['reserved', '240.0.0.1', '255.255.255.255', '4000::1', 'e000::1', '1000::1'],
  ['unspecified', '::'],
  ['unique local', 'fc00::1', 'fd00::1', 'fdff::1'],
  ['discarding', '100::1'],
  ['IPv4 mapped', '::ffff:127.0.0.1', '::ffff:8.8.8.8', '::ffff:169.254.169.254'],
  ['IPv4 translated', '::ffff:0:127.0.0.1', '::ffff:0:8.8.8.8'],
  ['IPv4 compatible', '::127.0.0.1', '::8.8.8.8'],
  ['NAT64', '64:ff9b::127.0.0.1', '64:ff9b::8.8.8.8', '64:ff9b:1::1', '64:ff9b:1:ffff::8.8.8.8'],
  ['hosts of machines in clouds', '168.63.129.16'],
  ['6to4', '2002:7f00:1::', '2002:808:808::1'],
  ['Teredo', '2001::1', '2001:0:ffff:ffff:ffff:ffff:80ff:fffe'],
  ['segment routing', '5f00::1'],
];

describe('special addresses', () => {
  test.each(SPECIAL)('%s are not public, nor reached through a wildcard or a wide prefix', (_kind, ...texts) => {
    const wide = resolveNetwork({ hosts: ['*:*', '0.0.0.0/0:*', '[::/0]:*', '[::/1]:*', '128.0.0.0/1:*'] });
    for (const text of texts) {
      expect([text, isPublic(address(text))]).toEqual([text, false]);
      for (const scheme of SCHEMES) expect([text, wide.permits(scheme, address(text), 80)]).toEqual([text, false]);
      expect([text, wide.permitsResolved('https', 'example.com', 80, address(text))]).toEqual([text, false]);
    }
  });

  test.each(['1.1.1.1', '8.8.8.8', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255', '128.0.0.0', '172.15.255.255'])(
    '%s is none of them',
    (text) => expect(isPublic(address(text))).toBe(true),
  );
  test.each(['172.32.0.0', '192.0.1.0', '198.17.255.255', '198.20.0.0', '223.255.255.255', '2000::1', '2001:200::1', '2001:db9::', '2003::1', '3ffe::1'])(
    '%s is none of them',
    (text) => expect(isPublic(address(text))).toBe(true),
  );

  test.each([
    '127.1',
    '0x7f.1',
    '2130706433',
    '0177.0.0.1',
    '１２７.0.0.1',
    '[::1]',
    '[::ffff:7f00:1]',
    '[::ffff:127.0.0.1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
    '0.0.0.0',
    '0',
  ])('%s is denied where everything is allowed', (spelling) => {
    for (const scheme of SCHEMES) expect(permitted(['*:*'], spelling, 80, scheme)).toBe(false);
  });

  test.each(['localhost', 'localhost.', 'LOCALHOST', 'ｌocalhost'])('%s resolves to nothing that a wildcard opens', async (spelling) => {
    const { network } = networkOf({ hosts: ['*:*'] });
    expect(await codeOf(network.resolve('http', host(spelling), 80))).toBe('access-denied');
    expect(await codeOf(looked(network, host(spelling)))).toBe('access-denied');
  });
});

describe('an entry', () => {
  test.each([
    // entry, host, port, schemes
    ['api.example.com:443', 'api.example.com', 443, SCHEMES],
    ['api.example.com:443', 'API.example.COM.', 443, SCHEMES],
    ['api.example.com:443', 'api.example.com', 80, []],
    ['api.example.com:443', 'example.com', 443, []],
    ['api.example.com:443', 'x.api.example.com', 443, []],
    ['api.example.com', 'api.example.com', 80, SCHEMES],
    ['api.example.com', 'api.example.com', 443, SCHEMES],
    ['api.example.com', 'api.example.com', 8080, []],
    ['https://example.com', 'example.com', 443, ['https']],
    ['https://example.com', 'example.com', 80, []],
    ['http://example.com', 'example.com', 80, ['http']],
    ['http://example.com:*', 'example.com', 9, ['http']],
    ['https://*.example.com', 'a.b.example.com', 443, ['https']],
    ['https://*.example.com', 'example.com', 443, []],
    ['https://*.example.com', 'badexample.com', 443, []],
    ['https://*.example.com', 'example.com.evil', 443, []],
    ['*.münchen.de:1', 'a.xn--mnchen-3ya.de', 1, SCHEMES],
    ['tcp://8.8.8.8:53', '8.8.8.8', 53, ['tcp']],
    ['udp://8.8.8.8:53', '8.8.8.8', 53, ['udp']],
    ['udp://8.8.8.8:53', '8.8.8.9', 53, []],
    ['134744072:53', '8.8.8.8', 53, SCHEMES],
    ['*:443', '8.8.8.8', 443, SCHEMES],
    ['*:443', 'any.name', 443, SCHEMES],
    ['*:443', '10.0.0.1', 443, []],
    ['8.8.0.0/16:1', '8.8.255.255', 1, SCHEMES],
    ['8.8.0.0/16:1', '8.9.0.0', 1, []],
    ['8.8.8.8/32:1', '8.8.8.8', 1, SCHEMES],
    ['8.8.8.8/32:1', '8.8.8.9', 1, []],
    ['0.0.0.0/0:1', '8.8.8.8', 1, SCHEMES],
    ['0.0.0.0/0:1', '[2600::1]', 1, []],
    ['0.0.0.0/0:1', 'some.name', 1, []],
    ['[::/0]:1', '[2600::1]', 1, SCHEMES],
    ['[::/0]:1', '8.8.8.8', 1, []],
    ['[2600::/16]:1', '[2600:ffff::1]', 1, SCHEMES],
    ['[2600::/16]:1', '[2601::1]', 1, []],
    ['10.0.0.0/8:5432', '10.1.2.3', 5432, SCHEMES],
    ['10.0.0.0/8:5432', '10.1.2.3', 80, []],
    ['10.1.0.0/16:1', '10.1.2.3', 1, SCHEMES],
    ['10.1.0.0/16:1', '10.2.2.3', 1, []],
    ['8.0.0.0/5:1', '10.1.2.3', 1, []],
    ['8.0.0.0/5:1', '9.1.2.3', 1, SCHEMES],
    ['127.0.0.1:8080', '0x7f.1', 8080, SCHEMES],
    ['127.0.0.1:8080', '127.0.0.2', 8080, []],
    ['127.0.0.1:8080', '[::ffff:127.0.0.1]', 8080, []],
    ['[::1]:*', '[::1]', 1, SCHEMES],
    ['[::1]:*', '[0:0:0:0:0:0:0:1]', 65_535, SCHEMES],
    ['[fc00::/7]:80', '[fd12::1]', 80, SCHEMES],
    ['[8000::/1]:80', '[fd12::1]', 80, []],
    ['[::ffff:127.0.0.1]:80', '[::ffff:127.0.0.1]', 80, []],
    ['[64:ff9b::/96]:80', '[64:ff9b::8.8.8.8]', 80, SCHEMES],
    ['[64:ff9b::/96]:80', '[64:ff9b::10.0.0.1]', 80, []],
    // A translator of one's own may read 10.0.0.1 in these, or anything else.
    ['[64:ff9b:1::/48]:80', '[64:ff9b:1:a00:0:100:808:808]', 80, []],
    ['[64:ff9b:1::/48]:80', '[64:ff9b:1::808:808]', 80, []],
    ['[64:ff9b:1::808:808]:80', '[64:ff9b:1::808:808]', 80, []],
    ['168.63.0.0/16:80', '168.63.129.16', 80, []],
    ['168.63.129.16:80', '168.63.129.16', 80, SCHEMES],
    // ISATAP, with both spellings of its identifier.
    ['*:80', '[2a00:1::5efe:808:808]', 80, []],
    ['*:80', '[2a00:1::200:5efe:808:808]', 80, []],
    ['*:80', '[2a00:1::5eff:808:808]', 80, SCHEMES],
    ['[2a00:1::/64]:80', '[2a00:1::5efe:808:808]', 80, SCHEMES],
    ['[2a00:1::/64]:80', '[2a00:1::5efe:a00:1]', 80, []],
    ['[2a00:1::/64]:80', '[2a00:1::300:5efe:a00:1]', 80, []],
    ['[2002::/16]:80', '[2002:808:808::5efe:a00:1]', 80, []],
    ['[2002::/16]:80', '[2002:808:808::1]', 80, SCHEMES],
    ['[2002::/16]:80', '[2002:7f00:1::1]', 80, []],
    ['[2001::/32]:80', '[2001:0:1::f7f7:f7f7]', 80, SCHEMES],
    ['[2001::/32]:80', '[2001:0:1::80ff:fffe]', 80, []],
    ['localhost:3000', 'localhost', 3000, SCHEMES],
    ['localhost:3000', '127.0.0.1', 3000, []],
  ] as const)('%s opens %s at %d to %j', (entry, spelling, port, schemes) => {
    const policy = resolveNetwork({ hosts: [entry] });
    expect(SCHEMES.filter((scheme) => policy.permits(scheme, host(spelling), port))).toEqual(schemes);
  });

  test('that names the carried address, too, opens an address that carries another', () => {
    expect(permitted(['[::ffff:127.0.0.1]:80', '127.0.0.1:80'], '[::ffff:7f00:1]')).toBe(true);
    expect(permitted(['[::ffff:127.0.0.1]:80', '127.0.0.1:81'], '[::ffff:7f00:1]')).toBe(false);
  });

  test('with allowPrivate opens special addresses as well, at its own port and below its own names', () => {
    const policy = resolveNetwork({ hosts: [{ host: '*:80', allowPrivate: true }, { host: '8.0.0.0/5:81', allowPrivate: true }, 'a.example:82'] });
    expect(policy.permits('tcp', address('169.254.169.254'), 80)).toBe(true);
    expect(policy.permits('tcp', address('169.254.169.254'), 81)).toBe(false);
    expect(policy.permits('tcp', address('10.0.0.1'), 81)).toBe(true);
    expect(policy.permits('tcp', address('64:ff9b:1::808:808'), 80)).toBe(true);
    expect(policy.permitsResolved('http', 'a.example', 82, address('64:ff9b:1::808:808'))).toBe(false);
    expect(policy.permitsResolved('http', 'a.example', 80, address('127.0.0.1'))).toBe(true);
    expect(policy.permitsResolved('http', 'a.example', 82, address('127.0.0.1'))).toBe(false);
  });

  test('for listening opens the address or prefix, the transport and the port that it says, and nothing to connect to', () => {
    const policy = resolveNetwork({ listen: ['127.0.0.1:8080', 'udp://[::1]:0', 'tcp://10.0.0.0/8:*', 'localhost:9'] });
    const open = (transport: 'tcp' | 'udp', text: string, port: number): boolean => policy.permitsListen(transport, address(text), port);
    expect([open('tcp', '127.0.0.1', 8080), open('udp', '127.0.0.1', 8080), open('udp', '::1', 0), open('tcp', '10.9.9.9', 1)]).toEqual(Array(4).fill(true));
    expect([open('tcp', '127.0.0.1', 9), open('udp', '::1', 9)]).toEqual([true, true]);
    expect([open('tcp', '127.0.0.1', 0), open('tcp', '0.0.0.0', 8080), open('tcp', '::1', 0), open('udp', '10.9.9.9', 1)]).toEqual(Array(4).fill(false));
    expect(policy.permits('tcp', address('127.0.0.1'), 8080)).toBe(false);
  });
});

describe('the option network', () => {
  test.each([
    ['network', 'example.com'],
    ['network', ['example.com:443']],
    ['host', { host: ['example.com'] }],
    ['network.hosts', { hosts: 'example.com' }],
    ['network.hosts[0]', { hosts: [7] }],
    ['network.hosts[0]', { hosts: [null] }],
    ['network.hosts[1]', { hosts: ['a:1', ''] }],
    ['network.hosts[0]', { hosts: ['::1'] }],
    ['network.hosts[0]', { hosts: ['[::1'] }],
    ['network.hosts[0]', { hosts: ['a:0'] }],
    ['network.hosts[0]', { hosts: ['a:65536'] }],
    ['network.hosts[0]', { hosts: ['a:'] }],
    ['network.hosts[0]', { hosts: ['a:80-90'] }],
    ['network.hosts[0]', { hosts: ['ftp://a'] }],
    ['network.hosts[0]', { hosts: ['tcp://a'] }],
    ['network.hosts[0]', { hosts: ['udp://1.2.3.4'] }],
    ['network.hosts[0]', { hosts: ['https://a/'] }],
    ['network.hosts[0]', { hosts: ['user@a:1'] }],
    ['network.hosts[0]', { hosts: ['a*.example:1'] }],
    ['network.hosts[0]', { hosts: ['*example.com:1'] }],
    ['network.hosts[0]', { hosts: ['*.*.example:1'] }],
    ['network.hosts[0]', { hosts: ['*.1.2.3.4:1'] }],
    ['network.hosts[0]', { hosts: ['*.[::1]:1'] }],
    ['network.hosts[0]', { hosts: ['*.:1'] }],
    ['network.hosts[0]', { hosts: ['10.0.0.0/33:1'] }],
    ['network.hosts[0]', { hosts: ['10.0.0.1/8:1'] }],
    ['network.hosts[0]', { hosts: ['[fc00::1/7]:1'] }],
    ['network.hosts[0]', { hosts: ['[10.0.0.0/8]:1'] }],
    ['network.hosts[0]', { hosts: ['example.com/8:1'] }],
    ['network.hosts[0].host', { hosts: [{ allowPrivate: true }] }],
    ['network.hosts[0].host', { hosts: [{ host: 'a b' }] }],
    ['network.hosts[0].allowPrivate', { hosts: [{ host: 'a', allowPrivate: 1 }] }],
    ['private', { hosts: [{ host: 'a', private: true }] }],
    ['network.listen', { listen: '0.0.0.0:80' }],
    ['network.listen[0]', { listen: ['example.com:80'] }],
    ['network.listen[0]', { listen: ['*:80'] }],
    ['network.listen[0]', { listen: ['127.0.0.1'] }],
    ['network.listen[0]', { listen: ['http://127.0.0.1:80'] }],
    ['network.listen[0]', { listen: ['127.0.0.1:65536'] }],
    ['network.listen[0]', { listen: [80] }],
    ['network.lookup', { lookup: 'dns' }],
    ['network.maxConnections', { maxConnections: 0 }],
    ['network.maxConnections', { maxConnections: NaN }],
    ['network.maxConnections', { maxConnections: Infinity }],
    ['network.connectTimeoutMs', { connectTimeoutMs: 1.5 }],
    ['network.connectTimeoutMs', { connectTimeoutMs: 2 ** 31 }],
    ['network.connectTimeoutMs', { connectTimeoutMs: '10' }],
  ])('names %s in what is wrong with %j', (option, value) => {
    const make = (): unknown => new Sandbox({ network: value as NetworkOptions });
    expect(make).toThrow(GloveportError);
    expect(make).toThrow(expect.objectContaining({ code: 'INVALID_OPTION', details: expect.objectContaining({ option }) }));
  });

  test('left out, or empty, reaches nothing', () => {
    for (const options of [undefined, {}, { hosts: [] }, { hosts: undefined, lookup: undefined }]) {
      const policy = resolveNetwork(options);
      for (const scheme of SCHEMES)
        expect([policy.permits(scheme, 'example.com', 443), policy.permits(scheme, address('8.8.8.8'), 443)]).toEqual([false, false]);
      expect([policy.permitsLookup('localhost'), policy.permitsListen('tcp', address('127.0.0.1'), 0)]).toEqual([false, false]);
    }
    expect(resolveNetwork(undefined)).toBe(NetworkPolicy.none);
  });

  test('has defaults that are documented', () => {
    expect(resolveNetwork({})).toMatchObject({ maxConnections: 64, connectTimeoutMs: 10_000 });
  });

  test('is read once, from its own properties', () => {
    const hosts = ['a:1'];
    const policy = resolveNetwork(Object.assign(Object.create({ listen: ['127.0.0.1:1'] }), { hosts }));
    hosts.push('b:1');
    expect([policy.permits('tcp', 'a', 1), policy.permits('tcp', 'b', 1), policy.permitsListen('tcp', address('127.0.0.1'), 1)]).toEqual([true, false, false]);
    expect(resolveNetwork(policy)).toBe(policy);
    expect(new Sandbox({ network: { hosts } }).grant(Cap.NETWORK).grants & Cap.NETWORK).toBe(Cap.NETWORK);
  });
});

describe('a name', () => {
  const answers =
    (...texts: string[]): Lookup =>
    () =>
      texts;
  const texts = async (found: Promise<readonly IpAddress[]>): Promise<string[]> => (await found).map(formatAddress);

  test('is resolved to the addresses that may be connected to, in their order', async () => {
    const { network } = networkOf({ hosts: ['a.example:443', '10.0.0.0/8:443'], lookup: answers('1.1.1.1', '127.0.0.1', '2600::1', '10.0.0.1', '::1') });
    expect(await texts(network.resolve('https', 'a.example', 443))).toEqual(['1.1.1.1', '2600::1', '10.0.0.1']);
    expect(await codeOf(network.resolve('https', 'a.example', 80))).toBe('access-denied');
    expect(await codeOf(network.resolve('https', 'b.example', 443))).toBe('access-denied');
    expect(await texts(network.resolve('https', address('10.0.0.1'), 443))).toEqual(['10.0.0.1']);
    expect(await codeOf(network.resolve('https', address('1.1.1.1'), 443))).toBe('access-denied');
  });

  test('that first resolves to a public address and then to a special one is only ever connected to at the first', async () => {
    const found = ['1.1.1.1', '169.254.169.254', '127.0.0.1'];
    const { network } = networkOf({ hosts: ['rebinding.example:80'], lookup: () => [found.shift() as string] });
    expect(await texts(network.resolve('http', 'rebinding.example', 80))).toEqual(['1.1.1.1']);
    expect(await codeOf(network.resolve('http', 'rebinding.example', 80))).toBe('access-denied');
    expect(await codeOf(looked(network, 'rebinding.example'))).toBe('access-denied');
    expect(network.permitsSocket('tcp', address('127.0.0.1'), 80)).toBe(false);
  });

  test.each(SPECIAL)('that resolves to addresses that are %s is denied', async (_kind, ...special) => {
    const { network } = networkOf({ hosts: ['a.example:80', '*.example:80'], lookup: answers(...special) });
    expect(await codeOf(network.resolve('http', 'a.example', 80))).toBe('access-denied');
  });

  test('that is localhost is loopback, without a resolver, where it is named as such', async () => {
    const { network } = networkOf({ hosts: ['localhost:80', '*:81'], lookup: answers('1.1.1.1') });
    expect(await texts(network.resolve('http', 'localhost', 80))).toEqual(['127.0.0.1', '::1']);
    expect(await codeOf(network.resolve('http', 'localhost', 81))).toBe('access-denied');
    expect(await texts(network.resolve('http', 'sub.localhost', 81))).toEqual(['1.1.1.1']);
  });

  test('may be looked up by sockets where one of its entries is for sockets, and opens what it resolves to at those ports', async () => {
    const { network } = networkOf({ hosts: ['a.example:1', 'udp://a.example:2', 'https://h.example'], lookup: answers('1.1.1.1', '127.0.0.1') });
    const open = (transport: 'tcp' | 'udp', port: number): boolean => network.permitsSocket(transport, address('1.1.1.1'), port);
    expect([open('tcp', 1), network.permitsLookup('a.example'), network.permitsLookup('h.example')]).toEqual([false, true, false]);
    expect(await texts(looked(network, 'a.example'))).toEqual(['1.1.1.1']);
    expect([open('tcp', 1), open('udp', 1), open('udp', 2), open('tcp', 2), open('tcp', 443)]).toEqual([true, true, true, false, false]);
    expect(network.permitsSocket('tcp', address('127.0.0.1'), 1)).toBe(false);
    expect(await codeOf(looked(network, 'h.example'))).toBe('access-denied');
  });

  test('is forgotten for sockets when a thousand others were looked up after it', async () => {
    let last = 0;
    const { network } = networkOf({ hosts: ['*.example:1'], lookup: () => [formatAddress(ipv4([1, 1, last >> 8, last & 255]))] });
    for (; last <= 1_000; last += 1) await network.lookup(`n${last}.example`);
    expect(network.permitsSocket('tcp', address('1.1.0.0'), 1)).toBe(false);
    expect(network.permitsSocket('tcp', address('1.1.0.1'), 1)).toBe(true);
  });

  test.each([
    ['name-unresolvable', () => []],
    ['name-unresolvable', () => ['nonsense', 'fe80::1%eth0', 5 as unknown as string]],
    ['permanent-resolver-failure', () => 'nothing' as unknown as string[]],
    ['name-unresolvable', () => Promise.reject(Object.assign(new Error('/secret'), { code: 'ENOTFOUND' }))],
    ['temporary-resolver-failure', () => Promise.reject(Object.assign(new Error('/secret'), { code: 'EAI_AGAIN' }))],
    ['permanent-resolver-failure', () => Promise.reject(new Error('/secret'))],
    [
      'permanent-resolver-failure',
      () => {
        throw Symbol('strange');
      },
    ],
    ['timeout', () => new Promise<string[]>(() => {})],
  ] as const)('fails with %s, and without the words of the host', async (code, lookup) => {
    const { network } = networkOf({ hosts: ['a.example'], lookup: lookup as Lookup, connectTimeoutMs: 20 });
    await expect(network.resolve('http', 'a.example', 80)).rejects.toMatchObject({ code, message: code });
  });

  test('is one of four at a time, of 260 in all, and counts until its lookup really ends', async () => {
    const ends: (() => void)[] = [];
    const lookup: Lookup = () => new Promise((resolve) => ends.push(() => resolve(['1.1.1.1'])));
    const { network } = networkOf({ hosts: ['*.example:1'], lookup, connectTimeoutMs: 50 });
    const many = Array.from({ length: 260 }, (_, index) => codeOf(network.resolve('tcp', `n${index}.example`, 1)));
    expect(await codeOf(network.resolve('tcp', 'over.example', 1))).toBe('temporary-resolver-failure');
    expect(ends).toHaveLength(4);
    expect(new Set(await Promise.all(many))).toEqual(new Set(['timeout']));
    // All four places are taken, and those that waited for them have gone.
    expect(ends).toHaveLength(4);
    const late = codeOf(network.resolve('tcp', 'late.example', 1));
    for (const end of ends.splice(0)) end();
    await expect.poll(() => ends.length).toBe(1);
    ends[0]?.();
    expect(await late).toBe('fine');
  });

  test('of a long answer, only the first 64 addresses are looked at', async () => {
    const { network } = networkOf({ hosts: ['a.example'], lookup: () => Array.from({ length: 100_000 }, () => '1.1.1.1') });
    expect(await network.resolve('http', 'a.example', 80)).toHaveLength(64);
  });
});

describe('the network of a guest', () => {
  const LOOKED_UP: NetworkOptions = { hosts: ['a.example:1', '8.8.8.8:1'], listen: ['127.0.0.1:1'], lookup: () => ['1.1.1.1'] };

  test('is closed without NETWORK, whatever the option says', async () => {
    const { network } = networkOf(LOOKED_UP, Cap.NONE);
    expect([network.granted, network.permits('tcp', 'a.example', 1), network.permitsLookup('a.example')]).toEqual([false, false, false]);
    expect([network.permitsSocket('tcp', address('8.8.8.8'), 1), network.permitsListen('tcp', address('127.0.0.1'), 1)]).toEqual([false, false]);
    expect([await codeOf(network.resolve('tcp', 'a.example', 1)), await codeOf(looked(network, 'a.example'))]).toEqual(['access-denied', 'access-denied']);
    expect(network.admit(() => {})).toBeUndefined();
  });

  test('closes at the moment when NETWORK is taken back, for what is looked up as well', async () => {
    let answer: (addresses: string[]) => void = () => {};
    const { network, context } = networkOf({
      ...LOOKED_UP,
      lookup: () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    });
    const closed: number[] = [];
    const release = network.admit(() => closed.push(1));
    network.admit(() => closed.push(2));
    release?.();
    const pending = [codeOf(network.resolve('tcp', 'a.example', 1))];
    await expect.poll(() => answer.length).toBe(1);
    context.revoke(Cap.NETWORK);
    answer(['1.1.1.1']);
    expect([closed, await Promise.all(pending), network.permitsSocket('tcp', address('8.8.8.8'), 1)]).toEqual([[2], ['access-denied'], false]);
  });

  test('has as many connections as it may, and no more', () => {
    const { network, context } = networkOf({ ...LOOKED_UP, maxConnections: 2 });
    let closed = 0;
    const admit = () => network.admit(() => (closed += 1));
    const first = admit();
    expect([first === undefined, admit() === undefined, admit() === undefined]).toEqual([false, false, true]);
    first?.();
    first?.();
    expect([admit() === undefined, admit() === undefined]).toEqual([false, true]);
    context.closeAll();
    expect(closed).toBe(2);
  });
});

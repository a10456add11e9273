// A certificate for tests, made when it is needed: X.509 in as few fields as a TLS client looks at (RFC 5280), signed by its own key.
import { generateKeyPairSync, sign } from 'node:crypto';

export interface Identity {
  /** PEM. */
  readonly key: string;
  readonly cert: string;
}

/** An authority of its own, and a server with these names and IPv4 addresses. */
export function identity(...hosts: readonly string[]): Identity {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from('test')))));
  const alternatives = hosts.map((host) => (/^[\d.]+$/.test(host) ? der(0x87, Buffer.from(host.split('.').map(Number))) : der(0x82, Buffer.from(host))));
  const extensions = sequence(
    sequence(BASIC_CONSTRAINTS, TRUE, der(0x04, sequence(TRUE))),
    sequence(SUBJECT_ALTERNATIVE_NAME, der(0x04, sequence(...alternatives))),
  );
  const validity = sequence(der(0x17, Buffer.from('200101000000Z')), der(0x17, Buffer.from('491231000000Z')));
  const algorithm = sequence(ECDSA_WITH_SHA256);
  const version = der(0xa0, der(0x02, Buffer.from([2])));
  const serial = der(0x02, Buffer.from([1]));
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const content = sequence(version, serial, algorithm, name, validity, name, spki, der(0xa3, extensions));
  const certificate = sequence(content, algorithm, der(0x03, Buffer.from([0]), sign('sha256', content, privateKey)));
  const base64 = certificate.toString('base64').replace(/.{64}/g, '$&\n');
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    cert: `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`,
  };
}

const COMMON_NAME = der(0x06, Buffer.from([0x55, 4, 3]));
const SUBJECT_ALTERNATIVE_NAME = der(0x06, Buffer.from([0x55, 29, 17]));
const BASIC_CONSTRAINTS = der(0x06, Buffer.from([0x55, 29, 19]));
const ECDSA_WITH_SHA256 = der(0x06, Buffer.from([0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]));
const TRUE = der(0x01, Buffer.from([0xff]));

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, ...parts);
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const prefix = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...prefix]), content]);
}

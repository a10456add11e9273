// wasi:sockets 0.2 over the open sockets of `sockets/`: addresses, records and resources of the interface, nothing else.
import { GloveportError } from '../../errors.ts';
import type { WasiContext } from '../context.ts';
import { ipv4, ipv6, type IpAddress, partsOf } from '../network/addresses.ts';
import type { Network } from '../network/network.ts';
import { CHUNK_BYTES, type Connection } from '../sockets/connection.ts';
import type { Endpoint, Family } from '../sockets/endpoint.ts';
import { codeOfFailure, type ErrorCode, fail } from '../sockets/errors.ts';
import { OpenLookup } from '../sockets/lookup.ts';
import { OpenTcp } from '../sockets/tcp.ts';
import { MAX_DATAGRAMS, MIN_BUFFER_BYTES, OpenUdp } from '../sockets/udp.ts';
import { READY } from '../waiting.ts';
import { InputStream, IoError, OutputStream, Pollable } from './io.ts';
import { interfaceOf, Resource } from './resource.ts';

type Ipv4Address = [number, number, number, number];
type Ipv6Address = [number, number, number, number, number, number, number, number];
type WitIpAddress = { tag: 'ipv4'; val: Ipv4Address } | { tag: 'ipv6'; val: Ipv6Address };
type IpSocketAddress =
  | { tag: 'ipv4'; val: { port: number; address: Ipv4Address } }
  | { tag: 'ipv6'; val: { port: number; flowInfo: number; address: Ipv6Address; scopeId: number } };
type IpAddressFamily = 'ipv4' | 'ipv6';

interface IncomingDatagram {
  data: Uint8Array;
  remoteAddress: IpSocketAddress;
}

interface OutgoingDatagram {
  data: Uint8Array;
  remoteAddress?: IpSocketAddress;
}

/** What `set-receive-buffer-size` and `set-send-buffer-size` are clamped to. */
const MIN_SEND_BUFFER_BYTES = 1024;
const MAX_BUFFER_BYTES = 1024 * 1024;
/** What Linux takes for times, in seconds, and the number of probes of keep-alive. */
const MAX_KEEP_ALIVE_SECONDS = 32_767;
const MAX_KEEP_ALIVE_COUNT = 127;
const NS_PER_SECOND = 1_000_000_000n;

/** The resource `network`: all are the guest's one network. */
export class NetworkHandle extends Resource {}

/** The resource `tcp-socket`. Node can neither set nor tell the hop limit of a connection, and sizes of buffers are those of the host's own. */
export class TcpSocket extends Resource {
  readonly #context: WasiContext;
  readonly #tcp: OpenTcp;

  /** Takes over `tcp`. */
  constructor(context: WasiContext, tcp: OpenTcp) {
    super(context, () => tcp.close());
    this.#context = context;
    this.#tcp = tcp;
  }

  startBind(_network: NetworkHandle, localAddress: IpSocketAddress): void {
    this.#tcp.startBind(endpoint(localAddress));
  }

  finishBind(): void {
    this.#tcp.finishBind();
  }

  startConnect(_network: NetworkHandle, remoteAddress: IpSocketAddress): void {
    this.#tcp.startConnect(endpoint(remoteAddress));
  }

  finishConnect(): [InputStream, OutputStream] {
    return streams(this.#context, this.#tcp.finishConnect());
  }

  startListen(): void {
    this.#tcp.startListen();
  }

  finishListen(): void {
    this.#tcp.finishListen();
  }

  accept(): [TcpSocket, InputStream, OutputStream] {
    this.#context.checkHandles();
    const [tcp, connection] = this.#tcp.accept();
    return [new TcpSocket(this.#context, tcp), ...streams(this.#context, connection)];
  }

  localAddress(): IpSocketAddress {
    return socketAddress(this.#tcp.local);
  }

  remoteAddress(): IpSocketAddress {
    return socketAddress(this.#tcp.remote);
  }

  isListening(): boolean {
    return this.#tcp.listening;
  }

  addressFamily(): IpAddressFamily {
    return familyName(this.#tcp.family);
  }

  setListenBacklogSize(value: bigint): void {
    this.#tcp.backlog = clamp(value, 1, MAX_BUFFER_BYTES);
  }

  keepAliveEnabled(): boolean {
    return this.#tcp.options.keepAlive;
  }

  setKeepAliveEnabled(value: boolean): void {
    this.#tcp.options.keepAlive = value;
    this.#tcp.applyKeepAlive();
  }

  keepAliveIdleTime(): bigint {
    return BigInt(this.#tcp.options.keepAliveIdle) * NS_PER_SECOND;
  }

  setKeepAliveIdleTime(value: bigint): void {
    this.#tcp.options.keepAliveIdle = seconds(value);
    this.#tcp.applyKeepAlive();
  }

  keepAliveInterval(): bigint {
    return BigInt(this.#tcp.options.keepAliveInterval) * NS_PER_SECOND;
  }

  setKeepAliveInterval(value: bigint): void {
    this.#tcp.options.keepAliveInterval = seconds(value);
    this.#tcp.applyKeepAlive();
  }

  keepAliveCount(): number {
    return this.#tcp.options.keepAliveCount;
  }

  setKeepAliveCount(value: number): void {
    this.#tcp.options.keepAliveCount = clamp(BigInt(value), 1, MAX_KEEP_ALIVE_COUNT);
    this.#tcp.applyKeepAlive();
  }

  hopLimit(): number {
    return fail('not-supported');
  }

  setHopLimit(value: number): void {
    fail(value === 0 ? 'invalid-argument' : 'not-supported');
  }

  receiveBufferSize(): bigint {
    return BigInt(this.#tcp.options.receiveBuffer);
  }

  setReceiveBufferSize(value: bigint): void {
    this.#tcp.options.receiveBuffer = clamp(value, CHUNK_BYTES, MAX_BUFFER_BYTES);
  }

  sendBufferSize(): bigint {
    return BigInt(this.#tcp.options.sendBuffer);
  }

  setSendBufferSize(value: bigint): void {
    this.#tcp.options.sendBuffer = clamp(value, MIN_SEND_BUFFER_BYTES, MAX_BUFFER_BYTES);
  }

  subscribe(): Pollable {
    return new Pollable(this.#context, this.#tcp.ready);
  }

  shutdown(shutdownType: 'receive' | 'send' | 'both'): void {
    this.#tcp.shutdown(shutdownType !== 'send', shutdownType !== 'receive');
  }
}

/** The resource `udp-socket`. */
export class UdpSocket extends Resource {
  readonly #context: WasiContext;
  readonly #udp: OpenUdp;

  /** Takes over `udp`. */
  constructor(context: WasiContext, udp: OpenUdp) {
    super(context, () => udp.close());
    this.#context = context;
    this.#udp = udp;
  }

  startBind(_network: NetworkHandle, localAddress: IpSocketAddress): void {
    this.#udp.startBind(endpoint(localAddress));
  }

  finishBind(): void {
    this.#udp.finishBind();
  }

  stream(remoteAddress: IpSocketAddress | undefined): [IncomingDatagramStream, OutgoingDatagramStream] {
    this.#context.checkHandles();
    const association = this.#udp.associate(remoteAddress && endpoint(remoteAddress));
    return [new IncomingDatagramStream(this.#context, this.#udp, association), new OutgoingDatagramStream(this.#context, this.#udp, association)];
  }

  localAddress(): IpSocketAddress {
    return socketAddress(this.#udp.local);
  }

  remoteAddress(): IpSocketAddress {
    return socketAddress(this.#udp.remote);
  }

  addressFamily(): IpAddressFamily {
    return familyName(this.#udp.family);
  }

  unicastHopLimit(): number {
    return this.#udp.hopLimit;
  }

  setUnicastHopLimit(value: number): void {
    this.#udp.hopLimit = clamp(BigInt(value), 1, 255);
  }

  receiveBufferSize(): bigint {
    return BigInt(this.#udp.receiveBuffer);
  }

  setReceiveBufferSize(value: bigint): void {
    this.#udp.receiveBuffer = clamp(value, MIN_BUFFER_BYTES, MAX_BUFFER_BYTES);
  }

  sendBufferSize(): bigint {
    return BigInt(MIN_BUFFER_BYTES);
  }

  // What is sent goes to the system at once; any size is clamped to that of its longest datagram.
  setSendBufferSize(value: bigint): void {
    clamp(value, MIN_BUFFER_BYTES, MIN_BUFFER_BYTES);
  }

  // No operation of the socket itself has to be waited for.
  subscribe(): Pollable {
    return new Pollable(this.#context, READY);
  }
}

export class IncomingDatagramStream extends Resource {
  readonly #context: WasiContext;
  readonly #udp: OpenUdp;
  readonly #association: number;

  constructor(context: WasiContext, udp: OpenUdp, association: number) {
    super(context);
    this.#context = context;
    this.#udp = udp;
    this.#association = association;
  }

  receive(maxResults: bigint): IncomingDatagram[] {
    const limit = maxResults < MAX_DATAGRAMS ? Number(maxResults) : MAX_DATAGRAMS;
    return this.#udp.receive(this.#association, limit).map(({ data, from }) => ({ data, remoteAddress: socketAddress(from) }));
  }

  subscribe(): Pollable {
    return new Pollable(this.#context, this.#udp.receivable);
  }
}

export class OutgoingDatagramStream extends Resource {
  readonly #context: WasiContext;
  readonly #udp: OpenUdp;
  readonly #association: number;
  #permit = 0;

  constructor(context: WasiContext, udp: OpenUdp, association: number) {
    super(context);
    this.#context = context;
    this.#udp = udp;
    this.#association = association;
  }

  checkSend(): bigint {
    this.#permit = this.#udp.permit(this.#association);
    return BigInt(this.#permit);
  }

  // The specification has a list that is longer than was permitted trap, and leaves out what went wrong behind the first datagram that was sent.
  send(datagrams: readonly OutgoingDatagram[]): bigint {
    if (datagrams.length > this.#permit) {
      const message = `the guest sent ${datagrams.length} datagrams at once, and check-send permitted ${this.#permit}`;
      this.#context.control.stop(new GloveportError('GUEST_TRAPPED', message, { maximum: this.#permit }));
    }
    this.#permit = 0;
    let sent = 0n;
    for (const { data, remoteAddress } of datagrams) {
      try {
        this.#udp.send(this.#association, data, remoteAddress && endpoint(remoteAddress));
      } catch (error) {
        if (sent > 0n && typeof error === 'string') break;
        throw error;
      }
      sent += 1n;
    }
    return sent;
  }

  subscribe(): Pollable {
    return new Pollable(this.#context, this.#udp.sendable);
  }
}

export class ResolveAddressStream extends Resource {
  readonly #context: WasiContext;
  readonly #lookup: OpenLookup;

  constructor(context: WasiContext, lookup: OpenLookup) {
    super(context, () => lookup.close());
    this.#context = context;
    this.#lookup = lookup;
  }

  resolveNextAddress(): WitIpAddress | undefined {
    const address = this.#lookup.next();
    return address && witAddress(address);
  }

  subscribe(): Pollable {
    return new Pollable(this.#context, this.#lookup.ready);
  }
}

/** The interfaces of wasi:sockets. */
export function socketInterfaces(context: WasiContext, network: Network) {
  return {
    'wasi:sockets/network': interfaceOf({
      Network: NetworkHandle,
      networkErrorCode: (error: IoError): ErrorCode | undefined => codeOfFailure(IoError.failureOf(error)),
    }),
    'wasi:sockets/instance-network': interfaceOf({ instanceNetwork: () => new NetworkHandle(context) }),
    'wasi:sockets/tcp': interfaceOf({ TcpSocket }),
    'wasi:sockets/tcp-create-socket': interfaceOf({
      createTcpSocket: (family: IpAddressFamily) => {
        context.checkHandles();
        return new TcpSocket(context, OpenTcp.open(context, network, familyOf(family)));
      },
    }),
    'wasi:sockets/udp': interfaceOf({ UdpSocket, IncomingDatagramStream, OutgoingDatagramStream }),
    'wasi:sockets/udp-create-socket': interfaceOf({
      createUdpSocket: (family: IpAddressFamily) => {
        context.checkHandles();
        return new UdpSocket(context, OpenUdp.open(context, network, familyOf(family)));
      },
    }),
    'wasi:sockets/ip-name-lookup': interfaceOf({
      ResolveAddressStream,
      resolveAddresses: (_network: NetworkHandle, name: string) => {
        context.checkHandles();
        return new ResolveAddressStream(context, OpenLookup.open(context, network, name));
      },
    }),
  };
}

function streams(context: WasiContext, { input, output }: Connection): [InputStream, OutputStream] {
  return [new InputStream(context, input), new OutputStream(context, output)];
}

// Which interface of the host an address of a link belongs to cannot be said to Node by its number.
function endpoint({ tag, val }: IpSocketAddress): Endpoint {
  if (tag === 'ipv4') return { address: ipv4(val.address), port: val.port };
  return val.scopeId === 0 ? { address: ipv6(val.address), port: val.port } : fail('not-supported');
}

function socketAddress({ address, port }: Endpoint): IpSocketAddress {
  const wit = witAddress(address);
  if (wit.tag === 'ipv4') return { tag: 'ipv4', val: { port, address: wit.val } };
  return { tag: 'ipv6', val: { port, flowInfo: 0, address: wit.val, scopeId: 0 } };
}

function witAddress(address: IpAddress): WitIpAddress {
  return { tag: familyName(address.family), val: partsOf(address) } as WitIpAddress;
}

function familyOf(family: IpAddressFamily): Family {
  return family === 'ipv6' ? 6 : 4;
}

function familyName(family: Family): IpAddressFamily {
  return family === 6 ? 'ipv6' : 'ipv4';
}

/** `value` within bounds; fails with `invalid-argument` for 0, which no setting takes. */
function clamp(value: bigint, least: number, most: number): number {
  if (value === 0n) fail('invalid-argument');
  if (value > most) return most;
  return value < least ? least : Number(value);
}

function seconds(nanoseconds: bigint): number {
  return clamp((nanoseconds + NS_PER_SECOND - 1n) / NS_PER_SECOND, 1, MAX_KEEP_ALIVE_SECONDS);
}

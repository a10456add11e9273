// wasi:sockets. Notation: `reader.ts`.

export const SOCKETS = `
interface wasi:sockets/network
  resource network
  type error-code = enum{
    unknown,access-denied,not-supported,invalid-argument,out-of-memory,timeout,concurrency-conflict,not-in-progress,would-block,invalid-state,
    new-socket-limit,address-not-bindable,address-in-use,remote-unreachable,connection-refused,connection-reset,connection-aborted,datagram-too-large,
    name-unresolvable,temporary-resolver-failure,permanent-resolver-failure
  }
  type ip-address-family = enum{ipv4,ipv6}
  type ipv4-address = tuple<u8,u8,u8,u8>
  type ipv6-address = tuple<u16,u16,u16,u16,u16,u16,u16,u16>
  type ip-address = variant{ipv4(ipv4-address),ipv6(ipv6-address)}
  type ipv4-socket-address = record{port:u16,address:ipv4-address}
  type ipv6-socket-address = record{port:u16,flow-info:u32,address:ipv6-address,scope-id:u32}
  type ip-socket-address = variant{ipv4(ipv4-socket-address),ipv6(ipv6-socket-address)}
  network-error-code(borrow<error>) -> option<error-code>

interface wasi:sockets/instance-network
  instance-network() -> network

interface wasi:sockets/tcp
  resource tcp-socket
  type shutdown-type = enum{receive,send,both}
  tcp-socket.start-bind(borrow<network>,ip-socket-address) -> result<_,error-code>
  tcp-socket.finish-bind() -> result<_,error-code>
  tcp-socket.start-connect(borrow<network>,ip-socket-address) -> result<_,error-code>
  tcp-socket.finish-connect() -> result<tuple<input-stream,output-stream>,error-code>
  tcp-socket.start-listen() -> result<_,error-code>
  tcp-socket.finish-listen() -> result<_,error-code>
  tcp-socket.accept() -> result<tuple<tcp-socket,input-stream,output-stream>,error-code>
  tcp-socket.local-address() -> result<ip-socket-address,error-code>
  tcp-socket.remote-address() -> result<ip-socket-address,error-code>
  tcp-socket.is-listening() -> bool
  tcp-socket.address-family() -> ip-address-family
  tcp-socket.set-listen-backlog-size(u64) -> result<_,error-code>
  tcp-socket.keep-alive-enabled() -> result<bool,error-code>
  tcp-socket.set-keep-alive-enabled(bool) -> result<_,error-code>
  tcp-socket.keep-alive-idle-time() -> result<duration,error-code>
  tcp-socket.set-keep-alive-idle-time(duration) -> result<_,error-code>
  tcp-socket.keep-alive-interval() -> result<duration,error-code>
  tcp-socket.set-keep-alive-interval(duration) -> result<_,error-code>
  tcp-socket.keep-alive-count() -> result<u32,error-code>
  tcp-socket.set-keep-alive-count(u32) -> result<_,error-code>
  tcp-socket.hop-limit() -> result<u8,error-code>
  tcp-socket.set-hop-limit(u8) -> result<_,error-code>
  tcp-socket.receive-buffer-size() -> result<u64,error-code>
  tcp-socket.set-receive-buffer-size(u64) -> result<_,error-code>
  tcp-socket.send-buffer-size() -> result<u64,error-code>
  tcp-socket.set-send-buffer-size(u64) -> result<_,error-code>
  tcp-socket.subscribe() -> pollable
  tcp-socket.shutdown(shutdown-type) -> result<_,error-code>

interface wasi:sockets/tcp-create-socket
  create-tcp-socket(ip-address-family) -> result<tcp-socket,error-code>

interface wasi:sockets/udp
  resource udp-socket
  resource incoming-datagram-stream
  resource outgoing-datagram-stream
  type incoming-datagram = record{data:list<u8>,remote-address:ip-socket-address}
  type outgoing-datagram = record{data:list<u8>,remote-address:option<ip-socket-address>}
  udp-socket.start-bind(borrow<network>,ip-socket-address) -> result<_,error-code>
  udp-socket.finish-bind() -> result<_,error-code>
  udp-socket.stream(option<ip-socket-address>) -> result<tuple<incoming-datagram-stream,outgoing-datagram-stream>,error-code>
  udp-socket.local-address() -> result<ip-socket-address,error-code>
  udp-socket.remote-address() -> result<ip-socket-address,error-code>
  udp-socket.address-family() -> ip-address-family
  udp-socket.unicast-hop-limit() -> result<u8,error-code>
  udp-socket.set-unicast-hop-limit(u8) -> result<_,error-code>
  udp-socket.receive-buffer-size() -> result<u64,error-code>
  udp-socket.set-receive-buffer-size(u64) -> result<_,error-code>
  udp-socket.send-buffer-size() -> result<u64,error-code>
  udp-socket.set-send-buffer-size(u64) -> result<_,error-code>
  udp-socket.subscribe() -> pollable
  incoming-datagram-stream.receive(u64) -> result<list<incoming-datagram>,error-code>
  incoming-datagram-stream.subscribe() -> pollable
  outgoing-datagram-stream.check-send() -> result<u64,error-code>
  outgoing-datagram-stream.send(list<outgoing-datagram>) -> result<u64,error-code>
  outgoing-datagram-stream.subscribe() -> pollable

interface wasi:sockets/udp-create-socket
  create-udp-socket(ip-address-family) -> result<udp-socket,error-code>

interface wasi:sockets/ip-name-lookup
  resource resolve-address-stream
  resolve-addresses(borrow<network>,string) -> result<resolve-address-stream,error-code>
  resolve-address-stream.resolve-next-address() -> result<option<ip-address>,error-code>
  resolve-address-stream.subscribe() -> pollable`;

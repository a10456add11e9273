// A component in text that uses wasi:sockets through its real bindings: `echo(name, port, count)`, `serve(port)` and `datagram(port)`. Each gives a number of
// bytes, or {@link FAILED} and an error code.
import { parse } from '@bytecodealliance/jco';

export const ERROR_CODES = [
  ...['unknown', 'access-denied', 'not-supported', 'invalid-argument', 'out-of-memory', 'timeout', 'concurrency-conflict', 'not-in-progress', 'would-block'],
  ...['invalid-state', 'new-socket-limit', 'address-not-bindable', 'address-in-use', 'remote-unreachable', 'connection-refused', 'connection-reset'],
  ...['connection-aborted', 'datagram-too-large', 'name-unresolvable', 'temporary-resolver-failure', 'permanent-resolver-failure'],
];
export const FAILED = 1_000_000;

export async function socketsComponent(): Promise<Uint8Array> {
  return new Uint8Array(await parse(COMPONENT));
}

// What the core module imports: its own name, the instance, the function in it or the resource to drop, parameters and result (i32, I64).
const IMPORTS: readonly (readonly [name: string, instance: string, target: string, signature: string])[] = [
  ['block', 'poll', '[method]pollable.block', 'i'],
  ['read', 'streams', '[method]input-stream.blocking-read', 'iIi'],
  ['write', 'streams', '[method]output-stream.blocking-write-and-flush', 'iiii'],
  ['network', 'instance', 'instance-network', '>i'],
  ['resolve-addresses', 'lookup', 'resolve-addresses', 'iiii'],
  ['next-address', 'lookup', '[method]resolve-address-stream.resolve-next-address', 'ii'],
  ['subscribe-stream', 'lookup', '[method]resolve-address-stream.subscribe', 'i>i'],
  ['create-tcp', 'create-tcp', 'create-tcp-socket', 'ii'],
  ['start-bind-tcp', 'tcp', '[method]tcp-socket.start-bind', 'iiiiiiiiiiiiiii'],
  ['finish-bind-tcp', 'tcp', '[method]tcp-socket.finish-bind', 'ii'],
  ['start-connect', 'tcp', '[method]tcp-socket.start-connect', 'iiiiiiiiiiiiiii'],
  ['finish-connect', 'tcp', '[method]tcp-socket.finish-connect', 'ii'],
  ['start-listen', 'tcp', '[method]tcp-socket.start-listen', 'ii'],
  ['finish-listen', 'tcp', '[method]tcp-socket.finish-listen', 'ii'],
  ['accept', 'tcp', '[method]tcp-socket.accept', 'ii'],
  ['subscribe-tcp', 'tcp', '[method]tcp-socket.subscribe', 'i>i'],
  ['shutdown', 'tcp', '[method]tcp-socket.shutdown', 'iii'],
  ['create-udp', 'create-udp', 'create-udp-socket', 'ii'],
  ['start-bind-udp', 'udp', '[method]udp-socket.start-bind', 'iiiiiiiiiiiiiii'],
  ['finish-bind-udp', 'udp', '[method]udp-socket.finish-bind', 'ii'],
  ['stream', 'udp', '[method]udp-socket.stream', 'iiiiiiiiiiiiiii'],
  ['receive', 'udp', '[method]incoming-datagram-stream.receive', 'iIi'],
  ['subscribe-incoming', 'udp', '[method]incoming-datagram-stream.subscribe', 'i>i'],
  ['check-send', 'udp', '[method]outgoing-datagram-stream.check-send', 'ii'],
  ['send', 'udp', '[method]outgoing-datagram-stream.send', 'iiii'],
  ['drop-pollable', '', 'pollable', 'i'],
  ['drop-input', '', 'input-stream', 'i'],
  ['drop-output', '', 'output-stream', 'i'],
  ['drop-stream', '', 'resolve-address-stream', 'i'],
  ['drop-tcp', '', 'tcp-socket', 'i'],
];

function declared([name, _instance, _target, signature]: (typeof IMPORTS)[number]): string {
  const [params = '', results = ''] = signature.split('>').map((letters) => [...letters].map((letter) => (letter === 'I' ? 'i64' : 'i32')).join(' '));
  return `(import "" "${name}" (func $${name} (param ${params}) (result ${results})))`;
}

function lowered([name, instance, target]: (typeof IMPORTS)[number]): string {
  if (instance === '') return `(core func $${name} (canon resource.drop $${target}))`;
  return `(core func $${name} (canon lower (func $${instance} "${target}") (memory $memory) (realloc $realloc)))`;
}

// An instance that names types of another has to bring them in as its own.
function use(...names: string[]): string {
  return names.map((name) => `(alias outer 1 $${name} (type $outer-${name})) (export "${name}" (type $${name} (eq $outer-${name})))`).join('\n    ');
}

function method(name: string, params: string, result: string): string {
  const [resource] = name.split('.');
  return `(export "[method]${name}" (func (param "self" (borrow $${resource})) ${params} ${result && `(result ${result})`}))`;
}

function failing(ok: string): string {
  return `(result ${ok} (error $error-code))`;
}

function zeros(count: number): string {
  return Array(count).fill('(i32.const 0)').join(' ');
}

// The four octets that lie in a word, one after the other.
function octetsOf(word: string): string {
  return [0, 8, 16, 24].map((shift) => `(i32.and (i32.shr_u ${word} (i32.const ${shift})) (i32.const 255))`).join(' ');
}

const COMPONENT = `(component
  (import "wasi:io/error@0.2.3" (instance $io-error (export "error" (type (sub resource)))))
  (alias export $io-error "error" (type $error))
  (import "wasi:io/poll@0.2.3" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    ${method('pollable.block', '', '')}))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:io/streams@0.2.3" (instance $streams
    ${use('error')}
    (type $failure (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $failure)))
    (export "input-stream" (type $input-stream (sub resource)))
    (export "output-stream" (type $output-stream (sub resource)))
    ${method('input-stream.blocking-read', '(param "len" u64)', '(result (list u8) (error $stream-error))')}
    ${method('output-stream.blocking-write-and-flush', '(param "contents" (list u8))', '(result (error $stream-error))')}))
  (alias export $streams "input-stream" (type $input-stream))
  (alias export $streams "output-stream" (type $output-stream))
  (import "wasi:sockets/network@0.2.3" (instance $net
    (export "network" (type (sub resource)))
    (type $codes (enum ${ERROR_CODES.map((code) => `"${code}"`).join(' ')}))
    (export "error-code" (type (eq $codes)))
    (type $families (enum "ipv4" "ipv6"))
    (export "ip-address-family" (type (eq $families)))
    (type $four (tuple u8 u8 u8 u8))
    (export "ipv4-address" (type $ipv4 (eq $four)))
    (type $eight (tuple u16 u16 u16 u16 u16 u16 u16 u16))
    (export "ipv6-address" (type $ipv6 (eq $eight)))
    (type $any (variant (case "ipv4" $ipv4) (case "ipv6" $ipv6)))
    (export "ip-address" (type (eq $any)))
    (type $socket4 (record (field "port" u16) (field "address" $ipv4)))
    (export "ipv4-socket-address" (type $ipv4-socket (eq $socket4)))
    (type $socket6 (record (field "port" u16) (field "flow-info" u32) (field "address" $ipv6) (field "scope-id" u32)))
    (export "ipv6-socket-address" (type $ipv6-socket (eq $socket6)))
    (type $socket (variant (case "ipv4" $ipv4-socket) (case "ipv6" $ipv6-socket)))
    (export "ip-socket-address" (type (eq $socket)))))
  (alias export $net "network" (type $network))
  (alias export $net "error-code" (type $error-code))
  (alias export $net "ip-address-family" (type $ip-address-family))
  (alias export $net "ip-address" (type $ip-address))
  (alias export $net "ip-socket-address" (type $ip-socket-address))
  (import "wasi:sockets/instance-network@0.2.3" (instance $instance
    ${use('network')}
    (export "instance-network" (func (result (own $network))))))
  (import "wasi:sockets/ip-name-lookup@0.2.3" (instance $lookup
    ${use('network', 'error-code', 'ip-address', 'pollable')}
    (export "resolve-address-stream" (type $resolve-address-stream (sub resource)))
    (export "resolve-addresses" (func (param "network" (borrow $network)) (param "name" string) (result ${failing('(own $resolve-address-stream)')})))
    ${method('resolve-address-stream.resolve-next-address', '', failing('(option $ip-address)'))}
    ${method('resolve-address-stream.subscribe', '', '(own $pollable)')}))
  (alias export $lookup "resolve-address-stream" (type $resolve-address-stream))
  (import "wasi:sockets/tcp@0.2.3" (instance $tcp
    ${use('network', 'error-code', 'ip-socket-address', 'pollable', 'input-stream', 'output-stream')}
    (type $shutdown (enum "receive" "send" "both"))
    (export "shutdown-type" (type $shutdown-type (eq $shutdown)))
    (export "tcp-socket" (type $tcp-socket (sub resource)))
    ${method('tcp-socket.start-bind', '(param "network" (borrow $network)) (param "local-address" $ip-socket-address)', failing(''))}
    ${method('tcp-socket.finish-bind', '', failing(''))}
    ${method('tcp-socket.start-connect', '(param "network" (borrow $network)) (param "remote-address" $ip-socket-address)', failing(''))}
    ${method('tcp-socket.finish-connect', '', failing('(tuple (own $input-stream) (own $output-stream))'))}
    ${method('tcp-socket.start-listen', '', failing(''))}
    ${method('tcp-socket.finish-listen', '', failing(''))}
    ${method('tcp-socket.accept', '', failing('(tuple (own $tcp-socket) (own $input-stream) (own $output-stream))'))}
    ${method('tcp-socket.subscribe', '', '(own $pollable)')}
    ${method('tcp-socket.shutdown', '(param "shutdown-type" $shutdown-type)', failing(''))}))
  (alias export $tcp "tcp-socket" (type $tcp-socket))
  (import "wasi:sockets/tcp-create-socket@0.2.3" (instance $create-tcp
    ${use('error-code', 'ip-address-family', 'tcp-socket')}
    (export "create-tcp-socket" (func (param "address-family" $ip-address-family) (result ${failing('(own $tcp-socket)')})))))
  (import "wasi:sockets/udp@0.2.3" (instance $udp
    ${use('network', 'error-code', 'ip-socket-address', 'pollable')}
    (export "udp-socket" (type $udp-socket (sub resource)))
    (export "incoming-datagram-stream" (type $incoming-datagram-stream (sub resource)))
    (export "outgoing-datagram-stream" (type $outgoing-datagram-stream (sub resource)))
    (type $in (record (field "data" (list u8)) (field "remote-address" $ip-socket-address)))
    (export "incoming-datagram" (type $incoming-datagram (eq $in)))
    (type $out (record (field "data" (list u8)) (field "remote-address" (option $ip-socket-address))))
    (export "outgoing-datagram" (type $outgoing-datagram (eq $out)))
    ${method('udp-socket.start-bind', '(param "network" (borrow $network)) (param "local-address" $ip-socket-address)', failing(''))}
    ${method('udp-socket.finish-bind', '', failing(''))}
    ${method('udp-socket.stream', '(param "remote-address" (option $ip-socket-address))', failing('(tuple (own $incoming-datagram-stream) (own $outgoing-datagram-stream))'))}
    ${method('incoming-datagram-stream.receive', '(param "max-results" u64)', failing('(list $incoming-datagram)'))}
    ${method('incoming-datagram-stream.subscribe', '', '(own $pollable)')}
    ${method('outgoing-datagram-stream.check-send', '', failing('u64'))}
    ${method('outgoing-datagram-stream.send', '(param "datagrams" (list $outgoing-datagram))', failing('u64'))}))
  (alias export $udp "udp-socket" (type $udp-socket))
  (import "wasi:sockets/udp-create-socket@0.2.3" (instance $create-udp
    ${use('error-code', 'ip-address-family', 'udp-socket')}
    (export "create-udp-socket" (func (param "address-family" $ip-address-family) (result ${failing('(own $udp-socket)')})))))

  (core module $libc
    (memory (export "memory") 32)
    (global $next (mut i32) (i32.const 65536))
    ;; Room that a function took is free when the next one is called.
    (func (export "reset") (global.set $next (i32.const 65536)))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local.set 0 (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get 0) (local.get 3)))
      (local.get 0)))
  (core instance $libc (instantiate $libc))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))
  (core module $main
    (import "libc" "memory" (memory 32))
    (import "libc" "reset" (func $reset))
    ${IMPORTS.map(declared).join('\n    ')}
    ;; What a call has put at 0, of a result whose payload lies behind as many bytes: 0, or the error.
    (func $failed (param $payload i32) (result i32)
      (if (result i32) (i32.load8_u (i32.const 0))
        (then (i32.add (i32.const ${FAILED}) (i32.load8_u (local.get $payload))))
        (else (i32.const 0))))
    (func $wait (param $pollable i32) (call $block (local.get $pollable)) (call $drop-pollable (local.get $pollable)))
    ;; Looks the name up and connects to its first address.
    (func $connect (param $name i32) (param $length i32) (param $port i32) (result i32) (local $stream i32) (local $octets i32) (local $socket i32) (local $error i32)
      (call $resolve-addresses (call $network) (local.get $name) (local.get $length) (i32.const 0))
      (if (local.tee $error (call $failed (i32.const 4))) (then (return (local.get $error))))
      (local.set $stream (i32.load (i32.const 4)))
      (call $wait (call $subscribe-stream (local.get $stream)))
      (call $next-address (local.get $stream) (i32.const 0))
      (if (local.tee $error (call $failed (i32.const 2))) (then (return (local.get $error))))
      (local.set $octets (i32.load (i32.const 6)))
      (call $drop-stream (local.get $stream))
      (call $create-tcp (i32.const 0) (i32.const 0))
      (if (local.tee $error (call $failed (i32.const 4))) (then (return (local.get $error))))
      (local.set $socket (i32.load (i32.const 4)))
      (call $start-connect (local.get $socket) (call $network) (i32.const 0) (local.get $port) ${octetsOf('(local.get $octets)')} ${zeros(6)} (i32.const 0))
      (if (local.tee $error (call $failed (i32.const 1))) (then (return (local.get $error))))
      (call $wait (call $subscribe-tcp (local.get $socket)))
      (call $finish-connect (local.get $socket) (i32.const 0))
      (if (local.tee $error (call $failed (i32.const 4))) (then (return (local.get $error))))
      (i32.store (i32.const 16) (local.get $socket))
      (i32.const 0))

    ;; Sends as many bytes, ends its direction, and counts what comes back until the other end ends, too.
    (func (export "echo") (param $name i32) (param $length i32) (param $port i32) (param $count i32) (result i32)
      (local $error i32) (local $in i32) (local $out i32) (local $some i32) (local $total i32)
      (if (local.tee $error (call $connect (local.get $name) (local.get $length) (local.get $port))) (then (return (local.get $error))))
      (local.set $in (i32.load (i32.const 4)))
      (local.set $out (i32.load (i32.const 8)))
      (loop $more
        (if (local.get $count) (then
          (local.set $some (select (i32.const 60000) (local.get $count) (i32.gt_u (local.get $count) (i32.const 60000))))
          (call $write (local.get $out) (i32.const 4096) (local.get $some) (i32.const 0))
          (if (i32.load8_u (i32.const 0)) (then (return (i32.const ${FAILED + 100}))))
          (local.set $count (i32.sub (local.get $count) (local.get $some)))
          (br $more))))
      (call $shutdown (i32.load (i32.const 16)) (i32.const 1) (i32.const 0))
      (loop $more
        (call $reset)
        (call $read (local.get $in) (i64.const 60000) (i32.const 0))
        (if (i32.eqz (i32.load8_u (i32.const 0))) (then
          (local.set $total (i32.add (local.get $total) (i32.load (i32.const 8))))
          (br $more))))
      ;; Only an end is no error.
      (if (i32.eqz (i32.load8_u (i32.const 4))) (then (return (i32.const ${FAILED + 101}))))
      (call $drop-input (local.get $in))
      (call $drop-output (local.get $out))
      (call $drop-tcp (i32.load (i32.const 16)))
      (local.get $total))

    ;; Accepts a connection at 127.0.0.1 and sends what comes first back.
    (func (export "serve") (param $port i32) (result i32) (local $socket i32) (local $error i32)
      (call $create-tcp (i32.const 0) (i32.const 0))
      (if (local.tee $error (call $failed (i32.const 4))) (then (return (local.get $error))))
      (local.set $socket (i32.load (i32.const 4)))
      (call $start-bind-tcp (local.get $socket) (call $network) (i32.const 0) (local.get $port) (i32.const 127) (i32.const 0) (i32.const 0) (i32.const 1) ${zeros(6)} (i32.const 0))
      (if (local.tee $error (call $failed (i32.const 1))) (then (return (local.get $error))))
      (call $finish-bind-tcp (local.get $socket) (i32.const 0))
      (call $start-listen (local.get $socket) (i32.const 0))
      (if (local.tee $error (call $failed (i32.const 1))) (then (return (local.get $error))))
      (call $wait (call $subscribe-tcp (local.get $socket)))
      (call $finish-listen (local.get $socket) (i32.const 0))
      (if (local.tee $error (call $failed (i32.const 1))) (then (return (local.get $error))))
      (call $wait (call $subscribe-tcp (local.get $socket)))
      (call $accept (local.get $socket) (i32.const 16))
      (if (i32.load8_u (i32.const 16)) (then (return (i32.const ${FAILED + 102}))))
      (call $read (i32.load (i32.const 24)) (i64.const 1000) (i32.const 0))
      (if (i32.load8_u (i32.const 0)) (then (return (i32.const ${FAILED + 103}))))
      (local.set $error (i32.load (i32.const 8)))
      (call $write (i32.load (i32.const 28)) (i32.load (i32.const 4)) (i32.load (i32.const 8)) (i32.const 0))
      (call $drop-tcp (i32.load (i32.const 20)))
      (call $drop-tcp (local.get $socket))
      (local.get $error))

    ;; Sends a datagram of four bytes to 127.0.0.1 and gives the length of the one that comes back.
    (func (export "datagram") (param $port i32) (result i32) (local $socket i32) (local $in i32) (local $out i32) (local $error i32)
      (call $create-udp (i32.const 0) (i32.const 0))
      (if (local.tee $error (call $failed (i32.const 4))) (then (return (local.get $error))))
      (local.set $socket (i32.load (i32.const 4)))
      (call $start-bind-udp (local.get $socket) (call $network) (i32.const 0) (i32.const 0) ${zeros(10)} (i32.const 0))
      (if (local.tee $error (call $failed (i32.const 1))) (then (return (local.get $error))))
      (call $finish-bind-udp (local.get $socket) (i32.const 0))
      (call $stream (local.get $socket) (i32.const 1) (i32.const 0) (local.get $port) (i32.const 127) (i32.const 0) (i32.const 0) (i32.const 1) ${zeros(6)} (i32.const 0))
      (if (local.tee $error (call $failed (i32.const 4))) (then (return (local.get $error))))
      (local.set $in (i32.load (i32.const 4)))
      (local.set $out (i32.load (i32.const 8)))
      (call $check-send (local.get $out) (i32.const 0))
      (i32.store (i32.const 100) (i32.const 4096))
      (i32.store (i32.const 104) (i32.const 4))
      (call $send (local.get $out) (i32.const 100) (i32.const 1) (i32.const 0))
      (if (local.tee $error (call $failed (i32.const 8))) (then (return (local.get $error))))
      (call $wait (call $subscribe-incoming (local.get $in)))
      (call $receive (local.get $in) (i64.const 10) (i32.const 0))
      (if (local.tee $error (call $failed (i32.const 4))) (then (return (local.get $error))))
      (i32.load offset=4 (i32.load (i32.const 4)))))
  ${IMPORTS.map(lowered).join('\n  ')}
  (core instance $i (instantiate $main (with "libc" (instance $libc)) (with "" (instance ${IMPORTS.map(([name]) => `(export "${name}" (func $${name}))`).join(' ')}))))
  (func (export "echo") (param "name" string) (param "port" u16) (param "count" u32) (result u32)
    (canon lift (core func $i "echo") (memory $memory) (realloc $realloc)))
  (func (export "serve") (param "port" u16) (result u32) (canon lift (core func $i "serve")))
  (func (export "datagram") (param "port" u16) (result u32) (canon lift (core func $i "datagram"))))`;

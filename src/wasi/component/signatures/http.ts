// wasi:http; `incoming-handler` is what a guest exports. Notation: `reader.ts`.

export const HTTP = `
interface wasi:http/types
  resource fields
  resource incoming-request
  resource outgoing-request
  resource request-options
  resource response-outparam
  resource incoming-response
  resource incoming-body
  resource future-trailers
  resource outgoing-response
  resource outgoing-body
  resource future-incoming-response

  type method = variant{get,head,post,put,delete,connect,options,trace,patch,other(string)}
  type scheme = variant{HTTP,HTTPS,other(string)}
  type DNS-error-payload = record{rcode:option<string>,info-code:option<u16>}
  type TLS-alert-received-payload = record{alert-id:option<u8>,alert-message:option<string>}
  type field-size-payload = record{field-name:option<string>,field-size:option<u32>}
  type error-code = variant{
    DNS-timeout,DNS-error(DNS-error-payload),
    destination-not-found,destination-unavailable,destination-IP-prohibited,destination-IP-unroutable,
    connection-refused,connection-terminated,connection-timeout,connection-read-timeout,connection-write-timeout,connection-limit-reached,
    TLS-protocol-error,TLS-certificate-error,TLS-alert-received(TLS-alert-received-payload),
    HTTP-request-denied,HTTP-request-length-required,HTTP-request-body-size(option<u64>),HTTP-request-method-invalid,HTTP-request-URI-invalid,
    HTTP-request-URI-too-long,HTTP-request-header-section-size(option<u32>),HTTP-request-header-size(option<field-size-payload>),
    HTTP-request-trailer-section-size(option<u32>),HTTP-request-trailer-size(field-size-payload),
    HTTP-response-incomplete,HTTP-response-header-section-size(option<u32>),HTTP-response-header-size(field-size-payload),
    HTTP-response-body-size(option<u64>),HTTP-response-trailer-section-size(option<u32>),HTTP-response-trailer-size(field-size-payload),
    HTTP-response-transfer-coding(option<string>),HTTP-response-content-coding(option<string>),HTTP-response-timeout,
    HTTP-upgrade-failed,HTTP-protocol-error,
    loop-detected,configuration-error,internal-error(option<string>)
  }
  type header-error = variant{invalid-syntax,forbidden,immutable}
  type field-value = list<u8>

  http-error-code(borrow<error>) -> option<error-code>

  new fields()
  static fields.from-list(list<tuple<string,field-value>>) -> result<fields,header-error>
  fields.get(string) -> list<field-value>
  fields.has(string) -> bool
  fields.set(string,list<field-value>) -> result<_,header-error>
  fields.delete(string) -> result<_,header-error>
  fields.append(string,field-value) -> result<_,header-error>
  fields.entries() -> list<tuple<string,field-value>>
  fields.clone() -> fields

  incoming-request.method() -> method
  incoming-request.path-with-query() -> option<string>
  incoming-request.scheme() -> option<scheme>
  incoming-request.authority() -> option<string>
  incoming-request.headers() -> fields
  incoming-request.consume() -> result<incoming-body>

  new outgoing-request(fields)
  outgoing-request.body() -> result<outgoing-body>
  outgoing-request.method() -> method
  outgoing-request.set-method(method) -> result
  outgoing-request.path-with-query() -> option<string>
  outgoing-request.set-path-with-query(option<string>) -> result
  outgoing-request.scheme() -> option<scheme>
  outgoing-request.set-scheme(option<scheme>) -> result
  outgoing-request.authority() -> option<string>
  outgoing-request.set-authority(option<string>) -> result
  outgoing-request.headers() -> fields

  new request-options()
  request-options.connect-timeout() -> option<duration>
  request-options.set-connect-timeout(option<duration>) -> result
  request-options.first-byte-timeout() -> option<duration>
  request-options.set-first-byte-timeout(option<duration>) -> result
  request-options.between-bytes-timeout() -> option<duration>
  request-options.set-between-bytes-timeout(option<duration>) -> result

  response-outparam.send-informational(u16,fields) -> result<_,error-code>
  static response-outparam.set(response-outparam,result<outgoing-response,error-code>)

  incoming-response.status() -> u16
  incoming-response.headers() -> fields
  incoming-response.consume() -> result<incoming-body>

  incoming-body.stream() -> result<input-stream>
  static incoming-body.finish(incoming-body) -> future-trailers

  future-trailers.subscribe() -> pollable
  future-trailers.get() -> option<result<result<option<fields>,error-code>>>

  new outgoing-response(fields)
  outgoing-response.status-code() -> u16
  outgoing-response.set-status-code(u16) -> result
  outgoing-response.headers() -> fields
  outgoing-response.body() -> result<outgoing-body>

  outgoing-body.write() -> result<output-stream>
  static outgoing-body.finish(outgoing-body,option<fields>) -> result<_,error-code>

  future-incoming-response.subscribe() -> pollable
  future-incoming-response.get() -> option<result<result<incoming-response,error-code>>>

interface wasi:http/outgoing-handler
  handle(outgoing-request,option<request-options>) -> result<future-incoming-response,error-code>

interface wasi:http/incoming-handler
  handle(incoming-request,response-outparam)`;

// wasi:http 0.2: the interfaces of its resources and of its outgoing handler. HTTP/1.1 is what is spoken; the interfaces do not show it.
import type { Closable, WasiContext } from '../context.ts';
import type { HttpClient } from '../http/client.ts';
import { type HttpErrorCode, isHttpError } from '../http/errors.ts';
import type { Respond, ServedRequest } from '../http/serving.ts';
import { FutureTrailers, IncomingBody, OutgoingBody } from './http-bodies.ts';
import { Fields } from './http-fields.ts';
import { IncomingRequest, OutgoingResponse, ResponseOutparam } from './http-inbound.ts';
import { FutureIncomingResponse, IncomingResponse, OutgoingRequest, RequestOptions } from './http-outbound.ts';
import { codeOfFailure } from '../sockets/errors.ts';
import { IoError } from './io.ts';
import { constructible, interfaceOf } from './resource.ts';

/** The interfaces of wasi:http that a guest imports. */
export function httpInterfaces(context: WasiContext, client: HttpClient) {
  const fields = (entries: readonly (readonly [string, Uint8Array])[]): Fields => {
    context.checkHandles();
    return Fields.ofEntries(context, entries);
  };
  return {
    'wasi:http/types': interfaceOf({
      Fields: constructible(Fields, () => fields([]), { fromList: fields }),
      FutureIncomingResponse,
      FutureTrailers,
      IncomingBody,
      IncomingRequest,
      IncomingResponse,
      OutgoingBody,
      OutgoingRequest: constructible(OutgoingRequest, (headers: Fields) => new OutgoingRequest(context, headers)),
      OutgoingResponse: constructible(OutgoingResponse, (headers: Fields) => new OutgoingResponse(context, headers)),
      RequestOptions: constructible(RequestOptions, () => new RequestOptions(context)),
      ResponseOutparam,
      httpErrorCode,
    }),
    'wasi:http/outgoing-handler': interfaceOf({
      handle(request: OutgoingRequest, options: RequestOptions | undefined): FutureIncomingResponse {
        const patience = options === undefined ? {} : RequestOptions.take(options);
        const message = OutgoingRequest.take(request);
        context.checkHandles();
        return new FutureIncomingResponse(context, client.send(message, patience));
      },
    }),
  };
}

/** A call of the `handle` of `incoming-handler`. */
export interface IncomingCall extends Closable {
  readonly args: readonly [IncomingRequest, ResponseOutparam];
}

/** Has to be closed after the call, whatever the guest did with its arguments. */
export function incomingCall(context: WasiContext, served: ServedRequest, respond: Respond): IncomingCall {
  const request = new IncomingRequest(context, served);
  const outparam = new ResponseOutparam(context, respond);
  const close = (): void => {
    IncomingRequest.end(request);
    outparam.close();
  };
  return { args: [request, outparam], close };
}

function httpErrorCode(error: IoError): HttpErrorCode | undefined {
  const failure = IoError.failureOf(error);
  // A socket's failure is a tagged object, too.
  return isHttpError(failure) && codeOfFailure(failure) === undefined ? failure : undefined;
}

// wasi:http 0.2: the interfaces of its resources and of its outgoing handler. HTTP/1.1 is what is spoken; the interfaces do not show it.
import type { WasiContext } from '../context.ts';
import type { HttpClient } from '../http/client.ts';
import { type HttpErrorCode, isHttpError } from '../http/errors.ts';
import type { Respond, ServedRequest } from '../http/serving.ts';
import { FutureTrailers, IncomingBody, OutgoingBody } from './http-bodies.ts';
import { Fields } from './http-fields.ts';
import { IncomingRequest, OutgoingResponse, ResponseOutparam } from './http-inbound.ts';
import { FutureIncomingResponse, IncomingResponse, OutgoingRequest, RequestOptions } from './http-outbound.ts';
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

/** What the `handle` of `incoming-handler` is called with; closed again after the call, whatever the guest did with them. */
export function incomingArguments(context: WasiContext, request: ServedRequest, respond: Respond): readonly [IncomingRequest, ResponseOutparam] {
  return [new IncomingRequest(context, request), new ResponseOutparam(context, respond)];
}

function httpErrorCode(error: IoError): HttpErrorCode | undefined {
  const failure = IoError.failureOf(error);
  return isHttpError(failure) ? failure : undefined;
}

/** Building blocks for adapters to HTTP clients. */
export { mayConnectElsewhere } from "./http/agent.ts";
export {
  type Authorization,
  type Authorizer,
  type AuthorizerOptions,
  createAuthorizer,
  type OutgoingRequest,
  type ResponseInfo,
} from "./http/authorizer.ts";
export { type Challenge, parseChallenges } from "./http/challenge.ts";
export type { ResponseHeaders } from "./http/headers.ts";
export type { OriginOptions, Origins } from "./http/origins.ts";
export type { RequestTokenOptions, WithRequestOptions } from "./http/per-request.ts";
export { plainUrlOf } from "./http/plain-url.ts";
export { abortable } from "./util/abortable.ts";
export { systemClock } from "./util/clock.ts";
export { discardBody } from "./util/discard-body.ts";
export { type RequestSummary, redactRequest, setInspectView } from "./util/inspect.ts";

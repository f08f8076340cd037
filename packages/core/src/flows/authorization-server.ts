import * as z from "zod/mini";
import { checkTransport, ENDPOINT, endpointSchema } from "../token-endpoint/endpoint-url.ts";
import { checkOptions, type OptionTable } from "../util/check-options.ts";

/** An authorization server, as {@link discover} finds it, or as a program describes it that knows its endpoints. */
export interface AuthorizationServer {
  /** The issuer identifier, exactly as the server spells it. */
  readonly issuer: string;
  readonly tokenEndpoint: string;
  readonly authorizationEndpoint?: string | undefined;
  readonly deviceAuthorizationEndpoint?: string | undefined;
  readonly registrationEndpoint?: string | undefined;
  readonly revocationEndpoint?: string | undefined;
  /**
   * The metadata that the server published ({@link https://www.rfc-editor.org/rfc/rfc8414#section-2 RFC 8414 §2}), unmodified;
   * `{}` if it publishes none. What it lists as supported is often incomplete: no flow refuses anything because of it.
   */
  readonly metadata: Readonly<Record<string, unknown>>;
}

const text = z.string().check(z.minLength(1));
const table = {
  issuer: [text, "a non-empty string", "required"],
  tokenEndpoint: [endpointSchema, ENDPOINT, "required"],
  authorizationEndpoint: [endpointSchema, ENDPOINT],
  deviceAuthorizationEndpoint: [endpointSchema, ENDPOINT],
  registrationEndpoint: [endpointSchema, ENDPOINT],
  revocationEndpoint: [endpointSchema, ENDPOINT],
  metadata: [z.record(z.string(), z.unknown()), "an object"],
} as const satisfies OptionTable & Record<keyof AuthorizationServer, unknown>;

/**
 * Checks the endpoints of a server, one of which the program opens in a browser. Returns a copy.
 *
 * @throws TypeError that names the member
 */
export function checkServer(given: AuthorizationServer, allowInsecure: boolean | undefined): AuthorizationServer {
  const { issuer, metadata = {}, ...endpoints } = checkOptions("issuer", table, given);
  checkTransport(endpoints, allowInsecure);
  return { issuer, ...endpoints, metadata };
}

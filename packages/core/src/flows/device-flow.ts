import * as oauth from "oauth4webapi";
import { ConfigurationError, SignInFailedError, type TokenEndpointError } from "../errors.ts";
import { toResponseError, tryJson } from "../token-endpoint/endpoint-response.ts";
import { toCode } from "../token-endpoint/error-codes.ts";
import { parametersOf } from "../token-endpoint/request.ts";
import { toLifetime } from "../tokens/expiry.ts";
import type { Clock, SignInFlow, TokenSet } from "../types.ts";
import { checkOptions, functionSchema, type OptionTable } from "../util/check-options.ts";
import { completeClock, type Moment, momentOf, toDuration } from "../util/clock.ts";
import { clockOption } from "../util/clock-option.ts";
import { wait } from "../util/wait.ts";
import { type Client, type ClientOptions, clientTable, connect, requestTokens } from "./client.ts";
import { isEndpointError, isUnavailable, toSignInError } from "./failure.ts";
import { type EndpointName, sendRequest, without } from "./server-request.ts";

/**
 * A prompt for the user, who then signs in with any device
 * ({@link https://www.rfc-editor.org/rfc/rfc8628#section-3.3 RFC 8628 §3.3}).
 */
export interface DevicePrompt {
  /** The code that the user enters, exactly as the server spells it. */
  readonly userCode: string;
  /** The page on which the user enters the code. */
  readonly verificationUri: string;
  /** The same page with the code already entered, for a QR code; `undefined` if the server has none. */
  readonly verificationUriComplete?: string | undefined;
  /** When the code expires, in epoch milliseconds. */
  readonly expiresAt: number;
}

/** Options of {@link deviceFlow}. */
export interface DeviceFlowOptions extends ClientOptions {
  /**
   * Shows the prompt. The flow asks the server for the tokens in the meantime, whether or not a returned promise settles. If it
   * throws or rejects, the flow rejects with the same.
   */
  readonly onPrompt: (prompt: DevicePrompt) => void | Promise<void>;
  /** Time and timers, for tests. Omitted members use the system clock. */
  readonly clock?: Partial<Clock> | undefined;
}

const table = {
  ...clientTable,
  onPrompt: [functionSchema, "a function", "required"],
  clock: clockOption,
} as const satisfies OptionTable & Record<keyof DeviceFlowOptions, unknown>;

/**
 * Creates a sign-in with the device authorization grant ({@link https://www.rfc-editor.org/rfc/rfc8628 RFC 8628}): the user
 * enters a code in a browser, on any device. The flow asks for the tokens in the interval that the server demands, less often
 * while the server is out of reach, until it responds with tokens or an error, or the code has expired.
 *
 * The flow rejects with a `SignInFailedError` whose reason is `refused`, `expired`, `rejected`, `mismatched` (the ID token is
 * another issuer's or client's) or `unreachable`; with a `ConfigurationError` if the server rejects the client or its request,
 * or has no such endpoint; or with the reason of the signal.
 *
 * @throws TypeError if an option is invalid
 */
export function deviceFlow(options: DeviceFlowOptions): SignInFlow {
  const own = checkOptions("deviceFlow", table, options);
  const clock = completeClock(own.clock ?? {});
  return async ({ signal }) => {
    const client = await connect(own, signal);
    const code = await requestCode(client, { ...own, clock, signal });
    const ending = new AbortController();
    const both = AbortSignal.any([signal, ending.signal]);
    try {
      return await Promise.race([poll(client, code, { ...own, clock, signal: both }), show(own.onPrompt, code.prompt)]);
    } finally {
      ending.abort();
    }
  };
}

/** A code that the user has to confirm. */
interface DeviceCode {
  readonly secret: string;
  readonly prompt: DevicePrompt;
  /** The time between two requests in milliseconds. */
  readonly interval: number;
  /** When it expires by the monotonic clock. */
  readonly deadline: number;
}

interface Context extends Pick<ClientOptions, "scope" | "resource"> {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const KIND = "device authorization endpoint";

async function requestCode({ server, as, client, auth, secrets, send }: Client, ctx: Context): Promise<DeviceCode> {
  const { clock, signal } = ctx;
  if (server.deviceAuthorizationEndpoint === undefined)
    throw new ConfigurationError(
      `The authorization server ${server.issuer} has no device authorization endpoint. Sign in with authorizationCodeFlow instead.`,
    );
  const url = new URL(server.deviceAuthorizationEndpoint);
  let sentAt = momentOf(clock);
  try {
    return await sendRequest(
      { ...send, url, kind: KIND, secrets, signal },
      async (options, name) => {
        const response = await oauth.deviceAuthorizationRequest(as, client, auth, parametersOf(ctx), options);
        return readCode(response, name, sentAt);
      },
      () => {
        sentAt = momentOf(clock);
      },
    );
  } catch (error) {
    throw isEndpointError(error) ? toSignInError(error) : error;
  }
}

const DEFAULT_INTERVAL = 5_000; // RFC 8628 §3.2
const DEFAULT_LIFETIME = 10 * 60_000;

async function readCode(response: Response, name: EndpointName, sentAt: Moment): Promise<DeviceCode> {
  const text = await response.text();
  const body = tryJson(text);
  if (!response.ok || body?.error !== undefined) throw toResponseError(response, text, name);
  const { device_code, user_code, verification_uri_complete } = body ?? {};
  const verificationUri = body?.verification_uri ?? body?.verification_url; // Google
  if (!isText(device_code)) throw without("device_code", response, name);
  if (!isText(user_code)) throw without("user_code", response, name);
  if (!isPage(verificationUri)) throw without("verification_uri of a web page", response, name);
  const lifetime = toDuration(toLifetime(body?.expires_in) ?? DEFAULT_LIFETIME);
  return {
    secret: device_code,
    prompt: {
      userCode: user_code,
      verificationUri,
      ...(isPage(verification_uri_complete) && { verificationUriComplete: verification_uri_complete }),
      expiresAt: sentAt.now + lifetime,
    },
    interval: toDuration(toLifetime(body?.interval) ?? DEFAULT_INTERVAL),
    deadline: sentAt.monotonic + lifetime,
  };
}

const isText = (value: unknown): value is string => typeof value === "string" && value !== "";

/** Programs open it in a browser, so that it must not be of another scheme, such as `file:`. */
const isPage = (value: unknown): value is string =>
  isText(value) && URL.canParse(value) && /^https?:$/.test(new URL(value).protocol);

/** Never resolves: it rejects if the prompt could not be shown. */
const show = (onPrompt: DeviceFlowOptions["onPrompt"], prompt: DevicePrompt): Promise<never> =>
  new Promise((_, reject) => {
    void (async () => onPrompt(prompt))().catch(reject);
  });

/** The pace of the requests, in milliseconds: the interval, and the delay before the next one. */
interface Pace {
  readonly interval: number;
  readonly delay: number;
}

async function poll(client: Client, { secret, interval, deadline }: DeviceCode, ctx: Context): Promise<TokenSet> {
  const { clock, signal } = ctx;
  let pace: Pace = { interval, delay: interval };
  for (;;) {
    await wait(pace.delay, clock, signal);
    const isLast = clock.monotonic() >= deadline;
    try {
      return await requestTokens(client, { signal, clock, secrets: [secret] }, (options) => {
        const additionalParameters = parametersOf({ resource: ctx.resource });
        return oauth.deviceCodeGrantRequest(client.as, client.client, client.auth, secret, {
          ...options,
          additionalParameters,
        });
      });
    } catch (error) {
      signal.throwIfAborted();
      if (!isEndpointError(error)) throw error;
      pace = paceAfter(error, pace);
      if (isLast) throw new SignInFailedError("expired", { cause: error });
    }
  }
}

const SLOW_DOWN = 5_000; // RFC 8628 §3.5
const LONGEST_DELAY = 60_000;

/** Returns the pace after an error; throws if it is final. While there is no response, the delay doubles (RFC 8628 §3.5). */
function paceAfter(error: TokenEndpointError, { interval, delay }: Pace): Pace {
  const code = toCode(error.error);
  if (code === "authorization_pending") return { interval, delay: interval };
  if (code === "slow_down") return { interval: interval + SLOW_DOWN, delay: interval + SLOW_DOWN };
  if (!isUnavailable(error)) throw toSignInError(error);
  return { interval, delay: Math.max(interval, Math.min(2 * delay, LONGEST_DELAY), error.retryAfter ?? 0) };
}

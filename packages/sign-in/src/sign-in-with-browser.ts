import { SignInFailedError, type TokenSetInput, UnexpiredError } from "@unexpired/core";
import { abortable } from "@unexpired/core/adapter";
import { type AuthorizationCodeFlowOptions, authorizationCodeFlow } from "@unexpired/core/flows";
import type { SignIn } from "./flow.ts";
import { LoopbackReceiver } from "./loopback-receiver.ts";
import type { Ending } from "./page.ts";
import { assertFunction, type OpenBrowser, type Print, printToStderr, promptInBrowser } from "./prompt.ts";
import { parseRedirectUri } from "./redirect-uri.ts";
import { assertTimeout, withTimeLimit } from "./time-limit.ts";

/** Options of {@link signInWithBrowser}: those of `authorizationCodeFlow` about the server and client, and those of the browser. */
export interface BrowserSignInOptions extends Omit<AuthorizationCodeFlowOptions, "redirectUri" | "timeout"> {
  /**
   * The redirect URI, as it is registered with the authorization server: an `http:` URL on `127.0.0.1`, `[::1]` or `localhost`.
   * Without a port, a free one is used each time, which servers have to allow for native apps
   * ({@link https://www.rfc-editor.org/rfc/rfc8252#section-7.3 RFC 8252 §7.3}); for those that don't, name a fixed port.
   * Default: `"http://127.0.0.1/callback"`.
   */
  readonly redirectUri?: string | undefined;
  /**
   * Opens the URL of the authorization server, for programs with their own way, such as Electron's `shell.openExternal`.
   * If it throws or rejects, the user is told to open the printed URL. `false` only prints it. Default: the program that
   * the environment variable `BROWSER` names, or else the browser of the system; none in an SSH session or without a screen.
   */
  readonly openBrowser?: OpenBrowser | false | undefined;
  /** Shows a message to the user. It may have several lines. Default: writes it to standard error. */
  readonly print?: Print | undefined;
  /** The time that the whole sign-in may take, in milliseconds. Default: 300,000 (5 minutes). */
  readonly timeout?: number | undefined;
}

const FIVE_MINUTES = 5 * 60_000;

/**
 * Creates a sign-in flow for programs on the user's own machine
 * ({@link https://www.rfc-editor.org/rfc/rfc8252 RFC 8252}): it opens the browser, and listens on the loopback interface until
 * the browser comes back with an authorization code. The URL is printed as well. Nothing is opened or listened on before the
 * flow is called; at its end, the port is closed.
 *
 * Pass the flow to `signInWith` of a token manager, or call it: `await tokens.signIn(await signInWithBrowser(options)())`.
 *
 * The flow throws a `SignInFailedError` (`port_in_use`, `timeout`, or a reason of `authorizationCodeFlow`, such as `refused`),
 * a `ConfigurationError`, or the reason of the signal.
 *
 * @throws TypeError if an option is invalid
 */
export function signInWithBrowser(options: BrowserSignInOptions): SignIn {
  const { redirectUri, openBrowser, print = printToStderr, timeout = FIVE_MINUTES, ...flowOptions } = options;
  const url = parseRedirectUri(redirectUri ?? "http://127.0.0.1/callback");
  assertTimeout(timeout);
  assertFunction("openBrowser", openBrowser || undefined);
  assertFunction("print", print);
  const flow = authorizationCodeFlow(flowOptions);
  return ({ signal: caller } = {}) =>
    withTimeLimit(timeout, caller, async (signal) => {
      const receiver = await listen(url);
      return receive(receiver, signal, async () => {
        const { url: page, finish } = await flow.start({ redirectUri: receiver.redirectUri, signal });
        promptInBrowser(page, receiver.redirectUri, { print, openBrowser, signal });
        return finish(await abortable(receiver.callback, signal), { signal });
      });
    });
}

/** Runs a sign-in, and shows its ending to the browser. */
async function receive(
  receiver: LoopbackReceiver,
  signal: AbortSignal,
  run: () => Promise<TokenSetInput>,
): Promise<TokenSetInput> {
  let ending: Ending = "failed";
  try {
    const tokens = await run();
    ending = "signed-in";
    return tokens;
  } catch (error) {
    signal.throwIfAborted();
    ending = endingOf(error);
    throw error;
  } finally {
    await receiver.end(ending);
  }
}

function endingOf(error: unknown): Ending {
  const reason = UnexpiredError.is(error) && error.code === "SIGN_IN_FAILED" ? error.reason : undefined;
  return reason === "refused" || reason === "mismatched" ? reason : "failed";
}

async function listen(redirectUri: URL): Promise<LoopbackReceiver> {
  try {
    return await LoopbackReceiver.listen(redirectUri);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const problem =
      code === "EADDRINUSE"
        ? `another program uses the port of the redirect URI ${redirectUri.href}`
        : `this machine does not let the program listen on the redirect URI ${redirectUri.href} (${code})`;
    const hint = "End the program that uses it, or register another redirect URI.";
    throw new SignInFailedError("port_in_use", { problem, hint, cause: error });
  }
}

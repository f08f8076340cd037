import { type DeviceFlowOptions, type DevicePrompt, deviceFlow } from "@unexpired/core/flows";
import type { SignIn } from "./flow.ts";
import { type Print, plain, printToStderr } from "./prompt.ts";
import { renderQrCode } from "./qr-code.ts";

/** Options of {@link signInWithDevice}: those of `deviceFlow`, except `onPrompt`. */
export interface DeviceSignInOptions extends Omit<DeviceFlowOptions, "onPrompt"> {
  /**
   * Shows a message to the user. It has several lines. Default: writes it to standard error, with a QR code if that is a
   * terminal with room for it.
   */
  readonly print?: Print | undefined;
}

/**
 * Creates a sign-in flow for programs without a browser
 * ({@link https://www.rfc-editor.org/rfc/rfc8628 RFC 8628}): it prints a URL and a code, with which the user signs in on any
 * device, and waits until that is done or the code has expired.
 *
 * Pass the flow to `signInWith` of a token manager, or call it: `await tokens.signIn(await signInWithDevice(options)())`.
 *
 * The flow throws what that of `deviceFlow` throws: a `SignInFailedError` (such as `refused` or `expired`), a
 * `ConfigurationError`, or the reason of the signal.
 *
 * @throws TypeError if an option is invalid
 */
export function signInWithDevice({ print, ...options }: DeviceSignInOptions): SignIn {
  const flow = deviceFlow({ ...options, onPrompt: (prompt) => (print ?? printToStderr)(describe(prompt, !print)) });
  return ({ signal = new AbortController().signal } = {}) => flow({ signal });
}

/** Describes where to sign in, and with which code. With a QR code, if the terminal has room for one. */
function describe({ userCode, verificationUri, verificationUriComplete }: DevicePrompt, toTerminal: boolean): string {
  const code = toTerminal && renderQrCode(verificationUriComplete ?? verificationUri, process.stderr);
  const lines = [
    "To sign in, open this page on any device:",
    `  ${plain(verificationUri)}`,
    "Enter this code there, or check that the page shows it:",
    `  ${plain(userCode)}`,
    ...(code ? ["The page as a QR code:", code] : []),
  ];
  return `${lines.join("\n\n")}\n`;
}

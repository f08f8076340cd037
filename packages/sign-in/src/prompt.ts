import { browserCommand, openWith } from "./open-browser.ts";

/** Shows a message to the user. */
export type Print = (text: string) => void;

/** Writes to standard error, because the output of a program may be read by another one. */
export const printToStderr: Print = (text) => void process.stderr.write(`${text}\n`);

/** Removes control characters, with which a server could make a terminal show something else. */
export const plain = (text: string): string => text.replace(/[\p{Cc}\p{Cf}]/gu, "");

/** Opens a URL in a browser. May return a promise. */
export type OpenBrowser = (url: string) => unknown;

export interface BrowserPrompt {
  readonly print: Print;
  /** Default: the command of this machine. */
  readonly openBrowser: OpenBrowser | false | undefined;
  /** Aborts when the user is no longer asked. */
  readonly signal: AbortSignal;
}

/** Returns how to open a browser, or `undefined` if the user probably sees none that is opened on this machine. */
function openerOf(openBrowser: BrowserPrompt["openBrowser"]): OpenBrowser | undefined {
  if (openBrowser !== undefined) return openBrowser || undefined;
  const command = browserCommand(process);
  return command && ((url) => openWith(command, url));
}

/** Explains how a browser on another machine reaches the redirect URI. */
function forwardingHint(redirectUri: string): string {
  const { hostname, port } = new URL(redirectUri);
  return `If your browser is on another machine, forward the port first: ssh -L ${port}:${hostname}:${port} <this machine>`;
}

/** Asks the user to sign in on the page `url`: opens it, and prints it as well. */
export function promptInBrowser(url: string, redirectUri: string, { print, openBrowser, signal }: BrowserPrompt): void {
  const open = openerOf(openBrowser);
  if (!open) {
    print(`To sign in, open this page in a browser:\n\n  ${url}\n\n${forwardingHint(redirectUri)}\n`);
    return;
  }
  print(`Opening your browser to sign in. If it shows no page, open this one:\n\n  ${url}\n`);
  const opening = new Promise((resolve) => resolve(open(url)));
  opening.catch(() => {
    if (!signal.aborted) print(`No browser could be opened. Open the page above.\n${forwardingHint(redirectUri)}\n`);
  });
}

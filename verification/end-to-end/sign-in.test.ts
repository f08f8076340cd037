/** Signs in at real authorization servers, with a real browser. */
import { once } from "node:events";
import { createServer } from "node:net";
import { inspect } from "node:util";
import { createTokenManager } from "@unexpired/core";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import { type BrowserSignInOptions, signInWithBrowser, signInWithDevice } from "@unexpired/sign-in";
import { type AuthorizationServer, startAuthorizationServer } from "@unexpired-internal/demo/authorization-server";
import { listenOnLoopback } from "@unexpired-internal/demo/loopback";
import type { Page } from "puppeteer-core";
import { beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { Chromium, chromiumSkipReason, press, textOf } from "./support/chromium.ts";

const skipReason = chromiumSkipReason();
let chromium: Chromium;
let server: AuthorizationServer;
let user: Page;

beforeAll(async () => {
  server = await startAuthorizationServer({ accessTokenSeconds: 60, signIn: true });
  if (skipReason === undefined) chromium = await Chromium.start();
  return async () => {
    await chromium?.[Symbol.asyncDispose]();
    await server.close();
  };
}, 60_000);
beforeEach(async ({ skip }) => {
  skip(skipReason !== undefined, skipReason);
  user = await chromium.newUser();
  return () => user.browserContext().close();
});

const client = () => ({
  issuer: server.issuer,
  clientId: server.clientId,
  scope: "openid offline_access",
});

const printed: string[] = [];

/** Options of a sign-in whose page the user opens, and with it the redirect URI. */
function withUser(options: Partial<BrowserSignInOptions> = {}) {
  let onOpened = (_url: URL): void => {};
  const opened = new Promise<URL>((resolve) => {
    onOpened = resolve;
  });
  const openBrowser = async (url: string) => {
    await user.goto(url);
    onOpened(new URL(url));
  };
  printed.length = 0;
  const print = (text: string) => void printed.push(text);
  const flow = signInWithBrowser({ ...client(), parameters: { prompt: "consent" }, openBrowser, print, ...options });
  return { flow, opened, redirectUri: async () => (await opened).searchParams.get("redirect_uri") ?? "" };
}

const isOpen = (url: string): Promise<boolean> =>
  fetch(url).then(
    () => true,
    () => false,
  );

/** Lets the browser go elsewhere when the server sends it back to the program. */
async function detour(page: Page, change: (url: URL) => void): Promise<void> {
  await page.setRequestInterception(true);
  let isChanged = false;
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (isChanged || url.pathname !== "/callback") return void request.continue();
    isChanged = true;
    change(url);
    void request.respond({ status: 302, headers: { location: url.href } });
  });
}

/** Expects that a sign-in failed for this reason, and that the error shows nothing that is worth stealing. */
async function expectFailure(signingIn: Promise<unknown>, reason: string): Promise<void> {
  const error: unknown = await signingIn.catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: "SignInFailedError", code: "SIGN_IN_FAILED", reason });
  const shown = `${inspect(error, { depth: 9, showHidden: true })}${JSON.stringify(error)}${(error as Error).stack}`;
  const { state = "" } = Object.fromEntries(new URL(printed.join().match(/http\S+/)?.[0] ?? "http://x").searchParams);
  expect(shown).not.toMatch(/code=|state=/);
  if (state) expect(shown).not.toContain(state);
}

describe("signInWithBrowser at oidc-provider", () => {
  it.each(["http://127.0.0.1/callback", "http://[::1]/callback", "http://localhost/callback"])(
    "returns tokens that can be refreshed, on a free port of %s",
    async (redirectUri) => {
      const { flow, opened } = withUser({ redirectUri });
      const signingIn = flow();
      await opened;
      await press(user, "Sign in");
      await using tokens = createTokenManager({
        refresh: oauth2Refresh({ tokenEndpoint: server.tokenEndpoint, clientId: server.clientId }),
      });
      expect(await tokens.signIn(await signingIn)).toBe(true);
      const first = await tokens.getAccessToken();
      expect(await server.verify(first)).toBe(true);
      expect(await tokens.refresh()).not.toMatchObject({ accessToken: first });
      expect(await tokens.peek()).toMatchObject({ account: expect.stringContaining("ada") });
      expect(await textOf(user)).toMatch(/^Signed in\nYou can close this tab/);
      expect(await isOpen(new URL(user.url()).origin)).toBe(false);
    },
  );

  it("prints the page as well, for users whose browser shows nothing", async () => {
    const { flow } = withUser({ openBrowser: false });
    const signingIn = flow();
    await expect.poll(() => printed.length).toBe(1);
    await user.goto(/http:\S+/.exec(printed[0] ?? "")?.[0] ?? "");
    await press(user, "Sign in");
    expect(await signingIn).toMatchObject({ refreshToken: expect.any(String) });
    expect(printed[0]).toMatch(/^To sign in, open this page in a browser:.*ssh -L (\d+):127\.0\.0\.1:\1 /s);
  });

  it("is refused by the user", async () => {
    const { flow, opened } = withUser();
    const signingIn = flow();
    void signingIn.catch(() => {});
    await opened;
    await press(user, "Refuse");
    await expectFailure(signingIn, "refused");
    expect(await textOf(user)).toContain("The access was refused.");
  });

  it("ends when the caller aborts, with the signal's reason, and closes the port", async () => {
    const { flow, redirectUri } = withUser();
    const controller = new AbortController();
    const signingIn = flow({ signal: controller.signal });
    const uri = await redirectUri();
    expect(await isOpen(uri)).toBe(true);
    const reason = new Error("the user pressed Ctrl-C");
    controller.abort(reason);
    await expect(signingIn).rejects.toBe(reason);
    expect(await isOpen(uri)).toBe(false);
  });

  it("begins nothing if the caller has aborted", async () => {
    const { flow } = withUser({ openBrowser: () => expect.unreachable() });
    const reason = new Error("too late");
    await expect(flow({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it("ends after its timeout, and closes the port", async () => {
    const { flow, redirectUri } = withUser({ timeout: 3_000 });
    const signingIn = flow();
    void signingIn.catch(() => {});
    const uri = await redirectUri();
    await expectFailure(signingIn, "timeout");
    expect(await isOpen(uri)).toBe(false);
  });

  it("names a port that is taken, and opens nothing", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    onTestFinished(() => void other.close());
    const redirectUri = `http://127.0.0.1:${(other.address() as { port: number }).port}/callback`;
    const { flow } = withUser({ redirectUri, openBrowser: () => expect.unreachable() });
    await expectFailure(flow(), "port_in_use");
    await expect(flow()).rejects.toThrow(
      `The sign-in failed: another program uses the port of the redirect URI ${redirectUri}. End the program that uses it, or register another redirect URI.`,
    );
  });

  it.each([
    { what: "has another state", change: (url: URL) => url.searchParams.set("state", "another") },
    { what: "has no state", change: (url: URL) => url.searchParams.delete("state") },
    { what: "comes from another issuer", change: (url: URL) => url.searchParams.set("iss", "https://evil.example") },
    { what: "names no issuer", change: (url: URL) => url.searchParams.delete("iss") },
  ])("does not use a code that $what", async ({ change }) => {
    const { flow, opened } = withUser();
    const signingIn = flow();
    void signingIn.catch(() => {});
    await opened;
    await detour(user, change);
    const requests = server.tokenRequests;
    await press(user, "Sign in");
    await expectFailure(signingIn, "mismatched");
    expect(server.tokenRequests).toBe(requests);
    expect(await textOf(user)).toContain("does not belong to the sign-in");
  });

  it("goes on while another page sends requests to it, and ends if that page leads the user to it", async () => {
    await using evil = await withEvilPage();
    const { flow, redirectUri } = withUser();
    const signingIn = flow();
    void signingIn.catch(() => {});
    const uri = `${await redirectUri()}?code=stolen&state=guessed`;
    const victim = await chromium.newUser();
    await victim.goto(evil.origin);
    const statuses: number[] = [];
    victim.on("response", (response) => void (response.url() === uri && statuses.push(response.status())));
    await victim.evaluate(sendSilently, uri);
    expect(statuses.length).toBeGreaterThan(0);
    expect(new Set(statuses)).toEqual(new Set([404]));
    expect(await Promise.race([signingIn.catch(() => "ended"), Promise.resolve("goes on")])).toBe("goes on");
    await victim.goto(uri);
    await expectFailure(signingIn, "mismatched");
    await victim.browserContext().close();
  });

  it("tells the user to open the page if no browser can be opened", async () => {
    const { flow } = withUser({ openBrowser: () => Promise.reject(new Error("no screen")) });
    const signingIn = flow();
    await expect.poll(() => printed.length).toBe(2);
    expect(printed[1]).toMatch(/^No browser could be opened\. Open the page above\.\n/);
    await user.goto(/http:\S+/.exec(printed[0] ?? "")?.[0] ?? "");
    await press(user, "Sign in");
    expect(await signingIn).toMatchObject({ accessToken: expect.any(String) });
  });

  it("can be called again, with another port each time", async () => {
    const { flow } = withUser({ openBrowser: false });
    const controller = new AbortController();
    const both = [flow(controller), flow(controller)].map((each) => each.catch(() => {}));
    await expect.poll(() => printed.length).toBe(2);
    const ports = printed.map((text) => /ssh -L (\d+)/.exec(text)?.[1]);
    expect(new Set(ports).size).toBe(2);
    controller.abort();
    await Promise.all(both);
  });
});

const withEvilPage = async () => {
  const { origin, close } = await listenOnLoopback((_request, response) => {
    response.writeHead(200, { "content-type": "text/html" }).end("<h1>A page of another program</h1>");
  });
  return { origin, [Symbol.asyncDispose]: close };
};

/** Runs in a page: sends requests without the user's doing. */
async function sendSilently(uri: string): Promise<void> {
  const load = (name: "img" | "iframe") =>
    new Promise((resolve) => {
      const element = document.body.appendChild(document.createElement(name));
      element.onload = element.onerror = resolve;
      element.src = uri;
    });
  await fetch(uri, { mode: "no-cors" }).catch(() => {});
  await fetch(uri).catch(() => {});
  await Promise.all([load("img"), load("iframe")]);
}

describe("signInWithDevice at oidc-provider", () => {
  /** Starts a sign-in, and returns what it prints. */
  async function start(signal?: AbortSignal) {
    printed.length = 0;
    const signingIn = signInWithDevice({ ...client(), print: (text) => void printed.push(text) })({ signal });
    void signingIn.catch(() => {});
    await expect.poll(() => printed.length).toBe(1);
    const [, url = "", code = ""] = /^ {2}(http\S+)$.*^ {2}([A-Z]{4}-[A-Z]{4})$/ms.exec(printed[0] ?? "") ?? [];
    return { signingIn, url, code };
  }

  async function enter(url: string, code: string): Promise<void> {
    await user.goto(url);
    await user.type("input[name=user_code]", code);
    await press(user, "Go on");
    expect(await textOf(user)).toContain(code);
  }

  it("returns the tokens once the user has entered the code and signed in", async () => {
    const { signingIn, url, code } = await start();
    await enter(url, code);
    await press(user, "Confirm");
    await press(user, "Sign in");
    const { accessToken = "" } = await signingIn;
    expect(await server.verify(accessToken)).toBe(true);
  });

  it("is refused by the user", async () => {
    const { signingIn, url, code } = await start();
    await enter(url, code);
    await press(user, "Abort");
    await expectFailure(signingIn, "refused");
  });

  it("ends when the caller aborts, with the signal's reason", async () => {
    const controller = new AbortController();
    const { signingIn } = await start(controller.signal);
    const reason = new Error("the user pressed Ctrl-C");
    controller.abort(reason);
    await expect(signingIn).rejects.toBe(reason);
  });
});

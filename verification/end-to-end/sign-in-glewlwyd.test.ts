/** Signs in at glewlwyd, on its own pages, with a real browser. */
import { createTokenManager } from "@unexpired/core";
import { discover } from "@unexpired/core/flows";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import { signInWithBrowser, signInWithDevice } from "@unexpired/sign-in";
import { listenOnLoopback } from "@unexpired-internal/demo/loopback";
import { Glewlwyd, glewlwydSkipReason, USER } from "@unexpired-internal/test-support/glewlwyd";
import type { Page } from "puppeteer-core";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Chromium, chromiumSkipReason, textOf } from "./support/chromium.ts";

const skipReason = glewlwydSkipReason() ?? chromiumSkipReason();
let chromium: Chromium;
let server: Glewlwyd;
let user: Page;

beforeAll(async () => {
  if (skipReason !== undefined) return;
  server = await Glewlwyd.start();
  chromium = await Chromium.start();
  return async () => {
    await chromium[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  };
}, 60_000);
beforeEach(async ({ skip }) => {
  skip(skipReason !== undefined, skipReason);
  user = await chromium.newUser();
  return () => user.browserContext().close();
});

const client = () => ({ issuer: server.issuer, clientId: server.clients.public.client_id, scope: "openid" });

/** Presses a button of a page that loads nothing when it changes. */
const press = (label: string) => user.locator(`button ::-p-text(${label})`).click();

/** Signs the user in on the page of the server. */
async function logIn(): Promise<void> {
  await user.locator("input[type=text]").fill(USER.username);
  await user.locator("input[type=password]").fill(USER.password);
  await press("OK");
}

/** Returns a redirect URI whose port is free. */
async function freeRedirectUri(): Promise<string> {
  const { origin, close } = await listenOnLoopback();
  await close();
  return `${origin}/callback`;
}

describe("glewlwyd", () => {
  it("signs a user in with the browser, on the fixed port that it knows, and refreshes the session", async () => {
    const redirectUri = await freeRedirectUri();
    await server.setRedirectUri(redirectUri);
    const openBrowser = async (url: string) => {
      await user.goto(url);
      await logIn();
      await press("Continue");
    };
    const { tokenEndpoint } = await discover(server.issuer);
    const { clientId } = client();
    await using tokens = createTokenManager({ refresh: oauth2Refresh({ tokenEndpoint, clientId }) });
    const flow = signInWithBrowser({ ...client(), redirectUri, openBrowser, print: () => {} });
    expect(await tokens.signInWith(flow)).toBe(true);
    const first = await tokens.getAccessToken();
    expect(await tokens.refresh()).toMatchObject({ accessToken: expect.not.stringContaining(first) });
    await expect.poll(() => textOf(user)).toContain("You can close this tab");
    expect(user.url()).toMatch(`${redirectUri}?`);
  });

  it("signs a user in with a code, which glewlwyd spells with digits", async () => {
    let onPrinted = (_text: string): void => {};
    const printed = new Promise<string>((resolve) => {
      onPrinted = resolve;
    });
    const signingIn = signInWithDevice({ ...client(), print: onPrinted })();
    const [, url = "", code = ""] = /^ {2}(http\S+)$.*^ {2}(\S+)$/ms.exec(await printed) ?? [];
    await user.goto(url);
    await user.locator("input[maxlength='9']").fill(code);
    await press("OK");
    await logIn();
    await press("Continue");
    expect(await signingIn).toMatchObject({ refreshToken: expect.any(String), scope: "openid" });
  });
});

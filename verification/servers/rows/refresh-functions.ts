/** Refresh functions that wait for their own manager, and proxies that refuse the connection. */

import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import type { RefreshFunction, TokenManager } from "@unexpired/core";
import { canary } from "@unexpired-internal/test-support/canary";
import { run } from "../../end-to-end/support/bundle.ts";
import { describeMessage, outcome } from "../describe.ts";
import type { Row } from "../row.ts";
import type { Scene } from "../scene.ts";
import { inTime } from "../until.ts";

const CALLS: Readonly<Record<string, (tokens: TokenManager) => Promise<unknown>>> = {
  getAccessToken: (tokens) => tokens.getAccessToken(),
  getTokenSet: (tokens) => tokens.getTokenSet(),
  refresh: (tokens) => tokens.refresh(),
  replaceRejected: (tokens) => tokens.replaceRejected(canary("access", 1)),
  close: (tokens) => tokens.close(),
};

/** A row about a refresh function that waits for a call of its own manager. */
const reentrant = (name: string, isLater: boolean): Row => ({
  situation: `refresh waits for ${name}() of its own manager${isLater ? ", after it has awaited something" : ""}`,
  expected: {
    happened: /^1 exchange, renewed; TypeError: .*would wait for itself\. Use the token set/,
    saw: /^a token within a second$/,
  },
  async run(scene) {
    const inner: string[] = [];
    let exchanges = 0;
    const refresh: RefreshFunction = async () => {
      exchanges++;
      if (isLater) await new Promise((resolve) => setTimeout(resolve, 5));
      inner.push(await inTime(outcome(CALLS[name]?.(tokens) ?? Promise.resolve(), describeMessage)));
      return { access_token: canary("access", 2), refresh_token: canary("refresh", 2), expires_in: 3600 };
    };
    const tokens = scene.packed.core.createTokenManager({ refresh });
    await tokens.signIn({ accessToken: canary("access", 1), refreshToken: canary("refresh", 1), expiresAt: 1 });
    const began = performance.now();
    const saw = await inTime(outcome(tokens.getAccessToken()));
    const isSoon = performance.now() - began < 1_000;
    return {
      happened: `${exchanges} ${exchanges === 1 ? "exchange" : "exchanges"}, renewed; ${inner.join()}`,
      saw: `${saw} within ${isSoon ? "a second" : "more than a second"}`,
    };
  },
});

const program = (tokenEndpoint: string): string => `
  import { createTokenManager, providers } from "@unexpired/core";
  import { oauth2Refresh } from "@unexpired/core/oauth2";
  const refresh = oauth2Refresh({ tokenEndpoint: "${tokenEndpoint}", clientId: "my-app", allowInsecure: true });
  const tokens = createTokenManager({ refresh, provider: providers.strict });
  await tokens.signIn({ refreshToken: "${canary("refresh", 1)}" });
  const { code, cause } = await tokens.getAccessToken().catch((error) => error);
  console.log(code + ", sent: " + cause.sent + ", session: " + (await tokens.hasSession()));
`;

/** Starts a proxy that refuses every connection, and returns its origin. */
async function startRefusingProxy(scene: Scene, requests: string[]): Promise<string> {
  const proxy = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (data) => {
      requests.push(String(data).split("\r\n")[0] ?? "");
      socket.end("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
    });
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  scene.atEnd(() => proxy.close());
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}

const proxied = (tokenEndpoint: string): Row => ({
  situation: `a proxy of the environment refuses CONNECT (407) for ${tokenEndpoint}; providers.strict`,
  expected: { happened: /^CONNECT as\.example:\d+ HTTP\/1\.1$/, saw: /^REFRESH_FAILED, sent: false, session: true$/ },
  async run(scene) {
    const requests: string[] = [];
    const origin = await startRefusingProxy(scene, requests);
    const env = { NODE_USE_ENV_PROXY: "1", HTTPS_PROXY: origin, HTTP_PROXY: origin, NO_PROXY: "", no_proxy: "" };
    const args = ["--input-type=module", "--eval", program(tokenEndpoint)];
    const { stdout, stderr } = await run(process.execPath, args, { cwd: scene.packed.folder, env });
    return { happened: requests.join(), saw: `${stdout}${stderr}`.trim() };
  },
});

export const refreshFunctionRows: readonly Row[] = [
  ...Object.keys(CALLS).map((name) => reentrant(name, false)),
  reentrant("getAccessToken", true),
  proxied("https://as.example/token"),
  proxied("http://as.example/token"),
];

import type { TokenStore } from "@unexpired/core";
import { fileStore } from "@unexpired/store-node";
import { signInAs } from "@unexpired-internal/mcp-support/browser";
import type { Connection, Sdk } from "@unexpired-internal/mcp-support/sdk";
import { sdks } from "@unexpired-internal/mcp-support/sdks";
import { describe, expect, it } from "vitest";
import { DONE, type Program, sessionFile, startProgram, startServer } from "./support.ts";

/** A process whose SDK signs in itself, and the pages that it has opened. */
interface RedirectingProgram extends Program {
  readonly pages: URL[];
}

function startRedirecting(serverUrl: string, file: string, store?: TokenStore): RedirectingProgram {
  const pages: URL[] = [];
  const onRedirect = (url: URL) => void pages.push(url);
  return { ...startProgram(serverUrl, file, { onRedirect, ...(store && { store }) }), pages };
}

/** Connects, and tells whether the SDK has begun a sign-in. */
async function connect(sdk: Sdk, connection: Connection): Promise<"connected" | "redirected"> {
  try {
    await connection.connect();
    return "connected";
  } catch (error) {
    if (!sdk.isUnauthorized(error)) throw error;
    return "redirected";
  }
}

/** A store in which no process sees the claim of another one, so that none waits. */
function withoutClaims(store: TokenStore): TokenStore {
  return {
    load: async () => {
      const stored = await store.load();
      if (!stored) return undefined;
      const { signIn: _, ...record } = JSON.parse(stored.value);
      return { ...stored, value: JSON.stringify(record) };
    },
    save: (value, expected) => store.save(value, expected),
    remove: () => store.remove(),
    describe: () => store.describe(),
    supports: store.supports,
  };
}

const finish = async (connection: Connection, page: URL | undefined) =>
  connection.finishAuth((await signInAs("ada", page ?? "")).searchParams);

describe.each(sdks)("onRedirect with $name", (sdk) => {
  it("lets the SDK of one process sign in, while the others wait and adopt its session", async () => {
    const server = await startServer();
    const file = sessionFile();
    const programs = [1, 2, 3].map(() => startRedirecting(server.url, file));
    const first = programs.map(({ open }) => open(sdk));
    const outcomes = first.map((connection) => connect(sdk, connection));
    const index = await Promise.race(outcomes.map(async (outcome, at) => ((await outcome) === "redirected" ? at : -1)));
    const holder = first[index] as Connection;
    expect(programs.map(({ pages }) => pages.length).sort()).toEqual([0, 0, 1]);
    await finish(holder, programs[index]?.pages[0]);
    expect((await Promise.all(outcomes)).sort()).toEqual(["connected", "connected", "redirected"]);
    expect(server.authorization.counts).toMatchObject({ prompts: 1, signIns: 1, registrations: 1 });
    const again = programs[index]?.open(sdk) as Connection;
    await again.connect();
    expect(await again.call("echo")).toEqual(DONE);
  });

  it("would open several pages without that wait", async () => {
    const server = await startServer();
    const file = sessionFile();
    const programs = [1, 2, 3].map(() => startRedirecting(server.url, file, withoutClaims(fileStore({ path: file }))));
    const opened = programs.map(({ open }) => connect(sdk, open(sdk)));
    expect(await Promise.all(opened)).toEqual(["redirected", "redirected", "redirected"]);
    expect(programs.map(({ pages }) => pages.length)).toEqual([1, 1, 1]);
  });

  it("renews the session, for which the SDK never gets a refresh token", async () => {
    const server = await startServer();
    const { auth, open, pages } = startRedirecting(server.url, sessionFile());
    const first = open(sdk);
    expect(await connect(sdk, first)).toBe("redirected");
    await finish(first, pages[0]);
    await auth.tokens.refresh();
    const second = open(sdk);
    await second.connect();
    expect(await auth.authProvider.tokens()).toEqual({
      access_token: await auth.tokens.getAccessToken(),
      token_type: "Bearer",
      scope: "mcp",
      issuer: server.authorization.issuer,
    });
    expect(server.authorization.resources).toEqual([server.url, server.url]);
    expect(server.authorization.counts).toMatchObject({ exchanges: 1, revoked: 0 });
  });

  it("hands a 403 to the SDK, with all the rights that the new token needs", async () => {
    const server = await startServer({ scope: "mcp mcp:write", writeScope: "mcp:write" });
    const { open, pages } = startRedirecting(server.url, sessionFile());
    const first = open(sdk);
    expect(await connect(sdk, first)).toBe("redirected");
    await finish(first, pages[0]);
    const second = open(sdk);
    await second.connect();
    await expect(second.call("write")).rejects.toSatisfy(sdk.isUnauthorized);
    expect(pages[1]?.searchParams.get("scope")?.split(" ")).toEqual(expect.arrayContaining(["mcp", "mcp:write"]));
    await finish(second, pages[1]);
    expect(await second.call("write")).toEqual(DONE);
  });

  it.each(["onRedirect throws", "the verifier is dropped", "the code is refused"])(
    "begins another sign-in at the next request if %s",
    async (what) => {
      const server = await startServer();
      let fails = what === "onRedirect throws";
      const pages: URL[] = [];
      const { auth, open } = startProgram(server.url, sessionFile(), {
        onRedirect: (url) => {
          if (fails) throw new Error("no browser");
          pages.push(url);
        },
      });
      const first = open(sdk);
      await expect(first.connect()).rejects.toThrow(fails ? "no browser" : /Unauthorized/);
      fails = false;
      if (what === "the verifier is dropped") await auth.authProvider.invalidateCredentials("verifier");
      if (what === "the code is refused") {
        const refused = new URLSearchParams({ code: "wrong", iss: server.authorization.issuer });
        await expect(first.finishAuth(refused)).rejects.toThrow();
      }
      const second = open(sdk);
      expect(await connect(sdk, second)).toBe("redirected");
      await finish(second, pages.at(-1));
      const third = open(sdk);
      await third.connect();
    },
  );
});

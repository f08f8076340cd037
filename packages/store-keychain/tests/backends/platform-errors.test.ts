/** The errors that the packages throw on each system, simulated by a backend that throws them. */
import { inspect } from "node:util";
import { createTokenManager } from "@unexpired/core";
import { describe, expect, it } from "vitest";
import { type KeychainBackend, keychainStore } from "../../src/index.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

const ERRORS = [
  ["macOS, keytar: locked, over SSH", "User interaction is not allowed.", "locked"],
  ["macOS, keytar: locked, over SSH", "The user name or passphrase you entered is not correct.", "locked"],
  [
    "macOS, @napi-rs/keyring: locked, over SSH",
    "Couldn't access platform secure storage: User interaction is not allowed.",
    "locked",
  ],
  ["macOS: no user has logged in", "A default keychain could not be found.", "no_service"],
  ["macOS: no keychain", "No keychain is available. You may need to restart your computer.", "no_service"],
  ["macOS: canceled by the user", "User canceled the operation.", "refused"],
  [
    "Windows: no user has logged on",
    "A specified logon session does not exist. It may already have been terminated.",
    "no_service",
  ],
  ["Windows, keytar: secret too long", "The stub received bad data.", "refused"],
  ["Linux, keytar: no D-Bus", "Cannot autolaunch D-Bus without X11 $DISPLAY", "no_service"],
  ["Linux, keytar: locked", "Cannot create an item in a locked collection", "locked"],
  ["Linux: the prompt was closed", "Secret Service: prompt dismissed", "locked"],
] as const;

const CODES = { locked: "STORE_UNREADABLE", no_service: "STORE_UNAVAILABLE", refused: "STORE_UNAVAILABLE" };

/** Creates an empty keychain in which the given method throws. */
function throwing(call: "get" | "set", message: string): KeychainBackend {
  const fail = (secret = "") => Promise.reject(new Error(`${message} ${secret}`));
  return {
    name: "throwing",
    get: async () => (call === "get" ? fail() : undefined),
    set: (_service, _account, secret) => fail(secret),
    delete: async () => false,
  };
}

it("does not pass on the message of a custom backend, which may quote the session, but its code", async () => {
  const quoting = Object.assign(new Error('cannot parse {"refreshToken":"canary"}'), { code: "EPARSE" });
  const backend = { ...throwing("get", ""), get: () => Promise.reject(quoting) };
  const store = keychainStore({ service: "my-tool", account: "ada", directory: freshDirectory(), backend });
  await using manager = createTokenManager({ store });
  for (const call of [() => store.load(), () => manager.getAccessToken()]) {
    const error: unknown = await call().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ reason: "refused", message: expect.stringContaining("threw an error: EPARSE") });
    expect(inspect(error)).not.toContain("canary");
  }
});

describe.each(ERRORS)("%s (%s)", (_name, message, reason) => {
  it.each(["get", "set"] as const)("becomes a KeychainError without the session when %s throws it", async (call) => {
    const store = keychainStore({
      service: "my-tool",
      account: "ada",
      directory: freshDirectory(),
      backend: throwing(call, message),
    });
    const action = call === "get" ? store.load() : store.save("canary-session", undefined);
    const error = await action.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: CODES[reason], reason });
    expect(inspect(error)).toContain('The keychain item "my-tool" for account "ada');
    expect(inspect(error)).not.toContain("canary-session");
  });
});

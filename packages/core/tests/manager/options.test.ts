import { VirtualClock } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it, vi } from "vitest";
import { createTokenManager, memoryStore, type TokenManagerOptions, type TokenSet } from "../../src/index.ts";
import { parseOptions } from "../../src/manager/options.ts";
import { genericProvider } from "../../src/token-endpoint/providers.ts";
import { describeType } from "../../src/util/describe-type.ts";

const refresh = async () => ({ access_token: "x" });
const tokens: TokenSet = { accessToken: "opaque", tokenType: "Bearer", extra: {} };

describe("an invalid option", () => {
  const store = memoryStore();
  it.each<[string, unknown, RegExp]>([
    ["store", "canary", /a TokenStore, such as fileStore\(\{ path \}\), not a string\.$/],
    ["store", null, /not null\.$/],
    ["store", {}, /(not another object|Expected \w+ to be .*)\.$/],
    ["store", new Map([["canary", "canary"]]), /(not another object|Expected \w+ to be .*)\.$/],
    ["store", { ...store, save: undefined }, /(not another object|Expected \w+ to be .*)\.$/],
    ["store", { ...store, describe: "canary" }, /(not another object|Expected \w+ to be .*)\.$/],
    ["store", { ...store, watch: "canary" }, /(not another object|Expected \w+ to be .*)\.$/],
    ["store", { ...store, holder: { id: "canary" } }, /(not another object|Expected \w+ to be .*)\.$/],
    ["refresh", "canary", /a function, such as .*, not a string\.$/],
    ["refresh", {}, /(not another object|Expected \w+ to be .*)\.$/],
    ["refreshWindow", -1, /milliseconds, 0 or more, not -1\.$/],
    ["refreshWindow", -0.001, /not -0\.001\.$/],
    ["refreshWindow", Number.NEGATIVE_INFINITY, /not -Infinity\.$/],
    ["refreshWindow", Number.NaN, /not NaN\.$/],
    ["refreshWindow", "canary", /not a string\.$/],
    ["refreshWindow", 1n, /not a bigint\.$/],
    ["refreshWindow", null, /not null\.$/],
    ["background", "canary", /true or false, not a string\.$/],
    ["background", 1, /not 1\.$/],
    ["provider", "canary", /\{ rotation\?: boolean, .* \}, not a string\.$/],
    ["provider", { graceSeconds: -1 }, /graceSeconds\?: number/],
    ["provider", { graceSeconds: Number.NaN }, /graceSeconds/],
    ["provider", { replayReturns: "canary" }, /replayReturns\?: "same" \| "new"/],
    ["provider", { afterLoss: "canary" }, /"retry" \| "sign-in"/],
    ["provider", { terminal: "canary" }, /terminal\?/],
    ["provider", { lost: [{ code: "canary" }] }, /lost\?/],
    ["provider", { terminal: [{}] }, /provider\.terminal\.0: invalid/],
    ["provider", { terminal: [{ error: undefined }] }, /provider\.terminal\.0: invalid/],
    ["provider", { terminal: [{ description: "" }] }, /provider\.terminal\.0\.description: invalid/],
    ["provider", { terminal: [""] }, /provider\.terminal\.0: invalid/],
    ["provider", { canary: true }, /(not another object|Expected \w+ to be .*)\.$/],
    ["account", "canary", /a function from a TokenSet to a string, not a string\.$/],
    ["maxStaleness", -1, /a number of milliseconds, or Infinity/],
    ["maxStaleness", "canary", /a number of milliseconds, or Infinity, not a string\.$/],
    ["staleIfError", "canary", /true or false, not a string\.$/],
    ["keepAlive", "canary", /true or false, not a string\.$/],
    ["clock", 7, /each a function, not 7\.$/],
    ["clock", { now: 7 }, /(not another object|Expected \w+ to be .*)\.$/],
    ["clock", { setTimer: "canary" }, /(not another object|Expected \w+ to be .*)\.$/],
  ])("causes a TypeError that names it and never shows its value: %s, %o", (name, value, message) => {
    const make = () => createTokenManager({ [name]: value } as TokenManagerOptions);
    expect(make).toThrow(TypeError);
    expect(make).toThrow(message);
    expect(make).toThrow(new RegExp(`^${name}[.:]`));
    expect(make).not.toThrow(/canary/);
  });

  it.each<[unknown, string]>([
    [0, "0"],
    [-5, "-5"],
    [Number.NaN, "NaN"],
    [Number.POSITIVE_INFINITY, "Infinity"],
    [20 * 60_000 + 1, "1200001"],
    ["30", "a string"],
    ["", "an empty string"],
    [null, "null"],
  ])("causes a TypeError if it is the timeout of the refresh function: %o", (timeout, shown) => {
    expect(() => createTokenManager({ refresh: Object.assign(async () => refresh(), { timeout }) as never })).toThrow(
      new TypeError(`refresh.timeout: expected milliseconds above 0, at most 20 minutes, not ${shown}.`),
    );
  });

  it.each<[string, unknown]>([
    ["refreshwindow", 1],
    ["constructor", 1],
    ["toString", () => "canary"],
    ["refresh.timeout", 1],
  ])("causes a TypeError that lists the supported ones if it is unknown: %s, %o", (name, value) => {
    const make = () => createTokenManager({ [name]: value } as TokenManagerOptions);
    expect(make).toThrow(TypeError);
    expect(make).toThrow(`createTokenManager: unknown option "${name}". Supported: store, refresh, refreshWindow, `);
    expect(make).not.toThrow(/canary/);
  });

  it.each<[unknown, string]>([
    [null, "null"],
    ["canary", "a string"],
    ["", "an empty string"],
    [7, "a number"],
    [[], "an array"],
    [() => {}, "a function"],
  ])("causes a TypeError if it replaces the options object: %o", (given, type) => {
    expect(() => createTokenManager(given as TokenManagerOptions)).toThrow(
      new TypeError(`createTokenManager: expected an object of options, not ${type}.`),
    );
  });
});

describe("valid options", () => {
  class Store {
    readonly #inner = memoryStore();
    readonly supports = this.#inner.supports;
    load = () => this.#inner.load();
    save(value: string, expected: string | undefined) {
      return this.#inner.save(value, expected);
    }
    remove() {
      return this.#inner.remove();
    }
    describe() {
      return "a class";
    }
  }

  it.each<[string, TokenManagerOptions]>([
    ["none", {}],
    [
      "all undefined",
      { store: undefined, refresh: undefined, refreshWindow: undefined, clock: undefined, account: undefined },
    ],
    ["an instance of a class as the store", { store: new Store() }],
    [
      "a store with watch and holder",
      { store: { ...memoryStore(), holder: { id: "1", statusOf: async () => "unknown" } } },
    ],
    ["window 0", { refreshWindow: 0 }],
    ["window Infinity: a fifth of each lifetime", { refreshWindow: Number.POSITIVE_INFINITY }],
    ["no profile fields", { provider: {} }],
    ["a deadline", { refresh: Object.assign(async () => refresh(), { timeout: 1 }) }],
    ["no deadline", { refresh: Object.assign(async () => refresh(), { timeout: undefined }) }],
  ])("are accepted: %s", (_name, given) => {
    expect(() => createTokenManager(given)).not.toThrow();
  });

  it("are completed with the defaults", () => {
    const { rules, profile, refresh: none } = parseOptions({});
    expect(rules).toEqual({
      canRefresh: false,
      refreshWindow: 300_000,
      background: true,
      staleIfError: false,
      maxStaleness: 5_000,
      refreshTokenLifetime: undefined,
    });
    expect(profile).toEqual(genericProvider);
    expect(none).toBeUndefined();
    expect(parseOptions({ refresh, staleIfError: true, background: false }).rules).toMatchObject({
      canRefresh: true,
      background: false,
      staleIfError: true,
    });
  });

  it("keep the defaults of undefined members of a profile or a clock", () => {
    const given = { provider: { graceSeconds: 30, terminal: undefined }, clock: { now: undefined } };
    const { profile, clock } = parseOptions(given as unknown as TokenManagerOptions);
    expect(profile).toEqual({ ...genericProvider, graceSeconds: 30 });
    expect(clock.now()).toBeTypeOf("number");
  });

  it("may include a clock whose methods need their `this`", () => {
    class Clock {
      #time = 42;
      now() {
        return this.#time;
      }
    }
    const { clock } = parseOptions({ clock: new Clock() });
    expect(clock.now()).toBe(42);
    expect(clock.random()).toBeLessThan(1);
    const virtual = new VirtualClock();
    const callback = vi.fn();
    parseOptions({ clock: virtual }).clock.setTimer(callback, 5, false)();
    expect(virtual.keepingAlive).toBe(0);
  });

  it.each([[7], [null], [{}], [Promise.resolve("x")]])("do not allow %o as an account", (name) => {
    const { accountOf } = parseOptions({ account: (() => name) as never });
    expect(() => accountOf(tokens)).toThrow(/^account: expected to return a string or undefined, not /);
  });

  it("may include an account function that returns undefined", () => {
    expect(parseOptions({ account: () => undefined }).accountOf(tokens)).toBeUndefined();
    expect(parseOptions({ account: ({ accessToken }) => accessToken }).accountOf(tokens)).toBe("opaque");
  });

  it("are read once", async () => {
    const given: { store: ReturnType<typeof memoryStore> | undefined } = { store: memoryStore() };
    const first = given.store;
    const manager = createTokenManager(given);
    given.store = undefined;
    await manager.signIn({ accessToken: "x" });
    expect(await first?.load()).toBeDefined();
  });
});

it.each<[unknown, string]>([
  [undefined, "undefined"],
  [null, "null"],
  ["", "an empty string"],
  ["canary", "a string"],
  [4711, "a number"],
  [Symbol("canary"), "a symbol"],
  [["canary"], "an array"],
  [new Date(), "another object"],
])("describes %o as %s, without its contents", (value, expected) => {
  expect(describeType(value)).toBe(expected);
});

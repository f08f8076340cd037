import { canary } from "@unexpired-internal/test-support/canary";
import { VirtualClock } from "@unexpired-internal/test-support/virtual-clock";
import { afterEach, describe, expect, it, vi } from "vitest";
import { ConfigurationError, envToken, isAuthError, SignInRequiredError, staticToken } from "../../src/index.ts";
import { jwt } from "../support/jwt.ts";
import { printed } from "../support/leaks.ts";

const NAME = "UNEXPIRED_TEST_TOKEN";
const token = canary("access", 1);
const newer = canary("access", 2);

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.fail("did not reject"),
    (error: unknown) => error,
  );

afterEach(() => vi.unstubAllEnvs());
afterEach(() => vi.unstubAllGlobals());

describe("envToken", () => {
  it("reads the token from process.env, with no expiry", async () => {
    vi.stubEnv(NAME, token);
    const source = envToken(NAME);
    const tokenSet = await source.getTokenSet();
    expect({ ...tokenSet }).toEqual({ accessToken: token, tokenType: "Bearer", extra: {} });
    expect(await source.getAccessToken()).toBe(token);
    expect(await source.getTokenSet()).toBe(tokenSet);
  });

  it("sees that the variable is set, changed and removed while the program runs", async () => {
    vi.stubEnv(NAME, undefined);
    const source = envToken(NAME);
    expect(await failure(source.getAccessToken())).toMatchObject({ reason: "no_session" });
    expect(source.source()).toBeUndefined();
    vi.stubEnv(NAME, token);
    expect([await source.getAccessToken(), source.source()]).toEqual([token, NAME]);
    vi.stubEnv(NAME, newer);
    expect(await source.getAccessToken()).toBe(newer);
    vi.stubEnv(NAME, undefined);
    expect(await failure(source.getAccessToken())).toMatchObject({ reason: "no_session" });
  });

  it.each(["", " ", "\t\r\n"])("holds no token if the variable contains only white space: %j", async (blank) => {
    const source = envToken(NAME, { env: { [NAME]: blank } });
    const error = await failure(source.getTokenSet());
    expect(error).toMatchObject({
      name: "SignInRequiredError",
      reason: "no_session",
      location: `environment variable ${NAME}`,
      message: `Sign in required: there is no token (environment variable ${NAME}). Set ${NAME} to a valid token.`,
    });
    expect(isAuthError(error)).toBe(true);
    expect(source.source()).toBeUndefined();
  });

  it("ignores white space around the token, as a file's last line break", async () => {
    expect(await envToken(NAME, { env: { [NAME]: ` ${token}\n` } }).getAccessToken()).toBe(token);
  });

  it("reads the variables that it is given", async () => {
    vi.stubEnv(NAME, token);
    const env: Record<string, string> = {};
    const source = envToken(NAME, { env });
    expect(source.source()).toBeUndefined();
    env[NAME] = newer;
    expect(await source.getAccessToken()).toBe(newer);
  });

  it.each(["toString", "__proto__"])("holds no token in a variable that is no string: %s", async (name) => {
    expect(await failure(envToken(name, { env: {} }).getTokenSet())).toMatchObject({ reason: "no_session" });
  });

  it("holds no token in a runtime without process.env", async () => {
    vi.stubGlobal("process", undefined);
    const error = await failure(envToken(NAME).getTokenSet());
    vi.unstubAllGlobals();
    expect(error).toMatchObject({ reason: "no_session", message: expect.stringMatching(/in the option `env`\.$/) });
  });

  it("shows nothing of an error about a variable but its message (P8)", async () => {
    const denied = Object.assign(new Error("denied"), { env: { APP_TOKEN: token } });
    const get = () => {
      throw denied;
    };
    const error = await failure(envToken("APP_TOKEN", { env: new Proxy({}, { get }) }).getTokenSet());
    expect(error).toMatchObject({ code: "CONFIGURATION", cause: { message: "denied" } });
    expect(printed(error)).not.toContain(token);
  });

  it("reports a variable that the program may not read, as in Deno, and is not taken for an empty source", async () => {
    const env = new Proxy({}, { get: () => expect.fail("Requires env access, run again with --allow-env") });
    const source = envToken(NAME, { env });
    const error = await failure(source.getTokenSet());
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error).toMatchObject({
      message: expect.stringContaining(NAME),
      cause: { message: expect.stringMatching(/env access/) },
    });
    expect(source.source()).toBe(NAME);
  });

  it("expires if the token is a JWT", async () => {
    const clock = new VirtualClock();
    const exp = clock.now() / 1000 + 60;
    const source = envToken(NAME, { env: { [NAME]: jwt({ exp }) }, clock });
    expect((await source.getTokenSet()).expiresAt).toBe(exp * 1000);
    await clock.advance(59_999);
    await source.getTokenSet();
    await clock.advance(1);
    const error = await failure(source.getTokenSet());
    expect(error).toBeInstanceOf(SignInRequiredError);
    expect(error).toMatchObject({
      reason: "session_expired",
      message: `Sign in required: the token expired at 2026-01-01T00:01:00.000Z (environment variable ${NAME}). Set ${NAME} to a valid token.`,
    });
    expect(source.source()).toBe(NAME);
  });

  it("names the variable if its token is rejected", async () => {
    const source = envToken(NAME, { env: { [NAME]: token } });
    const error = await failure(source.replaceRejected(token));
    expect(error).toMatchObject({
      name: "SignInRequiredError",
      reason: "session_expired",
      message: `Sign in required: the server rejected the token (environment variable ${NAME}). Set ${NAME} to a valid token.`,
    });
    expect(isAuthError(error)).toBe(true);
    const response = { status: 401, headers: new Headers() };
    expect(await failure(source.replaceRejected(token, { response }))).toMatchObject({
      message: expect.stringContaining("the server rejected the token with HTTP 401 (environment"),
    });
  });

  it("replaces a rejected token with that of a variable that has changed since", async () => {
    const env = { [NAME]: token };
    const source = envToken(NAME, { env });
    env[NAME] = newer;
    expect(await source.replaceRejected(token)).toBe(newer);
    env[NAME] = "";
    expect(await failure(source.replaceRejected(newer))).toMatchObject({ reason: "no_session" });
  });

  it("rejects with the reason of a signal that has aborted", async () => {
    const source = envToken(NAME, { env: { [NAME]: token } });
    const signal = AbortSignal.abort("stop");
    for (const call of [
      source.getTokenSet({ signal }),
      source.getAccessToken({ signal }),
      source.replaceRejected(token, { signal }),
    ])
      expect(await failure(call)).toBe("stop");
  });

  it("shows its token nowhere (P8)", async () => {
    const source = envToken(NAME, { env: { [NAME]: token } });
    const results = [source, source.getTokenSet(), source.getAccessToken(), source.replaceRejected(newer)];
    const error = await failure(source.replaceRejected(token));
    expect(printed([...results, await source.getTokenSet(), error])).not.toContain(token);
    expect(printed(error)).not.toContain(token);
  });

  it.each<[unknown, unknown, RegExp]>([
    ["", {}, /^name: expected the name of an environment variable, not an empty string\.$/],
    [undefined, {}, /^name: expected the name/],
    [NAME, { env: "x" }, /^env: expected an object of variables, not a string\.$/],
    [NAME, { environment: {} }, /^envToken: unknown option "environment"\. Supported: env, clock\.$/],
    [NAME, { clock: { now: 1 } }, /^clock\.now: invalid\./],
  ])("throws a TypeError for the arguments %j, %j", (name, options, message) => {
    const create = () => envToken(name as string, options as object);
    expect(create).toThrow(TypeError);
    expect(create).toThrow(message);
  });

  it("rejects a rejected token that is not a string", async () => {
    expect(await failure(envToken(NAME).replaceRejected(undefined as never))).toBeInstanceOf(TypeError);
  });
});

describe("staticToken", () => {
  it("returns its token until it expires", async () => {
    const clock = new VirtualClock();
    const exp = clock.now() / 1000 + 60;
    const source = staticToken(jwt({ exp }), { clock });
    expect(await source.getTokenSet()).toMatchObject({ accessToken: jwt({ exp }), expiresAt: exp * 1000 });
    await clock.advance(60_000);
    expect(await failure(source.getTokenSet())).toMatchObject({ reason: "session_expired" });
    expect(await staticToken(` ${token}\n`).getAccessToken()).toBe(token);
  });

  it.each([undefined, "", " "])("has no token if it is given none: %j", async (nothing) => {
    const source = staticToken(nothing);
    expect(source.source()).toBeUndefined();
    expect(await failure(source.getTokenSet())).toMatchObject({ reason: "no_session" });
  });

  it("names itself in errors and in source()", async () => {
    expect(staticToken(token).source()).toBe("static token");
    const source = staticToken(token, { name: "--token" });
    expect(source.source()).toBe("--token");
    expect(await failure(source.replaceRejected(token))).toMatchObject({
      message: "Sign in required: the server rejected the token (--token). Pass a valid token.",
    });
  });

  it("shows its token nowhere (P8)", async () => {
    const source = staticToken(token);
    expect(printed([source, source.getTokenSet(), source.getAccessToken()])).not.toContain(token);
    expect(printed(await failure(source.replaceRejected(token)))).not.toContain(token);
    expect(() => staticToken({ token } as never)).toThrow(
      "accessToken: expected a string or undefined, not another object.",
    );
  });
});

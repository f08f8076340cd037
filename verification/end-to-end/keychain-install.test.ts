/** Tests the keychain store as npm installs it on a machine without a compiler, with a real Secret Service. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SecretServiceDaemon, secretServiceSkipReason } from "@unexpired-internal/test-support/secret-service-daemon";
import { describe, expect, inject, it } from "vitest";
import { Consumer } from "./support/consumer.ts";

const program = `
  import { keychainOrFile, keychainStore } from "@unexpired/store-keychain";
  const item = { service: "consumer", account: "ada" };
  const result = await keychainStore(item).save("a session", undefined).then(
    async () => (await keychainStore(item).load()).value,
    (error) => [error.code, error.reason, error.message].join(" "),
  );
  const either = keychainOrFile({ ...item, account: "bob", plainTextFile: { path: "bob.json" } });
  await either.save("another session", undefined);
  const loaded = await either.load();
  console.log(JSON.stringify({ result, location: either.describe(), loaded: loaded.value }));
`;

interface Report {
  /** The session that the keychain store saved and loaded, or its error. */
  readonly result: string;
  /** The description of the store that `keychainOrFile` chose, and the session in it. */
  readonly location: string;
  readonly loaded: string;
  /** The packages that npm installed, by folder. */
  readonly packages: Readonly<Record<string, { readonly hasInstallScript?: boolean }>>;
}

/** Installs the tarballs and runs the program with a Secret Service. */
async function runProgram(...options: string[]): Promise<Report> {
  const tarballs = inject("tarballs");
  const names = ["core", "store-node", "store-keychain"].map((name) => tarballs[`@unexpired/${name}`] ?? "");
  using consumer = new Consumer([...names, ...options]);
  consumer.write("program.js", program);
  await using service = await SecretServiceDaemon.start();
  const env = { HOME: consumer.directory, DBUS_SESSION_BUS_ADDRESS: service.address, XDG_STATE_HOME: "" };
  const { stdout } = await consumer.node(["program.js"], env);
  const lock = readFileSync(join(consumer.directory, "package-lock.json"), "utf8");
  return { ...JSON.parse(stdout), packages: JSON.parse(lock).packages };
}

describe("the packed keychain store", { timeout: 120_000 }, () => {
  it("works as installed, without an install script", async (ctx) => {
    const reason = secretServiceSkipReason();
    if (reason !== undefined) ctx.skip(reason);
    const { result, loaded, location, packages } = await runProgram();
    expect({ result, loaded }).toEqual({ result: "a session", loaded: "another session" });
    expect(location).toContain("keychain item");
    expect(Object.keys(packages)).not.toContain("node_modules/keytar");
    expect(Object.values(packages).filter((each) => each.hasInstallScript)).toEqual([]);
  });

  it("names the missing optional package, and uses the file if that is allowed", async (ctx) => {
    const reason = secretServiceSkipReason();
    if (reason !== undefined) ctx.skip(reason);
    const { result, loaded, location } = await runProgram("--omit=optional");
    expect(result).toMatch(/^STORE_UNAVAILABLE no_backend .*npm install @napi-rs\/keyring/);
    expect(loaded).toBe("another session");
    expect(location).toContain("bob.json, in plain text");
  });
});

/** The keychain store as npm installs it where nothing can be compiled, with a real Secret Service. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, inject, it } from "vitest";
import {
  SecretServiceDaemon,
  secretServiceSkipReason,
} from "../../packages/store-keychain/tests/support/secret-service-daemon.ts";
import { Consumer } from "./support/consumer.ts";

const program = `
  import { keychainOrFile, keychainStore } from "@unexpired/store-keychain";
  const place = { service: "consumer", account: "ada" };
  const told = await keychainStore(place).save("a session", undefined).then(
    async () => (await keychainStore(place).load()).value,
    (error) => [error.code, error.reason, error.message].join(" "),
  );
  const either = keychainOrFile({ ...place, account: "bob", plainTextFile: { path: "bob.json" } });
  await either.save("another session", undefined);
  const found = await either.load();
  console.log(JSON.stringify({ told, where: either.describe(), found: found.value }));
`;

interface Told {
  readonly told: string;
  readonly where: string;
  readonly found: string;
  /** What npm installed, by its folder. */
  readonly packages: Readonly<Record<string, { readonly hasInstallScript?: boolean }>>;
}

/** Installs the tarballs, and runs the program with a Secret Service. */
async function tell(...options: string[]): Promise<Told> {
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
  it("works as installed, with nothing that is compiled or downloaded when installed", async (ctx) => {
    const reason = secretServiceSkipReason();
    if (reason !== undefined) ctx.skip(reason);
    const { told, found, where, packages } = await tell();
    expect({ told, found }).toEqual({ told: "a session", found: "another session" });
    expect(where).toContain("keychain item");
    expect(Object.keys(packages)).not.toContain("node_modules/keytar");
    expect(Object.values(packages).filter((each) => each.hasInstallScript)).toEqual([]);
  });

  it("says what is missing where no optional package was installed, and the file is used where that is allowed", async (ctx) => {
    const reason = secretServiceSkipReason();
    if (reason !== undefined) ctx.skip(reason);
    const { told, found, where } = await tell("--omit=optional");
    expect(told).toMatch(/^STORE_UNAVAILABLE no_backend .*npm install @napi-rs\/keyring/);
    expect(found).toBe("another session");
    expect(where).toContain("bob.json, in plain text");
  });
});

/** Tests the packed adapters with the oldest and newest versions of their clients: types, import and require. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, inject, it } from "vitest";
import { type Manifest, packages, root } from "../../scripts/workspace.ts";
import { firstProgram, startServers } from "./readme.ts";
import { Consumer, nodenext } from "./support/consumer.ts";

const { devDependencies: tools = {} }: Partial<Manifest> = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** The client versions besides the default one, which all other tests use: `"axios-oldest": "npm:axios@1.0.0"`. */
const versions = packages.flatMap(({ folder, manifest }) =>
  Object.entries(manifest.devDependencies ?? {}).flatMap(([name, version]) =>
    version.startsWith("npm:") && name.startsWith(folder.replace("adapter-", ""))
      ? [{ folder, adapter: manifest.name, client: version.replace("npm:", "") }]
      : [],
  ),
);

describe("versions of clients", () => {
  it("include those of all adapters", () => {
    expect(versions.length).toBeGreaterThanOrEqual(7);
  });

  it.each(versions)("work: $adapter with $client", { timeout: 120_000 }, async ({ folder, adapter, client }) => {
    const { [adapter]: tarball = "", "@unexpired/core": core = "" } = inject("tarballs");
    const compiler = [`typescript@${tools.typescript}`, `@types/node@${tools["@types/node"]}`];
    using consumer = new Consumer([tarball, core, client, ...compiler]);
    consumer.write("program.ts", firstProgram(readFileSync(join(root, `packages/${folder}/README.md`), "utf8")));
    expect(consumer.typeErrors(["program.ts"], nodenext)).toEqual([]);
    await using servers = await startServers();
    expect((await consumer.node(["nodenext/program.js"], servers.env)).stdout).toContain(servers.secretOfTheApi);
    // only requires the adapter: whether the client itself has a CommonJS build is not our concern
    consumer.write("require.cjs", `console.log(Object.keys(require("${adapter}")).length);`);
    expect(Number((await consumer.node(["require.cjs"])).stdout)).toBeGreaterThan(0);
  });
});

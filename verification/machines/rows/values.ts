/** Values that programs pass on and print, listeners, and many managers at once. */
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { formatWithOptions, inspect } from "node:util";
import { outcome } from "@unexpired-internal/tables/outcome";
import { CANARY, canary } from "@unexpired-internal/test-support/canary";
import { memoryKeychain } from "../keychain.ts";
import type { Row } from "../row.ts";

const HOUR = 60 * 60_000;

/** A row about a keychain that fails after it has worked. */
const keychainRow = (name: string, reason: string, get: () => Promise<never>): Row => ({
  situation: `a keychain ${name}: its reason in the error of the manager`,
  expected: { happened: "0 exchanges", saw: new RegExp(`^STORE_UN\\w+ ${reason}: `) },
  async run(scene) {
    const { core, storeKeychain } = scene.packed;
    const directory = join(scene.directory, "state");
    const backend = { name: "memory", get, set: async () => {}, delete: async () => true };
    const item = { service: "machines", account: "ada", directory, timeout: 200 };
    const stored = storeKeychain.keychainStore({ ...item, backend: memoryKeychain() });
    await core.createTokenManager({ store: stored }).signIn({ accessToken: canary("access", 1) });
    const store = storeKeychain.keychainStore({ ...item, backend });
    return { saw: await outcome(core.createTokenManager({ store }).getAccessToken()), happened: scene.exchanges };
  },
});

/** The share of a core that this process uses in the calmest of some seconds: there may be garbage to collect at first. */
async function shareOfCore(): Promise<number> {
  const shares: number[] = [];
  for (let second = 0; second < 4; second++) {
    const [cpu, began] = [process.cpuUsage(), performance.now()];
    await wait(1_000);
    const { user, system } = process.cpuUsage(cpu);
    shares.push((user + system) / 1_000 / (performance.now() - began));
  }
  return Math.min(...shares);
}

export const valueRows: readonly Row[] = [
  {
    situation: "`JSON.parse(JSON.stringify(tokenSet))` is handed to `signIn`",
    expected: { happened: "0 exchanges", saw: /^TypeError: .*secret/s },
    async run(scene) {
      const tokens = scene.open();
      await tokens.signIn({ ...scene.issuer.signIn() });
      const copy = JSON.parse(JSON.stringify(await tokens.getTokenSet()));
      return { saw: await outcome(scene.packed.core.createTokenManager().signIn(copy)), happened: scene.exchanges };
    },
  },
  {
    situation: "`console.log(tokens.getAccessToken())`, `console.dir(tokenSet)`, and both in other objects",
    expected: { happened: "0 exchanges", saw: "no token is printed" },
    async run(scene) {
      const tokens = scene.open();
      await tokens.signIn({ ...scene.issuer.signIn() });
      await tokens.getAccessToken();
      const values = [tokens.getTokenSet(), await tokens.getTokenSet(), tokens];
      const all = [tokens.getAccessToken(), ...values];
      const printed = [
        ...[...all, { all }, new Error("x", { cause: all })].flatMap((value) => [
          inspect(value, { depth: 9, showHidden: true }),
          formatWithOptions({}, "%o %j", value, value),
        ]),
        // Nothing can hide a string that a promise resolves to from `console.dir`.
        ...[...values, { values }].map((value) => inspect(value, { depth: 9, customInspect: false })),
      ];
      const shown = printed.filter((text) => text.includes(CANARY)).length;
      return {
        saw: shown === 0 ? "no token is printed" : `a token is printed in ${shown} of ${printed.length} ways`,
        happened: scene.exchanges,
      };
    },
  },
  keychainRow("does not respond", "timeout", () => new Promise<never>(() => {})),
  keychainRow("is locked", "locked", () => Promise.reject(new Error("Cannot get secret of a locked object"))),
  keychainRow("needs a service that is not running", "no_service", () =>
    Promise.reject(new Error("Cannot autolaunch D-Bus without X11 $DISPLAY")),
  ),
  {
    situation: "a listener subscribes again while it is called",
    expected: { happened: "1 call", saw: "true" },
    async run(scene) {
      const tokens = scene.packed.core.createTokenManager();
      let calls = 0;
      let stop = () => {};
      const again = () => {
        if (++calls > 1_000) throw new Error("endless");
        stop();
        stop = tokens.subscribe(() => again());
      };
      again();
      calls = 0;
      const saw = await outcome(tokens.signIn({ accessToken: canary("access", 1) }));
      return { saw, happened: calls === 1 ? "1 call" : `${calls} calls` };
    },
  },
  {
    situation: "eleven managers on one file",
    expected: { happened: "no warning", saw: /^a token$/ },
    async run(scene) {
      const warnings: string[] = [];
      const onWarning = ({ message }: Error) => warnings.push(message);
      process.on("warning", onWarning);
      await scene.signIn();
      const managers = Array.from({ length: 11 }, () => scene.open());
      const seen = await Promise.all(managers.map((tokens) => outcome(tokens.getAccessToken())));
      await scene.settle();
      process.off("warning", onWarning);
      return { saw: [...new Set(seen)].join("; "), happened: warnings[0] ?? "no warning" };
    },
  },
  {
    situation: "2,000 idle managers on one file, in the calmest of four seconds",
    expected: { happened: "below 1 % of a core", saw: "a token" },
    async run(scene) {
      const first = scene.open();
      await first.signIn({ ...scene.issuer.signIn(), expiresAt: Date.now() + HOUR });
      const { core, storeNode } = scene.packed;
      const before = await shareOfCore(); // what earlier rows have left running
      const managers = Array.from({ length: 2_000 }, () =>
        core.createTokenManager({ store: storeNode.fileStore({ path: scene.file }) }),
      );
      for (const tokens of managers) await tokens.getAccessToken();
      const share = (await shareOfCore()) - before;
      const saw = await outcome(first.getAccessToken());
      await Promise.all(managers.map((tokens) => tokens.close()));
      return { saw, happened: share < 0.01 ? "below 1 % of a core" : `${(share * 100).toFixed(1)} % of a core` };
    },
  },
];

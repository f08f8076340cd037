/** Broken stores and adapters, as their authors test them with the kit. */
import type { TokenStore } from "@unexpired/core";
import type { Call, Client, ClientSetup, StoreFixture, StoreHarness } from "@unexpired/testing";
import { fetchHarness } from "@unexpired-internal/test-support/adapter-harnesses";
import { canary } from "@unexpired-internal/test-support/canary";
import type { Row } from "../row.ts";
import type { Scene } from "../scene.ts";
import { sharedString } from "../stores.ts";

/** Runs the whole kit on a harness, and lists the cases that fail. */
async function runKit(scene: Scene, harness: StoreHarness): Promise<string> {
  const { runCase, storeCases } = scene.packed.testing;
  const failed: string[] = [];
  for (const each of storeCases) await runCase(each, harness, { timeout: 1_000 }).catch(() => failed.push(each.name));
  return failed.length === 0 ? "every case passes" : `caught by: ${failed.join("; ")}`;
}

type Change = (scene: Scene) => (fixture: StoreFixture) => StoreFixture;

/** Changes each store that a fixture opens. */
const storeChange =
  (change: (store: TokenStore) => Partial<TokenStore>): Change =>
  () =>
  (fixture) => ({
    ...fixture,
    open: async () => {
      const store = await fixture.open();
      return { ...store, ...change(store) };
    },
  });

const SECRET = canary("access", "of a store's URL");

/** A row that runs the kit on a correct store with one change. */
const kitRow = (name: string, expected: RegExp, change: Change): Row => ({
  situation: `the kit for stores, and a store ${name}`,
  expected: { happened: /^(caught by|every case)/, saw: "within 30 s" },
  async run(scene) {
    const began = performance.now();
    const create = (): StoreFixture => {
      const [own, neighbor] = [0, 1].map(() => sharedString(scene.packed, { canWatch: true }));
      const open = () => own?.open() as TokenStore;
      return change(scene)({ open, openNeighbor: () => neighbor?.open() as TokenStore });
    };
    const happened = await runKit(scene, { create, secrets: [SECRET] });
    const isIn30 = performance.now() - began < 30_000;
    return {
      happened: expected.test(happened) ? happened : `not as expected: ${happened}`,
      saw: isIn30 ? "within 30 s" : "later",
    };
  },
});

const conflicting: Change = (scene) => (fixture) => {
  let isInterrupted = false;
  const { StoreConflictError } = scene.packed.core;
  const fail = () => Promise.reject(new StoreConflictError("the store"));
  return {
    ...fixture,
    open: async () => {
      const store = await fixture.open();
      return { ...store, save: (value, expected) => (isInterrupted ? fail() : store.save(value, expected)) };
    },
    interrupt: () => {
      isInterrupted = true;
      return () => {
        isInterrupted = false;
      };
    },
  };
};

/** A store that refuses versions that it has never given. */
const strictVersions = storeChange((store) => ({
  save: async (value, expected) => {
    if (expected !== undefined && !/^v\d+$/.test(expected)) throw new TypeError("not a version of this store");
    return store.save(value, expected);
  },
}));

export const kitRows: readonly Row[] = [
  kitRow("that is right, and refuses versions that it never gave", /^every case passes$/, strictVersions),
  kitRow("whose every failure is a conflict", /^caught by/, conflicting),
  kitRow("that ignores its key", /^caught by/, () => (fixture) => ({ ...fixture, openNeighbor: fixture.open })),
  kitRow(
    "with a secret in `describe()`",
    /^caught by/,
    storeChange(() => ({ describe: () => `redis://:${SECRET}@host` })),
  ),
  kitRow(
    "that cuts values above 256 kB",
    /^caught by/,
    storeChange((store) => ({ save: (value, expected) => store.save(value.slice(0, 256_000), expected) })),
  ),
  kitRow(
    "whose `load` never settles",
    /^caught by/,
    storeChange(() => ({ load: () => new Promise<never>(() => {}) })),
  ),
  {
    situation: "the kit for adapters, and a client that drops user information from URLs",
    expected: { happened: /^skipped: .*it drops them$/, saw: "other cases pass" },
    async run(scene) {
      const { adapterCases, runAdapterCase } = scene.packed.testing;
      const harness = {
        ...fetchHarness,
        unsupported: { ...fetchHarness.unsupported, userInformation: "it drops them" },
      };
      const reasons: (string | undefined)[] = [];
      const chosen = adapterCases.filter(({ name }) => /user (information|name)|credentials/i.test(name));
      for (const each of chosen) reasons.push(await runAdapterCase(each, harness));
      const other = adapterCases.find(({ name }) => /401/.test(name));
      const saw =
        other && (await runAdapterCase(other, harness)) === undefined ? "other cases pass" : "no other case passes";
      return { happened: `skipped: ${reasons.find((reason) => reason !== undefined) ?? "none"}`, saw };
    },
  },
  {
    situation: "the kit for adapters, and an adapter that passes URLs without the query that its client adds",
    expected: { happened: /was not retried after a 401.*pass it with the query/s, saw: "caught" },
    async run(scene) {
      const { adapterCases, runAdapterCase } = scene.packed.testing;
      const connect = ({ tokens, origins, baseURL }: ClientSetup): Client => ({
        async send({ url, query, method = "GET" }: Call) {
          const target = (to: string) => `${to}${query ? `?${new URLSearchParams(query)}` : ""}`;
          const send: typeof fetch = (to, init) => fetch(target(to instanceof Request ? to.url : String(to)), init);
          const withTokens = tokens ? scene.packed.core.createFetch(tokens, { origins, fetch: send }) : send;
          const response = await withTokens(`${baseURL}${url}`, { method });
          return { status: response.status, body: await response.text() };
        },
      });
      const about = adapterCases.find(({ name }) => name.includes("with a query"));
      const happened = about
        ? await runAdapterCase(about, { ...fetchHarness, connect }).then(String, (error: Error) => error.message)
        : "no case is about queries";
      return { happened, saw: /retried/.test(happened) ? "caught" : "missed" };
    },
  },
];

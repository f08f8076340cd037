/** Processes that end themselves before each change that they make to a disk, one after the other. */
import type { TokenStore } from "@unexpired/core";
import { describe, expect, it } from "vitest";
import type { Order } from "../fixtures/run-task.ts";
import { doOnce, Place } from "../support/sandbox.ts";

const TOGETHER = 4;

interface Death {
  readonly prepare: (place: Place) => Promise<unknown>;
  readonly order: Omit<Order, "place" | "killAt"> & { readonly keychain: "works" | "no_service" };
  readonly inspect: (place: Place) => Promise<unknown>;
}

/** Whether the process came through. */
async function dieAt(killAt: number, { prepare, order, inspect }: Death): Promise<boolean> {
  using place = new Place();
  await prepare(place);
  const { keychain, ...rest } = order;
  const told = await doOnce({ ...rest, killAt, place: { directory: place.directory, keychain } });
  expect(told?.text, `change ${killAt}`).toBeUndefined();
  await inspect(place);
  return told !== undefined;
}

/** How many changes there were. */
async function dieEverywhere(death: Death): Promise<number> {
  for (let first = 1; ; first += TOGETHER) {
    const numbers = Array.from({ length: TOGETHER }, (_, index) => first + index);
    const ended = await Promise.all(numbers.map((number) => dieAt(number, death)));
    if (ended.includes(true)) return numbers[ended.indexOf(true)] ?? 0;
  }
}

const saveOver = async (store: TokenStore) => store.save("canary-b", (await store.load())?.version);
const reasonOf = (error: { reason?: unknown }) => error.reason;

describe("a process that dies before any of its changes", { timeout: 300_000 }, () => {
  it("while it moves the session from the file leaves it to be found, once, and no plain text for long", async () => {
    const seen = new Set<string>();
    const changes = await dieEverywhere({
      prepare: (place) => place.file.save("canary-a", undefined),
      order: { keychain: "works", task: "load" },
      async inspect(place) {
        const { keychain, file } = await place.held();
        seen.add(`${keychain} ${file}`);
        const elsewhere = await place.open("no_service").load().catch(reasonOf);
        expect(elsewhere).toEqual(place.choice ? "no_service" : expect.objectContaining({ value: "canary-a" }));
        const store = place.open();
        const found = await store.load();
        expect(found?.value).toBe("canary-a");
        expect(place.plain).toEqual([]);
        expect((await place.held()).keychain).toBe(found?.value);
        const version = await store.save("canary-c", found?.version);
        expect(await store.load()).toEqual({ value: "canary-c", version });
      },
    });
    expect(changes).toBeGreaterThan(20);
    // It died between all of its steps.
    const steps = ["undefined canary-a", "canary-a canary-a", "canary-a ", "canary-a undefined"];
    expect([...seen].sort()).toEqual([...steps].sort());
  });

  it.each(["works", "no_service"] as const)(
    "of a first save (%s) leaves one place for all who come",
    async (keychain) => {
      await dieEverywhere({
        prepare: async () => undefined,
        order: { keychain, task: "save", value: "canary-a" },
        async inspect(place) {
          const other = place.open(keychain === "works" ? "no_service" : "works");
          const refusal = await saveOver(other).then(() => undefined, reasonOf);
          expect(refusal).toBeOneOf([undefined, "no_service"]);
          const store = place.open("works");
          const found = await store.load();
          const version = await store.save("canary-c", found?.version);
          expect(await store.load()).toEqual({ value: "canary-c", version });
          expect(Object.values(await place.held()).sort()).toEqual(["canary-c", undefined]);
          await store.remove();
          expect(place.outside).toEqual([]);
        },
      });
    },
  );

  it("of a removal leaves the session, or nothing, and another removal the rest", async () => {
    const seen = new Set<unknown>();
    await dieEverywhere({
      async prepare(place) {
        await place.keychain.save("canary-a", undefined);
        await place.choose({ place: "keychain", moved: await place.file.save("canary-a", undefined) });
      },
      order: { keychain: "works", task: "remove" },
      async inspect(place) {
        seen.add((await place.open().load())?.value);
        await place.open().remove();
        expect(place.outside).toEqual([]);
        expect(await place.held()).toEqual({ keychain: undefined, file: undefined });
      },
    });
    expect(seen).toEqual(new Set(["canary-a", undefined]));
  });
});

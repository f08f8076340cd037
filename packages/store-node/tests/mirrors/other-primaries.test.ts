import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { documentWith, HOUR, sessionOf, startMirrors } from "./support.ts";

const start = Date.UTC(2026, 0, 1);
const record = '{"schema":1,"obtainedAt":0,"spent":[]}';

describe("a mirrored store beside another one", () => {
  it("names its primary in the documents in the order of their names, so that one store gets all of them", async () => {
    const { a, b, openStore, primary } = startMirrors("{}", "{}");
    const order: string[] = [];
    for (const { name, notes } of [a, b]) {
      const { claim } = notes;
      notes.claim = (id) => {
        order.push(name);
        return claim(id);
      };
    }
    await openStore(primary, [b, a]).save(record, undefined);
    expect(order).toEqual(["0", "1"]);
  });

  it("writes no document if another store has just got one of them", async () => {
    const { a, b, clock, open } = startMirrors();
    a.notes.claim = async () => "another store";
    await using tokens = open();
    await tokens.signIn(sessionOf(1, clock.now() + HOUR));
    expect([a.text, b.text, b.primary]).toEqual(["{}", "{}", undefined]);
  });

  it("does not write a document that got another primary when it was to be written", async () => {
    const { b, clock, open } = startMirrors();
    let claims = 0;
    b.notes.claim = async () => {
      if (++claims === 1) throw new Error("locked");
      return "another store";
    };
    await using tokens = open();
    await tokens.signIn(sessionOf(1, clock.now() + HOUR));
    expect([claims, b.text]).toEqual([2, "{}"]);
  });

  it("adopts nothing from its documents when it saves", async () => {
    const { b, openStore, primary } = startMirrors("{}", documentWith(7, start + HOUR));
    b.primary = "another store";
    await openStore().save(record, undefined);
    expect((await primary.load())?.value).not.toContain(canary("refresh", 7));
  });

  it("leaves its documents alone when it is removed", async () => {
    const { a, b, clock, open, openStore } = startMirrors();
    await using tokens = open();
    await tokens.signIn(sessionOf(1, clock.now() + HOUR));
    b.primary = "another store";
    const theirs = b.text;
    await openStore().remove();
    expect([a.text, b.text, b.primary]).toEqual(["{}", theirs, "another store"]);
  });
});

it("takes a session out again that another process wrote while the store was removed", async () => {
  const { a, clock, open, openStore, primary } = startMirrors();
  await using tokens = open();
  await tokens.signIn(sessionOf(1, clock.now() + HOUR));
  const shown = a.text;
  const { remove } = primary;
  primary.remove = async () => {
    a.write(shown);
    return remove();
  };
  await openStore().remove();
  expect(a.text).toBe("{}");
});

it("notes a session before it is written, and still knows those that the document has shown", async () => {
  const { a, clock, open } = startMirrors();
  const shown: (readonly string[] | undefined)[] = [];
  a.onReplace = () => void shown.push(a.shown);
  await using tokens = open();
  await tokens.signIn(sessionOf(1, clock.now() + HOUR));
  const [first = ""] = a.shown ?? [];
  await tokens.refresh();
  const [second = ""] = a.shown ?? [];
  expect(shown).toEqual([[`new.${first}`], [first, `new.${second}`]]);
});

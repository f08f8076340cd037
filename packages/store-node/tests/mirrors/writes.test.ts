import type { SessionFormat } from "@unexpired/core";
import { canary } from "@unexpired-internal/test-support/canary";
import { expect, it } from "vitest";
import { HOUR, MemoryDocument, passing, sessionOf, startMirrors } from "./support.ts";

it("writes each session that is saved while the write of an earlier one ends, once that has ended", async () => {
  const { a, clock, open } = startMirrors("{}");
  const exclusively = async (update: () => Promise<void>) => {
    await update();
    await new Promise<void>((resolve) => clock.setTimer(resolve, 3_000, false)); // until the lock is released
  };
  await using tokens = open();
  Object.assign(a, { exclusively });
  await passing(clock, tokens.signIn(sessionOf(1, clock.now() + HOUR)));
  for (const number of [2, 3]) {
    await passing(clock, tokens.signIn(sessionOf(number, clock.now() + HOUR)));
    expect(a.session?.refresh).toBe(canary("refresh", number - 1));
    await clock.advance(3_000);
    expect(a.session?.refresh).toBe(canary("refresh", number));
  }
});

it("writes an empty document if a process died after it had announced the session, and before it wrote it", async () => {
  const { a, clock, open, openStore } = startMirrors("{}");
  await using killed = open();
  a.onReplace = () => Promise.reject(new Error("killed"));
  await killed.signIn(sessionOf(1, clock.now() + HOUR));
  await killed.close();
  a.onReplace = () => {};
  await openStore().load();
  expect(a.session?.refresh).toBe(canary("refresh", 1));
});

type Session = { readonly accessToken: string; readonly expiresAt?: number | undefined };

/** The format of a document that holds the access token and its expiry only. */
const partialFormat: SessionFormat = {
  key: "partial",
  parse: (text) => {
    const { tokens } = JSON.parse(text) as { tokens?: Session };
    return tokens && { tokens };
  },
  print: (session) => {
    if (!session) return "{}";
    const { accessToken, expiresAt } = session.tokens;
    return JSON.stringify({ tokens: { accessToken, expiresAt } satisfies Session });
  },
};

it("does not adopt what a process wrote that died before it had noted so, if a sign-in has replaced it", async () => {
  const { clock, open, openStore, primary } = startMirrors();
  const document = Object.assign(new MemoryDocument("partial", "{}"), { format: partialFormat });
  const { setShown } = document.notes;
  document.notes.setShown = async (marks) => {
    if (marks.some((mark) => !mark.startsWith("new."))) throw new Error("killed");
    await setShown(marks);
  };
  await using killed = open(openStore(primary, [document]));
  await killed.signIn(sessionOf(1, clock.now() + 2 * HOUR));
  await killed.close();
  document.notes.setShown = setShown;
  expect(document.text).toContain(canary("access", 1));
  await using other = open(primary); // lists no documents
  await other.signIn(sessionOf(2, clock.now() + HOUR));
  await other.close();
  const stored = await openStore(primary, [document]).load();
  expect(stored?.value).toContain(canary("access", 2));
  expect(document.text).toContain(canary("access", 2));
});

import { ConformanceError, expectThat } from "../../contract.ts";
import { shown } from "../../stores/cases/case.ts";
import { everyRendering } from "../../stores/cases/secrets.ts";
import type { FormatDocument, FormatHarness } from "../harness.ts";
import { expectSession, secretsOf, sessionsOf } from "../sessions.ts";
import {
  differenceOf,
  expectKept,
  expectResult,
  type FormatCase,
  parse,
  print,
  unreadableOf,
  VARIANTS,
} from "./case.ts";
import { neighborIn } from "./entries.ts";
import { withWatchedClock } from "./watched-clock.ts";

/** The result for a text whose entry the format cannot tell from the rest. */
const REFUSED = Symbol("refused");

/** Discards the entry of a text, as `discard` of the format does. */
const discard = ({ format }: FormatHarness, text: string): unknown => format.discard?.(text);

/** Returns what is left of each unreadable text. Texts are left out if the format cannot tell their entry from the rest. */
function discarded(harness: FormatHarness): readonly { readonly document: FormatDocument; readonly left?: string }[] {
  const [session] = sessionsOf(harness);
  return unreadableOf(harness).flatMap((document) => {
    const left = tryDiscard(harness, document.text(session));
    if (left === undefined) return [{ document }];
    if (left === REFUSED) return [];
    expectThat(
      typeof left === "string",
      "discard",
      () => `discard() of ${document.name} returned ${shown(left)} instead of a text or undefined.`,
    );
    return [{ document, left }];
  });
}

function tryDiscard(harness: FormatHarness, text: string): unknown {
  try {
    return discard(harness, text);
  } catch {
    return REFUSED;
  }
}

/** Discards the entry of a text that has parts to keep. Throws a {@link ConformanceError} unless a text is left. */
function discardEntry(
  harness: FormatHarness,
  { name, text }: { readonly name: string; readonly text: string },
): string {
  const left = expectResult("discard", `discard() of ${name}`, () => discard(harness, text));
  if (typeof left === "string") return left;
  throw new ConformanceError("discard", `discard() of ${name} returned ${shown(left)}, although there is more in it.`);
}

/** Returns the unreadable texts that have parts to keep. */
const mixedTexts = (harness: FormatHarness): readonly FormatDocument[] =>
  unreadableOf(harness).filter(({ keeps = [] }) => keeps.length > 0);

const cleared: FormatCase = {
  name: "leaves no session and no token of an unreadable entry that it discards",
  needs: ["discard", "unreadable"],
  run(harness) {
    const [session] = sessionsOf(harness);
    for (const { document, left } of discarded(harness)) {
      if (left === undefined) continue; // the whole document is replaced
      const what = `parse() of ${document.name} after discard()`;
      const found = expectResult("discard", what, () => harness.format.parse(left));
      expectThat(found === undefined, "discard", () => `${what} returned ${shown(found)} instead of undefined.`);
      const isLeft = secretsOf(session, harness).some((secret) => left.includes(secret));
      expectThat(!isLeft, "discard", `After discard(), ${document.name} still contains a token.`);
    }
  },
};

const kept: FormatCase = {
  name: "leaves everything else when it discards an unreadable entry",
  needs: ["discard", "mixed"],
  run(harness) {
    const [first, second] = sessionsOf(harness);
    for (const document of mixedTexts(harness)) {
      const { name, text } = document;
      expectKept(document, text(first), "Before the test");
      const left = discardEntry(harness, { name, text: text(first) });
      expectKept(document, left, "After discard()");
      const other = discardEntry(harness, { name, text: text(second) });
      expectThat(
        other === left,
        "discard",
        () => `discard() of ${name} with another session left ${differenceOf(left, other)}.`,
      );
    }
  },
};

const unformatted: FormatCase = {
  name: "leaves a byte order mark, the ends of lines and the final newline when it discards an unreadable entry",
  needs: ["discard", "mixed"],
  run(harness) {
    const [session] = sessionsOf(harness);
    for (const { name, text } of mixedTexts(harness)) {
      const found = text(session);
      const left = discardEntry(harness, { name, text: found });
      for (const { name: change, apply } of VARIANTS) {
        const actual = tryDiscard(harness, apply(found));
        if (typeof actual !== "string") continue; // it cannot read this variant
        expectThat(
          actual === apply(left),
          "discard",
          () => `discard() of ${name}${change} left ${differenceOf(apply(left), actual)}.`,
        );
      }
    }
  },
};

const separate: FormatCase = {
  name: "leaves the sessions of other entries alone when it discards an unreadable one",
  needs: ["discard", "mixed", "neighbors"],
  run(harness) {
    const [session] = sessionsOf(harness);
    for (const { name, text } of mixedTexts(harness)) {
      const found = text(session);
      const left = discardEntry(harness, { name, text: found });
      for (const neighbor of harness.neighbors ?? []) {
        const [before, after] = [found, left].map((each) =>
          neighborIn(neighbor, each, `parse() of another entry of ${name}`),
        );
        expectThat(after === before, "discard", `discard() of ${name} changed the session of another entry.`);
      }
    }
  },
};

const printed: FormatCase = {
  name: "prints a session where it has discarded an unreadable entry",
  needs: ["discard", "unreadable"],
  run(harness) {
    const [, session] = sessionsOf(harness);
    for (const { document, left } of discarded(harness)) {
      const { name } = document;
      const text = print(harness, { session, found: left }, `print() into ${name} after discard()`);
      const what = `parse() of ${name} after discard() and print()`;
      expectSession(harness, parse(harness, text, what), { expected: session, clause: "discard", what });
      expectKept(document, text, "After discard() and print()");
    }
  },
};

const hidden: FormatCase = {
  name: "hides tokens in the errors of discard",
  needs: ["discard", "unreadable"],
  run(harness) {
    const [session] = sessionsOf(harness);
    for (const { name, text } of [...unreadableOf(harness), ...harness.documents]) {
      try {
        discard(harness, text(session));
      } catch (error) {
        const rendered = everyRendering(error);
        const isShown = secretsOf(session, harness).some((secret) => rendered.includes(secret));
        expectThat(!isShown, "hide", `A token appears in the error of discard() about ${name}.`);
      }
    }
  },
};

const pure: FormatCase = {
  name: "discards synchronously, in the same way each time, and reads no clock",
  needs: ["discard", "unreadable"],
  run(harness) {
    const [session, other] = sessionsOf(harness);
    for (const { name, text } of unreadableOf(harness)) {
      let first: unknown;
      const isRead = withWatchedClock(() => {
        first = tryDiscard(harness, text(session));
      });
      expectThat(!isRead, "pure", `discard() of ${name} read the clock.`);
      const isPromise = typeof (Object(first) as { then?: unknown }).then === "function";
      expectThat(!isPromise, "pure", `discard() of ${name} returned a promise.`);
      tryDiscard(harness, text(other));
      const second = tryDiscard(harness, text(session));
      expectThat(String(first) === String(second), "pure", `discard() of ${name} had another result the second time.`);
    }
  },
};

export const discardingCases: readonly FormatCase[] = [cleared, kept, unformatted, separate, printed, hidden, pure];

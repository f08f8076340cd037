import type { SessionFormat } from "@unexpired/core";
import { expectThat } from "../../contract.ts";
import { shown } from "../../stores/cases/case.ts";
import { complete, createSession, expectSession, secretsOf, sessionsOf } from "../sessions.ts";
import { expectResult, type FormatCase, parse, print } from "./case.ts";

const keyed: FormatCase = {
  name: "identifies its entry by a key, which holds no token",
  needs: [],
  run(harness) {
    const [session] = sessionsOf(harness);
    const read = (): unknown => harness.format.key;
    const key = read();
    expectThat(typeof key === "string" && key !== "", "key", () => `The key is ${shown(key)}, not a string.`);
    for (const { text } of harness.documents) {
      parse(harness, text(session), "parse()");
      print(harness, { session, found: text(session) }, "print()");
    }
    expectThat(read() === key, "key", () => `The key was ${shown(key)}, and then ${shown(read())}.`);
    expectThat(
      !secretsOf(session, harness).some((secret) => key.includes(secret)),
      "hide",
      "The key contains a token.",
    );
  },
};

const distinct: FormatCase = {
  name: "has another key than the format of another entry",
  needs: ["neighbors"],
  run({ format, neighbors = [] }) {
    for (const neighbor of neighbors)
      expectThat(
        neighbor.key !== format.key,
        "key",
        () => `The format of another entry has the key ${shown(format.key)}, too.`,
      );
  },
};

/** Returns the session that the format of another entry finds in a text. */
export const neighborIn = (neighbor: SessionFormat, text: string | undefined, what: string): string => {
  const found = text === undefined ? undefined : expectResult("keep", what, () => neighbor.parse(text));
  return JSON.stringify(found && { ...complete(found), tokens: { ...found.tokens } }) ?? "";
};

const separate: FormatCase = {
  name: "leaves the sessions of other entries alone",
  needs: ["neighbors"],
  run(harness) {
    const { format, neighbors = [], precision } = harness;
    const [first, second] = sessionsOf(harness);
    for (const neighbor of neighbors) {
      for (const { name, text } of harness.documents) {
        const what = `print() of another entry into ${name}`;
        const found = print(
          { ...harness, format: neighbor },
          { session: createSession(3, precision), found: text(first) },
          what,
        );
        const own = parse(harness, found, `parse() after ${what}`);
        expectSession(harness, own, { expected: first, clause: "key", what: `parse() after ${what}` });
        const before = neighborIn(neighbor, found, what);
        for (const session of [second, undefined]) {
          const call = `print(${session ? "session" : "undefined"}, …) of ${name}`;
          const printed = expectResult("keep", call, () => format.print(session, found));
          const after = neighborIn(neighbor, printed, `parse() of another entry after ${call}`);
          expectThat(after === before, "keep", () => `${call} changed the session of another entry.`);
        }
      }
    }
  },
};

export const entryCases: readonly FormatCase[] = [keyed, distinct, separate];

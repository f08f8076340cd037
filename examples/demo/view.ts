import type { WriteStream } from "node:tty";
import { styleText } from "node:util";
import { count, plural, problems, type Snapshot, summarize } from "./outcome.ts";
import { shownState, table } from "./table.ts";

/** Shows a run to the user. */
export interface View {
  /** Reports an event. */
  tell(text: string): void;
  /** Shows the current state. */
  show(snapshot: Snapshot): void;
  /** Shows the final state. */
  end(snapshot: Snapshot): void;
}

const EVENTS_SHOWN = 6;
const HIDE_CURSOR = "\x1b[?25l";
const SHOW_CURSOR = "\x1b[?25h";

/** Creates a live table if `out` is a terminal of sufficient size, and otherwise prints plain lines. */
export function createView(out: WriteStream, processes: number): View {
  const fits = out.columns >= 72 && out.rows > processes + EVENTS_SHOWN + 9;
  return out.isTTY && process.env.TERM !== "dumb" && fits ? liveView(out) : plainView(out);
}

/** Prints one line per event, and one per second. */
function plainView(out: WriteStream): View {
  let second = 0;
  let latest = 0;
  const line = (text: string) => out.write(`${latest.toFixed(1).padStart(6)} s  ${text}\n`);
  return {
    tell: line,
    show(snapshot) {
      latest = snapshot.elapsed;
      if (Math.floor(latest) <= second) return;
      second = Math.floor(latest);
      line(`${totals(snapshot)}; ${states(snapshot)}`);
    },
    end: (snapshot) => void out.write(`\n${closing(snapshot, out)}\n`),
  };
}

/** Redraws the same lines in place. */
function liveView(out: WriteStream): View {
  const events: string[] = [];
  let height = 0;
  process.once("exit", () => out.write(SHOW_CURSOR));
  const draw = (lines: readonly string[]) => {
    const up = height > 0 ? `\x1b[${height}A` : HIDE_CURSOR;
    out.write(`${up}${lines.map((text) => `${text}\x1b[K\n`).join("")}\x1b[J`);
    height = lines.length;
  };
  return {
    tell(text) {
      events.push(text);
      if (height === 0) out.write(`${text}\n`);
    },
    show(snapshot) {
      const recent = events.slice(-EVENTS_SHOWN).map((text) => dim(`  ${text}`.slice(0, out.columns - 1), out));
      draw(["", ...heading(snapshot, out), "", ...table(snapshot, out), "", `  ${totals(snapshot)}`, "", ...recent]);
    },
    end(snapshot) {
      draw(["", ...closing(snapshot, out).split("\n"), ""]);
    },
  };
}

const dim = (text: string, stream: WriteStream): string => styleText("dim", text, { stream });

function heading({ options, elapsed }: Snapshot, stream: WriteStream): string[] {
  const how = options.mode === "naive" ? "hand-written code" : "Unexpired";
  const time = `${Math.min(elapsed, options.seconds).toFixed(1)} of ${options.seconds} s`;
  return [`  ${styleText("bold", how, { stream })}: one session with single-use refresh tokens   ${dim(time, stream)}`];
}

function totals(snapshot: Snapshot): string {
  const { requests, failedRequests, exchanges, revokedGrants } = summarize(snapshot);
  const parts = [plural(requests, "request"), `${count(failedRequests)} failed`, plural(exchanges, "token exchange")];
  return [...parts, `${plural(revokedGrants, "grant")} revoked`].join(", ");
}

/** `7 valid, 1 killed` */
function states({ members }: Snapshot): string {
  const counts = new Map<string, number>();
  for (const member of members) counts.set(shownState(member), (counts.get(shownState(member)) ?? 0) + 1);
  return [...counts].map(([state, number]) => `${number} ${state}`).join(", ");
}

/** Formats the table and the verdict. */
function closing(snapshot: Snapshot, stream: WriteStream): string {
  const wrong = problems(snapshot);
  const verdict =
    wrong.length === 0
      ? styleText("green", `Passed: ${success(snapshot)}`, { stream })
      : styleText("red", `Failed: ${wrong.join("; ")}.`, { stream });
  return [...table(snapshot, stream), "", verdict, ...explanation(snapshot)].join("\n");
}

function success(snapshot: Snapshot): string {
  const { processes, requests, exchanges } = summarize(snapshot);
  const killed = snapshot.members.some((member) => member.end === "killed") ? ", one of them killed and replaced" : "";
  return [
    `${plural(processes, "process", "processes")}${killed}`,
    `${plural(requests, "request")}, none failed`,
    `${plural(exchanges, "token exchange")}, no grant revoked.`,
  ].join("; ");
}

function explanation({ options, revokedGrants }: Snapshot): string[] {
  if (options.mode !== "naive" || revokedGrants === 0) return [];
  return [
    "Why: several processes found the token expired, and each sent the same refresh token. It works only once: the " +
      "server treated the second use as theft and revoked the grant (RFC 9700, section 4.14.2). Every request fails " +
      "until the user signs in again. Without --naive, one process refreshes, and all of them use its tokens.",
  ];
}

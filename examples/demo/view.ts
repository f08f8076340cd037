import type { WriteStream } from "node:tty";
import { stripVTControlCharacters, styleText } from "node:util";
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
/** A line that wraps would take more lines than the frame has, and the next frame would leave a part of this one. */
const NO_WRAP = "\x1b[?7l";
const WRAP = "\x1b[?7h";

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

/** Redraws the same lines in place. The first frame replaces the events before it. */
export function liveView(out: WriteStream): View {
  const events: string[] = [];
  let height = 0;
  let isDrawn = false;
  process.once("exit", () => out.write(SHOW_CURSOR));
  const draw = (lines: readonly string[]) => {
    const up = height > 0 ? `\x1b[${height}A` : "";
    const frame = lines.map((text) => `${text}\x1b[K\n`).join("");
    out.write(`${HIDE_CURSOR}${NO_WRAP}${up}${frame}\x1b[J${WRAP}`);
    height = lines.length;
    isDrawn = true;
  };
  return {
    tell(text) {
      events.push(text);
      if (isDrawn) return;
      out.write(`${NO_WRAP}${text}${WRAP}\n`);
      height++;
    },
    show(snapshot) {
      const recent = events.slice(-EVENTS_SHOWN).map((text) => dim(`  ${text}`, out));
      draw(["", ...heading(snapshot, out), "", ...table(snapshot, out), "", `  ${totals(snapshot)}`, "", ...recent]);
    },
    end(snapshot) {
      const lines = closing(snapshot, out).split("\n");
      draw(["", ...lines.flatMap((line) => wrap(line, out.columns)), ""]);
    },
  };
}

/** Breaks a line that is longer than the terminal is wide between words. */
const wrap = (line: string, columns: number): string[] =>
  stripVTControlCharacters(line).length <= columns
    ? [line]
    : (line.match(new RegExp(`\\S.{0,${columns - 2}}(?= |$)`, "g")) ?? [line]);

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

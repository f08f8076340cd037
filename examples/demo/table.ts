import type { WriteStream } from "node:tty";
import { styleText } from "node:util";
import type { Member } from "./fleet.ts";
import { count, type Snapshot, sum } from "./outcome.ts";

type ShownState = Member["status"] | "killed" | "crashed";

const COLORS: Record<ShownState, "green" | "yellow" | "cyan" | "red" | "dim"> = {
  starting: "dim",
  valid: "green",
  "near-expiry": "yellow",
  refreshing: "cyan",
  dead: "red",
  killed: "red",
  crashed: "red",
};

/** The status of a process, or how it ended. */
export const shownState = ({ end, status }: Member): ShownState => (end && end !== "stopped" ? end : status);

/** Formats a line per process and a line of totals, in which the server counted the exchanges. */
export function table(snapshot: Snapshot, stream: WriteStream): string[] {
  const { members, exchanges } = snapshot;
  const header = cells(["process", "pid", "client", "state", "requests", "failed", "exchanges"]);
  const total = ["all", "", "", "", count(sum(members, "requests")), count(sum(members, "failed")), count(exchanges)];
  const dim = (text: string) => styleText("dim", text, { stream });
  return [dim(header), ...members.map((member) => row(member, stream)), cells(total)];
}

function row(member: Member, stream: WriteStream): string {
  const { number, pid, client, requests, failed, exchanges } = member;
  const state = shownState(member);
  const line = cells([number, pid, client, state, count(requests), count(failed), count(exchanges)]);
  return line.replace(state, styleText(COLORS[state], state, { stream }));
}

const WIDTHS = [9, 9, 9, 12, -8, -9, -12];

/** Formats a row. Negative widths align to the right. */
const cells = (texts: readonly (string | number)[]): string =>
  `  ${WIDTHS.map((width, column) => {
    const text = String(texts[column]);
    return width < 0 ? text.padStart(-width) : text.padEnd(width);
  }).join("")}`;

import type { WriteStream } from "node:tty";
import { styleText } from "node:util";
import type { Member } from "./fleet.ts";
import { count, type Snapshot, sum } from "./outcome.ts";

type Shown = Member["status"] | "killed" | "crashed";

const COLORS: Record<Shown, "green" | "yellow" | "cyan" | "red" | "dim"> = {
  starting: "dim",
  valid: "green",
  "near-expiry": "yellow",
  refreshing: "cyan",
  dead: "red",
  killed: "red",
  crashed: "red",
};

/** How a process is, or how it ended. */
export const shown = ({ end, status }: Member): Shown => (end && end !== "stopped" ? end : status);

/** A line per process and one for all of them. The exchanges of all are those that the server counted. */
export function table(snapshot: Snapshot, stream: WriteStream): string[] {
  const { members, exchanges } = snapshot;
  const header = cells(["process", "pid", "client", "state", "requests", "failed", "exchanges"]);
  const total = ["all", "", "", "", count(sum(members, "requests")), count(sum(members, "failed")), count(exchanges)];
  const dim = (text: string) => styleText("dim", text, { stream });
  return [dim(header), ...members.map((member) => row(member, stream)), cells(total)];
}

function row(member: Member, stream: WriteStream): string {
  const { number, pid, client, requests, failed, exchanges } = member;
  const state = shown(member);
  const line = cells([number, pid, client, state, count(requests), count(failed), count(exchanges)]);
  return line.replace(state, styleText(COLORS[state], state, { stream }));
}

const WIDTHS = [9, 9, 9, 12, -8, -9, -12];

/** Negative widths align to the right. */
const cells = (texts: readonly (string | number)[]): string =>
  `  ${WIDTHS.map((width, column) => {
    const text = String(texts[column]);
    return width < 0 ? text.padStart(-width) : text.padEnd(width);
  }).join("")}`;

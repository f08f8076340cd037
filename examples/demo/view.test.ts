import { Writable } from "node:stream";
import type { WriteStream } from "node:tty";
import { expect, it } from "vitest";
import type { Member } from "./fleet.ts";
import type { Snapshot } from "./outcome.ts";
import { createView } from "./view.ts";

const members: Member[] = [
  { number: 1, client: "axios", pid: 101, status: "valid", requests: 1200, failed: 0, exchanges: 2, end: "killed" },
  { number: 2, client: "got", pid: 102, status: "refreshing", requests: 50, failed: 0, exchanges: 1 },
];

const at = (elapsed: number): Snapshot => ({
  options: { mode: "unexpired", json: false, seconds: 2, processes: 2 },
  elapsed,
  members,
  exchanges: 2,
  revokedGrants: 0,
});

function output(terminal: { isTTY?: boolean; columns?: number; rows?: number }) {
  const chunks: string[] = [];
  const write = (chunk: Buffer, _encoding: string, done: () => void) => {
    chunks.push(chunk.toString());
    done();
  };
  const stream = Object.assign(new Writable({ write }), terminal) as unknown as WriteStream;
  return { stream, text: () => chunks.join("") };
}

const upBy = (text: string): string[] => text.split("\x1b[").flatMap((part) => /^\d+(?=A)/.exec(part) ?? []);

it("prints a line per second and per event without a terminal", () => {
  const { stream, text } = output({});
  const view = createView(stream, 2);
  view.tell("2 processes are starting");
  for (const elapsed of [0.1, 0.9, 1.02, 1.5]) view.show(at(elapsed));
  expect(text().split("\n")).toEqual([
    "   0.0 s  2 processes are starting",
    "   1.0 s  1,250 requests, 0 failed, 2 token exchanges, 0 grants revoked; 1 killed, 1 refreshing",
    "",
  ]);
});

/** The part of a terminal that the live view uses. */
class Screen {
  lines: string[] = [];
  #row = 0;
  #column = 0;
  #wraps = true;
  readonly #columns: number;
  readonly #commands: Record<string, (number: string) => void> = {
    A: (number) => {
      this.#row -= Number(number);
    },
    J: () => this.lines.splice(this.#row),
    K: () => {
      this.lines[this.#row] = this.#line.slice(0, this.#column);
    },
    h: (number) => {
      this.#wraps ||= number === "?7";
    },
    l: (number) => {
      this.#wraps &&= number !== "?7";
    },
    m: () => {},
  };

  constructor(columns: number, text: string) {
    this.#columns = columns;
    for (const [index, part] of text.split("\x1b[").entries()) {
      const [, number = "", command = "m", printed] = (index > 0 && /^([?\d]*)([A-Za-z])(.*)$/s.exec(part)) || [];
      this.#commands[command]?.(number);
      for (const character of printed ?? part) this.#print(character);
    }
  }

  get #line(): string {
    return this.lines[this.#row] ?? "";
  }

  #print(character: string): void {
    const isFull = this.#column === this.#columns;
    if (character === "\n" || (isFull && this.#wraps)) {
      this.#row++;
      this.#column = 0;
    } else if (isFull) this.#column--;
    if (character === "\n") return;
    this.lines[this.#row] = `${this.#line.slice(0, this.#column)}${character}${this.#line.slice(++this.#column)}`;
  }
}

it.each([72, 80, 200])(
  "leaves only the result on a terminal with %d columns, and no line of an earlier frame",
  (columns) => {
    const { stream, text } = output({ isTTY: true, columns, rows: 24 });
    const view = createView(stream, 2);
    const run: Snapshot = {
      ...at(2),
      options: { mode: "naive", json: false, seconds: 3600, processes: 2 },
      revokedGrants: 1,
    };
    view.tell("2 processes are starting");
    view.tell(`process 2 (got): a request failed: ${"because ".repeat(50)}`);
    for (const elapsed of [1000, 2000]) view.show({ ...run, elapsed });
    expect(new Screen(columns, text()).lines.filter((line) => /single-use|are starting/.test(line))).toHaveLength(2);
    view.tell("process 1 was killed (SIGKILL)");
    view.show({ ...run, elapsed: 3000 });
    view.end(run);
    const left = new Screen(columns, text()).lines.filter((line) => line.trim());
    expect(left[0]).toMatch(/^ {2}process/);
    expect(left.slice(1).join(" ")).toMatch(
      /^ {2}1 .* {2}2 .* {2}all .* Failed: the server revoked 1 grant\. Why: .* tokens\.$/,
    );
    expect(new Set(left).size).toBe(left.length);
  },
);

it("redraws over its previous output on a terminal", () => {
  const { stream, text } = output({ isTTY: true, columns: 80, rows: 24 });
  const view = createView(stream, 2);
  view.show(at(0.1));
  view.tell("process 1 was killed (SIGKILL)");
  view.show(at(0.2));
  view.end(at(2));
  const heights = text()
    .split("\x1b[J")
    .map((frame) => frame.split("\n").length - 1);
  expect(upBy(text())).toEqual([String(heights[0]), String(heights[1])]);
  expect(text()).toContain("process 1 was killed (SIGKILL)");
});

it.each([
  ["too few rows", { isTTY: true, columns: 80, rows: 16 }],
  ["too few columns", { isTTY: true, columns: 60, rows: 50 }],
])("prints plain lines on a terminal with %s", (_name, terminal) => {
  const { stream, text } = output(terminal);
  createView(stream, 2).show(at(1));
  expect(text()).toMatch(/^ {3}1\.0 s {2}1,250 requests/);
});

it("ends with a table and a verdict", () => {
  const { stream, text } = output({});
  createView(stream, 2).end({ ...at(2), exchanges: 3 });
  expect(text()).toMatch(/^ {2}1 +101 +axios +killed +1,200 +0 +2$/m);
  expect(text()).toMatch(/^ {2}all +1,250 +0 +3$/m);
  expect(text()).toMatch(/^Failed: 3 token exchanges instead of at most 2\.$/m);
});

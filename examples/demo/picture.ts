/** The picture of the demo in the README: a recorded run, drawn by the demo's own view. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Writable } from "node:stream";
import type { WriteStream } from "node:tty";
import type { Snapshot } from "./outcome.ts";
import { toSvg } from "./svg.ts";
import { liveView, type View } from "./view.ts";

/** One call of a {@link View} during a run: the name of the method and its argument. */
export type Step = readonly ["tell", string] | readonly ["show" | "end", Snapshot];

const COLUMNS = 80;
const CLEAR_BELOW = "\x1b[J"; // ends each frame

export const RECORDING = join(import.meta.dirname, "recording.jsonl");
export const PICTURE = join(import.meta.dirname, "../../docs/demo.svg");

/** Draws the recorded run. */
export function draw(): string {
  const frames: string[] = [];
  const view = liveView(terminal((text) => text.includes(CLEAR_BELOW) && frames.push(text)));
  for (const line of readFileSync(RECORDING, "utf8").trim().split("\n")) play(view, JSON.parse(line));
  const title =
    "The demo: eight processes share one session, one of them is killed and replaced, and no request fails.";
  return toSvg(frames, { columns: COLUMNS, title });
}

function play(view: View, [method, given]: Step): void {
  if (method === "tell") view.tell(given);
  else view[method](given);
}

/** A terminal that passes on what is written to it. */
function terminal(onWrite: (text: string) => unknown): WriteStream {
  const write = (chunk: Buffer, _encoding: string, done: () => void) => {
    onWrite(chunk.toString());
    done();
  };
  const properties = { isTTY: true, columns: COLUMNS, getColorDepth: () => 8 };
  return Object.assign(new Writable({ write }), properties) as unknown as WriteStream;
}

/** Runs the demo, and records it for the picture in the README. */
import { writeFileSync } from "node:fs";
import { runDemo } from "./demo.ts";
import { problems } from "./outcome.ts";
import { RECORDING, type Step } from "./picture.ts";
import type { View } from "./view.ts";

/** When the picture shows the run, in seconds: also just after a process was killed. */
const times = [2, 6, 9, 10.5, 14, 18];
const steps: Step[] = [];
const view: View = {
  tell: (text) => void steps.push(["tell", text]),
  show(snapshot) {
    if (snapshot.elapsed < (times[0] ?? Number.POSITIVE_INFINITY)) return;
    times.shift();
    steps.push(["show", snapshot]);
  },
  end: (snapshot) => void steps.push(["end", snapshot]),
};
const outcome = await runDemo({ mode: "unexpired", json: false, seconds: 20, processes: 8 }, view);
view.end(outcome);
const wrong = problems(outcome);
if (wrong.length > 0) throw new Error(`The run was not recorded: ${wrong.join("; ")}.`);
writeFileSync(RECORDING, steps.map((step) => `${JSON.stringify(step)}\n`).join(""));

/** Kills, stops and starves real processes that share a session, and checks the invariants. */
import { availableParallelism } from "node:os";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { type FaultPoint, hasStop } from "./expectations.ts";
import { FAULT_POINTS } from "./fault-points.ts";
import { parseOptions } from "./options.ts";
import { seeded } from "./random.ts";
import { playRound, type RoundResult } from "./round.ts";
import { canMount } from "./scene.ts";
import { table } from "./table.ts";

const LONG_PAUSE = 1_000; // the shortest timeout of a process is four times that
const MAX_REPETITIONS = 2;

interface Round {
  readonly point: FaultPoint;
  readonly repetition: number;
}

const options = parseOptions(process.argv.slice(2));
const possible = canMount() ? FAULT_POINTS : FAULT_POINTS.filter(({ fault }) => fault !== "fill-disk");
const exact = possible.filter(({ name }) => name === options.point);
const chosen = exact.length > 0 ? exact : possible.filter(({ name }) => name.includes(options.point ?? ""));
if (chosen.length === 0)
  throw new Error(`There is no fault point whose name contains "${options.point}". Run with --list to see all names.`);

if (options.list) for (const { name } of chosen) console.log(name);
else process.exitCode = report(await playAll(schedule(chosen, options.rounds)));

/** Orders the rounds by the seed, long ones first: while their processes are stopped, they need no CPU. */
function schedule(points: readonly FaultPoint[], rounds: number): Round[] {
  const rank = new Map(points.map((point) => [point, seeded(`${options.seed} ${point.name}`)()]));
  const inTurn = points.toSorted((a, b) => (rank.get(a) ?? 0) - (rank.get(b) ?? 0));
  const all = Array.from({ length: Math.ceil(rounds / inTurn.length) }, (_, repetition) =>
    inTurn.map((point) => ({ point, repetition })),
  ).flat();
  const isLong = ({ point }: Round) => hasStop(point);
  const chosenRounds = all.slice(0, rounds);
  return [...chosenRounds.filter(isLong), ...chosenRounds.filter((round) => !isLong(round))];
}

async function playAll(rounds: Round[]): Promise<RoundResult[]> {
  const results: RoundResult[] = [];
  const queue = rounds.values();
  const lane = async () => {
    for (const round of queue) results.push(await play(round));
  };
  await Promise.all(Array.from({ length: availableParallelism() + 1 }, lane));
  return results;
}

async function play({ point, repetition }: Round): Promise<RoundResult> {
  const result = await playWithoutPause(() =>
    playRound(point, repetition, seeded(`${options.seed} ${point.name} ${repetition}`)),
  );
  if (result.violations.length > 0) {
    console.log(`VIOLATED at ${point.name}:\n${result.violations.map((each) => `  - ${each}`).join("\n")}`);
    console.log(result.log);
    const again = `pnpm inject-faults --seed ${options.seed} --point ${point.name} --rounds ${repetition + 1}`;
    console.log(`To repeat it: ${again}\n`);
  }
  return result;
}

/**
 * Plays a round. If it violates an invariant, but this process, which contains the servers, could not run for so long that
 * their clients may have timed out, the round shows nothing, and is played again.
 */
async function playWithoutPause(round: () => Promise<RoundResult>): Promise<RoundResult> {
  for (let repetitions = 0; ; repetitions++) {
    const delay = monitorEventLoopDelay({ resolution: 100 });
    delay.enable();
    const result = await round();
    delay.disable();
    const pause = Math.round(delay.max / 1e6);
    if (result.violations.length === 0 || pause < LONG_PAUSE || repetitions === MAX_REPETITIONS) return result;
    console.log(
      `Repeated ${result.point.name}: ${result.violations.join("; ")}, after a pause of the machine of ${pause} ms.`,
    );
  }
}

function report(results: readonly RoundResult[]): number {
  if (possible.length < FAULT_POINTS.length)
    console.log("Skipped fill-disk, because this process cannot mount a file system.");
  console.log(table(results));
  const violations = results.flatMap((result) => result.violations);
  console.log(`\n${results.length} rounds, ${violations.length} violations (seed ${options.seed})`);
  return violations.length > 0 ? 1 : 0;
}

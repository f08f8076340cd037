import { UnexpiredError } from "@unexpired/core";
import type { Program } from "./program.ts";
import type { World } from "./world.ts";

const TRIES = 8;
const PATIENCE = 30_000;
const SETTLING = 100_000; // a slow call that is still under way, a lease of 40 s, an exchange of 30 s

/** P15: with all faults over, every caller is served, and everyone who asks now gets a token, or has to sign in. */
export async function checkLiveness(
  world: World,
  programs: readonly Program[],
  pass: (span: number) => Promise<void>,
): Promise<void> {
  world.note("", "--- no more faults");
  await pass(SETTLING);
  world.promises.callers.checkEnd();
  const open = programs.filter(({ isClosed, process }) => !isClosed && process.state !== "dead");
  for (const program of open) {
    if (!world.promises.violation) await serve(world, program, pass);
  }
}

async function serve(world: World, program: Program, pass: (span: number) => Promise<void>): Promise<void> {
  const { process } = program;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    let isServed = false;
    process.later("ask in the end", () => {
      void askUntilAccepted(world, program).then((served) => {
        isServed = served;
      });
    });
    await pass(PATIENCE);
    if (world.promises.violation) return;
    world.promises.callers.checkEnd();
    if (isServed) return;
  }
  const text = program.error instanceof Error ? program.error.message : "tokens that the API refuses";
  world.promises.break("P15", `nothing fails any more, and ${process.name} still gets: ${text}`);
}

async function askUntilAccepted(world: World, program: Program): Promise<boolean> {
  const given = await program.get();
  if (given === undefined) return isExcused(world, program);
  if (world.server.accepts(given)) return true;
  const replaced = await program.replace(given);
  return replaced === undefined ? isExcused(world, program) : world.server.accepts(replaced);
}

const isExcused = (world: World, program: Program): boolean => isTorn(world, program) || mustSignIn(world, program);

/** P7: a session file that holds no JSON is an error that names it, and stays as it is. */
function isTorn(world: World, { error }: Program): boolean {
  return world.isTorn && UnexpiredError.is(error) && error.code === "STORE_UNREADABLE";
}

/** A sign-in is required of this program only where the record says so, or it belongs to another account. */
function mustSignIn(world: World, { error, process }: Program): boolean {
  if (!UnexpiredError.is(error) || error.code !== "SIGN_IN_REQUIRED") return false;
  const { records, exchanges } = world.promises;
  const record = records.current;
  const isJudged = exchanges.wasJudged(records.digestOf(record)) || world.options.afterLoss === "sign-in";
  const isOver = !record || record.dead !== undefined || isJudged || error.reason === "account_changed";
  world.promises.require(
    isOver,
    "P15",
    () => `${process.name} is told to sign in (${error.reason}), and the session is alive`,
  );
  return true;
}

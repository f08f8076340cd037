import type { Program } from "./program.ts";
import type { Random } from "./random.ts";
import { drawUser } from "./users.ts";

type Act = (program: Program) => unknown;

const get: Act = (program) => program.get();
const replace: Act = (program) => (program.given ? program.replace(program.given) : program.get());
const impatient =
  (patience: number): Act =>
  (program) =>
    program.getImpatiently(patience);

/** The actions of programs; an action's probability is its share of this list. */
const ACTIONS: readonly Act[] = [
  ...Array.from({ length: 18 }, () => get),
  impatient(1),
  impatient(10),
  impatient(1_000),
  replace,
  replace,
  replace,
  replace,
  (program) => program.refresh(),
  (program) => program.refresh(),
  (program) => program.refresh(),
  (program) => program.signIn("A"),
  (program) => program.signIn("B"),
  (program) => program.signIn("B"),
  (program) => program.adopt(),
  (program) => program.signOut(),
  (program) => program.signOut(),
  (program) => program.signOut(),
  (program) => program.signOutDuringRefresh(),
  (program) => program.close(),
  (program) => program.close(),
];

/** Draws the next action of a program. */
export const actionOf = (random: Random): ((program: Program) => void) => {
  const act = random.pick("action", ACTIONS);
  return (program) => void act(program);
};

/** Draws the next action of a program in a world that has users: it signs in with a flow, or signs out. */
export const userActionOf = (random: Random): ((program: Program) => void) => {
  const isSignOut = random.choose("user", 5) === 4;
  const user = drawUser(random);
  return (program) => void (isSignOut ? program.signOut() : program.signInWith(user));
};

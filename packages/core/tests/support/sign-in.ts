import { memoryStore, type SignInFlow, type TokenManagerOptions, type TokenStore } from "../../src/index.ts";
import { gate } from "./interference.ts";
import { startSession } from "./session.ts";

export const HOUR = 3_600_000;
export const LEASE = 300_000;
/** A flow that must not run. */
export const own = (): never => {
  throw new Error("this flow must not run");
};

/** A flow that the test ends. */
export function prompt() {
  const { promise, open } = gate<Awaited<ReturnType<SignInFlow>> | Error>();
  let signal: AbortSignal | undefined;
  const started = gate<void>();
  const flow: SignInFlow = async (context) => {
    signal = context.signal;
    started.open();
    const result = await promise;
    if (result instanceof Error) throw result;
    return result;
  };
  return { flow, started: started.promise, end: open, signal: () => signal };
}

/** Managers over one store, each of which stands for a process: `processes` tells what has become of them. */
export function startProcesses(options: TokenManagerOptions = {}) {
  const inner = options.store ?? memoryStore();
  const processes: Record<string, "alive" | "gone" | "unknown"> = {};
  const session = startSession({ ...options, store: inner });
  const open = (id: string, more: TokenManagerOptions = {}) => {
    processes[id] = "alive";
    const holder = { id, statusOf: async (other: string) => processes[other] ?? "unknown" };
    const load: TokenStore["load"] = () => inner.load(); // a test may replace the methods of the shared store
    const save: TokenStore["save"] = (value, expected) => inner.save(value, expected);
    return session.open({ store: { ...inner, load, save, holder } satisfies TokenStore, ...more });
  };
  return { ...session, processes, open };
}

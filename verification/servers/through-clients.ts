/** Sends the same request through several clients, and shows one result if they agree. */
import { ALL, type ClientName, type ClientRequest, type ClientSetup, connect, type Send } from "./clients.ts";
import { describeError, statusOf } from "./describe.ts";
import type { Packed } from "./packed.ts";
import type { Row, Shown } from "./row.ts";
import type { Scene, Session, SessionOptions } from "./scene.ts";
import { inTime } from "./until.ts";

/** The outcome of a request through a client: its status, or the error of the library that the client's error is or wraps. */
export async function outcomeOf(packed: Packed, call: Promise<number>): Promise<string> {
  const result = call.then(String, (error: unknown) => {
    const own = packed.core.authErrorOf(error);
    return own ? describeError(own) : String(statusOf(error) ?? describeError(error));
  });
  return inTime(result);
}

/** Runs a function for each client, and returns its result once if all have the same. */
export async function onEach(
  names: readonly ClientName[],
  run: (name: ClientName) => Promise<string>,
): Promise<string> {
  const results: [ClientName, string][] = [];
  for (const name of names) results.push([name, await run(name)]);
  const [first = ""] = results.map(([, result]) => result);
  if (results.every(([, result]) => result === first)) return `${first} (${namesOf(names)})`;
  return results.map(([name, result]) => `${name}: ${result}`).join("; ");
}

const namesOf = (names: readonly ClientName[]): string => (names.length === ALL.length ? "all four" : names.join(", "));

/** A client with a session of its own. */
export interface Connected {
  readonly name: ClientName;
  readonly scene: Scene;
  readonly session: Session;
  /** Sends a request, to the API by default, and resolves to its outcome. */
  send(request?: Partial<ClientRequest>): Promise<string>;
  /** The same with another client of the same session. */
  sendWith(setup: Partial<ClientSetup>, request?: Partial<ClientRequest>): Promise<string>;
}

/** A row about clients. */
export interface ClientRow {
  readonly situation: string;
  readonly expected: Row["expected"];
  /** Default: all four. */
  readonly clients?: readonly ClientName[];
  /** Default: the access token is usable. */
  readonly session?: SessionOptions;
  run(client: Connected): Promise<string>;
}

/** Creates a row that shows the tokens that the API received, and the outcome for the caller, for each client. */
export const clientRow = ({ clients = ALL, session, run, ...row }: ClientRow): Row => ({
  ...row,
  async run(scene): Promise<Shown> {
    const sent = new Map<ClientName, string>();
    const saw = await onEach(clients, async (name) => {
      scene.api.received.length = 0;
      const own = await scene.session({ isUsable: true, ...session });
      const result = await run(connected(scene, name, own));
      sent.set(name, `${tokensSent(scene)}; ${own.server.exchanges}`);
      return result;
    });
    return { happened: await onEach(clients, async (name) => sent.get(name) ?? ""), saw };
  },
});

function connected(scene: Scene, name: ClientName, session: Session): Connected {
  const { origin } = scene.api;
  const sendWith: Connected["sendWith"] = (setup, request) => {
    const attempt = async () => {
      const client: Send = connect(name, scene.packed, { tokens: session.tokens, origins: [origin], ...setup });
      return client({ url: `${origin}/`, ...request });
    };
    return outcomeOf(scene.packed, attempt());
  };
  return { name, scene, session, send: (request) => sendWith({}, request), sendWith };
}

/** The tokens of the requests that the API received, by number. */
function tokensSent({ api }: Scene): string {
  const sent = api.received.map(
    ({ authorization }) => authorization?.replace(/^Bearer canary-access-/, "token ") ?? "no token",
  );
  const isMany = sent.length > 9 && new Set(sent).size === 1;
  if (isMany) return `${sent[0]}, ${sent.length} times`;
  return sent.length === 0 ? "nothing sent" : sent.join(", ");
}

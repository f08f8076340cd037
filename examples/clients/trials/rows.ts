/** A table for each thing that can happen to a request, with a row for each client. */
import { isAuthError } from "@unexpired/core";
import type { Expected, Group, Row, Shown } from "@unexpired-internal/tables/row";
import { type Client, type Driver, drivers } from "./drivers.ts";
import type { Place } from "./place.ts";

interface Trial {
  readonly title: string;
  readonly expected: Expected;
  /** Whether it is about a stream, which not every client has. */
  readonly isStream?: boolean;
  run(client: Client, place: Place): Promise<string>;
}

const request = (client: Client) => client.request(new AbortController().signal);

/** Yields the texts of a stream that are not empty. */
async function* textsOf({ stream }: Client, signal: AbortSignal): AsyncGenerator<string> {
  for await (const text of stream?.(signal) ?? []) if (text !== "") yield text;
}

async function readAll(client: Client): Promise<string> {
  let read = "";
  for await (const text of textsOf(client, new AbortController().signal)) read += text;
  return read;
}

/** Starts or aborts a call, and describes how it ends, which is expected to be an error, and after how long. */
async function ending(start: () => Promise<unknown>, place: Place): Promise<string> {
  const began = performance.now();
  const end = await start().then(
    (value) => describeResult(value),
    (error: unknown) => `${nameOf(error)}${isAuthError(error) ? ", isAuthError" : ""}${place.leakOf(error)}`,
  );
  return `${end}, in ${Math.ceil(performance.now() - began)} ms`;
}

/** The streams of some clients end without an error if they are aborted. */
const describeResult = (value: unknown) => (Object(value).done === true ? "no error" : `NOT REJECTED: ${value}`);

/** Some clients give all of their errors the name "Error". */
const nameOf = (error: unknown): string => {
  const { name } = Object(error) as Partial<Error>;
  return name === undefined || name === "Error" ? Object(error).constructor.name : name;
};

/** Aborts a call, and describes how it ends. */
function abort(controller: AbortController, call: Promise<unknown>, place: Place): Promise<string> {
  const start = () => {
    controller.abort();
    return call;
  };
  return ending(start, place);
}

const ABORTED = String.raw`(\w+|no error), in \d{1,4} ms`;
const SIGNED_OUT = /^\w+, isAuthError, in \d{1,4} ms, 1 attempt$/;

/** Describes how a call without a session ends. A client that retries makes more than one attempt. */
async function signedOut(send: () => Promise<unknown>, place: Place): Promise<string> {
  const before = place.calls;
  const end = await ending(send, place);
  const attempts = place.calls - before;
  return `${end}, ${attempts} ${attempts === 1 ? "attempt" : "attempts"}`;
}

const trials: readonly Trial[] = [
  {
    title: "renewed after a 401",
    expected: { happened: /^token 1, token 2; 1 exchange$/, saw: /^hello$/ },
    async run(client, place) {
      place.rejectToken();
      return request(client);
    },
  },
  {
    title: "streamed",
    expected: { happened: /^token 1; 0 exchanges$/, saw: /^one two$/ },
    isStream: true,
    run: readAll,
  },
  {
    title: "streamed after a 401",
    expected: { happened: /^token 1, token 2; 1 exchange$/, saw: /^one two$/ },
    isStream: true,
    async run(client, place) {
      place.rejectToken();
      return readAll(client);
    },
  },
  {
    title: "aborted before the response",
    expected: {
      happened: /^token 1, token 1; 0 exchanges$/,
      saw: new RegExp(`^${ABORTED}, connection closed, then hello$`),
    },
    async run(client, place) {
      const controller = new AbortController();
      const arrived = place.api.stopAt("before the response");
      const call = client.request(controller.signal);
      await arrived;
      const saw = await abort(controller, call, place);
      await place.api.connectionClosed;
      return `${saw}, connection closed, then ${await request(client)}`;
    },
  },
  {
    title: "aborted in the stream",
    expected: {
      happened: /^token 1, token 1; 0 exchanges$/,
      saw: new RegExp(`^one and ${ABORTED}, connection closed, then hello$`),
    },
    isStream: true,
    async run(client, place) {
      const controller = new AbortController();
      const arrived = place.api.stopAt("in the stream");
      const parts = textsOf(client, controller.signal);
      const { value: first } = await parts.next();
      await arrived;
      const saw = await abort(controller, parts.next(), place);
      await place.api.connectionClosed;
      return `${first}and ${saw}, connection closed, then ${await request(client)}`;
    },
  },
  {
    title: "aborted during the refresh",
    expected: { happened: /^token 1, token 2; 1 exchange$/, saw: new RegExp(`^${ABORTED}, then hello$`) },
    async run(client, place) {
      place.rejectToken();
      const held = place.holdRefresh();
      const controller = new AbortController();
      const call = client.request(controller.signal);
      await held.received;
      const saw = await abort(controller, call, place);
      held.release();
      return `${saw}, then ${await request(client)}`;
    },
  },
  {
    title: "signed out",
    expected: { happened: /^token 1(, no token)?; 0 exchanges$/, saw: SIGNED_OUT },
    async run(client, place) {
      await request(client);
      await place.tokens.signOut();
      return signedOut(() => request(client), place);
    },
  },
  {
    title: "signed out, for a stream",
    expected: { happened: /^token 1(, no token)?; 0 exchanges$/, saw: SIGNED_OUT },
    isStream: true,
    async run(client, place) {
      await readAll(client);
      await place.tokens.signOut();
      return signedOut(() => readAll(client), place);
    },
  },
  {
    title: "session ended by the server",
    expected: { happened: /^token 1, token 1; 1 exchange, session revoked$/, saw: SIGNED_OUT },
    async run(client, place) {
      await request(client);
      await place.endSession();
      return signedOut(() => request(client), place);
    },
  },
];

const rowOf = ({ expected, run }: Trial, { name, connect }: Driver): Row<Place> => ({
  situation: name,
  expected,
  async run(place): Promise<Shown> {
    const saw = await run(connect(place.source, place.api.origin), place);
    return { happened: `${place.sent}; ${place.exchanges}`, saw };
  },
});

export const groups: readonly Group<Place>[] = trials.map((trial) => ({
  title: trial.title,
  rows: drivers.filter(({ isUnary }) => !(trial.isStream && isUnary)).map((driver) => rowOf(trial, driver)),
}));

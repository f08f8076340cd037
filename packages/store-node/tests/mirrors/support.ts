import {
  createTokenManager,
  memoryStore,
  type RefreshFunction,
  type SessionEvent,
  type SessionFormat,
  type TokenManager,
} from "@unexpired/core";
import { canary } from "@unexpired-internal/test-support/canary";
import { VirtualClock } from "@unexpired-internal/test-support/virtual-clock";
import type { DocumentText, MirroredDocument } from "../../src/index.ts";
import { openMirroredStore } from "../../src/mirrors/mirrored-store.ts";

export const HOUR = 3_600_000;

type Document = {
  session?: { access: string; refresh: string; expires?: number; account?: string };
} & Record<string, unknown>;

/** A document such as `{ "theme": "dark", "session": { … } }`. */
export const format: SessionFormat = {
  key: "session",
  parse(text) {
    const { session } = JSON.parse(text) as Document;
    if (!session) return undefined;
    const { access, refresh, expires, account } = session;
    return { tokens: { accessToken: access, refreshToken: refresh, expiresAt: expires }, account };
  },
  print(session, found) {
    const { session: before, ...others } = JSON.parse(found ?? "{}") as Document;
    if (!session) return before ? JSON.stringify(others) : found;
    const { accessToken: access, refreshToken: refresh = "", expiresAt: expires } = session.tokens;
    return JSON.stringify({ ...others, session: { access, refresh, expires, account: session.account } });
  },
};

/** The text of a document with this session, by its number and its line. */
export const documentWith = (name: number | string, expires: number, account?: string): string =>
  JSON.stringify({
    theme: "dark",
    session: { access: canary("access", name), refresh: canary("refresh", name), expires, account },
  });

/** A document in memory, whose calls can be made to fail or to wait. */
export class MemoryDocument implements MirroredDocument {
  readonly format = format;
  readonly name: string;
  text: string | undefined;
  /** Called before the document is written. */
  onReplace: () => Promise<void> | void = () => {};
  onRead: () => Promise<void> | void = () => {};
  primary: string | undefined;
  shown: readonly string[] | undefined;
  readonly listeners = new Set<() => void>();
  readonly notes = {
    describe: () => `the notes about ${this.name}`,
    primary: async () => this.primary,
    claim: async (id: string) => {
      this.primary ??= id;
      return this.primary;
    },
    shown: async () => this.shown,
    setShown: async (marks: readonly string[]) => {
      this.shown = marks;
    },
    remove: async () => {
      this.primary = undefined;
      this.shown = undefined;
    },
  };

  constructor(name: string, text?: string) {
    this.name = name;
    this.text = text;
  }

  get session() {
    return this.text === undefined ? undefined : (JSON.parse(this.text) as Document).session;
  }

  /** Changes the text, as another program does. */
  write(text: string | undefined): void {
    this.text = text;
    for (const listener of this.listeners) listener();
  }

  describe = () => this.name;

  async read(): Promise<DocumentText> {
    await this.onRead();
    return { text: this.text };
  }

  async replace(before: DocumentText, next: string | undefined): Promise<boolean> {
    await this.onReplace();
    if (before.text !== this.text) return false;
    this.write(next);
    return true;
  }

  watch(onChange: () => void) {
    this.listeners.add(onChange);
    return () => this.listeners.delete(onChange);
  }
}

/** Each exchange returns the next number. `presented` lists the refresh tokens. */
function startIssuer(clock: VirtualClock): RefreshFunction & { presented: string[] } {
  const presented: string[] = [];
  let number = 100;
  const refresh: RefreshFunction = async ({ refreshToken = "" }) => {
    presented.push(refreshToken);
    number++;
    return {
      accessToken: canary("access", number),
      refreshToken: canary("refresh", number),
      expiresAt: clock.now() + HOUR,
    };
  };
  return Object.assign(refresh, { presented });
}

/** A primary and documents in memory, and managers over them: each stands for a process. */
export function startMirrors(...texts: readonly (string | undefined)[]) {
  const clock = new VirtualClock();
  const primary = memoryStore();
  const documents = (texts.length > 0 ? texts : ["{}", "{}"]).map(
    (text, index) => new MemoryDocument(`${index}`, text),
  );
  const issuer = startIssuer(clock);
  const events: SessionEvent[] = [];
  const openStore = (over = primary, listed: readonly MirroredDocument[] = documents) =>
    openMirroredStore(over, listed, clock);
  const open = (store = openStore()): TokenManager => {
    const manager = createTokenManager({ store, refresh: issuer, clock });
    manager.subscribe((event) => events.push(event));
    return manager;
  };
  const [a, b = a] = documents;
  if (!a || !b) throw new Error("there are no documents");
  const problems = () =>
    events.flatMap((event) =>
      event.type === "document-failed"
        ? [`${event.location} ${event.reason}`]
        : event.type === "document-recovered"
          ? [`${event.location} recovered`]
          : [],
    );
  return { clock, primary, documents, a, b, issuer, events, problems, openStore, open };
}

/** A session that a manager signs in with. */
export const sessionOf = (name: number | string, expiresAt: number) => ({
  accessToken: canary("access", name),
  refreshToken: canary("refresh", name),
  expiresAt,
});

/** Lets time pass until a task has ended, as a task that waits for timers does not end by itself. */
export async function passing<T>(clock: VirtualClock, task: Promise<T>): Promise<T> {
  let isDone = false;
  const end = () => {
    isDone = true;
  };
  task.then(end, end);
  for (let step = 0; step < 200 && !isDone; step++) await clock.advance(50);
  return task;
}

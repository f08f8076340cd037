import { join } from "node:path";
import { KeychainError, type KeychainProblem } from "../errors.ts";
import { pause, within } from "../timeout.ts";
import { Bus, ConnectionError, type MethodCall, MethodError, socketOf } from "./dbus-connection.ts";
import type { Value } from "./dbus-message.ts";

const SERVICE = "org.freedesktop.secrets";
const ROOT = "/org/freedesktop/secrets";
const SECRET = "org.freedesktop.Secret";
const LOOKS = 5;
const PAUSE = 20; // ms
/** Addresses that the native libraries can use, and Node cannot. */
const ELSEWHERE = /(?:^|;)(?:unix|tcp|nonce-tcp|unixexec|autolaunch|launchd):/;
const ABSENT =
  /\.(?:ServiceUnknown|NameHasNoOwner|AccessDenied|UnknownMethod|UnknownObject|UnknownInterface|Spawn\..*)$/;

/** The attributes by which items are found. */
export type Attributes = Readonly<Record<string, string>>;

/** How long each question may take, and where the bus is told. */
export interface SecretServiceOptions {
  readonly deadline: number;
  readonly env?: NodeJS.ProcessEnv | undefined;
}

/**
 * The Secret Service, without the native libraries: those wait for minutes, hold up the whole program, and take "locked"
 * for "empty". Its connection is kept for some time: gnome-keyring trips now and then over those that come and go.
 *
 * Everything throws a KeychainError `no_service`, `locked`, `timeout` or `refused`.
 */
export class SecretService {
  readonly #deadline: number;
  readonly #env: NodeJS.ProcessEnv;
  #bus: Bus | undefined;
  /** The default collection, as a connection has last heard. */
  readonly #collections = new WeakMap<Bus, string>();

  constructor({ deadline, env = process.env }: SecretServiceOptions) {
    this.#deadline = deadline;
    this.#env = env;
  }

  /** Whether there is one, unlocked. Where Node cannot reach the bus nothing is known, and nothing is thrown. */
  async ready(): Promise<void> {
    const socket = this.#socket();
    if (socket !== undefined) await this.#ask(socket, (bus) => this.#mustBeUnlocked(bus));
  }

  /** `false` where its address is one that Node cannot connect to. */
  get isReachable(): boolean {
    try {
      return this.#socket() !== undefined;
    } catch {
      return true; // there is none: who asks is told
    }
  }

  /** The secret of an item with these attributes; `undefined` where there is none. */
  async get(attributes: Attributes): Promise<string | undefined> {
    return this.#ask(this.#mustHaveSocket(), async (bus) => {
      const [item] = await find(bus, attributes);
      return item === undefined ? undefined : readSecret(bus, item);
    });
  }

  /** Deletes all items with these attributes. */
  async delete(attributes: Attributes): Promise<void> {
    return this.#ask(this.#mustHaveSocket(), async (bus) => {
      for (const item of await find(bus, attributes)) await deleteItem(bus, { item, attributes });
    });
  }

  async #mustBeUnlocked(bus: Bus): Promise<void> {
    const known = this.#collections.get(bus);
    // Another one may be the default by now, and this one gone.
    const isFine = known !== undefined && (await isLocked(bus, known).catch(unlessRefused)) === false;
    const collection = isFine ? known : await defaultCollection(bus);
    if (!isFine && (await isLocked(bus, collection))) throw failure("locked", "is locked");
    this.#collections.set(bus, collection);
  }

  #socket(): string | undefined {
    const { DBUS_SESSION_BUS_ADDRESS, XDG_RUNTIME_DIR } = this.#env;
    const address = DBUS_SESSION_BUS_ADDRESS || (XDG_RUNTIME_DIR && `unix:path=${join(XDG_RUNTIME_DIR, "bus")}`);
    if (!address)
      throw failure("no_service", "is not there: there is no D-Bus session: DBUS_SESSION_BUS_ADDRESS is not set");
    const socket = socketOf(address);
    if (socket !== undefined || ELSEWHERE.test(address)) return socket;
    throw failure("no_service", "is not there: DBUS_SESSION_BUS_ADDRESS is no address of a bus");
  }

  #mustHaveSocket(): string {
    const socket = this.#socket();
    if (socket !== undefined) return socket;
    throw failure("no_service", "cannot be asked: DBUS_SESSION_BUS_ADDRESS names no socket");
  }

  async #ask<T>(socket: string, question: (bus: Bus) => Promise<T>): Promise<T> {
    const kept = this.#bus?.isOpen ? this.#bus : undefined;
    let asked = kept ?? this.#connect(socket);
    const asking = async () => {
      try {
        return await question(asked);
      } catch (error) {
        // It may have been closed, or the bus restarted, since it was used.
        if (kept === undefined || kept.isOpen) throw error;
        asked = this.#connect(socket);
        return question(asked);
      }
    };
    const late = () => {
      asked.close();
      return failure("timeout", `gave no answer within ${this.#deadline} ms`);
    };
    return within(this.#deadline, asking, late).catch((error: unknown) => {
      throw explained(error);
    });
  }

  #connect(socket: string): Bus {
    if (!this.#bus?.isOpen) this.#bus = new Bus(socket);
    return this.#bus;
  }
}

async function isLocked(bus: Bus, collection: string): Promise<boolean> {
  const [locked] = await call(bus, collection, {
    interface: "org.freedesktop.DBus.Properties",
    member: "Get",
    arguments: ["ss", `${SECRET}.Collection`, "Locked"],
  });
  const [, value] = locked as [string, boolean];
  return value;
}

async function defaultCollection(bus: Bus): Promise<string> {
  for (let look = 0; look < LOOKS; look++) {
    const [path] = await call(bus, ROOT, { ...method("Service", "ReadAlias"), arguments: ["s", "default"] });
    if (path !== "/") return `${path}`;
    await pause(PAUSE); // gnome-keyring has none for a moment, now and then
  }
  throw failure("no_service", "is not there: it has no default collection to save in");
}

/** Nothing, where it is the other side that objects. */
function unlessRefused(error: unknown): undefined {
  if (!(error instanceof MethodError)) throw error;
}

/** The items with these attributes, of the collections that are unlocked. */
async function find(bus: Bus, attributes: Attributes): Promise<readonly string[]> {
  const search = method("Service", "SearchItems");
  const found = await call(bus, ROOT, { ...search, arguments: ["a{ss}", Object.entries(attributes)] });
  const [unlocked, locked] = found as [string[], string[]];
  if (unlocked.length === 0 && locked.length > 0)
    throw failure("locked", "has the item in a collection that is locked");
  return unlocked;
}

async function readSecret(bus: Bus, item: string): Promise<string> {
  const opened = await call(bus, ROOT, { ...method("Service", "OpenSession"), arguments: ["sv", "plain", ["s", ""]] });
  const session = `${opened[1]}`;
  const [secret] = await call(bus, item, { ...method("Item", "GetSecret"), arguments: ["o", session] });
  await call(bus, session, method("Session", "Close"));
  const [, , text] = secret as [string, Buffer, Buffer];
  return text.toString("utf8");
}

async function deleteItem(bus: Bus, { item, attributes }: { item: string; attributes: Attributes }): Promise<void> {
  try {
    const [prompt] = await call(bus, item, method("Item", "Delete"));
    if (prompt !== "/") throw failure("refused", "wants to be asked by a person before it deletes an item");
  } catch (error) {
    // Somebody else deletes it as well.
    if ((await find(bus, attributes)).includes(item)) throw error;
  }
}

const method = (of: string, member: string) => ({ interface: `${SECRET}.${of}`, member });

const call = (bus: Bus, path: string, asked: Omit<MethodCall, "destination" | "path">): Promise<readonly Value[]> =>
  bus.call({ destination: SERVICE, path, ...asked });

const ADVICE: Partial<Record<KeychainProblem, string>> = {
  no_service:
    "Start one, such as gnome-keyring or KWallet, or run the program in a desktop session; on a machine without one use another store, such as fileStore of @unexpired/store-node.",
  locked: "Unlock its default collection (log in to the desktop, or open a program such as Seahorse), and try again.",
};

const failure = (reason: KeychainProblem, problem: string, cause?: unknown): KeychainError =>
  new KeychainError(reason, {
    place: "The Secret Service of this session",
    problem,
    advice: ADVICE[reason] ?? "Restart it, or its D-Bus, and try again. Nothing that was saved is lost.",
    cause,
  });

/** What the bus or the service objected, in our own terms. */
function explained(error: unknown): KeychainError {
  if (error instanceof KeychainError) return error;
  if (error instanceof ConnectionError)
    return failure("no_service", "is not there: its D-Bus cannot be reached", error);
  if (!(error instanceof MethodError)) return failure("refused", "answered with what cannot be read", error);
  if (error.error === `${SECRET}.Error.IsLocked`) return failure("locked", "is locked", error);
  if (ABSENT.test(error.error))
    return failure("no_service", `is not there: D-Bus has none to offer (${error.error})`, error);
  return failure("refused", `answered with an error (${error.error})`, error);
}

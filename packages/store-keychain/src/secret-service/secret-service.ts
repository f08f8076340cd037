import { join } from "node:path";
import { KeychainError, type KeychainErrorReason } from "../errors.ts";
import { sleep, withTimeout } from "../timeout.ts";
import { ConnectionError, DBusConnection, type MethodCall, MethodError, socketPathOf } from "./dbus-connection.ts";
import type { DBusValue } from "./dbus-message.ts";

const BUS_NAME = "org.freedesktop.secrets";
const SERVICE_PATH = "/org/freedesktop/secrets";
const INTERFACE_PREFIX = "org.freedesktop.Secret";
const MAX_ATTEMPTS = 5;
const RETRY_DELAY = 20; // ms
/** Addresses that the native libraries can use, and Node cannot. */
const NATIVE_ONLY_ADDRESS = /(?:^|;)(?:unix|tcp|nonce-tcp|unixexec|autolaunch|launchd):/;
const ABSENT_SERVICE =
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
  #connection: DBusConnection | undefined;
  /** The default collection, as a connection has last heard. */
  readonly #collections = new WeakMap<DBusConnection, string>();

  constructor({ deadline, env = process.env }: SecretServiceOptions) {
    this.#deadline = deadline;
    this.#env = env;
  }

  /** Whether there is one, unlocked. Where Node cannot reach the bus nothing is known, and nothing is thrown. */
  async assertReady(): Promise<void> {
    const socketPath = this.#socketPath();
    if (socketPath !== undefined) await this.#query(socketPath, (connection) => this.#assertUnlocked(connection));
  }

  /** `false` where its address is one that Node cannot connect to. */
  get isReachable(): boolean {
    try {
      return this.#socketPath() !== undefined;
    } catch {
      return true; // there is none: who asks is told
    }
  }

  /** The secret of an item with these attributes; `undefined` where there is none. */
  async get(attributes: Attributes): Promise<string | undefined> {
    return this.#query(this.#requireSocketPath(), async (connection) => {
      const [item] = await findItems(connection, attributes);
      return item === undefined ? undefined : readSecret(connection, item);
    });
  }

  /** Deletes all items with these attributes. */
  async delete(attributes: Attributes): Promise<void> {
    return this.#query(this.#requireSocketPath(), async (connection) => {
      for (const item of await findItems(connection, attributes)) await deleteItem(connection, { item, attributes });
    });
  }

  async #assertUnlocked(connection: DBusConnection): Promise<void> {
    const known = this.#collections.get(connection);
    // Another one may be the default by now, and this one gone.
    const isFine = known !== undefined && (await isLocked(connection, known).catch(ignoreMethodError)) === false;
    const collection = isFine ? known : await defaultCollection(connection);
    if (!isFine && (await isLocked(connection, collection))) throw secretServiceError("locked", "is locked");
    this.#collections.set(connection, collection);
  }

  #socketPath(): string | undefined {
    const { DBUS_SESSION_BUS_ADDRESS, XDG_RUNTIME_DIR } = this.#env;
    const address = DBUS_SESSION_BUS_ADDRESS || (XDG_RUNTIME_DIR && `unix:path=${join(XDG_RUNTIME_DIR, "bus")}`);
    if (!address)
      throw secretServiceError(
        "no_service",
        "is not there: there is no D-Bus session: DBUS_SESSION_BUS_ADDRESS is not set",
      );
    const socketPath = socketPathOf(address);
    if (socketPath !== undefined || NATIVE_ONLY_ADDRESS.test(address)) return socketPath;
    throw secretServiceError("no_service", "is not there: DBUS_SESSION_BUS_ADDRESS is no address of a bus");
  }

  #requireSocketPath(): string {
    const socketPath = this.#socketPath();
    if (socketPath !== undefined) return socketPath;
    throw secretServiceError("no_service", "cannot be asked: DBUS_SESSION_BUS_ADDRESS names no socket");
  }

  async #query<T>(socketPath: string, request: (connection: DBusConnection) => Promise<T>): Promise<T> {
    const kept = this.#connection?.isOpen ? this.#connection : undefined;
    let used = kept ?? this.#connect(socketPath);
    const run = async () => {
      try {
        return await request(used);
      } catch (error) {
        // It may have been closed, or the bus restarted, since it was used.
        if (kept === undefined || kept.isOpen) throw error;
        used = this.#connect(socketPath);
        return request(used);
      }
    };
    const timeoutError = () => {
      used.close();
      return secretServiceError("timeout", `gave no answer within ${this.#deadline} ms`);
    };
    return withTimeout(this.#deadline, run, timeoutError).catch((error: unknown) => {
      throw toKeychainError(error);
    });
  }

  #connect(socketPath: string): DBusConnection {
    if (!this.#connection?.isOpen) this.#connection = new DBusConnection(socketPath);
    return this.#connection;
  }
}

async function isLocked(connection: DBusConnection, collection: string): Promise<boolean> {
  const [locked] = await call(connection, collection, {
    interface: "org.freedesktop.DBus.Properties",
    member: "Get",
    arguments: ["ss", `${INTERFACE_PREFIX}.Collection`, "Locked"],
  });
  const [, value] = locked as [string, boolean];
  return value;
}

async function defaultCollection(connection: DBusConnection): Promise<string> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const [path] = await call(connection, SERVICE_PATH, {
      ...method("Service", "ReadAlias"),
      arguments: ["s", "default"],
    });
    if (path !== "/") return `${path}`;
    await sleep(RETRY_DELAY); // gnome-keyring has none for a moment, now and then
  }
  throw secretServiceError("no_service", "is not there: it has no default collection to save in");
}

/** Nothing, where it is the other side that objects. */
function ignoreMethodError(error: unknown): undefined {
  if (!(error instanceof MethodError)) throw error;
}

/** The items with these attributes, of the collections that are unlocked. */
async function findItems(connection: DBusConnection, attributes: Attributes): Promise<readonly string[]> {
  const search = method("Service", "SearchItems");
  const found = await call(connection, SERVICE_PATH, { ...search, arguments: ["a{ss}", Object.entries(attributes)] });
  const [unlocked, locked] = found as [string[], string[]];
  if (unlocked.length === 0 && locked.length > 0)
    throw secretServiceError("locked", "has the item in a collection that is locked");
  return unlocked;
}

async function readSecret(connection: DBusConnection, item: string): Promise<string> {
  const opened = await call(connection, SERVICE_PATH, {
    ...method("Service", "OpenSession"),
    arguments: ["sv", "plain", ["s", ""]],
  });
  const session = `${opened[1]}`;
  const [secret] = await call(connection, item, { ...method("Item", "GetSecret"), arguments: ["o", session] });
  await call(connection, session, method("Session", "Close"));
  const [, , text] = secret as [string, Buffer, Buffer];
  return text.toString("utf8");
}

async function deleteItem(
  connection: DBusConnection,
  { item, attributes }: { item: string; attributes: Attributes },
): Promise<void> {
  try {
    const [prompt] = await call(connection, item, method("Item", "Delete"));
    if (prompt !== "/") throw secretServiceError("refused", "wants to be asked by a person before it deletes an item");
  } catch (error) {
    // Somebody else deletes it as well.
    if ((await findItems(connection, attributes)).includes(item)) throw error;
  }
}

const method = (of: string, member: string) => ({ interface: `${INTERFACE_PREFIX}.${of}`, member });

const call = (
  connection: DBusConnection,
  path: string,
  details: Omit<MethodCall, "destination" | "path">,
): Promise<readonly DBusValue[]> => connection.call({ destination: BUS_NAME, path, ...details });

const HINTS: Partial<Record<KeychainErrorReason, string>> = {
  no_service:
    "Start one, such as gnome-keyring or KWallet, or run the program in a desktop session; on a machine without one use another store, such as fileStore of @unexpired/store-node.",
  locked: "Unlock its default collection (log in to the desktop, or open a program such as Seahorse), and try again.",
};

const secretServiceError = (reason: KeychainErrorReason, problem: string, cause?: unknown): KeychainError =>
  new KeychainError(reason, {
    location: "The Secret Service of this session",
    problem,
    hint: HINTS[reason] ?? "Restart it, or its D-Bus, and try again. Nothing that was saved is lost.",
    cause,
  });

/** What the bus or the service objected, in our own terms. */
function toKeychainError(error: unknown): KeychainError {
  if (error instanceof KeychainError) return error;
  if (error instanceof ConnectionError)
    return secretServiceError("no_service", "is not there: its D-Bus cannot be reached", error);
  if (!(error instanceof MethodError)) return secretServiceError("refused", "answered with what cannot be read", error);
  if (error.errorName === `${INTERFACE_PREFIX}.Error.IsLocked`) return secretServiceError("locked", "is locked", error);
  if (ABSENT_SERVICE.test(error.errorName))
    return secretServiceError("no_service", `is not there: D-Bus has none to offer (${error.errorName})`, error);
  return secretServiceError("refused", `answered with an error (${error.errorName})`, error);
}

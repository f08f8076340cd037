import { isUtf8 } from "node:buffer";
import { join } from "node:path";
import { KeychainError, type KeychainErrorReason, keychainReasonOf } from "../errors.ts";
import { sleep, withTimeout } from "../timeout.ts";
import { DBusConnection, type MethodCall, type MethodError, socketPathOf } from "./dbus-connection.ts";
import type { DBusValue } from "./dbus-message.ts";

const BUS_NAME = "org.freedesktop.secrets";
const SERVICE_PATH = "/org/freedesktop/secrets";
const INTERFACE_PREFIX = "org.freedesktop.Secret";
const MAX_ATTEMPTS = 5;
const RETRY_DELAY = 20; // ms
/** Addresses that may be usable by the native libraries even if Node cannot connect to them. */
const NATIVE_ONLY_ADDRESS = /(?:^|;)(?:unix|tcp|nonce-tcp|unixexec|autolaunch|launchd):/;
const ABSENT_SERVICE =
  /\.(?:ServiceUnknown|NameHasNoOwner|AccessDenied|UnknownMethod|UnknownObject|UnknownInterface|Spawn\..*)$/;

/** The attributes that identify an item. */
export type Attributes = Readonly<Record<string, string>>;

/** The timeout of each query in milliseconds, and the environment that names the bus. */
export interface SecretServiceOptions {
  readonly timeout: number;
  readonly env?: NodeJS.ProcessEnv | undefined;
}

/**
 * A client of the Secret Service that does without the native libraries, which can wait for minutes, block the whole
 * program, and mistake "locked" for "empty". Keeps its connection open for some time, because gnome-keyring
 * occasionally fails if connections come and go.
 *
 * All methods throw a KeychainError `no_service`, `locked`, `timeout` or `refused`.
 */
export class SecretService {
  readonly #timeout: number;
  readonly #env: NodeJS.ProcessEnv;
  #connection: DBusConnection | undefined;
  /** The default collection that each connection has last seen unlocked. */
  readonly #collections = new WeakMap<DBusConnection, string>();

  constructor({ timeout, env = process.env }: SecretServiceOptions) {
    this.#timeout = timeout;
    this.#env = env;
  }

  /**
   * Throws unless the service is running and unlocked. Does nothing if Node cannot connect to this kind of bus address.
   */
  async assertReady(): Promise<void> {
    const socketPath = this.#socketPath();
    if (socketPath !== undefined) await this.#query(socketPath, (connection) => this.#assertUnlocked(connection));
  }

  /** `false` if the bus has an address that Node cannot connect to. */
  get isReachable(): boolean {
    try {
      return this.#socketPath() !== undefined;
    } catch {
      return true; // no valid address; the next query reports it
    }
  }

  /** Returns the secret of the item with these attributes, or `undefined` if it does not exist. */
  async get(attributes: Attributes): Promise<string | undefined> {
    return this.#query(this.#requireSocketPath(), async (connection) => {
      const [item] = await findItems(connection, attributes);
      return item === undefined ? undefined : readSecret(connection, { item, attributes });
    });
  }

  /**
   * Replaces the secret of the item that `get` reads, and keeps its attributes, label and content type. Returns `false`
   * if it does not exist.
   */
  async update(attributes: Attributes, secret: string): Promise<boolean> {
    return this.#query(this.#requireSocketPath(), async (connection) => {
      const [item] = await findItems(connection, attributes);
      if (item === undefined) return false;
      await writeSecret(connection, item, secret);
      return true;
    });
  }

  /** Deletes the items with these attributes: all of them, or those that `get` would find first. */
  async delete(attributes: Attributes, { limit }: { readonly limit?: number } = {}): Promise<void> {
    return this.#query(this.#requireSocketPath(), async (connection) => {
      const items = (await findItems(connection, attributes)).slice(0, limit);
      for (const item of items) await deleteItem(connection, { item, attributes });
    });
  }

  async #assertUnlocked(connection: DBusConnection): Promise<void> {
    const known = this.#collections.get(connection);
    // The default collection may have changed, and the known one may be gone.
    const isKnownUnlocked =
      known !== undefined && (await isLocked(connection, known).catch(ignoreMethodError)) === false;
    const collection = isKnownUnlocked ? known : await defaultCollection(connection);
    if (!isKnownUnlocked && (await isLocked(connection, collection))) throw secretServiceError("locked", "is locked");
    this.#collections.set(connection, collection);
  }

  #socketPath(): string | undefined {
    const { DBUS_SESSION_BUS_ADDRESS, XDG_RUNTIME_DIR } = this.#env;
    const address = DBUS_SESSION_BUS_ADDRESS || (XDG_RUNTIME_DIR && `unix:path=${join(XDG_RUNTIME_DIR, "bus")}`);
    if (!address)
      throw secretServiceError(
        "no_service",
        "is unavailable: there is no D-Bus session, because DBUS_SESSION_BUS_ADDRESS is not set",
      );
    const socketPath = socketPathOf(address);
    if (socketPath !== undefined || NATIVE_ONLY_ADDRESS.test(address)) return socketPath;
    throw secretServiceError("no_service", "is unavailable: DBUS_SESSION_BUS_ADDRESS is not a valid bus address");
  }

  #requireSocketPath(): string {
    const socketPath = this.#socketPath();
    if (socketPath !== undefined) return socketPath;
    throw secretServiceError(
      "no_service",
      "cannot be queried: DBUS_SESSION_BUS_ADDRESS does not name a socket that Node can connect to",
    );
  }

  async #query<T>(socketPath: string, request: (connection: DBusConnection) => Promise<T>): Promise<T> {
    const kept = this.#connection?.isOpen ? this.#connection : undefined;
    let used = kept ?? this.#connect(socketPath);
    const run = async () => {
      try {
        return await request(used);
      } catch (error) {
        // The kept connection was closed, or the bus restarted, since its last use.
        if (kept === undefined || kept.isOpen) throw error;
        used = this.#connect(socketPath);
        return request(used);
      }
    };
    const timeoutError = () => {
      used.close();
      return secretServiceError("timeout", `did not respond within ${this.#timeout} ms`);
    };
    return withTimeout(this.#timeout, run, timeoutError).catch((error: unknown) => {
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
    await sleep(RETRY_DELAY); // gnome-keyring occasionally has none for a moment
  }
  throw secretServiceError("no_service", "is unavailable: it has no default collection");
}

/** Ignores an error that the service returned; rethrows all others. */
function ignoreMethodError(error: unknown): undefined {
  if (Object(error).errorName === undefined) throw error;
}

/** Returns the items with these attributes in unlocked collections. Throws if they are only in locked ones. */
async function findItems(connection: DBusConnection, attributes: Attributes): Promise<readonly string[]> {
  const search = method("Service", "SearchItems");
  const found = await call(connection, SERVICE_PATH, { ...search, arguments: ["a{ss}", Object.entries(attributes)] });
  const [unlocked, locked] = found as [string[], string[]];
  if (unlocked.length === 0 && locked.length > 0)
    throw secretServiceError("locked", "stores the item in a locked collection");
  return unlocked;
}

/** A secret as the Secret Service transfers it: session, parameters of its encryption, value, content type. */
type Secret = readonly [session: string, parameters: Buffer, value: Buffer, contentType: string];

async function withSession<T>(connection: DBusConnection, run: (session: string) => Promise<T>): Promise<T> {
  const opened = await call(connection, SERVICE_PATH, {
    ...method("Service", "OpenSession"),
    arguments: ["sv", "plain", ["s", ""]],
  });
  const session = `${opened[1]}`;
  const result = await run(session);
  await call(connection, session, method("Session", "Close"));
  return result;
}

async function getSecret(connection: DBusConnection, item: string, session: string): Promise<Secret> {
  const [secret] = await call(connection, item, { ...method("Item", "GetSecret"), arguments: ["o", session] });
  return secret as unknown as Secret;
}

async function readSecret(
  connection: DBusConnection,
  { item, attributes }: { item: string; attributes: Attributes },
): Promise<string> {
  const [, , value] = await withSession(connection, (session) => getSecret(connection, item, session));
  if (isUtf8(value)) return value.toString("utf8");
  throw new KeychainError("damaged", {
    location: `The item of the Secret Service with the attributes ${JSON.stringify(attributes)}`,
    problem: "is not text in UTF-8",
    hint: "It was left unchanged. Check that the service and the account are those of the session. If they are, repair the item, or delete it and sign in again.",
  });
}

const writeSecret = (connection: DBusConnection, item: string, text: string): Promise<void> =>
  withSession(connection, async (session) => {
    const [, , , contentType] = await getSecret(connection, item, session);
    const secret = [session, Buffer.alloc(0), Buffer.from(text), contentType];
    await call(connection, item, { ...method("Item", "SetSecret"), arguments: ["(oayays)", secret] });
  });

async function deleteItem(
  connection: DBusConnection,
  { item, attributes }: { item: string; attributes: Attributes },
): Promise<void> {
  try {
    const [prompt] = await call(connection, item, method("Item", "Delete"));
    if (prompt !== "/") throw secretServiceError("refused", "requires confirmation by the user to delete an item");
  } catch (error) {
    // Another process may have deleted the item at the same time.
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
    "Start one, such as gnome-keyring or KWallet, or run the program in a desktop session. On a machine without one, use another store, such as fileStore of @unexpired/store-node.",
  locked: "Unlock its default collection (log in to the desktop, or open a program such as Seahorse), and try again.",
};

const secretServiceError = (reason: KeychainErrorReason, problem: string, cause?: unknown): KeychainError =>
  new KeychainError(reason, {
    location: "The Secret Service of this session",
    problem,
    hint: HINTS[reason] ?? "Restart it, or its D-Bus session, and try again. No saved data is lost.",
    cause,
  });

/** Converts an error of the bus, the service or the connection. */
function toKeychainError(error: unknown): unknown {
  if (keychainReasonOf(error) !== undefined) return error;
  const { name, errorName } = Object(error) as Partial<MethodError>;
  if (name === "ConnectionError")
    return secretServiceError("no_service", "is unavailable: its D-Bus session cannot be reached", error);
  if (errorName === undefined) return secretServiceError("refused", "sent a response that cannot be parsed", error);
  if (errorName === `${INTERFACE_PREFIX}.Error.IsLocked`) return secretServiceError("locked", "is locked", error);
  if (ABSENT_SERVICE.test(errorName))
    return secretServiceError("no_service", `is unavailable: D-Bus does not provide it (${errorName})`, error);
  return secretServiceError("refused", `returned an error (${errorName})`, error);
}

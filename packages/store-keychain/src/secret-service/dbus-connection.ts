import { connect, type Socket } from "node:net";
import { type DBusValue, decodeMessage, ERROR, encodeCall, HEADER_FIELD, METHOD_RETURN } from "./dbus-message.ts";

/** A method call. */
export interface MethodCall {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  /** The signature of the arguments, such as `"ss"`, followed by the arguments. Default: no arguments. */
  readonly arguments?: readonly [signature: string, ...values: DBusValue[]] | undefined;
}

/** An error response to a call; `errorName` is a name such as `org.freedesktop.DBus.Error.ServiceUnknown`. */
export class MethodError extends Error {
  readonly errorName: string;

  constructor(errorName: string) {
    super(`D-Bus: ${errorName}`);
    this.errorName = errorName;
  }
}

/** The connection to the bus failed or was closed. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
}

const IDLE_TIMEOUT = 5_000; // ms
const AUTHENTICATION = 0;
const DBUS_NAME = "org.freedesktop.DBus";

/** Returns the socket of the first address that Node can connect to, or `undefined`. */
export function socketPathOf(address: string): string | undefined {
  for (const each of address.split(";")) {
    const [, rest] = /^unix:(.*)$/.exec(each) ?? [];
    const options = new Map(rest?.split(",").map((pair) => pair.split("=", 2) as [string, string]));
    const path = decodeAddressValue(options.get("path"));
    const abstract = decodeAddressValue(options.get("abstract"));
    if (path !== undefined) return path;
    if (abstract !== undefined) return `\0${abstract}`;
  }
  return undefined;
}

function decodeAddressValue(text: string | undefined): string | undefined {
  try {
    return text && decodeURIComponent(text);
  } catch {
    return undefined; // not a valid escape sequence
  }
}

type Settle = (reply: Error | readonly DBusValue[]) => void;

/**
 * A connection to a message bus. It does not keep the process alive, so a caller needs a timer while it waits. It
 * closes itself when idle, so a caller has to check `isOpen` before reusing it.
 */
export class DBusConnection {
  readonly #socket: Socket;
  readonly #ready: Promise<unknown>;
  readonly #pending = new Map<number, Settle>();
  #received = Buffer.alloc(0);
  #serial = AUTHENTICATION;
  #failure: Error | undefined;

  /** Connects to a socket. If that fails, the first call rejects. */
  constructor(path: string) {
    this.#socket = connect({ path })
      .unref()
      .on("data", (bytes) => this.#receive(bytes))
      .on("error", (cause) => this.#fail(new ConnectionError("The message bus cannot be reached", { cause })))
      .on("close", () => this.#fail(new ConnectionError("The message bus closed the connection")))
      .setTimeout(IDLE_TIMEOUT, () => this.#pending.size === 0 && this.close());
    this.#ready = this.#authenticate();
    this.#ready.catch(() => this.close());
  }

  get isOpen(): boolean {
    return this.#failure === undefined;
  }

  /** Returns the result of a method call. Rejects with a {@link MethodError} or a {@link ConnectionError}. */
  async call(call: MethodCall): Promise<readonly DBusValue[]> {
    await this.#ready;
    return this.#sendCall(call);
  }

  close(): void {
    this.#fail(new ConnectionError("The connection to the message bus was closed"));
    this.#socket.destroy();
  }

  async #authenticate(): Promise<void> {
    const user = Buffer.from(`${process.getuid?.() ?? ""}`).toString("hex");
    await this.#sendAndWait(AUTHENTICATION, `\0AUTH EXTERNAL ${user}\r\n`);
    this.#socket.write("BEGIN\r\n");
    await this.#sendCall({
      destination: DBUS_NAME,
      path: "/org/freedesktop/DBus",
      interface: DBUS_NAME,
      member: "Hello",
    });
  }

  #sendCall({ destination, path, interface: of, member, arguments: given }: MethodCall): Promise<readonly DBusValue[]> {
    const [signature, ...body] = given ?? [""];
    const fields = new Map<number, readonly [string, string]>([
      [HEADER_FIELD.path, ["o", path]],
      [HEADER_FIELD.interface, ["s", of]],
      [HEADER_FIELD.member, ["s", member]],
      [HEADER_FIELD.destination, ["s", destination]],
    ]);
    if (signature !== "") fields.set(HEADER_FIELD.signature, ["g", signature]);
    const serial = ++this.#serial;
    return this.#sendAndWait(serial, encodeCall(serial, { fields, body }));
  }

  #sendAndWait(serial: number, sent: string | Buffer): Promise<readonly DBusValue[]> {
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure);
      this.#pending.set(serial, (reply) => ("message" in reply ? reject(reply) : resolve(reply)));
      this.#socket.write(sent);
    });
  }

  #receive(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    try {
      if (this.#pending.has(AUTHENTICATION)) this.#onAuthenticated();
      else while (this.#processMessage());
    } catch (error) {
      this.#fail(new Error("D-Bus: the message cannot be parsed", { cause: error }));
      this.#socket.destroy();
    }
  }

  #onAuthenticated(): void {
    const end = this.#received.indexOf("\r\n");
    if (end < 0) return;
    const isAccepted = this.#received.toString("utf8", 0, end).startsWith("OK ");
    this.#received = this.#received.subarray(end + 2);
    this.#settle(AUTHENTICATION, isAccepted ? [] : new ConnectionError("The message bus rejected this user"));
  }

  /** Processes one message. Returns `false` if no complete message has been received. */
  #processMessage(): boolean {
    const message = decodeMessage(this.#received);
    if (!message) return false;
    const { type, fields, body, length } = message;
    this.#received = this.#received.subarray(length);
    const serial = Number(fields.get(HEADER_FIELD.replyTo));
    if (type === METHOD_RETURN) this.#settle(serial, body);
    if (type === ERROR) this.#settle(serial, new MethodError(`${fields.get(HEADER_FIELD.error)}`));
    return true;
  }

  #settle(serial: number, reply: Error | readonly DBusValue[]): void {
    this.#pending.get(serial)?.(reply);
    this.#pending.delete(serial);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const serial of [...this.#pending.keys()]) this.#settle(serial, this.#failure);
  }
}

import { connect, type Socket } from "node:net";
import { decodeMessage, ERROR, encodeCall, FIELD, METHOD_RETURN, type Value } from "./dbus-message.ts";

/** A call to a method. */
export interface MethodCall {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  /** The types of the arguments, such as `"ss"`, and the arguments. Default: none. */
  readonly arguments?: readonly [signature: string, ...values: Value[]] | undefined;
}

/** What the other side objected to a call; `error` is its name, as `org.freedesktop.DBus.Error.ServiceUnknown`. */
export class MethodError extends Error {
  readonly error: string;

  constructor(error: string) {
    super(`D-Bus: ${error}`);
    this.error = error;
  }
}

/** There is no connection to the bus, or none any more. */
export class ConnectionError extends Error {}

const IDLE = 5_000; // ms
const GREETING = 0;
const DBUS = "org.freedesktop.DBus";

/** Where a session bus listens, of the addresses that Node can connect to. */
export function socketOf(address: string): string | undefined {
  for (const each of address.split(";")) {
    const [, rest] = /^unix:(.*)$/.exec(each) ?? [];
    const options = new Map(rest?.split(",").map((pair) => pair.split("=", 2) as [string, string]));
    const path = unescaped(options.get("path"));
    const abstract = unescaped(options.get("abstract"));
    if (path !== undefined) return path;
    if (abstract !== undefined) return `\0${abstract}`;
  }
  return undefined;
}

function unescaped(text: string | undefined): string | undefined {
  try {
    return text && decodeURIComponent(text);
  } catch {
    return undefined; // no address that can be right
  }
}

type Settle = (answer: Error | readonly Value[]) => void;

/**
 * A connection to a message bus. It keeps no process alive, and closes when nothing has been asked for some time: who
 * asks has to wait with a timer, and looks at `isOpen` first.
 */
export class Bus {
  readonly #socket: Socket;
  readonly #ready: Promise<unknown>;
  readonly #waiting = new Map<number, Settle>();
  #received = Buffer.alloc(0);
  #serial = GREETING;
  #failure: Error | undefined;

  /** Connects to a socket; a call tells whether that went well. */
  constructor(path: string) {
    this.#socket = connect({ path })
      .unref()
      .on("data", (bytes) => this.#receive(bytes))
      .on("error", (cause) => this.#fail(new ConnectionError("The message bus cannot be reached", { cause })))
      .on("close", () => this.#fail(new ConnectionError("The message bus closed the connection")))
      .setTimeout(IDLE, () => this.#waiting.size === 0 && this.close());
    this.#ready = this.#greet();
    this.#ready.catch(() => this.close());
  }

  get isOpen(): boolean {
    return this.#failure === undefined;
  }

  /** What a method returns. Rejects with a MethodError or a ConnectionError. */
  async call(call: MethodCall): Promise<readonly Value[]> {
    await this.#ready;
    return this.#ask(call);
  }

  close(): void {
    this.#fail(new ConnectionError("The connection to the message bus was closed"));
    this.#socket.destroy();
  }

  async #greet(): Promise<void> {
    const user = Buffer.from(`${process.getuid?.() ?? ""}`).toString("hex");
    await this.#answerTo(GREETING, `\0AUTH EXTERNAL ${user}\r\n`);
    this.#socket.write("BEGIN\r\n");
    await this.#ask({ destination: DBUS, path: "/org/freedesktop/DBus", interface: DBUS, member: "Hello" });
  }

  #ask({ destination, path, interface: of, member, arguments: given }: MethodCall): Promise<readonly Value[]> {
    const [signature, ...body] = given ?? [""];
    const fields = new Map<number, readonly [string, string]>([
      [FIELD.path, ["o", path]],
      [FIELD.interface, ["s", of]],
      [FIELD.member, ["s", member]],
      [FIELD.destination, ["s", destination]],
    ]);
    if (signature !== "") fields.set(FIELD.signature, ["g", signature]);
    const serial = ++this.#serial;
    return this.#answerTo(serial, encodeCall(serial, { fields, body }));
  }

  #answerTo(serial: number, sent: string | Buffer): Promise<readonly Value[]> {
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure);
      this.#waiting.set(serial, (answer) => (answer instanceof Error ? reject(answer) : resolve(answer)));
      this.#socket.write(sent);
    });
  }

  #receive(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    try {
      if (this.#waiting.has(GREETING)) this.#letIn();
      else while (this.#settleNext());
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error("D-Bus: a message that cannot be read"));
      this.#socket.destroy();
    }
  }

  #letIn(): void {
    const end = this.#received.indexOf("\r\n");
    if (end < 0) return;
    const isIn = this.#received.toString("utf8", 0, end).startsWith("OK ");
    this.#received = this.#received.subarray(end + 2);
    this.#settle(GREETING, isIn ? [] : new ConnectionError("The message bus does not let this user in"));
  }

  /** `false` where no message is left. */
  #settleNext(): boolean {
    const message = decodeMessage(this.#received);
    if (!message) return false;
    const { kind, fields, body, length } = message;
    this.#received = this.#received.subarray(length);
    const serial = Number(fields.get(FIELD.replyTo));
    if (kind === METHOD_RETURN) this.#settle(serial, body);
    if (kind === ERROR) this.#settle(serial, new MethodError(`${fields.get(FIELD.error)}`));
    return true;
  }

  #settle(serial: number, answer: Error | readonly Value[]): void {
    this.#waiting.get(serial)?.(answer);
    this.#waiting.delete(serial);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const serial of [...this.#waiting.keys()]) this.#settle(serial, this.#failure);
  }
}

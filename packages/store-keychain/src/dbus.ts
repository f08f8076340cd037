import { connect, type Socket } from "node:net";

/** A call to a method whose arguments are all strings or object paths. */
export interface MethodCall {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly arguments?: readonly string[] | undefined;
}

/** What came back: the body as it was sent, little-endian; `error` names what the other side objected. */
export interface Reply {
  readonly error: string | undefined;
  readonly body: Buffer;
}

const align = (length: number, to: number): number => Math.ceil(length / to) * to;

class Writer {
  #bytes = Buffer.alloc(0);

  get bytes(): Buffer {
    return this.#bytes;
  }

  pad(to: number): this {
    return this.raw(Buffer.alloc(align(this.#bytes.length, to) - this.#bytes.length));
  }

  raw(bytes: Buffer): this {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    return this;
  }

  uint(number: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(number);
    return this.pad(4).raw(bytes);
  }

  text(text: string): this {
    const bytes = Buffer.from(`${text}\0`);
    return this.uint(bytes.length - 1).raw(bytes);
  }

  /** One field of a header: a code and a variant. */
  field(code: number, type: "s" | "o" | "g", text: string): this {
    this.pad(8).raw(Buffer.from([code, 1, type.charCodeAt(0), 0]));
    return type === "g" ? this.raw(Buffer.from(`${String.fromCharCode(text.length)}${text}\0`)) : this.text(text);
  }
}

/** A method call as it goes over the wire (D-Bus specification, "Message Format"). */
function encodeCall(call: MethodCall, serial: number): Buffer {
  const body = new Writer();
  for (const text of call.arguments ?? []) body.text(text);
  const fields = new Writer()
    .field(1, "o", call.path)
    .field(2, "s", call.interface)
    .field(3, "s", call.member)
    .field(6, "s", call.destination);
  if (call.arguments?.length) fields.field(8, "g", "s".repeat(call.arguments.length));
  return new Writer()
    .raw(Buffer.from(["l".charCodeAt(0), 1, 0, 1]))
    .uint(body.bytes.length)
    .uint(serial)
    .uint(fields.bytes.length)
    .raw(fields.bytes)
    .pad(8)
    .raw(body.bytes).bytes;
}

/** The first message in `bytes`: which call it answers, if any, and how long it is; `undefined` where it is not whole. */
function decodeReply(bytes: Buffer): (Reply & { readonly to: number; readonly length: number }) | undefined {
  if (bytes.length < 16) return undefined;
  const end = 16 + bytes.readUInt32LE(12);
  const start = align(end, 8);
  const length = start + bytes.readUInt32LE(4);
  if (bytes.length < length) return undefined;
  const fields = decodeFields(bytes.subarray(0, end));
  const isAnswer = bytes[1] === 2 || bytes[1] === 3;
  return {
    to: isAnswer ? Number(fields.get(5)) : 0,
    error: bytes[1] === 3 ? String(fields.get(4)) : undefined,
    body: bytes.subarray(start, length),
    length,
  };
}

function decodeFields(header: Buffer): ReadonlyMap<number, string | number> {
  const fields = new Map<number, string | number>();
  for (let at = 16; align(at, 8) < header.length; ) {
    at = align(at, 8);
    const [code = 0, , type = 0] = header.subarray(at);
    const [value, next] = decodeValue(header, at + 4, String.fromCharCode(type));
    fields.set(code, value);
    at = next;
  }
  return fields;
}

function decodeValue(header: Buffer, at: number, type: string): readonly [value: string | number, next: number] {
  if (type === "g") {
    const end = at + 1 + (header[at] ?? 0);
    return [header.toString("utf8", at + 1, end), end + 1];
  }
  const number = header.readUInt32LE(at);
  return type === "u" ? [number, at + 4] : [header.toString("utf8", at + 4, at + 4 + number), at + 5 + number];
}

/** Where a session bus listens, of the addresses that Node can connect to. */
export function socketOf(address: string): string | undefined {
  for (const each of address.split(";")) {
    const [, transport, rest = ""] = /^(\w+):(.*)$/.exec(each) ?? [];
    const options = new Map(rest.split(",").map((pair) => pair.split("=", 2) as [string, string]));
    const path = options.get("path");
    const abstract = options.get("abstract");
    if (transport !== "unix") continue;
    if (path !== undefined) return decodeURIComponent(path);
    if (abstract !== undefined) return `\0${decodeURIComponent(abstract)}`;
  }
  return undefined;
}

/** A connection to a message bus, for one question after the other. */
export class Bus implements Disposable {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #serial = 0;
  #wake: () => void = () => undefined;
  #failure: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    const fail = (error?: Error) => {
      this.#failure ??= error ?? new Error("The message bus closed the connection");
      this.#wake();
    };
    socket.on("data", (bytes) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      this.#wake();
    });
    socket.on("error", fail).on("close", () => fail());
  }

  /** Connects, says who we are, and greets. To abort `signal` ends the connection. */
  static async open(path: string, signal: AbortSignal): Promise<Bus> {
    const bus = new Bus(connect({ path }));
    signal.addEventListener("abort", () => bus.#socket.destroy(), { once: true });
    try {
      await bus.#greet();
    } catch (error) {
      bus[Symbol.dispose]();
      throw error;
    }
    return bus;
  }

  async call(call: MethodCall): Promise<Reply> {
    const serial = ++this.#serial;
    this.#socket.write(encodeCall(call, serial));
    for (;;) {
      const message = await this.#next(() => decodeReply(this.#received));
      this.#received = this.#received.subarray(message.length);
      if (message.to === serial) return message;
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  async #greet(): Promise<void> {
    const user = Buffer.from(String(process.getuid?.() ?? "")).toString("hex");
    this.#socket.write(`\0AUTH EXTERNAL ${user}\r\n`);
    const end = await this.#next(() => this.#received.indexOf("\r\n") + 1 || undefined);
    const answer = this.#received.toString("utf8", 0, end - 1);
    if (!answer.startsWith("OK ")) throw new Error("The message bus does not let this user in");
    this.#received = this.#received.subarray(end + 1);
    this.#socket.write("BEGIN\r\n");
    const dbus = "org.freedesktop.DBus";
    await this.call({ destination: dbus, path: "/org/freedesktop/DBus", interface: dbus, member: "Hello" });
  }

  async #next<T>(look: () => T | undefined): Promise<T> {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      if (this.#failure) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** A D-Bus value: arrays, structs and dict entries are arrays, `ay` is a Buffer, a variant is `[type, value]`. */
export type DBusValue = string | number | boolean | Buffer | readonly DBusValue[];

/** A received message. Header fields are keyed by their codes in the specification. */
export interface DBusMessage {
  readonly type: number;
  readonly fields: ReadonlyMap<number, DBusValue>;
  readonly body: readonly DBusValue[];
  /** The length of the whole message in bytes. */
  readonly length: number;
}

/** Message types, and the codes of the header fields in use. */
const METHOD_CALL = 1;
export const METHOD_RETURN = 2;
export const ERROR = 3;
export const HEADER_FIELD = {
  path: 1,
  interface: 2,
  member: 3,
  error: 4,
  replyTo: 5,
  destination: 6,
  signature: 8,
} as const;

const PROTOCOL_VERSION = 1;
const LITTLE_ENDIAN = "l".charCodeAt(0);
const HEADER_SIGNATURE = "yyyyuua(yv)";
const FIXED_HEADER_LENGTH = 16; // bytes, up to the fields

const align = (length: number, to: number): number => Math.ceil(length / to) * to;

const alignmentOf = (type: string): number => ("({".includes(type.charAt(0)) ? 8 : "ygv".includes(type) ? 1 : 4);

/** Splits a signature into its single complete types. */
function splitSignature(signature: string): readonly string[] {
  const types: string[] = [];
  for (let at = 0; at < signature.length; at += types.at(-1)?.length ?? 1) {
    types.push(signature.slice(at, endOfType(signature, at)));
  }
  return types;
}

function endOfType(signature: string, start: number): number {
  const first = signature[start];
  if (first === "a") return endOfType(signature, start + 1);
  if (first !== "(" && first !== "{") return start + 1;
  let at = start + 1;
  while (at < signature.length && !")}".includes(signature.charAt(at))) at = endOfType(signature, at);
  return at + 1;
}

const unsupportedType = (type: string): Error => new Error(`D-Bus: unsupported type "${type}"`);

class MessageWriter {
  #bytes = Buffer.alloc(0);

  get bytes(): Buffer {
    return this.#bytes;
  }

  writeAll(signature: string, values: readonly DBusValue[]): this {
    for (const [index, type] of splitSignature(signature).entries()) this.#write(type, values[index] ?? "");
    return this;
  }

  pad(to: number): this {
    return this.#append(Buffer.alloc(align(this.#bytes.length, to) - this.#bytes.length));
  }

  #write(type: string, value: DBusValue): this {
    this.pad(alignmentOf(type));
    if (type === "y") return this.#append(Buffer.from([Number(value)]));
    if (type === "u") return this.#uint(Number(value));
    if (type === "s" || type === "o")
      return this.#uint(Buffer.byteLength(`${value}`)).#append(Buffer.from(`${value}\0`));
    if (type === "g") return this.#append(Buffer.from(`${String.fromCharCode(`${value}`.length)}${value}\0`));
    if (type === "ay" && Buffer.isBuffer(value)) return this.#uint(value.length).#append(value);
    if (!Array.isArray(value)) throw unsupportedType(type);
    if (type === "v") return this.writeAll(`g${value[0]}`, value);
    if (type.startsWith("a")) return this.#array(type.slice(1), value);
    return this.writeAll(type.slice(1, -1), value);
  }

  #array(type: string, values: readonly DBusValue[]): this {
    const at = this.#bytes.length;
    this.#uint(0).pad(alignmentOf(type));
    const start = this.#bytes.length;
    for (const value of values) this.#write(type, value);
    this.#bytes.writeUInt32LE(this.#bytes.length - start, at);
    return this;
  }

  #append(bytes: Buffer): this {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    return this;
  }

  #uint(number: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(number);
    return this.#append(bytes);
  }
}

class MessageReader {
  readonly #bytes: Buffer;
  readonly #isLittle: boolean;
  #at = 0;

  constructor(bytes: Buffer, isLittle: boolean) {
    this.#bytes = bytes;
    this.#isLittle = isLittle;
  }

  readAll(signature: string): readonly DBusValue[] {
    return splitSignature(signature).map((type) => this.#read(type));
  }

  #read(type: string): DBusValue {
    this.#at = align(this.#at, alignmentOf(type));
    if (type === "y") return this.#bytes.readUInt8(this.#at++);
    if (type === "b") return this.#uint() === 1;
    if (type === "u") return this.#uint();
    if (type === "s" || type === "o") return this.#text(this.#uint());
    if (type === "g") return this.#text(this.#bytes.readUInt8(this.#at++));
    if (type === "v") return this.#variant();
    if (type.startsWith("a")) return this.#array(type.slice(1));
    if (type.startsWith("(") || type.startsWith("{")) return this.readAll(type.slice(1, -1));
    throw unsupportedType(type);
  }

  #variant(): DBusValue {
    const type = `${this.#read("g")}`;
    return [type, ...this.readAll(type)];
  }

  #array(type: string): DBusValue {
    const length = this.#uint();
    this.#at = align(this.#at, alignmentOf(type));
    const end = this.#at + length;
    if (type === "y") return this.#take(length);
    const values: DBusValue[] = [];
    while (this.#at < end) values.push(this.#read(type));
    return values;
  }

  #text(length: number): string {
    const text = this.#take(length).toString("utf8");
    this.#at++; // the terminating null byte
    return text;
  }

  #take(length: number): Buffer {
    const taken = this.#bytes.subarray(this.#at, this.#at + length);
    if (taken.length < length) throw new Error("D-Bus: the message is truncated");
    this.#at += length;
    return taken;
  }

  #uint(): number {
    const number = this.#isLittle ? this.#bytes.readUInt32LE(this.#at) : this.#bytes.readUInt32BE(this.#at);
    this.#at += 4;
    return number;
  }
}

/** Encodes a method call (D-Bus specification, "Message Format"). */
export function encodeCall(
  serial: number,
  {
    fields,
    body,
  }: { readonly fields: ReadonlyMap<number, readonly [type: string, text: string]>; readonly body: DBusValue[] },
): Buffer {
  const bytes = new MessageWriter().writeAll(fields.get(HEADER_FIELD.signature)?.[1] ?? "", body).bytes;
  const header = [LITTLE_ENDIAN, METHOD_CALL, 0, PROTOCOL_VERSION, bytes.length, serial, [...fields]];
  return Buffer.concat([new MessageWriter().writeAll(HEADER_SIGNATURE, header).pad(8).bytes, bytes]);
}

/** Decodes the first message in `bytes`. Returns `undefined` if it is incomplete. */
export function decodeMessage(bytes: Buffer): DBusMessage | undefined {
  if (bytes.length < FIXED_HEADER_LENGTH) return undefined;
  const isLittle = bytes[0] === LITTLE_ENDIAN;
  const uint = (at: number) => (isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const start = align(FIXED_HEADER_LENGTH + uint(12), 8);
  const length = start + uint(4);
  if (bytes.length < length) return undefined;
  const [, type, , , , , pairs] = new MessageReader(bytes.subarray(0, start), isLittle).readAll(HEADER_SIGNATURE);
  const fields = new Map((pairs as [number, [string, DBusValue]][]).map(([code, [, value]]) => [code, value]));
  const body = new MessageReader(bytes.subarray(start, length), isLittle);
  // Only the bodies of method returns are parsed, not those of signals.
  const isReturn = type === METHOD_RETURN;
  return {
    type: Number(type),
    fields,
    body: isReturn ? body.readAll(`${fields.get(HEADER_FIELD.signature) ?? ""}`) : [],
    length,
  };
}

/** What is said over D-Bus: an array, a struct and a dict entry are arrays, `ay` is a Buffer, a variant is `[type, value]`. */
export type Value = string | number | boolean | Buffer | readonly Value[];

/** A message as it came; numbers of the header's fields as in the specification. */
export interface Message {
  readonly kind: number;
  readonly fields: ReadonlyMap<number, Value>;
  readonly body: readonly Value[];
  /** How many bytes it took. */
  readonly length: number;
}

/** Kinds of messages, and the fields of a header that we read or write. */
const METHOD_CALL = 1;
export const METHOD_RETURN = 2;
export const ERROR = 3;
export const FIELD = { path: 1, interface: 2, member: 3, error: 4, replyTo: 5, destination: 6, signature: 8 } as const;

const VERSION = 1;
const LITTLE = "l".charCodeAt(0);
const HEADER = "yyyyuua(yv)";
const FIXED = 16; // bytes, up to the fields

const align = (length: number, to: number): number => Math.ceil(length / to) * to;

const alignmentOf = (type: string): number => ("({".includes(type.charAt(0)) ? 8 : "ygv".includes(type) ? 1 : 4);

/** The complete types that a signature is made of. */
function typesOf(signature: string): readonly string[] {
  const types: string[] = [];
  for (let at = 0; at < signature.length; at += types.at(-1)?.length ?? 1) {
    types.push(signature.slice(at, endOf(signature, at)));
  }
  return types;
}

function endOf(signature: string, start: number): number {
  const first = signature[start];
  if (first === "a") return endOf(signature, start + 1);
  if (first !== "(" && first !== "{") return start + 1;
  let at = start + 1;
  while (at < signature.length && !")}".includes(signature.charAt(at))) at = endOf(signature, at);
  return at + 1;
}

const unknown = (type: string): Error => new Error(`D-Bus: the type "${type}" is not known here`);

class Writer {
  #bytes = Buffer.alloc(0);

  get bytes(): Buffer {
    return this.#bytes;
  }

  all(signature: string, values: readonly Value[]): this {
    for (const [index, type] of typesOf(signature).entries()) this.#one(type, values[index] ?? "");
    return this;
  }

  pad(to: number): this {
    return this.#raw(Buffer.alloc(align(this.#bytes.length, to) - this.#bytes.length));
  }

  #one(type: string, value: Value): this {
    this.pad(alignmentOf(type));
    if (type === "y") return this.#raw(Buffer.from([Number(value)]));
    if (type === "u") return this.#uint(Number(value));
    if (type === "s" || type === "o") return this.#uint(Buffer.byteLength(`${value}`)).#raw(Buffer.from(`${value}\0`));
    if (type === "g") return this.#raw(Buffer.from(`${String.fromCharCode(`${value}`.length)}${value}\0`));
    if (!Array.isArray(value)) throw unknown(type);
    if (type === "v") return this.all(`g${value[0]}`, value);
    if (type.startsWith("a")) return this.#array(type.slice(1), value);
    return this.all(type.slice(1, -1), value);
  }

  #array(type: string, values: readonly Value[]): this {
    const at = this.#bytes.length;
    this.#uint(0).pad(alignmentOf(type));
    const start = this.#bytes.length;
    for (const value of values) this.#one(type, value);
    this.#bytes.writeUInt32LE(this.#bytes.length - start, at);
    return this;
  }

  #raw(bytes: Buffer): this {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    return this;
  }

  #uint(number: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(number);
    return this.#raw(bytes);
  }
}

class Reader {
  readonly #bytes: Buffer;
  readonly #isLittle: boolean;
  #at = 0;

  constructor(bytes: Buffer, isLittle: boolean) {
    this.#bytes = bytes;
    this.#isLittle = isLittle;
  }

  all(signature: string): readonly Value[] {
    return typesOf(signature).map((type) => this.#one(type));
  }

  #one(type: string): Value {
    this.#at = align(this.#at, alignmentOf(type));
    if (type === "y") return this.#bytes.readUInt8(this.#at++);
    if (type === "b") return this.#uint() === 1;
    if (type === "u") return this.#uint();
    if (type === "s" || type === "o") return this.#text(this.#uint());
    if (type === "g") return this.#text(this.#bytes.readUInt8(this.#at++));
    if (type === "v") return this.#variant();
    if (type.startsWith("a")) return this.#array(type.slice(1));
    if (type.startsWith("(") || type.startsWith("{")) return this.all(type.slice(1, -1));
    throw unknown(type);
  }

  #variant(): Value {
    const type = `${this.#one("g")}`;
    return [type, ...this.all(type)];
  }

  #array(type: string): Value {
    const length = this.#uint();
    this.#at = align(this.#at, alignmentOf(type));
    const end = this.#at + length;
    if (type === "y") return this.#take(length);
    const values: Value[] = [];
    while (this.#at < end) values.push(this.#one(type));
    return values;
  }

  #text(length: number): string {
    const text = this.#take(length).toString("utf8");
    this.#at++; // the zero
    return text;
  }

  #take(length: number): Buffer {
    const taken = this.#bytes.subarray(this.#at, this.#at + length);
    if (taken.length < length) throw new Error("D-Bus: a message ends before its time");
    this.#at += length;
    return taken;
  }

  #uint(): number {
    const number = this.#isLittle ? this.#bytes.readUInt32LE(this.#at) : this.#bytes.readUInt32BE(this.#at);
    this.#at += 4;
    return number;
  }
}

/** A method call as it goes over the wire (D-Bus specification, "Message Format"). */
export function encodeCall(
  serial: number,
  {
    fields,
    body,
  }: { readonly fields: ReadonlyMap<number, readonly [type: string, text: string]>; readonly body: Value[] },
): Buffer {
  const bytes = new Writer().all(fields.get(FIELD.signature)?.[1] ?? "", body).bytes;
  const header = [LITTLE, METHOD_CALL, 0, VERSION, bytes.length, serial, [...fields]];
  return Buffer.concat([new Writer().all(HEADER, header).pad(8).bytes, bytes]);
}

/** The first message in `bytes`; `undefined` where it is not all there yet. */
export function decodeMessage(bytes: Buffer): Message | undefined {
  if (bytes.length < FIXED) return undefined;
  const isLittle = bytes[0] === LITTLE;
  const uint = (at: number) => (isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const start = align(FIXED + uint(12), 8);
  const length = start + uint(4);
  if (bytes.length < length) return undefined;
  const [, kind, , , , , pairs] = new Reader(bytes.subarray(0, start), isLittle).all(HEADER);
  const fields = new Map((pairs as [number, [string, Value]][]).map(([code, [, value]]) => [code, value]));
  const body = new Reader(bytes.subarray(start, length), isLittle);
  // Of what nobody asked for, such as a signal, the body is not looked at.
  const isReturn = kind === METHOD_RETURN;
  return { kind: Number(kind), fields, body: isReturn ? body.all(`${fields.get(FIELD.signature) ?? ""}`) : [], length };
}

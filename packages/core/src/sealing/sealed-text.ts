import { fromBase64Url, toBase64Url } from "../util/base64url.ts";

const PREFIX = "unexpired-sealed-1";
const NONCE_BYTES = 12;

/** A text that was sealed: the ID of its key, and what the key decrypts. */
export interface SealedText {
  readonly id: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The key and the name to which a text is bound: it cannot be opened with another key, nor under another name. */
interface Binding {
  readonly id: string;
  readonly key: CryptoKey;
  readonly name: string;
}

const algorithm = ({ id, name }: Binding, iv: Uint8Array<ArrayBuffer>): AesGcmParams => ({
  name: "AES-GCM",
  iv,
  additionalData: new TextEncoder().encode(JSON.stringify([PREFIX, id, name])),
});

/** Encrypts a text with AES-GCM and a random nonce. */
export async function seal(text: string, binding: Binding): Promise<string> {
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const encrypted = await crypto.subtle.encrypt(algorithm(binding, nonce), binding.key, new TextEncoder().encode(text));
  const bytes = new Uint8Array(NONCE_BYTES + encrypted.byteLength);
  bytes.set(nonce);
  bytes.set(new Uint8Array(encrypted), NONCE_BYTES);
  const id = toBase64Url(new TextEncoder().encode(binding.id));
  return `${PREFIX}.${id}.${toBase64Url(bytes)}`;
}

/** Reads a sealed text; returns `undefined` if it is another one. */
export function parseSealed(text: string): SealedText | undefined {
  const [prefix, id, content, ...rest] = text.split(".");
  if (prefix !== PREFIX || id === undefined || content === undefined || rest.length > 0) return undefined;
  const [idBytes, bytes] = [fromBase64Url(id), fromBase64Url(content)];
  return idBytes && bytes && { id: new TextDecoder().decode(idBytes), bytes };
}

/** Decrypts a text. Rejects if it was changed, or is bound to something else. */
export async function open({ bytes }: SealedText, binding: Binding): Promise<string> {
  const nonce = bytes.slice(0, NONCE_BYTES);
  const decrypted = await crypto.subtle.decrypt(algorithm(binding, nonce), binding.key, bytes.slice(NONCE_BYTES));
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(decrypted);
}

import { StoreError, UnexpiredError } from "@unexpired/core";

const RIGHTS =
  "Grant the user `+eval +hmget +hset +hdel +exists +del +publish`, and the keys and channels that begin with the prefix: by default `~unexpired:* &unexpired:*`.";

/** Instructions by the first word of Redis's error message. */
const HINTS: Readonly<Record<string, string>> = {
  READONLY: "Let the client connect to the primary server: sessions cannot be kept on a replica, which may be old.",
  NOREPLICAS:
    "Nothing was saved, because fewer replicas are connected than `min-replicas-to-write` asks for. Check the replicas, and try again.",
  OOM: "Nothing was saved, because the server has reached its `maxmemory`. Give it more memory, or remove other keys.",
  MISCONF: "Nothing was saved, because the server cannot write to its disk. Check its log.",
  LOADING: "The server is still loading its data. Try again when it is done.",
  MASTERDOWN: "The replica that was reached has lost its primary server. Let the client connect to the primary.",
  CLUSTERDOWN: "Some slots of the cluster have no server. Check `CLUSTER INFO`, and try again.",
  MOVED: "The server is part of a cluster. Use the cluster client of your library.",
  BUSY: "Another script blocks the server. Try again when it is done.",
  NOAUTH: "Give the client the password of the server.",
  WRONGPASS: "Check the user name and password of the client.",
  NOPERM: RIGHTS,
};

const OTHERWISE = "Check that the evaluate function reaches the server, and try again.";

const CODE = new RegExp(`\\b(WRONGTYPE|${Object.keys(HINTS).join("|")})\\b`);
/** Messages that begin with ERR, although there is a code for what they say. */
const TEXTS: readonly (readonly [text: RegExp, code: string])[] = [
  [/The user executing the script|ACL failure in script/, "NOPERM"],
  [/unauthenticated/, "NOAUTH"], // if the session is long
];

/** Returns the error for a script that failed. `value` is the session that it was to store, which its message must not quote. */
export function toStoreError(error: unknown, location: string, value = ""): StoreError {
  if (UnexpiredError.is(error) && (error.code === "STORE_UNAVAILABLE" || error.code === "STORE_UNREADABLE"))
    return error;
  const message = withoutQuotes(messageOf(error), value);
  const code = serverCodeOf(message) ?? codeOf(error);
  if (code === "WRONGTYPE") return unreadableError(location);
  return new StoreError("STORE_UNAVAILABLE", {
    location,
    problem: `cannot be used (${message})`,
    hint: HINTS[code ?? ""] ?? OTHERWISE,
    cause: Object.assign(new Error(message), code !== undefined && { code }),
  });
}

/** Returns the error for a key that holds something else. */
export const unreadableError = (location: string): StoreError =>
  new StoreError("STORE_UNREADABLE", {
    location,
    problem: "holds data that this store did not save",
    hint: "The data was not changed. Choose another prefix or key.",
  });

/** Returns the code of the server's error. Redis 6 wraps those of a script, so it may stand anywhere in the message. */
const serverCodeOf = (message: string): string | undefined =>
  CODE.exec(message)?.[0] ?? TEXTS.find(([text]) => text.test(message))?.[1];

/** Returns the code of an error, unless it could be anything else. */
function codeOf(error: unknown): string | undefined {
  const { code }: { code?: unknown } = Object(error);
  return typeof code === "string" && /^\w{1,40}$/.test(code) ? code : undefined;
}

function messageOf(error: unknown): string {
  const { message }: { message?: unknown } = Object(error);
  const text = typeof message === "string" && message !== "" ? message : codeOf(error);
  return text ?? "the evaluate function failed without a message";
}

/** Masks the words of a message that also occur in a session: a server that does not know a command quotes its arguments. */
const withoutQuotes = (message: string, value: string): string =>
  message.replace(/[\w~+/=.-]{8,}/g, (word) => (value.includes(word.replace(/\.+$/, "")) ? "[secret]" : word));

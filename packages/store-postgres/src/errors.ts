import { StoreError, UnexpiredError } from "@unexpired/core";

/** The SQLSTATE of a transaction that the server undid, because another one had changed the same row. */
export const SERIALIZATION_FAILURE = "40001";

const NO_TABLE =
  "Run migrate({ query }) or the SQL file of @unexpired/store-postgres first, or check the option `table`.";
const PRIMARY =
  "Pass a query function that reaches the primary server, with a connection that may write: sessions cannot be kept on a standby.";
const RIGHTS =
  "Grant the role SELECT, INSERT, UPDATE and DELETE on the table, and CREATE on its schema if it is to run migrate().";
const PREPARED = "Turn named prepared statements off: they do not work through a pooler in transaction mode.";

/** Instructions by SQLSTATE ({@link https://www.postgresql.org/docs/current/errcodes-appendix.html}). */
const HINTS: Readonly<Record<string, string>> = {
  "25006": PRIMARY, // read_only_sql_transaction
  "26000": PREPARED, // invalid_sql_statement_name
  "3F000": "Create the schema first, or check the option `table`.", // invalid_schema_name
  "42501": RIGHTS, // insufficient_privilege
  "42703": NO_TABLE, // undefined_column
  "42P01": NO_TABLE, // undefined_table
  "42P05": PREPARED, // duplicate_prepared_statement
};

const OTHERWISE = "Check that the query function reaches the database, and try again.";

/** Returns the error for a statement that failed. `value` is the session that it was to store, which its message must not quote. */
export function toStoreError(error: unknown, location: string, value = ""): StoreError {
  if (UnexpiredError.is(error) && error.code === "STORE_UNAVAILABLE") return error;
  const source = serverErrorOf(error) ?? error;
  const message = withoutQuotes(messageOf(source), value);
  const code = codeOf(source);
  const isReadOnly = code === "25006";
  return new StoreError("STORE_UNAVAILABLE", {
    location,
    problem: isReadOnly ? "cannot be written, because the connection is read-only" : `cannot be used (${message})`,
    hint: HINTS[code ?? ""] ?? OTHERWISE,
    cause: Object.assign(new Error(message), code !== undefined && { code }),
  });
}

/** Returns the error for a session that was read from a standby, which may lag behind. */
export const standbyError = (location: string): StoreError =>
  new StoreError("STORE_UNAVAILABLE", {
    location,
    problem: "cannot be used, because the query function reached a standby server, whose sessions may be old",
    hint: PRIMARY,
  });

/** Returns the SQLSTATE of an error, or of the error that it wraps; `undefined` if the server did not report it. */
export const sqlStateOf = (error: unknown): string | undefined => codeOf(serverErrorOf(error));

const SQL_STATE = /^[0-9A-Z]{5}$/;

/** Returns the error of the server: libraries wrap it as `cause`, and Prisma in `meta`. */
function serverErrorOf(error: unknown): unknown {
  for (let inner = error, depth = 0; inner !== undefined && depth < 5; inner = Object(inner).cause, depth++) {
    const { meta }: { meta?: unknown } = Object(inner);
    const candidates = [Object(Object(meta).driverAdapterError).cause, meta, inner];
    const found = candidates.find((candidate) => SQL_STATE.test(codeOf(candidate) ?? ""));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Returns the code of an error, unless it could be anything else. */
function codeOf(error: unknown): string | undefined {
  const { originalCode, code = originalCode }: { originalCode?: unknown; code?: unknown } = Object(error);
  return typeof code === "string" && /^\w{1,40}$/.test(code) ? code : undefined;
}

function messageOf(error: unknown): string {
  const { originalMessage, message = originalMessage }: { originalMessage?: unknown; message?: unknown } =
    Object(error);
  const text = typeof message === "string" && message !== "" ? message : codeOf(error);
  return text ?? "the query function failed without a message";
}

/** Masks the words of a message that also occur in a session: some libraries quote the parameters of a statement. */
const withoutQuotes = (message: string, value: string): string =>
  message.replace(/[\w~+/=.-]{8,}/g, (word) => (value.includes(word.replace(/\.+$/, "")) ? "[secret]" : word));

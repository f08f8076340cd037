import type { FileStoreOptions } from "@unexpired/store-node";

type Format = NonNullable<FileStoreOptions["format"]>;
type Document = Record<string, unknown> & { session?: { access: string; refresh: string } };

/** A document such as `{ "theme": "dark", "session": { … } }`. */
export const plainFormat: Format = {
  key: "session",
  parse(text) {
    const { session } = JSON.parse(text) as Document;
    return session && { tokens: { accessToken: session.access, refreshToken: session.refresh } };
  },
  print(session, found) {
    const { session: before, ...others } = JSON.parse(found ?? "{}") as Document;
    if (!session) return before ? JSON.stringify(others) : found;
    const { accessToken, refreshToken = "" } = session.tokens;
    return JSON.stringify({ ...others, session: { access: accessToken, refresh: refreshToken } });
  },
};

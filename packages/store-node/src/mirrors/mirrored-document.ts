import type { SessionFormat, StoreEvent } from "@unexpired/core";

/** The text of a document at one moment. */
export interface DocumentText {
  /** The whole text; `undefined` if the document does not exist. */
  readonly text: string | undefined;
  /** Whatever the document needs to tell whether it has changed since. Only the document itself reads it. */
  readonly stamp?: unknown;
}

/**
 * A document of another program that shows a copy of the session, for `mirroredStore`. `fileDocument` makes one for a
 * file, `keychainItem` of `@unexpired/store-keychain` one for an item of a keychain.
 */
export interface MirroredDocument {
  /** Finds the session in the text, and puts it there. */
  readonly format: SessionFormat;
  /** Returns the location of the document, for people. No secrets. */
  describe(): string;
  /**
   * Resolves to the current text.
   *
   * @throws StoreError if the document exists and cannot be read
   */
  read(): Promise<DocumentText>;
  /** Resolves to whether the document still has this text. Cheaper than `read`; if omitted, it is read again. */
  isCurrent?(known: DocumentText): Promise<boolean>;
  /**
   * Replaces the text `before`, as `read` returned it, by `next`; `undefined` deletes the document. Resolves to `false`,
   * with the document as it was, if its text is not `before` any more. What is stored survives a power failure if the
   * place allows it.
   *
   * @throws StoreError if the document cannot be written; its `cause` has the code of the system, such as `EROFS`
   */
  replace(before: DocumentText, next: string | undefined): Promise<boolean>;
  /**
   * Runs `update`, which reads and replaces, while no other process of this library does. Advisory: it only saves wasted
   * work, so it waits for a fraction of a second at most, and then runs `update` anyway. If omitted, `update` just
   * runs.
   */
  exclusively?(update: () => Promise<void>): Promise<void>;
  /** Calls `onChange` when the text may have changed, until the returned function is called. Must not keep the process alive. */
  watch?(onChange: () => void): () => void;
  /** Calls `listener` when a write of another program was lost, until the returned function is called. */
  subscribe?(listener: (event: StoreEvent) => void): () => void;
  /** Notes of this library about the document. Without it, every process begins to remember when it starts. */
  readonly notes?: DocumentNotes | undefined;
}

/** Notes of this library about a document, outside of it. Every function throws if the place cannot be used. */
export interface DocumentNotes {
  /** Returns the location of the notes, for people who have to delete them. No secrets. */
  describe(): string;
  /**
   * Resolves to the ID of the store whose session the document shows, or `undefined` if none is noted. Absent if the place
   * cannot keep an ID: two stores that mirror into the same document are then not told apart.
   *
   * @throws ConfigurationError if the document has a store of its own
   */
  primary?(): Promise<string | undefined>;
  /** Notes `id`, unless an ID is noted already, atomically. Resolves to the ID that is noted now. */
  claim?(id: string): Promise<string>;
  /**
   * Resolves to the marks of the sessions that the document shows or is about to show; empty since a sign-out. `undefined`
   * if it has never held the session.
   */
  shown(): Promise<readonly string[] | undefined>;
  /** Replaces the marks that `shown` resolved to last. A mark consists of letters, digits, `-`, `_` and `.`. Adds before it removes. */
  setShown(marks: readonly string[]): Promise<void>;
  /** Forgets everything, to uninstall an application. */
  remove(): Promise<void>;
}

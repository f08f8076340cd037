import type { TokenStore } from "@unexpired/core";

/** The stores of one process, with connections of its own. Disposing them closes these. */
export interface Stores extends AsyncDisposable {
  store(key: string): TokenStore;
}

/** A real database that is shared by the rows of a group. */
export interface Database extends AsyncDisposable {
  /** Opens the stores of a process, with at most so many connections. */
  open(connections?: number): Stores;
  /** Ends all connections, and starts again with the same data. */
  restart(): Promise<void>;
  /** Refuses connections until {@link start}. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Accepts connections and responds to nothing until {@link resume}. */
  pause(): void;
  resume(): void;
  /** Returns what is stored under a key. */
  read(key: string): Promise<string>;
  /** Exchanges what is stored under two keys, as anyone who can write to the database could. */
  swap(one: string, other: string): Promise<void>;
}

/** A kind of database. */
export interface DatabaseKind<D extends Database = Database> {
  readonly title: string;
  /** Returns the reason why it cannot be started here, if it cannot. */
  missing(): string | undefined;
  start(): Promise<D>;
}

import { execFile } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import {
  type Listen,
  type PostgresNotifications,
  postgresNotifications,
  postgresStore,
} from "@unexpired/store-postgres";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { type Driver, drivers } from "./support/drivers.ts";
import { listeners } from "./support/listeners.ts";
import { freshKey, TestServer } from "./support/server.ts";

const server = TestServer.use();
const DRIVERS = ["pg", "postgres"] as const;

/** Notifications over real connections, with a count of them. */
function listening(driver: Driver) {
  const counts = { started: 0, ended: 0 };
  const counted: Listen = async (channel, handlers) => {
    counts.started++;
    const stop = await listeners[driver](server.connection)(channel, handlers);
    return async () => {
      counts.ended++;
      await stop();
    };
  };
  return { counts, notifications: postgresNotifications({ listen: counted }) };
}

/** Watches a session, and provides its notifications as they come. */
function watch(notifications: PostgresNotifications, key: string) {
  const changes = new EventTarget();
  let count = 0;
  const stop = notifications.watch(key, () => {
    count++;
    changes.dispatchEvent(new Event("change"));
  });
  onTestFinished(stop);
  return { next: () => once(changes, "change"), count: () => count, stop };
}

const storeOf = (key: string, notifications?: PostgresNotifications) =>
  postgresStore({ query: server.query, key, notifications });

describe.each(DRIVERS)("with %s", (driver) => {
  it("notifies the watchers of a key of each change, through one connection", async () => {
    const { counts, notifications } = listening(driver);
    const [mine, theirs] = [freshKey(), freshKey()];
    const other = storeOf(mine, postgresNotifications({ listen: () => () => {} })); // as in another process
    const [first, second, elsewhere] = [mine, mine, theirs].map((key) => watch(notifications, key));
    await first?.next(); // listening has started
    const before = elsewhere?.count();
    const change = async (run: () => Promise<unknown>) => {
      const notified = [first?.next(), second?.next()];
      const result = await run();
      await Promise.all(notified);
      return result;
    };
    const version = await change(() => other.save("1", undefined));
    await change(() => other.save("2", String(version)));
    await change(() => other.remove());
    expect(elsewhere?.count()).toBe(before);
    expect(counts).toEqual({ started: 1, ended: 0 });
    first?.stop();
    const [left, stopped] = [second?.next(), first?.count()];
    await other.save("3", undefined);
    await left;
    expect(first?.count()).toBe(stopped);
  });

  it("listens while there is a watcher, and not before and after", async () => {
    const { counts, notifications } = listening(driver);
    const store = storeOf(freshKey(), notifications);
    await store.save("1", undefined);
    expect(counts).toEqual({ started: 0, ended: 0 });
    for (const round of [1, 2]) {
      const watcher = watch(notifications, freshKey());
      await watcher.next();
      watcher.stop();
      watcher.stop();
      await vi.waitFor(() => expect(counts).toEqual({ started: round, ended: round }));
    }
    const listens = "select count(*) as count from pg_stat_activity where query ilike 'listen%'";
    await vi.waitFor(async () => expect(await server.row(listens)).toEqual({ count: "0" }), { timeout: 10_000 });
  });

  it("tells every watcher to look again when the server is back, and notifies again", { timeout: 60_000 }, async () => {
    const { notifications } = listening(driver);
    const [key, another] = [freshKey(), freshKey()];
    const watchers = [watch(notifications, key), watch(notifications, another)];
    await Promise.all(watchers.map((watcher) => watcher.next()));
    const restarted = watchers.map((watcher) => watcher.next());
    await server.postgres.restart();
    await Promise.all(restarted);
    const notified = watchers[0]?.next();
    await storeOf(key, notifications).save("1", undefined);
    await notified;
  });

  it("starts when the server does", { timeout: 60_000 }, async () => {
    await server.postgres.stop();
    const { counts, notifications } = listening(driver);
    const watcher = watch(notifications, freshKey());
    await vi.waitFor(() => expect(counts.started).toBeGreaterThan(1), { timeout: 20_000 });
    const ready = watcher.next();
    await server.postgres.start();
    await ready;
  });

  it("notifies of saves through a client that does not listen", async () => {
    const { notifications } = listening(driver);
    const key = freshKey();
    const watcher = watch(notifications, key);
    await watcher.next();
    await using client = drivers[driver](server.connection);
    const notified = watcher.next();
    await postgresStore({ query: client.query, key, notifications }).save("1", undefined);
    await notified;
  });
});

describe("a save", () => {
  it("that is a conflict notifies of nothing", async () => {
    const { notifications } = listening("pg");
    const [key, another] = [freshKey(), freshKey()];
    const watchers = [watch(notifications, key), watch(notifications, another)];
    await Promise.all(watchers.map((watcher) => watcher.next()));
    const before = watchers[0]?.count();
    await expect(storeOf(key, notifications).save("1", "no version")).rejects.toMatchObject({ code: "STORE_CONFLICT" });
    const notified = watchers[1]?.next();
    await storeOf(another, notifications).save("1", undefined);
    await notified; // after whatever the conflict would have sent
    expect(watchers[0]?.count()).toBe(before);
  });

  it("with the longest key is notified", async () => {
    const { notifications } = listening("pg");
    const key = "漢".repeat(500);
    const watcher = watch(notifications, key);
    await watcher.next();
    const notified = watcher.next();
    await storeOf(key, notifications).save("1", undefined);
    await notified;
  });
});

it("has no watch without notifications, so that a manager looks again by itself", () => {
  expect(storeOf("a").watch).toBeUndefined();
});

describe("a connection", () => {
  /** A `listen` whose connections the test controls. */
  function controlled() {
    const connections: { handlers: Parameters<Listen>[1]; end: ReturnType<typeof vi.fn> }[] = [];
    const listen = vi.fn<Listen>((_, handlers) => {
      const end = vi.fn();
      connections.push({ handlers, end });
      return end;
    });
    return { connections, listen };
  }

  it("that is lost is ended once, and no longer listened to", async () => {
    const { connections, listen } = controlled();
    const watcher = watch(postgresNotifications({ listen }), "a");
    await vi.waitFor(() => expect(connections).toHaveLength(1));
    const [{ handlers, end } = {}] = connections;
    handlers?.onClose();
    handlers?.onClose();
    handlers?.onMessage("a");
    handlers?.onReady();
    expect(end).toHaveBeenCalledTimes(1);
    expect(watcher.count()).toBe(0);
    await vi.waitFor(() => expect(connections).toHaveLength(2), { timeout: 10_000 });
    watcher.stop();
    expect(end).toHaveBeenCalledTimes(1);
    expect(connections[1]?.end).toHaveBeenCalledTimes(1);
  });

  it("that opens after the last watcher has stopped is ended", async () => {
    const end = vi.fn();
    let open = (_: () => unknown) => {};
    const opening = new Promise<() => unknown>((resolve) => {
      open = resolve;
    });
    const listen = vi.fn<Listen>(() => opening);
    const watcher = watch(postgresNotifications({ listen }), "a");
    await vi.waitFor(() => expect(listen).toHaveBeenCalled());
    watcher.stop();
    open(end);
    await vi.waitFor(() => expect(end).toHaveBeenCalledTimes(1));
  });

  it("is opened again if opening it fails, in whatever way", { timeout: 20_000 }, async () => {
    const listen = vi.fn<Listen>(() => () => {});
    listen.mockImplementationOnce(() => {
      throw new Error("refused");
    });
    listen.mockImplementationOnce(() => Promise.reject(new Error("refused")));
    listen.mockImplementationOnce((_, { onClose }) => {
      onClose();
      return () => Promise.reject(new Error("already closed"));
    });
    watch(postgresNotifications({ listen }), "a");
    await vi.waitFor(() => expect(listen).toHaveBeenCalledTimes(4), { timeout: 15_000 });
  });

  it("that cannot be opened does not keep the process alive", async () => {
    const program = `
      import { postgresNotifications } from "@unexpired/store-postgres";
      const listen = (_, { onClose }) => (onClose(), () => {});
      postgresNotifications({ listen }).watch("a", () => {});
      process.on("exit", () => console.log("exits"));`;
    const args = ["--input-type=module", "--eval", program];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname, timeout: 20_000 });
    expect(stdout).toBe("exits\n");
  });

  it.each([
    ["no function", { listen: undefined as never }, '"listen" must be a function.'],
    [
      "a channel that is no name",
      { listen: () => () => {}, channel: 'a"; drop table b; --' },
      '"channel" must consist',
    ],
  ])("is refused with %s", (_, options, message) => {
    expect(() => postgresNotifications(options)).toThrow(message);
    expect(() => postgresNotifications(options)).toThrow(TypeError);
  });
});

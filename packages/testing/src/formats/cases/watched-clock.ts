/** Returns whether `run` reads the current time. It is synchronous, so that only its own reads are seen. */
export function withWatchedClock(run: () => void): boolean {
  const { Date: original } = globalThis;
  const { now } = performance;
  let isRead = false;
  const watched = new Proxy(original, {
    construct(target, parameters: []) {
      isRead ||= parameters.length === 0;
      return Reflect.construct(target, parameters);
    },
    apply(target) {
      isRead = true;
      return target();
    },
    get(target, name) {
      isRead ||= name === "now";
      return Reflect.get(target, name);
    },
  });
  try {
    globalThis.Date = watched;
    performance.now = () => {
      isRead = true;
      return now.call(performance);
    };
    run();
  } finally {
    globalThis.Date = original;
    performance.now = now;
  }
  return isRead;
}

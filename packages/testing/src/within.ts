/** A time limit in milliseconds. One with `unref` does not keep the process alive. */
export type TimeLimit = number | { readonly ms: number; readonly unref: true };

/** Settles as `promise` does, or rejects with `late()` after the time limit. */
export async function within<T>(limit: TimeLimit, promise: Promise<T>, late: () => Error): Promise<T> {
  const { ms, unref } = typeof limit === "number" ? { ms: limit, unref: false } : limit;
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), ms);
    if (unref) timer.unref();
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

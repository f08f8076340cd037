import { once } from "node:events";
import { onTestFinished } from "vitest";

/** Watches until the test ends, and provides the notifications as they come. */
export function watching(watch: ((onChange: () => void) => () => void) | undefined) {
  const changes = new EventTarget();
  let count = 0;
  const onChange = () => {
    count++;
    changes.dispatchEvent(new Event("change"));
  };
  const stop = watch?.(onChange) ?? (() => {});
  onTestFinished(stop);
  return { next: () => once(changes, "change"), count: () => count, stop };
}

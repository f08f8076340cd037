/**
 * Frees the connection of a response that no caller receives: cancels a web stream, or destroys a Node.js stream. Ignores
 * other values and failures, and does not wait: the promise of a stream that was cloned or teed does not settle before
 * the other copy has been read or canceled, too.
 */
export function discardBody(body: unknown): void {
  try {
    const { cancel, destroy, on } = Object(body) as Partial<Record<"cancel" | "destroy" | "on", unknown>>;
    if (typeof cancel === "function") void Promise.resolve(cancel.call(body)).catch(() => {});
    else if (typeof destroy === "function") {
      if (typeof on === "function") on.call(body, "error", () => {}); // without a listener, an error ends the process
      destroy.call(body);
    }
  } catch {
    // the body is locked or already closed
  }
}

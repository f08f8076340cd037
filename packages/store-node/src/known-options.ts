/**
 * Checks the names of options, because a misspelled one would have no effect.
 *
 * @throws TypeError that names the unknown option
 */
export function assertKnownOptions(caller: string, options: unknown, supported: readonly string[]): void {
  const names = typeof options === "object" ? Object.keys(Object(options)) : [];
  const unknown = names.find((name) => !supported.includes(name));
  if (unknown !== undefined)
    throw new TypeError(`${caller}: unknown option "${unknown}". Supported: ${supported.join(", ")}.`);
}

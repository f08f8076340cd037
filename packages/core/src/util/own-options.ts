/**
 * Returns a copy of the own properties of `options`, without a prototype: a library that pollutes `Object.prototype`
 * must not add an option.
 */
export const ownOptions = <T extends object>(options: T): T => Object.assign(Object.create(null), options);

/** Returns an own property of `options`, in the same way. */
export const ownOption = <T extends object, Name extends keyof T>(
  options: T | undefined,
  name: Name,
): T[Name] | undefined => (options && Object.hasOwn(options, name) ? options[name] : undefined);

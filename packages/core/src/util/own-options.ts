/**
 * Returns a copy of the own properties of `options`, without a prototype: a library that pollutes `Object.prototype`
 * must not add an option.
 */
export const ownOptions = <T extends object>(options: T): T => Object.assign(Object.create(null), options);

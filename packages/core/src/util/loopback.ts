/** Returns whether a URL's hostname is this machine: `localhost`, or an address of the loopback interface. */
export const isLoopback = (hostname: string): boolean => /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);

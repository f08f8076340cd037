export type { SignIn } from "./flow.ts";
export type { OpenBrowser, Print } from "./prompt.ts";
export { type BrowserSignInOptions, signInWithBrowser } from "./sign-in-with-browser.ts";
export { type DeviceSignInOptions, signInWithDevice } from "./sign-in-with-device.ts";

/** A real browser, headless, for signing in. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import puppeteer, { type Browser, type Page } from "puppeteer-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

function findChromium(): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Returns why the browser cannot be started here, or `undefined` if it can. */
export const chromiumSkipReason = (): string | undefined =>
  findChromium() === undefined ? "needs Chromium: apt-get install chromium" : undefined;

/** A running browser. Each user has cookies of their own. */
export class Chromium implements AsyncDisposable {
  readonly #browser: Browser;

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  static async start(): Promise<Chromium> {
    // root cannot have Chromium's sandbox; all pages are on this machine
    const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    return new Chromium(await puppeteer.launch({ executablePath: findChromium() ?? "", args }));
  }

  /** Opens an empty tab for a new user. */
  async newUser(): Promise<Page> {
    const context = await this.#browser.createBrowserContext();
    return context.newPage();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}

/** Returns the text that a page shows. */
export const textOf = (page: Page): Promise<string> => page.evaluate(() => document.body.textContent ?? "");

/** Presses the button with this name, and waits for the next page. */
export async function press(page: Page, label: string): Promise<void> {
  await Promise.all([page.waitForNavigation(), page.locator(`::-p-aria([name="${label}"][role="button"])`).click()]);
}

/** A user with a browser that knows cookies, redirects and the forms of `sign-in-pages.ts`, and nothing else. */
export class Browser {
  readonly #issuer: string;
  readonly #cookies = new Map<string, string>();

  /** `issuer`: the authorization server, the only one that gets the cookies. */
  constructor(issuer: string) {
    this.#issuer = issuer;
  }

  /** Opens the URL of an authorization request, decides, and returns the text of the last page: the program's. */
  async decide(url: string, decision: "accept" | "refuse" = "accept"): Promise<string> {
    const page = await this.#load(url);
    return (await this.#load(page.url, new URLSearchParams({ name: "ada", decision }))).text;
  }

  /** Enters the code of a device, and decides. */
  async decideForDevice(url: string, decision: "accept" | "refuse" = "accept"): Promise<string> {
    const { url: page, text } = await this.#load(url); // with the code, so that the form submits itself
    const confirm = await this.#submit(page, text);
    const signIn = await this.#submit(confirm.url, confirm.text, { confirm: "yes" });
    return (await this.#load(signIn.url, new URLSearchParams({ name: "ada", decision }))).text;
  }

  /** Submits the form of a page with its hidden fields. */
  #submit(page: string, html: string, fields: Readonly<Record<string, string>> = {}) {
    const action = /<form[^>]* action="([^"]+)"/.exec(html)?.[1] ?? page;
    const hidden = [...html.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]+)"/g)];
    const body = new URLSearchParams({
      ...Object.fromEntries(hidden.map(([, name, value]) => [name, value])),
      ...fields,
    });
    return this.#load(new URL(action, page).href, body);
  }

  /** Loads a page, and follows redirects. A body is sent with POST, and only once. */
  async #load(url: string, body?: URLSearchParams): Promise<{ readonly url: string; readonly text: string }> {
    const isIssuer = new URL(url).origin === new URL(this.#issuer).origin;
    const cookie = [...this.#cookies].map((pair) => pair.join("=")).join("; ");
    const response = await fetch(url, {
      redirect: "manual",
      headers: isIssuer && cookie ? { cookie } : {},
      ...(body ? { method: "POST", body } : {}),
    });
    for (const line of isIssuer ? response.headers.getSetCookie() : []) this.#keep(line);
    const location = response.headers.get("location");
    const text = await response.text();
    return location ? this.#load(new URL(location, url).href) : { url, text };
  }

  #keep(line: string): void {
    const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
    if (value) this.#cookies.set(name, value);
    else this.#cookies.delete(name);
  }
}

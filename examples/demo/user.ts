import { Browser } from "./browser.ts";

/** Plays the user for programs whose variable `BROWSER` names it (browser-program.ts): signs in on the page that they open, or refuses. */
const [issuer = "", decision, url = ""] = process.argv.slice(2);
await new Browser(issuer).decide(url, decision === "refuse" ? "refuse" : "accept");

/** The endings of a sign-in that the browser shows. */
export type Ending = "signed-in" | "refused" | "mismatched" | "failed";

/** No text comes from a request, so that no link can make these pages say something else. */
const TEXTS: Readonly<Record<Ending, readonly [title: string, text: string]>> = {
  "signed-in": ["Signed in", "You can close this tab and return to the program."],
  refused: ["Not signed in", "The access was refused. You can close this tab and return to the program."],
  mismatched: [
    "Not signed in",
    "This page does not belong to the sign-in that the program started. Close this tab, and sign in again from the program.",
  ],
  failed: ["Not signed in", "The sign-in failed, and the program says why. You can close this tab."],
};

const STYLE =
  "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:20vh auto;padding:0 1rem}:root{color-scheme:light dark}";

/** Returns the HTML of the last page. */
export function renderPage(ending: Ending): string {
  const [title, text] = TEXTS[ending];
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>${STYLE}</style>
<h1>${title}</h1>
<p>${text}</p>
</html>
`;
}

/** The address of the page has the authorization code in it: it is neither stored nor passed on, and nothing is loaded. */
export const PAGE_HEADERS = {
  "cache-control": "no-store",
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "content-type": "text/html; charset=utf-8",
  "cross-origin-opener-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  connection: "close",
};

/** Responds to every request with the same JSON, in a process of its own so that its work is not counted as the client's. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const server = createServer((_, response) => {
  response.writeHead(200, { "content-type": "application/json" }).end('{"ok":true}');
});
server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
process.once("disconnect", () => process.exit());

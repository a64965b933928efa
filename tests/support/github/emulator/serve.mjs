// Serves the GitHub emulator on loopback, on a port the system picks: `serve.mjs MODULES BASE_URL TOKEN OWNER/NAME`.
// The package listens on every interface and on a port it is told; both are decided here instead.
import { Server } from "node:http";
import { pathToFileURL } from "node:url";

const [modules, baseUrl, token, repository] = process.argv.slice(2);
const listen = Server.prototype.listen;
Server.prototype.listen = function () {
  return listen.call(this, 0, "127.0.0.1", () => console.log(`Listening on ${this.address().port}`));
};
const { createEmulator } = await import(pathToFileURL(`${modules}/emulate/dist/api.js`).href);
const [owner, name] = repository.split("/");
await createEmulator({
  service: "github",
  port: 1,
  baseUrl,
  seed: {
    tokens: { [token]: { login: owner, scopes: ["repo"] } },
    github: { users: [{ login: owner, name: owner, email: `${owner}@example.com` }], repos: [{ owner, name, auto_init: true }] },
  },
});

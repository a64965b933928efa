// Makes a solc from npm (emscripten) answer like the native program, as far as forge uses it:
//   node solc-wrapper.js <package folder> --version
//   node solc-wrapper.js <package folder> --standard-json [--base-path P --include-path P --allow-paths P …]  < in > out
// Forge resolves every import itself and sends all sources in the JSON, so the path options have nothing to decide and
// are accepted unread; a source that is missing is the compiler's own error.
"use strict";

const path = require("node:path");

const [, , folder, ...args] = process.argv;

const soljson = () => require(path.join(folder, "soljson.js"));

// Each solc's own package knows how to speak to its own binary: the calling conventions differ between 0.4 and 0.8.
const compiler = () => require(path.join(folder, "wrapper.js"))(soljson());

async function readInput() {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

async function main() {
  if (args.includes("--version")) {
    const version = compiler().version();
    process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${version}\n`);
  } else if (args.includes("--standard-json")) {
    const input = await readInput();
    process.stdout.write(compiler().compile(input) + "\n");
  } else {
    process.stderr.write(`solc (npm wrapper): only --version and --standard-json are served, not: ${args.join(" ")}\n`);
    process.exitCode = 1;
  }
}

main().catch((error) => {
  // The compiler reports what is wrong with the sources in its answer; here it broke down itself (out of stack or memory).
  process.stderr.write(`solc (npm wrapper): the compiler stopped: ${error && error.message ? error.message : error}\n`);
  process.exitCode = 1;
});

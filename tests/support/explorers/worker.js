// Compiles, and matches bytecode as Sourcify does, for the test servers beside this file:
//   node worker.js <folder of solc packages> <node_modules with lib-sourcify, or "">
// One JSON request a line on stdin, one JSON answer a line on stdout, in the order they get done:
//   {id, op: "compile", compiler, input}                                     → {id, output}
//   {id, op: "match", chainId, rpc, address, compiler, path, name, input, creation} → {id, match} or {id, failed: {code, message}}
// A process of its own, because a compiler takes 0.3 s to load and a second to warm up: here that is once a version.
"use strict";

const crypto = require("node:crypto");
const path = require("node:path");
const readline = require("node:readline");

const [, , packages, services] = process.argv;

const compilers = new Map();
const compiled = new Map();
const chains = new Map();

// Whatever a library prints would break the lines on stdout.
for (const level of ["log", "info", "warn", "debug"]) console[level] = () => {};

// The long version names the commit: a compiler of the same number and another commit is another compiler.
function compilerOf(long) {
  const short = /^v?(\d+\.\d+\.\d+)\+commit\.[0-9a-f]{8}/.exec(long);
  if (!short) throw new Error(`Invalid compiler version ${long}`);
  if (!compilers.has(short[1])) {
    const folder = path.join(packages, `solc-${short[1]}`);
    let soljson;
    try {
      soljson = require(path.join(folder, "soljson.js"));
    } catch {
      throw new Error(`Unsupported compiler version ${long}`);
    }
    compilers.set(short[1], require(path.join(folder, "wrapper.js"))(soljson));
  }
  const compiler = compilers.get(short[1]);
  if (!compiler.version().startsWith(short[0].replace(/^v/, ""))) throw new Error(`Unsupported compiler version ${long}`);
  return compiler;
}

function compile(version, input) {
  const text = JSON.stringify(input);
  const key = crypto.createHash("sha256").update(`${version}\0${text}`).digest("hex");
  if (!compiled.has(key)) compiled.set(key, JSON.parse(compilerOf(version).compile(text)));
  return structuredClone(compiled.get(key));
}

// What lib-sourcify asks of a compiler: the output, or an error that carries the compiler's own.
const solidity = {
  async compile(version, input) {
    const output = compile(version, input);
    const errors = (output.errors || []).filter((error) => error.severity === "error");
    if (errors.length) throw Object.assign(new Error("Compiler error"), { errors });
    return output;
  },
};

function chainOf(library, id, rpc) {
  const key = `${id} ${rpc}`;
  if (!chains.has(key)) {
    const rpcs = [{ rpc, traceSupport: "trace_transaction" }];
    chains.set(key, new library.SourcifyChain({ name: key, chainId: id, rpcs, supported: true }));
  }
  return chains.get(key);
}

async function match({ chainId, rpc, address, compiler, path: source, name, input, creation }) {
  const library = require(path.join(services, "@ethereum-sourcify", "lib-sourcify"));
  library.setLibSourcifyLoggerLevel(-1);
  const level = { perfect: "exact_match", partial: "match" };
  try {
    const compilation = new library.SolidityCompilation(solidity, compiler, input, { path: source, name });
    const verification = new library.Verification(compilation, chainOf(library, chainId, rpc), address, creation);
    await verification.verify();
    const { runtimeMatch, creationMatch } = verification.status;
    return { match: { runtime: level[runtimeMatch] || null, creation: level[creationMatch] || null } };
  } catch (error) {
    if (!error.code) throw error;
    return { failed: { code: error.code, message: error.message } };
  }
}

async function answer(request) {
  try {
    if (request.op === "match") return await match(request);
    return { output: compile(request.compiler, request.input) };
  } catch (error) {
    return { failed: { code: "compiler_error", message: String((error && error.message) || error) } };
  }
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    answer(request).then((result) => process.stdout.write(JSON.stringify({ id: request.id, ...result }) + "\n"));
  }
  process.exit(0);
}

main();

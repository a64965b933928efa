// Lays the published sources out as their authors compiled them. The router computes a pair's address from the hash of
// the pair's creation code, and that code ends with a hash over its source names and its settings: the pair must be
// `contracts/UniswapV2Pair.sol`, compiled without remappings. So core lies in contracts/, the periphery beside it under
// a name of its own (both have an ERC20.sol and a SafeMath.sol), and what the periphery imports by package name lies at that name.
const fs = require("fs");
const path = require("path");

const packages = path.join(__dirname, "node_modules", "@uniswap");
const layout = [
  ["v2-core/contracts", "contracts"],
  ["v2-periphery/contracts", "contracts/periphery"],
  ["v2-core/contracts/interfaces", "@uniswap/v2-core/contracts/interfaces"],
  ["lib/contracts", "@uniswap/lib/contracts"],
];

for (const folder of ["contracts", "@uniswap"]) {
  fs.rmSync(path.join(__dirname, folder), { recursive: true, force: true });
}
for (const [from, to] of layout) {
  fs.cpSync(path.join(packages, from), path.join(__dirname, to), {
    recursive: true,
    filter: (file) => fs.statSync(file).isDirectory() || file.endsWith(".sol"),
  });
}

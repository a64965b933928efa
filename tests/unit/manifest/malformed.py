"""Manifests nobody should get away with: what each is refused with, and where.

``line`` counts from 1. ``secret`` is a text that may stand in no message.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PROJECT", "PROJECT_CASES", "TARGET", "TARGET_CASES", "Case"]

PROJECT = """\
schema = 1
[project]
name = "acme"
version = "1.2.0"
[contracts.Registry]
source = "src/Registry.sol:Registry"
args = ["${params.owner}"]
[contracts.Vault]
source = "src/Vault.sol:Vault"
proxy = "uups"
initialize = { call = "initialize(address)", args = ["${contracts.Registry}"] }
[calls.grant]
to = "${contracts.Registry}"
call = "grant(address)"
args = ["${contracts.Vault}"]
[checks.owner]
on = "${contracts.Registry}"
call = "owner()(address)"
equals = "${params.owner}"
"""

TARGET = """\
schema = 1
extends = "builtin:base"
[rpc]
endpoints = ["env:BASE_RPC_URL", "https://mainnet.base.org"]
[signer]
backend = "keystore"
file = "keys/deployer.json"
password = "env:PASSWORD"
[policy]
max-fee-per-gas = "2 gwei"
[params]
owner = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
[verify]
etherscan = { api-key = "env:ETHERSCAN_API_KEY" }
"""


@dataclass(frozen=True)
class Case:
    """``PROJECT`` or ``TARGET`` with ``old`` replaced by ``new``; with ``old`` empty, ``new`` is the whole file."""

    name: str
    old: str
    new: str | bytes
    code: str
    line: int | None
    key: str | None = None
    secret: str | None = None
    says: str = ""

    def content(self, base: str) -> bytes:
        if not self.old:
            return self.new if isinstance(self.new, bytes) else self.new.encode()
        assert base.count(self.old) == 1, self.old
        new = self.new if isinstance(self.new, bytes) else self.new.encode()
        return base.encode().replace(self.old.encode(), new)


KEY = "4c0883a69102937d6231471b5dbb6204fe512961708279f3a9c5a3e0f6b1d2c7"
WORDS = "legal winner thank year wave sausage worth useful legal winner thank yellow"
VERSION = 'version = "1.2.0"'
SOURCE = 'source = "src/Vault.sol:Vault"'

PROJECT_CASES = [
    # the file itself
    Case("empty", "", "", "SHIP-M06", 1),
    Case("only-comments", "", "# nothing\n", "SHIP-M06", 1),
    Case("byte-order-mark", "", b"\xef\xbb\xbf" + PROJECT.encode(), "SHIP-M05", 1),
    Case("utf-16", "", PROJECT.encode("utf-16"), "SHIP-M05", 1),
    Case("latin-1", 'name = "acme"', b'name = "acm\xe9"', "SHIP-M05", 3),
    Case("over-1-MiB", "", b"# " + b"x" * 1024 * 1024, "SHIP-M04", 1),
    Case("deep-arrays", "", "a = " + "[" * 5000 + "]" * 5000, "SHIP-M09", 1),
    Case("deep-tables", "", "a = " + "{ b = " * 100 + "1" + " }" * 100, "SHIP-M09", 1),
    Case("deep-dotted-key", "", ".".join(["a"] * 2000) + " = 1", "SHIP-M09", 1),
    Case("deep-header", "", "[" + ".".join(["a"] * 2000) + "]", "SHIP-M09", 1),
    Case("no-value", VERSION, "version = ", "SHIP-M08", 4, "project.version"),
    Case("unclosed-string", VERSION, 'version = "1.2.0', "SHIP-M08", 4, "project.version"),
    Case("unquoted", VERSION, "version = 1.2.0", "SHIP-M08", 4, "project.version"),
    Case("yaml", "", "project:\n  name: acme\n", "SHIP-M08", 1),
    Case("json", "", '{ "schema": 1 }', "SHIP-M08", 1),
    Case("integer-of-10000-digits", "schema = 1", "schema = " + "9" * 10_000, "SHIP-M08", None),
    # twice
    Case("duplicate-key", VERSION, f"{VERSION}\n{VERSION}", "SHIP-M10", 5, "project.version", says="line 4"),
    Case("duplicate-table", "[calls.grant]", "[contracts.Vault]", "SHIP-M10", 12, "contracts.Vault", says="line 8"),
    Case("duplicate-inline", "{ call", '{ call = "x()", call', "SHIP-M10", 11, "contracts.Vault.initialize.call"),
    Case("table-over-value", "[calls.grant]", "[project.name]", "SHIP-M10", 12),
    Case("dotted-duplicate", VERSION, f'{VERSION}\n"version" = "2.0.0"', "SHIP-M10", 5, "project.version"),
    # keys
    Case("unknown-key", "proxy =", "proxi =", "SHIP-M11", 10, "contracts.Vault.proxi", says='Did you mean "proxy"?'),
    Case("unknown-table", "[calls.grant]", "[call.grant]", "SHIP-M11", 12, "call", says='Did you mean "calls"?'),
    Case("snake-case", VERSION, f'{VERSION}\nversion_from = "x"', "SHIP-M11", 5, "project.version_from"),
    Case("cyrillic-key", "proxy =", '"pr\\u043exy" =', "SHIP-M07", 10),
    Case("no-schema", "schema = 1\n", "", "SHIP-M12", 1, "schema"),
    Case("newer-schema", "schema = 1", "schema = 2", "SHIP-M15", 1, "schema", says="newer ship"),
    Case("schema-zero", "schema = 1", "schema = 0", "SHIP-M15", 1, "schema"),
    Case("schema-text", "schema = 1", 'schema = "1"', "SHIP-M15", 1, "schema"),
    Case("schema-boolean", "schema = 1", "schema = true", "SHIP-M15", 1, "schema"),
    Case("no-project", '[project]\nname = "acme"\nversion = "1.2.0"\n', "", "SHIP-M12", 1, "project"),
    Case("no-version", VERSION, "", "SHIP-M12", 2, "project.version"),
    Case("two-versions", VERSION, f'{VERSION}\nversion-from = "package.json"', "SHIP-M34", 5, "project.version-from"),
    Case("no-source", f"{SOURCE}\n", "", "SHIP-M12", 8, "contracts.Vault.source"),
    # types and values
    Case("version-number", VERSION, "version = 1", "SHIP-M13", 4, "project.version"),
    Case("version-not-semver", VERSION, 'version = "1.2"', "SHIP-M27", 4, "project.version"),
    Case("version-with-v", VERSION, 'version = "v1.2.0"', "SHIP-M27", 4, "project.version"),
    Case("version-from-nothing", VERSION, 'version-from = "none.json"', "SHIP-M27", 4, "project.version-from"),
    Case("date", VERSION, "version = 2026-11-24", "SHIP-M13", 4, "project.version"),
    Case("yes", SOURCE, f'{SOURCE}\nreplace = "yes"', "SHIP-M13", 10, "contracts.Vault.replace"),
    Case("one-for-true", SOURCE, f"{SOURCE}\nreplace = 1", "SHIP-M13", 10, "contracts.Vault.replace"),
    Case("proxy-kind", '"uups"', '"uup"', "SHIP-M14", 10, "contracts.Vault.proxy", says='Did you mean "uups"?'),
    Case("args-not-array", 'args = ["${params.owner}"]', "args = 5", "SHIP-M13", 7, "contracts.Registry.args"),
    Case(
        "initialize-text",
        '{ call = "initialize(address)", args = ["${contracts.Registry}"] }',
        '"init"',
        "SHIP-M13",
        11,
    ),
    Case("float", "[checks.owner]", "[gates]\ncoverage = { lines = 90.5 }\n[checks.owner]", "SHIP-M17", 17),
    Case("exponent", SOURCE, f"{SOURCE}\nvalue = 1e18", "SHIP-M17", 10, "contracts.Vault.value"),
    Case("not-a-number", SOURCE, f"{SOURCE}\nvalue = nan", "SHIP-M17", 10, "contracts.Vault.value"),
    Case("infinite", SOURCE, f"{SOURCE}\nvalue = inf", "SHIP-M17", 10, "contracts.Vault.value"),
    Case("over-uint256", SOURCE, f"{SOURCE}\nargs = [{2**256}]", "SHIP-M17", 10, "contracts.Vault.args[0]"),
    Case("under-int256", SOURCE, f"{SOURCE}\nargs = [{-(2**255) - 1}]", "SHIP-M17", 10, "contracts.Vault.args[0]"),
    Case("negative-amount", SOURCE, f"{SOURCE}\nvalue = -1", "SHIP-M16", 10, "contracts.Vault.value"),
    Case("negative-amount-text", SOURCE, f'{SOURCE}\nvalue = "-1 ether"', "SHIP-M16", 10, "contracts.Vault.value"),
    Case("amount-unit", SOURCE, f'{SOURCE}\nvalue = "1 eth"', "SHIP-M16", 10, "contracts.Vault.value"),
    Case("amount-under-wei", SOURCE, f'{SOURCE}\nvalue = "0.5 wei"', "SHIP-M16", 10, "contracts.Vault.value"),
    Case("amount-too-large", SOURCE, f'{SOURCE}\nvalue = "{10**60} ether"', "SHIP-M16", 10, "contracts.Vault.value"),
    Case("amount-boolean", SOURCE, f"{SOURCE}\nvalue = true", "SHIP-M16", 10, "contracts.Vault.value"),
    Case("amount-arabic-digits", SOURCE, f'{SOURCE}\nvalue = "\u0661 ether"', "SHIP-M16", 10, "contracts.Vault.value"),
    Case("salt-short", SOURCE, f'{SOURCE}\ncreate2 = "0x1234"', "SHIP-M14", 10, "contracts.Vault.create2"),
    Case(
        "detector-flag", "[checks.owner]", '[gates]\nslither = { exclude = ["--json"] }\n[checks.owner]', "SHIP-M14", 17
    ),
    # addresses
    Case(
        "checksum",
        '"${params.owner}"]',
        '"0x4e59b44847b379578588920ca78FbF26c0B4956C"]',
        "SHIP-M18",
        7,
        "contracts.Registry.args[0]",
    ),
    Case(
        "all-upper",
        '"${params.owner}"]',
        '"0x4E59B44847B379578588920CA78FBF26C0B4956C"]',
        "SHIP-M18",
        7,
        "contracts.Registry.args[0]",
    ),
    Case(
        "upper-prefix",
        '"${params.owner}"]',
        '"0X4e59b44847b379578588920cA78FbF26c0B4956C"]',
        "SHIP-M18",
        7,
        "contracts.Registry.args[0]",
    ),
    Case(
        "digit-missing",
        '"${params.owner}"]',
        '"0x4e59b44847b379578588920cA78FbF26c0B4956"]',
        "SHIP-M18",
        7,
        "contracts.Registry.args[0]",
    ),
    # characters
    Case("bidi-comment", VERSION, f"{VERSION} # \u202e safe", "SHIP-M07", 4),
    Case("bidi-string", 'name = "acme"', 'name = "ac\u2066me"', "SHIP-M07", 3),
    Case("bidi-escape", 'name = "acme"', 'name = "ac\\u202eme"', "SHIP-M07", 3, "project.name"),
    Case("zero-width", 'name = "acme"', 'name = "ac\u200bme"', "SHIP-M07", 3),
    Case("control", 'name = "acme"', 'name = "ac\x07me"', "SHIP-M07", 3),
    Case("nul-escape", SOURCE, 'source = "src/\\u0000.sol:V"', "SHIP-M07", 9, "contracts.Vault.source"),
    Case("mixed-script", SOURCE, 'source = "src/V\u0430ult.sol:Vault"', "SHIP-M07", 9),
    Case("fullwidth", SOURCE, 'source = "src/\uff36ault.sol:Vault"', "SHIP-M07", 9),
    # names and paths
    Case("greek-name", "[calls.grant]", '[calls."\u03b1\u03b2"]', "SHIP-M22", 12),
    Case("flag-name", "[calls.grant]", '[calls."-grant"]', "SHIP-M22", 12),
    Case("long-name", "[calls.grant]", f"[calls.{'a' * 65}]", "SHIP-M22", 12),
    Case("path-name", "[calls.grant]", '[calls."../x"]', "SHIP-M22", 12),
    Case("same-name", "[calls.grant]", "[calls.vault]", "SHIP-M22", 12, "calls.vault"),
    Case("absolute-source", SOURCE, 'source = "/etc/V.sol:V"', "SHIP-M20", 9, "contracts.Vault.source"),
    Case("climbing-source", SOURCE, 'source = "../V.sol:V"', "SHIP-M20", 9, "contracts.Vault.source"),
    Case("flag-source", SOURCE, 'source = "--root/V.sol:V"', "SHIP-M20", 9, "contracts.Vault.source"),
    Case("backslash", SOURCE, "source = 'src\\V.sol:V'", "SHIP-M20", 9, "contracts.Vault.source"),
    Case("drive", VERSION, f'{VERSION}\nchangelog = "C:/x.md"', "SHIP-M20", 5, "project.changelog"),
    Case("climbing-root", "[calls.grant]", '[evm]\nroot = "a/../../b"\n[calls.grant]', "SHIP-M20", 13, "evm.root"),
    Case("source-without-name", SOURCE, 'source = "src/Vault.sol"', "SHIP-M14", 9, "contracts.Vault.source"),
    # references
    Case(
        "unknown-contract",
        '"${contracts.Vault}"',
        '"${contracts.Valt}"',
        "SHIP-M24",
        15,
        "calls.grant.args[0]",
        says='Did you mean "Vault"?',
    ),
    Case("unknown-part", '"${contracts.Vault}"', '"${contracts.Vault.admin}"', "SHIP-M24", 15, "calls.grant.args[0]"),
    Case(
        "part-without-proxy",
        'to = "${contracts.Registry}"',
        'to = "${contracts.Registry.implementation}"',
        "SHIP-M24",
        13,
        "calls.grant.to",
    ),
    Case(
        "unknown-kind",
        '"${contracts.Vault}"',
        '"${deployr}"',
        "SHIP-M24",
        15,
        "calls.grant.args[0]",
        says='Did you mean "deployer"?',
    ),
    Case("unclosed", '"${contracts.Vault}"', '"${contracts.Vault"', "SHIP-M23", 15, "calls.grant.args[0]"),
    Case("contract-in-text", '"${contracts.Vault}"', '"at ${contracts.Vault}"', "SHIP-M23", 15, "calls.grant.args[0]"),
    Case(
        "after-unknown",
        SOURCE,
        f'{SOURCE}\nafter = ["Registri"]',
        "SHIP-M35",
        10,
        "contracts.Vault.after[0]",
        says='Did you mean "Registry"?',
    ),
    Case("after-itself", SOURCE, f'{SOURCE}\nafter = ["Vault"]', "SHIP-M35", 10, "contracts.Vault.after[0]"),
    # what does not go together
    Case("initialize-without-proxy", 'proxy = "uups"\n', "", "SHIP-M34", 10, "contracts.Vault.initialize"),
    Case(
        "owner-of-uups",
        SOURCE,
        f'{SOURCE}\nproxy-owner = "${{deployer}}"',
        "SHIP-M34",
        10,
        "contracts.Vault.proxy-owner",
    ),
    Case("two-salts", SOURCE, f'{SOURCE}\ncreate2 = "a"\ncreate3 = "b"', "SHIP-M34", 11, "contracts.Vault.create3"),
    Case("too-few-arguments", 'args = ["${contracts.Vault}"]', "args = []", "SHIP-M36", 14, "calls.grant.call"),
    Case("too-many-arguments", '"${contracts.Vault}"]', '"${contracts.Vault}", 1]', "SHIP-M36", 15, "calls.grant.args"),
    Case("signature-names", '"grant(address)"', '"grant(address who)"', "SHIP-M36", 14, "calls.grant.call"),
    Case("signature-type", '"grant(address)"', '"grant(adress)"', "SHIP-M36", 14, "calls.grant.call"),
    Case("signature-returns", '"grant(address)"', '"grant(address)(bool)"', "SHIP-M36", 14, "calls.grant.call"),
    Case("signature-no-return", '"owner()(address)"', '"owner()"', "SHIP-M36", 18, "checks.owner.call"),
    Case("signature-deep", '"grant(address)"', f'"grant({"(" * 400}{")" * 400})"', "SHIP-M36", 14, "calls.grant.call"),
    # secrets
    Case("private-key-bare", '"${params.owner}"]', f'"{KEY}"]', "SHIP-M19", 7, "contracts.Registry.args[0]", KEY),
    Case("private-key-as-version", VERSION, f'version = "0x{KEY}"', "SHIP-M19", 4, "project.version", KEY),
    Case(
        "key-named",
        SOURCE,
        f'{SOURCE}\nprivate-key = "hunter2hunter2"',
        "SHIP-M19",
        10,
        "contracts.Vault.private-key",
        "hunter2hunter2",
    ),
    Case("mnemonic", 'name = "acme"', f'name = "{WORDS}"', "SHIP-M19", 3, "project.name", "sausage"),
    Case("github-token", 'name = "acme"', 'name = "ghp_' + "a1B2" * 9 + '"', "SHIP-M19", 3, "project.name", "a1B2a1B2"),
]

RPC = '"https://mainnet.base.org"'

TARGET_CASES = [
    Case("unknown-builtin", "builtin:base", "builtin:bse", "SHIP-M25", 2, "extends", says='Did you mean "base"?'),
    Case("extends-file", "builtin:base", "../other.toml", "SHIP-M25", 2, "extends"),
    Case(
        "unknown-chain",
        'extends = "builtin:base"',
        'chain = "bas"',
        "SHIP-M26",
        2,
        "chain",
        says='Did you mean "base"?',
    ),
    Case("wrong-id", 'extends = "builtin:base"', 'chain = { name = "base", id = 1 }', "SHIP-M26", 2, "chain.id"),
    Case("no-chain", 'extends = "builtin:base"\n', "", "SHIP-M12", 1, "chain"),
    Case("unknown-signer-key", "file =", "fil =", "SHIP-M11", 7, "signer.fil", says='Did you mean "file"?'),
    Case(
        "unknown-backend", '"keystore"', '"keystor"', "SHIP-M14", 6, "signer.backend", says='Did you mean "keystore"?'
    ),
    Case("keystore-without-file", 'file = "keys/deployer.json"\n', "", "SHIP-M34", 6, "signer.backend"),
    Case("absolute-keystore", "keys/deployer.json", "/home/me/key.json", "SHIP-M20", 7, "signer.file"),
    Case("amount", '"2 gwei"', '"2gwei"', "SHIP-M16", 10, "policy.max-fee-per-gas"),
    Case("priority-above", '"2 gwei"', '"2 gwei"\nmax-priority-fee-per-gas = "3 gwei"', "SHIP-M34", 11),
    Case("finality", '"2 gwei"', '"2 gwei"\nfinality = "finalised"', "SHIP-M14", 11, "policy.finality"),
    Case("finality-zero", '"2 gwei"', '"2 gwei"\nfinality = 0', "SHIP-M14", 11, "policy.finality"),
    Case("approvals-by-nobody", '"2 gwei"', '"2 gwei"\napprovals = 2', "SHIP-M34", 11, "policy.approvals"),
    Case(
        "approvals-too-many",
        '"2 gwei"',
        '"2 gwei"\napprovals = 2\napprovers = { alice = "0x4e59b44847b379578588920cA78FbF26c0B4956C" }',
        "SHIP-M34",
        11,
        "policy.approvals",
    ),
    Case(
        "approvers-one-key",
        '"2 gwei"',
        '"2 gwei"\n[policy.approvers]\nalice = "0x4e59b44847b379578588920cA78FbF26c0B4956C"\n'
        'bob = "0x4e59b44847b379578588920cA78FbF26c0B4956C"',
        "SHIP-M34",
        13,
        "policy.approvers.bob",
    ),
    Case("period", '"2 gwei"', '"2 gwei"\nplan-valid-for = 3600', "SHIP-M14", 11, "policy.plan-valid-for"),
    Case("period-long", '"2 gwei"', '"2 gwei"\nplan-valid-for = "999d"', "SHIP-M14", 11, "policy.plan-valid-for"),
    Case("require", '"2 gwei"', '"2 gwei"\nrequire = "paper"', "SHIP-M14", 11, "policy.require"),
    Case(
        "calls-no-contract",
        '"2 gwei"',
        '"2 gwei"\n[policy.calls]\n"${contracts.Vaultt}" = ["pause()"]',
        "SHIP-M35",
        12,
        'policy.calls."${contracts.Vaultt}"',
    ),
    Case(
        "programs-of-solana",
        '"2 gwei"',
        '"2 gwei"\nprograms = ["BPFLoaderUpgradeab1e11111111111111111111111"]',
        "SHIP-M34",
        11,
        "policy.programs",
    ),
    Case("window-zero", '"2 gwei"', '"2 gwei"\nwindow = 0', "SHIP-M14", 11, "policy.window"),
    Case("window-huge", '"2 gwei"', f'"2 gwei"\nwindow = {2**200}', "SHIP-M14", 11, "policy.window"),
    Case("percent", '"2 gwei"', '"2 gwei"\ngas-margin = 20', "SHIP-M14", 11, "policy.gas-margin"),
    Case("address", "file =", 'address = "0x123"\nfile =', "SHIP-M18", 7, "signer.address"),
    Case("http", RPC, '"http://mainnet.base.org"', "SHIP-M28", 4, "rpc.endpoints[1]"),
    Case("scheme", RPC, '"file:///etc/passwd"', "SHIP-M28", 4, "rpc.endpoints[1]"),
    Case("no-host", RPC, '"https:///x"', "SHIP-M28", 4, "rpc.endpoints[1]"),
    Case("metadata", RPC, '"http://169.254.169.254/latest"', "SHIP-M29", 4, "rpc.endpoints[1]"),
    Case("metadata-decimal", RPC, '"http://2852039166/"', "SHIP-M29", 4, "rpc.endpoints[1]"),
    Case("metadata-mapped", RPC, '"http://[::ffff:169.254.169.254]/"', "SHIP-M29", 4, "rpc.endpoints[1]"),
    Case("metadata-name", RPC, '"http://metadata.google.internal/"', "SHIP-M29", 4, "rpc.endpoints[1]"),
    Case(
        "explorer-link-local",
        "[verify]",
        '[verify]\nblockscout = { url = "http://[fe80::1]/api" }',
        "SHIP-M29",
        14,
        "verify.blockscout.url",
    ),
    Case(
        "api-key-literal",
        '"env:ETHERSCAN_API_KEY"',
        '"ABCDEFGH12345678"',
        "SHIP-M19",
        14,
        "verify.etherscan.api-key",
        "ABCDEFGH",
    ),
    Case("api-key-empty", '"env:ETHERSCAN_API_KEY"', '""', "SHIP-M30", 14, "verify.etherscan.api-key"),
    Case("env-name", '"env:ETHERSCAN_API_KEY"', '"env:NOT A NAME"', "SHIP-M30", 14, "verify.etherscan.api-key"),
    Case("secret-after-env", '"env:PASSWORD"', f'"env:{KEY}"', "SHIP-M19", 8, "signer.password", KEY),
    Case("password", '"env:PASSWORD"', '"correct horse"', "SHIP-M19", 8, "signer.password", "horse"),
    Case("userinfo", RPC, '"https://me:hunter2@rpc.example.org"', "SHIP-M19", 4, "rpc.endpoints[1]", "hunter2"),
    Case(
        "alchemy",
        RPC,
        '"https://eth-mainnet.g.alchemy.com/v2/aB3dE5gH7jK9mN1pQ3sT5vX7zA9cD1fG"',
        "SHIP-M19",
        4,
        "rpc.endpoints[1]",
        "aB3dE5",
    ),
    Case(
        "infura",
        RPC,
        '"https://mainnet.infura.io/v3/0123456789abcdef0123456789abcdef"',
        "SHIP-M19",
        4,
        "rpc.endpoints[1]",
        "0123456789abcdef",
    ),
    Case(
        "query-key", RPC, '"https://rpc.example.org/?apikey=s3cr3tvalue"', "SHIP-M19", 4, "rpc.endpoints[1]", "s3cr3t"
    ),
    Case(
        "key-param",
        "owner =",
        f'deployer-private-key = "0x{KEY}"\nowner =',
        "SHIP-M19",
        12,
        "params.deployer-private-key",
        KEY,
    ),
    Case(
        "anvil-key-param",
        "owner =",
        'x = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"\nowner =',
        "SHIP-M19",
        12,
        "params.x",
        "ac0974",
    ),
    Case(
        "solana-keypair", '"2 gwei"', f'"2 gwei"\nwindow = {list(range(64))}', "SHIP-M19", 11, "policy.window", "62, 63"
    ),
    Case("bad-reference", "owner =", 'x = "${params.x}"\nowner =', "SHIP-M23", 12, "params.x"),
    Case(
        "override-unknown",
        "[verify]",
        "[overrides.contracts.Valt]\nreplace = true\n[verify]",
        "SHIP-M35",
        13,
        "overrides.contracts.Valt",
        says='Did you mean "Vault"?',
    ),
    Case(
        "override-key",
        "[verify]",
        "[overrides.contracts.Vault]\nreplce = true\n[verify]",
        "SHIP-M11",
        14,
        "overrides.contracts.Vault.replce",
    ),
    Case(
        "override-type",
        "[verify]",
        "[overrides.contracts.Vault]\nargs = 1\n[verify]",
        "SHIP-M13",
        14,
        "overrides.contracts.Vault.args",
    ),
    Case("override-pair", "[verify]", '[overrides.contracts.Vault]\nproxy = "none"\n[verify]', "SHIP-M34", 11),
    Case(
        "check-twice",
        "[verify]",
        '[checks.owner]\non = "${contracts.Vault}"\ncall = "a()(bool)"\nequals = true\n[verify]',
        "SHIP-M34",
        13,
    ),
    Case(
        "missing-param",
        "owner =",
        "owners =",
        "SHIP-M37",
        7,
        "contracts.Registry.args[0]",
        says='Did you mean "owners"?',
    ),
]

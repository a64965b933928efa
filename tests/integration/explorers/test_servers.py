"""The explorers of the tests by themselves: what they answer is what recompiling and the chain say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.explorers.conftest import BASE_SEPOLIA, SEPOLIA
from tests.support.explorers.asking import Dialogue, SourcifyDialogue
from tests.support.explorers.blockscout import BlockscoutServer, blockscout
from tests.support.explorers.compiling import Worker
from tests.support.explorers.etherscan import EtherscanServer, etherscan
from tests.support.explorers.indexing import IndexedChain
from tests.support.explorers.sourcify import SourcifyServer, sourcify
from tests.support.explorers.specimens import KINDS, Specimen, Specimens

Chains = dict[int, IndexedChain]
Kinds = Mapping[str, Specimen]


@pytest.fixture
def scan(compiling: Worker, indexed: Chains) -> Iterator[tuple[Dialogue, EtherscanServer]]:
    with etherscan(compiling, indexed) as (service, server):
        yield Dialogue(f"{service.url}/v2/api", SEPOLIA), server


@pytest.fixture
def scout(compiling: Worker, indexed: Chains) -> Iterator[tuple[Dialogue, BlockscoutServer]]:
    with blockscout(compiling, indexed[SEPOLIA]) as (service, server):
        yield Dialogue(f"{service.url}/api", key=None), server


@pytest.fixture
def fy(compiling: Worker, indexed: Chains) -> Iterator[tuple[SourcifyDialogue, SourcifyServer]]:
    with sourcify(compiling, indexed) as (service, server):
        yield SourcifyDialogue(service.url, SEPOLIA), server


# -- Etherscan -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_etherscan_matches_the_true_source_exactly_and_another_comment_partially(
    scan: tuple[Dialogue, EtherscanServer], specimens: Specimens, kind: str
) -> None:
    dialogue, server = scan
    for specimen, expected in ((specimens.make(kind), "exact"), (specimens.make(kind).with_comment(), "partial")):
        assert dialogue.shown(specimen.address)["SourceCode"] == ""
        assert dialogue.verify(specimen)["result"] == "Pass - Verified"
        assert server.desk.shown[SEPOLIA, specimen.address.lower()].kind == expected
        shown = dialogue.shown(specimen.address)
        assert json.loads(shown["SourceCode"][1:-1]) == specimen.standard_json
        assert shown["ConstructorArguments"] == specimen.arguments.hex()
        assert dialogue.submit(specimen)["result"] == "Contract source code already verified"


@pytest.mark.parametrize("kind", ["plain", "linked", "child"])
def test_etherscan_says_what_is_wrong(scan: tuple[Dialogue, EtherscanServer], kinds: Kinds, kind: str) -> None:
    dialogue, server = scan
    true = kinds[kind]
    wrong = {
        "does NOT match": true.with_other_code(),
        "Solidity Compilation Error: ": true.that_does_not_compile(),
        "Unable to find contract name 'Nothing'": true.with_name("Nothing"),
        "Invalid constructor arguments": true.with_arguments(true.arguments + bytes(31) + b"\1"),
    }
    for words, specimen in wrong.items():
        answer = dialogue.verify(specimen)
        assert answer["status"] == "0"
        assert answer["result"].startswith("Fail - Unable to verify. ")
        assert words in answer["result"]
    assert not server.desk.shown


def test_etherscan_needs_the_addresses_of_libraries(scan: tuple[Dialogue, EtherscanServer], kinds: Kinds) -> None:
    linked = kinds["linked"]
    other = {"src/Linked.sol": {"Sum": kinds["plain"].address}}
    for libraries, words in (({}, "missing Library"), (other, "does NOT match")):
        document = {**linked.standard_json, "settings": {**linked.standard_json["settings"], "libraries": libraries}}
        answer = scan[0].verify(Specimen(linked.address, linked.contract, linked.compiler, document, b"", ""))
        assert words in answer["result"]


def test_another_immutable_or_compiler_is_another_contract(
    scan: tuple[Dialogue, EtherscanServer], specimens: Specimens, kinds: Kinds
) -> None:
    seven, eight = specimens.make("immutables", 7), specimens.make("immutables", 8)
    assert "Invalid constructor arguments" in scan[0].verify(eight.with_arguments(seven.arguments))["result"]
    old = kinds["old"]
    for compiler, words in ((kinds["older"].compiler, "Fail"), ("v0.6.6+commit.00000000", "Unsupported compiler")):
        answer = scan[0].verify(Specimen(old.address, old.contract, compiler, old.standard_json, old.arguments, ""))
        assert words in answer["result"]


def test_etherscan_routes_by_chain_id(scan: tuple[Dialogue, EtherscanServer], kinds: Kinds) -> None:
    dialogue, server = scan
    plain = kinds["plain"]
    elsewhere = Dialogue(dialogue.url, BASE_SEPOLIA)
    assert elsewhere.submit(plain)["result"] == f"Unable to locate ContractCode at {plain.address}"
    assert "unsupported chainid" in Dialogue(dialogue.url, 5).submit(plain)["result"]
    assert "unsupported chainid" in Dialogue(dialogue.url).submit(plain)["result"]
    server.refused_chains = (SEPOLIA,)
    assert "upgrade your api plan" in dialogue.submit(plain)["result"]
    assert not server.desk.jobs


def test_etherscan_wants_its_key_and_shuts_out_who_guesses(
    scan: tuple[Dialogue, EtherscanServer], kinds: Kinds
) -> None:
    dialogue, server = scan
    guesser = Dialogue(dialogue.url, SEPOLIA, "wrong")
    assert Dialogue(dialogue.url, SEPOLIA, None).ask("getabi", address=DEAD)["result"] == "Missing/Invalid API Key"
    for _ in range(5):
        assert guesser.ask("getabi", address=DEAD)["result"] == "Invalid API Key (#err2)"
    assert "Too many invalid api key attempts" in guesser.ask("getabi", address=DEAD)["result"]
    assert "Too many invalid api key attempts" in dialogue.submit(kinds["plain"])["result"]
    assert not server.desk.jobs


def test_etherscan_tells_how_a_contract_came_to_be(scan: tuple[Dialogue, EtherscanServer], kinds: Kinds) -> None:
    asked = ",".join(kinds[kind].address for kind in ("plain", "child", "create2"))
    found = scan[0].ask("getcontractcreation", contractaddresses=asked)["result"]
    assert [f["txHash"] for f in found] == [kinds[kind].transaction for kind in ("plain", "child", "create2")]
    assert found[1]["contractCreator"] == "0x" + _factory_of(kinds["child"], scan[1]).lower()[2:]
    assert scan[0].ask("getcontractcreation", contractaddresses=DEAD)["result"] is None


def test_etherscan_links_a_proxy_to_what_it_truly_runs(
    scan: tuple[Dialogue, EtherscanServer], kinds: Kinds, compiling: Worker
) -> None:
    dialogue, _ = scan
    proxy = kinds["proxy"]
    behind = "0x" + proxy.arguments[-20:].hex()
    for expected, words in ((DEAD, "unfortunately not detected"), (behind, "is successfully updated")):
        assert dialogue.shown(proxy.address)["Implementation"] == ""
        guid = dialogue.ask("verifyproxycontract", address=proxy.address, expectedimplementation=expected)["result"]
        assert words in dialogue.ask("checkproxyverification", guid=guid)["result"]
    assert dialogue.shown(proxy.address)["Implementation"].lower() == behind


def test_etherscan_can_show_the_source_of_a_twin(scan: tuple[Dialogue, EtherscanServer], specimens: Specimens) -> None:
    dialogue, server = scan
    one, other = specimens.make("plain", 1), specimens.make("plain", 2)
    assert dialogue.verify(one)["result"] == "Pass - Verified"
    assert dialogue.shown(other.address)["SourceCode"] == ""
    server.similar = True
    assert dialogue.shown(other.address)["SimilarMatch"].lower() == one.address.lower()


def test_etherscan_works_a_crowd_off_that_comes_at_once(
    scan: tuple[Dialogue, EtherscanServer], specimens: Specimens
) -> None:
    dialogue, server = scan
    crowd = specimens.crowd(6)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(dialogue.verify, crowd))
    assert {answer["result"] for answer in answers} == {"Pass - Verified"}
    assert {dialogue.shown(one.address)["ContractName"] for one in crowd} == {f"Box{n}" for n in range(6)}
    assert (len(server.desk.jobs), server.desk.twice) == (6, [])


# -- Blockscout ------------------------------------------------------------------------------------------------------


def test_blockscout_verifies_and_says_of_a_failure_with_status_1_only_that_it_failed(
    scout: tuple[Dialogue, BlockscoutServer], specimens: Specimens
) -> None:
    dialogue, server = scout
    specimen = specimens.make("immutables")
    failed = dialogue.verify(specimen.with_other_code())
    assert (failed["status"], failed["message"], failed["result"]) == ("1", "OK", "Fail - Unable to verify")
    assert dialogue.verify(specimen, "constructorArguements")["result"] == "Fail - Unable to verify"
    assert "SourceCode" not in dialogue.shown(specimen.address)
    assert dialogue.verify(specimen.with_comment())["result"] == "Pass - Verified"
    assert dialogue.verify(specimen)["result"] == "Pass - Verified"  # the true source betters a partial match
    assert server.desk.shown[SEPOLIA, specimen.address.lower()].kind == "exact"
    assert dialogue.submit(specimen) == {"message": "Smart-contract already verified.", "result": None, "status": "0"}
    shown = dialogue.shown(specimen.address)
    files = {shown["FileName"]: shown["SourceCode"]}
    files |= {more["Filename"]: more["SourceCode"] for more in shown["AdditionalSources"]}
    assert files == {path: source["content"] for path, source in specimen.standard_json["sources"].items()}


def test_blockscout_finds_implementations_by_itself(scout: tuple[Dialogue, BlockscoutServer], kinds: Kinds) -> None:
    proxy = kinds["proxy"]
    assert scout[0].shown(proxy.address)["ImplementationAddress"].lower() == "0x" + proxy.arguments[-20:].hex()


# -- Sourcify --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_sourcify_betters_a_partial_match_by_the_true_source(
    fy: tuple[SourcifyDialogue, SourcifyServer], specimens: Specimens, kind: str
) -> None:
    dialogue, _ = fy
    specimen = specimens.make(kind)
    assert dialogue.shown(specimen.address)[0] == 404
    assert dialogue.verify(specimen.with_comment())["contract"]["match"] == "match"
    assert dialogue.shown(specimen.address)[1]["match"] == "match"
    again = dialogue.verify(specimen.with_comment())
    assert again["error"]["customCode"] == "already_verified"
    job = dialogue.verify(specimen, specimen.transaction)
    assert (job["contract"]["runtimeMatch"], job["contract"]["creationMatch"]) == ("exact_match", "exact_match")
    status, shown = dialogue.shown(specimen.address, "compilation,sources")
    assert (status, shown["match"]) == (200, "exact_match")
    assert shown["compilation"]["fullyQualifiedName"] == specimen.contract
    assert shown["sources"] == specimen.standard_json["sources"]
    status, refused = dialogue.submit(specimen)
    assert (status, refused["customCode"]) == (409, "already_verified")


def test_sourcify_says_what_is_wrong(fy: tuple[SourcifyDialogue, SourcifyServer], kinds: Kinds) -> None:
    dialogue, server = fy
    true = kinds["plain"]
    wrong = {
        "bytecode_length_mismatch": true.with_other_code(),
        "compiler_error": true.that_does_not_compile(),
        "contract_not_found_in_compiler_output": true.with_name("Nothing"),
        "contract_not_deployed": Specimen(DEAD, true.contract, true.compiler, true.standard_json, b"", ""),
    }
    for code, specimen in wrong.items():
        job = dialogue.verify(specimen)
        assert (job["error"]["customCode"], job["contract"]["match"]) == (code, None)
    assert not server.desk.shown


def test_sourcify_refuses_what_is_no_request(fy: tuple[SourcifyDialogue, SourcifyServer], kinds: Kinds) -> None:
    dialogue, server = fy
    plain = kinds["plain"]
    path = f"/v2/verify/{SEPOLIA}/{plain.address}"
    assert dialogue.ask("POST", path, {"stdJsonInput": {}})[1]["customCode"] == "invalid_parameter"
    answer = dialogue.pool.request("POST", dialogue.url + path, body=b"{", timeout=20)
    assert (answer.status, answer.json()["customCode"]) == (400, "invalid_json")
    assert SourcifyDialogue(dialogue.url, 5).submit(plain)[1]["customCode"] == "unsupported_chain"
    assert dialogue.ask("GET", f"/v2/verify/{'0' * 8}-0000-4000-8000-{'0' * 12}")[1]["customCode"] == "job_not_found"
    assert dialogue.ask("GET", "/verify")[1]["customCode"] == "route_not_found"
    assert not server.desk.jobs


DEAD = "0x000000000000000000000000000000000000dEaD"


def _factory_of(child: Specimen, server: EtherscanServer) -> str:
    """Its parent, by what the contract itself says."""
    return "0x" + server.desk.chains[SEPOLIA].read(child.address, "0x60f96a8f")[-20:].hex()  # parent()

"""The order of units: what a unit needs comes before it, and circles are named."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.evm.artifacts import ByteRange
from chains.evm.dag import DependencyCycle, LibraryMissing, UnknownUnit, library_units, order
from chains.evm.units import DEPLOYER, Call, CallUnit, ContractUnit, EvmUnits, Ref, Unless
from tests.support.contracts import COUNTER, artifact


def unit(name: str, *needs: str, **fields: object) -> ContractUnit:
    return ContractUnit(name, f"src/{name}.sol:{name}", args=tuple(Ref(n) for n in needs), **fields)  # type: ignore[arg-type]


def names(units: EvmUnits, libraries: dict[str, tuple[str, ...]] | None = None) -> list[str]:
    return [u.name for u in order(units, libraries or {})]


def test_written_order_where_nothing_is_needed() -> None:
    assert names(EvmUnits((unit("B"), unit("A"), unit("C")))) == ["B", "A", "C"]


def test_needs_come_first_wherever_they_stand() -> None:
    first = replace(unit("A"), initialize=Call("f(address[])", ((Ref("B"),),)))
    second = replace(unit("B"), proxy_owner=Ref("C"))
    third = replace(unit("C"), libraries={"L": Ref("D")})
    fourth = replace(unit("D"), upgrade=Call("m((address))", ({"x": Ref("E", "implementation")},)))
    fifth = replace(unit("E"), authority=Ref("F"))
    sixth = unit("F", after=("G",))
    assert names(EvmUnits((first, second, third, fourth, fifth, sixth, unit("G")))) == list("GFEDCBA")


def test_calls_are_ordered_with_contracts() -> None:
    grant = CallUnit("grant", Ref("A"), Call("g(address)", (Ref("B"),)), Unless("h(address)(bool)", (Ref("C"),), True))
    units = EvmUnits((unit("Z", after=("grant",)), unit("A"), unit("B"), unit("C")), (grant,))
    assert names(units) == ["A", "B", "C", "grant", "Z"]


def test_libraries_come_first() -> None:
    assert names(EvmUnits((unit("A"), unit("Lib"))), {"A": ("Lib",)}) == ["Lib", "A"]


def test_the_deployer_is_no_unit() -> None:
    assert names(EvmUnits((replace(unit("A"), args=(DEPLOYER,)),))) == ["A"]


@pytest.mark.parametrize(
    ("units", "circle"),
    [
        ((unit("A", "B"), unit("B", "A")), "A → B → A"),
        ((unit("X", "A"), unit("A", "B"), unit("B", "C"), unit("C", "A")), "A → B → C → A"),
        ((unit("A", after=("A",)),), "A → A"),
    ],
)
def test_circles_are_named(units: tuple[ContractUnit, ...], circle: str) -> None:
    with pytest.raises(DependencyCycle, match=circle) as caught:
        names(EvmUnits(units))
    assert caught.value.exit_code == 2


def test_an_unknown_unit_gets_a_suggestion() -> None:
    with pytest.raises(UnknownUnit) as caught:
        names(EvmUnits((unit("Vault", "Registri"), unit("Registry"))))
    assert "Did you mean `Registry`?" in caught.value.remedy
    with pytest.raises(UnknownUnit) as caught:
        names(EvmUnits((unit("Vault", "Zzz"),)))
    assert "Did you mean" not in caught.value.remedy


@settings(deadline=None)
@given(st.integers(1, 12).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))))))  # fmt: skip
def test_every_need_precedes_or_a_circle_is_named(graph: tuple[int, set[tuple[int, int]]]) -> None:
    size, edges = graph
    units = tuple(unit(f"U{i}", *[f"U{b}" for a, b in sorted(edges) if a == i and b != i]) for i in range(size))
    try:
        found = names(EvmUnits(units))
    except DependencyCycle:
        return
    assert sorted(found) == sorted(u.name for u in units)
    for a, b in edges:
        assert a == b or found.index(f"U{b}") < found.index(f"U{a}")


def test_linked_libraries_find_their_units_or_are_asked_for() -> None:
    linked = replace(artifact("A", COUNTER), creation_links={"src/L.sol:L": (ByteRange(0, 20),)})
    library = ContractUnit("Lib", "src/L.sol:L")
    assert library_units(unit("A"), linked, EvmUnits((library,))) == {"src/L.sol:L": "Lib"}
    assert library_units(replace(unit("A"), libraries={"src/L.sol:L": "0x1"}), linked, EvmUnits()) == {}
    with pytest.raises(LibraryMissing) as caught:
        library_units(unit("A"), linked, EvmUnits())
    assert "[contracts.L]" in caught.value.remedy

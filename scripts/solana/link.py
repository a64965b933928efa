"""Links one BPF object file of clang's into a program Solana's loader takes: ``link.py OBJECT PROGRAM``.

The linkers of Solana's toolchain are to be had with Rust only, and ld.lld refuses BPF. What the loader (SBPF v0) wants is
little: a shared ELF whose sections lie in the file where they lie in memory, ``.text`` with the entry point, read-only
data, and dynamic relocations: RELATIVE for an address in code, 64_32 with a symbol's name for a syscall.
"""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
from pathlib import Path

R_BPF_64_64, R_BPF_64_RELATIVE, R_BPF_64_32 = 1, 8, 10
SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_DYNAMIC, SHT_REL, SHT_DYNSYM = 1, 2, 3, 6, 9, 11
SHF_ALLOC, SHF_EXECINSTR = 2, 4
EHDR, PHDR, SHDR, SYM, REL, DYN = "<16sHHIQQQIHHHHHH", "<IIQQQQQQ", "<IIQQQQIIQQ", "<IBBHQQ", "<QQ", "<QQ"


@dataclass(frozen=True)
class Section:
    name: str
    kind: int
    flags: int
    link: int
    info: int
    data: bytes


@dataclass(frozen=True)
class Symbol:
    name: str
    section: int
    value: int


def text_at(table: bytes, offset: int) -> str:
    return table[offset : table.index(b"\0", offset)].decode()


def read_object(data: bytes) -> tuple[list[Section], list[Symbol]]:
    """The sections and symbols of a relocatable ELF for BPF."""
    header = struct.unpack_from(EHDR, data)
    if header[0][:5] != b"\x7fELF\x02" or header[1:3] != (1, 247):
        raise SystemExit("this is no object file for BPF (clang -target bpfel -c)")
    offset, count, names_at = header[6], header[12], header[13]
    raw = [struct.unpack_from(SHDR, data, offset + 64 * i) for i in range(count)]
    names = data[raw[names_at][4] :][: raw[names_at][5]]
    sections = [
        Section(text_at(names, s[0]), s[1], s[2], s[6], s[7], b"" if s[1] == 8 else data[s[4] : s[4] + s[5]]) for s in raw
    ]
    table = next(s for s in sections if s.kind == SHT_SYMTAB)
    strings = sections[table.link].data
    symbols = [
        Symbol(text_at(strings, name), section, value)
        for name, _info, _other, section, value, _size in struct.iter_unpack(SYM, table.data)
    ]
    return sections, symbols


class Strings:
    """A string table."""

    def __init__(self) -> None:
        self.data = bytearray(1)

    def add(self, text: str) -> int:
        at = len(self.data)
        self.data += text.encode() + b"\0"
        return at


def aligned(length: int, to: int = 8) -> int:
    return -(-length // to) * to


def link(data: bytes) -> bytes:
    """The linked program."""
    sections, symbols = read_object(data)
    kept = [i for i, s in enumerate(sections) if s.kind == SHT_PROGBITS and s.flags & SHF_ALLOC and s.data]
    kept.sort(key=lambda i: sections[i].name != ".text")
    if not kept or sections[kept[0]].name != ".text":
        raise SystemExit("the object has no .text")
    if bad := [sections[i].name for i in kept[1:] if not sections[i].name.startswith(".rodata")]:
        raise SystemExit(f"a program can hold code and read-only data only, not {', '.join(bad)}")

    # Code and data first, each where it lies in the file.
    at, placed = 64 + 3 * 56, {}
    image = bytearray(at)
    for i in kept:
        placed[i] = len(image)
        image += sections[i].data.ljust(aligned(len(sections[i].data)), b"\0")
    end_of_text = placed[kept[0]] + aligned(len(sections[kept[0]].data))
    end_of_code = len(image)

    # Relocations: what stays for the loader, with the names of the syscalls.
    dynamic_strings, dynamic_symbols, relocations = Strings(), [bytes(24)], []
    numbers: dict[str, int] = {}
    for section in sections:
        if section.kind != SHT_REL or section.info not in placed:
            continue
        for offset, info in struct.iter_unpack(REL, section.data):
            symbol, place = symbols[info >> 32], placed[section.info] + offset
            if info & 0xFFFFFFFF == R_BPF_64_64 and symbol.section in placed:
                (low,) = struct.unpack_from("<I", image, place + 4)
                struct.pack_into("<I", image, place + 4, low + symbol.value + placed[symbol.section])
                relocations.append((place, R_BPF_64_RELATIVE))
            elif info & 0xFFFFFFFF == R_BPF_64_32 and symbol.section == 0:
                if symbol.name not in numbers:
                    numbers[symbol.name] = len(dynamic_symbols)
                    dynamic_symbols.append(struct.pack(SYM, dynamic_strings.add(symbol.name), 0x10, 0, 0, 0, 0))
                relocations.append((place, numbers[symbol.name] << 32 | R_BPF_64_32))
            else:
                raise SystemExit(f"cannot relocate kind {info & 0xFFFFFFFF} of {symbol.name or 'a section'}")
    entry = next((s for s in symbols if s.name == "entrypoint" and s.section == kept[0]), None)
    if entry is None:
        raise SystemExit("the object has no function `entrypoint`")

    names = Strings()
    headers = [bytes(64)]

    def put(name: str, kind: int, flags: int, content: bytes, *, link_to: int = 0, size: int = 0) -> int:
        start = len(image)
        image.extend(content.ljust(aligned(len(content)), b"\0"))
        headers.append(
            struct.pack(
                SHDR, names.add(name), kind, flags, start if flags else 0, start, len(content), link_to, 0, 8, size
            )
        )
        return start

    # The loader maps read-only data by the one name .rodata, so all of it becomes one section.
    for name, flags, start, stop in (
        (".text", SHF_ALLOC | SHF_EXECINSTR, placed[kept[0]], placed[kept[0]] + len(sections[kept[0]].data)),
        (".rodata", SHF_ALLOC, end_of_text, end_of_code),
    ):
        if stop > start:
            header = (names.add(name), SHT_PROGBITS, flags, start, start, stop - start, 0, 0, 8, 0)
            headers.append(struct.pack(SHDR, *header))
    symbols_number = len(headers) + 1
    dynamic_length = 16 * 7
    dynamic_at = len(image)
    symbols_at = dynamic_at + dynamic_length
    strings_at = symbols_at + aligned(24 * len(dynamic_symbols))
    relocations_at = strings_at + aligned(len(dynamic_strings.data))
    tags = [(17, relocations_at), (18, 16 * len(relocations)), (19, 16), (6, symbols_at), (11, 24), (5, strings_at), (0, 0)]
    put(".dynamic", SHT_DYNAMIC, SHF_ALLOC, b"".join(struct.pack(DYN, *t) for t in tags), link_to=symbols_number + 1, size=16)
    put(".dynsym", SHT_DYNSYM, SHF_ALLOC, b"".join(dynamic_symbols), link_to=symbols_number + 1, size=24)
    put(".dynstr", SHT_STRTAB, SHF_ALLOC, bytes(dynamic_strings.data))
    put(".rel.dyn", SHT_REL, SHF_ALLOC, b"".join(struct.pack(REL, *r) for r in relocations), link_to=symbols_number, size=16)
    end = len(image)
    put(".shstrtab", SHT_STRTAB, 0, bytes(names.data) + b".shstrtab\0")
    section_headers_at = len(image)
    image += b"".join(headers)

    first = placed[kept[0]]
    segments = [
        struct.pack(PHDR, 1, 5, first, first, first, end_of_text - first, end_of_text - first, 4096),
        struct.pack(PHDR, 1, 4, end_of_text, end_of_text, end_of_text, end - end_of_text, end - end_of_text, 4096),
        struct.pack(PHDR, 2, 4, dynamic_at, dynamic_at, dynamic_at, dynamic_length, dynamic_length, 8),
    ]
    assert end_of_code == dynamic_at
    identity = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    struct.pack_into(
        EHDR, image, 0, identity, 3, 247, 1, first + entry.value, 64, section_headers_at, 0, 64, 56, 3, 64, len(headers),
        len(headers) - 1,
    )  # fmt: skip
    image[64 : 64 + 168] = b"".join(segments)
    return bytes(image)


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(link(Path(sys.argv[1]).read_bytes()))

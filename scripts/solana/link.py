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
PT_LOAD, PT_DYNAMIC, ET_DYN, EM_BPF = 1, 2, 3, 247
DT_NULL, DT_STRTAB, DT_SYMTAB, DT_SYMENT, DT_REL, DT_RELSZ, DT_RELENT = 0, 5, 6, 11, 17, 18, 19
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
        Section(text_at(names, s[0]), s[1], s[2], s[6], s[7], b"" if s[1] == 8 else data[s[4] : s[4] + s[5]])
        for s in raw
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


class Image:
    """The program's file as it grows. What lies at an offset of the file lies at that address in memory."""

    def __init__(self) -> None:
        self.data = bytearray(64 + 3 * 56)
        self.headers = [bytes(64)]
        self._names = Strings()

    def place(self, content: bytes) -> int:
        at = len(self.data)
        self.data += content.ljust(aligned(len(content)), b"\0")
        return at

    def header(
        self, name: str, kind: int, flags: int, start: int, length: int, link_to: int = 0, size: int = 0
    ) -> None:
        row = (self._names.add(name), kind, flags, start if flags else 0, start, length, link_to, 0, 8, size)
        self.headers.append(struct.pack(SHDR, *row))

    def section(self, name: str, kind: int, content: bytes, link_to: int = 0, size: int = 0) -> int:
        start = self.place(content)
        self.header(name, kind, SHF_ALLOC, start, len(content), link_to, size)
        return start

    def close(self) -> int:
        """Add the sections' names and headers; where the headers begin."""
        name = self._names.add(".shstrtab")
        content = bytes(self._names.data)
        start = self.place(content)
        self.headers.append(struct.pack(SHDR, name, SHT_STRTAB, 0, 0, start, len(content), 0, 0, 8, 0))
        return self.place(b"".join(self.headers))


class Dynamic:
    """What is left for the loader to do: addresses in code, and calls of syscalls by name."""

    def __init__(self) -> None:
        self.strings, self.symbols, self.relocations = Strings(), [bytes(24)], list[tuple[int, int]]()
        self._numbers: dict[str, int] = {}

    def syscall(self, place: int, name: str) -> None:
        if name not in self._numbers:
            self._numbers[name] = len(self.symbols)
            self.symbols.append(struct.pack(SYM, self.strings.add(name), 0x10, 0, 0, 0, 0))
        self.relocations.append((place, self._numbers[name] << 32 | R_BPF_64_32))

    def add_to(self, image: Image) -> tuple[int, int]:
        """Put the sections into the image; where .dynamic begins, and its length."""
        first = len(image.headers)
        symbols, strings = b"".join(self.symbols), bytes(self.strings.data)
        length = 16 * 7
        at = len(image.data)
        symbols_at = at + length
        strings_at = symbols_at + aligned(len(symbols))
        relocations_at = strings_at + aligned(len(strings))
        tags = [
            (DT_REL, relocations_at), (DT_RELSZ, 16 * len(self.relocations)), (DT_RELENT, 16), (DT_SYMTAB, symbols_at),
            (DT_SYMENT, 24), (DT_STRTAB, strings_at), (DT_NULL, 0),
        ]  # fmt: skip
        image.section(".dynamic", SHT_DYNAMIC, b"".join(struct.pack(DYN, *tag) for tag in tags), first + 2, 16)
        image.section(".dynsym", SHT_DYNSYM, symbols, first + 2, 24)
        image.section(".dynstr", SHT_STRTAB, strings)
        rows = b"".join(struct.pack(REL, *row) for row in self.relocations)
        image.section(".rel.dyn", SHT_REL, rows, first + 1, 16)
        return at, length


def kept_sections(sections: list[Section]) -> list[int]:
    """The numbers of those that go into the program, ``.text`` first."""
    kept = [i for i, s in enumerate(sections) if s.kind == SHT_PROGBITS and s.flags & SHF_ALLOC and s.data]
    kept.sort(key=lambda i: sections[i].name != ".text")
    if not kept or sections[kept[0]].name != ".text":
        raise SystemExit("the object has no .text")
    if bad := [sections[i].name for i in kept[1:] if not sections[i].name.startswith(".rodata")]:
        raise SystemExit(f"a program can hold code and read-only data only, not {', '.join(bad)}")
    return kept


def relocate(image: Image, sections: list[Section], symbols: list[Symbol], placed: dict[int, int]) -> Dynamic:
    """Write addresses into the code, and note what the loader has to do."""
    dynamic = Dynamic()
    for section in sections:
        if section.kind != SHT_REL or section.info not in placed:
            continue
        for offset, info in struct.iter_unpack(REL, section.data):
            symbol, kind, place = symbols[info >> 32], info & 0xFFFFFFFF, placed[section.info] + offset
            if kind == R_BPF_64_64 and symbol.section in placed:
                (low,) = struct.unpack_from("<I", image.data, place + 4)
                struct.pack_into("<I", image.data, place + 4, low + symbol.value + placed[symbol.section])
                dynamic.relocations.append((place, R_BPF_64_RELATIVE))
            elif kind == R_BPF_64_32 and symbol.section == 0:
                dynamic.syscall(place, symbol.name)
            else:
                raise SystemExit(f"cannot relocate kind {kind} of {symbol.name or 'a section'}")
    return dynamic


def link(data: bytes) -> bytes:
    """The linked program."""
    sections, symbols = read_object(data)
    kept = kept_sections(sections)
    text = kept[0]
    entry = next((s for s in symbols if s.name == "entrypoint" and s.section == text), None)
    if entry is None:
        raise SystemExit("the object has no function `entrypoint`")
    image = Image()
    placed = {i: image.place(sections[i].data) for i in kept}
    start, code_end = placed[text], placed[text] + aligned(len(sections[text].data))
    dynamic = relocate(image, sections, symbols, placed)
    image.header(".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, start, len(sections[text].data))
    # The loader maps read-only data by the one name .rodata, so all of it becomes one section.
    if len(image.data) > code_end:
        image.header(".rodata", SHT_PROGBITS, SHF_ALLOC, code_end, len(image.data) - code_end)
    dynamic_at, dynamic_length = dynamic.add_to(image)
    end = len(image.data)
    headers_at = image.close()
    segments = [
        (PT_LOAD, 5, start, start, start, code_end - start, code_end - start, 4096),
        (PT_LOAD, 4, code_end, code_end, code_end, end - code_end, end - code_end, 4096),
        (PT_DYNAMIC, 4, dynamic_at, dynamic_at, dynamic_at, dynamic_length, dynamic_length, 8),
    ]
    count = len(image.headers)
    identity = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    head = (identity, ET_DYN, EM_BPF, 1, start + entry.value, 64, headers_at, 0, 64, 56, 3, 64, count, count - 1)
    struct.pack_into(EHDR, image.data, 0, *head)
    image.data[64 : 64 + 3 * 56] = b"".join(struct.pack(PHDR, *segment) for segment in segments)
    return bytes(image.data)


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(link(Path(sys.argv[1]).read_bytes()))

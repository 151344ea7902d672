"""XML read as a stream: an element at a time, nothing fetched, no entities, little in memory."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from django.utils.translation import gettext as _
from lxml import etree

from apps.readings.importers.base import FileFault, Reading

CHUNK_BYTES = 64 * 1024
HEAD_BYTES = 512 * 1024
TAGS_AT_ONCE = 1_500_000  # about 200 MB as a tree
SAFE = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}


def local_name(element: etree._Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def looks_like_xml(head: bytes) -> bool:
    begin = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return begin.startswith((b"<", b"\xff\xfe<\0", b"\xfe\xff\0<"))


def first_of(path: Path, names: set[str]) -> str:
    """The tag of the first element of one of these names at the beginning of the file, or nothing.

    Raises FileFault for XML that declares a document type: entities are how a small file becomes a large one, or reads
    other files.
    """
    parser = etree.XMLPullParser(("start",), **SAFE)
    try:
        with path.open("rb") as file:
            parser.feed(file.read(HEAD_BYTES))
        found = ""
        for _event, element in parser.read_events():
            if element.getparent() is None:
                refuse_document_type(element)
            if local_name(element) in names:
                found = element.tag
                break
    except etree.XMLSyntaxError as error:
        raise broken(error) from None
    return found


def refuse_document_type(root: etree._Element) -> None:
    if root.getroottree().docinfo.doctype or root.getroottree().docinfo.internalDTD is not None:
        raise FileFault(
            _(
                "The document declares a document type (<!DOCTYPE ...>) before line %(line)d. Such XML may call in"
                " entities and is not read. Export it without one."
            )
            % {"line": root.sourceline or 1}
        )


def elements(path: Path, reading: Reading, names: set[str]) -> Iterator[etree._Element]:
    """Elements with these local names, each with all that is in it. Once the next one is asked for, it is empty."""
    parser = etree.XMLPullParser(("end",), tag=[f"{{*}}{name}" for name in sorted(names)], **SAFE)
    size = max(path.stat().st_size, 1)
    tags = 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                parser.feed(chunk)
                tags += chunk.count(b"<")
                reading.fraction = file.tell() / size
                for _event, element in parser.read_events():
                    tags = 0
                    yield element
                    let_go(element)
                if tags > TAGS_AT_ONCE:
                    raise FileFault(too_large(names))
            parser.close()
            for _event, element in parser.read_events():
                yield element
    except etree.XMLSyntaxError as error:
        raise broken(error) from None


def let_go(element: etree._Element) -> None:
    """With what stands before it: an element whose end is read no longer matters."""
    parent = element.getparent()
    element.clear()
    if parent is not None:
        del parent[: parent.index(element)]


def pairs(block: etree._Element, first: str, second: str, count: int) -> tuple[list[str], list[str]] | None:
    """Texts of two tags that follow each other `count` times at the end of a block; nothing where they do not. Asking a
    block once is much quicker than asking each of its readings."""
    found = [one.text for one in block.iter(first, second)]
    begin = len(found) - 2 * count
    if not 0 <= begin <= 1 or not count:
        return None
    last = block[-1]
    names = [one.tag for one in last.iter(first, second)]
    if names == [first, second]:
        return found[begin::2], found[begin + 1 :: 2]
    return (found[begin + 1 :: 2], found[begin::2]) if names == [second, first] else None


def lines_between(first: etree._Element, last: etree._Element, count: int) -> np.ndarray:
    """(count,) int32 lines of elements that are laid out alike: asking each takes as long as reading it. Where the file
    does not lay all of them out alike, those between are near."""
    begin, end = first.sourceline or 0, last.sourceline or 0
    return (begin + np.arange(count) * (end - begin) // max(count - 1, 1)).astype(np.int32)


def too_large(names: set[str]) -> str:
    return _(
        "One %(name)s of the document is larger than this server reads at once. Send it in parts, such as by month."
    ) % {"name": " / ".join(sorted(names))}


def broken(error: etree.XMLSyntaxError) -> FileFault:
    return FileFault(
        _("Line %(line)d: the XML is broken or cut off (%(error)s). Send the export again.")
        % {"line": error.lineno or 1, "error": str(error.msg)[:200]}
    )

"""Read a declaration: from YAML to entries with line numbers, and all faults together.

PyYAML's safe loader only builds the tree of nodes. The type of each field decides how its value is
read: in a text field, ``no`` stays a text and ``0109120`` keeps its zero.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from idp.clients import logos
from idp.clients.client_refusals import LogoFileInvalid
from idp.declarations.declared_fields import FIELDS, RESET_VALUES, FieldType, Section

MAX_BYTES = 4 << 20
_PREFIX = "tag:yaml.org,2002:"
_PLAIN_TAGS = {_PREFIX + name for name in ("str", "int", "float", "bool", "null", "timestamp")}
_FLAGS = {"true": True, "false": False}
_ADDRESS = re.compile(r"\$\{([^}]*)\}")


@dataclass(frozen=True, order=True)
class Fault:
    """A fault in a line of the file; line 0 is the file as a whole."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}" if self.line else self.text


@dataclass
class Entry:
    """A client, role group or participant, with the fields that the file gives."""

    section: Section
    name: str
    line: int
    values: dict[str, Any] = field(default_factory=dict)
    #: The line of each field, and of each text in the fields.
    lines: dict[str, int] = field(default_factory=dict)
    text_lines: dict[str, int] = field(default_factory=dict)
    #: Fields that contain an address of the domain ``.example``.
    placeholders: set[str] = field(default_factory=set)
    has_faults: bool = False


@dataclass
class Declaration:
    """The content of a file. It keeps entries with faults, so that references to them are not
    reported as further faults."""

    entries: dict[Section, dict[str, Entry]] = field(default_factory=dict)
    #: The values of ``${NAME}``, by name.
    addresses: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def of(self, section: Section) -> list[Entry]:
        """The entries of a section in the order of the file."""
        return list(self.entries.get(section, {}).values())

    def names(self, section: Section, name: str) -> bool:
        """Whether the file declares this entry."""
        return name in self.entries.get(section, {})


def read(
    text: str, addresses: Mapping[str, str] | None = None, *, folder: Path = Path()
) -> Declaration:
    """The declaration in this text. ``addresses`` replace those of the file; ``folder`` has the
    images that it names. Raises nothing: faults are in the declaration."""
    found = Declaration()
    try:
        if len(text) > MAX_BYTES:
            raise RecursionError
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        found.faults.append(Fault(line, f"not YAML: {error.problem or error.context}"))
        return found
    except yaml.YAMLError as error:
        found.faults.append(Fault(0, f"not YAML: {str(error).splitlines()[0]}"))
        return found
    except RecursionError:
        found.faults.append(Fault(0, "the file is too large or nested too deeply"))
        return found
    _Reader(found, addresses or {}, folder).read(root)
    found.faults.sort()
    return found


class _Reader:
    """Converts the node tree of one file."""

    def __init__(self, found: Declaration, addresses: Mapping[str, str], folder: Path) -> None:
        self._found, self._addresses, self._folder = found, addresses, folder
        self._entry: Entry | None = None
        #: The line of the latest key.
        self._line = 0

    def read(self, root: Any) -> None:
        sections = dict(self._pairs(root, "the file")) if root is not None else {}
        self._read_addresses(sections.pop("addresses", None))
        for name, node in sections.items():
            if name not in list(Section):
                known = ", ".join(["addresses", *Section])
                self._fault(node, f"there is no section {name!a}; there are {known}")
                continue
            entries = self._found.entries.setdefault(Section(name), {})
            for key, content in self._pairs(node, name):
                entries[key] = self._read_entry(Entry(Section(name), key, self._line), content)

    def _read_addresses(self, node: Any) -> None:
        found = self._found.addresses
        if node is not None:
            for name, content in self._pairs(node, "addresses"):
                found[name] = (self._text(content, is_plain=True) or "").rstrip("/")
        for name, url in self._addresses.items():
            if name not in found:
                self._fault(None, f"the file has no address {name!a}")
            found[name] = url.rstrip("/")

    def _read_entry(self, entry: Entry, node: Any) -> Entry:
        self._entry = entry
        for key, content in self._pairs(node, entry.name):
            field_type = FIELDS[entry.section].get(key)
            if field_type is None:
                self._fault(content, f"{entry.name}: there is no field {key!a}")
                continue
            entry.lines[key] = self._line
            value = self._value(key, field_type, content)
            if value is not None:
                given, stored = RESET_VALUES.get(key, (None, None))
                entry.values[key] = stored if value == given else value
        self._entry = None
        return entry

    def _value(self, key: str, field_type: FieldType, node: Any) -> Any:
        match field_type:
            case FieldType.TEXT:
                return self._text(node, key)
            case FieldType.FLAG:
                text = self._text(node, is_plain=True)
                if text is not None and text.lower() not in _FLAGS:
                    self._fault(node, f"{key} is true or false")
                    return None
                return _FLAGS[text.lower()] if text is not None else None
            case FieldType.IMAGE:
                return self._image(key, node)
            case FieldType.LIST:
                return self._list(key, node)
            case FieldType.LISTS:
                return {kind: self._list(key, content) for kind, content in self._pairs(node, key)}

    def _image(self, key: str, node: Any) -> bytes | str | None:
        text = self._text(node, key)
        if text is None or text == RESET_VALUES[key][0]:
            return text
        try:
            return logos.read(text, self._folder)
        except LogoFileInvalid as error:
            self._fault(node, error.detail)
            return None

    def _list(self, key: str, node: Any) -> tuple[str, ...]:
        if not isinstance(node, yaml.SequenceNode):
            self._fault(node, f"{key} is a list")
            return ()
        texts = [self._text(item, key) for item in node.value]
        return tuple(text for text in texts if text is not None)

    def _text(self, node: Any, key: str = "", *, is_plain: bool = False) -> str | None:
        """A text with ``${NAME}`` replaced; an empty value is an empty text."""
        if not isinstance(node, yaml.ScalarNode) or node.tag not in _PLAIN_TAGS:
            self._fault(node, f"{key or 'this'} is a text")
            return None
        text = "" if node.tag == f"{_PREFIX}null" else str(node.value)
        if not is_plain:
            text = _ADDRESS.sub(lambda match: self._address(match[1], key, node), text)
        if self._entry is not None:
            self._entry.text_lines.setdefault(text, _line(node))
        return text

    def _address(self, name: str, key: str, node: Any) -> str:
        url = self._found.addresses.get(name)
        if url is None:
            self._fault(node, f"the section addresses has no {name!a}")
            return ""
        if self._entry is not None and is_placeholder(url):
            self._entry.placeholders.add(key)
        return url

    def _pairs(self, node: Any, where: str) -> Iterator[tuple[str, Any]]:
        """The pairs of a mapping. A repeated key is a fault."""
        if isinstance(node, yaml.ScalarNode) and node.tag == f"{_PREFIX}null":
            return
        if not isinstance(node, yaml.MappingNode) or node.tag != f"{_PREFIX}map":
            self._fault(node, f"{where} has fields with values")
            return
        seen: dict[str, int] = {}
        for key_node, content in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag not in _PLAIN_TAGS:
                self._fault(key_node, f"a name in {where} is a text")
                continue
            key = str(key_node.value)
            if key in seen:
                self._fault(key_node, f"{key} is in {where} already, in line {seen[key]}")
                continue
            self._line = seen[key] = _line(key_node)
            yield key, content

    def _fault(self, node: Any, text: str) -> None:
        if self._entry is not None:
            self._entry.has_faults = True
        self._found.faults.append(Fault(_line(node) if node is not None else 0, text))


def is_placeholder(url: str) -> bool:
    """Whether the URL is in the reserved domain ``.example`` (RFC 2606 section 2)."""
    host = urlsplit(url).hostname or ""
    return host == "example" or host.endswith(".example")


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1

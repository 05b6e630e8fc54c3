"""Contact roles in forms: ticks, what the form showed, and the changes of a review."""

from __future__ import annotations

from collections.abc import Iterable

from registration.contact_rules import Batch, Contact, ContactKind, Holding

SEPARATOR = "|"
MAX_PART = 80


class BadField(ValueError):
    """No form of ours has such a value."""


def written(one: Holding) -> str:
    """The holding as the value of its tick."""
    return SEPARATOR.join((one.role, one.contact.kind, one.contact.id))


def batch(ticked: Iterable[str], seen: Iterable[str]) -> Batch:
    """What a form asks for: ``seen`` are the holdings that it showed as held. Raises BadField."""
    wanted, shown = ({_holding(one) for one in some} for some in (ticked, seen))
    return Batch(frozenset(wanted - shown), frozenset(shown - wanted))


def fields_of(asked: Batch) -> list[str]:
    """The batch as fields of the confirmation's form."""
    added, removed = (sorted(map(written, some)) for some in (asked.added, asked.removed))
    return [f"-{one}" for one in removed] + [f"+{one}" for one in added]


def batch_of(fields: Iterable[str]) -> Batch:
    """The batch of such fields. Raises BadField."""
    found: dict[str, set[Holding]] = {"+": set(), "-": set()}
    for one in fields:
        if one[:1] not in found:
            raise BadField(one)
        found[one[0]].add(_holding(one[1:]))
    return Batch(frozenset(found["+"]), frozenset(found["-"]))


def _holding(text: str) -> Holding:
    parts = text.split(SEPARATOR)
    is_sound = all(0 < len(part) <= MAX_PART and part.isprintable() for part in parts)
    if len(parts) != 3 or not is_sound or parts[1] not in set(ContactKind):
        raise BadField(text)
    return Holding(parts[0], Contact(ContactKind(parts[1]), parts[2]))

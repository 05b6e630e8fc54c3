"""Build idp/policy/data/common-passwords.txt.gz, the list behind the rule `common` (PW-09).

    pip install zxcvbn==4.5.0
    python scripts/build_common_passwords.py

The source is the word lists in the zxcvbn package (MIT): leaked passwords, English words, names.
The same source gives the same bytes. Commit the result; idp/policy/data/README.md tells its origin.
"""

import gzip
import io
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from idp.policy.common_passwords import LONGEST_WORD, SHORTEST_WORD, fold  # noqa: E402

OUTPUT = ROOT / "idp" / "policy" / "data" / "common-passwords.txt.gz"

# Words of the place and of the service itself, and what is typed in French where an English speaker
# types `Welcome` or `Summer`: the source is English. NIST SP 800-63B asks for the first kind.
LOCAL_WORDS = """
    ieso iesogateway gateway mygateway ontario toronto ottawa canada hydro electricity market
    password passphrase changeme letmein welcome temporary default sandbox production
    motdepasse passe bienvenue bonjour bonsoir soleil azerty printemps automne hiver juillet
    janvier fevrier mars avril juin aout septembre octobre novembre decembre lundi mardi mercredi
    jeudi vendredi samedi dimanche quebec electricite
"""


def words(lists: Iterable[Iterable[str]]) -> list[str]:
    """The entries, folded, sorted, once each; those too short or too long to be a base word go."""
    folded = {fold(entry) for entries in lists for entry in entries}
    return sorted(w for w in folded if SHORTEST_WORD <= len(w) <= LONGEST_WORD and w.split() == [w])


def compress(entries: Iterable[str]) -> bytes:
    """One word a line, in gzip without a name or a time, so that only the words decide."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as file:
        file.write("".join(f"{entry}\n" for entry in entries).encode("utf-8"))
    return buffer.getvalue()


def main() -> None:
    """Read the source, write the list, tell its size."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # type: ignore[import-untyped]

    entries = words([*FREQUENCY_LISTS.values(), LOCAL_WORDS.split()])
    data = compress(entries)
    OUTPUT.write_bytes(data)
    print(f"{OUTPUT.relative_to(ROOT)}: {len(entries)} words, {len(data)} bytes")


if __name__ == "__main__":
    main()

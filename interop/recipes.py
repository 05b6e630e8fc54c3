"""The recipes of the documents, as they are run: their commands and their files, with addresses of
this machine in place of the placeholders."""

from __future__ import annotations

import re
import secrets
import shlex
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

RECIPES = Path(__file__).resolve().parents[1] / "docs" / "recipes" / "README.md"
GATEWAY = "https://gateway.example"
#: Where a recipe has the programs behind a proxy; they get the ports after that of the client.
PROXY, APPLICATION = "127.0.0.1:4180", "127.0.0.1:8080"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Recipe:
    """One chapter of the recipes."""

    #: The commands of Access Management, without their first word.
    commands: tuple[tuple[str, ...], ...]
    #: What the software reads, by the language of the block; blocks of one language are one file.
    files: dict[str, str]

    @property
    def client_id(self) -> str:
        return self._after("--client-id")

    @property
    def role_group(self) -> str:
        """The first one: that which opens the page."""
        return next(words[2] for words in self.commands if words[:2] == ("role-group", "create"))

    @property
    def home(self) -> str:
        """Scheme and host of the software."""
        address = urlsplit(self._after("--redirect-uri"))
        return f"{address.scheme}://{address.netloc}"

    def _after(self, option: str) -> str:
        words = self.commands[0]
        return words[words.index(option) + 1]


def read(title: str) -> Recipe:
    """The recipe with this title."""
    text = RECIPES.read_text(encoding="utf-8")
    chapter = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    commands: tuple[tuple[str, ...], ...] = ()
    files: dict[str, str] = {}
    for language, block in _BLOCK.findall(chapter):
        if language:
            files[language] = files.get(language, "") + block
        else:
            lines = block.replace("\\\n", " ").splitlines()
            commands += tuple(tuple(shlex.split(line)[1:]) for line in lines)
    return Recipe(commands, files)


def filled(text: str, recipe: Recipe, issuer: str, base: str) -> str:
    """A command or file with the addresses of this machine."""
    port = urlsplit(base).port or 0
    replaced = {
        recipe.home: base,
        GATEWAY: issuer,
        quote(recipe.home, safe=""): quote(base, safe=""),
        quote(GATEWAY, safe=""): quote(issuer, safe=""),
        urlsplit(GATEWAY).netloc: urlsplit(issuer).netloc,
        PROXY: f"127.0.0.1:{port + 1}",
        APPLICATION: f"127.0.0.1:{port + 2}",
        "32-random-bytes": secrets.token_hex(16),
    }
    for placeholder, value in replaced.items():
        text = text.replace(placeholder, value)
    return text

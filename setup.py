"""Compiles the translations whenever the package is built; everything else is in setup.cfg."""

from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithTranslations(build_py):
    """Puts a compiled catalogue (.mo) beside each source (.po) of the build."""

    def run(self) -> None:
        super().run()
        target = Path() if self.editable_mode else Path(self.build_lib)
        for source in Path().glob("*/translations/*/LC_MESSAGES/*.po"):
            compiled = target / source.with_suffix(".mo")
            with source.open("rb") as catalogue, compiled.open("wb") as output:
                write_mo(output, read_po(catalogue))


setup(cmdclass={"build_py": BuildWithTranslations})

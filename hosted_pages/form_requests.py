"""Requests whose forms are read without what only other bodies need."""

from __future__ import annotations

from functools import cached_property
from io import BytesIO
from typing import IO, Any, cast
from urllib.parse import parse_qsl

from flask import Request
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.wsgi import get_content_length

#: The media type of an ordinary form.
FORM = "application/x-www-form-urlencoded"
_NO_FILES: ImmutableMultiDict[str, Any] = ImmutableMultiDict()


class FormRequest(Request):
    """A request that reads an ordinary form as Werkzeug does, with the same limits. Werkzeug makes
    a parser of multipart bodies for it, and reads a body that is in memory as a stream."""

    @property
    def mimetype(self) -> str:
        return FORM if self.environ.get("CONTENT_TYPE") == FORM else super().mimetype

    @cached_property
    def stream(self) -> IO[bytes]:
        body, most = self.environ["wsgi.input"], self.max_content_length or 0
        is_whole = type(body) is BytesIO and "wsgi.input_terminated" in self.environ
        if is_whole and max(body.getbuffer().nbytes, get_content_length(self.environ) or 0) < most:
            return cast(IO[bytes], body)
        return super().stream

    def _load_form_data(self) -> None:
        if "form" in self.__dict__ or self.mimetype != FORM:
            super()._load_form_data()
            return
        stream = self._get_stream_for_parsing()
        try:
            fields = parse_qsl(
                stream.read().decode(), keep_blank_values=True, errors="werkzeug.url_quote"
            )
        except ValueError:
            fields = []
        # As Werkzeug, which has no other place for them.
        self.__dict__.update(stream=stream, form=ImmutableMultiDict(fields), files=_NO_FILES)

"""The files of a form, as browsers, curl and every HTTP library send them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from transfer.serving.refusals import Refusal


class SentFile(NamedTuple):
    """A file of a form: what its sender calls it, which is trusted in nothing, and its bytes."""

    name: str
    data: bytes


async def read_form(request: Request, most_files: int) -> tuple[list[SentFile], dict[str, str]]:
    """The files of a form, whatever their fields are called, and the texts of its other fields.

    Raises:
        Refusal: 400, no form, or one without a file; 413, too many files.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise Refusal(
            400, f"the body is {kind or 'of no kind'}; expected multipart/form-data with files, as curl -F sends"
        )
    try:
        async with request.form(max_files=most_files, max_fields=20) as form:
            items = form.multi_items()
            files = [SentFile(each.filename or "", await each.read()) for _, each in items if _is_file(each)]
            texts = {name: value for name, value in items if isinstance(value, str)}
    except HTTPException as error:
        if "Too many files" in str(error.detail):
            raise Refusal(413, f"more than {most_files} files in one form; send fewer at once") from error
        raise Refusal(400, f"the form cannot be read ({error.detail}); expected files as curl -F sends them") from error
    if not files:
        raise Refusal(400, "the form has no file; expected pictures, as curl -F files=@a.jpg sends them")
    return files, texts


def form_schema(texts: Sequence[str]) -> dict:
    """What the description of the server says of such a form with these other fields."""
    fields = {name: {"type": "string"} for name in texts}
    files = {"files": {"type": "array", "items": {"type": "string", "format": "binary"}}}
    return {"content": {"multipart/form-data": {"schema": {"type": "object", "properties": files | fields}}}}


def _is_file(value: object) -> bool:
    return isinstance(value, UploadFile)

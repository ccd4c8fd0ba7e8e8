"""For mkdocs: a link that leaves `docs/` becomes its words and the path, for the site has no file there."""

import posixpath
import re
from typing import Any

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(((?:\.\./)+[^)\s#]*)(?:#[^)]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """The page with such links as text."""
    here = posixpath.join("docs", posixpath.dirname(page.file.src_uri))

    def told(found: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(here, found[2]))
        return found[0] if path.startswith("docs/") else f"{found[1]} (`{path}` in the repository)"

    return _LINK.sub(told, markdown)

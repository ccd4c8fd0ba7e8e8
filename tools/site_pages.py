"""For mkdocs: what our pages have and the site does not understand.

A link that leaves `docs/` becomes its words and the path, for the site has no file there. A fence keeps its language
alone: of a second word, which says what our tests do with it, Markdown would make text, and code of all that follows. A
page that has lost a heading on its way ends the build.
"""

import posixpath
import re
from typing import Any

from mkdocs.exceptions import PluginError

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(((?:\.\./)+[^)\s#]*)(?:#[^)]*)?\)")
_FENCE = re.compile(r"^(```\w+) .+$", re.MULTILINE)
_CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} ", re.MULTILINE)


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """The page with such links as text, and with fences of one word."""
    here = posixpath.join("docs", posixpath.dirname(page.file.src_uri))

    def told(found: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(here, found[2]))
        return found[0] if path.startswith("docs/") else f"{found[1]} (`{path}` in the repository)"

    return _LINK.sub(told, _FENCE.sub(r"\1", markdown))


def on_page_content(html: str, *, page: Any, **_: Any) -> None:
    """Count the headings."""
    wanted, found = len(_HEADING.findall(_CODE.sub("", page.markdown))), len(re.findall(r"<h[1-6][ >]", html))
    if found != wanted:
        raise PluginError(f"{page.file.src_uri} has {wanted} headings and its page {found}")

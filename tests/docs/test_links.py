"""Every link leads somewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from .pages import ROOT, anchors, links, name_of, pages, visible, written_pages

OUTSIDE = ("https://", "mailto:")
#: Pages at the top of the project that link into docs, besides the README.
ALSO = tuple(ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md"))


@pytest.mark.parametrize("page", [*pages(), *ALSO], ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in links(page):
        if link.startswith(OUTSIDE):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        inside = target.exists() and target.is_relative_to(ROOT)
        if not inside or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [pages()[0]]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        inside = [link.partition("#")[0] for link in links(page) if not link.startswith(OUTSIDE)]
        targets = [(page.parent / path).resolve() for path in inside if path]
        waiting += [target for target in targets if target in pages() and target not in reached]
    assert [name_of(page) for page in pages() if page not in reached] == []


def test_no_page_is_long() -> None:
    # A line that only held a comment is indented and nothing else: no reader sees it.
    seen = {
        page: [it for it in visible(page).splitlines() if it.strip() or not it] for page in written_pages()
    }
    assert {name_of(page): len(lines) for page, lines in seen.items() if len(lines) > 250} == {}

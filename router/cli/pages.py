"""The pages of the diagnostic codes, which travel with the package."""

from __future__ import annotations

from difflib import get_close_matches

from router import bundled


def page(code: str) -> str:
    """Give the page of a code; raises LookupError, with the nearest code or all of them, where there is none."""
    pages = {path.stem: path for path in sorted(bundled.ERRORS.glob("*.md"))}
    if code in pages:
        return pages[code].read_text("utf-8")
    near = get_close_matches(code, pages, n=1)
    guess = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(pages)}"
    raise LookupError(f"there is no code '{code}'; {guess}")

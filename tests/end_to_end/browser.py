"""A real Chromium, found as DESIGN.md §3 says, and a page that is watched for what it must not do."""

import contextlib
import os
import shutil
from collections.abc import AsyncIterator

from playwright.async_api import Browser, Page, async_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def executable() -> str | None:
    """$CHROMIUM, or chromium or google-chrome on PATH; None: Playwright's own."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser without a window."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


class Watched:
    """What a page did that it must never do: ask elsewhere, break its policy, log an error."""

    def __init__(self, page: Page, origin: str) -> None:
        self.faults: list[str] = []
        self._origin = origin.rstrip("/")
        page.on("request", lambda request: self._asked(request.url))
        page.on("websocket", lambda socket: self._asked(socket.url.replace("ws://", "http://", 1)))
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("console", lambda message: self._said(message.type, message.text))

    def _asked(self, url: str) -> None:
        if not url.startswith((self._origin + "/", "data:")):
            self.faults.append(f"asked {url}")

    def _said(self, kind: str, text: str) -> None:
        is_policy = "Content Security Policy" in text
        is_cut = "WebSocket connection" in text or "Failed to load resource" in text
        if is_policy or (kind == "error" and not is_cut):
            self.faults.append(f"{kind}: {text}")

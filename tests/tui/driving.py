"""An app over a fake manager, and its parts."""

from __future__ import annotations

from tests.tui.conftest import screen_text
from tests.tui.fake_client import BUDGET, FakeClient
from tui.app import TrunklineApp


def app_of(*statuses, **options) -> tuple[TrunklineApp, FakeClient]:
    client = FakeClient(*statuses, budgets=(BUDGET,))
    return TrunklineApp(client, **options), client


def rows(app: TrunklineApp):
    return app.screen.query_one("#rows")


def log(app: TrunklineApp):
    return app.screen.query_one("#log")


def keys(app: TrunklineApp) -> str:
    return screen_text(app)[-1]

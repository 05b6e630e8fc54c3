"""How the pages of the trail are found in a table of millions."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text

from idp import models
from idp.audit.trail import EventFilter
from idp.list_pages import keys_query
from idp.models import Event


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (EventFilter(client_id="emi"), "ix_event_client_id_id (client_id=?)"),
        (EventFilter(client_id="emi", name="token.issued"), "ix_event_client_id_id (client_id=?)"),
        (EventFilter(actor="okaforc"), "ix_event_actor_at (actor=?)"),
        (EventFilter(name="key.rotated"), "ix_event_name_at (name=?)"),
        (EventFilter(account_ids=(1,)), "ix_event_account_id_at (account_id=?)"),
    ],
)
def test_a_page_of_the_trail_reads_an_index(wanted: EventFilter, index: str) -> None:
    """TM-12: whoever looks for a client, an actor, a name or an account waits for no other rows."""
    engine = create_engine("sqlite://")
    models.tables().create_all(engine)
    with engine.connect() as connection:
        query = keys_query(Event.id, (), *wanted.conditions(), is_descending=True).limit(51)
        statement = query.compile(engine, compile_kwargs={"literal_binds": True})
        plan = [row[3] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {statement}"))]
    engine.dispose()
    assert plan[0].replace("COVERING ", "") == f"SEARCH event USING INDEX {index}", plan
    # A client has the most events, and they are read in the order in which they are shown.
    assert wanted.client_id == "" or not any("TEMP B-TREE" in step for step in plan)

"""On PostgreSQL the ledger refuses UPDATE and DELETE, whoever asks."""

from __future__ import annotations

from typing import Any

from django.db import migrations

FORBID = """
CREATE FUNCTION bulksms_ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the ledger is append-only: write a correcting entry instead'
    USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER bulksms_ledgerentry_append_only BEFORE UPDATE OR DELETE ON bulksms_ledgerentry
  FOR EACH STATEMENT EXECUTE FUNCTION bulksms_ledger_is_append_only();
"""
ALLOW = """
DROP TRIGGER bulksms_ledgerentry_append_only ON bulksms_ledgerentry;
DROP FUNCTION bulksms_ledger_is_append_only();
"""


def forbid(_apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(FORBID)


def allow(_apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(ALLOW)


class Migration(migrations.Migration):
    dependencies = (("bulksms", "0001_initial"),)
    operations = (migrations.RunPython(forbid, allow),)

"""Independent looks at what is held, as a workspace offers them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from credenza.core.errors import UsageError
from credenza.core.prefix import beginning
from credenza.gate import questions
from credenza.gate.journal import Event
from credenza.gate.records import finding_from, silence_from, to_json
from credenza.response import relabelling
from credenza.response.builtin import VALIDATORS
from credenza.response.case import Answer, Validation, case_of
from credenza.response.quarantine import held
from credenza.response.validators.relabel import Relabel
from credenza.store.rows import EntryRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credenza.core.canonical import Json
    from credenza.core.types import Entry
    from credenza.gate.stores import Stores
    from credenza.response.case import Validator
    from credenza.response.relabelling import Sheet
    from credenza.store.rows import BatchRow
    from credenza.workspace.gate import Gate


@dataclass(frozen=True, slots=True)
class Recorded:
    """A validation as the ledger has it.

    Attributes:
        index: of its ledger entry.
    """

    index: int
    time_s: int
    dataset: str
    batches: tuple[str, ...]
    validation: Validation


class Validations:
    """Validators, on demand or by policy, and sheets for people.

    Args:
        gate: whose policy names the validators of what is held.
        stores: the gate's.
    """

    def __init__(self, gate: Gate, stores: Stores) -> None:
        self._stores = stores
        self._policy = gate.policies.in_force()

    def run(self, validator: str, prefixes: Sequence[str], **parameters: object) -> Recorded:
        """Let one validator look at some batches; its answer goes into the ledger.

        Raises:
            NotFoundError: no such validator or batch.
            UsageError: it cannot look at them, or its code failed; nothing is recorded.
        """
        return self._look(VALIDATORS.make(validator, **parameters), self._rows(prefixes))

    def pending(self) -> list[Recorded | UsageError]:
        """Let the policy's validators look at every held batch that they have not seen.

        A validator that cannot look at a batch answers with its error, and goes on.
        """
        seen = {(one.validation.validator, digest) for one in self.all() for digest in one.batches}
        done: list[Recorded | UsageError] = []
        for one in held(self._stores, self._policy.quarantine):
            for name in self._policy.quarantine.validators:
                if (name, one.batch) not in seen:
                    try:
                        done.append(self.run(name, [one.batch]))
                    except UsageError as wrong:
                        done.append(wrong)
        return done

    def all(self, prefix: str = "") -> list[Recorded]:
        """Answers so far, of all batches or of one, oldest first."""
        with self._stores.journal.catalog.snapshot() as index:
            entries = index.find(EntryRow, kind="validation")
        wanted = {questions.batch_row(self._stores, prefix).digest} if prefix else set()
        found = [self._recorded(entry) for entry in entries]
        return [one for one in found if not prefix or wanted & set(one.batches)]

    # -- people

    def export_sheet(
        self, prefixes: Sequence[str], *, form: str, suspects: int, controls: int, seed: int
    ) -> tuple[str, str]:
        """A sheet for people to label again: its id, and its text in the form asked for.

        Args:
            prefixes: batches under suspicion.
            form: "jsonl" or "label-studio".
            suspects: most rows of theirs.
            controls: most trusted rows among them.
            seed: of the draw.
        """
        if form not in relabelling.FORMATS:
            known = ", ".join(relabelling.FORMATS)
            raise UsageError(
                "bad-format",
                f"no format is called {form!r}",
                why=f"known: {known}",
                fix="name one of these",
            )
        case = case_of(self._stores, self._policy, self._rows(prefixes))
        sheet = relabelling.draw_sheet(
            case, suspects=suspects, controls=controls, salt=secrets.token_hex(16), seed=seed
        )
        content = relabelling.sheet_bytes(sheet)
        document: dict[str, Json] = {"batches": [*sheet.batches], "items": len(sheet.items)}
        journal = self._stores.journal
        journal.lock()
        document["sheet"] = journal.blobs.put(content)
        journal.record([Event("relabelling", document)])
        return str(document["sheet"]), relabelling.FORMATS[form](sheet)

    def import_labels(self, name: str, data: bytes) -> Recorded:
        """What people said of a sheet; their agreement, and the answer, go into the ledger.

        Args:
            name: the sheet's id or its first digits.
            data: JSONL, or Label Studio's JSON export.

        Raises:
            NotFoundError: no such sheet.
            UsageError: rows are missing, doubled or foreign; nothing is recorded.
        """
        sheet = self._sheet(name)
        labels = relabelling.complete(sheet, relabelling.read_answers(data))
        return self._look(Relabel(sheet, labels), self._rows(sheet.batches))

    def _sheet(self, name: str) -> Sheet:
        with self._stores.journal.catalog.snapshot() as index:
            entries = index.find(EntryRow, kind="relabelling")
        known = [str(self._stores.journal.document(one.digest)["sheet"]) for one in entries]
        digest = beginning(name, known, "sheet", fix="`credenza relabel export` makes one")
        return relabelling.sheet_from(self._stores.journal.blobs.get(digest))

    # -- inside

    def _rows(self, prefixes: Sequence[str]) -> list[BatchRow]:
        rows = {row.digest: row for row in (questions.batch_row(self._stores, p) for p in prefixes)}
        return sorted(rows.values(), key=lambda row: row.submitted_index)

    def _look(self, validator: Validator, rows: list[BatchRow]) -> Recorded:
        case = case_of(self._stores, self._policy, rows)
        answer = validator.validate(case)
        document: dict[str, Json] = {
            "validator": answer.validator,
            "answer": str(answer.answer),
            "sentence": answer.sentence,
            "dataset": case.dataset,
            "batches": [row.digest for row in rows],
            "exhibits": to_json(dict(answer.exhibits)),
            "findings": to_json(answer.findings),
            "silences": to_json(answer.silences),
        }
        entries = self._stores.journal.record([Event("validation", document)])
        return self._recorded(entries[0])

    def _recorded(self, entry: Entry | EntryRow) -> Recorded:
        found = self._stores.journal.document(entry.digest)
        return Recorded(
            entry.index,
            entry.time_s,
            str(found["dataset"]),
            tuple(map(str, cast("list[Json]", found["batches"]))),
            Validation(
                str(found["validator"]),
                Answer(str(found["answer"])),
                str(found["sentence"]),
                cast("dict[str, object]", found["exhibits"]),
                tuple(map(finding_from, _tables(found["findings"]))),
                tuple(map(silence_from, _tables(found["silences"]))),
            ),
        )


def _tables(value: Json) -> list[dict[str, Json]]:
    return cast("list[dict[str, Json]]", value)

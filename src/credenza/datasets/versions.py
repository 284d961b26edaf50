"""Versioned datasets on Lance, where each transaction happens once.

Lance commits the same transaction twice without a word, and rebases an append that lost
a race. So every publication carries an id in its transaction, and before a commit the
transactions since the last known one are scanned for that id, under an exclusive lock
that the kernel drops when the process dies. What a crash interrupted is thus finished or
found finished, never doubled.
"""

from __future__ import annotations

import fcntl
import os
import re
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lance
from lance.fragment import write_fragments

from credenza.core.errors import NotFoundError, UsageError
from credenza.datasets.checks import (
    ID,
    Dataset,
    check_count,
    check_lineage,
    check_readable,
    check_staged,
    conformed,
    data_files,
    properties_of,
)
from credenza.datasets.excision import stage_excision
from credenza.datasets.history import History
from credenza.datasets.parquet import Part, whole_or_absent, write_parts
from credenza.store.disk import explained, sync

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from credenza.core.spans import Spans

STORAGE_VERSION = "2.1"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}\Z")
_SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")
_TRANSACTIONS: Any = sys.modules["lance.dataset"]  # the function of that name hides the module
_LAST_VERSION = 2**64 - 1  # Lance names manifests so that the newest sorts first


@dataclass(frozen=True, slots=True)
class LoggedVersion:
    """One version as Lance tells it.

    Attributes:
        time_s: seconds since the epoch, by the clock of the machine that committed.
        properties: what the publisher put into the transaction.
    """

    number: int
    time_s: int
    rows: int
    properties: Mapping[str, str]


class LanceDatasets:
    """Datasets under one directory.

    An append costs one data file and one manifest; what was written before is neither
    read nor copied. Nothing is ever cleaned up: an old version stays readable.

    Lance itself never waits for the disk; here data files are synced before the commit
    and the manifest before the acknowledgement, so a version that the ledger records
    outlives a power cut.

    Blind to a second machine on a shared disk: there the publisher must hold the
    catalog's lease.

    Args:
        directory: made on the first publication.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def datasets(self) -> tuple[str, ...]:
        """Names of the datasets that have a version, sorted."""
        return tuple(sorted(path.stem for path in self._directory.glob("*.lance")))

    def publish(self, dataset: str, table: pa.Table, properties: Mapping[str, str]) -> int:
        """Append ``table`` in one transaction, once for each ``credenza.id``.

        The staged rows are read back before the commit, and the version after it, so
        that a version is acknowledged only when it can be read. An id that was published
        before, even if its version was rolled back since, gives the old number.

        Args:
            dataset: made by its first publication, whose schema is then the schema.
            table: with the lineage columns; without rows it makes a version all the same.
            properties: kept in the transaction; ``credenza.id`` names the publication.

        Returns:
            The number of the version that holds it.

        Raises:
            UsageError: no id, no lineage columns, or another schema.
            ConflictError: the disk is full.
            InternalError: what was written cannot be read back.
        """
        name = _publication(properties)
        check_lineage(table)
        with self._exclusive(dataset) as history:
            before = self._newest(dataset)
            done = _made_by(history, name, before)
            if done is not None:
                check_readable(self._at(dataset, done), name)
                return done
            if before is not None:
                table = conformed(table, before.schema)
            staged = self._stage(dataset, table, before)
            staged.transaction_properties = dict(properties)
            number = self._commit(dataset, staged, before)
            published = self._at(dataset, number)
            check_readable(published, name)
            check_count(published, before, table.num_rows)
            history.add(number, name)
            return number

    def restore(self, dataset: str, version: int, properties: Mapping[str, str]) -> int:
        """Make an old version's content the newest version, once for each ``credenza.id``.

        The versions between stay where they are.

        Raises:
            NotFoundError: no such dataset or version.
            UsageError: no id.
        """
        name = _publication(properties)
        with self._exclusive(dataset) as history:
            before = self._at(dataset)
            done = _made_by(history, name, before)
            if done is None:
                wanted = self._at(dataset, version).count_rows()
                change = _transaction(before, lance.LanceOperation.Restore(version), properties)
                done = self._commit(dataset, change, before)
                check_count(self._at(dataset, done), None, wanted)
                history.add(done, name)
            check_readable(self._at(dataset, done), name)
            return done

    def excise(
        self, dataset: str, gone: Mapping[str, Spans | None], properties: Mapping[str, str]
    ) -> int:
        """Take rows out of the newest version, once for each ``credenza.id``.

        What they leave behind is neither read whole nor written again, and earlier
        versions keep them. Rows that are not there change nothing.

        Args:
            dataset: its name.
            gone: batch digest to positions in that batch; None for all of it.
            properties: kept in the transaction; ``credenza.id`` names the publication.

        Returns:
            The number of the version without them.

        Raises:
            NotFoundError: no such dataset.
            UsageError: no id.
        """
        name = _publication(properties)
        with self._exclusive(dataset) as history:
            before = self._at(dataset)
            done = _made_by(history, name, before)
            if done is None:
                staged = stage_excision(before, gone)
                if staged.files:
                    sync([*staged.files, staged.files[0].parent])
                change = _transaction(before, staged.operation, properties)
                done = self._commit(dataset, change, before)
                check_count(self._at(dataset, done), before, -staged.rows)
                history.add(done, name)
            check_readable(self._at(dataset, done), name)
            return done

    def read(
        self, dataset: str, version: int | None = None, *, columns: Sequence[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Stream the rows of a version in their order, the latest by default.

        Raises:
            NotFoundError: no such dataset or version.
        """
        opened = self._at(dataset, version)
        yield from opened.to_batches(columns=_columns(columns), scan_in_order=True)

    def take(
        self,
        dataset: str,
        positions: Sequence[int],
        *,
        version: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """The rows at ``positions`` (from 0), in that order; the cost follows their number.

        Raises:
            NotFoundError: no such dataset, version or position.
        """
        opened = self._at(dataset, version)
        rows = opened.count_rows()
        beyond = [position for position in positions if not 0 <= position < rows]
        if beyond:
            raise NotFoundError(
                "no-such-row",
                f"{dataset!r} has no row {beyond[0]}",
                why=f"version {opened.version} has {rows} rows, counted from 0",
                fix="count rows from 0; `credenza dataset show` says how many there are",
            )
        return opened.take(list(positions), columns=_columns(columns))

    def count(self, dataset: str, version: int | None = None) -> int:
        """Rows of a version, the latest by default; 0 for a dataset without versions."""
        opened = self._newest(dataset) if version is None else self._at(dataset, version)
        return 0 if opened is None else int(opened.count_rows())

    def schema(self, dataset: str) -> pa.Schema | None:
        """The dataset's schema with its lineage columns; None before the first version."""
        newest = self._newest(dataset)
        return None if newest is None else newest.schema

    def log(self, dataset: str) -> tuple[LoggedVersion, ...]:
        """Every version, the first one first; reads every manifest.

        Raises:
            NotFoundError: no such dataset.
        """
        opened = self._at(dataset)
        return tuple(
            LoggedVersion(
                version["version"],
                int(version["timestamp"].timestamp()),
                int(version["metadata"]["total_rows"]),
                properties_of(opened, version["version"]),
            )
            for version in opened.versions()
        )

    def checkout(self, dataset: str, version: int, directory: Path) -> tuple[Part, ...]:
        """Export a version as Parquet into a new directory, whole or not at all.

        Raises:
            NotFoundError: no such dataset or version.
            ConflictError: the directory already exists.
        """
        rows = self._at(dataset, version).to_batches(scan_in_order=True)
        with whole_or_absent(directory) as draft:
            return write_parts(rows, draft)

    def _uri(self, dataset: str) -> str:
        if not _NAME.match(dataset):
            raise UsageError(
                "bad-dataset-name",
                f"{dataset[:80]!a} cannot name a dataset",
                why="a name has up to 64 of a-z, 0-9, - and _, and starts with a letter or digit",
                fix="name it with 1 to 64 of a-z, 0-9, '.', '_', '-'",
            )
        return str(self._directory / f"{dataset}.lance")

    def _newest(self, dataset: str) -> Dataset | None:
        """The newest version, or None: a crash can leave a directory without a manifest."""
        uri = self._uri(dataset)
        try:
            with os.scandir(f"{uri}/_versions") as entries:
                whole = any(entry.name.endswith(".manifest") for entry in entries)
        except FileNotFoundError:
            whole = False
        return lance.dataset(uri) if whole else None

    def _at(self, dataset: str, version: int | None = None) -> Dataset:
        newest = self._newest(dataset)
        if newest is None:
            raise NotFoundError(
                "no-such-dataset",
                f"no dataset is called {dataset!r}",
                why=f"the known datasets are: {', '.join(self.datasets()) or 'none'}",
                fix="check its name; it exists once something of it was admitted",
            )
        if version is None or version == newest.version:
            return newest
        if not 1 <= version < newest.version:
            raise NotFoundError(
                "no-such-version",
                f"{dataset!r} has no version {version}",
                why=f"its versions are 1 to {newest.version}",
                fix=f"run `credenza dataset log {dataset}`",
            )
        return newest.checkout_version(version)

    def _stage(self, dataset: str, table: pa.Table, before: Dataset | None) -> Any:  # noqa: ANN401 - Lance ships no types
        """Write the rows where no version sees them, and read them back.

        A staged file can vanish (a clean-up by another tool) and the commit would still
        succeed, on a version that nobody can read.
        """
        uri = self._uri(dataset)
        table = table.combine_chunks()  # a page per batch would take twice as long
        staged = write_fragments(
            table,
            uri if before is None else before,
            schema=table.schema,
            return_transaction=True,
            mode="create" if before is None else "append",
            data_storage_version=STORAGE_VERSION,
            enable_stable_row_ids=True,
        )
        check_staged(uri, staged, table)
        files = data_files(uri, staged)
        if files:
            sync([*files, Path(uri, "data")])
        return staged

    def _commit(self, dataset: str, change: Any, before: Dataset | None) -> int:  # noqa: ANN401 - Lance ships no types
        """Make the change a version, and wait for the disk, which Lance does not."""
        target = self._uri(dataset) if before is None else before
        committed = lance.LanceDataset.commit(target, change, enable_stable_row_ids=True)
        folder = Path(self._uri(dataset))
        told = folder / "_transactions" / f"{change.read_version}-{change.uuid}.txn"
        manifest = folder / "_versions" / f"{_LAST_VERSION - committed.version}.manifest"
        sync(
            [
                *((told, told.parent) if told.exists() else ()),
                *(manifest, manifest.parent),
                *((folder, self._directory) if before is None else ()),
            ]
        )
        return int(committed.version)

    @contextmanager
    def _exclusive(self, dataset: str) -> Iterator[History]:
        """One publisher of a dataset on this machine; the kernel frees it on a crash."""
        self._uri(dataset)
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            with (self._directory / f"{dataset}.published").open("a+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield History(file)
        except OSError as wrong:
            number = _SYSTEM_ERROR.search(str(wrong))  # Lance keeps it in the text only
            cause = OSError(int(number[1]), os.strerror(int(number[1]))) if number else wrong
            raise explained(cause, f"the dataset {dataset!r} was not changed") from wrong


def _made_by(history: History, name: str, newest: Dataset | None) -> int | None:
    """The version that publication ``name`` made, if it did."""
    last = 0 if newest is None else newest.version
    return history.find(name, last, lambda number: properties_of(newest, number).get(ID, ""))


def _transaction(before: Dataset, operation: Any, properties: Mapping[str, str]) -> Any:  # noqa: ANN401 - Lance ships no types
    return _TRANSACTIONS.Transaction(
        read_version=before.version,
        operation=operation,
        transaction_properties=dict(properties),
    )


def _publication(properties: Mapping[str, str]) -> str:
    name = properties.get(ID, "")
    if not name:
        raise UsageError(
            "no-publication-id",
            "a publication has no name",
            why=f"without {ID!r} among its properties it could not be told from a repetition",
            fix=f"set {ID!r} to something that names this publication alone",
        )
    return name


def _columns(columns: Sequence[str] | None) -> list[str] | None:
    return None if columns is None else list(columns)

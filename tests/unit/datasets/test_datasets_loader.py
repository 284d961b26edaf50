from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from credenza.core.errors import NotFoundError, UntrustedError
from credenza.core.keys import public_hex
from credenza.datasets.loader import LoadedRelease, load_release
from credenza.datasets.release import Claim, write_release

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.datasets.conftest import Publish

    from credenza.datasets.versions import LanceDatasets

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TRUST = [public_hex(KEY)]
PART = "part-00000.parquet"


@pytest.fixture
def fetched(store: LanceDatasets, publish: Publish, tmp_path: Path) -> Path:
    publish(1, 2)
    claim = Claim("flights", 2, "f" * 64, "", "2026-01-02T03:04:05Z")
    write_release(tmp_path / "fetched", store.read("flights", 2), claim, KEY, rows_per_file=4)
    return tmp_path / "fetched"


@pytest.fixture
def loaded(fetched: Path, tmp_path: Path) -> LoadedRelease:
    return load_release(fetched, trust=TRUST, store=tmp_path / "mine")


def test_a_job_reads_what_was_released(loaded: LoadedRelease) -> None:
    rows = 0
    for name in loaded.names:
        with loaded.open(name) as file:
            rows += pq.read_table(file).num_rows
            file.seek(0)
            assert b"".join(loaded.chunks(name)) == file.read()
    assert rows == loaded.release.rows


def test_threat_13_a_swap_after_verification_changes_nothing(
    loaded: LoadedRelease, fetched: Path
) -> None:
    before = b"".join(loaded.chunks(PART))
    for path in fetched.iterdir():
        path.chmod(0o644)
        path.write_bytes(b"swapped")
    assert b"".join(loaded.chunks(PART)) == before


def test_threat_13_a_changed_file_in_the_store_is_refused_before_its_last_byte(
    loaded: LoadedRelease, tmp_path: Path
) -> None:
    path = tmp_path / "mine" / loaded.release.digest / PART
    original = path.read_bytes()
    path.chmod(0o644)
    for changed in (original[:-1] + b"x", original[:-1], original + b"x"):
        path.write_bytes(changed)
        with pytest.raises(UntrustedError), loaded.open(PART):
            pass
        got: list[bytes] = []
        with pytest.raises(UntrustedError):
            got.extend(loaded.chunks(PART))
        assert sum(map(len, got)) < len(changed)
    path.unlink()
    path.symlink_to(tmp_path / "fetched" / PART)
    with pytest.raises(UntrustedError), loaded.open(PART):
        pass


def test_threat_14_a_recalled_release_is_not_loaded_even_when_it_was_before(
    loaded: LoadedRelease, fetched: Path, tmp_path: Path
) -> None:
    again = load_release(fetched, trust=TRUST, store=tmp_path / "mine")
    assert again.release == loaded.release
    with pytest.raises(UntrustedError, match="recalled"):
        load_release(
            fetched,
            trust=TRUST,
            store=tmp_path / "mine",
            recalls={loaded.release.digest: "poison"},
        )


def test_a_file_that_was_not_released_cannot_be_opened(loaded: LoadedRelease) -> None:
    with pytest.raises(NotFoundError, match="no file"), loaded.open("../../secret"):
        pass


def test_a_job_that_another_overtakes_takes_what_that_one_verified(
    fetched: Path, tmp_path: Path
) -> None:
    store = tmp_path / "shared"

    class Overtaken(dict[str, str]):
        """Recalls whose second look-up takes so long that another job is done with it all."""

        looked_up = 0

        def __contains__(self, digest: object) -> bool:
            self.looked_up += 1
            if self.looked_up == 2:
                load_release(fetched, trust=TRUST, store=store)
            return super().__contains__(digest)

    loaded = load_release(
        fetched, trust=TRUST, store=store, recalls=Overtaken({"0" * 64: "another"})
    )
    assert b"".join(loaded.chunks(PART)) == (fetched / PART).read_bytes()
    assert [path.name for path in store.iterdir()] == [loaded.release.digest]

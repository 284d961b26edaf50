from __future__ import annotations

import ctypes
import socket
from typing import TYPE_CHECKING

import pytest

from credenza.core.errors import UsageError
from credenza.response.confinement import Bounds, confined

if TYPE_CHECKING:
    from pathlib import Path

HAS_LANDLOCK = ctypes.CDLL(None).syscall(444, None, 0, 1) >= 1
SMALL = Bounds(memory_bytes=2**30, cpu_s=5, wall_s=120.0, output_bytes=2**20)
needs_landlock = pytest.mark.skipif(not HAS_LANDLOCK, reason="the kernel has no Landlock")


def run(code: Path, text: str, bounds: Bounds = SMALL, **inputs: bytes) -> dict[str, bytes]:
    """What the code left behind."""
    code.mkdir(exist_ok=True)
    (code / "own.py").write_text("import os\nfrom pathlib import Path\n" + text)
    with confined(["python", "own.py"], code=code, inputs=inputs, bounds=bounds) as out:
        return {path.name: path.read_bytes() for path in out.iterdir()}


@needs_landlock
def test_confined_code_reads_its_input_and_writes_its_output(tmp_path: Path) -> None:
    text = (
        "rows = Path(os.environ['CREDENZA_IN'], 'rows').read_text()\n"
        "Path(os.environ['CREDENZA_OUT'], 'answer').write_text(rows.upper())\n"
    )
    assert run(tmp_path / "code", text, rows=b"abc") == {"answer": b"ABC"}


@needs_landlock
def test_confined_code_can_neither_read_nor_write_outside(tmp_path: Path) -> None:
    secret, target = tmp_path / "operator.key", tmp_path / "written"
    secret.write_text("private")
    for text in (
        f"Path({str(target)!r}).write_text('x')",
        f"Path({str(secret)!r}).read_text()",
        f"Path({str(secret)!r}).unlink()",
        "Path('own.py').write_text('changed')",
    ):
        with pytest.raises(UsageError) as refused:
            run(tmp_path / "code", text)
        assert refused.value.code == "validator-crashed"
        assert "Permission" in refused.value.why
    assert not target.exists()
    assert secret.read_text() == "private"


@needs_landlock
def test_confined_code_reaches_no_server(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(UsageError) as refused:
            run(
                tmp_path / "code", f"import socket; socket.create_connection(('127.0.0.1', {port}))"
            )
    assert "Permission" in refused.value.why


@needs_landlock
@pytest.mark.parametrize(
    ("text", "code", "why"),
    [
        ("import time; time.sleep(60)", "validator-hung", "seconds"),
        ("while True: pass", "validator-crashed", "CPU"),
        ("x = bytearray(2**31)", "validator-crashed", "MemoryError"),
        (
            "Path(os.environ['CREDENZA_OUT'], 'big').write_bytes(bytes(2**22))",
            "validator-crashed",
            "File too large",
        ),
        ("os.abort()", "validator-crashed", "signal"),
        ("raise ValueError('\\x1b[31mno')", "validator-crashed", "?[31mno"),
    ],
)
def test_code_that_hangs_crashes_or_takes_too_much_is_a_clear_error(
    tmp_path: Path, text: str, code: str, why: str
) -> None:
    wall_s = 1.0 if code == "validator-hung" else 120.0
    bounds = Bounds(memory_bytes=2**30, cpu_s=1, wall_s=wall_s, output_bytes=2**20)
    with pytest.raises(UsageError) as refused:
        run(tmp_path / "code", text, bounds)
    assert refused.value.code == code
    assert why in refused.value.why
    assert "\x1b" not in str(refused.value)


def test_a_command_needs_code_that_is_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError), confined([], code=tmp_path, inputs={}, bounds=SMALL):
        pass
    gone = tmp_path / "gone"
    with pytest.raises(UsageError), confined(["python"], code=gone, inputs={}, bounds=SMALL):
        pass

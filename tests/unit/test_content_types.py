import pytest

from application.content_types import guess


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("table.csv", "text/csv; charset=utf-8"),
        ("a.b/TABLE.CSV", "text/csv; charset=utf-8"),
        ("README.md", "text/markdown; charset=utf-8"),
        ("README", "text/plain; charset=utf-8"),
        ("app/main.js", "text/javascript; charset=utf-8"),
        ("index.html", "text/html; charset=utf-8"),
        ("main.py", "text/x-python; charset=utf-8"),
        ("data.json", "application/json"),
        ("module.wasm", "application/wasm"),
        ("scan.tif", "image/tiff"),
        ("photo.bmp", "image/bmp"),
        ("table.csv.gz", "application/gzip"),
        ("all.tar.gz", "application/gzip"),
        ("model.onnx", "application/octet-stream"),
        ("name", "application/octet-stream"),
        (".csv", "application/octet-stream"),
        ("dir.csv/name", "application/octet-stream"),
        ("name.", "application/octet-stream"),
        ("x.unheard-of", "application/octet-stream"),
    ],
)
def test_the_name_tells_the_content_type(path: str, content_type: str) -> None:
    assert guess(path) == content_type

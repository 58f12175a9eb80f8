"""Content types by file name, the same on every machine."""

import mimetypes
from typing import Final

DEFAULT: Final = "application/octet-stream"

_OWN: Final = {
    "7z": "application/x-7z-compressed",
    "avif": "image/avif",
    "bib": "text/x-bibtex",
    "bz2": "application/x-bzip2",
    "cff": "application/yaml",
    "cfg": "text/plain",
    "css": "text/css",
    "csv": "text/csv",
    "geojson": "application/geo+json",
    "gz": "application/gzip",
    "h5": "application/x-hdf5",
    "hdf5": "application/x-hdf5",
    "htm": "text/html",
    "html": "text/html",
    "ico": "image/vnd.microsoft.icon",
    "ini": "text/plain",
    "ipynb": "application/x-ipynb+json",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "js": "text/javascript",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "jsonld": "application/ld+json",
    "log": "text/plain",
    "md": "text/markdown",
    "mjs": "text/javascript",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "ndjson": "application/x-ndjson",
    "npy": DEFAULT,
    "npz": "application/zip",
    "onnx": DEFAULT,
    "otf": "font/otf",
    "parquet": "application/vnd.apache.parquet",
    "pdf": "application/pdf",
    "png": "image/png",
    "py": "text/x-python",
    "rst": "text/x-rst",
    "sh": "text/x-shellscript",
    "svg": "image/svg+xml",
    "tar": "application/x-tar",
    "tgz": "application/gzip",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "toml": "application/toml",
    "ts": "text/x-typescript",
    "tsv": "text/tab-separated-values",
    "tsx": "text/x-typescript",
    "ttf": "font/ttf",
    "txt": "text/plain",
    "wasm": "application/wasm",
    "webm": "video/webm",
    "webmanifest": "application/manifest+json",
    "webp": "image/webp",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "xml": "application/xml",
    "xz": "application/x-xz",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "zip": "application/zip",
    "zst": "application/zstd",
}
_NAMES: Final = {"license": "text/plain", "makefile": "text/plain", "dockerfile": "text/plain", "readme": "text/plain"}

# The tables of the standard library alone: a plain `guess_type` also reads those of the machine.
_STANDARD: Final = mimetypes.MimeTypes(filenames=())


def guess(path: str) -> str:
    """Give the content type that a file's name stands for; text comes with its encoding, UTF-8.

    A compressed file is what it is, not what is in it: nobody is told to unpack `table.csv.gz` on the way.
    """
    name = path.rpartition("/")[2].lower()
    stem, _, extension = name.rpartition(".")
    if not stem:
        found = _NAMES.get(name)
    else:
        found = _OWN.get(extension) or _STANDARD.types_map[True].get(f".{extension}")
    if found is None:
        return DEFAULT
    return f"{found}; charset=utf-8" if found.startswith("text/") else found

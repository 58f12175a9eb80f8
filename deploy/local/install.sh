#!/bin/sh
# Makes .venv with everything that the lock file names. Needs Python >= 3.11 and a network; nothing else, no root.
#
# A uv on PATH is used when it can do the job. Otherwise the pinned uv is put into .venv itself.
set -eu

uv_version=0.13.9
cd "$(dirname "$0")/../.."

# Names of interpreters are tried by running them: version managers leave shims on PATH that only print an error.
find_python() {
    for candidate in python3.13 python3.12 python3.11 python3 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return 0
        fi
    done
    echo "install: no Python >= 3.11 found (tried python3.13, python3.12, python3.11, python3, python)." >&2
    echo "install: put one on PATH and run this again." >&2
    return 1
}

# Keeps a .venv whose interpreter still works, so that a second call changes only what the lock file changed.
venv_works() {
    .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# Debian's python3 alone has no ensurepip, so pip comes from the package index as a wheel that runs itself.
bootstrap_uv() {
    if ! venv_works; then
        rm -rf .venv
        "$1" -m venv .venv >/dev/null 2>&1 || { rm -rf .venv; "$1" -m venv --without-pip .venv; }
    fi
    if .venv/bin/python -m pip --version >/dev/null 2>&1; then
        .venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$uv_version"
    else
        .venv/bin/python deploy/local/fetch_pip.py .venv/pip.whl
        .venv/bin/python .venv/pip.whl/pip install --quiet --disable-pip-version-check "uv==$uv_version"
        rm -f .venv/pip.whl
    fi
}

# The project's own .venv, whatever environment is active around it.
export UV_PROJECT_ENVIRONMENT=.venv UV_PYTHON_DOWNLOADS=never
unset VIRTUAL_ENV UV_PYTHON
if venv_works; then
    python=
else
    python=$(find_python)
fi
if uv --version >/dev/null 2>&1 && uv sync --frozen --inexact ${python:+--python "$python"}; then
    exit 0
fi
if [ ! -x .venv/bin/uv ] || ! .venv/bin/uv --version | grep -q "^uv $uv_version"; then
    echo "install: no usable uv on PATH, putting uv $uv_version into .venv" >&2
    bootstrap_uv "${python:-$(find_python)}"
fi
.venv/bin/uv sync --frozen --inexact

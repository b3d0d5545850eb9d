# Sourced by the other scripts: makes a virtual environment of the project's own and keeps it.
#
#   make_environment NAME EXTRAS      torch, transformers, then the package with these extras, in
#                                     .venv/NAME; sets $python
#
# PYTHON names the interpreter to start from (default: python3; 3.10 or newer).

set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

TORCH=2.13.0
TRANSFORMERS=4.51.3
# The fuzzer has wheels for some systems only; its tests are skipped elsewhere.
FUZZER=atheris

make_environment() {
    local folder="$root/.venv/$1" extras="$2" wanted
    python="$folder/bin/python"
    wanted="$(cat "$root/pyproject.toml" "$root/scripts/environment.sh" | cksum) $extras"
    if [ -x "$python" ] && [ "$(cat "$folder/.made-for" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    echo "making $folder" >&2
    "${PYTHON:-python3}" -m venv --clear "$folder"
    # torch comes first: any package that asks for it would bring the build with CUDA.
    install_torch
    install "transformers==$TRANSFORMERS" -e "$root[$extras]"
    [ "$extras" != dev ] || install --only-binary :all: "$FUZZER" || echo "$FUZZER cannot be installed: left out" >&2
    echo "$wanted" >"$folder/.made-for"
}

# An environment without torch: make_tools NAME EXTRAS "OTHER PACKAGES"; what cannot be had is left out.
make_tools() {
    local folder="$root/.venv/$1" extras="$2" wanted package
    python="$folder/bin/python"
    wanted="$(cat "$root/pyproject.toml" "$root/scripts/environment.sh" | cksum) $extras $3"
    if [ -x "$python" ] && [ "$(cat "$folder/.made-for" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    echo "making $folder" >&2
    "${PYTHON:-python3}" -m venv --clear "$folder"
    install -e "$root[$extras]"
    for package in $3; do
        install "$package" || echo "$package cannot be installed: left out" >&2
    done
    echo "$wanted" >"$folder/.made-for"
}

install_torch() {
    # The +cpu build is 0.2 GB to download and 1 GB on disk; the plain one may bring several GB of CUDA.
    if ! install "torch==$TORCH+cpu" 2>/dev/null; then
        echo "no CPU build of torch $TORCH on the configured indexes: taking the plain one, which may be large" >&2
        install "torch==$TORCH"
    fi
}

install() {
    "$python" -m pip install --quiet --disable-pip-version-check "$@"
}

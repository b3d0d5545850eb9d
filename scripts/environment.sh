# Sourced by the other scripts: makes a virtual environment of the project's own and keeps it.
#
#   make_environment NAME EXTRAS      the package with its extras in .venv/NAME; sets $python
#   install_torch                     torch, a CPU build where one can be had
#
# PYTHON names the interpreter to start from (default: python3; 3.10 or newer).

set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

TORCH=2.13.0
TRANSFORMERS=4.51.3

make_environment() {
    local folder="$root/.venv/$1" extras="$2" wanted
    python="$folder/bin/python"
    wanted="$(cat "$root/pyproject.toml" "$root/scripts/environment.sh" | cksum) $extras"
    if [ -x "$python" ] && [ "$(cat "$folder/.made-for" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    echo "making $folder" >&2
    "${PYTHON:-python3}" -m venv --clear "$folder"
    "$python" -m pip install --quiet --disable-pip-version-check -e "$root[$extras]"
    if [ "$#" -gt 2 ]; then
        "${@:3}"
    fi
    echo "$wanted" >"$folder/.made-for"
}

install_torch() {
    # The +cpu build is 0.2 GB to download and 1 GB on disk; the plain one may bring several GB of CUDA.
    if ! "$python" -m pip install --quiet --disable-pip-version-check "torch==$TORCH+cpu" 2>/dev/null; then
        echo "no CPU build of torch $TORCH on the configured indexes: taking the plain one, which may be large" >&2
        "$python" -m pip install --quiet --disable-pip-version-check "torch==$TORCH"
    fi
}

install_torch_and_transformers() {
    install_torch
    "$python" -m pip install --quiet --disable-pip-version-check "transformers==$TRANSFORMERS"
}
